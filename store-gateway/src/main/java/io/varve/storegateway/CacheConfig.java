package io.varve.storegateway;

import com.fasterxml.jackson.databind.JsonNode;
import io.varve.objstore.BucketReader;
import io.varve.runtime.Dns;
import io.varve.runtime.flags.ByteSize;
import io.varve.runtime.flags.Durations;
import io.varve.runtime.flags.FlagException;
import io.varve.runtime.flags.Yaml;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;

/** The YAML of {@code --index-cache.config} and {@code --store.caching-bucket.config}, as Thanos has it. Unknown keys are errors. */
final class CacheConfig {

    private final String origin;
    private final JsonNode root;

    private CacheConfig(String origin, String yaml) {
        this.origin = origin;
        this.root = Yaml.readTree(yaml, origin);
    }

    /** An index cache. */
    static IndexCache indexCache(String yaml, String origin, CacheMetrics clients) {
        CacheConfig c = new CacheConfig(origin, yaml);
        c.keys("document", c.root, "type", "config", "enabled_items", "ttl");
        Set<IndexCache.Item> items = EnumSet.noneOf(IndexCache.Item.class);
        for (String name : c.texts(c.root, "enabled_items")) {
            IndexCache.Item found = null;
            for (IndexCache.Item i : IndexCache.Item.values()) {
                if (i.label().equals(name)) {
                    found = i;
                }
            }
            if (found == null) {
                throw c.wrong("enabled_items", "unsupported item type requested " + name);
            }
            items.add(found);
        }
        if (items.isEmpty()) {
            items = EnumSet.allOf(IndexCache.Item.class);
        }
        IndexCacheMetrics metrics = new IndexCacheMetrics(clients.registry());
        String type = c.text(c.root, "type").toUpperCase(Locale.ROOT);
        JsonNode config = c.root.path("config");
        long ttl = c.seconds(c.root, "ttl", 24 * 3600);
        if (type.equals("IN-MEMORY")) {
            Bounds bounds = c.inMemory(config);
            if (c.root.has("ttl")) {
                throw c.wrong("ttl", "is for MEMCACHED and REDIS; items in memory do not expire");
            }
            return new MemoryIndexCache(bounds.bytes, bounds.itemBytes, items, metrics);
        }
        return new RemoteIndexCache(c.remote(type, config, clients, "index-cache"), ttl, items, metrics);
    }

    private record Bounds(long bytes, long itemBytes) {
    }

    private Bounds inMemory(JsonNode config) {
        keys("config", config, "max_size", "max_item_size");
        long size = bytes(config, "max_size", 250L << 20);
        long item = bytes(config, "max_item_size", 125L << 20);
        if (item > size) {
            throw wrong("max_item_size", "max item size (" + item + ") cannot be bigger than overall cache size (" + size + ")");
        }
        return new Bounds(size, item);
    }

    /**
     * A bucket whose reads are cached.
     *
     * @param store what tells this object store from others that share the cache
     */
    static CachingBucket cachingBucket(String yaml, String origin, BucketReader bucket, String store, CacheMetrics clients) {
        CacheConfig c = new CacheConfig(origin, yaml);
        c.keys("document", c.root, "type", "config", "chunk_subrange_size", "max_chunks_get_range_requests", "chunk_object_attrs_ttl",
                "chunk_subrange_ttl", "blocks_iter_ttl", "metafile_exists_ttl", "metafile_doesnt_exist_ttl", "metafile_content_ttl",
                "metafile_max_size");
        String type = c.text(c.root, "type").toUpperCase(Locale.ROOT);
        JsonNode config = c.root.path("config");
        CachingBucket.Settings settings = new CachingBucket.Settings(
                (int) c.number(c.root, "chunk_subrange_size", 16_000, 256, ObjectReader.MAX_PART),
                // Negative is no bound, too.
                (int) Math.max(0, c.number(c.root, "max_chunks_get_range_requests", 3, Integer.MIN_VALUE, Integer.MAX_VALUE)),
                c.seconds(c.root, "chunk_subrange_ttl", 24 * 3600), c.seconds(c.root, "blocks_iter_ttl", 300),
                c.seconds(c.root, "metafile_content_ttl", 24 * 3600),
                (int) Math.min(CachingBucket.MAX_META_BYTES, c.bytes(c.root, "metafile_max_size", 1 << 20)),
                c.seconds(c.root, "chunk_object_attrs_ttl", 24 * 3600), c.seconds(c.root, "metafile_exists_ttl", 2 * 3600),
                c.seconds(c.root, "metafile_doesnt_exist_ttl", 900));
        RemoteCache cache;
        if (type.equals("IN-MEMORY")) {
            Bounds bounds = c.inMemory(config);
            cache = new HeapCache(bounds.bytes, bounds.itemBytes);
        } else if (type.equals("GROUPCACHE")) {
            throw c.wrong("type", "GROUPCACHE is not supported: use MEMCACHED or REDIS, which several gateways can share");
        } else {
            cache = c.remote(type, config, clients, "caching-bucket");
        }
        return new CachingBucket(bucket, cache, settings, store, type.replace("-", "").toLowerCase(Locale.ROOT), clients.registry());
    }

    private RemoteCache remote(String type, JsonNode n, CacheMetrics clients, String name) {
        return switch (type) {
            case "MEMCACHED" -> {
                keys("config", n, "addresses", "timeout", "max_idle_connections", "max_async_concurrency", "max_async_buffer_size",
                        "max_get_multi_concurrency",
                        "max_item_size", "max_get_multi_batch_size", "dns_provider_update_interval", "auto_discovery",
                        "set_async_circuit_breaker_config");
                if (flag(n, "auto_discovery")) {
                    throw wrong("auto_discovery", "is not supported: name the servers, or a DNS name of theirs, in addresses");
                }
                List<String> addresses = texts(n, "addresses");
                if (addresses.isEmpty()) {
                    throw wrong("addresses", "no memcached addresses provided");
                }
                for (String a : addresses) {
                    int plus = a.indexOf('+');
                    if (plus >= 0 && !Dns.isDynamic(a)) {
                        throw wrong("addresses", "\"" + a + "\": lookups are dns+, dnssrv+, dnssrvnoa+ and dnsdualstack+");
                    }
                    if (!a.startsWith("dnssrv")) {
                        checkHostPort("addresses", a, a.substring(plus + 1));
                    }
                }
                yield new MemcachedCache(new MemcachedCache.Settings(addresses, timeout(n, "timeout", 500),
                        (int) number(n, "max_idle_connections", 100, 0, 100_000), (int) number(n, "max_async_concurrency", 20, 1, 10_000),
                        (int) number(n, "max_async_buffer_size", 10_000, 1, 10_000_000),
                        (int) number(n, "max_get_multi_concurrency", 100, 0, 100_000),
                        (int) number(n, "max_get_multi_batch_size", 0, 0, 1_000_000),
                        (int) Math.min(Integer.MAX_VALUE, bytes(n, "max_item_size", 1 << 20)),
                        interval(n, "dns_provider_update_interval", 10_000), breaker(n)), Dns.SYSTEM, clients.client("memcached", name));
            }
            case "REDIS" -> {
                keys("config", n, "addr", "prefix", "username", "password", "db", "dial_timeout", "read_timeout", "write_timeout",
                        "max_get_multi_concurrency",
                        "get_multi_batch_size", "max_set_multi_concurrency", "set_multi_batch_size", "tls_enabled", "tls_config",
                        "cache_size",
                        "master_name", "max_async_buffer_size", "max_async_concurrency", "set_async_circuit_breaker_config");
                if (bytes(n, "cache_size", 0) > 0) {
                    throw wrong("cache_size", "client-side caching is not supported: --store.disk-cache-size keeps a local copy");
                }
                List<String> addresses = List.of(text(n, "addr").split(",", -1)).stream().map(String::trim)
                        .filter(a -> !a.isEmpty()).toList();
                if (addresses.isEmpty()) {
                    throw wrong("addr", "no redis addr provided");
                }
                for (String a : addresses) {
                    checkHostPort("addr", a, a);
                }
                yield new RedisCache(new RedisCache.Settings(addresses, text(n, "prefix"), text(n, "username"), text(n, "password"),
                        (int) number(n, "db", 0, 0, 1_000_000), timeout(n, "dial_timeout", 5000),
                        // A socket has one timeout for both.
                        Math.max(timeout(n, "read_timeout", 3000), timeout(n, "write_timeout", 3000)),
                        (int) number(n, "max_get_multi_concurrency", 100, 0, 100_000),
                        (int) number(n, "get_multi_batch_size", 100, 0, 1_000_000),
                        (int) number(n, "max_set_multi_concurrency", 100, 0, 100_000),
                        (int) number(n, "set_multi_batch_size", 100, 0, 1_000_000),
                        (int) number(n, "max_async_buffer_size", 10_000, 1, 10_000_000),
                        (int) number(n, "max_async_concurrency", 20, 1, 10_000), tls(n), text(n, "master_name"), breaker(n)),
                        clients.client("redis", name));
            }
            case "" -> throw wrong("type", "missing, expected IN-MEMORY, MEMCACHED or REDIS");
            default -> throw wrong("type", "\"" + type + "\" is not supported, expected IN-MEMORY, MEMCACHED or REDIS");
        };
    }

    private Optional<RedisCache.Tls> tls(JsonNode n) {
        JsonNode t = n.path("tls_config");
        keys("tls_config", t, "ca_file", "cert_file", "key_file", "server_name", "insecure_skip_verify");
        boolean verify = !flag(t, "insecure_skip_verify");
        if (!flag(n, "tls_enabled")) {
            if (t.size() > 0) {
                throw wrong("tls_config", "is given, but tls_enabled is not set");
            }
            return Optional.empty();
        }
        String cert = text(t, "cert_file");
        String key = text(t, "key_file");
        if (cert.isEmpty() != key.isEmpty()) {
            throw wrong("tls_config", "cert_file and key_file are given together");
        }
        return Optional.of(new RedisCache.Tls(text(t, "ca_file"), cert, key, text(t, "server_name"), verify));
    }

    private SetBreaker.Settings breaker(JsonNode n) {
        JsonNode b = n.path("set_async_circuit_breaker_config");
        keys("set_async_circuit_breaker_config", b, "enabled", "half_open_max_requests", "open_duration", "min_requests",
                "consecutive_failures", "failure_percent");
        SetBreaker.Settings d = SetBreaker.Settings.OFF;
        JsonNode share = b.path("failure_percent");
        double ratio = isEmpty(share) ? d.failureRatio() : share.isNumber() ? share.asDouble() : 0;
        if (ratio <= 0 || ratio > 1) {
            throw wrong("set_async_circuit_breaker_config.failure_percent", "\"" + share.asText() + "\" is no share above 0 and up to 1");
        }
        return new SetBreaker.Settings(flag(b, "enabled"),
                (int) number(b, "half_open_max_requests", d.halfOpenMaxRequests(), 1, 1_000_000),
                interval(b, "open_duration", d.openMillis()),
                (int) number(b, "min_requests", d.minRequests(), 0, 1_000_000_000),
                (int) number(b, "consecutive_failures", d.consecutiveFailures(), 1, 1_000_000_000), ratio);
    }

    private FlagException wrong(String key, String text) {
        return new FlagException("parsing " + origin + ": " + key + ": " + text);
    }

    /** Refuses what is no mapping, and keys that it does not have. Nothing at all is an empty one. */
    private void keys(String name, JsonNode n, String... allowed) {
        if (!n.isObject() && !isEmpty(n)) {
            throw wrong(name, "\"" + n.asText() + "\" is no mapping");
        }
        Set<String> set = Set.of(allowed);
        n.fieldNames().forEachRemaining(k -> {
            if (!set.contains(k)) {
                throw wrong(k, "field not known");
            }
        });
    }

    /** A key that is not there, or without a value. */
    private static boolean isEmpty(JsonNode v) {
        return v.isMissingNode() || v.isNull() || v.isTextual() && v.asText().isEmpty();
    }

    private void checkHostPort(String key, String address, String hostPort) {
        int colon = hostPort.lastIndexOf(':');
        String port = hostPort.substring(colon + 1);
        if (colon < 1 || !port.matches("[0-9]{1,5}") || Integer.parseInt(port) < 1 || Integer.parseInt(port) > 65_535) {
            throw wrong(key, "\"" + address + "\" is not host:port");
        }
    }

    private List<String> texts(JsonNode n, String key) {
        JsonNode list = n.path(key);
        if (!list.isArray() && !isEmpty(list)) {
            throw wrong(key, "\"" + list.asText() + "\" is no list");
        }
        List<String> out = new ArrayList<>();
        list.forEach(e -> {
            if (!e.isValueNode() || e.isNull()) {
                throw wrong(key, "a list of texts is expected");
            }
            out.add(e.asText());
        });
        return out;
    }

    private String text(JsonNode n, String key) {
        JsonNode v = n.path(key);
        if (v.isContainerNode()) {
            throw wrong(key, "a text is expected");
        }
        return v.isNull() ? "" : v.asText("");
    }

    /** As the YAML of Go has it. */
    private boolean flag(JsonNode n, String key) {
        return switch (text(n, key).toLowerCase(Locale.ROOT)) {
            case "true", "yes", "on", "y" -> true;
            case "", "false", "no", "off", "n" -> false;
            default -> throw wrong(key, "\"" + n.path(key).asText() + "\" is neither true nor false");
        };
    }

    private long number(JsonNode n, String key, long otherwise, long min, long max) {
        JsonNode v = n.path(key);
        if (isEmpty(v)) {
            return otherwise;
        }
        if (!v.isIntegralNumber() || !v.canConvertToLong() || v.asLong() < min || v.asLong() > max) {
            throw wrong(key, "\"" + v.asText() + "\" is no number from " + min + " to " + max);
        }
        return v.asLong();
    }

    private long bytes(JsonNode n, String key, long otherwise) {
        String text = text(n, key);
        if (text.isEmpty()) {
            return otherwise;
        }
        try {
            return ByteSize.parse(text);
        } catch (IllegalArgumentException e) {
            throw wrong(key, "\"" + text + "\" is no size");
        }
    }

    /** A duration in Go's notation; a bare number is of nanoseconds there. Below a millisecond, but not zero, is one. */
    private long millis(JsonNode n, String key, long otherwise) {
        String text = text(n, key);
        if (text.isEmpty()) {
            return otherwise;
        }
        try {
            Duration d = n.path(key).isIntegralNumber() ? Duration.ofNanos(Long.parseLong(text)) : Durations.parseGo(text);
            if (!d.isNegative()) {
                return d.isZero() ? 0 : Math.max(1, d.toMillis());
            }
        } catch (IllegalArgumentException | ArithmeticException e) {
            throw wrong(key, "\"" + text + "\" is no duration");
        }
        throw wrong(key, "\"" + text + "\" is negative");
    }

    /** Zero means the default. */
    private int timeout(JsonNode n, String key, long otherwise) {
        long millis = millis(n, key, otherwise);
        return (int) Math.min(Integer.MAX_VALUE, millis == 0 ? otherwise : millis);
    }

    /** Zero makes no sense. */
    private long interval(JsonNode n, String key, long otherwise) {
        long millis = millis(n, key, otherwise);
        if (millis == 0) {
            throw wrong(key, "must be positive");
        }
        return millis;
    }

    /** Zero means the default; less than a second is one, since servers count in seconds. */
    private long seconds(JsonNode n, String key, long otherwise) {
        long millis = millis(n, key, otherwise * 1000);
        return millis == 0 ? otherwise : Math.max(1, millis / 1000);
    }
}

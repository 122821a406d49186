package io.varve.storegateway;

import com.fasterxml.jackson.databind.JsonNode;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.objstore.BucketReader;
import io.varve.runtime.Dns;
import io.varve.runtime.flags.ByteSize;
import io.varve.runtime.flags.Durations;
import io.varve.runtime.flags.FlagException;
import io.varve.runtime.flags.Yaml;
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

    private CacheConfig(String origin, JsonNode root) {
        this.origin = origin;
        this.root = root;
    }

    /** An index cache. */
    static IndexCache indexCache(String yaml, String origin, PrometheusRegistry registry) {
        CacheConfig c = new CacheConfig(origin, Yaml.readTree(yaml, origin));
        c.keys(c.root, "type", "config", "enabled_items", "ttl");
        Set<IndexCache.Item> items = EnumSet.noneOf(IndexCache.Item.class);
        for (JsonNode n : c.root.path("enabled_items")) {
            IndexCache.Item found = null;
            for (IndexCache.Item i : IndexCache.Item.values()) {
                if (i.label().equals(n.asText())) {
                    found = i;
                }
            }
            if (found == null) {
                throw c.wrong("enabled_items", "unsupported item type requested " + n.asText());
            }
            items.add(found);
        }
        if (items.isEmpty()) {
            items = EnumSet.allOf(IndexCache.Item.class);
        }
        IndexCacheMetrics metrics = new IndexCacheMetrics(registry);
        String type = c.root.path("type").asText("").toUpperCase(Locale.ROOT);
        JsonNode config = c.root.path("config");
        if (type.equals("IN-MEMORY")) {
            c.keys(config, "max_size", "max_item_size");
            if (c.root.has("ttl")) {
                throw c.wrong("ttl", "is for MEMCACHED and REDIS; items in memory do not expire");
            }
            long size = c.bytes(config, "max_size", 250L << 20);
            long item = c.bytes(config, "max_item_size", 125L << 20);
            if (item > size) {
                throw c.wrong("max_item_size", "max item size (" + item + ") cannot be bigger than overall cache size (" + size + ")");
            }
            return new MemoryIndexCache(size, item, items, metrics);
        }
        long ttl = c.seconds(c.root, "ttl", 24 * 3600);
        return new RemoteIndexCache(c.remote(type, config, registry, "index"), ttl, items, metrics);
    }

    /** A bucket whose reads are cached. */
    static CachingBucket cachingBucket(String yaml, String origin, BucketReader bucket, PrometheusRegistry registry) {
        CacheConfig c = new CacheConfig(origin, Yaml.readTree(yaml, origin));
        c.keys(c.root, "type", "config", "chunk_subrange_size", "max_chunks_get_range_requests", "chunk_object_attrs_ttl",
                "chunk_subrange_ttl",
                "blocks_iter_ttl", "metafile_exists_ttl", "metafile_doesnt_exist_ttl", "metafile_content_ttl", "metafile_max_size");
        String type = c.root.path("type").asText("").toUpperCase(Locale.ROOT);
        JsonNode config = c.root.path("config");
        RemoteCache cache;
        if (type.equals("IN-MEMORY")) {
            c.keys(config, "max_size", "max_item_size");
            cache = new HeapCache(c.bytes(config, "max_size", 250L << 20), c.bytes(config, "max_item_size", 125L << 20));
        } else if (type.equals("GROUPCACHE")) {
            throw c.wrong("type", "GROUPCACHE is not supported: use MEMCACHED or REDIS, which several gateways can share");
        } else {
            cache = c.remote(type, config, registry, "bucket");
        }
        return new CachingBucket(bucket, cache,
                new CachingBucket.Settings((int) c.number(c.root, "chunk_subrange_size", 16_000, 256, 64 << 20),
                        (int) c.number(c.root, "max_chunks_get_range_requests", 3, 0, 1000),
                        c.seconds(c.root, "chunk_subrange_ttl", 24 * 3600),
                        c.seconds(c.root, "blocks_iter_ttl", 300), c.seconds(c.root, "metafile_content_ttl", 24 * 3600),
                        c.bytes(c.root, "metafile_max_size", 1 << 20), c.seconds(c.root, "chunk_object_attrs_ttl", 24 * 3600),
                        c.seconds(c.root, "metafile_exists_ttl", 2 * 3600), c.seconds(c.root, "metafile_doesnt_exist_ttl", 900)),
                registry);
    }

    private RemoteCache remote(String type, JsonNode n, PrometheusRegistry registry, String name) {
        return switch (type) {
            case "MEMCACHED" -> {
                keys(n, "addresses", "timeout", "max_idle_connections", "max_async_concurrency", "max_async_buffer_size",
                        "max_get_multi_concurrency",
                        "max_item_size", "max_get_multi_batch_size", "dns_provider_update_interval", "auto_discovery",
                        "set_async_circuit_breaker_config");
                if (n.path("auto_discovery").asBoolean(false)) {
                    throw wrong("auto_discovery", "is not supported: name the servers, or a DNS name of theirs, in addresses");
                }
                List<String> addresses = texts(n, "addresses");
                if (addresses.isEmpty()) {
                    throw wrong("addresses", "no memcached addresses provided");
                }
                for (String a : addresses) {
                    String host = a.substring(a.indexOf('+') + 1);
                    if (!a.startsWith("dnssrv") && !host.matches(".+:[0-9]{1,5}")) {
                        throw wrong("addresses", "\"" + a + "\" is not host:port");
                    }
                }
                yield new MemcachedCache(new MemcachedCache.Settings(addresses, (int) (millis(n, "timeout", 500)),
                        (int) number(n, "max_idle_connections", 100, 0, 100_000), (int) number(n, "max_async_concurrency", 20, 1, 10_000),
                        (int) number(n, "max_async_buffer_size", 10_000, 1, 10_000_000),
                        (int) number(n, "max_get_multi_concurrency", 100, 0, 100_000),
                        (int) number(n, "max_get_multi_batch_size", 0, 0, 1_000_000),
                        (int) Math.min(Integer.MAX_VALUE, bytes(n, "max_item_size", 1 << 20)),
                        millis(n, "dns_provider_update_interval", 10_000), breaker(n)), Dns.SYSTEM,
                        new CacheMetrics(registry, "memcached", name));
            }
            case "REDIS" -> {
                keys(n, "addr", "prefix", "username", "password", "db", "dial_timeout", "read_timeout", "write_timeout",
                        "max_get_multi_concurrency",
                        "get_multi_batch_size", "max_set_multi_concurrency", "set_multi_batch_size", "tls_enabled", "tls_config",
                        "cache_size",
                        "master_name", "max_async_buffer_size", "max_async_concurrency", "set_async_circuit_breaker_config");
                if (bytes(n, "cache_size", 0) > 0) {
                    throw wrong("cache_size", "client-side caching is not supported: --store.disk-cache-size keeps a local copy");
                }
                List<String> addresses = List.of(n.path("addr").asText("").split(",", -1)).stream().map(String::trim)
                        .filter(a -> !a.isEmpty()).toList();
                if (addresses.isEmpty()) {
                    throw wrong("addr", "no redis addr provided");
                }
                for (String a : addresses) {
                    if (!a.matches(".+:[0-9]{1,5}")) {
                        throw wrong("addr", "\"" + a + "\" is not host:port");
                    }
                }
                yield new RedisCache(new RedisCache.Settings(addresses, n.path("prefix").asText(""), n.path("username").asText(""),
                        n.path("password").asText(""), (int) number(n, "db", 0, 0, 1_000_000), (int) millis(n, "dial_timeout", 5000),
                        // A socket has one timeout for both.
                        (int) Math.max(millis(n, "read_timeout", 3000), millis(n, "write_timeout", 3000)),
                        (int) number(n, "max_get_multi_concurrency", 100, 1, 100_000),
                        (int) number(n, "get_multi_batch_size", 100, 0, 1_000_000),
                        (int) number(n, "max_set_multi_concurrency", 100, 1, 100_000),
                        (int) number(n, "set_multi_batch_size", 100, 0, 1_000_000),
                        (int) number(n, "max_async_buffer_size", 10_000, 1, 10_000_000),
                        (int) number(n, "max_async_concurrency", 20, 1, 10_000), tls(n), n.path("master_name").asText(""), breaker(n)),
                        new CacheMetrics(registry, "redis", name));
            }
            case "" -> throw wrong("type", "missing, expected IN-MEMORY, MEMCACHED or REDIS");
            default -> throw wrong("type", "\"" + type + "\" is not supported, expected IN-MEMORY, MEMCACHED or REDIS");
        };
    }

    private Optional<RedisCache.Tls> tls(JsonNode n) {
        JsonNode t = n.path("tls_config");
        keys(t, "ca_file", "cert_file", "key_file", "server_name", "insecure_skip_verify");
        if (!n.path("tls_enabled").asBoolean(false)) {
            if (t.size() > 0) {
                throw wrong("tls_config", "is given, but tls_enabled is not set");
            }
            return Optional.empty();
        }
        String cert = t.path("cert_file").asText("");
        String key = t.path("key_file").asText("");
        if (cert.isEmpty() != key.isEmpty()) {
            throw wrong("tls_config", "cert_file and key_file are given together");
        }
        return Optional.of(new RedisCache.Tls(t.path("ca_file").asText(""), cert, key, t.path("server_name").asText(""),
                !t.path("insecure_skip_verify").asBoolean(false)));
    }

    private SetBreaker.Settings breaker(JsonNode n) {
        JsonNode b = n.path("set_async_circuit_breaker_config");
        keys(b, "enabled", "half_open_max_requests", "open_duration", "min_requests", "consecutive_failures", "failure_percent");
        SetBreaker.Settings d = SetBreaker.Settings.OFF;
        double ratio = b.path("failure_percent").asDouble(d.failureRatio());
        if (b.has("failure_percent") && !b.get("failure_percent").isNumber() || ratio <= 0 || ratio > 1) {
            throw wrong("set_async_circuit_breaker_config.failure_percent", "\"" + b.get("failure_percent").asText()
                    + "\" is no share above 0 and up to 1");
        }
        return new SetBreaker.Settings(b.path("enabled").asBoolean(false),
                (int) number(b, "half_open_max_requests", d.halfOpenMaxRequests(), 1, 1_000_000),
                millis(b, "open_duration", d.openMillis()),
                (int) number(b, "min_requests", d.minRequests(), 0, 1_000_000_000),
                (int) number(b, "consecutive_failures", d.consecutiveFailures(), 1, 1_000_000_000), ratio);
    }

    private FlagException wrong(String key, String text) {
        return new FlagException("parsing " + origin + ": " + key + ": " + text);
    }

    private void keys(JsonNode n, String... allowed) {
        Set<String> set = Set.of(allowed);
        n.fieldNames().forEachRemaining(k -> {
            if (!set.contains(k)) {
                throw wrong(k, "field not known");
            }
        });
    }

    private static List<String> texts(JsonNode n, String key) {
        List<String> out = new ArrayList<>();
        n.path(key).forEach(e -> out.add(e.asText()));
        return out;
    }

    private long number(JsonNode n, String key, long otherwise, long min, long max) {
        JsonNode v = n.path(key);
        if (v.isMissingNode() || v.isNull()) {
            return otherwise;
        }
        if (!v.isIntegralNumber() || v.asLong() < min || v.asLong() > max) {
            throw wrong(key, "\"" + v.asText() + "\" is no number from " + min + " to " + max);
        }
        return v.asLong();
    }

    private long bytes(JsonNode n, String key, long otherwise) {
        JsonNode v = n.path(key);
        if (v.isMissingNode() || v.isNull()) {
            return otherwise;
        }
        try {
            return v.isIntegralNumber() ? v.asLong() : ByteSize.parse(v.asText());
        } catch (IllegalArgumentException e) {
            throw wrong(key, "\"" + v.asText() + "\" is no size");
        }
    }

    private long millis(JsonNode n, String key, long otherwise) {
        JsonNode v = n.path(key);
        if (v.isMissingNode() || v.isNull()) {
            return otherwise;
        }
        try {
            // Go takes a bare number for nanoseconds.
            return v.isIntegralNumber() ? v.asLong() / 1_000_000 : Math.max(1, Durations.parseGo(v.asText()).toMillis());
        } catch (IllegalArgumentException e) {
            throw wrong(key, "\"" + v.asText() + "\" is no duration");
        }
    }

    private long seconds(JsonNode n, String key, long otherwise) {
        return Math.max(1, millis(n, key, otherwise * 1000) / 1000);
    }
}

package io.varve.storegateway;

import com.fasterxml.jackson.databind.JsonNode;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.objstore.BucketReader;
import io.varve.runtime.flags.ByteSize;
import io.varve.runtime.flags.Durations;
import io.varve.runtime.flags.FlagException;
import io.varve.runtime.flags.Yaml;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The YAML of {@code --index-cache.config} and {@code --store.caching-bucket.config}, as Thanos has it. Unknown keys are errors. */
final class CacheConfig {
    private static final Logger LOG = LoggerFactory.getLogger(CacheConfig.class);
    private static final Set<String> BREAKER = Set.of("enabled", "half_open_max_requests", "open_duration", "min_requests",
            "consecutive_failures",
            "failure_percent");

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
        for (String unused : new String[]{"chunk_object_attrs_ttl", "metafile_exists_ttl", "metafile_doesnt_exist_ttl"}) {
            if (c.root.has(unused)) {
                c.seconds(c.root, unused, 0);
                LOG.atInfo().addKeyValue("key", unused).log("has nothing to act on: sizes and existence come from the listing");
            }
        }
        return new CachingBucket(bucket, cache,
                new CachingBucket.Settings((int) c.number(c.root, "chunk_subrange_size", 16_000, 256, 64 << 20),
                        (int) c.number(c.root, "max_chunks_get_range_requests", 3, 0, 1000),
                        c.seconds(c.root, "chunk_subrange_ttl", 24 * 3600),
                        c.seconds(c.root, "blocks_iter_ttl", 300), c.seconds(c.root, "metafile_content_ttl", 24 * 3600),
                        c.bytes(c.root, "metafile_max_size", 1 << 20)),
                registry);
    }

    private RemoteCache remote(String type, JsonNode n, PrometheusRegistry registry, String name) {
        return switch (type) {
            case "MEMCACHED" -> {
                keys(n, "addresses", "timeout", "max_idle_connections", "max_async_concurrency", "max_async_buffer_size",
                        "max_get_multi_concurrency",
                        "max_item_size", "max_get_multi_batch_size", "dns_provider_update_interval", "auto_discovery",
                        "set_async_circuit_breaker_config");
                breaker(n);
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
                        millis(n, "dns_provider_update_interval", 10_000)),
                        new CacheMetrics(registry, "memcached", name));
            }
            case "REDIS" -> {
                keys(n, "addr", "prefix", "username", "password", "db", "dial_timeout", "read_timeout", "write_timeout",
                        "max_get_multi_concurrency",
                        "get_multi_batch_size", "max_set_multi_concurrency", "set_multi_batch_size", "tls_enabled", "tls_config",
                        "cache_size",
                        "master_name", "max_async_buffer_size", "max_async_concurrency", "set_async_circuit_breaker_config");
                breaker(n);
                if (bytes(n, "cache_size", 0) > 0) {
                    throw wrong("cache_size", "client-side caching is not supported: --store.disk-cache-size keeps a local copy");
                }
                if (n.path("tls_config").size() > 0) {
                    throw wrong("tls_config", "is not supported: with tls_enabled the Java runtime's trust store decides");
                }
                for (String unused : new String[]{"max_set_multi_concurrency", "set_multi_batch_size"}) {
                    if (n.has(unused)) {
                        LOG.atInfo().addKeyValue("key", unused).log("has nothing to act on: values are stored one by one");
                    }
                }
                List<String> addresses = List.of(n.path("addr").asText("").split(",", -1)).stream().map(String::trim)
                        .filter(a -> !a.isEmpty()).toList();
                if (addresses.isEmpty()) {
                    throw wrong("addr", "no redis addr provided");
                }
                yield new RedisCache(new RedisCache.Settings(addresses, n.path("prefix").asText(""), n.path("username").asText(""),
                        n.path("password").asText(""), (int) number(n, "db", 0, 0, 1_000_000), (int) millis(n, "dial_timeout", 5000),
                        (int) Math.max(millis(n, "read_timeout", 3000), millis(n, "write_timeout", 3000)),
                        (int) number(n, "max_get_multi_concurrency", 100, 1, 100_000),
                        (int) number(n, "get_multi_batch_size", 100, 0, 1_000_000),
                        (int) number(n, "max_async_buffer_size", 10_000, 1, 10_000_000),
                        (int) number(n, "max_async_concurrency", 20, 1, 10_000),
                        n.path("tls_enabled").asBoolean(false), n.path("master_name").asText("")),
                        new CacheMetrics(registry, "redis", name));
            }
            case "" -> throw wrong("type", "missing, expected IN-MEMORY, MEMCACHED or REDIS");
            default -> throw wrong("type", "\"" + type + "\" is not supported, expected IN-MEMORY, MEMCACHED or REDIS");
        };
    }

    private void breaker(JsonNode n) {
        JsonNode b = n.path("set_async_circuit_breaker_config");
        b.fieldNames().forEachRemaining(k -> {
            if (!BREAKER.contains(k)) {
                throw wrong("set_async_circuit_breaker_config." + k, "field not known");
            }
        });
        if (!b.isMissingNode()) {
            LOG.atInfo().log(
                    "a server that fails is always left alone for a while (1 s, up to 30 s), whatever set_async_circuit_breaker_config says");
        }
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

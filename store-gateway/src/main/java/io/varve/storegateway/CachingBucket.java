package io.varve.storegateway;

import io.prometheus.metrics.core.datapoints.CounterDataPoint;
import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.model.UnavailableException;
import io.varve.model.XxHash64;
import io.varve.objstore.BucketReader;
import io.varve.objstore.NoSuchObjectException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.SequenceInputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A bucket with a shared cache before it: aligned pieces of chunk files, small metadata files, the listing. For several gateways over one
 * bucket; one gateway alone has its page cache. Safe for many threads.
 */
final class CachingBucket implements BucketReader {
    private static final Logger LOG = LoggerFactory.getLogger(CachingBucket.class);
    /** Metadata files above this are never kept, whatever is configured. */
    static final int MAX_META_BYTES = 128 << 20;

    /**
     * Settings, named as in the YAML.
     *
     * @param subrangeBytes size of the pieces of chunk files
     * @param maxRequests requests for missing pieces of one read at most, 0 = no bound
     * @param subrangeTtl seconds that pieces are kept
     * @param iterTtl seconds that the listing is kept
     * @param contentTtl seconds that metadata files are kept
     * @param contentMax greater metadata files are not kept
     * @param attributesTtl seconds that the size of a chunk file is kept
     * @param existsTtl seconds that a metadata file's size, so that it is there, is kept
     * @param missingTtl seconds that a metadata file is taken not to be there
     */
    record Settings(int subrangeBytes, int maxRequests, long subrangeTtl, long iterTtl, long contentTtl, int contentMax,
            long attributesTtl, long existsTtl, long missingTtl) {
    }

    /** What is read, as Thanos' metrics name it. */
    private static final String CHUNKS = "chunks";
    private static final String METAS = "meta.jsons";
    private static final String LISTING = "blocks-iter";

    private final BucketReader bucket;
    private final RemoteCache cache;
    private final Settings settings;
    private final String listingKey;
    private final Counter requests;
    private final Counter hits;
    private final Counter askedBytes;
    private final Counter gotBytes;
    private final Counter gotAgainBytes;
    private final CounterDataPoint asked;
    private final CounterDataPoint found;

    /**
     * @param store what tells this object store from others that share the cache; objects of blocks are told apart by their ids
     * @param kind the cache's as metrics have it: {@code inmemory}, {@code memcached} or {@code redis}
     */
    CachingBucket(BucketReader bucket, RemoteCache cache, Settings settings, String store, String kind, PrometheusRegistry registry) {
        this.listingKey = "varve:iter-recursive:" + HexFormat.of().toHexDigits(XxHash64.hash(store.getBytes(StandardCharsets.UTF_8)));
        this.bucket = bucket;
        this.cache = cache;
        this.settings = settings;
        this.requests = Counter.builder().name("thanos_store_bucket_cache_operation_requests_total")
                .help("Number of requested operations matching given config.").labelNames("operation", "config").register(registry);
        this.hits = Counter.builder().name("thanos_store_bucket_cache_operation_hits_total")
                .help("Number of operations served from cache for given config.").labelNames("operation", "config").register(registry);
        this.askedBytes = Counter.builder().name("thanos_store_bucket_cache_getrange_requested_bytes_total")
                .help("Total number of bytes requested via GetRange.").labelNames("config").register(registry);
        this.gotBytes = Counter.builder().name("thanos_store_bucket_cache_getrange_fetched_bytes_total")
                .help("Total number of bytes fetched because of GetRange operation. Data from bucket is then stored to cache.")
                .labelNames("origin", "config").register(registry);
        this.gotAgainBytes = Counter.builder().name("thanos_store_bucket_cache_getrange_refetched_bytes_total")
                .help("Total number of bytes re-fetched from storage because of GetRange operation, despite being in cache already.")
                .labelNames("origin", "config").register(registry);
        this.asked = Counter.builder().name("thanos_cache_" + kind + "_requests_total")
                .help("Total number of items requests to the " + kind + " cache.").labelNames("name").register(registry)
                .labelValues("caching-bucket");
        this.found = Counter.builder().name("thanos_cache_" + kind + "_hits_total")
                .help("Total number of items requests to the " + kind + " cache that were a hit.").labelNames("name")
                .register(registry).labelValues("caching-bucket");
        initLabels();
    }

    /** Rates of what did not happen yet are zero, not nothing. */
    private void initLabels() {
        for (Counter c : List.of(requests, hits)) {
            c.initLabelValues("get_range", CHUNKS);
            c.initLabelValues("attributes", CHUNKS);
            c.initLabelValues("get", METAS);
            c.initLabelValues("exists", METAS);
            c.initLabelValues("iter", LISTING);
        }
        askedBytes.initLabelValues(CHUNKS);
        gotBytes.initLabelValues("bucket", CHUNKS);
        gotBytes.initLabelValues("cache", CHUNKS);
        gotAgainBytes.initLabelValues("cache", CHUNKS);
    }

    private Map<String, byte[]> lookUp(List<String> keys) {
        asked.inc(keys.size());
        Map<String, byte[]> known = cache.getAll(keys);
        found.inc(known.size());
        return known;
    }

    @Override
    public InputStream open(String key) throws NoSuchObjectException {
        if (!isMetadata(key)) {
            return bucket.open(key);
        }
        String cacheKey = "varve:content:" + key;
        requests.labelValues("get", METAS).inc();
        byte[] known = lookUp(List.of(cacheKey)).get(cacheKey);
        if (known != null) {
            hits.labelValues("get", METAS).inc();
            return new ByteArrayInputStream(known);
        }
        InputStream in = bucket.open(key);
        boolean handedOver = false;
        try {
            byte[] bytes = in.readNBytes(settings.contentMax + 1);
            if (bytes.length > settings.contentMax) {
                handedOver = true;
                return new SequenceInputStream(new ByteArrayInputStream(bytes), in);
            }
            cache.set(cacheKey, bytes, settings.contentTtl);
            return new ByteArrayInputStream(bytes);
        } catch (IOException e) {
            throw new UnavailableException("get " + key + ": " + e, e);
        } finally {
            if (!handedOver) {
                closeQuietly(in);
            }
        }
    }

    private static void closeQuietly(InputStream in) {
        try {
            in.close();
        } catch (IOException e) {
            LOG.atDebug().addKeyValue("err", e.toString()).log("object cannot be closed");
        }
    }

    @Override
    public byte[] readRange(String key, long offset, int length) throws NoSuchObjectException {
        if (!key.contains("/chunks/") || length <= 0) {
            return bucket.readRange(key, offset, length);
        }
        int piece = settings.subrangeBytes;
        long first = offset / piece;
        long last = (offset + length - 1) / piece;
        List<String> keys = new ArrayList<>();
        for (long i = first; i <= last; i++) {
            keys.add(cacheKey(key, i));
        }
        requests.labelValues("get_range", CHUNKS).inc();
        askedBytes.labelValues(CHUNKS).inc(length);
        Map<String, byte[]> known = new HashMap<>(lookUp(keys));
        // What is not a whole piece was not stored from here.
        known.values().removeIf(v -> v.length != piece);
        // The share of a read that the cache had, as Thanos counts.
        hits.labelValues("get_range", CHUNKS).inc((double) known.size() / keys.size());
        gotBytes.labelValues("cache", CHUNKS).inc((double) known.size() * piece);
        Ranges missing = new Ranges();
        for (long i = first; i <= last; i++) {
            if (!known.containsKey(cacheKey(key, i))) {
                missing.add(i * piece, (i + 1) * piece);
            }
        }
        long gap = piece;
        Ranges plan = missing.joined(0);
        while (settings.maxRequests > 0 && plan.size() > settings.maxRequests) {
            plan = plan.joined(gap);
            gap *= 2;
        }
        plan = plan.cut(ObjectReader.MAX_PART / piece * piece);
        for (int r = 0; r < plan.size(); r++) {
            byte[] bytes = bucket.readRange(key, plan.start(r), plan.length(r));
            gotBytes.labelValues("bucket", CHUNKS).inc(bytes.length);
            for (int at = 0; at < plan.length(r); at += piece) {
                int n = Math.clamp(bytes.length - at, 0, piece);
                byte[] part = n == 0 ? new byte[0] : Arrays.copyOfRange(bytes, at, at + n);
                String k = cacheKey(key, (plan.start(r) + at) / piece);
                if (known.put(k, part) != null) {
                    // Lies between pieces that were missing.
                    gotAgainBytes.labelValues("cache", CHUNKS).inc(n);
                }
                // A short piece is the end of the object, or a read that was cut off: not worth the doubt.
                if (n == piece) {
                    cache.set(k, part, settings.subrangeTtl);
                }
            }
        }
        byte[] out = new byte[length];
        int done = 0;
        for (long i = first; i <= last; i++) {
            byte[] part = known.get(cacheKey(key, i));
            int from = (int) Math.max(0, offset - i * piece);
            int n = part == null ? 0 : Math.clamp((long) part.length - from, 0, length - done);
            if (part != null && n > 0) {
                System.arraycopy(part, from, out, done, n);
                done += n;
            }
            if (part == null || part.length < piece) {
                break;
            }
        }
        return done == length ? out : Arrays.copyOf(out, done);
    }

    private String cacheKey(String key, long piece) {
        return "varve:subrange:" + key + ':' + piece * settings.subrangeBytes + ':' + (piece + 1) * settings.subrangeBytes;
    }

    @Override
    public Optional<ObjectAttributes> find(String key) {
        boolean chunks = key.contains("/chunks/");
        if (!chunks && !isMetadata(key)) {
            return bucket.find(key);
        }
        String operation = chunks ? "attributes" : "exists";
        String config = chunks ? CHUNKS : METAS;
        String cacheKey = "varve:attrs:" + key;
        requests.labelValues(operation, config).inc();
        byte[] known = lookUp(List.of(cacheKey)).get(cacheKey);
        if (known != null && (known.length == 0 || known.length == 16)) {
            hits.labelValues(operation, config).inc();
            if (known.length == 0) {
                return Optional.empty();
            }
            ByteBuffer b = ByteBuffer.wrap(known);
            return Optional.of(new ObjectAttributes(key, b.getLong(), b.getLong()));
        }
        Optional<ObjectAttributes> found = bucket.find(key);
        if (found.isPresent()) {
            ObjectAttributes a = found.get();
            cache.set(cacheKey, ByteBuffer.allocate(16).putLong(a.size()).putLong(a.lastModifiedMillis()).array(),
                    chunks ? settings.attributesTtl : settings.existsTtl);
        } else if (!chunks) {
            cache.set(cacheKey, new byte[0], settings.missingTtl);
        }
        return found;
    }

    private static boolean isMetadata(String key) {
        return key.endsWith("/meta.json") || key.endsWith("/deletion-mark.json");
    }

    @Override
    public void list(String prefix, Consumer<String> keys) {
        bucket.list(prefix, keys);
    }

    @Override
    public void listRecursive(String prefix, List<String> cuts, Consumer<ObjectAttributes> objects) {
        if (!prefix.isEmpty()) {
            bucket.listRecursive(prefix, cuts, objects);
            return;
        }
        requests.labelValues("iter", LISTING).inc();
        byte[] known = lookUp(List.of(listingKey)).get(listingKey);
        List<ObjectAttributes> all = known == null ? null : parse(new String(known, StandardCharsets.UTF_8));
        if (all != null) {
            hits.labelValues("iter", LISTING).inc();
            all.forEach(objects);
            return;
        }
        StringBuilder text = new StringBuilder();
        bucket.listRecursive(prefix, cuts, o -> {
            text.append(o.size()).append(' ').append(o.lastModifiedMillis()).append(' ').append(o.key()).append('\n');
            objects.accept(o);
        });
        cache.set(listingKey, text.append("end\n").toString().getBytes(StandardCharsets.UTF_8), settings.iterTtl);
    }

    /** Null where the text is not what was stored. */
    private static @Nullable List<ObjectAttributes> parse(String text) {
        List<ObjectAttributes> out = new ArrayList<>();
        if (!text.endsWith("end\n")) {
            return null;
        }
        for (String line : text.substring(0, text.length() - 4).split("\n", -1)) {
            if (line.isEmpty()) {
                continue;
            }
            String[] parts = line.split(" ", 3);
            try {
                out.add(new ObjectAttributes(parts[2], Long.parseLong(parts[0]), Long.parseLong(parts[1])));
            } catch (NumberFormatException | ArrayIndexOutOfBoundsException e) {
                return null;
            }
        }
        return out;
    }

    @Override
    public String name() {
        return bucket.name();
    }

    @Override
    public void close() {
        cache.close();
    }
}

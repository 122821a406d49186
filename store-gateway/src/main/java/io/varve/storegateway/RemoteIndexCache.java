package io.varve.storegateway;

import io.varve.model.QueryContext;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * An index cache in Memcached or Redis. The kinds of items are Thanos'; keys begin with {@code varve:}, since values are encoded otherwise, so
 * that both can use one server side by side. Postings and entries are kept as they are stored, with their checksums; ids as differences.
 */
final class RemoteIndexCache implements IndexCache {
    private final RemoteCache cache;
    private final long ttlSeconds;
    private final Set<Item> enabled;
    private final IndexCacheMetrics metrics;

    RemoteIndexCache(RemoteCache cache, long ttlSeconds, Set<Item> enabled, IndexCacheMetrics metrics) {
        this.cache = cache;
        this.ttlSeconds = ttlSeconds;
        this.enabled = Set.copyOf(enabled);
        this.metrics = metrics;
    }

    private static String key(String kind, String block, String what) {
        return "varve:" + kind + ':' + block + ':' + what;
    }

    private void put(Item item, String key, byte[] value) {
        if (enabled.contains(item)) {
            metrics.added.labelValues(item.label()).inc();
            metrics.storedBytes.labelValues(item.label(), QueryContext.DEFAULT_TENANT).observe(value.length);
            cache.set(key, value, ttlSeconds);
        }
    }

    private Map<Long, byte[]> all(Item item, String kind, String block, long[] places, String tenant) {
        if (!enabled.contains(item)) {
            return Map.of();
        }
        List<String> keys = new ArrayList<>(places.length);
        for (long p : places) {
            keys.add(key(kind, block, Long.toString(p)));
        }
        metrics.requests.labelValues(item.label(), tenant).inc(places.length);
        long start = System.nanoTime();
        Map<String, byte[]> found = cache.getAll(keys);
        metrics.fetchSeconds.labelValues(item.label(), tenant).observe((System.nanoTime() - start) / 1e9);
        metrics.hits.labelValues(item.label(), tenant).inc(found.size());
        Map<Long, byte[]> out = new HashMap<>();
        for (int i = 0; i < places.length; i++) {
            byte[] v = found.get(keys.get(i));
            if (v != null) {
                out.put(places[i], v);
            }
        }
        return out;
    }

    @Override
    public boolean holds(Item item) {
        return enabled.contains(item);
    }

    @Override
    public Map<Long, byte[]> postings(String block, long[] starts, String tenant) {
        return all(Item.POSTINGS, "P", block, starts, tenant);
    }

    @Override
    public void putPostings(String block, long start, byte[] list) {
        put(Item.POSTINGS, key("P", block, Long.toString(start)), list);
    }

    @Override
    public Map<Long, byte[]> series(String block, long[] offsets, String tenant) {
        return all(Item.SERIES, "S", block, offsets, tenant);
    }

    @Override
    public void putSeries(String block, long offset, byte[] entry) {
        put(Item.SERIES, key("S", block, Long.toString(offset)), entry);
    }

    private static String digest(String matchers) {
        try {
            byte[] sum = MessageDigest.getInstance("SHA-256").digest(matchers.getBytes(StandardCharsets.UTF_8));
            return Base64.getUrlEncoder().withoutPadding().encodeToString(sum);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java runtime has SHA-256", e);
        }
    }

    @Override
    public long @Nullable [] expandedPostings(String block, String matchers, String tenant) {
        if (!enabled.contains(Item.EXPANDED_POSTINGS)) {
            return null;
        }
        String key = key("EP", block, digest(matchers));
        metrics.requests.labelValues(Item.EXPANDED_POSTINGS.label(), tenant).inc();
        byte[] v = cache.getAll(List.of(key)).get(key);
        long[] ids = v == null ? null : decode(v);
        if (ids != null) {
            metrics.hits.labelValues(Item.EXPANDED_POSTINGS.label(), tenant).inc();
        }
        return ids;
    }

    @Override
    public void putExpandedPostings(String block, String matchers, long[] ids) {
        put(Item.EXPANDED_POSTINGS, key("EP", block, digest(matchers)), encode(ids));
    }

    /** xxHash64 of the rest, then uvarint count and differences. */
    static byte[] encode(long[] ids) {
        ByteArrayOutputStream out = new ByteArrayOutputStream(16 + ids.length * 2);
        uvarint(out, ids.length);
        long last = 0;
        for (long id : ids) {
            uvarint(out, id - last);
            last = id;
        }
        byte[] body = out.toByteArray();
        byte[] all = new byte[body.length + 8];
        System.arraycopy(body, 0, all, 8, body.length);
        java.nio.ByteBuffer.wrap(all).putLong(io.varve.model.XxHash64.hash(body));
        return all;
    }

    /** Null where the bytes are not what {@link #encode} wrote: a cache may hold anything. */
    static long @Nullable [] decode(byte[] bytes) {
        if (bytes.length < 9 || java.nio.ByteBuffer.wrap(bytes).getLong() != io.varve.model.XxHash64.hash(bytes, 8, bytes.length - 8)) {
            return null;
        }
        int[] at = {8};
        long n = uvarint(bytes, at);
        if (n < 0 || n > bytes.length) {
            return null;
        }
        long[] ids = new long[(int) n];
        long last = 0;
        for (int i = 0; i < ids.length; i++) {
            long d = uvarint(bytes, at);
            if (d < 0) {
                return null;
            }
            last += d;
            ids[i] = last;
        }
        return at[0] == bytes.length ? ids : null;
    }

    private static void uvarint(ByteArrayOutputStream out, long value) {
        long v = value;
        while (v >= 0x80) {
            out.write((int) v & 0x7F | 0x80);
            v >>>= 7;
        }
        out.write((int) v);
    }

    private static long uvarint(byte[] bytes, int[] at) {
        long v = 0;
        for (int shift = 0; shift < 63; shift += 7) {
            if (at[0] >= bytes.length) {
                return -1;
            }
            byte b = bytes[at[0]++];
            v |= (long) (b & 0x7F) << shift;
            if (b >= 0) {
                return v;
            }
        }
        return -1;
    }

    @Override
    public void close() {
        cache.close();
    }
}

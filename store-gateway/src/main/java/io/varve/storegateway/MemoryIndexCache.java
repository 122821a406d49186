package io.varve.storegateway;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import com.github.benmanes.caffeine.cache.RemovalCause;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** An index cache on the heap, bounded by bytes. */
final class MemoryIndexCache implements IndexCache {
    /** Key, entry of the cache, array header. */
    private static final int OVERHEAD = 160;

    private record Key(Item item, String block, long place, String matchers) {
    }

    private final Cache<Key, Object> cache;
    private final Set<Item> enabled;
    private final long maxItemBytes;
    private final IndexCacheMetrics metrics;

    /**
     * @param maxBytes bytes of all items
     * @param maxItemBytes bytes of one item; greater ones are not kept
     * @param enabled what is kept
     */
    MemoryIndexCache(long maxBytes, long maxItemBytes, Set<Item> enabled, IndexCacheMetrics metrics) {
        this.enabled = Set.copyOf(enabled);
        this.maxItemBytes = Math.min(maxItemBytes, maxBytes);
        this.metrics = metrics;
        metrics.maxBytes.set(maxBytes);
        metrics.maxItemBytes.set(this.maxItemBytes);
        this.cache = Caffeine.newBuilder().maximumWeight(Math.max(0, maxBytes)).weigher((Key k, Object v) -> weight(k, v))
                .executor(Runnable::run).removalListener((@Nullable Key k, @Nullable Object v, RemovalCause cause) -> {
                    if (k != null && v != null) {
                        if (cause.wasEvicted()) {
                            metrics.evicted.labelValues(k.item.label()).inc();
                        }
                        sum(k, v, -1);
                    }
                }).build();
    }

    private static int size(Object value) {
        return switch (value) {
            case byte[] b -> b.length;
            case long[] l -> (int) Math.min(Integer.MAX_VALUE, l.length * 8L);
            default -> 0;
        };
    }

    private static int weight(Key k, Object v) {
        return (int) Math.min(Integer.MAX_VALUE, (long) size(v) + OVERHEAD + 2L * k.matchers.length());
    }

    private void sum(Key k, Object v, int sign) {
        metrics.items.labelValues(k.item.label()).inc(sign);
        metrics.itemBytes.labelValues(k.item.label()).inc(sign * (double) size(v));
        metrics.totalBytes.labelValues(k.item.label()).inc(sign * (double) weight(k, v));
    }

    private void put(Key k, Object v) {
        if (!enabled.contains(k.item)) {
            return;
        }
        if (weight(k, v) > maxItemBytes) {
            metrics.overflowed.labelValues(k.item.label()).inc();
            return;
        }
        metrics.added.labelValues(k.item.label()).inc();
        metrics.storedBytes.labelValues(k.item.label(), io.varve.model.QueryContext.DEFAULT_TENANT).observe(size(v));
        sum(k, v, 1);
        cache.put(k, v);
    }

    private @Nullable Object get(Key k, String tenant) {
        if (!enabled.contains(k.item)) {
            return null;
        }
        metrics.requests.labelValues(k.item.label(), tenant).inc();
        Object v = cache.getIfPresent(k);
        if (v != null) {
            metrics.hits.labelValues(k.item.label(), tenant).inc();
        }
        return v;
    }

    private Map<Long, byte[]> all(Item item, String block, long[] places, String tenant) {
        Map<Long, byte[]> out = new HashMap<>();
        for (long p : places) {
            if (get(new Key(item, block, p, ""), tenant) instanceof byte[] b) {
                out.put(p, b);
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
        return all(Item.POSTINGS, block, starts, tenant);
    }

    @Override
    public void putPostings(String block, long start, byte[] list) {
        put(new Key(Item.POSTINGS, block, start, ""), list);
    }

    @Override
    public Map<Long, byte[]> series(String block, long[] offsets, String tenant) {
        return all(Item.SERIES, block, offsets, tenant);
    }

    @Override
    public void putSeries(String block, long offset, byte[] entry) {
        put(new Key(Item.SERIES, block, offset, ""), entry);
    }

    @Override
    public long @Nullable [] expandedPostings(String block, String matchers, String tenant) {
        return get(new Key(Item.EXPANDED_POSTINGS, block, 0, matchers), tenant) instanceof long[] ids ? ids : null;
    }

    @Override
    public void putExpandedPostings(String block, String matchers, long[] ids) {
        put(new Key(Item.EXPANDED_POSTINGS, block, 0, matchers), ids);
    }

    @Override
    public void close() {
        cache.invalidateAll();
    }
}

package io.varve.storegateway;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import com.github.benmanes.caffeine.cache.Expiry;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** A cache in this process, bounded by bytes, each item with its own time to live. */
final class HeapCache implements RemoteCache {
    private static final int OVERHEAD = 160;

    private record Item(byte[] value, long ttlSeconds) {
    }

    private final Cache<String, Item> cache;
    private final long maxItemBytes;

    HeapCache(long maxBytes, long maxItemBytes) {
        this.maxItemBytes = Math.min(maxItemBytes, maxBytes);
        this.cache = Caffeine.newBuilder().maximumWeight(maxBytes)
                .weigher((String k, Item v) -> (int) Math.min(Integer.MAX_VALUE, (long) v.value.length + 2L * k.length() + OVERHEAD))
                .executor(Runnable::run).expireAfter(Expiry.creating((String k, Item v) -> java.time.Duration.ofNanos(
                        TimeUnit.SECONDS.toNanos(v.ttlSeconds))))
                .build();
    }

    @Override
    public Map<String, byte[]> getAll(Collection<String> keys) {
        Map<String, byte[]> out = new HashMap<>();
        for (String k : keys) {
            Item v = cache.getIfPresent(k);
            if (v != null) {
                out.put(k, v.value);
            }
        }
        return out;
    }

    @Override
    public void set(String key, byte[] value, long ttlSeconds) {
        if (value.length <= maxItemBytes) {
            cache.put(key, new Item(value, ttlSeconds));
        }
    }

    @Override
    public void close() {
        cache.invalidateAll();
    }
}

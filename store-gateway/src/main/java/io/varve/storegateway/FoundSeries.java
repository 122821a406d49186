package io.varve.storegateway;

import com.github.benmanes.caffeine.cache.Caffeine;
import io.varve.model.Matcher;
import io.varve.store.EncodedLabels;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The series that matchers select in a block, decoded: labels as they are answered, and where all their chunks lie. Immutable, shared by requests.
 */
final class FoundSeries {
    /** Object, array of places, references to both. */
    private static final int SERIES_BYTES = 80;
    private static final int OVERHEAD = 300;

    private final GatewayBlock block;
    private final EncodedLabels[] labels;
    private final long[][] places;
    private final boolean sorted;
    private final int selected;
    private final long entryBytes;
    private final long readBytes;
    private final long heap;

    private FoundSeries(Builder b) {
        this.block = b.block;
        this.labels = b.labels.toArray(EncodedLabels[]::new);
        this.places = b.places.toArray(long[][]::new);
        this.sorted = b.sorted;
        this.selected = b.selected;
        this.entryBytes = b.entryBytes;
        this.readBytes = b.readBytes;
        this.heap = b.heap;
    }

    int size() {
        return labels.length;
    }

    EncodedLabels labels(int i) {
        return labels[i];
    }

    /** Four numbers per chunk, in the order of the index: first and last time, reference, where it ends at the latest. Not to be changed. */
    long[] places(int i) {
        return places[i];
    }

    /** Whether the series are in the order of the answer. */
    boolean isSorted() {
        return sorted;
    }

    /** How many series postings selected, before matchers that are looked at on the series. */
    int selected() {
        return selected;
    }

    /** Length of the series' entries in the index. */
    long entryBytes() {
        return entryBytes;
    }

    /** What reading them counts against the limit of bytes. */
    long readBytes() {
        return readBytes;
    }

    /** What a request looks for. */
    record Key(String block, List<Matcher> matchers, List<String> dropped) {
    }

    /** Series of one block, one after the other. One thread. */
    static final class Builder {
        private final GatewayBlock block;
        private final int selected;
        private final long room;
        private final List<EncodedLabels> labels = new ArrayList<>();
        private final List<long[]> places = new ArrayList<>();
        private boolean sorted = true;
        private long entryBytes;
        private long readBytes;
        private long heap = OVERHEAD;

        private Builder(GatewayBlock block, int selected, long room) {
            this.block = block;
            this.selected = selected;
            this.room = room;
        }

        /** Takes a series; false where it is too much to be kept. */
        boolean add(EncodedLabels of, long[] at) {
            heap += SERIES_BYTES + of.length() + at.length * (long) Long.BYTES;
            labels.add(of);
            places.add(at);
            return heap <= room;
        }

        /** @param readBytes what reading the entries counted against the limit of bytes */
        FoundSeries build(boolean isSorted, long entryBytes, long readBytes) {
            this.sorted = isSorted;
            this.entryBytes = entryBytes;
            this.readBytes = readBytes;
            return new FoundSeries(this);
        }
    }

    /** Keeps what is looked for again, bounded by bytes. Safe for many threads. */
    static final class Cache {
        /** One of so many parts is what the series of one block may take. */
        private static final int PARTS = 8;
        /** What a series takes at least in practice. */
        private static final int LEAST_BYTES = 300;
        private static final int ASKED = 1 << 12;

        private final com.github.benmanes.caffeine.cache.Cache<Key, FoundSeries> cache;
        private final long maxBytes;
        private final StoreMetrics metrics;
        /** Hashes of what was looked for; races lose one at most. */
        private final int[] asked = new int[ASKED];

        /** @param maxBytes of heap, 0 to keep nothing */
        Cache(long maxBytes, StoreMetrics metrics) {
            this.maxBytes = maxBytes;
            this.metrics = metrics;
            this.cache = Caffeine.newBuilder().maximumWeight(maxBytes).weigher((Key k, FoundSeries f) -> (int) f.heap)
                    .executor(Runnable::run).build();
        }

        /** What was found in this very block, null where it is not known. */
        @Nullable
        FoundSeries get(Key key, GatewayBlock block) {
            if (maxBytes == 0) {
                return null;
            }
            metrics.foundRequests.inc();
            FoundSeries f = cache.getIfPresent(key);
            if (f == null || f.block != block) {
                return null;
            }
            metrics.foundHits.inc();
            return f;
        }

        /**
         * Takes what is found now, null where it is not worth it: what is looked for once would take the place of what is looked for often, and of
         * what a long question finds in hundreds of blocks most would be gone before it comes again.
         *
         * @param selected how many series at most
         * @param blocks how many blocks the request asks; half of the cache is for all of them
         */
        @Nullable
        Builder builder(Key key, GatewayBlock block, int selected, int blocks) {
            long room = Math.min(maxBytes / PARTS, maxBytes / 2 / Math.max(1, blocks));
            if (selected * (long) LEAST_BYTES > room) {
                return null;
            }
            int hash = key.hashCode();
            int slot = (hash ^ hash >>> 16) & ASKED - 1;
            if (asked[slot] != hash) {
                asked[slot] = hash;
                return null;
            }
            return new Builder(block, selected, room);
        }

        void put(Key key, FoundSeries found) {
            cache.put(key, found);
        }
    }
}

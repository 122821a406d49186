package io.varve.storegateway;

import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Keeps parts of indexes between requests. What is not there is simply not found; nothing a cache does may fail or hold up a request. Values
 * are shared and must not be changed. Safe for many threads.
 */
interface IndexCache extends AutoCloseable {
    /** What is kept, as Thanos' {@code enabled_items} names it. */
    enum Item {
        /** Postings lists as they are stored, with length and checksum. */
        POSTINGS("Postings"),
        /** Series entries as they are stored. */
        SERIES("Series"),
        /** Series ids that a set of matchers selects. */
        EXPANDED_POSTINGS("ExpandedPostings");

        private final String label;

        Item(String label) {
            this.label = label;
        }

        /** As in the configuration and in metrics. */
        String label() {
            return label;
        }
    }

    /** Keeps nothing. */
    IndexCache NONE = new IndexCache() {
        @Override
        public boolean holds(Item item) {
            return false;
        }

        @Override
        public Map<Long, byte[]> postings(String block, long[] starts, String tenant) {
            return Map.of();
        }

        @Override
        public void putPostings(String block, long start, byte[] list) {
        }

        @Override
        public Map<Long, byte[]> series(String block, long[] offsets, String tenant) {
            return Map.of();
        }

        @Override
        public void putSeries(String block, long offset, byte[] entry) {
        }

        @Override
        public long @Nullable [] expandedPostings(String block, String matchers, String tenant) {
            return null;
        }

        @Override
        public void putExpandedPostings(String block, String matchers, long[] ids) {
        }

        @Override
        public void close() {
        }
    };

    /** Whether items of that kind are kept at all. */
    boolean holds(Item item);

    /** Postings lists by where their count begins in the index. */
    Map<Long, byte[]> postings(String block, long[] starts, String tenant);

    void putPostings(String block, long start, byte[] list);

    /** Series entries by where they begin in the index. */
    Map<Long, byte[]> series(String block, long[] offsets, String tenant);

    void putSeries(String block, long offset, byte[] entry);

    /** The ids that matchers, in Prometheus' form and sorted, select. */
    long @Nullable [] expandedPostings(String block, String matchers, String tenant);

    void putExpandedPostings(String block, String matchers, long[] ids);

    @Override
    void close();
}

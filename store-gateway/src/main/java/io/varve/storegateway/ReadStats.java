package io.varve.storegateway;

import java.util.concurrent.atomic.LongAdder;

/** What one request read, by kind. Safe for many threads. */
final class ReadStats {
    /** What bytes are read for. */
    enum Kind {
        /** Symbols and postings offsets. */
        HEADER("header"),
        /** Postings lists. */
        POSTINGS("postings"),
        /** Series entries. */
        SERIES("series"),
        /** Chunks. */
        CHUNKS("chunks");

        private final String label;

        Kind(String label) {
            this.label = label;
        }

        /** As in metrics. */
        String label() {
            return label;
        }
    }

    private final LongAdder[] fetchedBytes = adders();
    private final LongAdder[] fetchedCount = adders();
    private final LongAdder[] touchedBytes = adders();
    private final LongAdder[] touchedCount = adders();
    final LongAdder seriesRefetches = new LongAdder();
    final LongAdder chunkRefetches = new LongAdder();

    private final LongAdder[] nanos = adders();

    /** Time went into reading. */
    void nanos(Kind kind, long n) {
        nanos[kind.ordinal()].add(n);
    }

    long nanos(Kind kind) {
        return nanos[kind.ordinal()].sum();
    }

    private static LongAdder[] adders() {
        LongAdder[] a = new LongAdder[Kind.values().length];
        java.util.Arrays.setAll(a, i -> new LongAdder());
        return a;
    }

    /** A request to the bucket came back with {@code bytes}. */
    void fetched(Kind kind, long bytes) {
        fetchedBytes[kind.ordinal()].add(bytes);
        fetchedCount[kind.ordinal()].increment();
    }

    /** {@code count} things of {@code bytes} were looked at. */
    void touched(Kind kind, long count, long bytes) {
        touchedCount[kind.ordinal()].add(count);
        touchedBytes[kind.ordinal()].add(bytes);
    }

    long fetchedBytes(Kind kind) {
        return fetchedBytes[kind.ordinal()].sum();
    }

    long fetches(Kind kind) {
        return fetchedCount[kind.ordinal()].sum();
    }

    long touchedBytes(Kind kind) {
        return touchedBytes[kind.ordinal()].sum();
    }

    long touched(Kind kind) {
        return touchedCount[kind.ordinal()].sum();
    }
}

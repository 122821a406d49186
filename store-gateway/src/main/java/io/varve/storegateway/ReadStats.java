package io.varve.storegateway;

import java.util.concurrent.atomic.AtomicLongArray;
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

    private static final int KINDS = Kind.values().length;
    /** By kind; few threads count, and many requests are made. */
    private final AtomicLongArray fetchedBytes = new AtomicLongArray(KINDS);
    private final AtomicLongArray fetchedCount = new AtomicLongArray(KINDS);
    private final AtomicLongArray touchedBytes = new AtomicLongArray(KINDS);
    private final AtomicLongArray touchedCount = new AtomicLongArray(KINDS);
    final LongAdder seriesRefetches = new LongAdder();
    final LongAdder chunkRefetches = new LongAdder();

    private final AtomicLongArray nanos = new AtomicLongArray(KINDS);

    /** Time went into reading. */
    void nanos(Kind kind, long n) {
        nanos.addAndGet(kind.ordinal(), n);
    }

    long nanos(Kind kind) {
        return nanos.get(kind.ordinal());
    }

    /** A request to the bucket came back with {@code bytes}. */
    void fetched(Kind kind, long bytes) {
        fetchedBytes.addAndGet(kind.ordinal(), bytes);
        fetchedCount.incrementAndGet(kind.ordinal());
    }

    /** {@code count} things of {@code bytes} were looked at. */
    void touched(Kind kind, long count, long bytes) {
        touchedCount.addAndGet(kind.ordinal(), count);
        touchedBytes.addAndGet(kind.ordinal(), bytes);
    }

    long fetchedBytes(Kind kind) {
        return fetchedBytes.get(kind.ordinal());
    }

    long fetches(Kind kind) {
        return fetchedCount.get(kind.ordinal());
    }

    long touchedBytes(Kind kind) {
        return touchedBytes.get(kind.ordinal());
    }

    long touched(Kind kind) {
        return touchedCount.get(kind.ordinal());
    }
}

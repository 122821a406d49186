package io.varve.querier.dedup;

import io.varve.model.SampleBuffer;

/** One replica of a series, still encoded: read in spans, so that what is not needed is never decoded. One thread. */
public interface Replica {
    /** What tells it from the others: the values of its replica labels. */
    String name();

    /** Appends its samples with times from {@code min} to {@code max}, both included, rising; markers of staleness too. */
    void read(long min, long max, SampleBuffer into);

    /**
     * Roughly its scrape interval in milliseconds, from what is known without decoding; 0 where nothing is known. Only says whether
     * a closer look is needed.
     */
    long roughIntervalMillis();
}

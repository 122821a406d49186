package io.varve.model;

/**
 * One series of a select: its labels, and its samples still encoded. Self-contained, so that it can be handed to another
 * thread; used by one thread at a time.
 */
public interface Series {
    /** All labels. */
    Labels labels();

    /**
     * Appends the samples to {@code into}, times strictly rising, duplicates and replicas merged. Holds at least those in the
     * spans the select asked for and none outside {@link SelectHints#range()}. May be called more than once and decodes anew each
     * time. Of histograms it may leave out what {@link SampleBuffer#windowEnds} says nobody looks at.
     *
     * @throws CorruptDataException where the bytes are damaged
     */
    void read(SampleBuffer into);

    /** Bytes of memory the encoded samples hold, for the budget; an estimate. */
    long encodedBytes();
}

package io.varve.model;

/**
 * Forward over one series' samples in strictly rising time, exact in kind: integer histograms stay integer. What merging,
 * re-encoding and dumping use; the PromQL engine reads {@link SampleBuffer}s instead. One thread.
 *
 * <p>
 * Accessors are valid after {@link #next} or {@link #seek} returned something other than {@link Kind#END}, until the next call.
 */
public interface SampleCursor {
    /** What the current sample is. */
    enum Kind {
        /** No more samples. */
        END,
        /** {@link #value} is valid. */
        FLOAT,
        /** {@link #histogram} and {@link #floatHistogram} are valid. */
        HISTOGRAM,
        /** {@link #floatHistogram} is valid. */
        FLOAT_HISTOGRAM
    }

    /** Moves to the next sample. Not after END. */
    Kind next();

    /** Moves to the first sample at or after the time; stays where it is if that is already so. */
    Kind seek(long timestampMillis);

    /** Milliseconds. */
    long timestamp();

    /** Start timestamp in milliseconds, 0 unknown. */
    long startTimestamp();

    /** The float. */
    double value();

    /** The integer histogram. */
    Histogram histogram();

    /** The histogram with float counts. */
    FloatHistogram floatHistogram();
}

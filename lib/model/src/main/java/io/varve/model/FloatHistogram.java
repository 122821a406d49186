package io.varve.model;

import java.util.List;

/**
 * A native histogram with float counts: what PromQL computes with. Immutable by contract: arrays are never changed once the
 * object is shared.
 *
 * @param hint what is known of a counter reset before it
 * @param schema −4…8 exponential, −53 custom bounds
 * @param zeroThreshold half width of the zero bucket
 * @param zeroCount observations in the zero bucket
 * @param count all observations
 * @param sum sum of all observations; the stale marker makes the histogram a stale marker
 * @param positiveSpans where the positive buckets lie
 * @param positiveBuckets absolute counts
 * @param negativeSpans where the negative buckets lie
 * @param negativeBuckets absolute counts
 * @param customValues upper bounds, for schema −53 only
 */
public record FloatHistogram(CounterResetHint hint, int schema, double zeroThreshold, double zeroCount, double count, double sum,
        List<Span> positiveSpans, double[] positiveBuckets, List<Span> negativeSpans, double[] negativeBuckets, double[] customValues) {
    /** The schema of histograms with custom bounds. */
    public static final int CUSTOM_BUCKETS_SCHEMA = -53;
    /** No buckets. */
    public static final double[] NO_BUCKETS = new double[0];

    /** The stale marker as a histogram. */
    public static final FloatHistogram STALE = new FloatHistogram(CounterResetHint.UNKNOWN, 0, 0, 0, 0, SampleBuffer.STALE_NAN, List.of(),
            NO_BUCKETS,
            List.of(), NO_BUCKETS, NO_BUCKETS);

    /** Whether this is the stale marker. */
    public boolean isStale() {
        return SampleBuffer.isStale(sum);
    }

    /** Whether the bounds are custom. */
    public boolean usesCustomBuckets() {
        return schema == CUSTOM_BUCKETS_SCHEMA;
    }
}

package io.varve.model;

import java.util.List;

/**
 * A native histogram with integer counts, as Prometheus stores most. Immutable by contract, as {@link FloatHistogram}.
 *
 * @param hint what is known of a counter reset before it
 * @param schema −4…8 exponential, −53 custom bounds
 * @param zeroThreshold half width of the zero bucket
 * @param zeroCount observations in the zero bucket, unsigned
 * @param count all observations, unsigned
 * @param sum sum of all observations; the stale marker makes the histogram a stale marker
 * @param positiveSpans where the positive buckets lie
 * @param positiveDeltas first count, then differences
 * @param negativeSpans where the negative buckets lie
 * @param negativeDeltas first count, then differences
 * @param customValues upper bounds, for schema −53 only
 */
public record Histogram(CounterResetHint hint, int schema, double zeroThreshold, long zeroCount, long count, double sum,
        List<Span> positiveSpans,
        long[] positiveDeltas, List<Span> negativeSpans, long[] negativeDeltas, double[] customValues) {

    /** Whether this is the stale marker. */
    public boolean isStale() {
        return SampleBuffer.isStale(sum);
    }

    /** The same with float counts. */
    public FloatHistogram toFloat() {
        return new FloatHistogram(hint, schema, zeroThreshold, unsigned(zeroCount), unsigned(count), sum, positiveSpans,
                absolute(positiveDeltas),
                negativeSpans, absolute(negativeDeltas), customValues);
    }

    private static double[] absolute(long[] deltas) {
        double[] out = new double[deltas.length];
        long sum = 0;
        for (int i = 0; i < deltas.length; i++) {
            sum += deltas[i];
            out[i] = sum;
        }
        return out;
    }

    private static double unsigned(long v) {
        return v >= 0 ? v : (v >>> 1 | v & 1) * 2.0;
    }
}

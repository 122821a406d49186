package io.varve.model;

import java.util.ArrayList;
import java.util.Arrays;
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

    /** How not-a-number observations, which are in no bucket, affect an {@link Estimate}. */
    public enum NanEffect {
        /** There are none, or they do not matter. */
        NONE,
        /** The estimate is NaN because of them. */
        RESULT,
        /** The estimate is higher than without them. */
        SKEW,
        /** They are left out. */
        EXCLUDED
    }

    /**
     * A number estimated from buckets.
     *
     * @param value the number
     * @param nan what not-a-number observations did to it
     */
    public record Estimate(double value, NanEffect nan) {
        static Estimate exact(double value) {
            return new Estimate(value, NanEffect.NONE);
        }
    }

    /** The φ-quantile, interpolated as Prometheus does. */
    public Estimate quantile(double q) {
        return HistogramMath.quantile(this, q);
    }

    /** The share of observations between two bounds. */
    public Estimate fraction(double from, double to) {
        return HistogramMath.fraction(this, from, to);
    }

    /** The variance of observations, each taken to lie in the middle of its bucket. */
    public double variance() {
        return HistogramMath.variance(this);
    }

    /** Only observations of at most {@code bound}; this object where that changes nothing. */
    public FloatHistogram trimUpper(double bound) {
        return HistogramMath.trim(this, bound, true);
    }

    /** Only observations of at least {@code bound}; this object where that changes nothing. */
    public FloatHistogram trimLower(double bound) {
        return HistogramMath.trim(this, bound, false);
    }

    /** Whether a bucket lies wholly inside the zero bucket: sums leave those of all but the first histogram out. */
    public boolean hasBucketsInsideZero() {
        return !usesCustomBuckets() && zeroThreshold > 0 && (isInsideZero(positiveSpans) || isInsideZero(negativeSpans));
    }

    private boolean isInsideZero(List<Span> spans) {
        return !spans.isEmpty() && ExponentialBounds.upper(spans.getFirst().offset(), schema) <= zeroThreshold;
    }

    /** Whether the counter was reset between {@code previous} and this. */
    public boolean isResetAfter(FloatHistogram previous) {
        return HistogramMath.isReset(this, previous);
    }

    /** The same with another hint. */
    public FloatHistogram withHint(CounterResetHint h) {
        return h == hint
                ? this
                : new FloatHistogram(h, schema, zeroThreshold, zeroCount, count, sum, positiveSpans, positiveBuckets, negativeSpans,
                        negativeBuckets, customValues);
    }

    /** All counts and the sum times {@code factor}; a gauge where that is negative. */
    public FloatHistogram times(double factor) {
        return scaled(factor, false);
    }

    /** All counts and the sum divided by {@code divisor}; a gauge where that is negative, without buckets where it is 0. */
    public FloatHistogram dividedBy(double divisor) {
        return scaled(divisor, true);
    }

    private FloatHistogram scaled(double by, boolean divide) {
        CounterResetHint h = by < 0 ? CounterResetHint.GAUGE : hint;
        double z = divide ? zeroCount / by : zeroCount * by;
        double c = divide ? count / by : count * by;
        double s = divide ? sum / by : sum * by;
        if (divide && by == 0) {
            return new FloatHistogram(h, schema, zeroThreshold, z, c, s, List.of(), NO_BUCKETS, List.of(), NO_BUCKETS, customValues);
        }
        return new FloatHistogram(h, schema, zeroThreshold, z, c, s, positiveSpans, scaled(positiveBuckets, by, divide), negativeSpans,
                scaled(negativeBuckets, by, divide), customValues);
    }

    private static double[] scaled(double[] buckets, double by, boolean divide) {
        double[] out = new double[buckets.length];
        for (int i = 0; i < out.length; i++) {
            out[i] = divide ? buckets[i] / by : buckets[i] * by;
        }
        return out;
    }

    /** The same without empty buckets and with the fewest spans; this object where that is so already. */
    public FloatHistogram compact() {
        if (isCompact(positiveSpans, positiveBuckets) && isCompact(negativeSpans, negativeBuckets)) {
            return this;
        }
        BucketSide positive = new BucketSide();
        BucketSide negative = new BucketSide();
        positive.set(positiveSpans, positiveBuckets);
        negative.set(negativeSpans, negativeBuckets);
        positive.pack();
        negative.pack();
        return new FloatHistogram(hint, schema, zeroThreshold, zeroCount, count, sum, positive.spans(), positive.buckets(),
                negative.spans(), negative.buckets(), customValues);
    }

    private static boolean isCompact(List<Span> spans, double[] buckets) {
        for (double b : buckets) {
            if (b == 0) {
                return false;
            }
        }
        for (int i = 0; i < spans.size(); i++) {
            if (spans.get(i).length() == 0 || i > 0 && spans.get(i).offset() == 0) {
                return false;
            }
        }
        return true;
    }

    /** Whether all numbers and the layout of buckets are the same; hints do not matter, count and sum are compared by bits. */
    public boolean sameAs(FloatHistogram other) {
        return schema == other.schema && Double.doubleToRawLongBits(count) == Double.doubleToRawLongBits(other.count)
                && Double.doubleToRawLongBits(sum) == Double.doubleToRawLongBits(other.sum)
                && (usesCustomBuckets()
                        ? sameBits(customValues, other.customValues)
                        : zeroThreshold == other.zeroThreshold
                                && Double.doubleToRawLongBits(zeroCount) == Double.doubleToRawLongBits(other.zeroCount)
                                && sameLayout(negativeSpans, negativeBuckets, other.negativeSpans, other.negativeBuckets))
                && sameLayout(positiveSpans, positiveBuckets, other.positiveSpans, other.positiveBuckets);
    }

    private static boolean sameBits(double[] a, double[] b) {
        if (a.length != b.length) {
            return false;
        }
        for (int i = 0; i < a.length; i++) {
            if (Double.doubleToRawLongBits(a[i]) != Double.doubleToRawLongBits(b[i])) {
                return false;
            }
        }
        return true;
    }

    private static boolean sameLayout(List<Span> spansA, double[] a, List<Span> spansB, double[] b) {
        if (!sameBits(a, b)) {
            return false;
        }
        if (spansA.equals(spansB)) {
            return true;
        }
        BucketSide x = new BucketSide();
        BucketSide y = new BucketSide();
        x.set(spansA, a);
        y.set(spansB, b);
        return Arrays.equals(x.index, 0, x.size, y.index, 0, y.size);
    }

    /** All buckets that are not empty, from the lowest to the highest. */
    public List<HistogramBucket> buckets() {
        return buckets(new FlatBuckets(this));
    }

    /** The same, those that reach into the zero bucket cut off at its edge. */
    List<HistogramBucket> bucketsBeyondZero() {
        return buckets(FlatBuckets.beyondZero(this));
    }

    private List<HistogramBucket> buckets(FlatBuckets b) {
        List<HistogramBucket> out = new ArrayList<>(b.size);
        for (int i = 0; i < b.size; i++) {
            if (b.count[i] == 0) {
                continue;
            }
            boolean lowerInclusive;
            boolean upperInclusive;
            if (usesCustomBuckets()) {
                lowerInclusive = b.index[i] == 0;
                upperInclusive = true;
            } else if (b.sign[i] == 0) {
                lowerInclusive = true;
                upperInclusive = true;
            } else {
                lowerInclusive = b.lower[i] < 0;
                upperInclusive = b.upper[i] > 0;
            }
            out.add(new HistogramBucket(b.lower[i], b.upper[i], lowerInclusive, upperInclusive, b.count[i]));
        }
        return out;
    }

    /** How many samples Prometheus counts it as: its size in 16 byte units. */
    public int sampleSize() {
        int words = positiveBuckets.length + negativeBuckets.length + customValues.length + positiveSpans.size() + negativeSpans.size();
        return (168 + 8 * words + 8) / 16;
    }

    /** Bytes of memory; an estimate for budgets. */
    public long bytes() {
        return 160 + 8L * (positiveBuckets.length + negativeBuckets.length) + 24L * (positiveSpans.size() + negativeSpans.size());
    }

    /** Prometheus' form: {@code {count:3, sum:4.5, (1,2]:3}}. */
    @Override
    public String toString() {
        StringBuilder sb = new StringBuilder("{count:").append(GoFloat.general(count)).append(", sum:").append(GoFloat.general(sum));
        for (HistogramBucket b : buckets()) {
            sb.append(", ").append(b);
        }
        return sb.append('}').toString();
    }
}

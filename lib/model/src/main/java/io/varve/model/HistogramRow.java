package io.varve.model;

import java.util.Arrays;
import java.util.List;

/**
 * Histograms of one series by step in flat arrays, so that many can be added up without an object for each: all gauges with float counts, of one
 * exponential resolution and one zero bucket, with positive buckets alone, none of them inside the zero bucket, and only numbers whose sums cannot
 * overflow. Used again from series to series; one thread.
 *
 * <p>
 * What is computed is what {@link HistogramSum} computes, bit for bit. Between the lowest and the highest index of the row every step has all
 * buckets, empty ones as 0: those make no difference to sums, and results leave them out.
 */
public final class HistogramRow {
    /** What has more buckets, or larger gaps between them, is left to {@link HistogramSum}. */
    static final int MAX_WIDTH = 320;
    /** Numbers up to here: sums of as many series as there can be stay far from overflow, and so do the errors taken of them. */
    private static final double LARGEST = 1e290;

    int schema;
    double zeroThreshold;
    /** The index of the first bucket. */
    int first;
    /** How many buckets each step has. */
    int width;
    /** By step, then bucket. */
    double[] buckets = FloatHistogram.NO_BUCKETS;
    boolean[] present = new boolean[0];
    double[] zeroCount = FloatHistogram.NO_BUCKETS;
    double[] count = FloatHistogram.NO_BUCKETS;
    double[] sum = FloatHistogram.NO_BUCKETS;
    private int points;

    // The one that is being made.
    private double[] now = FloatHistogram.NO_BUCKETS;
    private double[] lost = FloatHistogram.NO_BUCKETS;
    private final HistogramScalars scalars = new HistogramScalars();

    /**
     * Starts over, for results of adding and subtracting some of these.
     *
     * @param all of one series, in any number; neighbours that are the same object cost nothing
     * @return false where they are not of the kind that this is for; the row is not to be used then
     */
    public boolean begin(int steps, FloatHistogram[] all, int n) {
        points = 0;
        int lowest = Integer.MAX_VALUE;
        long end = Integer.MIN_VALUE;
        if (n == 0) {
            return false;
        }
        schema = all[0].schema();
        zeroThreshold = all[0].zeroThreshold();
        if (all[0].usesCustomBuckets() || schema > ExponentialBounds.MAX_SCHEMA) {
            return false;
        }
        List<Span> last = List.of();
        int lastLength = 0;
        for (int i = 0; i < n; i++) {
            FloatHistogram h = all[i];
            if (i > 0 && h == all[i - 1]) {
                continue;
            }
            List<Span> spans = h.positiveSpans();
            if (h.schema() != schema || h.zeroThreshold() != zeroThreshold || !h.negativeSpans().isEmpty()
                    || h.negativeBuckets().length > 0 || h.hint() == CounterResetHint.GAUGE) {
                return false;
            }
            if (spans != last) {
                last = spans;
                lastLength = 0;
                long at = 0;
                for (int s = 0; s < spans.size(); s++) {
                    Span span = spans.get(s);
                    if (span.length() < 0 || s > 0 && span.offset() < 0) {
                        return false;
                    }
                    at += span.offset();
                    // Where the first span is empty, too: whether buckets lie inside the zero bucket is asked of its begin.
                    lowest = (int) Math.min(lowest, at);
                    at += span.length();
                    lastLength += span.length();
                    if (at - lowest > MAX_WIDTH) {
                        return false;
                    }
                }
                end = Math.max(end, at);
            }
            if (lastLength != h.positiveBuckets().length) {
                return false;
            }
        }
        if (lowest == Integer.MAX_VALUE) {
            lowest = 0;
            end = 0;
        }
        if (end - lowest > MAX_WIDTH || end > lowest && !ExponentialBounds.isBeyondZero(lowest, schema, zeroThreshold)) {
            return false;
        }
        first = lowest;
        width = (int) (end - lowest);
        if (present.length < steps) {
            present = new boolean[steps];
            zeroCount = new double[steps];
            count = new double[steps];
            sum = new double[steps];
        }
        Arrays.fill(present, 0, steps, false);
        if (buckets.length < steps * width) {
            buckets = new double[steps * (width + 8)];
        }
        if (now.length < width) {
            now = new double[width + 8];
            lost = new double[width + 8];
        }
        return true;
    }

    /** Begins one with a histogram. */
    public void set(FloatHistogram h) {
        scalars.set(h);
        Arrays.fill(now, 0, width, 0);
        Arrays.fill(lost, 0, width, 0);
        double[] b = h.positiveBuckets();
        List<Span> spans = h.positiveSpans();
        int at = -first;
        int from = 0;
        for (int s = 0; s < spans.size(); s++) {
            Span span = spans.get(s);
            at += span.offset();
            System.arraycopy(b, from, now, at, span.length());
            from += span.length();
            at += span.length();
        }
    }

    /** Adds ({@code sign} 1) or subtracts (−1) a histogram. */
    public void add(FloatHistogram h, double sign) {
        scalars.add(sign * h.zeroCount(), sign * h.count(), sign * h.sum());
        double[] b = h.positiveBuckets();
        List<Span> spans = h.positiveSpans();
        int at = -first;
        int from = 0;
        for (int s = 0; s < spans.size(); s++) {
            Span span = spans.get(s);
            at += span.offset();
            addRun(now, lost, at, b, from, span.length(), sign);
            from += span.length();
            at += span.length();
        }
    }

    /**
     * Adds numbers, each times {@code sign}, to sums and what rounding takes to what was lost (two-sum, after Knuth): nothing is infinite here, and a loop
     * without a branch is done several at once.
     */
    static void addRun(double[] now, double[] lost, int at, double[] b, int from, int n, double sign) {
        for (int i = 0; i < n; i++) {
            double a = now[at + i];
            double x = sign * b[from + i];
            double t = a + x;
            double v = t - a;
            lost[at + i] += a - (t - v) + (x - v);
            now[at + i] = t;
        }
    }

    /** Its observations so far. */
    public double count() {
        return scalars.count();
    }

    /**
     * Puts what was made, times a factor, at a step.
     *
     * @return false where its numbers are not of the kind that this is for; the row is not to be used then
     */
    public boolean put(int step, double factor) {
        scalars.scale(factor);
        present[step] = true;
        points++;
        zeroCount[step] = scalars.zeroCount();
        count[step] = scalars.count();
        sum[step] = scalars.sum();
        scale(now, lost, width, factor, buckets, step * width);
        return areSmall(buckets, step * width, width);
    }

    private static void scale(double[] now, double[] lost, int n, double factor, double[] out, int at) {
        for (int i = 0; i < n; i++) {
            out[at + i] = now[i] * factor + lost[i] * factor;
        }
    }

    private static boolean areSmall(double[] v, int at, int n) {
        int large = 0;
        for (int i = 0; i < n; i++) {
            // Not-a-number is not small either.
            large |= Math.abs(v[at + i]) <= LARGEST ? 0 : 1;
        }
        return large == 0;
    }

    /** How many steps have a histogram. */
    public int points() {
        return points;
    }

    /** Whether there is a histogram at the step. */
    public boolean has(int step) {
        return present[step];
    }

    /** The histogram at a step that has one. */
    public FloatHistogram at(int step) {
        BucketSide side = new BucketSide();
        side.dense(first, buckets, null, step * width, width);
        side.pack();
        return new FloatHistogram(CounterResetHint.GAUGE, schema, zeroThreshold, zeroCount[step], count[step], sum[step], side.spans(),
                side.buckets(), List.of(), FloatHistogram.NO_BUCKETS, FloatHistogram.NO_BUCKETS);
    }

    /** Bytes of memory that its arrays hold. */
    public long bytes() {
        return 8L * buckets.length + 25L * present.length + 16L * now.length;
    }
}

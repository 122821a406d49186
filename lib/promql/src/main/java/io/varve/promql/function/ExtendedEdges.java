package io.varve.promql.function;

import io.varve.model.CounterResetHint;
import io.varve.model.FloatHistogram;
import io.varve.model.GoQuote;
import io.varve.model.HistogramSum;
import io.varve.promql.parser.Position;
import io.varve.promql.parser.VectorSelector.Edges;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * {@code anchored} and {@code smoothed}: windows whose edges have values of their own. Resets are looked for between stored samples;
 * where the left edge lies on the line from one to the other, that line begins after the reset and nothing needs correcting.
 */
public final class ExtendedEdges {
    private static final String RECONCILED = "mismatched custom buckets were reconciled during ";

    private final boolean counter;
    private final boolean perSecond;
    private final CounterResets resets = new CounterResets();

    ExtendedEdges(boolean counter, boolean perSecond) {
        this.counter = counter;
        this.perSecond = perSecond;
    }

    void rate(Windows w, Row out, Notes notes) {
        if (counter) {
            resets.find(w, null);
        }
        boolean smoothed = w.edges == Edges.SMOOTHED;
        for (int i = 0; i < w.grid.count(); i++) {
            boolean floats = w.hi[i] > w.lo[i];
            boolean histograms = MixedTypes.hasHistograms(w, i);
            if (floats && histograms) {
                MixedTypes.noteMix(w, notes);
            } else if (floats) {
                floats(w, out, i, smoothed);
            } else if (histograms) {
                histograms(w, out, i, smoothed, notes);
            }
        }
    }

    /** The last sample at or before {@code start}, or the first there is. */
    private static int first(long[] t, int lo, int hi, long start) {
        int first = lo;
        while (first + 1 < hi && t[first + 1] <= start) {
            first++;
        }
        return first;
    }

    /** The last sample, or where edges are smoothed the first at or behind {@code end}. */
    private static int last(long[] t, int lo, int hi, long end, boolean smoothed) {
        int last = hi - 1;
        if (smoothed) {
            while (last > lo && t[last - 1] >= end) {
                last--;
            }
        }
        return last;
    }

    private void floats(Windows w, Row out, int step, boolean smoothed) {
        long[] t = w.times;
        double[] v = w.values;
        int lo = w.lo[step];
        int hi = w.hi[step];
        long start = w.start(step);
        long end = w.end(step);
        int first = first(t, lo, hi, start);
        int last = last(t, lo, hi, end, smoothed);
        if (t[last] <= start || t[lo] > end) {
            return;
        }
        boolean between = smoothed && t[first] < start && first + 1 < hi;
        double left = between ? between(t, v, first, start, counter) : v[first];
        boolean betweenRight = smoothed && last > lo && t[last] > end;
        double right = betweenRight ? between(t, v, last - 1, end, counter) : v[last];
        double result = right - left;
        if (counter && (between && left > v[first + 1] || betweenRight && v[last] < 0)) {
            result += lostOnTheWay(t, v, first, last, start, end, left, right);
        } else if (counter) {
            // Where the left edge lies on a line that begins behind a reset, that one is corrected already.
            result += resets.add(0, between ? Math.min(first + 1, last) : first, last);
        }
        out.values[step] = perSecond ? result / w.seconds : result;
    }

    /**
     * What falls between the edges lose, the edges being values like others. Only where values below zero are taken for a counter
     * can a line that begins behind a reset at 0 fall itself.
     */
    private static double lostOnTheWay(long[] t, double[] v, int first, int last, long start, long end, double left, double right) {
        double lost = 0;
        double before = left;
        for (int i = t[first] <= start ? first + 1 : first; i <= (t[last] >= end ? last - 1 : last); i++) {
            lost += v[i] < before ? before : 0;
            before = v[i];
        }
        return right < before ? lost + before : lost;
    }

    /** The value at {@code time} on the line between samples {@code i} and {@code i + 1}; a counter that fell began at 0. */
    static double between(long[] t, double[] v, int i, long time, boolean counter) {
        double y1 = v[i];
        double y2 = v[i + 1];
        if (counter && y2 < y1) {
            y1 = 0;
        }
        return y1 + (y2 - y1) * (double) (time - t[i]) / (double) (t[i + 1] - t[i]);
    }

    /** As {@link #between(long[], double[], int, long, boolean)}; null where one has custom and the other exponential buckets. */
    public static @Nullable FloatHistogram between(FloatHistogram a, FloatHistogram b, double fraction, boolean counter) {
        if (a.usesCustomBuckets() != b.usesCustomBuckets()) {
            return null;
        }
        if (counter && b.isResetAfter(a)) {
            return b.times(fraction);
        }
        HistogramSum sum = difference(a, b);
        sum.scale(fraction);
        sum.add(a);
        return sum.result();
    }

    private static HistogramSum difference(FloatHistogram a, FloatHistogram b) {
        HistogramSum sum = new HistogramSum(b);
        sum.subtract(a);
        return sum;
    }

    private void histograms(Windows w, Row out, int step, boolean smoothed, Notes notes) {
        long[] t = w.histogramTimes;
        FloatHistogram[] h = w.histograms;
        int lo = w.histogramLo[step];
        int hi = w.histogramHi[step];
        long start = w.start(step);
        long end = w.end(step);
        int first = first(t, lo, hi, start);
        int last = last(t, lo, hi, end, smoothed);
        if (t[last] <= start || t[lo] > end) {
            return;
        }
        boolean gauge = false;
        for (int j = first; j <= last; j++) {
            if (h[j].usesCustomBuckets() != h[first].usesCustomBuckets()) {
                if (gauge) {
                    CounterFunction.noteNoCounter(w, notes);
                }
                CounterFunction.noteMixedSchemas(w, notes);
                return;
            }
            gauge |= counter && h[j].hint() == CounterResetHint.GAUGE;
        }
        if (gauge) {
            CounterFunction.noteNoCounter(w, notes);
        }
        boolean between = smoothed && t[first] < start && first + 1 < hi;
        boolean betweenRight = smoothed && last > lo && t[last] > end;
        FloatHistogram left = between ? between(h[first], h[first + 1], share(t, first, start), counter) : h[first];
        FloatHistogram right = betweenRight
                ? between(h[last - 1], h[last], share(t, last - 1, end), counter)
                : h[last];
        if (left == null || right == null) {
            CounterFunction.noteMixedSchemas(w, notes);
            return;
        }
        if (!counter && (left.hint() != CounterResetHint.GAUGE || right.hint() != CounterResetHint.GAUGE)) {
            notes.warn(w.position, "this native histogram metric is not a gauge: " + GoQuote.quote(w.metric()));
        }
        HistogramSum sum = new HistogramSum(right);
        sum.subtract(left);
        boolean reconciledSub = sum.boundsReconciled();
        boolean reconciledAdd = false;
        if (between && reconciles(h[first], h[first + 1], counter)) {
            reconciledSub = true;
            reconciledAdd = difference(h[first], h[first + 1]).wouldReconcile(h[first]);
        }
        if (betweenRight && reconciles(h[last - 1], h[last], counter)) {
            reconciledSub = true;
            reconciledAdd |= difference(h[last - 1], h[last]).wouldReconcile(h[last - 1]);
        }
        if (counter) {
            for (int j = first + 1; j <= last; j++) {
                if (!(between && j == first + 1) && h[j].isResetAfter(h[j - 1])) {
                    reconciledAdd |= sum.wouldReconcile(h[j - 1]);
                    sum.add(h[j - 1]);
                }
            }
        }
        if (reconciledSub) {
            notes.info(w.position, RECONCILED + "subtraction");
        }
        if (reconciledAdd) {
            notes.info(w.position, RECONCILED + "addition");
        }
        sum.hint(CounterResetHint.GAUGE);
        if (perSecond) {
            sum.scale(1 / w.seconds);
        }
        out.setHistogram(step, sum.result());
    }

    /** Notes what {@link #between(FloatHistogram, FloatHistogram, double, boolean)} has to reconcile. */
    public static void noteReconciled(FloatHistogram a, FloatHistogram b, boolean counter, Position position, Notes notes) {
        if (reconciles(a, b, counter)) {
            notes.info(position, RECONCILED + "subtraction");
            if (difference(a, b).wouldReconcile(a)) {
                notes.info(position, RECONCILED + "addition");
            }
        }
    }

    /** Whether a line goes from {@code a} to {@code b}, and bounds have to be reconciled for it. */
    private static boolean reconciles(FloatHistogram a, FloatHistogram b, boolean counter) {
        return !Arrays.equals(a.customValues(), b.customValues()) && !(counter && b.isResetAfter(a));
    }

    private static double share(long[] t, int i, long time) {
        return (double) (time - t[i]) / (double) (t[i + 1] - t[i]);
    }
}

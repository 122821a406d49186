package io.varve.promql.function;

import io.varve.model.CounterResetHint;
import io.varve.model.FloatHistogram;
import io.varve.model.GoQuote;
import io.varve.model.HistogramSum;
import io.varve.promql.parser.VectorSelector.Edges;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * {@code rate}, {@code increase} and {@code delta}. Counter resets are found once per series: prefix sums of what was lost in them
 * make a window cost the same however long it is.
 */
public final class CounterFunction implements RangeFunction {
    private final boolean counter;
    private final boolean perSecond;
    private final boolean typeLabels;
    private double[] corrections = new double[0];
    private boolean finiteCorrections;
    private boolean[] resets = new boolean[0];
    private final HistogramSum sum = new HistogramSum();
    /** 1 over the range in seconds for {@code rate}, else 1. */
    private double scale = 1;

    /**
     * @param counter whether values only rise and a fall is a reset
     * @param perSecond whether the result is divided by the range
     * @param typeLabels whether {@code __type__} says what a counter is
     */
    public CounterFunction(boolean counter, boolean perSecond, boolean typeLabels) {
        this.counter = counter;
        this.perSecond = perSecond;
        this.typeLabels = typeLabels;
    }

    @Override
    public void apply(Windows w, Row out, Notes notes) {
        if (w.edges != Edges.NORMAL) {
            ExtendedEdges.rate(w, out, counter, perSecond, notes);
            if (counter) {
                noteNonCounter(w, out, notes);
            }
            return;
        }
        scale = perSecond ? 1000.0 / w.range : 1;
        if (w.size > 0) {
            prepareFloats(w);
        }
        if (w.histogramSize > 0) {
            prepareHistograms(w);
        }
        if (counter && w.useStartTimestamps && (w.starts != null || w.histogramStarts != null)) {
            noteOverlaps(w, notes);
        }
        int steps = w.grid.count();
        double[] values = out.values;
        boolean plain = w.histogramSize == 0 && w.starts == null;
        for (int i = 0; i < steps; i++) {
            if (plain) {
                int lo = w.lo[i];
                int hi = w.hi[i];
                if (hi - lo >= 2) {
                    values[i] = floatResult(w, i, lo, hi);
                }
            } else {
                general(w, i, out, notes);
            }
        }
        if (counter) {
            noteNonCounter(w, out, notes);
        }
    }

    private void noteNonCounter(Windows w, Row out, Notes notes) {
        String name = w.metric();
        if (name.isEmpty()) {
            return;
        }
        if (typeLabels) {
            String type = w.labels.get("__type__");
            if (!type.equals("counter") && !type.equals("histogram") && anyFloat(out)) {
                notes.info(w.position, "metric might not be a counter, __type__ label is not set to \"counter\" or \"histogram\", got "
                        + GoQuote.quote(type) + ": " + GoQuote.quote(name));
            }
        } else if (!name.endsWith("_total") && !name.endsWith("_sum") && !name.endsWith("_count") && !name.endsWith("_bucket")
                && anyFloat(out)) {
            notes.info(w.position,
                    "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: " + GoQuote.quote(name));
        }
    }

    private static boolean anyFloat(Row out) {
        for (double v : out.values) {
            if (!Row.isAbsent(v)) {
                return true;
            }
        }
        return false;
    }

    private void prepareFloats(Windows w) {
        if (!counter) {
            return;
        }
        int n = w.size;
        if (corrections.length < n) {
            corrections = new double[Math.max(n, corrections.length * 2)];
        }
        double c = 0;
        double[] v = w.values;
        long[] starts = w.starts;
        corrections[0] = 0;
        if (starts == null) {
            double previous = v[0];
            for (int i = 1; i < n; i++) {
                double x = v[i];
                if (x < previous) {
                    c += previous;
                }
                corrections[i] = c;
                previous = x;
            }
        } else {
            for (int i = 1; i < n; i++) {
                if (v[i] < v[i - 1] || StartTimestamps.isReset(starts[i - 1], w.times[i - 1], starts[i], w.times[i])) {
                    c += v[i - 1];
                }
                corrections[i] = c;
            }
        }
        // A difference of prefix sums says nothing once they are infinite.
        finiteCorrections = Double.isFinite(c);
    }

    private double correction(Windows w, int lo, int hi) {
        if (finiteCorrections) {
            return corrections[hi - 1] - corrections[lo];
        }
        double c = 0;
        long[] starts = w.starts;
        for (int i = lo + 1; i < hi; i++) {
            if (w.values[i] < w.values[i - 1]
                    || starts != null && StartTimestamps.isReset(starts[i - 1], w.times[i - 1], starts[i], w.times[i])) {
                c += w.values[i - 1];
            }
        }
        return c;
    }

    private double floatResult(Windows w, int step, int lo, int hi) {
        double first = w.values[lo];
        double result = w.values[hi - 1] - first;
        if (counter) {
            result += correction(w, lo, hi);
        }
        return result * factor(w, step, w.times[lo], w.times[hi - 1], hi - lo, result, first);
    }

    /** How much the range is longer than the span between first and last sample, as far as the series is taken to go on. */
    private double factor(Windows w, int step, long firstTime, long lastTime, int n, double result, double first) {
        long rangeEnd = w.end(step);
        double toStart = firstTime - (rangeEnd - w.range);
        double toEnd = rangeEnd - lastTime;
        double sampled = lastTime - firstTime;
        // The threshold is 1.1 times the mean distance of samples; multiplied out, because divisions are what is slow here.
        double threshold = sampled * 1.1;
        int gaps = n - 1;
        if (toStart * gaps >= threshold) {
            toStart = sampled / gaps / 2;
        }
        if (counter && result > 0 && first >= 0 && sampled * first < toStart * result) {
            toStart = sampled * (first / result);
        }
        if (toEnd * gaps >= threshold) {
            toEnd = sampled / gaps / 2;
        }
        double factor = sampled == 0 ? 1 : (sampled + toStart + toEnd) / sampled;
        return factor * scale;
    }

    private void general(Windows w, int step, Row out, Notes notes) {
        int floats = w.hi[step] - w.lo[step];
        int histograms = w.histogramSize == 0 ? 0 : w.histogramHi[step] - w.histogramLo[step];
        if (floats > 0 && histograms > 0) {
            notes.warn(w.position, "encountered a mix of histograms and floats for metric name " + GoQuote.quote(w.metric()));
            return;
        }
        if (floats > 0) {
            floatWithStarts(w, step, out);
        } else if (histograms > 0) {
            histogramResult(w, step, out, notes);
        }
    }

    /** The start timestamp of the first sample where counting began inside the window, else −1. */
    private long usableStart(Windows w, int step, long @Nullable [] starts, int lo, long firstTime) {
        if (!counter || starts == null) {
            return -1;
        }
        long st = starts[lo];
        return st != 0 && st > w.start(step) && st < firstTime ? st : -1;
    }

    private void floatWithStarts(Windows w, int step, Row out) {
        int lo = w.lo[step];
        int hi = w.hi[step];
        long start = usableStart(w, step, w.starts, lo, w.times[lo]);
        if (start < 0) {
            if (hi - lo >= 2) {
                out.values[step] = floatResult(w, step, lo, hi);
            }
            return;
        }
        double result = w.values[hi - 1] - w.values[lo] + correction(w, lo, hi) + w.values[lo];
        int n = hi - lo;
        out.values[step] = result * factorFromStart(w, step, start, w.times[hi - 1], w.times[lo], n);
    }

    /** The same where counting is known to have begun inside the range: nothing lies before that. */
    private double factorFromStart(Windows w, int step, long start, long lastTime, long firstTime, int n) {
        double sampled = (lastTime - start) / 1000.0;
        double average = n > 1 ? (lastTime - firstTime) / 1000.0 / (n - 1) : 0;
        double toEnd = (w.end(step) - lastTime) / 1000.0;
        if (toEnd >= average * 1.1) {
            toEnd = average / 2;
        }
        double factor = sampled == 0 ? 1 : (sampled + toEnd) / sampled;
        return perSecond ? factor / (w.range / 1000.0) : factor;
    }

    private void noteOverlaps(Windows w, Notes notes) {
        int overlaps = StartTimestamps.overlaps(w.starts, w.times, w.size)
                + StartTimestamps.overlaps(w.histogramStarts, w.histogramTimes, w.histogramSize);
        for (int i = 0; i < Math.min(overlaps, 1); i++) {
            notes.warnCounted(w.position, "sample has start time that overlaps with previous sample timestamp for metric "
                    + GoQuote.quote(w.metric()));
        }
    }

    private void prepareHistograms(Windows w) {
        int n = w.histogramSize;
        if (resets.length < n) {
            resets = new boolean[n];
        }
        Arrays.fill(resets, 0, n, false);
        if (!counter) {
            return;
        }
        long[] starts = w.histogramStarts;
        for (int i = 1; i < n; i++) {
            resets[i] = starts != null
                    && StartTimestamps.isReset(starts[i - 1], w.histogramTimes[i - 1], starts[i], w.histogramTimes[i])
                    || w.histograms[i].isResetAfter(w.histograms[i - 1]);
        }
    }

    private void histogramResult(Windows w, int step, Row out, Notes notes) {
        int lo = w.histogramLo[step];
        int hi = w.histogramHi[step];
        long start = usableStart(w, step, w.histogramStarts, lo, w.histogramTimes[lo]);
        if (hi - lo < 2 && start < 0) {
            return;
        }
        FloatHistogram first = w.histograms[lo];
        FloatHistogram last = w.histograms[hi - 1];
        boolean gauge = false;
        boolean mixed = false;
        // A first sample before a reset does not take part; neither does its layout.
        boolean skipFirst = hi - lo > 1 && resets[lo + 1];
        boolean custom = (skipFirst ? w.histograms[lo + 1] : first).usesCustomBuckets();
        mixed = last.usesCustomBuckets() != custom;
        int minSchema = skipFirst ? Math.min(last.schema(), w.histograms[lo + 1].schema()) : Math.min(last.schema(), first.schema());
        if (counter) {
            gauge = first.hint() == CounterResetHint.GAUGE || last.hint() == CounterResetHint.GAUGE;
            for (int i = lo + 1; i < hi - 1 && !mixed; i++) {
                FloatHistogram h = w.histograms[i];
                gauge |= h.hint() == CounterResetHint.GAUGE;
                mixed = h.usesCustomBuckets() != custom;
                minSchema = Math.min(minSchema, h.schema());
            }
        }
        if (mixed) {
            noteMixedSchemas(w, notes);
            return;
        }
        sum.set(last);
        sum.toSchema(minSchema);
        boolean reconciledSub = false;
        boolean reconciledAdd = false;
        if (!skipFirst && start < 0) {
            if (!sum.subtract(first)) {
                noteMixedSchemas(w, notes);
                return;
            }
            reconciledSub = sum.boundsReconciled();
        }
        if (counter) {
            boolean before = sum.boundsReconciled();
            for (int i = lo + 1; i < hi; i++) {
                if (resets[i] && (i > lo + 1 || start >= 0)) {
                    if (!sum.add(w.histograms[i - 1])) {
                        noteMixedSchemas(w, notes);
                        return;
                    }
                }
            }
            reconciledAdd = sum.boundsReconciled() && !before;
            if (gauge) {
                notes.warn(w.position, "this native histogram metric is not a counter: " + GoQuote.quote(w.metric()));
            }
        } else if (first.hint() != CounterResetHint.GAUGE || last.hint() != CounterResetHint.GAUGE) {
            notes.warn(w.position, "this native histogram metric is not a gauge: " + GoQuote.quote(w.metric()));
        }
        if (reconciledSub) {
            notes.info(w.position, "mismatched custom buckets were reconciled during subtraction");
        }
        if (reconciledAdd) {
            notes.info(w.position, "mismatched custom buckets were reconciled during addition");
        }
        sum.hint(CounterResetHint.GAUGE);
        double factor;
        if (start >= 0) {
            factor = factorFromStart(w, step, start, w.histogramTimes[hi - 1], w.histogramTimes[lo], hi - lo);
        } else {
            factor = factor(w, step, w.histogramTimes[lo], w.histogramTimes[hi - 1], hi - lo, sum.count(), first.count());
        }
        sum.scale(factor);
        out.setHistogram(step, sum.result());
    }

    static void noteMixedSchemas(Windows w, Notes notes) {
        notes.warn(w.position, "vector contains a mix of histograms with exponential and custom buckets schemas for metric name "
                + GoQuote.quote(w.metric()));
    }
}

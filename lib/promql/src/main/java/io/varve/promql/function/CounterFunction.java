package io.varve.promql.function;

import io.varve.model.CounterResetHint;
import io.varve.model.FloatHistogram;
import io.varve.model.GoQuote;
import io.varve.model.HistogramRow;
import io.varve.model.HistogramSum;
import io.varve.promql.parser.VectorSelector.Edges;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * {@code rate}, {@code increase} and {@code delta}. Counter resets are found once per series, so that a window costs the same
 * however long it is.
 */
public final class CounterFunction implements RangeFunction {
    private final boolean counter;
    private final boolean perSecond;
    private final boolean typeLabels;
    private final CounterResets counterResets = new CounterResets();
    private final ExtendedEdges extended;
    /** How many of the histograms up to each are gauges. */
    private int[] gauges = new int[0];
    /** How many resets there are up to each histogram. */
    private int[] resetsUpTo = new int[0];
    /** Before which histograms. */
    private int[] resetAt = new int[0];
    /** Whether all histograms have one resolution, as those of one series nearly always do. */
    private boolean uniform;
    /** Whether no histogram is a gauge by its hint. */
    private boolean counters;
    private final HistogramSum sum = new HistogramSum();
    /** What rows of histograms are made in where they may be {@link Row#flat}; null where they may not. */
    private @Nullable HistogramRow flat;
    /** The custom bounds of {@link #sum}. */
    private double[] bounds = FloatHistogram.NO_BUCKETS;
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
        this.extended = new ExtendedEdges(counter, perSecond);
    }

    @Override
    public int bytesPerSample() {
        return 40;
    }

    @Override
    public boolean looksAtEnds() {
        return true;
    }

    @Override
    public void apply(Windows w, Row out, Notes notes) {
        if (w.edges != Edges.NORMAL) {
            extended.rate(w, out, notes);
            if (counter) {
                noteNonCounter(w, out, notes);
            }
            return;
        }
        scale = perSecond ? 1 / w.seconds : 1;
        if (counter) {
            counterResets.find(w, w.starts);
        } else {
            counterResets.none();
        }
        if (w.histogramSize > 0) {
            prepareHistograms(w);
        }
        if (counter && w.useStartTimestamps && (w.starts != null || w.histogramStarts != null)) {
            noteOverlaps(w, notes);
        }
        if (w.histogramSize == 0 && w.starts == null) {
            floats(w, out.values);
        } else if (!flat(w, out)) {
            for (int i = 0; i < w.grid.count(); i++) {
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

    /** Floats alone, without start timestamps: what nearly all series are. Steps whose windows are alike are done in one go. */
    private void floats(Windows w, double[] out) {
        int steps = w.grid.count();
        int from = w.steadyFrom;
        int to = w.steadyTo;
        int done = 0;
        if (w.growTo - w.growFrom >= 4 && counterResets.count() == 0) {
            floats(w, out, 0, w.growFrom);
            growing(w, out, w.growFrom, w.growTo);
            done = w.growTo;
        }
        if (to - from < 4 || w.hi[from] - w.lo[from] < 2) {
            floats(w, out, done, steps);
            return;
        }
        floats(w, out, done, from);
        int each = w.steadyEach;
        int lo = w.lo[from];
        int last = w.hi[from] - 1;
        done = from;
        for (int i = 0; i < counterResets.count() && done < to; i++) {
            int reset = counterResets.at(i);
            // Windows with the reset inside: not those that end before it, nor those that begin with it.
            int first = Math.max(done, Math.min(to, from + Math.max(0, reset - last + each - 1) / each));
            int behind = Math.max(first, Math.min(to, from + Math.max(0, reset - lo + each - 1) / each));
            steady(w, out, done, first);
            floats(w, out, first, behind);
            done = behind;
        }
        steady(w, out, done, to);
        floats(w, out, to, steps);
    }

    /** Windows that begin long before the first float, each with some more floats than the one before, and without resets. */
    private void growing(Windows w, double[] out, int from, int to) {
        double[] v = w.values;
        int each = w.steadyEach;
        int last = w.hi[from] - 1;
        double first = v[0];
        double distance = w.times[1] - w.times[0];
        double toStart = distance / 2;
        double toEnd = w.end(from) - w.times[last];
        for (int i = from; i < to; i++) {
            double sampled = last * distance;
            double result = v[last] - first;
            double f = counter && sampled * first < toStart * result && result > 0 && first >= 0
                    ? fromZero(sampled, first, result, toEnd)
                    : (sampled + toStart + toEnd) / sampled * scale;
            out[i] = result * f;
            last += each;
        }
    }

    /** Windows that are alike and have no reset inside. */
    private void steady(Windows w, double[] out, int from, int to) {
        if (from >= to) {
            return;
        }
        double[] v = w.values;
        int lo = w.lo[from];
        int last = w.hi[from] - 1;
        int each = w.steadyEach;
        long rangeEnd = w.end(from);
        double sampled = w.times[last] - w.times[lo];
        double toStart = reach(w.times[lo] - rangeEnd + w.range, sampled, last - lo);
        double toEnd = reach(rangeEnd - w.times[last], sampled, last - lo);
        double factor = (sampled + toStart + toEnd) / sampled * scale;
        // Counters rise from here on: once even the whole rise would not reach zero backwards, no single one does.
        boolean rises = counter && each == 1 && !counterResets.hasNaN();
        double end = v[last + each * (to - from - 1)];
        int i = from;
        for (; i < to && (counter || each > 1); i++) {
            double first = v[lo];
            if (rises && first >= 0 && sampled * first >= toStart * (end - first)) {
                break;
            }
            double result = v[last] - first;
            double f = factor;
            if (counter && sampled * first < toStart * result && result > 0 && first >= 0) {
                f = fromZero(sampled, first, result, toEnd);
            }
            out[i] = result * f;
            lo += each;
            last += each;
        }
        extrapolate(v, lo, last, factor, out, i, to);
    }

    private static void extrapolate(double[] v, int lo, int last, double factor, double[] out, int from, int to) {
        int l = lo - from;
        int h = last - from;
        for (int i = from; i < to; i++) {
            out[i] = (v[h + i] - v[l + i]) * factor;
        }
    }

    /** The factor of a counter that would have been below zero at the begin of the range: it is taken to begin at zero. */
    private double fromZero(double sampled, double first, double result, double toEnd) {
        return (sampled + sampled * (first / result) + toEnd) / sampled * scale;
    }

    private void floats(Windows w, double[] out, int from, int to) {
        if (from >= to) {
            return;
        }
        int[] los = w.lo;
        int[] his = w.hi;
        long[] t = w.times;
        double[] v = w.values;
        int resetsTo = counterResets.count();
        int rl = 0;
        int rh = 0;
        double range = w.range;
        long rangeEnd = w.end(from);
        long each = w.pinned ? 0 : w.grid.step();
        for (int i = from; i < to; i++, rangeEnd += each) {
            int lo = los[i];
            int last = his[i] - 1;
            if (last <= lo) {
                continue;
            }
            double before = t[lo] - rangeEnd + w.range;
            double after = rangeEnd - t[last];
            double sampled = range - before - after;
            double gaps = last - lo;
            double toStart = reach(before, sampled, gaps);
            double toEnd = reach(after, sampled, gaps);
            double first = v[lo];
            double result = v[last] - first;
            if (resetsTo > 0) {
                while (rl < resetsTo && counterResets.at(rl) <= lo) {
                    rl++;
                }
                while (rh < resetsTo && counterResets.at(rh) <= last) {
                    rh++;
                }
                if (rh > rl) {
                    result = counterResets.addLost(result, rl, rh);
                }
            }
            double f = counter && sampled * first < toStart * result && result > 0 && first >= 0
                    ? fromZero(sampled, first, result, toEnd)
                    : (sampled + toStart + toEnd) / sampled * scale;
            out[i] = result * f;
        }
    }

    private double floatResult(Windows w, int step, int lo, int hi) {
        double first = w.values[lo];
        double result = counterResets.add(w.values[hi - 1] - first, lo, hi - 1);
        return result * factor(w, step, w.times[lo], w.times[hi - 1], hi - lo, result, first);
    }

    /**
     * How far a series is taken to go on beyond a sample: to the range's end, or for half the mean distance of samples where the end is at least 1.1
     * times that away. Multiplied out, without a division, where it is clear which. Small, so that it is compiled into the loops that ask it twice
     * per window.
     */
    private static double reach(double distance, double sampled, double gaps) {
        double over = distance * gaps - sampled * 1.1;
        if (Math.abs(over) > sampled * 1e-9) {
            return over > 0 ? sampled / gaps / 2 : distance;
        }
        return reachNearlyEqual(distance, sampled, gaps);
    }

    /** The same by the steps in seconds that Prometheus takes: as good as equal, as with round intervals, their rounding decides. */
    private static double reachNearlyEqual(double distance, double sampled, double gaps) {
        return distance / 1000.0 >= sampled / 1000.0 / gaps * 1.1 ? sampled / gaps / 2 : distance;
    }

    /** How much the range is longer than the span between first and last sample, as far as the series is taken to go on. */
    private double factor(Windows w, int step, long firstTime, long lastTime, int n, double result, double first) {
        long rangeEnd = w.end(step);
        double sampled = lastTime - firstTime;
        int gaps = n - 1;
        double toStart = reach(firstTime - (rangeEnd - w.range), sampled, gaps);
        if (counter && result > 0 && first >= 0 && sampled * first < toStart * result) {
            toStart = sampled * (first / result);
        }
        double toEnd = reach(rangeEnd - lastTime, sampled, gaps);
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
        double result = counterResets.add(w.values[hi - 1] - w.values[lo], lo, hi - 1) + w.values[lo];
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
        return perSecond ? factor / w.seconds : factor;
    }

    private void noteOverlaps(Windows w, Notes notes) {
        int steps = w.grid.count();
        int overlaps = StartTimestamps.overlappingSteps(w.starts, w.times, w.size, w.lo, w.hi, w.histogramLo, w.histogramHi, steps);
        if (w.histogramSize > 0) {
            overlaps += StartTimestamps.overlappingSteps(w.histogramStarts, w.histogramTimes, w.histogramSize, w.histogramLo,
                    w.histogramHi, w.lo, w.hi, steps);
        }
        if (overlaps > 0) {
            notes.warnCounted(w.position, "sample has start time that overlaps with previous sample timestamp for metric "
                    + GoQuote.quote(w.metric()), overlaps);
        }
    }

    private void prepareHistograms(Windows w) {
        int n = w.histogramSize;
        if (gauges.length <= n) {
            gauges = new int[n + 1];
            resetsUpTo = new int[n + 1];
            resetAt = new int[n];
        }
        FloatHistogram[] h = w.histograms;
        int gauge = 0;
        int reset = 0;
        uniform = true;
        long[] starts = w.histogramStarts;
        for (int i = 0; i < n; i++) {
            if (i > 0 && h[i] == h[i - 1] && starts == null && h[i].hint() == CounterResetHint.NOT_RESET) {
                // One that nobody looks at, which the one before stands for.
                gauges[i + 1] = gauge;
                resetsUpTo[i + 1] = reset;
                continue;
            }
            gauge += h[i].hint() == CounterResetHint.GAUGE ? 1 : 0;
            uniform &= h[i].schema() == h[0].schema();
            if (counter && i > 0 && (starts != null
                    && StartTimestamps.isReset(starts[i - 1], w.histogramTimes[i - 1], starts[i], w.histogramTimes[i])
                    || h[i].isResetAfter(h[i - 1]))) {
                resetAt[reset++] = i;
            }
            gauges[i + 1] = gauge;
            resetsUpTo[i + 1] = reset;
        }
        counters = gauge == 0;
    }

    @Override
    public void allowFlat() {
        if (counter && flat == null) {
            flat = new HistogramRow();
        }
    }

    @Override
    public long flatBytes() {
        return flat == null ? 0 : flat.bytes();
    }

    /**
     * Histograms that need no reconciling, and no notes, in flat arrays: what {@link #histogramResult} comes to. False where they are others, or
     * where nobody wants them so; the row is as it was then.
     */
    private boolean flat(Windows w, Row out) {
        HistogramRow row = flat;
        if (row == null || w.size > 0 || w.histogramSize == 0 || w.histogramStarts != null || !uniform || !counters
                || !row.begin(w.grid.count(), w.histograms, w.histogramSize)) {
            return false;
        }
        for (int step = 0; step < w.grid.count(); step++) {
            int lo = w.histogramLo[step];
            int hi = w.histogramHi[step];
            if (hi - lo < 2) {
                continue;
            }
            FloatHistogram first = w.histograms[lo];
            row.set(w.histograms[hi - 1]);
            boolean skipFirst = isReset(lo + 1);
            if (!skipFirst) {
                row.add(first, -1);
            }
            for (int r = resetsUpTo[lo + 1]; r < resetsUpTo[hi]; r++) {
                if (resetAt[r] != lo + 1) {
                    row.add(w.histograms[resetAt[r] - 1], 1);
                }
            }
            double factor = factor(w, step, w.histogramTimes[lo], w.histogramTimes[hi - 1], hi - lo, row.count(), first.count());
            if (!row.put(step, factor)) {
                return false;
            }
        }
        if (row.points() > 0) {
            out.flat = row;
        }
        return true;
    }

    private boolean isReset(int i) {
        return resetsUpTo[i + 1] > resetsUpTo[i];
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
        boolean skipFirst = hi - lo > 1 && isReset(lo + 1);
        boolean custom = (skipFirst ? w.histograms[lo + 1] : first).usesCustomBuckets();
        mixed = last.usesCustomBuckets() != custom;
        int minSchema = skipFirst ? Math.min(last.schema(), w.histograms[lo + 1].schema()) : Math.min(last.schema(), first.schema());
        if (counter) {
            gauge = gauges[hi] > gauges[lo];
            for (int i = lo + 1; i < hi - 1 && !mixed && !uniform; i++) {
                FloatHistogram h = w.histograms[i];
                mixed = h.usesCustomBuckets() != custom;
                minSchema = Math.min(minSchema, h.schema());
            }
        }
        if (mixed) {
            if (counter && last.usesCustomBuckets() != custom
                    && (first.hint() == CounterResetHint.GAUGE || last.hint() == CounterResetHint.GAUGE)) {
                noteNoCounter(w, notes);
            }
            noteMixedSchemas(w, notes);
            return;
        }
        sum.set(last);
        sum.toSchema(minSchema);
        bounds = last.customValues();
        boolean reconciledSub = false;
        boolean reconciledAdd = false;
        if (!skipFirst && start < 0) {
            reconciledSub = reconciles(first);
            if (!sum.subtract(first)) {
                noteMixedSchemas(w, notes);
                return;
            }
            combined(reconciledSub);
        } else if (skipFirst && custom) {
            // In place of the first sample nothing is subtracted, but it has the bounds of the second one.
            FloatHistogram second = w.histograms[lo + 1];
            if (reconciles(second)) {
                reconciledSub = true;
                sum.subtract(nothing(second));
                combined(true);
                reconciledAdd = second.hint() == CounterResetHint.RESET && reconciles(second);
            }
        }
        if (counter) {
            for (int r = resetsUpTo[lo + 1]; r < resetsUpTo[hi]; r++) {
                int i = resetAt[r];
                if (i == lo + 1 && start < 0) {
                    continue;
                }
                FloatHistogram lost = w.histograms[i - 1];
                boolean reconciled = reconciles(lost);
                reconciledAdd |= reconciled;
                if (!sum.add(lost)) {
                    noteMixedSchemas(w, notes);
                    return;
                }
                combined(reconciled);
            }
            if (gauge) {
                noteNoCounter(w, notes);
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

    /** Whether a histogram has custom bounds that are not those of the sum. */
    private boolean reconciles(FloatHistogram h) {
        return h.usesCustomBuckets() && !Arrays.equals(bounds, h.customValues());
    }

    private void combined(boolean reconciled) {
        if (reconciled) {
            bounds = sum.result().customValues();
        }
    }

    /** No observations in custom buckets. */
    private static FloatHistogram nothing(FloatHistogram like) {
        return new FloatHistogram(CounterResetHint.UNKNOWN, like.schema(), 0, 0, 0, 0, List.of(), FloatHistogram.NO_BUCKETS, List.of(),
                FloatHistogram.NO_BUCKETS, like.customValues());
    }

    static void noteNoCounter(Windows w, Notes notes) {
        notes.warn(w.position, "this native histogram metric is not a counter: " + GoQuote.quote(w.metric()));
    }

    static void noteMixedSchemas(Windows w, Notes notes) {
        notes.warn(w.position, "vector contains a mix of histograms with exponential and custom buckets schemas for metric name "
                + GoQuote.quote(w.metric()));
    }
}

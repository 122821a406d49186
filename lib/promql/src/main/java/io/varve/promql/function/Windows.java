package io.varve.promql.function;

import io.varve.model.FloatHistogram;
import io.varve.model.Labels;
import io.varve.model.SampleBuffer;
import io.varve.model.WindowEnds;
import io.varve.promql.parser.Position;
import io.varve.promql.parser.VectorSelector.Edges;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The samples of one series as a range function sees them: floats and histograms apart, stale markers gone, and for each step where
 * its window {@code (start, end]} begins and ends. Reused from series to series; one thread. Fields are public for hot loops.
 */
public final class Windows {
    private static final long LARGE = 1 << 30;

    /** When functions are evaluated. */
    public final Grid grid;
    /** Length of the window in milliseconds. */
    public final long range;
    /** The same in seconds as it was written, with what is less than a millisecond: what a rate is divided by. */
    public final double seconds;
    /** How far windows lie back; not with {@link #pinned}. */
    public final long offset;
    /** Whether all windows are the same, ending at {@link #pin}. */
    public final boolean pinned;
    /** Where they end then. */
    public final long pin;
    /** What happens at the edges. */
    public final Edges edges;
    /** How far {@code anchored} and {@code smoothed} look beyond the edges. */
    public final long lookback;
    /** Where the range selector stands in the query, for notes. */
    public final Position position;
    /** Whether start timestamps tell resets. */
    public final boolean useStartTimestamps;

    /** The labels of the series. */
    public Labels labels = Labels.EMPTY;
    /** Times of the floats. */
    public long[] times = new long[0];
    /** The floats. */
    public double[] values = new double[0];
    /** Start timestamps of the floats, or null. */
    public long @Nullable [] starts;
    /** How many floats. */
    public int size;
    /** Whether it is known that none of the floats is less than the one before, and that all are numbers. */
    public boolean rising;
    /** By step: the first float in the window. */
    public int[] lo;
    /** By step: the first float behind the window. */
    public int[] hi;
    /**
     * The first of those steps whose windows of floats begin and end {@link #steadyEach} samples after the one before, at regular times:
     * they are alike but for the floats. None where this is {@link #steadyTo}.
     */
    public int steadyFrom;
    /** The step behind the last of them. */
    public int steadyTo;
    /** How many samples they are apart. */
    public int steadyEach;
    /**
     * The first of those steps whose windows of floats begin more than two samples' distance before the first of all, and end
     * {@link #steadyEach} samples after the one before, at regular times: they differ in their last float alone. None where this is
     * {@link #growTo}.
     */
    public int growFrom;
    /** The step behind the last of them. */
    public int growTo;
    /** Times of the histograms. */
    public long[] histogramTimes = new long[0];
    /** The histograms. */
    public FloatHistogram[] histograms = new FloatHistogram[0];
    /** Start timestamps of the histograms, or null. */
    public long @Nullable [] histogramStarts;
    /** How many histograms. */
    public int histogramSize;
    /** By step: the first histogram in the window. */
    public int[] histogramLo = new int[0];
    /** By step: the first histogram behind the window. */
    public int[] histogramHi = new int[0];

    /** Of the last {@link #bounds}: samples in all windows together. */
    private long inWindows;
    /** Of the last {@link #bounds}: samples in at least one window. */
    private long readOnce;
    private long floatsInWindows;
    private long[] sizesBefore = new long[0];
    private long floatsRead;
    /** What {@link #lo} and {@link #hi} were found for, where times were as regular as steps: most series of a query are alike. */
    private long regularFirst;
    private long regularDistance;
    private int regularSize = -1;
    private final Runnable check;
    private long[] ownTimes = new long[0];
    private double[] ownValues = new double[0];
    private long[] ownStarts = new long[0];

    /**
     * @param rangeNanos how long windows are, as it was written; whole milliseconds tell which samples lie in them
     * @param at the instant that {@code @} pins the window to, null where there is none
     * @param check called before arrays are made and between stages; throws where the query is over
     */
    public Windows(Grid grid, long rangeNanos, long offset, @Nullable Long at, Edges edges, long lookback, Position position,
            boolean useStartTimestamps, Runnable check) {
        this.check = check;
        this.grid = grid;
        this.range = rangeNanos / 1_000_000;
        this.seconds = rangeNanos / 1_000_000_000 + rangeNanos % 1_000_000_000 / 1e9;
        this.offset = offset;
        this.pinned = at != null;
        this.pin = at == null ? 0 : at - offset;
        this.edges = edges;
        this.lookback = lookback;
        this.position = position;
        this.useStartTimestamps = useStartTimestamps;
        this.lo = new int[grid.count()];
        this.hi = new int[grid.count()];
    }

    /** What to ask of a series for a function that looks at the histograms at the ends of windows alone; null where it looks beyond. */
    public @Nullable WindowEnds ends() {
        return edges == Edges.NORMAL ? new WindowEnds(end(0), pinned || grid.count() < 2 ? 0 : grid.step(), range) : null;
    }

    /** Where the window of a step ends. */
    public long end(int step) {
        return pinned ? pin : grid.at(step) - offset;
    }

    /** The instant that the window of a step begins after. */
    public long start(int step) {
        return end(step) - range;
    }

    /** The name of the metric, "" where it is not known. */
    public String metric() {
        return labels.metricName();
    }

    /** Whether there is any sample. */
    public boolean isEmpty() {
        return size == 0 && histogramSize == 0;
    }

    /** Looks whether the query is over, and throws then. */
    void check() {
        check.run();
    }

    /** Takes the samples of a series; they are used in place where possible and must stay until the next call. */
    public void load(Labels seriesLabels, SampleBuffer samples) {
        labels = seriesLabels;
        long[] st = useStartTimestamps ? samples.startTimestamps : null;
        rising = samples.histograms == null && rises(samples.values, samples.size);
        if (rising || samples.histograms == null && noStale(samples.values, samples.size)) {
            times = samples.timestamps;
            values = samples.values;
            size = samples.size;
            starts = st;
            histogramSize = 0;
        } else {
            split(samples, st);
        }
        check.run();
        long before = edges == Edges.NORMAL ? 0 : lookback;
        long after = edges == Edges.SMOOTHED ? lookback : 0;
        if (histogramSize > 0) {
            if (histogramLo.length < grid.count()) {
                histogramLo = new int[grid.count()];
                histogramHi = new int[grid.count()];
            }
            bounds(histogramTimes, histogramSize, pinned ? 0 : distance(histogramTimes, histogramSize), before, after, histogramLo,
                    histogramHi);
            regularSize = -1;
            sumSizes();
        } else {
            Arrays.fill(histogramLo, 0);
            Arrays.fill(histogramHi, 0);
        }
        long distance = pinned ? 0 : distance(times, size);
        if (distance > 0 && regularSize == size && regularDistance == distance && regularFirst == times[0]) {
            return;
        }
        regularSize = -1;
        bounds(times, size, distance, before, after, lo, hi);
        floatsInWindows = inWindows;
        floatsRead = readOnce;
        if (steadyEach > 0) {
            regularSize = size;
            regularDistance = distance;
            regularFirst = times[0];
        }
    }

    /** Lets go of the histograms of the series: they are many times as large as the arrays that stay. */
    public void forgetHistograms() {
        Arrays.fill(histograms, 0, histogramSize, null);
        histogramSize = 0;
    }

    /** Whether no float is less than the one before, nor not a number, as stale markers are. */
    private static boolean rises(double[] v, int n) {
        double previous = Double.NEGATIVE_INFINITY;
        for (int i = 0; i < n; i++) {
            double x = v[i];
            if (!(x >= previous)) {
                return false;
            }
            previous = x;
        }
        return true;
    }

    private static boolean noStale(double[] v, int n) {
        for (int i = 0; i < n; i++) {
            if (Double.doubleToRawLongBits(v[i]) == SampleBuffer.STALE_NAN_BITS) {
                return false;
            }
        }
        return true;
    }

    private void split(SampleBuffer samples, long @Nullable [] st) {
        int n = samples.size;
        ownTimes = Room.longs(ownTimes, n, check);
        ownValues = Room.doubles(ownValues, n, check);
        ownStarts = st == null ? ownStarts : Room.longs(ownStarts, n, check);
        int h = 0;
        if (samples.histograms != null) {
            if (histograms.length < n) {
                histograms = new FloatHistogram[n];
                histogramTimes = new long[n];
                histogramStarts = null;
            }
            if (st != null && (histogramStarts == null || histogramStarts.length < n)) {
                histogramStarts = new long[histograms.length];
            }
        }
        if (st == null) {
            histogramStarts = null;
        }
        int f = 0;
        for (int i = 0; i < n; i++) {
            FloatHistogram histogram = samples.histogram(i);
            if (histogram != null) {
                if (histogram.isStale()) {
                    continue;
                }
                histograms[h] = histogram;
                histogramTimes[h] = samples.timestamps[i];
                if (st != null && histogramStarts != null) {
                    histogramStarts[h] = st[i];
                }
                h++;
            } else if (Double.doubleToRawLongBits(samples.values[i]) != SampleBuffer.STALE_NAN_BITS) {
                ownTimes[f] = samples.timestamps[i];
                ownValues[f] = samples.values[i];
                if (st != null) {
                    ownStarts[f] = st[i];
                }
                f++;
            }
        }
        times = ownTimes;
        values = ownValues;
        starts = st == null ? null : ownStarts;
        size = f;
        histogramSize = h;
    }

    private void bounds(long[] t, int n, long distance, long before, long after, int[] from, int[] to) {
        int steps = grid.count();
        steadyFrom = 0;
        steadyTo = 0;
        steadyEach = 0;
        growFrom = 0;
        growTo = 0;
        if (steps == 0) {
            return;
        }
        long length = range + before + after;
        if (pinned) {
            int h = 0;
            while (h < n && t[h] <= pin + after) {
                h++;
            }
            int l = 0;
            while (l < h && t[l] <= pin - range - before) {
                l++;
            }
            Arrays.fill(from, 0, steps, l);
            Arrays.fill(to, 0, steps, h);
            inWindows = (long) (h - l) * steps;
            readOnce = h - l;
            return;
        }
        long step = grid.step();
        long end = grid.start() - offset + after;
        if (distance > 0 && step % distance == 0 && regular(t[0], n, distance, end, length, from, to)) {
            return;
        }
        notAfter(t, n, end, step, steps, to);
        // A window begins where one that lies its length further back ends.
        int own = length % step == 0 ? (int) Math.min(steps, length / step) : steps;
        notAfter(t, n, end - length, step, own, from);
        System.arraycopy(to, 0, from, own, steps - own);
        count(length, from, to);
    }

    /** The bounds where times are as regular as steps: both move on evenly. */
    private boolean regular(long first, int n, long distance, long end, long length, int[] from, int[] to) {
        int steps = grid.count();
        long each = grid.step() / distance;
        long high = Math.floorDiv(end - first, distance) + 1;
        long low = Math.floorDiv(end - length - first, distance) + 1;
        if (low < -LARGE || high > LARGE || each * steps > LARGE) {
            return false;
        }
        evenly((int) high, (int) each, n, steps, to);
        evenly((int) low, (int) each, n, steps, from);
        int ends = (int) (high > n ? 0 : Math.min(steps, (n - high) / each + 1));
        steadyFrom = (int) Math.min(steps, low >= 0 ? 0 : (-low + each - 1) / each);
        steadyTo = Math.max(steadyFrom, ends);
        growFrom = (int) Math.min(steps, high >= 2 ? 0 : (2 - high + each - 1) / each);
        growTo = (int) Math.max(growFrom, low > -2 ? 0 : Math.min(ends, (-2 - low) / each + 1));
        steadyEach = (int) each;
        count(length, from, to);
        return true;
    }

    private static void evenly(int first, int each, int n, int steps, int[] out) {
        for (int i = 0; i < steps; i++) {
            out[i] = Math.max(0, Math.min(n, first + i * each));
        }
    }

    private void count(long length, int[] from, int[] to) {
        int steps = grid.count();
        long total = 0;
        // In parts whose sums fit an int: those are added several at once.
        int most = Math.max(1, Integer.MAX_VALUE / Math.max(1, to[steps - 1] - from[0]));
        for (int i = 0; i < steps;) {
            int end = (int) Math.min(steps, (long) i + most);
            int part = 0;
            for (; i < end; i++) {
                part += to[i] - from[i];
            }
            total += part;
        }
        inWindows = total;
        // Windows that touch cover everything between the first and the last; others share nothing.
        readOnce = length >= grid.step() ? to[steps - 1] - from[0] : total;
    }

    /** By step: how many times are not after an instant that moves on by {@code step}. */
    private static void notAfter(long[] t, int n, long first, long step, int steps, int[] out) {
        long end = first;
        int h = 0;
        for (int i = 0; i < steps; i++) {
            while (h < n && t[h] <= end) {
                h++;
            }
            out[i] = h;
            end += step;
        }
    }

    /** The distance of neighbours where it is the same for all, else 0. */
    public static long distance(long[] t, int n) {
        if (n < 2) {
            return 0;
        }
        long d = t[1] - t[0];
        // In parts without a branch, so that several are looked at at once.
        for (int i = 2; i < n;) {
            int end = Math.min(n, i + 64);
            long other = 0;
            for (; i < end; i++) {
                other |= t[i] - t[i - 1] ^ d;
            }
            if (other != 0) {
                return 0;
            }
        }
        return d;
    }

    /** Floats in all windows together; one in two windows counts twice. */
    public long floatsInWindows() {
        return floatsInWindows;
    }

    /** Samples in all windows together, counted as Prometheus does; one in two windows counts twice. */
    public long samplesInWindows(long @Nullable [] perStep) {
        if (histogramSize == 0 && perStep == null) {
            return floatsInWindows;
        }
        long total = 0;
        for (int i = 0; i < grid.count(); i++) {
            long c = hi[i] - lo[i];
            if (histogramSize > 0) {
                c += sizesBefore[histogramHi[i]] - sizesBefore[histogramLo[i]];
            }
            total += c;
            if (perStep != null) {
                perStep[i] += c;
            }
        }
        return total;
    }

    /** Samples in at least one window, each counted at the first step whose window holds it. */
    public long samplesRead(long @Nullable [] perStep) {
        if (histogramSize == 0 && perStep == null) {
            return floatsRead;
        }
        long read = 0;
        int seen = 0;
        int histogramsSeen = 0;
        for (int i = 0; i < grid.count(); i++) {
            long c = Math.max(0, hi[i] - Math.max(seen, lo[i]));
            seen = Math.max(seen, hi[i]);
            if (histogramSize > 0) {
                int from = Math.max(histogramsSeen, histogramLo[i]);
                int to = histogramHi[i];
                if (to > from) {
                    c += sizesBefore[to] - sizesBefore[from];
                    histogramsSeen = to;
                }
            }
            read += c;
            if (perStep != null) {
                perStep[i] += c;
            }
        }
        return read;
    }

    /** Sums over the sizes of histograms, so that windows need not be walked to count them. */
    private void sumSizes() {
        if (sizesBefore.length <= histogramSize) {
            sizesBefore = new long[histograms.length + 1];
        }
        int same = 0;
        for (int i = 0; i < histogramSize; i++) {
            if (i == 0 || histograms[i] != histograms[i - 1]) {
                same = histograms[i].sampleSize();
            }
            sizesBefore[i + 1] = sizesBefore[i] + same;
        }
    }

    /** Bytes of memory that its own arrays hold once a series of so many samples, some of them histograms, was loaded. */
    public long bytes(int samples) {
        return (24L + (histograms.length > 0 ? 20 : 0)) * samples + 16L * lo.length;
    }
}

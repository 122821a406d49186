package io.varve.querier.dedup;

import io.varve.model.CounterResetHint;
import io.varve.model.FloatHistogram;
import io.varve.model.SampleBuffer;
import org.jspecify.annotations.Nullable;

/** Copies of runs of samples and other small work on sample arrays. */
public final class Samples {
    private Samples() {
    }

    /** Appends samples {@code from} to {@code to} (excluded) of {@code in}. */
    public static void append(SampleBuffer in, int from, int to, SampleBuffer out) {
        int n = to - from;
        if (n <= 0) {
            return;
        }
        out.ensure(n);
        System.arraycopy(in.timestamps, from, out.timestamps, out.size, n);
        System.arraycopy(in.values, from, out.values, out.size, n);
        @Nullable
        FloatHistogram @Nullable [] h = in.histograms;
        if (h != null) {
            System.arraycopy(h, from, out.histogramArray(), out.size, n);
        } else if (out.histograms != null) {
            java.util.Arrays.fill(out.histograms, out.size, out.size + n, null);
        }
        long @Nullable [] st = in.startTimestamps;
        if (st != null) {
            System.arraycopy(st, from, out.startTimestampArray(), out.size, n);
        } else if (out.startTimestamps != null) {
            java.util.Arrays.fill(out.startTimestamps, out.size, out.size + n, 0);
        }
        out.size += n;
    }

    /**
     * Appends all samples of {@code in}, of which nothing may be read afterwards. Where {@code out} is empty, arrays change hands instead, but
     * for those that are mostly room: who keeps samples would keep that.
     */
    static void move(SampleBuffer in, SampleBuffer out) {
        if (out.size > 0 || in.size < in.timestamps.length / 2) {
            append(in, 0, in.size, out);
            return;
        }
        long[] t = out.timestamps;
        double[] v = out.values;
        out.timestamps = in.timestamps;
        out.values = in.values;
        out.histograms = in.histograms;
        out.startTimestamps = in.startTimestamps;
        out.size = in.size;
        in.clear();
        in.timestamps = t;
        in.values = v;
    }

    /** Drops what lies outside {@code min} to {@code max}, both included. */
    public static void cut(SampleBuffer b, int from, long min, long max) {
        int lo = from;
        while (lo < b.size && b.timestamps[lo] < min) {
            lo++;
        }
        int hi = b.size;
        while (hi > lo && b.timestamps[hi - 1] > max) {
            hi--;
        }
        int n = hi - lo;
        if (lo > from && n > 0) {
            System.arraycopy(b.timestamps, lo, b.timestamps, from, n);
            System.arraycopy(b.values, lo, b.values, from, n);
            if (b.histograms != null) {
                System.arraycopy(b.histograms, lo, b.histograms, from, n);
            }
            if (b.startTimestamps != null) {
                System.arraycopy(b.startTimestamps, lo, b.startTimestamps, from, n);
            }
        }
        b.size = from + n;
    }

    /** Whether sample {@code i} is a stale marker. */
    static boolean isStale(SampleBuffer b, int i) {
        FloatHistogram h = b.histogram(i);
        return h == null ? SampleBuffer.isStale(b.values[i]) : h.isStale();
    }

    /** The first index at or after {@code from} whose time is at least {@code t}; {@code size} where there is none. */
    public static int lowerBound(SampleBuffer b, int from, long t) {
        int lo = from;
        int hi = b.size;
        while (lo < hi) {
            int mid = lo + hi >>> 1;
            if (b.timestamps[mid] < t) {
                lo = mid + 1;
            } else {
                hi = mid;
            }
        }
        return lo;
    }

    /** The value at {@code t} on the line between two floats, or that of the one where both are the same. */
    public static double onLine(SampleBuffer b, int from, int to, long t) {
        if (from == to) {
            return b.values[from];
        }
        double part = (double) (t - b.timestamps[from]) / (b.timestamps[to] - b.timestamps[from]);
        return b.values[from] + (b.values[to] - b.values[from]) * part;
    }

    /** Takes back what a histogram says about a reset before it: its neighbour is another one now. */
    static void forgetHint(SampleBuffer b, int i) {
        FloatHistogram h = b.histogram(i);
        if (h == null || h.hint() == CounterResetHint.GAUGE || h.hint() == CounterResetHint.UNKNOWN) {
            return;
        }
        b.histogramArray()[i] = new FloatHistogram(CounterResetHint.UNKNOWN, h.schema(), h.zeroThreshold(), h.zeroCount(), h.count(),
                h.sum(),
                h.positiveSpans(), h.positiveBuckets(), h.negativeSpans(), h.negativeBuckets(), h.customValues());
    }
}

package io.varve.promql.function;

import io.varve.model.GoFloat;
import io.varve.model.InvalidRequestException;

/**
 * {@code double_exponential_smoothing} (Holt-Winters without seasons).
 *
 * <p>
 * A sample x changes level and trend by a matrix that depends on the two factors alone, and adds x times a vector. So what a window
 * comes to is that matrix to the power of its length, applied to what its first two samples begin with, and a weighted sum over the
 * rest; and that sum can be put together of an older and a newer part like any other.
 */
public final class Smoothing implements RangeFunction {
    private static final int DIRECT = 2;

    private final double[] smoothing;
    private final double[] trend;
    private final Runnable check;
    private final boolean sameFactors;
    /** The matrix to the power of i, row by row, for each i below {@link #known}. */
    private final Records powers;
    private int known;
    /** Level and trend that the samples behind one come to at the end of the older part, had all before been zero. */
    private double[] levels = new double[0];
    private double[] trends = new double[0];
    private long work;

    /**
     * @param smoothing factor by step
     * @param trend factor by step
     * @param check called now and then; throws where the query is over
     */
    public Smoothing(double[] smoothing, double[] trend, Runnable check) {
        this.smoothing = smoothing;
        this.trend = trend;
        this.check = check;
        this.powers = new Records(4, check);
        boolean same = true;
        for (int i = 1; i < smoothing.length; i++) {
            same &= smoothing[i] == smoothing[0] && trend[i] == trend[0];
        }
        this.sameFactors = same;
    }

    @Override
    public int bytesPerSample() {
        return 48;
    }

    @Override
    public void apply(Windows w, Row out, Notes notes) {
        int steps = w.grid.count();
        for (int i = 0; i < steps; i++) {
            boolean floats = w.hi[i] > w.lo[i];
            boolean histograms = MixedTypes.hasHistograms(w, i);
            if (floats || histograms) {
                checkFactors(smoothing[i], trend[i]);
            }
            if (floats && histograms) {
                MixedTypes.noteIgnored(w, notes);
            }
        }
        if (sameFactors && w.floatsInWindows() > (long) DIRECT * w.size && noGiants(w.values, w.size)) {
            slide(w, out.values);
            return;
        }
        for (int i = 0; i < steps; i++) {
            if (w.hi[i] - w.lo[i] >= 2) {
                out.values[i] = direct(w.values, w.lo[i], w.hi[i], smoothing[i], trend[i]);
            }
        }
    }

    /** Whether nothing overflows on the way that is finite: which sample it happens at depends on where the window begins. */
    private static boolean noGiants(double[] v, int n) {
        for (int i = 0; i < n; i++) {
            double x = Math.abs(v[i]);
            if (x > 1e290 && x <= Double.MAX_VALUE) {
                return false;
            }
        }
        return true;
    }

    private static void checkFactors(double sf, double tf) {
        if (sf <= 0 || sf >= 1) {
            throw new InvalidRequestException(InvalidRequestException.Kind.EXECUTION,
                    "invalid smoothing factor. Expected: 0 < sf < 1, got: " + GoFloat.fixed(sf, 6));
        }
        if (tf <= 0 || tf >= 1) {
            throw new InvalidRequestException(InvalidRequestException.Kind.EXECUTION,
                    "invalid trend factor. Expected: 0 < tf < 1, got: " + GoFloat.fixed(tf, 6));
        }
    }

    private double direct(double[] v, int lo, int hi, double sf, double tf) {
        double s0 = 0;
        double s1 = v[lo];
        double b = v[lo + 1] - v[lo];
        for (int j = lo + 1; j < hi; j++) {
            if (j > lo + 1) {
                b = tf * (s1 - s0) + (1 - tf) * b;
            }
            double next = sf * v[j] + (1 - sf) * (s1 + b);
            s0 = s1;
            s1 = next;
            if (Double.isNaN(s1)) {
                // It stays that.
                break;
            }
            if ((++work & (1 << 20) - 1) == 0) {
                check.run();
            }
        }
        return s1;
    }

    private void makePowers(int n, double sf, double tf) {
        powers.start(n + 1);
        double a = 1 - sf;
        double c = -tf * sf;
        double d = 1 - tf * sf;
        for (; known <= n; known++) {
            if ((known & 0x3FFF) == 0x3FFF) {
                check.run();
            }
            double[] p = powers.writable(known);
            int i = powers.at(known);
            if (known == 0) {
                p[i] = 1;
                p[i + 3] = 1;
                continue;
            }
            double[] q = powers.of(known - 1);
            int j = powers.at(known - 1);
            p[i] = a * (q[j] + q[j + 2]);
            p[i + 1] = a * (q[j + 1] + q[j + 3]);
            p[i + 2] = c * q[j] + d * q[j + 2];
            p[i + 3] = c * q[j + 1] + d * q[j + 3];
        }
    }

    private void slide(Windows w, double[] out) {
        double sf = smoothing[0];
        double tf = trend[0];
        double[] v = w.values;
        levels = Room.doubles(levels, w.size, check);
        trends = Room.doubles(trends, w.size, check);
        int longest = 0;
        for (int i = 0; i < w.grid.count(); i++) {
            longest = Math.max(longest, w.hi[i] - w.lo[i]);
        }
        makePowers(longest, sf, tf);
        double addLevel = sf;
        double addTrend = tf * sf;
        int middle = 0;
        int end = 0;
        double level = 0;
        double slope = 0;
        int lastSpecial = -1;
        int looked = 0;
        for (int i = 0; i < w.grid.count(); i++) {
            int lo = w.lo[i];
            int hi = w.hi[i];
            if (hi == lo) {
                continue;
            }
            if (lo >= middle) {
                middle = hi;
                end = hi;
                level = 0;
                slope = 0;
                for (int j = hi - 1; j >= lo; j--) {
                    if ((j & 0xFFFF) == 0) {
                        check.run();
                    }
                    levels[j] = level;
                    trends[j] = slope;
                    double x = NonFinite.finite(v[j]);
                    double[] p = powers.of(hi - 1 - j);
                    int m = powers.at(hi - 1 - j);
                    level += (p[m] * addLevel + p[m + 1] * addTrend) * x;
                    slope += (p[m + 2] * addLevel + p[m + 3] * addTrend) * x;
                }
                level = 0;
                slope = 0;
            }
            for (; end < hi; end++) {
                double x = NonFinite.finite(v[end]);
                double next = sf * x + (1 - sf) * (level + slope);
                slope = tf * (next - level) + (1 - tf) * slope;
                level = next;
            }
            for (; looked < hi; looked++) {
                if (!(Math.abs(v[looked]) <= Double.MAX_VALUE)) {
                    lastSpecial = looked;
                }
            }
            if ((i & 0xFF) == 0xFF) {
                check.run();
            }
            if (hi - lo < 2) {
                continue;
            }
            if (lastSpecial >= lo) {
                // Not-a-number stays; an infinite level becomes that two samples later.
                out[i] = lastSpecial + 2 < hi ? Double.NaN : direct(v, lo, hi, sf, tf);
                continue;
            }
            double first = v[lo];
            double rise = v[lo + 1] - first;
            double[] p = powers.of(middle - 1 - lo);
            int m = powers.at(middle - 1 - lo);
            double l = levels[lo] + p[m] * first + p[m + 1] * rise;
            double t = trends[lo] + p[m + 2] * first + p[m + 3] * rise;
            p = powers.of(hi - middle);
            m = powers.at(hi - middle);
            out[i] = level + p[m] * l + p[m + 1] * t;
        }
    }
}

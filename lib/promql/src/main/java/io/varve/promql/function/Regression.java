package io.varve.promql.function;

import org.jspecify.annotations.Nullable;

/**
 * {@code deriv} and {@code predict_linear}: a least-squares line through each window. Long windows are put together from two parts,
 * as in {@link SumOverTime}: sums of x, x², y and xy over times in milliseconds from the place where the parts meet, as two floats each. So
 * they are exact to 30 digits and can be moved to the origin that Prometheus takes, where its formula is applied to them.
 */
public final class Regression implements RangeFunction {
    private static final int DIRECT = 2;

    private final double @Nullable [] ahead;
    private final Runnable check;
    private final NonFinite special = new NonFinite();
    private final Moments older = new Moments();
    private final Moments newer = new Moments();
    private final Records suffixes;
    private long work;

    /**
     * @param ahead by step: how many seconds to predict ahead; null for {@code deriv}
     * @param check called now and then; throws where the query is over
     */
    public Regression(double @Nullable [] ahead, Runnable check) {
        this.ahead = ahead;
        this.check = check;
        this.suffixes = new Records(Moments.SIZE, check);
    }

    @Override
    public int bytesPerSample() {
        return 56;
    }

    @Override
    public void apply(Windows w, Row out, Notes notes) {
        int steps = w.grid.count();
        MixedTypes.noteIgnoredWhereMixed(w, notes);
        if (w.floatsInWindows() <= (long) DIRECT * w.size) {
            for (int i = 0; i < steps; i++) {
                if (w.hi[i] - w.lo[i] >= 2) {
                    out.values[i] = direct(w, i);
                }
            }
        } else {
            slide(w, out.values);
        }
    }

    /** Sums over some samples. Those of x are exact as integers; the others are two floats each. */
    private static final class Moments {
        static final int SIZE = 7;
        double x;
        double xx;
        double xxLow;
        double y;
        double yLow;
        double xy;
        double xyLow;

        void clear() {
            x = 0;
            xx = 0;
            xxLow = 0;
            y = 0;
            yLow = 0;
            xy = 0;
            xyLow = 0;
        }

        void add(double dx, double v) {
            x += dx;
            double p = dx * dx;
            double t = xx + p;
            double b = t - xx;
            xxLow += xx - (t - b) + (p - b) + Math.fma(dx, dx, -p);
            xx = t;
            t = y + v;
            b = t - y;
            yLow += y - (t - b) + (v - b);
            y = t;
            p = dx * v;
            t = xy + p;
            b = t - xy;
            xyLow += xy - (t - b) + (p - b) + Math.fma(dx, v, -p);
            xy = t;
        }

        void store(Records records, int sample) {
            double[] a = records.writable(sample);
            int i = records.at(sample);
            a[i] = x;
            a[i + 1] = xx;
            a[i + 2] = xxLow;
            a[i + 3] = y;
            a[i + 4] = yLow;
            a[i + 5] = xy;
            a[i + 6] = xyLow;
        }

        void load(Records records, int sample) {
            double[] a = records.of(sample);
            int i = records.at(sample);
            x = a[i];
            xx = a[i + 1];
            xxLow = a[i + 2];
            y = a[i + 3];
            yLow = a[i + 4];
            xy = a[i + 5];
            xyLow = a[i + 6];
        }

        void add(Moments o) {
            x += o.x;
            double t = xx + o.xx;
            double b = t - xx;
            xxLow += xx - (t - b) + (o.xx - b) + o.xxLow;
            xx = t;
            t = y + o.y;
            b = t - y;
            yLow += y - (t - b) + (o.y - b) + o.yLow;
            y = t;
            t = xy + o.xy;
            b = t - xy;
            xyLow += xy - (t - b) + (o.xy - b) + o.xyLow;
            xy = t;
        }

        /** Adds {@code c} to every x. */
        void move(double n, double c) {
            double p = c * y;
            double t = xy + p;
            double b = t - xy;
            xyLow += xy - (t - b) + (p - b) + Math.fma(c, y, -p) + c * yLow;
            xy = t;
            // x² + 2cx + c² = x² + c (2x + cn)
            double f = 2 * x + c * n;
            p = c * f;
            t = xx + p;
            b = t - xx;
            xxLow += xx - (t - b) + (p - b) + Math.fma(c, f, -p);
            xx = t;
            x += c * n;
        }
    }

    private void slide(Windows w, double[] out) {
        suffixes.start(w.size);
        double[] v = w.values;
        long[] times = w.times;
        special.start(v, w.size);
        Moments sums = newer;
        int middle = 0;
        int end = 0;
        long origin = 0;
        int lastChange = 0;
        int looked = 1;
        for (int i = 0; i < w.grid.count(); i++) {
            int lo = w.lo[i];
            int hi = w.hi[i];
            if (hi == lo) {
                continue;
            }
            if (lo >= middle) {
                middle = hi;
                end = hi;
                origin = times[hi - 1];
                sums.clear();
                for (int j = hi - 1; j >= lo; j--) {
                    if ((j & 0xFFFF) == 0) {
                        check.run();
                    }
                    sums.add(times[j] - origin, NonFinite.finite(v[j]));
                    sums.store(suffixes, j);
                }
                sums.clear();
            }
            for (; end < hi; end++) {
                sums.add(times[end] - origin, NonFinite.finite(v[end]));
            }
            for (; looked < hi; looked++) {
                if (v[looked] != v[looked - 1]) {
                    lastChange = looked;
                }
            }
            if ((i & 0xFF) == 0xFF) {
                check.run();
            }
            special.move(v, lo, hi);
            int n = hi - lo;
            if (n < 2) {
                continue;
            }
            if (lastChange <= lo) {
                out[i] = constant(v[lo], i);
            } else if (special.anyNaN() || special.any() && ahead == null) {
                out[i] = Double.NaN;
            } else if (special.any()) {
                out[i] = direct(w, i);
            } else {
                Moments all = older;
                all.load(suffixes, lo);
                all.add(sums);
                all.move(n, origin - (ahead == null ? times[lo] : w.grid.at(i)));
                double y = line(i, n, all.x / 1e3, all.y + all.yLow, (all.xy + all.xyLow) / 1e3, (all.xx + all.xxLow) / 1e6);
                // Sums that overflow do so in the order of the samples.
                out[i] = Math.abs(y) <= Double.MAX_VALUE ? y : direct(w, i);
            }
        }
    }

    private double constant(double y, int step) {
        return Double.isInfinite(y) ? Double.NaN : ahead == null ? 0 : 0 * ahead[step] + y;
    }

    private double line(int step, double n, double sx, double sy, double sxy, double sxx) {
        double slope = (sxy - sx * sy / n) / (sxx - sx * sx / n);
        return ahead == null ? slope : slope * ahead[step] + (sy / n - slope * sx / n);
    }

    private double direct(Windows w, int step) {
        int lo = w.lo[step];
        int hi = w.hi[step];
        work += hi - lo;
        if (work > 1 << 20) {
            check.run();
            work = 0;
        }
        long origin = ahead == null ? w.times[lo] : w.grid.at(step);
        Kahan sumX = new Kahan();
        Kahan sumY = new Kahan();
        Kahan sumXY = new Kahan();
        Kahan sumXX = new Kahan();
        double y0 = w.values[lo];
        boolean constant = true;
        for (int j = lo; j < hi; j++) {
            double y = w.values[j];
            double x = (w.times[j] - origin) / 1e3;
            constant &= j == lo || y == y0;
            sumX.add(x);
            sumY.add(y);
            sumXY.add(x * y);
            sumXX.add(x * x);
        }
        return constant ? constant(y0, step) : line(step, hi - lo, sumX.total(), sumY.total(), sumXY.total(), sumXX.total());
    }
}

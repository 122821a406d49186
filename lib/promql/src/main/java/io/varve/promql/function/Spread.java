package io.varve.promql.function;

/**
 * {@code stddev_over_time} and {@code stdvar_over_time}. Long windows are put together from two parts, as in {@link SumOverTime}: sums
 * of distances, and of their squares, from a sample that is in every window until the parts are made anew. Both are kept as two
 * floats each: what is lost where one is taken from the other is then less than what a float can hold of the result.
 */
public final class Spread implements RangeFunction {
    private static final int DIRECT = 2;

    private final boolean root;
    private final Runnable check;
    private final NonFinite special = new NonFinite();
    private double[] sums = new double[0];
    private double[] sumsLow = new double[0];
    private double[] squares = new double[0];
    private double[] squaresLow = new double[0];

    /**
     * @param root whether the standard deviation is meant, else the variance
     * @param check called now and then; throws where the query is over
     */
    public Spread(boolean root, Runnable check) {
        this.root = root;
        this.check = check;
    }

    @Override
    public int bytesPerSample() {
        return 32;
    }

    @Override
    public void apply(Windows w, Row out, Notes notes) {
        int steps = w.grid.count();
        double[] v = w.values;
        MixedTypes.noteIgnoredWhereMixed(w, notes);
        if (w.floatsInWindows() <= (long) DIRECT * w.size) {
            for (int i = 0; i < steps; i++) {
                if (w.hi[i] > w.lo[i]) {
                    out.values[i] = result(direct(v, w.lo[i], w.hi[i]));
                }
            }
        } else {
            slide(w, out.values);
        }
    }

    private double result(double variance) {
        return root ? Math.sqrt(variance) : variance;
    }

    private void slide(Windows w, double[] out) {
        sums = Room.doubles(sums, w.size, check);
        sumsLow = Room.doubles(sumsLow, w.size, check);
        squares = Room.doubles(squares, w.size, check);
        squaresLow = Room.doubles(squaresLow, w.size, check);
        double[] v = w.values;
        special.start(v, w.size);
        long work = 0;
        int middle = 0;
        int end = 0;
        double origin = 0;
        double s = 0;
        double sLow = 0;
        double q = 0;
        double qLow = 0;
        for (int i = 0; i < w.grid.count(); i++) {
            int lo = w.lo[i];
            int hi = w.hi[i];
            if (hi == lo) {
                continue;
            }
            if (lo >= middle) {
                // The older part is made anew of the whole window, the newer one is empty.
                middle = hi;
                end = hi;
                origin = NonFinite.finite(v[hi - 1]);
                s = 0;
                sLow = 0;
                q = 0;
                qLow = 0;
                for (int j = hi - 1; j >= lo; j--) {
                    double x = NonFinite.finite(v[j]) - origin;
                    double t = s + x;
                    double b = t - s;
                    sLow += s - (t - b) + (x - b);
                    s = t;
                    double p = x * x;
                    t = q + p;
                    b = t - q;
                    qLow += q - (t - b) + (p - b) + Math.fma(x, x, -p);
                    q = t;
                    sums[j] = s;
                    sumsLow[j] = sLow;
                    squares[j] = q;
                    squaresLow[j] = qLow;
                }
                s = 0;
                sLow = 0;
                q = 0;
                qLow = 0;
            }
            for (; end < hi; end++) {
                double x = NonFinite.finite(v[end]) - origin;
                double t = s + x;
                double b = t - s;
                sLow += s - (t - b) + (x - b);
                s = t;
                double p = x * x;
                t = q + p;
                b = t - q;
                qLow += q - (t - b) + (p - b) + Math.fma(x, x, -p);
                q = t;
            }
            special.move(v, lo, hi);
            if (special.any()) {
                out[i] = Double.NaN;
                continue;
            }
            double variance = variance(hi - lo, sums[lo], sumsLow[lo], squares[lo], squaresLow[lo], s, sLow, q, qLow);
            if (!(variance <= Double.MAX_VALUE)) {
                variance = direct(v, lo, hi);
                work += hi - lo;
                if (work > 1 << 20) {
                    check.run();
                    work = 0;
                }
            }
            out[i] = result(variance);
        }
    }

    /** From sums of both parts: mean square less squared mean, each to twice the precision of a float. */
    private static double variance(double n, double s1, double s1Low, double q1, double q1Low, double s2, double s2Low, double q2,
            double q2Low) {
        double s = s1 + s2;
        double b = s - s1;
        double sLow = s1 - (s - b) + (s2 - b) + s1Low + s2Low;
        double q = q1 + q2;
        b = q - q1;
        double qLow = q1 - (q - b) + (q2 - b) + q1Low + q2Low;
        double p = s * s;
        double pLow = Math.fma(s, s, -p) + 2 * s * sLow;
        double m = p / n;
        double mLow = (Math.fma(-m, n, p) + pLow) / n;
        return Math.max(0, q - m + (qLow - mLow)) / n;
    }

    private static double direct(double[] v, int lo, int hi) {
        Kahan mean = new Kahan();
        Kahan square = new Kahan();
        double n = 0;
        for (int i = lo; i < hi; i++) {
            n++;
            double delta = v[i] - mean.total();
            mean.add(delta / n);
            square.add(delta * (v[i] - mean.total()));
        }
        return square.total() / n;
    }
}

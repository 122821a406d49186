package io.varve.promql.function;

/**
 * {@code stddev_over_time} and {@code stdvar_over_time}. Long windows are put together from two parts, as in {@link SumOverTime}:
 * mean and squared deviation of both are merged, the means as unevaluated sums of two floats.
 */
public final class Spread implements RangeFunction {
    private static final int DIRECT = 4;

    private final boolean root;
    private double[] meanHigh = new double[0];
    private double[] meanLow = new double[0];
    private double[] square = new double[0];
    private double accHigh;
    private double accLow;
    private double accSquare;

    /** With {@code root} for the standard deviation, else the variance. */
    public Spread(boolean root) {
        this.root = root;
    }

    @Override
    public void apply(Windows w, Row out, Notes notes) {
        long work = 0;
        for (int i = 0; i < w.grid.count(); i++) {
            work += w.hi[i] - w.lo[i];
            if (w.hi[i] > w.lo[i] && MixedTypes.hasHistograms(w, i)) {
                MixedTypes.noteIgnored(w, notes);
            }
        }
        boolean slide = work > (long) DIRECT * w.size;
        if (slide && meanHigh.length < w.size) {
            meanHigh = new double[w.size];
            meanLow = new double[w.size];
            square = new double[w.size];
        }
        double[] v = w.values;
        int middle = 0;
        int end = 0;
        for (int i = 0; i < w.grid.count(); i++) {
            int lo = w.lo[i];
            int hi = w.hi[i];
            double variance;
            if (!slide) {
                if (hi == lo) {
                    continue;
                }
                variance = direct(v, lo, hi);
            } else {
                for (; end < hi; end++) {
                    merge(end - middle, accHigh, accLow, accSquare, 1, v[end], 0, 0);
                }
                if (hi == lo) {
                    continue;
                }
                if (lo >= middle) {
                    for (int j = hi - 1; j >= lo; j--) {
                        if (j == hi - 1) {
                            merge(0, 0, 0, 0, 1, v[j], 0, 0);
                        } else {
                            merge(hi - 1 - j, accHigh, accLow, accSquare, 1, v[j], 0, 0);
                        }
                        meanHigh[j] = accHigh;
                        meanLow[j] = accLow;
                        square[j] = accSquare;
                    }
                    middle = hi;
                    accHigh = 0;
                    accLow = 0;
                    accSquare = 0;
                }
                double high = accHigh;
                double low = accLow;
                double sq = accSquare;
                merge(middle - lo, meanHigh[lo], meanLow[lo], square[lo], hi - middle, high, low, sq);
                variance = accSquare / (hi - lo);
                accHigh = high;
                accLow = low;
                accSquare = sq;
                if (Double.isNaN(variance) || Double.isInfinite(variance)) {
                    variance = direct(v, lo, hi);
                }
            }
            out.values[i] = root ? Math.sqrt(variance) : variance;
        }
    }

    /** Puts the union of two sets of values into the accumulator. */
    private void merge(double na, double aHigh, double aLow, double aSquare, double nb, double bHigh, double bLow, double bSquare) {
        if (na == 0) {
            accHigh = bHigh;
            accLow = bLow;
            accSquare = bSquare;
            return;
        }
        if (nb == 0) {
            accHigh = aHigh;
            accLow = aLow;
            accSquare = aSquare;
            return;
        }
        double n = na + nb;
        double delta = bHigh - aHigh + (bLow - aLow);
        double shift = delta * nb / n;
        double sum = aHigh + shift;
        double error = Math.abs(aHigh) >= Math.abs(shift) ? aHigh - sum + shift : shift - sum + aHigh;
        accHigh = sum;
        accLow = aLow + error;
        accSquare = aSquare + bSquare + delta * delta * na * nb / n;
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

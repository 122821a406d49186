package io.varve.promql.function;

/**
 * How many infinite numbers and not-a-numbers a sliding window holds. Sliding sums leave those out, so that one of them does not spoil
 * the windows that come after it; what a window with one comes to is told from these counts.
 */
final class NonFinite {
    private boolean none;
    private int begin;
    private int end;
    private int nan;
    private int positive;
    private int negative;

    /** Starts over with another series. */
    void start(double[] v, int n) {
        begin = 0;
        end = 0;
        nan = 0;
        positive = 0;
        negative = 0;
        none = true;
        for (int i = 0; i < n; i++) {
            if (!(Math.abs(v[i]) <= Double.MAX_VALUE)) {
                none = false;
                return;
            }
        }
    }

    /** Moves the window on; neither end ever goes back. */
    void move(double[] v, int lo, int hi) {
        if (none) {
            return;
        }
        for (; end < hi; end++) {
            count(v[end], 1);
        }
        for (; begin < lo; begin++) {
            count(v[begin], -1);
        }
    }

    private void count(double x, int by) {
        if (Double.isNaN(x)) {
            nan += by;
        } else if (x == Double.POSITIVE_INFINITY) {
            positive += by;
        } else if (x == Double.NEGATIVE_INFINITY) {
            negative += by;
        }
    }

    /** Whether there is any in the window. */
    boolean any() {
        return nan + positive + negative > 0;
    }

    /** Whether there is a not-a-number in the window. */
    boolean anyNaN() {
        return nan > 0;
    }

    /** What all together come to, where there is any. */
    double sum() {
        return nan > 0 || positive > 0 && negative > 0 ? Double.NaN : positive > 0 ? Double.POSITIVE_INFINITY : Double.NEGATIVE_INFINITY;
    }

    /** The number, 0 in place of those that are not finite. */
    static double finite(double x) {
        return Math.abs(x) <= Double.MAX_VALUE ? x : 0;
    }
}

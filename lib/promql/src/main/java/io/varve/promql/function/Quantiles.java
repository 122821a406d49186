package io.varve.promql.function;

import java.util.Arrays;

/** Quantiles of plain numbers as Prometheus has them: not-a-number sorts first. */
public final class Quantiles {
    private Quantiles() {
    }

    /** Sorts rising, not-a-number first. */
    public static void sort(double[] v, int n) {
        int nan = 0;
        for (int i = 0; i < n; i++) {
            if (Double.isNaN(v[i])) {
                double x = v[nan];
                v[nan++] = v[i];
                v[i] = x;
            }
        }
        Arrays.sort(v, nan, n);
    }

    /** The φ-quantile of {@code n} numbers that {@link #sort} ordered. */
    public static double sorted(double q, double[] v, int n) {
        if (n == 0 || Double.isNaN(q)) {
            return Double.NaN;
        }
        if (q < 0) {
            return Double.NEGATIVE_INFINITY;
        }
        if (q > 1) {
            return Double.POSITIVE_INFINITY;
        }
        double rank = q * (n - 1);
        double floor = Math.floor(rank);
        int lower = (int) Math.max(0, floor);
        int upper = Math.min(n - 1, lower + 1);
        double weight = rank - floor;
        return v[lower] * (1 - weight) + v[upper] * weight;
    }
}

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

    /** The φ-quantile of {@code n} numbers from a place on, in any order, which they lose. */
    public static double select(double q, double[] v, int from, int n) {
        if (n == 0 || !(q >= 0 && q <= 1)) {
            return sorted(q, v, n);
        }
        int first = from;
        for (int i = from; i < from + n; i++) {
            if (Double.isNaN(v[i])) {
                double x = v[first];
                v[first++] = v[i];
                v[i] = x;
            }
        }
        double rank = q * (n - 1);
        double floor = Math.floor(rank);
        int lower = from + (int) Math.max(0, floor);
        int upper = Math.min(from + n - 1, lower + 1);
        double weight = rank - floor;
        if (lower >= first) {
            partition(v, first, from + n, lower);
        }
        // Behind the place are only numbers that are no less: the next is the least of them.
        double next = v[upper];
        if (upper > lower && upper >= first) {
            for (int i = upper + 1; i < from + n; i++) {
                next = Math.min(next, v[i]);
            }
        }
        return v[lower] * (1 - weight) + next * weight;
    }

    /** Puts the number that belongs at a place there, no greater ones before it, no less behind it (quickselect; sorted if that goes ill). */
    private static void partition(double[] v, int from, int to, int place) {
        int lo = from;
        int hi = to - 1;
        for (int round = 0; hi - lo > 16; round++) {
            if (round > 60) {
                break;
            }
            int mid = lo + hi >>> 1;
            double a = v[lo];
            double b = v[mid];
            double c = v[hi];
            double pivot = Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));
            int i = lo;
            int j = hi;
            while (i <= j) {
                while (v[i] < pivot) {
                    i++;
                }
                while (v[j] > pivot) {
                    j--;
                }
                if (i <= j) {
                    double x = v[i];
                    v[i++] = v[j];
                    v[j--] = x;
                }
            }
            if (place <= j) {
                hi = j;
            } else if (place >= i) {
                lo = i;
            } else {
                return;
            }
        }
        Arrays.sort(v, lo, hi + 1);
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

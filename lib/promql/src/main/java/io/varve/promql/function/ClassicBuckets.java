package io.varve.promql.function;

import java.util.Arrays;

/** The buckets of one classic histogram at one instant: cumulative counts by upper bound. Reused; one thread. */
public final class ClassicBuckets {
    /** Differences between counts that are rounding errors. */
    private static final double TOLERANCE = 1e-12;

    private double[] bounds = new double[16];
    private double[] counts = new double[16];
    private double[] raw = new double[16];
    private int size;

    /** Whether counts had to be made to rise by {@link #quantile}. */
    public boolean forced;
    /** The lowest bound of a bucket that was changed then. */
    public double minBucket;
    /** The highest bound of a bucket that was changed then. */
    public double maxBucket;
    /** The most that a count was changed then. */
    public double maxDiff;

    /** Forgets all. */
    public void clear() {
        size = 0;
    }

    /** Whether there is none. */
    public boolean isEmpty() {
        return size == 0;
    }

    /** Adds a bucket; bounds must not fall. Counts of equal bounds are summed. */
    public void add(double bound, double count) {
        if (size > 0 && bounds[size - 1] == bound) {
            raw[size - 1] += count;
            return;
        }
        if (size == bounds.length) {
            bounds = Arrays.copyOf(bounds, size * 2);
            counts = Arrays.copyOf(counts, size * 2);
            raw = Arrays.copyOf(raw, size * 2);
        }
        bounds[size] = bound;
        raw[size++] = count;
    }

    /** The φ-quantile. */
    public double quantile(double q) {
        forced = false;
        if (Double.isNaN(q)) {
            return Double.NaN;
        }
        if (q < 0) {
            return Double.NEGATIVE_INFINITY;
        }
        if (q > 1) {
            return Double.POSITIVE_INFINITY;
        }
        if (size == 0 || bounds[size - 1] != Double.POSITIVE_INFINITY || size < 2) {
            return Double.NaN;
        }
        System.arraycopy(raw, 0, counts, 0, size);
        makeRising();
        double observations = counts[size - 1];
        if (observations == 0) {
            return Double.NaN;
        }
        double rank = q * observations;
        int b = 0;
        int high = size - 1;
        while (b < high) {
            int mid = b + high >>> 1;
            if (counts[mid] >= rank) {
                high = mid;
            } else {
                b = mid + 1;
            }
        }
        if (b == size - 1) {
            return bounds[size - 2];
        }
        if (b == 0 && bounds[0] <= 0) {
            return bounds[0];
        }
        double from = 0;
        double to = bounds[b];
        double count = counts[b];
        if (b > 0) {
            from = bounds[b - 1];
            count -= counts[b - 1];
            rank -= counts[b - 1];
        }
        return from + (to - from) * (rank / count);
    }

    private void makeRising() {
        minBucket = Double.POSITIVE_INFINITY;
        maxBucket = Double.NEGATIVE_INFINITY;
        maxDiff = 0;
        double previous = counts[0];
        for (int i = 1; i < size; i++) {
            double c = counts[i];
            if (c == previous) {
                continue;
            }
            if (almostEqual(previous, c)) {
                counts[i] = previous;
            } else if (c < previous) {
                counts[i] = previous;
                forced = true;
                minBucket = Math.min(minBucket, bounds[i]);
                maxBucket = Math.max(maxBucket, bounds[i]);
                maxDiff = Math.max(maxDiff, previous - c);
            } else {
                previous = c;
            }
        }
    }

    private static boolean almostEqual(double a, double b) {
        double sum = Math.abs(a) + Math.abs(b);
        double diff = Math.abs(a - b);
        if (a == 0 || b == 0 || sum < Double.MIN_NORMAL) {
            return diff < TOLERANCE * Double.MIN_NORMAL;
        }
        return diff / Math.min(sum, Double.MAX_VALUE) < TOLERANCE;
    }

    /** The share of observations between two bounds. */
    public double fraction(double from, double to) {
        if (size == 0 || bounds[size - 1] != Double.POSITIVE_INFINITY) {
            return Double.NaN;
        }
        double total = raw[size - 1];
        if (total == 0 || Double.isNaN(from) || Double.isNaN(to)) {
            return Double.NaN;
        }
        if (from >= to) {
            return 0;
        }
        return (rank(to, total) - rank(from, total)) / total;
    }

    private double rank(double v, double total) {
        double rank = 0;
        for (int i = 0; i < size; i++) {
            double lower = i > 0 ? bounds[i - 1] : bounds[0] > 0 ? 0 : Double.NEGATIVE_INFINITY;
            double upper = bounds[i];
            if (lower >= v) {
                return Math.min(rank, total);
            }
            if (upper > v) {
                double r;
                if (lower == Double.NEGATIVE_INFINITY) {
                    r = raw[i];
                } else {
                    // In the last bucket, without an end, this adds 0; NaN where the product is infinite as well, as in Prometheus.
                    r = rank + (raw[i] - rank) * (v - lower) / (upper - lower);
                }
                return r > total ? total : r;
            }
            rank = raw[i];
        }
        return total;
    }
}

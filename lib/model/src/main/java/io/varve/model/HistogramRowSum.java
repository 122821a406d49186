package io.varve.model;

import java.util.Arrays;

/**
 * The sum of rows of histograms by step in flat arrays: what a {@link HistogramSum} for each step comes to, bit for bit. Used again; one thread at a
 * time.
 */
public final class HistogramRowSum {
    private static final int SPARE = 4;

    private final int steps;
    int schema;
    double zeroThreshold;
    /** The index of the first bucket there was in any row. */
    int first;
    /** Behind the last one. */
    int end;
    /** The index of the first bucket that there is room for. */
    int base;
    /** For how many buckets there is room at each step. */
    int width;
    /** By step, then bucket. */
    double[] buckets = FloatHistogram.NO_BUCKETS;
    /** What rounding took from them. */
    double[] bucketsLost = FloatHistogram.NO_BUCKETS;
    final double[] zeroCount;
    final double[] zeroLost;
    final double[] count;
    final double[] countLost;
    final double[] sum;
    final double[] sumLost;
    /** How many histograms were added. */
    private final int[] added;
    private boolean empty = true;

    /** Nothing yet. */
    public HistogramRowSum(int steps) {
        this.steps = steps;
        zeroCount = new double[steps];
        zeroLost = new double[steps];
        count = new double[steps];
        countLost = new double[steps];
        sum = new double[steps];
        sumLost = new double[steps];
        added = new int[steps];
    }

    /** Forgets what was added and keeps the arrays. */
    public void clear() {
        empty = true;
        Arrays.fill(added, 0);
    }

    /** How many histograms were added at a step. */
    public int added(int step) {
        return added[step];
    }

    /** Adds a row of as many steps; false, and nothing changed, where it is not like those before. */
    public boolean add(HistogramRow row) {
        if (!like(row.schema, row.zeroThreshold, row.first, row.first + row.width)) {
            return false;
        }
        int n = row.width;
        for (int i = 0; i < steps; i++) {
            if (!row.present[i]) {
                continue;
            }
            int at = i * width + row.first - base;
            int from = i * n;
            if (added[i]++ == 0) {
                begin(i, row.zeroCount[i], row.count[i], row.sum[i]);
                System.arraycopy(row.buckets, from, buckets, at, n);
            } else {
                addNumbers(i, row.zeroCount[i], row.count[i], row.sum[i]);
                add(buckets, bucketsLost, at, row.buckets, from, n);
            }
        }
        return true;
    }

    /** Adds what another of as many steps came to, which stays as it is; false, and nothing changed, where that is not like this. */
    public boolean add(HistogramRowSum other) {
        if (other.empty) {
            return true;
        }
        if (!like(other.schema, other.zeroThreshold, other.first, other.end)) {
            return false;
        }
        int n = other.end - other.first;
        double[] totals = new double[n];
        for (int i = 0; i < steps; i++) {
            if (other.added[i] == 0) {
                continue;
            }
            int at = i * width + other.first - base;
            int from = i * other.width + other.first - other.base;
            if (added[i] == 0) {
                begin(i, other.zeroCount[i], other.count[i], other.sum[i]);
                zeroLost[i] = other.zeroLost[i];
                countLost[i] = other.countLost[i];
                sumLost[i] = other.sumLost[i];
                System.arraycopy(other.buckets, from, buckets, at, n);
                System.arraycopy(other.bucketsLost, from, bucketsLost, at, n);
            } else {
                addNumbers(i, HistogramScalars.total(other.zeroCount[i], other.zeroLost[i]),
                        HistogramScalars.total(other.count[i], other.countLost[i]), HistogramScalars.total(other.sum[i], other.sumLost[i]));
                for (int k = 0; k < n; k++) {
                    totals[k] = other.buckets[from + k] + other.bucketsLost[from + k];
                }
                add(buckets, bucketsLost, at, totals, 0, n);
            }
            added[i] += other.added[i];
        }
        return true;
    }

    /** Whether these can be added here; makes room for their buckets. */
    private boolean like(int otherSchema, double otherThreshold, int from, int to) {
        if (empty) {
            empty = false;
            schema = otherSchema;
            zeroThreshold = otherThreshold;
            first = from;
            end = to;
            room(from, to);
            return true;
        }
        if (schema != otherSchema || zeroThreshold != otherThreshold) {
            return false;
        }
        int newFirst = Math.min(first, from);
        int newEnd = Math.max(end, to);
        if ((long) newEnd - newFirst > 2 * HistogramRow.MAX_WIDTH) {
            return false;
        }
        if (newFirst < base || newEnd > base + width) {
            relay(newFirst, newEnd);
        }
        first = newFirst;
        end = newEnd;
        return true;
    }

    private void room(int from, int to) {
        base = from - SPARE;
        width = to - from + 2 * SPARE;
        int need = steps * width;
        if (buckets.length < need) {
            buckets = new double[need];
            bucketsLost = new double[need];
        }
    }

    private void relay(int newFirst, int newEnd) {
        double[] was = buckets;
        double[] wasLost = bucketsLost;
        int wasWidth = width;
        int shift = first - newFirst + SPARE;
        int n = end - first;
        int from = first - base;
        buckets = FloatHistogram.NO_BUCKETS;
        room(newFirst, newEnd);
        for (int i = 0; i < steps; i++) {
            System.arraycopy(was, i * wasWidth + from, buckets, i * width + shift, n);
            System.arraycopy(wasLost, i * wasWidth + from, bucketsLost, i * width + shift, n);
        }
    }

    private void begin(int i, double zero, double observations, double total) {
        zeroCount[i] = zero;
        count[i] = observations;
        sum[i] = total;
        zeroLost[i] = 0;
        countLost[i] = 0;
        sumLost[i] = 0;
        Arrays.fill(buckets, i * width, (i + 1) * width, 0);
        Arrays.fill(bucketsLost, i * width, (i + 1) * width, 0);
    }

    private void addNumbers(int i, double zero, double observations, double total) {
        double t = zeroCount[i] + zero;
        zeroLost[i] = HistogramScalars.lost(zeroLost[i], zeroCount[i], zero, t);
        zeroCount[i] = t;
        t = count[i] + observations;
        countLost[i] = HistogramScalars.lost(countLost[i], count[i], observations, t);
        count[i] = t;
        t = sum[i] + total;
        sumLost[i] = HistogramScalars.lost(sumLost[i], sum[i], total, t);
        sum[i] = t;
    }

    /**
     * Adds numbers to sums and what rounding takes to what was lost (two-sum, after Knuth): nothing is infinite here, and a loop without a branch
     * is done several at once.
     */
    private static void add(double[] sums, double[] lost, int at, double[] v, int from, int n) {
        for (int i = 0; i < n; i++) {
            double a = sums[at + i];
            double x = v[from + i];
            double t = a + x;
            double b = t - a;
            lost[at + i] += a - (t - b) + (x - b);
            sums[at + i] = t;
        }
    }

    /** Bytes of memory that it holds. */
    public long bytes() {
        return 16L * buckets.length + 52L * steps + 200;
    }
}

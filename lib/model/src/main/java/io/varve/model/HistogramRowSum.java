package io.varve.model;

import java.util.Arrays;

/**
 * The sum of rows of histograms by step in flat arrays: what a {@link HistogramSum} for each step comes to, bit for bit. Used again; one thread at a
 * time.
 */
public final class HistogramRowSum {
    private static final int SPARE = 4;
    /** Arrays are for so many steps each: series that are there for a part of the time need not take room for all of it. */
    private static final int BLOCK = 16;

    private final int steps;
    int schema;
    double zeroThreshold;
    /** The index of the first bucket there was in any row. */
    private int first;
    /** Behind the last one. */
    private int end;
    /** The index of the first bucket that there is room for. */
    private int base;
    /** For how many buckets there is room at each step. */
    private int width;
    /** By blocks of steps, then step, then bucket; empty where no histogram was added. */
    private final double[][] buckets;
    /** What rounding took from them. */
    private final double[][] bucketsLost;
    /** How many numbers there are in both. */
    private long numbers;
    private final double[] zeroCount;
    private final double[] zeroLost;
    private final double[] count;
    private final double[] countLost;
    private final double[] sum;
    private final double[] sumLost;
    /** How many histograms were added. */
    private final int[] added;
    private boolean empty = true;

    /** Nothing yet. */
    public HistogramRowSum(int steps) {
        this.steps = steps;
        buckets = new double[(steps + BLOCK - 1) / BLOCK][];
        bucketsLost = new double[buckets.length][];
        Arrays.fill(buckets, FloatHistogram.NO_BUCKETS);
        Arrays.fill(bucketsLost, FloatHistogram.NO_BUCKETS);
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
            int at = at(i, row.first);
            int from = i * n;
            if (added[i]++ == 0) {
                begin(i, row.zeroCount[i], row.count[i], row.sum[i]);
                System.arraycopy(row.buckets, from, buckets[i / BLOCK], at, n);
            } else {
                addNumbers(i, row.zeroCount[i], row.count[i], row.sum[i]);
                HistogramRow.addRun(buckets[i / BLOCK], bucketsLost[i / BLOCK], at, row.buckets, from, n, 1);
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
            int at = at(i, other.first);
            int from = other.at(i, other.first);
            double[] theirs = other.buckets[i / BLOCK];
            double[] theirsLost = other.bucketsLost[i / BLOCK];
            if (added[i] == 0) {
                begin(i, other.zeroCount[i], other.count[i], other.sum[i]);
                zeroLost[i] = other.zeroLost[i];
                countLost[i] = other.countLost[i];
                sumLost[i] = other.sumLost[i];
                System.arraycopy(theirs, from, buckets[i / BLOCK], at, n);
                System.arraycopy(theirsLost, from, bucketsLost[i / BLOCK], at, n);
            } else {
                addNumbers(i, HistogramScalars.total(other.zeroCount[i], other.zeroLost[i]),
                        HistogramScalars.total(other.count[i], other.countLost[i]), HistogramScalars.total(other.sum[i], other.sumLost[i]));
                for (int k = 0; k < n; k++) {
                    totals[k] = theirs[from + k] + theirsLost[from + k];
                }
                HistogramRow.addRun(buckets[i / BLOCK], bucketsLost[i / BLOCK], at, totals, 0, n, 1);
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

    /** Where a bucket of a step lies in its block. */
    private int at(int step, int bucket) {
        return step % BLOCK * width + bucket - base;
    }

    private void room(int from, int to) {
        base = from - SPARE;
        width = to - from + 2 * SPARE;
    }

    private void relay(int newFirst, int newEnd) {
        int wasWidth = width;
        int from = first - base;
        room(newFirst, newEnd);
        for (int b = 0; b < buckets.length; b++) {
            if (buckets[b].length >= BLOCK * wasWidth) {
                buckets[b] = relaid(buckets[b], from, wasWidth);
                bucketsLost[b] = relaid(bucketsLost[b], from, wasWidth);
            } else {
                // Nothing was added here since it was cleared.
                numbers -= 2L * buckets[b].length;
                buckets[b] = FloatHistogram.NO_BUCKETS;
                bucketsLost[b] = FloatHistogram.NO_BUCKETS;
            }
        }
    }

    private double[] relaid(double[] was, int from, int wasWidth) {
        double[] block = new double[BLOCK * width];
        numbers += block.length - was.length;
        for (int i = 0; i < BLOCK; i++) {
            System.arraycopy(was, i * wasWidth + from, block, at(i, first), end - first);
        }
        return block;
    }

    /** Sees to it that a block has room for as many buckets as there are; what is in it is over. */
    private void block(int b) {
        if (buckets[b].length < BLOCK * width) {
            numbers += 2L * (BLOCK * width - buckets[b].length);
            buckets[b] = new double[BLOCK * width];
            bucketsLost[b] = new double[BLOCK * width];
        }
    }

    /** The numbers beside the buckets of a step. */
    void scalars(int step, HistogramScalars into) {
        into.zeroCount = zeroCount[step];
        into.zeroLost = zeroLost[step];
        into.count = count[step];
        into.countLost = countLost[step];
        into.sum = sum[step];
        into.sumLost = sumLost[step];
    }

    /** The buckets of a step. */
    void buckets(int step, BucketSide into) {
        into.dense(first, buckets[step / BLOCK], bucketsLost[step / BLOCK], at(step, first), end - first);
    }

    private void begin(int i, double zero, double observations, double total) {
        zeroCount[i] = zero;
        count[i] = observations;
        sum[i] = total;
        zeroLost[i] = 0;
        countLost[i] = 0;
        sumLost[i] = 0;
        block(i / BLOCK);
        int at = at(i, base);
        Arrays.fill(buckets[i / BLOCK], at, at + width, 0);
        Arrays.fill(bucketsLost[i / BLOCK], at, at + width, 0);
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

    /** Bytes of memory that it holds. */
    public long bytes() {
        return 8L * numbers + 52L * steps + 40L * buckets.length + 200;
    }
}

package io.varve.promql.function;

import java.util.Arrays;

/**
 * A sliding window that knows its order statistics. The samples of a series are ranked once; a window is then the set of the ranks it
 * holds, one bit each, and a place in it that moves as little as the quantile does. Adding, removing and reading cost next to nothing
 * and do not depend on how long the window is.
 */
final class RankedWindow {
    /** Between two looks at whether the query is over there are as many samples and one more. */
    private static final int CHECKED = (1 << 17) - 1;

    private final Runnable check;
    private long[] keys = new long[0];
    private long[] otherKeys = new long[0];
    private int[] order = new int[0];
    private int[] otherOrder = new int[0];
    private final int[] counts = new int[8 * 256];
    private double[] sorted = new double[0];
    private int[] rank = new int[0];
    private long[] bits = new long[0];
    private int size;
    /** A rank, and how many of the window are below it. */
    private int cursor;
    private int below;
    /** The ranks of the samples nearest to a median, and how many those are. */
    private int left;
    private int right;
    private int inside;

    /** With what is called now and then, and throws where the query is over. */
    RankedWindow(Runnable check) {
        this.check = check;
    }

    /** Ranks the samples from one place to another, not-a-numbers first; the window is empty. */
    void rank(double[] v, int from, int to) {
        int n = to - from;
        keys = Room.longs(keys, n, check);
        otherKeys = Room.longs(otherKeys, n, check);
        order = Room.ints(order, n, check);
        otherOrder = Room.ints(otherOrder, n, check);
        sorted = Room.doubles(sorted, n, check);
        rank = Room.ints(rank, n, check);
        bits = Room.longs(bits, (n >> 6) + 1, check);
        clear();
        boolean rising = true;
        long previous = Long.MIN_VALUE;
        for (int i = 0; i < n; i++) {
            if ((i & CHECKED) == CHECKED) {
                check.run();
            }
            double x = v[from + i];
            long b = Double.doubleToRawLongBits(x);
            // As unsigned numbers these are ordered as the floats are.
            long key = Double.isNaN(x) ? 0 : b ^ (b >> 63 | Long.MIN_VALUE);
            keys[i] = key;
            order[i] = i;
            rising &= Long.compareUnsigned(previous, key) <= 0 || i == 0;
            previous = key;
        }
        check.run();
        if (!rising) {
            sort(n);
            check.run();
        }
        for (int r = 0; r < n; r++) {
            if ((r & CHECKED) == CHECKED) {
                check.run();
            }
            int i = order[r];
            rank[i] = r;
            sorted[r] = v[from + i];
        }
    }

    /** Sorts by one byte after the other, lowest first; bytes that are the same everywhere are passed over. */
    private void sort(int n) {
        Arrays.fill(counts, 0);
        for (int i = 0; i < n; i++) {
            long k = keys[i];
            for (int b = 0; b < 8; b++) {
                counts[b << 8 | (int) (k >>> 8 * b) & 255]++;
            }
        }
        for (int b = 0; b < 8; b++) {
            check.run();
            int shift = 8 * b;
            int base = b << 8;
            if (counts[base | (int) (keys[0] >>> shift) & 255] == n) {
                continue;
            }
            int at = 0;
            for (int c = base; c < base + 256; c++) {
                int m = counts[c];
                counts[c] = at;
                at += m;
            }
            for (int i = 0; i < n; i++) {
                long k = keys[i];
                int to = counts[base | (int) (k >>> shift) & 255]++;
                otherKeys[to] = k;
                otherOrder[to] = order[i];
            }
            long[] k = keys;
            keys = otherKeys;
            otherKeys = k;
            int[] o = order;
            order = otherOrder;
            otherOrder = o;
        }
    }

    private void clear() {
        Arrays.fill(bits, 0);
        size = 0;
        cursor = 0;
        below = 0;
        inside = 0;
    }

    /** Adds a sample, counted from where ranking began. */
    void add(int sample) {
        int r = rank[sample];
        bits[r >> 6] |= 1L << r;
        size++;
        below += r < cursor ? 1 : 0;
        inside += inside > 0 && r > left && r < right ? 1 : 0;
    }

    /** Removes a sample that is inside. */
    void remove(int sample) {
        int r = rank[sample];
        bits[r >> 6] &= ~(1L << r);
        size--;
        below -= r < cursor ? 1 : 0;
        inside -= inside > 0 && r >= left && r <= right ? 1 : 0;
    }

    private int next(int r) {
        int w = r >> 6;
        if (w >= bits.length) {
            return Integer.MAX_VALUE;
        }
        long word = bits[w] & -1L << r;
        while (word == 0) {
            if (++w == bits.length) {
                return Integer.MAX_VALUE;
            }
            word = bits[w];
        }
        return (w << 6) + Long.numberOfTrailingZeros(word);
    }

    private int previous(int r) {
        if (r < 0) {
            return -1;
        }
        int w = r >> 6;
        long word = bits[w] & -1L >>> 63 - (r & 63);
        while (word == 0) {
            if (--w < 0) {
                return -1;
            }
            word = bits[w];
        }
        return (w << 6) + 63 - Long.numberOfLeadingZeros(word);
    }

    /** Moves the cursor to the k-th of the window, from 0; its value. */
    private double seek(int k) {
        while (below > k) {
            cursor = previous(cursor - 1);
            below--;
        }
        cursor = next(cursor);
        while (below < k) {
            cursor = next(cursor + 1);
            below++;
        }
        return sorted[cursor];
    }

    /** The φ-quantile of the window, which must not be empty; as {@link Quantiles#sorted}. */
    double quantile(double q) {
        if (Double.isNaN(q)) {
            return Double.NaN;
        }
        if (q < 0) {
            return Double.NEGATIVE_INFINITY;
        }
        if (q > 1) {
            return Double.POSITIVE_INFINITY;
        }
        double rank = q * (size - 1);
        double floor = Math.floor(rank);
        int lower = (int) Math.max(0, floor);
        double weight = rank - floor;
        double low = seek(lower);
        double high = lower + 1 < size ? sorted[next(cursor + 1)] : low;
        return low * (1 - weight) + high * weight;
    }

    /**
     * The median of distances from the median; all numbers in the window must be finite. The nearest half lies between two ranks that
     * move as little as the median does.
     */
    double medianDeviation() {
        double median = quantile(0.5);
        int want = (size - 1) / 2 + 1;
        if (inside > 0) {
            left = next(left);
            right = previous(right);
        } else {
            left = cursor;
            right = cursor;
            inside = 1;
        }
        while (inside < want) {
            if ((inside & 0xFFFF) == 0) {
                check.run();
            }
            int l = previous(left - 1);
            int r = next(right + 1);
            if (r == Integer.MAX_VALUE || l >= 0 && median - sorted[l] <= sorted[r] - median) {
                left = l;
            } else {
                right = r;
            }
            inside++;
        }
        while (inside > want) {
            if (median - sorted[left] > sorted[right] - median) {
                left = next(left + 1);
            } else {
                right = previous(right - 1);
            }
            inside--;
        }
        while (true) {
            int l = previous(left - 1);
            int r = next(right + 1);
            if (l >= 0 && median - sorted[l] < sorted[right] - median) {
                left = l;
                right = previous(right - 1);
            } else if (r != Integer.MAX_VALUE && sorted[r] - median < median - sorted[left]) {
                right = r;
                left = next(left + 1);
            } else {
                double low = Math.max(Math.abs(median - sorted[left]), Math.abs(sorted[right] - median));
                double high = Math.min(l >= 0 ? Math.abs(median - sorted[l]) : Double.POSITIVE_INFINITY,
                        r != Integer.MAX_VALUE ? Math.abs(sorted[r] - median) : Double.POSITIVE_INFINITY);
                double rank = 0.5 * (size - 1);
                double weight = rank - Math.floor(rank);
                return weight == 0 ? low : low * (1 - weight) + high * weight;
            }
        }
    }
}

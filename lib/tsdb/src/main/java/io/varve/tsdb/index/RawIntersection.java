package io.varve.tsdb.index;

import java.util.Arrays;

/**
 * Two stored lists at once. Lists of like length are walked side by side without a branch that depends on the data, a window at
 * a time: on random lists the branch predictor would be wrong on every other id (PostingsBenchmark.intersect). Each step then waits for
 * the one before, so both halves of a window are walked in turns.
 * Where one is much shorter, its ids are looked up in the other by galloping. Where both are long and dense, the ids of one are marked in a small
 * table for a stretch of ids and those of the other looked up there: no step waits for the one before.
 */
final class RawIntersection implements Postings {
    /** Ids of the shorter list that are looked at together. */
    private static final int WINDOW = 1024;
    private static final int HALF = WINDOW / 2;
    /** From this ratio of lengths on, galloping is faster than walking. */
    private static final int SKEW = 16;
    /** Ids of a stretch that is marked at once: a byte each. */
    private static final int STRETCH = 1 << 13;
    /** Up to so many ids of a stretch for each one that is in the list, marking is faster than walking. */
    private static final int SPARSE = 64;
    private static final byte[] NO_MARKS = new byte[0];

    private final BigEndianPostings a;
    private final BigEndianPostings b;
    private final boolean gallop;
    private final long[] batch;
    private final long[] upper;
    /** Empty where nothing is marked. */
    private final byte[] marks;
    private int i;
    private int j;
    private int filled;
    private int at;
    private long current = -1;

    /** {@code a} is the shorter. */
    RawIntersection(BigEndianPostings a, BigEndianPostings b) {
        this.a = a;
        this.b = b;
        this.gallop = b.cost() / SKEW > a.cost();
        // Both may have been moved before: start at where they stand.
        this.i = Math.max(0, a.index());
        this.j = Math.max(0, b.index());
        int n = a.count() - i;
        boolean dense = !gallop && n > WINDOW && (a.get(a.count() - 1) - a.get(i)) / SPARSE < n;
        this.marks = dense ? new byte[STRETCH] : NO_MARKS;
        this.batch = new long[(dense ? STRETCH : WINDOW) + 1];
        this.upper = new long[dense ? 0 : HALF + 1];
    }

    private void fill() {
        filled = 0;
        at = 0;
        while (filled == 0 && i < a.count() && j < b.count()) {
            if (gallop) {
                gallop();
            } else if (marks.length > 0) {
                mark();
            } else {
                walk();
            }
        }
    }

    private void mark() {
        long base = Math.max(a.get(i), b.get(j));
        i = a.indexOf(i, base);
        j = b.indexOf(j, base);
        int endA = a.indexOf(i, base + STRETCH);
        // No list has an id twice; one that is damaged must not write beyond the batch, nor beyond the marks.
        int endB = Math.min(b.indexOf(j, base + STRETCH), j + STRETCH);
        byte[] m = marks;
        for (int k = i; k < endA; k++) {
            m[(int) (a.get(k) - base) & m.length - 1] = 1;
        }
        long[] out = batch;
        int n = 0;
        for (int k = j; k < endB; k++) {
            long id = b.get(k);
            out[n] = id;
            n += m[(int) (id - base) & m.length - 1];
        }
        Arrays.fill(m, (byte) 0);
        filled = n;
        i = endA;
        j = endB;
    }

    private void gallop() {
        int n = a.count();
        int m = b.count();
        int k = 0;
        while (k < WINDOW && i < n && j < m) {
            long id = a.get(i++);
            j = b.indexOf(j, id);
            if (j < m && b.get(j) == id) {
                batch[k++] = id;
            }
        }
        filled = k;
    }

    private void walk() {
        int end = Math.min(a.count(), i + WINDOW);
        int middle = Math.min(end - 1, i + HALF);
        int m = b.count();
        int between = b.indexOf(j, a.get(middle));
        int i1 = i;
        int j1 = j;
        int k1 = 0;
        int i2 = middle;
        int j2 = between;
        int k2 = 0;
        long[] low = batch;
        long[] high = upper;
        while (true) {
            // So many steps leave none of the four bounds behind.
            int steps = Math.min(Math.min(middle - i1, between - j1), Math.min(end - i2, m - j2));
            if (steps == 0) {
                break;
            }
            for (; steps > 0; steps--) {
                long x1 = a.get(i1);
                long y1 = b.get(j1);
                long x2 = a.get(i2);
                long y2 = b.get(j2);
                low[k1] = x1;
                high[k2] = x2;
                // Each is 1 where the comparison holds: the sign bit of a difference that is negative exactly then.
                int notAfter1 = (int) (x1 - y1 - 1 >>> 63);
                int notBefore1 = (int) (y1 - x1 - 1 >>> 63);
                int notAfter2 = (int) (x2 - y2 - 1 >>> 63);
                int notBefore2 = (int) (y2 - x2 - 1 >>> 63);
                i1 += notAfter1;
                j1 += notBefore1;
                k1 += notAfter1 & notBefore1;
                i2 += notAfter2;
                j2 += notBefore2;
                k2 += notAfter2 & notBefore2;
            }
        }
        while (i1 < middle && j1 < between) {
            long x = a.get(i1);
            long y = b.get(j1);
            batch[k1] = x;
            int notAfter = (int) (x - y - 1 >>> 63);
            int notBefore = (int) (y - x - 1 >>> 63);
            i1 += notAfter;
            j1 += notBefore;
            k1 += notAfter & notBefore;
        }
        while (i2 < end && j2 < m) {
            long x = a.get(i2);
            long y = b.get(j2);
            upper[k2] = x;
            int notAfter = (int) (x - y - 1 >>> 63);
            int notBefore = (int) (y - x - 1 >>> 63);
            i2 += notAfter;
            j2 += notBefore;
            k2 += notAfter & notBefore;
        }
        System.arraycopy(upper, 0, batch, k1, k2);
        filled = k1 + k2;
        i = end;
        j = j2;
    }

    @Override
    public long current() {
        return current;
    }

    @Override
    public long next() {
        if (at == filled) {
            fill();
            if (filled == 0) {
                return current = NO_MORE;
            }
        }
        return current = batch[at++];
    }

    @Override
    public long advance(long target) {
        if (current >= target) {
            return current;
        }
        if (at < filled && batch[filled - 1] >= target) {
            while (batch[at] < target) {
                at++;
            }
            return current = batch[at++];
        }
        at = filled;
        i = a.indexOf(i, target);
        j = b.indexOf(j, target);
        return next();
    }

    @Override
    public long cost() {
        return filled - at + Math.min(a.count() - (long) i, b.count() - (long) j);
    }
}

package io.varve.tsdb.index;

/**
 * Two stored lists at once. Lists of like length are walked side by side without a branch that depends on the data, a batch at
 * a time: on random lists the branch predictor would be wrong on every other id (PostingsBenchmark.intersect). Each step waits for
 * the one before, so two stretches are walked in turn. Where one list is much shorter, its ids are looked up in the other by galloping.
 */
final class RawIntersection implements Postings {
    private static final int BATCH = 256;
    /** From this ratio of lengths on, galloping is faster than walking. */
    private static final int SKEW = 16;

    private final BigEndianPostings a;
    private final BigEndianPostings b;
    private final boolean gallop;
    private final long[] batch = new long[2 * BATCH + 2];
    private final long[] second;
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
        this.second = new long[gallop ? 0 : BATCH + 1];
    }

    private void fill() {
        filled = 0;
        at = 0;
        int n = a.count();
        int m = b.count();
        int k = 0;
        if (gallop) {
            while (k < BATCH && i < n && j < m) {
                long id = a.get(i++);
                j = b.indexOf(j, id);
                if (j < m && b.get(j) == id) {
                    batch[k++] = id;
                }
            }
        } else {
            while (k == 0 && i < n && j < m) {
                k = fillTwice(n, m);
            }
        }
        filled = k;
    }

    /** Intersects the next two stretches of the shorter list; how many ids they have in common. */
    private int fillTwice(int n, int m) {
        int endA = Math.min(n, i + BATCH);
        int endB = endA == n ? m : b.indexOf(j, a.get(endA));
        int p = endA;
        int q = endB;
        int endP = Math.min(n, p + BATCH);
        int endQ = endP == n ? m : b.indexOf(q, a.get(endP));
        int x = i;
        int y = j;
        int k = 0;
        int l = 0;
        while (x < endA && y < endB && p < endP && q < endQ) {
            long s = a.get(x);
            long t = b.get(y);
            batch[k] = s;
            // Each is 1 where the comparison holds: the sign bit of a difference that is negative exactly then.
            int less = (int) (s - t - 1 >>> 63);
            int greater = (int) (t - s - 1 >>> 63);
            x += less;
            y += greater;
            k += less & greater;
            long u = a.get(p);
            long v = b.get(q);
            second[l] = u;
            less = (int) (u - v - 1 >>> 63);
            greater = (int) (v - u - 1 >>> 63);
            p += less;
            q += greater;
            l += less & greater;
        }
        k = walk(x, endA, y, endB, batch, k);
        l = walk(p, endP, q, endQ, second, l);
        System.arraycopy(second, 0, batch, k, l);
        i = endP;
        j = endQ;
        return k + l;
    }

    private int walk(int from, int to, int fromB, int toB, long[] into, int size) {
        int x = from;
        int y = fromB;
        int k = size;
        while (x < to && y < toB) {
            long s = a.get(x);
            long t = b.get(y);
            into[k] = s;
            int less = (int) (s - t - 1 >>> 63);
            int greater = (int) (t - s - 1 >>> 63);
            x += less;
            y += greater;
            k += less & greater;
        }
        return k;
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

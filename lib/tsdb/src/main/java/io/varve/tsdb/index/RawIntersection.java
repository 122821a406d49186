package io.varve.tsdb.index;

/**
 * Two stored lists at once. Lists of like length are walked side by side without a branch that depends on the data, a batch at
 * a time: on random lists the branch predictor would be wrong on every other id (PostingsBenchmark.intersect).
 * Where one is much shorter, its ids are looked up in the other by galloping.
 */
final class RawIntersection implements Postings {
    private static final int BATCH = 256;
    /** From this ratio of lengths on, galloping is faster than walking. */
    private static final int SKEW = 16;

    private final BigEndianPostings a;
    private final BigEndianPostings b;
    private final boolean gallop;
    private final long[] batch = new long[BATCH + 1];
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
            while (k < BATCH && i < n && j < m) {
                long x = a.get(i);
                long y = b.get(j);
                batch[k] = x;
                // Each is 1 where the comparison holds: the sign bit of a difference that is negative exactly then.
                int less = (int) (x - y - 1 >>> 63);
                int greater = (int) (y - x - 1 >>> 63);
                i += less;
                j += greater;
                k += less & greater;
            }
        }
        filled = k;
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

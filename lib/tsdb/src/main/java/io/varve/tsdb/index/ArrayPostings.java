package io.varve.tsdb.index;

/** Over an array of rising ids. */
final class ArrayPostings implements Postings {
    private final long[] ids;
    private final int count;
    private int index = -1;

    ArrayPostings(long[] ids, int count) {
        this.ids = ids;
        this.count = count;
    }

    @Override
    public long current() {
        return index < 0 ? -1 : index < count ? ids[index] : NO_MORE;
    }

    @Override
    public long next() {
        return ++index < count ? ids[index] : NO_MORE;
    }

    @Override
    public long advance(long target) {
        if (current() >= target) {
            return current();
        }
        // Gallop: ids wanted are mostly near.
        int lo = index;
        int step = 1;
        while (lo + step < count && ids[lo + step] < target) {
            lo += step;
            step <<= 1;
        }
        int hi = Math.min(lo + step, count);
        while (lo + 1 < hi) {
            int mid = (lo + hi) >>> 1;
            if (ids[mid] < target) {
                lo = mid;
            } else {
                hi = mid;
            }
        }
        index = hi;
        return current();
    }

    @Override
    public long cost() {
        return count - Math.max(0, index);
    }
}

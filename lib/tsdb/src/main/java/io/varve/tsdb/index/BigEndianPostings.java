package io.varve.tsdb.index;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/** Over ids as they are stored: 32 bits each, big-endian. */
final class BigEndianPostings implements Postings {
    private static final VarHandle INT = MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.BIG_ENDIAN);

    private final byte[] data;
    private final int offset;
    private final int count;
    private int index = -1;

    BigEndianPostings(byte[] data, int offset, int count) {
        java.util.Objects.checkFromIndexSize(offset, count * 4, data.length);
        this.data = data;
        this.offset = offset;
        this.count = count;
    }

    int count() {
        return count;
    }

    /** Index of the current id, −1 before the first. */
    int index() {
        return index;
    }

    long get(int i) {
        return (int) INT.get(data, offset + (i << 2)) & 0xFFFFFFFFL;
    }

    /** The first index from {@code from} on whose id is at or after {@code target}, {@code count} if none is. */
    int indexOf(int from, long target) {
        if (from >= count || get(from) >= target) {
            return from;
        }
        int lo = from;
        int step = 1;
        while (step < count - lo && get(lo + step) < target) {
            lo += step;
            step <<= 1;
        }
        int hi = step < count - lo ? lo + step : count;
        while (lo + 1 < hi) {
            int mid = (lo + hi) >>> 1;
            if (get(mid) < target) {
                lo = mid;
            } else {
                hi = mid;
            }
        }
        return hi;
    }

    @Override
    public long current() {
        return index < 0 ? -1 : index < count ? get(index) : NO_MORE;
    }

    @Override
    public long next() {
        return ++index < count ? get(index) : NO_MORE;
    }

    @Override
    public long advance(long target) {
        if (current() < target) {
            index = indexOf(index + 1, target);
        }
        return current();
    }

    @Override
    public long cost() {
        return count - Math.max(0, index);
    }
}

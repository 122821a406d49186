package io.varve.tsdb.index;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * Forward over series ids in rising order, as a stream: nothing here holds more than its inputs do. One thread.
 *
 * <p>
 * {@link #current} is −1 before the first move, {@link #NO_MORE} after the last; not to be moved after that.
 */
public interface Postings {
    /** After the last id. */
    long NO_MORE = Long.MAX_VALUE;

    /** The id it stands on. */
    long current();

    /** Moves to the next id. */
    long next();

    /** Moves to the first id at or after {@code target}; stays if it is already there. */
    long advance(long target);

    /** At most so many ids remain; what intersections are ordered by. */
    long cost();

    /** No ids. */
    static Postings empty() {
        return new ArrayPostings(new long[0], 0);
    }

    /** Of rising ids. */
    static Postings of(long... ids) {
        return new ArrayPostings(ids, ids.length);
    }

    /** {@code count} big-endian 32-bit ids, rising, from {@code offset}; the array is not copied. */
    static Postings ofBigEndian(byte[] data, int offset, int count) {
        return new BigEndianPostings(data, offset, count);
    }

    /** Ids that are in all of {@code all}; none where the list is empty. */
    static Postings intersect(List<Postings> all) {
        if (all.isEmpty()) {
            return empty();
        }
        if (all.size() == 1) {
            return all.getFirst();
        }
        List<Postings> byCost = new ArrayList<>(all);
        byCost.sort(Comparator.comparingLong(Postings::cost));
        // The cheapest two lead; where both are raw lists they are intersected without a call per id.
        Postings lead = pair(byCost.get(0), byCost.get(1));
        for (int i = 2; i < byCost.size(); i++) {
            lead = pair(lead, byCost.get(i));
        }
        return lead;
    }

    private static Postings pair(Postings a, Postings b) {
        return a instanceof BigEndianPostings x && b instanceof BigEndianPostings y ? new RawIntersection(x, y) : new Intersection(a, b);
    }

    /** Ids that are in any of {@code any}, once. */
    static Postings union(List<Postings> any) {
        return Union.of(any);
    }

    /** Ids of {@code from} that are not in {@code without}. */
    static Postings subtract(Postings from, Postings without) {
        return new Difference(from, without);
    }

    /** All remaining ids. */
    default long[] toArray() {
        long[] out = new long[(int) Math.min(cost(), 1 << 10)];
        int n = 0;
        for (long id = next(); id != NO_MORE; id = next()) {
            if (n == out.length) {
                out = java.util.Arrays.copyOf(out, Math.max(16, n * 2));
            }
            out[n++] = id;
        }
        return n == out.length ? out : java.util.Arrays.copyOf(out, n);
    }
}

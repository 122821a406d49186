package io.varve.promql.function;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Where the floats of a series fall, kept as a list that is short, and what was lost in each reset: the float before. With sums of
 * that a window costs the same however long it is. Reused from series to series; one thread.
 */
final class CounterResets {
    /** So many resets in a window are added one by one, as they come. */
    private static final int ONE_BY_ONE = 8;
    /** Samples between two looks at whether the query is over. */
    private static final int CHECKED = 1 << 17;

    /** Before which floats a reset was found, rising. */
    private int[] at = new int[0];
    private double[] lost = new double[0];
    /** Sums over {@link #lost} up to each, the own one left out, and their rounding errors. */
    private double[] lostBefore = new double[0];
    private double[] lostBeforeError = new double[0];
    private int count;
    private boolean hasNaN;

    /** Finds the resets of the floats of a series; {@code starts} are start timestamps or null. */
    void find(Windows w, long @Nullable [] starts) {
        count = 0;
        hasNaN = false;
        for (int i = 1; i < w.size && !(w.rising && starts == null); i += CHECKED) {
            if (i > 1) {
                w.check();
            }
            find(w, starts, i, Math.min(w.size, i + CHECKED));
        }
        if (count > ONE_BY_ONE) {
            lostBefore = Room.doubles(lostBefore, count + 1, w::check);
            lostBeforeError = Room.doubles(lostBeforeError, count + 1, w::check);
            Kahan sum = new Kahan();
            for (int i = 0; i < count; i++) {
                lostBefore[i] = sum.sum;
                lostBeforeError[i] = sum.lost;
                sum.add(lost[i]);
            }
            lostBefore[count] = sum.sum;
            lostBeforeError[count] = sum.lost;
        }
    }

    private void find(Windows w, long @Nullable [] starts, int from, int to) {
        double[] v = w.values;
        double previous = v[from - 1];
        for (int i = from; i < to; i++) {
            double x = v[i];
            if (!(x >= previous)) {
                if (x < previous) {
                    found(w, i, previous);
                    previous = x;
                    continue;
                }
                hasNaN = true;
            }
            if (starts != null && StartTimestamps.isReset(starts[i - 1], w.times[i - 1], starts[i], w.times[i])) {
                found(w, i, previous);
            }
            previous = x;
        }
    }

    /** Takes it that there are none. */
    void none() {
        count = 0;
        hasNaN = false;
    }

    private void found(Windows w, int index, double before) {
        if (count == at.length) {
            int room = 2 * count + 16;
            w.check();
            int[] longer = Arrays.copyOf(at, room);
            w.check();
            lost = Arrays.copyOf(lost, room);
            at = longer;
        }
        at[count] = index;
        lost[count++] = before;
    }

    /** How many there are. */
    int count() {
        return count;
    }

    /** The float behind the reset. */
    int at(int reset) {
        return at[reset];
    }

    /** Whether a float that is not a number, or its neighbour, was compared: what looks as if it only rose may have fallen there. */
    boolean hasNaN() {
        return hasNaN;
    }

    /** The first reset that lies behind a float. */
    int firstAfter(int sample) {
        int i = Arrays.binarySearch(at, 0, count, sample + 1);
        return i < 0 ? -i - 1 : i;
    }

    /** Adds what was lost from one float to another. */
    double add(double result, int first, int last) {
        return count == 0 ? result : addLost(result, firstAfter(first), firstAfter(last));
    }

    /** Adds what was lost in some resets: a few one by one, many by a difference of sums unless that is infinite. */
    double addLost(double result, int from, int to) {
        if (to - from > ONE_BY_ONE) {
            double difference = lostBefore[to] - lostBefore[from];
            if (Double.isFinite(difference)) {
                return result + difference + (lostBeforeError[to] - lostBeforeError[from]);
            }
        }
        double r = result;
        for (int i = from; i < to; i++) {
            r += lost[i];
        }
        return r;
    }
}

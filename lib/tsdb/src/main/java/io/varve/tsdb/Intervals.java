package io.varve.tsdb;

import java.util.Arrays;

/** Spans of time in milliseconds, both ends included, in order, apart from each other: what is deleted of a series. Immutable. */
public final class Intervals {
    /** None. */
    public static final Intervals NONE = new Intervals(new long[0], new long[0]);

    private final long[] mins;
    private final long[] maxs;

    private Intervals(long[] mins, long[] maxs) {
        this.mins = mins;
        this.maxs = maxs;
    }

    /** How many there are. */
    public int size() {
        return mins.length;
    }

    /** First millisecond. */
    public long min(int index) {
        return mins[index];
    }

    /** Last millisecond, included. */
    public long max(int index) {
        return maxs[index];
    }

    /** With one more, joined with those that it overlaps or touches. */
    public Intervals with(long min, long max) {
        if (max < min) {
            return this;
        }
        int from = 0;
        while (from < mins.length && maxs[from] < min && maxs[from] + 1 < min) {
            from++;
        }
        int to = from;
        long joinedMin = min;
        long joinedMax = max;
        while (to < mins.length && (max == Long.MAX_VALUE || mins[to] <= max + 1)) {
            joinedMin = Math.min(joinedMin, mins[to]);
            joinedMax = Math.max(joinedMax, maxs[to]);
            to++;
        }
        int n = mins.length - (to - from) + 1;
        long[] newMins = Arrays.copyOf(mins, n);
        long[] newMaxs = Arrays.copyOf(maxs, n);
        newMins[from] = joinedMin;
        newMaxs[from] = joinedMax;
        System.arraycopy(mins, to, newMins, from + 1, mins.length - to);
        System.arraycopy(maxs, to, newMaxs, from + 1, maxs.length - to);
        return new Intervals(newMins, newMaxs);
    }

    /** Index of the first interval that ends at or after the time. */
    private int after(long time) {
        int i = Arrays.binarySearch(maxs, time);
        return i < 0 ? -i - 1 : i;
    }

    /** Whether the instant is deleted. */
    public boolean contains(long time) {
        int i = after(time);
        return i < mins.length && mins[i] <= time;
    }

    /** Whether any instant of {@code [min, max]} is deleted. */
    public boolean overlaps(long min, long max) {
        int i = after(min);
        return i < mins.length && mins[i] <= max;
    }

    /** Whether all of {@code [min, max]} is deleted. */
    public boolean covers(long min, long max) {
        int i = after(min);
        return i < mins.length && mins[i] <= min && maxs[i] >= max;
    }

    @Override
    public boolean equals(Object o) {
        return o instanceof Intervals i && Arrays.equals(mins, i.mins) && Arrays.equals(maxs, i.maxs);
    }

    @Override
    public int hashCode() {
        return 31 * Arrays.hashCode(mins) + Arrays.hashCode(maxs);
    }

    @Override
    public String toString() {
        StringBuilder sb = new StringBuilder("[");
        for (int i = 0; i < mins.length; i++) {
            sb.append(i > 0 ? ", " : "").append(mins[i]).append("..").append(maxs[i]);
        }
        return sb.append(']').toString();
    }
}

package io.varve.promql.function;

import io.varve.model.LimitExceededException;

/**
 * The instants an expression is evaluated at.
 *
 * @param start the first, in milliseconds
 * @param step their distance, positive even where there is one only
 * @param count how many, at least 0
 */
public record Grid(long start, long step, int count) {
    private static final int MOST = Integer.MAX_VALUE - 16;

    /** The instant at {@code index}. */
    public long at(int index) {
        return start + index * step;
    }

    /** The last instant. */
    public long end() {
        return start + (count - 1L) * step;
    }

    /**
     * From {@code start} up to {@code end} at most.
     *
     * @throws LimitExceededException where these are more steps than any memory holds
     */
    public static Grid of(long start, long end, long step) {
        long s = Math.max(1, step);
        if (end < start) {
            return new Grid(start, s, 0);
        }
        // The difference may need all 64 bits.
        long steps = Long.divideUnsigned(end - start, s);
        if (steps < 0 || steps >= MOST) {
            throw new LimitExceededException("query.max-samples",
                    "query processing would load too many samples into memory in query execution");
        }
        return new Grid(start, s, (int) steps + 1);
    }

    /** The first instant alone. */
    public Grid first() {
        return new Grid(start, step, 1);
    }
}

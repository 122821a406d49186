package io.varve.promql.function;

/**
 * The instants an expression is evaluated at.
 *
 * @param start the first, in milliseconds
 * @param step their distance, positive even where there is one only
 * @param count how many, at least 0
 */
public record Grid(long start, long step, int count) {
    /** The instant at {@code index}. */
    public long at(int index) {
        return start + index * step;
    }

    /** The last instant. */
    public long end() {
        return start + (count - 1L) * step;
    }

    /** From {@code start} up to {@code end} at most. */
    public static Grid of(long start, long end, long step) {
        long s = Math.max(1, step);
        return new Grid(start, s, end < start ? 0 : Math.toIntExact((end - start) / s + 1));
    }

    /** The first instant alone. */
    public Grid first() {
        return new Grid(start, step, 1);
    }
}

package io.varve.model;

/**
 * What a reader says who looks at the histograms at both ends of its windows alone, as {@code rate} does: at the first and the last in each
 * window {@code (end − length, end]}. Of those between it wants to know when they were, what kind and how large they are, and where a
 * counter was reset.
 *
 * @param first the end of the first window, in milliseconds
 * @param step how far windows lie apart, 0 where there is one alone
 * @param length how long they are
 */
public record WindowEnds(long first, long step, long length) {
    /** The first end of a window that is not before {@code time}, the greatest number where there is none. */
    public long endFrom(long time) {
        if (time <= first) {
            return first;
        }
        return step == 0 ? Long.MAX_VALUE : first + Math.ceilDiv(time - first, step) * step;
    }

    /** The first instant not before {@code time} that a window begins after, the greatest number where there is none. */
    public long startFrom(long time) {
        long end = time > Long.MAX_VALUE - length ? Long.MAX_VALUE : endFrom(time + length);
        return end == Long.MAX_VALUE ? end : end - length;
    }
}

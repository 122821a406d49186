package io.varve.model;

/**
 * A span of time in milliseconds since 1970, <b>both ends included</b>: what queries and chunks cover. A block's range in
 * {@code meta.json} excludes its end; see {@code BlockMeta}.
 *
 * @param min first millisecond
 * @param max last millisecond; a range with {@code max < min} is empty
 */
public record TimeRange(long min, long max) {
    /** All of time. */
    public static final TimeRange ALL = new TimeRange(Long.MIN_VALUE, Long.MAX_VALUE);

    /** Whether the instant lies inside. */
    public boolean contains(long timeMillis) {
        return timeMillis >= min && timeMillis <= max;
    }
}

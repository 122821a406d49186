package io.varve.promql.parser;

import org.jspecify.annotations.Nullable;

/**
 * {@code @} and {@code offset} of a selector or subquery.
 *
 * @param at null where there is no {@code @}
 * @param offsetNanos how far to look back, in nanoseconds as it is written, though only its whole milliseconds count; negative looks ahead;
 *            0 while {@code offsetExpr} is not evaluated
 * @param offsetExpr the offset where it is more than a literal, null otherwise; the {@link Preprocessor} makes it a number
 */
public record TimeShift(@Nullable At at, long offsetNanos, @Nullable DurationExpr offsetExpr) {
    /** Neither. */
    public static final TimeShift NONE = new TimeShift(null, 0, null);

    /** What {@code @} names. */
    public enum Anchor {
        /** An instant. */
        TIMESTAMP,
        /** {@code start()} */
        START,
        /** {@code end()} */
        END
    }

    /**
     * {@code @}.
     *
     * @param anchor what it names
     * @param timestampMillis the instant, 0 for {@code start()} and {@code end()}
     */
    public record At(Anchor anchor, long timestampMillis) {
        /** {@code @ start()} */
        public static final At START = new At(Anchor.START, 0);
        /** {@code @ end()} */
        public static final At END = new At(Anchor.END, 0);

        /** {@code @} an instant. */
        public static At of(long timestampMillis) {
            return new At(Anchor.TIMESTAMP, timestampMillis);
        }
    }

    /** The same with another {@code @}. */
    public TimeShift withAt(@Nullable At newAt) {
        return new TimeShift(newAt, offsetNanos, offsetExpr);
    }

    /** How far to look back in milliseconds: what evaluation goes by. */
    public long offsetMillis() {
        return offsetNanos / 1_000_000;
    }

    /** Whether there is an offset, be it of less than a millisecond. */
    public boolean hasOffset() {
        return offsetNanos != 0 || offsetExpr != null;
    }

    /** The same with a plain offset. */
    public TimeShift withOffset(long newOffsetNanos) {
        return new TimeShift(at, newOffsetNanos, null);
    }

    /** The same with an offset that is an expression. */
    public TimeShift withOffset(DurationExpr expr) {
        return new TimeShift(at, 0, expr);
    }
}

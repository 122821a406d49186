package io.varve.promql;

/**
 * One query. Times in milliseconds since 1970.
 *
 * @param text PromQL
 * @param startMillis first step; the instant of an instant query
 * @param endMillis last step may not be later; the same instant for an instant query
 * @param stepMillis distance of steps; 0 makes it an instant query
 * @param lookbackMillis how far instant selectors look back, 0 for the engine's default
 * @param perStepStats whether sample counts per step are wanted; only with {@link Feature#PER_STEP_STATS}
 * @param analyze whether time is taken per operator
 */
public record QueryRequest(String text, long startMillis, long endMillis, long stepMillis, long lookbackMillis, boolean perStepStats,
        boolean analyze) {

    /** Checks the range. */
    public QueryRequest {
        if (stepMillis < 0 || endMillis < startMillis && stepMillis > 0 || stepMillis == 0 && startMillis != endMillis) {
            throw new IllegalArgumentException("no such range: " + startMillis + " to " + endMillis + " step " + stepMillis);
        }
    }

    /** At one instant. */
    public static QueryRequest instant(String text, long timeMillis) {
        return new QueryRequest(text, timeMillis, timeMillis, 0, 0, false, false);
    }

    /** From {@code startMillis} to {@code endMillis} in steps of {@code stepMillis} &gt; 0. */
    public static QueryRequest range(String text, long startMillis, long endMillis, long stepMillis) {
        if (stepMillis <= 0) {
            throw new IllegalArgumentException("the step of a range query must be positive, got " + stepMillis);
        }
        return new QueryRequest(text, startMillis, endMillis, stepMillis, 0, false, false);
    }

    /** The same with another lookback; 0 for the engine's default. */
    public QueryRequest withLookback(long millis) {
        return new QueryRequest(text, startMillis, endMillis, stepMillis, millis, perStepStats, analyze);
    }

    /** Whether it asks for one instant. */
    public boolean isInstant() {
        return stepMillis == 0;
    }
}

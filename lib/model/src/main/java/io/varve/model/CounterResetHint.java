package io.varve.model;

/** What is known of a counter reset before a histogram; in the order of Prometheus' numbers 0 to 3. */
public enum CounterResetHint {
    /** Nothing is known. */
    UNKNOWN,
    /** It was reset. */
    RESET,
    /** It was not reset. */
    NOT_RESET,
    /** It is a gauge. */
    GAUGE
}

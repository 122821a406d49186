package io.varve.model;

/**
 * One bucket of a native histogram with its bounds.
 *
 * @param lower lower bound
 * @param upper upper bound
 * @param lowerInclusive whether the lower bound belongs to it
 * @param upperInclusive whether the upper bound belongs to it
 * @param count observations in it
 */
public record HistogramBucket(double lower, double upper, boolean lowerInclusive, boolean upperInclusive, double count) {
    /** Prometheus' form: {@code (0.5,1]:3}. */
    @Override
    public String toString() {
        return (lowerInclusive ? "[" : "(") + GoFloat.general(lower) + "," + GoFloat.general(upper) + (upperInclusive ? "]" : ")") + ":"
                + GoFloat.general(count);
    }
}

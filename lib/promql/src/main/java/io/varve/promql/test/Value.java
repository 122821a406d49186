package io.varve.promql.test;

import io.varve.model.FloatHistogram;
import io.varve.model.GoFloat;
import org.jspecify.annotations.Nullable;

/**
 * One place in a line of values.
 *
 * @param omitted whether there is no sample
 * @param number the float where there is no histogram
 * @param histogram null for floats
 * @param hintMatters whether the script says what the histogram's counter reset hint is
 */
record Value(boolean omitted, double number, @Nullable FloatHistogram histogram, boolean hintMatters) {
    static final Value OMITTED = new Value(true, 0, null, false);

    static Value of(double number) {
        return new Value(false, number, null, false);
    }

    @Override
    public String toString() {
        return omitted ? "_" : histogram != null ? histogram.toString() : GoFloat.plain(number);
    }
}

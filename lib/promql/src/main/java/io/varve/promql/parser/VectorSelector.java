package io.varve.promql.parser;

import io.varve.model.Matcher;
import java.util.List;

/**
 * A selector of series.
 *
 * @param name the metric's name as written outside or alone inside the braces, "" where there is none; {@code matchers} holds it too
 * @param matchers all conditions in the order of Prometheus: those in braces, then the name
 * @param shift {@code @} and {@code offset}; of a {@link MatrixSelector} they stand after its range
 * @param edges {@code anchored}, {@code smoothed} or neither
 */
public record VectorSelector(String name, List<Matcher> matchers, TimeShift shift, Edges edges, Position position) implements Expr {
    /** What happens at the edges of a range. */
    public enum Edges {
        /** Only samples inside count. */
        NORMAL,
        /** {@code anchored}: the range starts from the last sample before it. */
        ANCHORED,
        /** {@code smoothed}: values at the edges are interpolated. */
        SMOOTHED
    }

    /** The same with another {@code @} or offset. */
    public VectorSelector withShift(TimeShift newShift) {
        return new VectorSelector(name, matchers, newShift, edges, position);
    }

    /** The same with other conditions. */
    public VectorSelector withMatchers(List<Matcher> newMatchers) {
        return new VectorSelector(name, List.copyOf(newMatchers), shift, edges, position);
    }

    @Override
    public ValueType type() {
        return ValueType.VECTOR;
    }

    @Override
    public List<Expr> children() {
        return List.of();
    }

    @Override
    public String toString() {
        return Printer.print(this);
    }
}

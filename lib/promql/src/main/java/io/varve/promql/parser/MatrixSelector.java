package io.varve.promql.parser;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A selector with a range.
 *
 * @param selector the series, with {@code @}, {@code offset} and edges of the whole
 * @param rangeNanos the range in nanoseconds, of which whole milliseconds select samples; 0 while {@code rangeExpr} is not evaluated
 * @param rangeExpr the range where it is more than a literal, null otherwise; the {@link Preprocessor} makes it a number
 */
public record MatrixSelector(VectorSelector selector, long rangeNanos, @Nullable DurationExpr rangeExpr, Position position)
        implements
            Expr {
    /** The range in milliseconds. */
    public long rangeMillis() {
        return rangeNanos / 1_000_000;
    }

    /** The same over another selector. */
    public MatrixSelector withSelector(VectorSelector newSelector) {
        return new MatrixSelector(newSelector, rangeNanos, rangeExpr, position);
    }

    /** The same with a plain range. */
    public MatrixSelector withRange(long newRangeNanos) {
        return new MatrixSelector(selector, newRangeNanos, null, position);
    }

    @Override
    public ValueType type() {
        return ValueType.MATRIX;
    }

    @Override
    public List<Expr> children() {
        return List.of(selector);
    }

    @Override
    public String toString() {
        return Printer.print(this);
    }
}

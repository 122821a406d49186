package io.varve.promql.parser;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A subquery: {@code expr[range:step]}.
 *
 * @param expr what is evaluated at each inner step
 * @param rangeNanos the range in nanoseconds, of which whole milliseconds select steps; 0 while {@code rangeExpr} is not evaluated
 * @param rangeExpr the range where it is more than a literal, else null
 * @param stepNanos the inner step in nanoseconds, of which whole milliseconds count; 0 where it was left out (the engine's default applies) or
 *            {@code stepExpr} is not evaluated
 * @param stepExpr the inner step where it is more than a literal, else null
 * @param shift {@code @} and {@code offset}
 */
public record SubqueryExpr(Expr expr, long rangeNanos, @Nullable DurationExpr rangeExpr, long stepNanos, @Nullable DurationExpr stepExpr,
        TimeShift shift, Position position) implements Expr {
    /** The range in milliseconds. */
    public long rangeMillis() {
        return rangeNanos / 1_000_000;
    }

    /** The inner step in milliseconds: what evaluation goes by. */
    public long stepMillis() {
        return stepNanos / 1_000_000;
    }

    /** The same over another expression. */
    public SubqueryExpr withExpr(Expr newExpr) {
        return new SubqueryExpr(newExpr, rangeNanos, rangeExpr, stepNanos, stepExpr, shift, position);
    }

    /** The same with another {@code @} or offset. */
    public SubqueryExpr withShift(TimeShift newShift) {
        return new SubqueryExpr(expr, rangeNanos, rangeExpr, stepNanos, stepExpr, newShift, position);
    }

    /** The same with a plain range and step. */
    public SubqueryExpr withDurations(long newRangeNanos, long newStepNanos) {
        return new SubqueryExpr(expr, newRangeNanos, null, newStepNanos, null, shift, position);
    }

    @Override
    public ValueType type() {
        return ValueType.MATRIX;
    }

    @Override
    public List<Expr> children() {
        return List.of(expr);
    }

    @Override
    public String toString() {
        return Printer.print(this);
    }
}

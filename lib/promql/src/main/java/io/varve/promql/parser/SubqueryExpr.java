package io.varve.promql.parser;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A subquery: {@code expr[range:step]}.
 *
 * @param expr what is evaluated at each inner step
 * @param rangeMillis the range; 0 while {@code rangeExpr} is not evaluated
 * @param rangeExpr the range where it is more than a literal, else null
 * @param stepMillis the inner step; 0 where it was left out (the engine's default applies) or {@code stepExpr} is not evaluated
 * @param stepExpr the inner step where it is more than a literal, else null
 * @param shift {@code @} and {@code offset}
 */
public record SubqueryExpr(Expr expr, long rangeMillis, @Nullable DurationExpr rangeExpr, long stepMillis, @Nullable DurationExpr stepExpr,
        TimeShift shift, Position position) implements Expr {
    /** The same over another expression. */
    public SubqueryExpr withExpr(Expr newExpr) {
        return new SubqueryExpr(newExpr, rangeMillis, rangeExpr, stepMillis, stepExpr, shift, position);
    }

    /** The same with another {@code @} or offset. */
    public SubqueryExpr withShift(TimeShift newShift) {
        return new SubqueryExpr(expr, rangeMillis, rangeExpr, stepMillis, stepExpr, newShift, position);
    }

    /** The same with a plain range and step. */
    public SubqueryExpr withDurations(long newRangeMillis, long newStepMillis) {
        return new SubqueryExpr(expr, newRangeMillis, null, newStepMillis, null, shift, position);
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

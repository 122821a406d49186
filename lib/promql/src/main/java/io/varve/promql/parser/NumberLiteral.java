package io.varve.promql.parser;

import java.util.List;

/**
 * A number.
 *
 * @param value seconds where it was written as a duration
 * @param duration whether it was written as a duration, and is printed as one
 */
public record NumberLiteral(double value, boolean duration, Position position) implements Expr {
    /** A number that was not written by anyone. */
    public static NumberLiteral of(double value) {
        return new NumberLiteral(value, false, Position.NONE);
    }

    @Override
    public ValueType type() {
        return ValueType.SCALAR;
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

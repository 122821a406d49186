package io.varve.promql.parser;

import java.util.List;

/**
 * A number.
 *
 * @param value seconds where it was written as a duration
 * @param duration whether it was written as a duration, and is printed as one
 */
public record NumberLiteral(double value, boolean duration, Position position) implements Expr {
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

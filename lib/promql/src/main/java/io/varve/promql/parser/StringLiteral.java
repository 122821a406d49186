package io.varve.promql.parser;

import java.util.List;

/**
 * A text.
 *
 * @param value without quotes and escapes
 */
public record StringLiteral(String value, Position position) implements Expr {
    @Override
    public ValueType type() {
        return ValueType.STRING;
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

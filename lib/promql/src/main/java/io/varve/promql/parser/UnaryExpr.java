package io.varve.promql.parser;

import java.util.List;

/**
 * A sign before a scalar or vector that is not a literal.
 *
 * @param negative {@code -}, else {@code +}
 * @param expr what it applies to
 */
public record UnaryExpr(boolean negative, Expr expr, Position position) implements Expr {
    /** The same over another expression. */
    public UnaryExpr withExpr(Expr newExpr) {
        return new UnaryExpr(negative, newExpr, position);
    }

    @Override
    public ValueType type() {
        return expr.type();
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

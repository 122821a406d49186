package io.varve.promql.parser;

import java.util.List;

/**
 * Parentheses.
 *
 * @param expr what they hold
 */
public record ParenExpr(Expr expr, Position position) implements Expr {
    /** The same around another expression. */
    public ParenExpr withExpr(Expr newExpr) {
        return new ParenExpr(newExpr, position);
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

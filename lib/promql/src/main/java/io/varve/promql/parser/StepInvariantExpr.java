package io.varve.promql.parser;

import java.util.List;

/**
 * Says that what it wraps has the same value at each step, so that evaluating it once is enough. Made by the {@link Preprocessor},
 * never by the parser.
 *
 * @param expr what does not change
 */
public record StepInvariantExpr(Expr expr) implements Expr {
    @Override
    public Position position() {
        return expr.position();
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

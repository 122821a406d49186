package io.varve.promql.parser;

import java.util.List;

/**
 * A call of a function.
 *
 * @param function its signature
 * @param args as written; optional ones may be missing
 */
public record Call(FunctionSignature function, List<Expr> args, Position position) implements Expr {
    /** The same with other arguments. */
    public Call withArgs(List<Expr> newArgs) {
        return new Call(function, List.copyOf(newArgs), position);
    }

    @Override
    public ValueType type() {
        return function.returnType();
    }

    @Override
    public List<Expr> children() {
        return args;
    }

    @Override
    public String toString() {
        return Printer.print(this);
    }
}

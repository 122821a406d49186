package io.varve.promql.parser;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * An aggregation.
 *
 * @param op the operation
 * @param expr the vector it works on
 * @param param the parameter of operations that have one, else null
 * @param grouping labels of {@code by} or {@code without}, as written
 * @param without whether the groups are formed by all labels but {@code grouping}
 */
public record AggregateExpr(AggregateOp op, Expr expr, @Nullable Expr param, List<String> grouping, boolean without, Position position)
        implements
            Expr {
    /** The same over other expressions. */
    public AggregateExpr withExprs(Expr newExpr, @Nullable Expr newParam) {
        return new AggregateExpr(op, newExpr, newParam, grouping, without, position);
    }

    @Override
    public ValueType type() {
        return ValueType.VECTOR;
    }

    @Override
    public List<Expr> children() {
        return param == null ? List.of(expr) : List.of(expr, param);
    }

    @Override
    public String toString() {
        return Printer.print(this);
    }
}

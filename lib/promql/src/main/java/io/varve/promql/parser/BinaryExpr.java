package io.varve.promql.parser;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A binary operation.
 *
 * @param op the operator
 * @param lhs left operand
 * @param rhs right operand
 * @param matching how series meet; null unless both sides are instant vectors
 * @param returnBool whether a comparison yields 0 and 1 in place of filtering
 */
public record BinaryExpr(BinaryOp op, Expr lhs, Expr rhs, @Nullable VectorMatching matching, boolean returnBool, Position position)
        implements
            Expr {
    /** The same over other operands. */
    public BinaryExpr withSides(Expr newLhs, Expr newRhs) {
        return new BinaryExpr(op, newLhs, newRhs, matching, returnBool, position);
    }

    @Override
    public ValueType type() {
        return lhs.type() == ValueType.SCALAR && rhs.type() == ValueType.SCALAR ? ValueType.SCALAR : ValueType.VECTOR;
    }

    @Override
    public List<Expr> children() {
        return List.of(lhs, rhs);
    }

    @Override
    public String toString() {
        return Printer.print(this);
    }
}

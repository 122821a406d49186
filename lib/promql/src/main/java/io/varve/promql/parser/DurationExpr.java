package io.varve.promql.parser;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A duration that must be computed: in ranges, steps of subqueries and offsets. Values are seconds.
 *
 * @param op what is computed
 * @param lhs left operand (a {@link NumberLiteral} or another duration expression); null for {@code step()}, {@code range()} and signs
 * @param rhs right operand; null for {@code step()} and {@code range()}
 * @param wrapped whether it stands in parentheses
 */
public record DurationExpr(DurationOp op, @Nullable Expr lhs, @Nullable Expr rhs, boolean wrapped, Position position) implements Expr {
    /** The same in parentheses. */
    public DurationExpr wrappedAt(Position newPosition) {
        return new DurationExpr(op, lhs, rhs, true, newPosition);
    }

    @Override
    public ValueType type() {
        return ValueType.SCALAR;
    }

    @Override
    public List<Expr> children() {
        if (lhs == null) {
            return rhs == null ? List.of() : List.of(rhs);
        }
        return rhs == null ? List.of(lhs) : List.of(lhs, rhs);
    }

    @Override
    public String toString() {
        return Printer.print(this);
    }
}

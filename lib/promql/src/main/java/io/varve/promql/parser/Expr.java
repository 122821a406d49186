package io.varve.promql.parser;

import java.util.List;

/**
 * A node of the syntax tree. Immutable. Equality of the records includes positions; compare printed
 * forms where they must not matter.
 */
public sealed interface Expr permits NumberLiteral, StringLiteral, UnaryExpr, ParenExpr, BinaryExpr, AggregateExpr, Call, VectorSelector,
        MatrixSelector, SubqueryExpr, DurationExpr, StepInvariantExpr {
    /** Where it stands in the query. */
    Position position();

    /** What it evaluates to. */
    ValueType type();

    /** The nodes directly below, in Prometheus' order (an aggregation's expression before its parameter). */
    List<Expr> children();
}

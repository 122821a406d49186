package io.varve.promql.parser;

/** What a duration expression computes. */
public enum DurationOp {
    /** Sum, or a sign. */
    ADD("+"),
    /** Difference, or a sign. */
    SUB("-"),
    /** Product. */
    MUL("*"),
    /** Quotient. */
    DIV("/"),
    /** Remainder. */
    MOD("%"),
    /** Power. */
    POW("^"),
    /** The query's step. */
    STEP("step"),
    /** The query's range. */
    RANGE("range"),
    /** The lesser of two. */
    MIN_OF("min_of"),
    /** The greater of two. */
    MAX_OF("max_of");

    private final String symbol;

    DurationOp(String symbol) {
        this.symbol = symbol;
    }

    /** As written. */
    public String symbol() {
        return symbol;
    }
}

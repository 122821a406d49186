package io.varve.promql.parser;

/** The binary operators. */
public enum BinaryOp {
    /** Either side. */
    OR("or", 1),
    /** Left where right has a match. */
    AND("and", 2),
    /** Left where right has none. */
    UNLESS("unless", 2),
    /** Equal. */
    EQL("==", 3),
    /** Not equal. */
    NEQ("!=", 3),
    /** At least. */
    GTE(">=", 3),
    /** More. */
    GTR(">", 3),
    /** At most. */
    LTE("<=", 3),
    /** Less. */
    LSS("<", 3),
    /** Keeps a histogram's observations at most the right side. */
    TRIM_UPPER("</", 3),
    /** Keeps a histogram's observations at least the right side. */
    TRIM_LOWER(">/", 3),
    /** Sum. */
    ADD("+", 4),
    /** Difference. */
    SUB("-", 4),
    /** Product. */
    MUL("*", 5),
    /** Quotient. */
    DIV("/", 5),
    /** Remainder with the dividend's sign. */
    MOD("%", 5),
    /** Angle. */
    ATAN2("atan2", 5),
    /** Power; binds to the right. */
    POW("^", 6);

    private final String symbol;
    private final int precedence;

    BinaryOp(String symbol, int precedence) {
        this.symbol = symbol;
        this.precedence = precedence;
    }

    /** As written. */
    public String symbol() {
        return symbol;
    }

    /** Binding strength, 1 (loosest) to 6. */
    public int precedence() {
        return precedence;
    }

    /** {@code and}, {@code or}, {@code unless}. */
    public boolean isSet() {
        return switch (this) {
            case OR, AND, UNLESS -> true;
            default -> false;
        };
    }

    /** The six that compare; not the trim operators. */
    public boolean isComparison() {
        return switch (this) {
            case EQL, NEQ, GTE, GTR, LTE, LSS -> true;
            default -> false;
        };
    }

    /** {@code </} and {@code >/}. */
    public boolean isTrim() {
        return this == TRIM_UPPER || this == TRIM_LOWER;
    }
}

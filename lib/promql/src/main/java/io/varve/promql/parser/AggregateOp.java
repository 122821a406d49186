package io.varve.promql.parser;

/** The aggregations. */
public enum AggregateOp {
    /** Sum. */
    SUM("sum"),
    /** Mean. */
    AVG("avg"),
    /** Number of members. */
    COUNT("count"),
    /** Least. */
    MIN("min"),
    /** Greatest. */
    MAX("max"),
    /** 1 where the group has a member. */
    GROUP("group"),
    /** Population standard deviation. */
    STDDEV("stddev"),
    /** Population variance. */
    STDVAR("stdvar"),
    /** The k greatest. */
    TOPK("topk"),
    /** The k least. */
    BOTTOMK("bottomk"),
    /** How often each value occurs. */
    COUNT_VALUES("count_values"),
    /** φ-quantile. */
    QUANTILE("quantile"),
    /** The first k; experimental. */
    LIMITK("limitk"),
    /** A fraction chosen by hash; experimental. */
    LIMIT_RATIO("limit_ratio");

    private final String text;

    AggregateOp(String text) {
        this.text = text;
    }

    /** As written. */
    public String text() {
        return text;
    }

    /** Whether a parameter comes before the expression. */
    public boolean hasParameter() {
        return hasScalarParameter() || this == COUNT_VALUES;
    }

    /** Whether that parameter is a scalar. */
    public boolean hasScalarParameter() {
        return switch (this) {
            case TOPK, BOTTOMK, QUANTILE, LIMITK, LIMIT_RATIO -> true;
            default -> false;
        };
    }

    /** Whether it must be enabled. */
    public boolean isExperimental() {
        return this == LIMITK || this == LIMIT_RATIO;
    }
}

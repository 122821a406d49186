package io.varve.promql.parser;

import org.jspecify.annotations.Nullable;

/** Kinds of tokens. How one is described in an error depends on its class. */
enum TokenKind {
    EOF(Class.END, "end of input"), COMMA(Class.FIXED, ","), COLON(Class.FIXED, ":"), LEFT_PAREN(Class.FIXED, "("), RIGHT_PAREN(Class.FIXED,
            ")"), LEFT_BRACE(Class.FIXED, "{"), RIGHT_BRACE(Class.FIXED,
                    "}"), LEFT_BRACKET(Class.FIXED, "["), RIGHT_BRACKET(Class.FIXED, "]"), EQL(Class.FIXED, "="),

    IDENTIFIER(Class.NAMED, "identifier"), METRIC_IDENTIFIER(Class.NAMED, "metric identifier"), STRING(Class.NAMED,
            "string"), NUMBER(Class.NAMED, "number"), DURATION(Class.NAMED, "duration"),

    EQL_REGEX(Class.OPERATOR, "=~"), NEQ_REGEX(Class.OPERATOR, "!~"), AT(Class.OPERATOR, "@"), ADD(BinaryOp.ADD), SUB(BinaryOp.SUB), MUL(
            BinaryOp.MUL), DIV(BinaryOp.DIV), MOD(BinaryOp.MOD), POW(BinaryOp.POW), ATAN2(BinaryOp.ATAN2), EQLC(BinaryOp.EQL), NEQ(
                    BinaryOp.NEQ), GTE(BinaryOp.GTE), GTR(BinaryOp.GTR), LTE(BinaryOp.LTE), LSS(
                            BinaryOp.LSS), TRIM_UPPER(BinaryOp.TRIM_UPPER), TRIM_LOWER(
                                    BinaryOp.TRIM_LOWER), LAND(BinaryOp.AND), LOR(BinaryOp.OR), LUNLESS(BinaryOp.UNLESS),

    SUM(AggregateOp.SUM), AVG(AggregateOp.AVG), COUNT(AggregateOp.COUNT), MIN(AggregateOp.MIN), MAX(AggregateOp.MAX), GROUP(
            AggregateOp.GROUP), STDDEV(AggregateOp.STDDEV), STDVAR(AggregateOp.STDVAR), TOPK(AggregateOp.TOPK), BOTTOMK(
                    AggregateOp.BOTTOMK), COUNT_VALUES(AggregateOp.COUNT_VALUES), QUANTILE(
                            AggregateOp.QUANTILE), LIMITK(AggregateOp.LIMITK), LIMIT_RATIO(AggregateOp.LIMIT_RATIO),

    OFFSET(Class.KEYWORD, "offset"), SMOOTHED(Class.KEYWORD, "smoothed"), ANCHORED(Class.KEYWORD, "anchored"), BY(Class.KEYWORD,
            "by"), WITHOUT(Class.KEYWORD, "without"), ON(Class.KEYWORD, "on"), IGNORING(Class.KEYWORD, "ignoring"), GROUP_LEFT(
                    Class.KEYWORD, "group_left"), GROUP_RIGHT(Class.KEYWORD, "group_right"), FILL(Class.KEYWORD, "fill"), FILL_LEFT(
                            Class.KEYWORD, "fill_left"), FILL_RIGHT(Class.KEYWORD, "fill_right"), BOOL(Class.KEYWORD, "bool"),

    START(Class.FIXED, "start"), END(Class.FIXED, "end"), STEP(Class.FIXED, "step"), RANGE(Class.FIXED, "range"), MIN_OF(Class.FIXED,
            "min_of"), MAX_OF(Class.FIXED, "max_of");

    /** How a token of the kind is described. */
    enum Class {
        /** The end. */
        END,
        /** By its text in quotes. */
        FIXED,
        /** By the kind's name and its text in quotes. */
        NAMED,
        /** {@code <op:+>} */
        OPERATOR,
        /** {@code <aggr:sum>} */
        AGGREGATE,
        /** {@code <by>} */
        KEYWORD
    }

    final Class described;
    final String text;
    final @Nullable BinaryOp binary;
    final @Nullable AggregateOp aggregate;

    TokenKind(Class described, String text) {
        this.described = described;
        this.text = text;
        this.binary = null;
        this.aggregate = null;
    }

    TokenKind(BinaryOp op) {
        this.described = Class.OPERATOR;
        this.text = op.symbol();
        this.binary = op;
        this.aggregate = null;
    }

    TokenKind(AggregateOp op) {
        this.described = Class.AGGREGATE;
        this.text = op.text();
        this.binary = null;
        this.aggregate = op;
    }

    /** Whether a metric may have this word as its name. */
    boolean canBeMetricName() {
        return aggregate != null || switch (this) {
            case IDENTIFIER, METRIC_IDENTIFIER, LAND, LOR, LUNLESS, OFFSET, SMOOTHED, ANCHORED, BY, WITHOUT, FILL, FILL_LEFT, FILL_RIGHT,
                    START,
                    END, STEP, RANGE, MIN_OF, MAX_OF ->
                true;
            default -> false;
        };
    }

    /** Whether a function may be called by this word. */
    boolean canBeFunctionName() {
        return switch (this) {
            case IDENTIFIER, START, END, STEP, RANGE, MIN_OF, MAX_OF -> true;
            default -> false;
        };
    }

    /** Whether it is a word and thus may name a label in a grouping; words that are numbers may not, nor may {@code without}. */
    boolean canBeLabelName() {
        return this != WITHOUT && canBeMetricName() || switch (this) {
            case ATAN2, ON, IGNORING, GROUP_LEFT, GROUP_RIGHT, BOOL -> true;
            default -> false;
        };
    }
}

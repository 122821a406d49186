package io.varve.promql.parser;

/** What an expression evaluates to. */
public enum ValueType {
    /** Only of expressions that never stand alone, such as duration expressions. */
    NONE("none", "none"),
    /** A number at each step. */
    SCALAR("scalar", "scalar"),
    /** Series with one value at each step. */
    VECTOR("vector", "instant vector"),
    /** Series with a window of samples at each step. */
    MATRIX("matrix", "range vector"),
    /** A text. */
    STRING("string", "string");

    private final String text;
    private final String described;

    ValueType(String text, String described) {
        this.text = text;
        this.described = described;
    }

    /** As in the HTTP API: {@code vector}. */
    public String text() {
        return text;
    }

    /** As in error texts: {@code instant vector}. */
    public String described() {
        return described;
    }
}

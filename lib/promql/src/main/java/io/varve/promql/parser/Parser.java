package io.varve.promql.parser;

/** Reads PromQL. Any text gives a tree or a {@link ParseException}, in time that grows with its length alone. */
public final class Parser {
    private Parser() {
    }

    /**
     * Reads an expression.
     *
     * @throws ParseException with Prometheus' text and place
     */
    public static Expr parse(String query, ParserOptions options) {
        throw new UnsupportedOperationException(query + options);
    }
}

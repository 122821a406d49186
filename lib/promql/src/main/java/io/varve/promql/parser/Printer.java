package io.varve.promql.parser;

/** Writes trees as PromQL on one line, as Prometheus does. */
public final class Printer {
    private Printer() {
    }

    /** The expression as PromQL. */
    public static String print(Expr expr) {
        return "";
    }
}

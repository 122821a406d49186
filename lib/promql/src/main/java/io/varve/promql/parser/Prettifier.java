package io.varve.promql.parser;

import java.nio.charset.StandardCharsets;

/**
 * Writes trees as PromQL on several lines, as Prometheus' {@code format_query}: what is longer than a line is split at the outermost
 * operators, aggregations, calls and parentheses, each level indented by two spaces. Selectors are never split.
 */
public final class Prettifier {
    private static final int LINE = 100;

    private final int line;

    private Prettifier(int line) {
        this.line = line;
    }

    /** The expression in lines of at most 100 bytes where that is possible. */
    public static String format(Expr expr) {
        return format(expr, LINE);
    }

    /** The expression in lines of at most {@code line} bytes where that is possible. */
    static String format(Expr expr, int line) {
        StringBuilder sb = new StringBuilder();
        new Prettifier(line).append(sb, expr, 0);
        return sb.toString();
    }

    private void append(StringBuilder sb, Expr expr, int level) {
        String oneLine = Printer.print(expr);
        boolean fits = oneLine.length() <= line && oneLine.getBytes(StandardCharsets.UTF_8).length <= line;
        switch (expr) {
            case UnaryExpr u -> {
                indent(sb, level);
                sb.append(u.negative() ? '-' : '+');
                StringBuilder child = new StringBuilder();
                append(child, u.expr(), level);
                sb.append(child.toString().strip());
            }
            case SubqueryExpr s -> {
                // Prometheus leaves the indent of one that fits away.
                if (fits) {
                    sb.append(oneLine);
                } else {
                    append(sb, s.expr(), level);
                    Printer.appendSubquerySuffix(sb, s);
                }
            }
            case ParenExpr p when !fits -> {
                indent(sb, level);
                sb.append("(\n");
                append(sb, p.expr(), level + 1);
                close(sb, level);
            }
            case BinaryExpr b when !fits -> {
                if (Printer.isPowerOfInfinity(b)) {
                    single(sb, level + 1, "Inf");
                } else {
                    append(sb, b.lhs(), level + 1);
                }
                sb.append('\n');
                indent(sb, level);
                Printer.appendOperator(sb, b);
                sb.append('\n');
                append(sb, b.rhs(), level + 1);
            }
            case AggregateExpr a when !fits -> {
                indent(sb, level);
                Printer.appendAggregation(sb, a);
                sb.append("(\n");
                if (a.param() != null) {
                    append(sb, a.param(), level + 1);
                    sb.append(",\n");
                }
                append(sb, a.expr(), level + 1);
                close(sb, level);
            }
            case Call c when !fits -> {
                indent(sb, level);
                sb.append(c.function().name()).append("(\n");
                for (int i = 0; i < c.args().size(); i++) {
                    if (i > 0) {
                        sb.append(",\n");
                    }
                    append(sb, c.args().get(i), level + 1);
                }
                close(sb, level);
            }
            case StepInvariantExpr s -> append(sb, s.expr(), level);
            case NumberLiteral n -> single(sb, level, oneLine);
            case StringLiteral s -> single(sb, level, oneLine);
            case VectorSelector v -> single(sb, level, oneLine);
            case MatrixSelector m -> single(sb, level, oneLine);
            case DurationExpr d -> single(sb, level, oneLine);
            case ParenExpr p -> single(sb, level, oneLine);
            case BinaryExpr b -> single(sb, level, oneLine);
            case AggregateExpr a -> single(sb, level, oneLine);
            case Call c -> single(sb, level, oneLine);
        }
    }

    private static void single(StringBuilder sb, int level, String text) {
        indent(sb, level);
        sb.append(text);
    }

    private static void close(StringBuilder sb, int level) {
        sb.append('\n');
        indent(sb, level);
        sb.append(')');
    }

    private static void indent(StringBuilder sb, int level) {
        sb.repeat("  ", level);
    }
}

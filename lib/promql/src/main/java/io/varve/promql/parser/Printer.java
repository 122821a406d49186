package io.varve.promql.parser;

import io.varve.model.GoFloat;
import io.varve.model.GoQuote;
import io.varve.model.LabelNames;
import io.varve.model.Labels;
import io.varve.model.Matcher;
import io.varve.model.PromDuration;
import io.varve.promql.parser.VectorMatching.Cardinality;
import io.varve.promql.parser.VectorSelector.Edges;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Writes trees as PromQL on one line, as Prometheus does. */
public final class Printer {
    private Printer() {
    }

    /** The expression as PromQL. */
    public static String print(Expr expr) {
        StringBuilder sb = new StringBuilder();
        append(sb, expr);
        return sb.toString();
    }

    static void append(StringBuilder sb, Expr expr) {
        switch (expr) {
            case NumberLiteral n -> appendNumber(sb, n);
            case StringLiteral s -> GoQuote.append(sb, s.value());
            case UnaryExpr u -> {
                sb.append(u.negative() ? '-' : '+');
                append(sb, u.expr());
            }
            case ParenExpr p -> {
                sb.append('(');
                append(sb, p.expr());
                sb.append(')');
            }
            case BinaryExpr b -> {
                if (isPowerOfInfinity(b)) {
                    sb.append("Inf");
                } else {
                    append(sb, b.lhs());
                }
                sb.append(' ');
                appendOperator(sb, b);
                sb.append(' ');
                append(sb, b.rhs());
            }
            case AggregateExpr a -> {
                appendAggregation(sb, a);
                sb.append('(');
                if (a.param() != null) {
                    append(sb, a.param());
                    sb.append(", ");
                }
                append(sb, a.expr());
                sb.append(')');
            }
            case Call c -> {
                sb.append(c.function().name()).append('(');
                for (int i = 0; i < c.args().size(); i++) {
                    if (i > 0) {
                        sb.append(", ");
                    }
                    append(sb, c.args().get(i));
                }
                sb.append(')');
            }
            case VectorSelector v -> {
                appendSeries(sb, v);
                appendAt(sb, v.shift());
                appendEdges(sb, v.edges());
                appendOffset(sb, v.shift());
            }
            case MatrixSelector m -> {
                appendSeries(sb, m.selector());
                sb.append('[');
                appendDuration(sb, m.rangeMillis(), m.rangeExpr());
                sb.append(']');
                appendEdges(sb, m.selector().edges());
                appendAt(sb, m.selector().shift());
                appendOffset(sb, m.selector().shift());
            }
            case SubqueryExpr s -> {
                append(sb, s.expr());
                appendSubquerySuffix(sb, s);
            }
            case DurationExpr d -> appendDurationExpr(sb, d);
            case StepInvariantExpr s -> append(sb, s.expr());
        }
    }

    /** Whether the left side must be written without its usual sign, which would read back as the sign of the whole power. */
    static boolean isPowerOfInfinity(BinaryExpr b) {
        return b.op() == BinaryOp.POW && b.lhs() instanceof NumberLiteral n && n.value() == Double.POSITIVE_INFINITY;
    }

    private static void appendNumber(StringBuilder sb, NumberLiteral n) {
        if (n.duration()) {
            double millis = n.value() * 1000;
            sb.append(PromDuration.print((long) (millis < 0 ? -Math.floor(-millis + 0.5) : Math.floor(millis + 0.5))));
        } else {
            GoFloat.appendPlain(sb, n.value());
        }
    }

    /** The operator with its modifiers. */
    static void appendOperator(StringBuilder sb, BinaryExpr b) {
        sb.append(b.op().symbol());
        if (b.returnBool()) {
            sb.append(" bool");
        }
        VectorMatching m = b.matching();
        if (m == null) {
            return;
        }
        boolean group = m.cardinality() == Cardinality.MANY_TO_ONE || m.cardinality() == Cardinality.ONE_TO_MANY;
        if (!m.labels().isEmpty() || m.on() || group) {
            sb.append(m.on() ? " on (" : " ignoring (");
            appendNames(sb, m.labels());
            sb.append(')');
        }
        if (group) {
            sb.append(m.cardinality() == Cardinality.MANY_TO_ONE ? " group_left (" : " group_right (");
            appendNames(sb, m.include());
            sb.append(')');
        }
        Double left = m.fillLeft();
        Double right = m.fillRight();
        // NaN is not equal to itself and thus is written on each side.
        if (left != null && right != null && left.doubleValue() == right.doubleValue()) {
            sb.append(" fill (").append(GoFloat.general(left)).append(')');
            return;
        }
        if (left != null) {
            sb.append(" fill_left (").append(GoFloat.general(left)).append(')');
        }
        if (right != null) {
            sb.append(" fill_right (").append(GoFloat.general(right)).append(')');
        }
    }

    /** {@code sum by (a) } or {@code sum}: what stands before the parenthesis. */
    static void appendAggregation(StringBuilder sb, AggregateExpr a) {
        sb.append(a.op().text());
        if (a.without()) {
            sb.append(" without (");
        } else if (!a.grouping().isEmpty()) {
            sb.append(" by (");
        } else {
            return;
        }
        appendNames(sb, a.grouping());
        sb.append(") ");
    }

    private static void appendNames(StringBuilder sb, List<String> names) {
        for (int i = 0; i < names.size(); i++) {
            if (i > 0) {
                sb.append(", ");
            }
            if (LabelNames.isLegacy(names.get(i))) {
                sb.append(names.get(i));
            } else {
                GoQuote.append(sb, names.get(i));
            }
        }
    }

    private static void appendSeries(StringBuilder sb, VectorSelector v) {
        List<String> conditions = new ArrayList<>();
        for (Matcher m : v.matchers()) {
            boolean isName = m.name().equals(Labels.METRIC_NAME) && m.type() == Matcher.Type.EQUAL;
            if (isName && !v.name().isEmpty() && m.value().equals(v.name())) {
                continue;
            }
            conditions.add(m.toString());
        }
        String name = v.name();
        if (!name.isEmpty() && !LabelNames.isLegacyMetric(name)) {
            conditions.add(GoQuote.quote(name));
            name = "";
        }
        conditions.sort(io.varve.model.Utf8Order::compare);
        sb.append(name);
        if (!conditions.isEmpty() || v.name().isEmpty()) {
            sb.append('{').append(String.join(",", conditions)).append('}');
        }
    }

    static void appendSubquerySuffix(StringBuilder sb, SubqueryExpr s) {
        sb.append('[');
        appendDuration(sb, s.rangeMillis(), s.rangeExpr());
        sb.append(':');
        if (s.stepExpr() != null || s.stepNanos() != 0) {
            appendDuration(sb, s.stepMillis(), s.stepExpr());
        }
        sb.append(']');
        appendAt(sb, s.shift());
        appendOffset(sb, s.shift());
    }

    private static void appendAt(StringBuilder sb, TimeShift shift) {
        TimeShift.At at = shift.at();
        if (at == null) {
            return;
        }
        sb.append(" @ ").append(switch (at.anchor()) {
            case TIMESTAMP -> GoFloat.fixed(at.timestampMillis() / 1000.0, 3);
            case START -> "start()";
            case END -> "end()";
        });
    }

    private static void appendOffset(StringBuilder sb, TimeShift shift) {
        if (!shift.hasOffset()) {
            return;
        }
        sb.append(" offset ");
        if (shift.offsetNanos() < 0) {
            sb.append('-');
        }
        appendDuration(sb, Math.abs(shift.offsetMillis()), shift.offsetExpr());
    }

    private static void appendEdges(StringBuilder sb, Edges edges) {
        sb.append(switch (edges) {
            case NORMAL -> "";
            case ANCHORED -> " anchored";
            case SMOOTHED -> " smoothed";
        });
    }

    private static void appendDuration(StringBuilder sb, long millis, @Nullable DurationExpr expr) {
        if (expr != null) {
            appendDurationExpr(sb, expr);
        } else {
            sb.append(PromDuration.print(millis));
        }
    }

    private static void appendDurationExpr(StringBuilder sb, DurationExpr d) {
        if (d.wrapped()) {
            sb.append('(');
        }
        Expr lhs = d.lhs();
        Expr rhs = d.rhs();
        if (d.op() == DurationOp.STEP || d.op() == DurationOp.RANGE) {
            sb.append(d.op().symbol()).append("()");
        } else if (d.op() == DurationOp.MIN_OF || d.op() == DurationOp.MAX_OF) {
            sb.append(d.op().symbol()).append('(');
            if (lhs != null) {
                append(sb, lhs);
            }
            sb.append(", ");
            if (rhs != null) {
                append(sb, rhs);
            }
            sb.append(')');
        } else {
            if (lhs != null) {
                append(sb, lhs);
                sb.append(' ').append(d.op().symbol()).append(' ');
            } else if (d.op() == DurationOp.SUB) {
                sb.append('-');
            }
            if (rhs != null) {
                append(sb, rhs);
            }
        }
        if (d.wrapped()) {
            sb.append(')');
        }
    }
}

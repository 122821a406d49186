package io.varve.promql.parser;

import io.varve.model.GoFloat;
import io.varve.model.JsonText;
import io.varve.model.Matcher;
import io.varve.promql.parser.VectorSelector.Edges;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Writes trees as the JSON of {@code /api/v1/parse_query}. */
public final class AstJson {
    private final StringBuilder sb;

    private AstJson(StringBuilder sb) {
        this.sb = sb;
    }

    /** The tree as JSON. */
    public static String write(Expr expr) {
        StringBuilder sb = new StringBuilder();
        append(sb, expr);
        return sb.toString();
    }

    /** Appends the tree as JSON. */
    public static void append(StringBuilder sb, Expr expr) {
        new AstJson(sb).node(expr, false);
    }

    private void node(@Nullable Expr expr, boolean inDuration) {
        if (expr == null) {
            sb.append("null");
            return;
        }
        switch (expr) {
            case NumberLiteral n -> {
                sb.append('{');
                if (inDuration) {
                    sb.append("\"duration\":").append(n.duration()).append(',');
                }
                sb.append("\"type\":\"numberLiteral\",\"val\":\"");
                GoFloat.appendPlain(sb, n.value());
                sb.append("\"}");
            }
            case StringLiteral s -> {
                sb.append("{\"type\":\"stringLiteral\",\"val\":");
                JsonText.appendString(sb, s.value());
                sb.append('}');
            }
            case UnaryExpr u -> {
                sb.append("{\"expr\":");
                node(u.expr(), false);
                sb.append(",\"op\":\"").append(u.negative() ? '-' : '+').append("\",\"type\":\"unaryExpr\"}");
            }
            case ParenExpr p -> {
                sb.append("{\"expr\":");
                node(p.expr(), false);
                sb.append(",\"type\":\"parenExpr\"}");
            }
            case BinaryExpr b -> {
                sb.append("{\"bool\":").append(b.returnBool()).append(",\"lhs\":");
                node(b.lhs(), false);
                sb.append(",\"matching\":");
                matching(b.matching());
                sb.append(",\"op\":");
                JsonText.appendString(sb, b.op().symbol());
                sb.append(",\"rhs\":");
                node(b.rhs(), false);
                sb.append(",\"type\":\"binaryExpr\"}");
            }
            case AggregateExpr a -> {
                sb.append("{\"expr\":");
                node(a.expr(), false);
                sb.append(",\"grouping\":");
                strings(a.grouping());
                sb.append(",\"op\":\"").append(a.op().text()).append("\",\"param\":");
                node(a.param(), false);
                sb.append(",\"type\":\"aggregation\",\"without\":").append(a.without()).append('}');
            }
            case Call c -> call(c);
            case VectorSelector v -> {
                sb.append("{\"anchored\":").append(v.edges() == Edges.ANCHORED).append(",\"matchers\":");
                matchers(v.matchers());
                sb.append(",\"name\":");
                JsonText.appendString(sb, v.name());
                sb.append(',');
                offset(v.shift());
                sb.append(",\"smoothed\":").append(v.edges() == Edges.SMOOTHED);
                at(v.shift());
                sb.append(",\"type\":\"vectorSelector\"}");
            }
            case MatrixSelector m -> {
                VectorSelector v = m.selector();
                sb.append("{\"anchored\":").append(v.edges() == Edges.ANCHORED).append(",\"matchers\":");
                matchers(v.matchers());
                sb.append(",\"name\":");
                JsonText.appendString(sb, v.name());
                sb.append(',');
                offset(v.shift());
                sb.append(",\"range\":").append(m.rangeMillis()).append(",\"rangeExpr\":");
                node(m.rangeExpr(), true);
                sb.append(",\"smoothed\":").append(v.edges() == Edges.SMOOTHED);
                at(v.shift());
                sb.append(",\"type\":\"matrixSelector\"}");
            }
            case SubqueryExpr s -> {
                sb.append("{\"expr\":");
                node(s.expr(), false);
                sb.append(',');
                offset(s.shift());
                sb.append(",\"range\":").append(s.rangeMillis()).append(",\"rangeExpr\":");
                node(s.rangeExpr(), true);
                TimeShift.At at = s.shift().at();
                sb.append(",\"startOrEnd\":").append(startOrEnd(at)).append(",\"step\":").append(s.stepMillis()).append(",\"stepExpr\":");
                node(s.stepExpr(), true);
                sb.append(",\"timestamp\":").append(timestamp(at)).append(",\"type\":\"subquery\"}");
            }
            case DurationExpr d -> {
                sb.append("{\"lhs\":");
                node(d.lhs(), true);
                sb.append(",\"op\":\"").append(d.op().symbol()).append("\",\"rhs\":");
                node(d.rhs(), true);
                sb.append(",\"type\":\"durationExpr\",\"wrapped\":").append(d.wrapped()).append('}');
            }
            case StepInvariantExpr s -> node(s.expr(), inDuration);
        }
    }

    private void call(Call c) {
        sb.append("{\"args\":[");
        for (int i = 0; i < c.args().size(); i++) {
            if (i > 0) {
                sb.append(',');
            }
            node(c.args().get(i), false);
        }
        FunctionSignature f = c.function();
        sb.append("],\"func\":{\"argTypes\":");
        strings(f.argTypes().stream().map(ValueType::text).toList());
        sb.append(",\"name\":\"").append(f.name()).append("\",\"returnType\":\"").append(f.returnType().text()).append("\",\"variadic\":")
                .append(f.variadic()).append("},\"type\":\"call\"}");
    }

    private void matching(@Nullable VectorMatching m) {
        if (m == null) {
            sb.append("null");
            return;
        }
        sb.append("{\"card\":\"").append(m.cardinality().text()).append("\",\"fillValues\":{\"lhs\":");
        fill(m.fillLeft());
        sb.append(",\"rhs\":");
        fill(m.fillRight());
        sb.append("},\"include\":");
        strings(m.include());
        sb.append(",\"labels\":");
        strings(m.labels());
        sb.append(",\"on\":").append(m.on()).append('}');
    }

    private void fill(@Nullable Double value) {
        if (value == null) {
            sb.append("null");
        } else if (Double.isNaN(value) || Double.isInfinite(value)) {
            // JSON has no such number; Prometheus fails here.
            sb.append('"').append(GoFloat.plain(value)).append('"');
        } else {
            GoFloat.appendSample(sb, value);
        }
    }

    private void matchers(List<Matcher> matchers) {
        sb.append('[');
        for (int i = 0; i < matchers.size(); i++) {
            Matcher m = matchers.get(i);
            sb.append(i > 0 ? ",{\"name\":" : "{\"name\":");
            JsonText.appendString(sb, m.name());
            sb.append(",\"type\":\"").append(m.type().symbol()).append("\",\"value\":");
            JsonText.appendString(sb, m.value());
            sb.append('}');
        }
        sb.append(']');
    }

    private void offset(TimeShift shift) {
        sb.append("\"offset\":").append(shift.offsetMillis()).append(",\"offsetExpr\":");
        node(shift.offsetExpr(), true);
    }

    private void at(TimeShift shift) {
        sb.append(",\"startOrEnd\":").append(startOrEnd(shift.at())).append(",\"timestamp\":").append(timestamp(shift.at()));
    }

    private static String startOrEnd(TimeShift.@Nullable At at) {
        if (at == null) {
            return "null";
        }
        return switch (at.anchor()) {
            case TIMESTAMP -> "null";
            case START -> "\"start\"";
            case END -> "\"end\"";
        };
    }

    private static String timestamp(TimeShift.@Nullable At at) {
        return at == null || at.anchor() != TimeShift.Anchor.TIMESTAMP ? "null" : Long.toString(at.timestampMillis());
    }

    private void strings(List<String> list) {
        sb.append('[');
        for (int i = 0; i < list.size(); i++) {
            if (i > 0) {
                sb.append(',');
            }
            JsonText.appendString(sb, list.get(i));
        }
        sb.append(']');
    }
}

package io.varve.promql.plan;

import io.varve.model.GoFloat;
import io.varve.model.GoQuote;
import io.varve.model.PromDuration;
import io.varve.promql.PlanTree;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Draws a plan: EXPLAIN. */
public final class PlanPrinter {
    private PlanPrinter() {
    }

    /** The plan as a tree of texts. */
    public static PlanTree print(PlanNode node) {
        List<PlanTree> children = new ArrayList<>();
        for (PlanNode in : node.inputs()) {
            children.add(print(in));
        }
        String name = node.getClass().getSimpleName();
        String detail = switch (node) {
            case PlanNode.Constant c -> GoFloat.general(c.value());
            case PlanNode.Text t -> GoQuote.quote(t.value());
            case PlanNode.Select s -> select(s);
            case PlanNode.Subquery s -> subquery(s) + shift(s.offsetMillis(), s.atMillis());
            case PlanNode.Call c -> c.function();
            case PlanNode.Aggregate a -> a.op().text() + grouping(a.grouping(), a.without()) + (a.sharded() ? " in shards" : "");
            case PlanNode.Binary b -> b.op().symbol() + (b.returnBool() ? " bool" : "") + matching(b);
            case PlanNode.Negate n -> "";
            case PlanNode.Once o -> "";
            case PlanNode.Shared s -> "#" + s.number() + " for " + s.readers();
        };
        return new PlanTree(name, detail, PlanTree.Counters.NONE, children);
    }

    /** A selector in words. */
    public static String select(PlanNode.Select s) {
        StringBuilder sb = new StringBuilder("{");
        for (int i = 0; i < s.matchers().size(); i++) {
            sb.append(i == 0 ? "" : ",").append(s.matchers().get(i));
        }
        sb.append('}');
        if (s.isRange()) {
            sb.append('[').append(PromDuration.print(s.rangeMillis())).append(']');
        }
        sb.append(shift(s.offsetMillis(), s.atMillis()));
        switch (s.edges()) {
            case ANCHORED -> sb.append(" anchored");
            case SMOOTHED -> sb.append(" smoothed");
            case NORMAL -> {
            }
        }
        if (!s.filters().isEmpty()) {
            sb.append(" filter ").append(s.filters());
        }
        if (s.statsOnly()) {
            sb.append(" histogram statistics only");
        }
        if (!s.labels().isAll()) {
            sb.append(s.labels().include() ? " labels (" : " labels without (").append(String.join(", ", s.labels().names())).append(')');
        }
        return sb.toString();
    }

    /** A subquery's range and step, as PromQL writes them. */
    public static String subquery(PlanNode.Subquery s) {
        return "[" + PromDuration.print(s.rangeMillis()) + ":" + PromDuration.print(s.stepMillis()) + "]";
    }

    private static String shift(long offset, @Nullable Long at) {
        String sign = offset < 0 ? "-" : "";
        return (at == null ? "" : " @ " + BigDecimal.valueOf(at, 3).toPlainString())
                + (offset == 0 ? "" : " offset " + sign + PromDuration.print(Math.abs(offset)));
    }

    private static String grouping(List<String> labels, boolean without) {
        return labels.isEmpty() && !without ? "" : (without ? " without (" : " by (") + String.join(", ", labels) + ")";
    }

    private static String matching(PlanNode.Binary b) {
        var m = b.matching();
        if (m == null) {
            return "";
        }
        String s = m.on() || !m.labels().isEmpty() ? (m.on() ? " on (" : " ignoring (") + String.join(", ", m.labels()) + ")" : "";
        return s + switch (m.cardinality()) {
            case MANY_TO_ONE -> " group_left (" + String.join(", ", m.include()) + ")";
            case ONE_TO_MANY -> " group_right (" + String.join(", ", m.include()) + ")";
            case ONE_TO_ONE, MANY_TO_MANY -> "";
        };
    }
}

package io.varve.promql.plan;

import io.varve.model.LabelProjection;
import io.varve.model.Matcher;
import io.varve.promql.function.Elementwise;
import io.varve.promql.parser.ValueType;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Selectors below an aggregation are told which labels it looks at, through functions that take series one by one. Only selectors of one
 * metric: series without some of their labels look alike, and functions that take the name away would refuse them as equal.
 *
 * <p>
 * What two selectors read at once keeps its labels, because by them a reader that lags behind finds its place again.
 */
final class ProjectLabels implements PlanRule {
    private static final LabelProjection NONE = new LabelProjection(true, List.of());
    /** Functions of one vector that look at no label. */
    private static final Set<String> BLIND = Set.of("+", "clamp", "clamp_min", "clamp_max", "day_of_month", "day_of_week", "day_of_year",
            "days_in_month", "histogram_avg", "histogram_count", "histogram_stddev", "histogram_stdvar", "histogram_sum", "hour", "minute",
            "month", "round", "start_timestamp", "timestamp", "year");

    @Override
    public String name() {
        return "label projection";
    }

    @Override
    public PlanNode apply(PlanNode root) {
        Map<List<Matcher>, Integer> readers = new HashMap<>();
        count(root, readers);
        return walk(root, LabelProjection.ALL, readers);
    }

    private static void count(PlanNode node, Map<List<Matcher>, Integer> readers) {
        if (node instanceof PlanNode.Select s) {
            readers.merge(s.matchers(), 1, Integer::sum);
        }
        for (PlanNode in : node.inputs()) {
            count(in, readers);
        }
    }

    /** The node, whose reader looks at these labels of what it gives. */
    private static PlanNode walk(PlanNode node, LabelProjection needed, Map<List<Matcher>, Integer> readers) {
        return switch (node) {
            case PlanNode.Select s -> {
                if (needed.isAll() || !s.isOneMetric() || readers.getOrDefault(s.matchers(), 0) > 1) {
                    yield s;
                }
                LabelProjection labels = needed;
                for (Matcher m : s.filters()) {
                    labels = labels.with(m.name());
                }
                yield labels.isAll() ? s : s.withLabels(labels);
            }
            case PlanNode.Aggregate a -> vectors(a, switch (a.op()) {
                case SUM, AVG, COUNT, MIN, MAX, GROUP, STDDEV, STDVAR, QUANTILE, COUNT_VALUES ->
                    new LabelProjection(!a.without(), a.grouping());
                case TOPK, BOTTOMK, LIMITK, LIMIT_RATIO -> LabelProjection.ALL;
            }, readers);
            case PlanNode.Call c -> vectors(c, c.function().equals("scalar") ? NONE : isBlind(c) ? needed : LabelProjection.ALL, readers);
            case PlanNode.Binary b -> vectors(b, isJoin(b) ? LabelProjection.ALL : needed, readers);
            case PlanNode.Negate n -> vectors(n, needed, readers);
            case PlanNode.Once o -> vectors(o, needed, readers);
            case PlanNode.Shared s -> vectors(s, LabelProjection.ALL, readers);
            case PlanNode.Subquery s -> vectors(s, LabelProjection.ALL, readers);
            case PlanNode.Constant c -> c;
            case PlanNode.Text t -> t;
        };
    }

    /** The node over inputs of whose series these labels are looked at. */
    private static PlanNode vectors(PlanNode node, LabelProjection needed, Map<List<Matcher>, Integer> readers) {
        return node.mapInputs(in -> walk(in, needed, readers));
    }

    private static boolean isJoin(PlanNode.Binary b) {
        return b.left().type() == ValueType.VECTOR && b.right().type() == ValueType.VECTOR;
    }

    private static boolean isBlind(PlanNode.Call c) {
        if (BLIND.contains(c.function()) || Elementwise.named(c.function()) != null) {
            return true;
        }
        return c.inputs().stream().anyMatch(in -> in.type() == ValueType.MATRIX) && !c.function().startsWith("absent");
    }
}

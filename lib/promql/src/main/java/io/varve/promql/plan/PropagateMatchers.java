package io.varve.promql.plan;

import io.varve.model.Labels;
import io.varve.model.Matcher;
import io.varve.promql.parser.BinaryOp;
import io.varve.promql.parser.ValueType;
import io.varve.promql.parser.VectorMatching;
import io.varve.promql.parser.VectorSelector.Edges;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Series of both sides of an operator only meet where labels are equal: what one side is known to have, the other may be asked for,
 * and sends less. Three operators do so: one-to-one joins on all labels, {@code and} (both ways) and {@code unless} (from left to
 * right).
 *
 * <p>
 * Asked are selectors, and functions of one metric that have nothing to note: there a series that is left out could have caused no
 * note and no refusal. A join asks its left side only for what a right side without doubles has, because doubles on the right are refused
 * only while there is something on the left.
 */
final class PropagateMatchers implements PlanRule {
    /** Functions of one vector or range that keep its labels, but for the name, and never note anything. */
    private static final Set<String> SILENT = Set.of("abs", "ceil", "changes", "count_over_time", "deg", "exp", "first_over_time", "floor",
            "last_over_time", "ln", "log10", "log2", "present_over_time", "rad", "sgn", "sqrt", "timestamp", "ts_of_first_over_time",
            "ts_of_last_over_time");
    /** Those that keep labels and may note something. */
    private static final Set<String> NOTING = Set.of("avg_over_time", "delta", "deriv", "idelta", "increase", "irate", "mad_over_time",
            "max_over_time", "min_over_time", "rate", "resets", "stddev_over_time", "stdvar_over_time", "sum_over_time",
            "histogram_avg", "histogram_count", "histogram_stddev", "histogram_stdvar", "histogram_sum");
    /** Labels that go where the name goes. */
    private static final Set<String> METADATA = Set.of(Labels.METRIC_NAME, "__type__", "__unit__");

    @Override
    public String name() {
        return "propagate matchers";
    }

    @Override
    public PlanNode apply(PlanNode root) {
        PlanNode node = root.mapInputs(this::apply);
        if (!(node instanceof PlanNode.Binary b)) {
            return node;
        }
        VectorMatching m = b.matching();
        if (m == null || m.fills()) {
            return node;
        }
        boolean toLeft;
        if (b.op().isSet()) {
            if (b.op() == BinaryOp.OR) {
                return node;
            }
            toLeft = b.op() == BinaryOp.AND;
        } else if (!m.on() && m.labels().isEmpty() && m.cardinality() == VectorMatching.Cardinality.ONE_TO_ONE) {
            toLeft = withoutDoubles(b.right());
        } else {
            return node;
        }
        boolean set = b.op().isSet();
        PlanNode right = narrowed(b.right(), matched(known(b.left()), m), set);
        PlanNode left = toLeft ? narrowed(b.left(), matched(known(b.right()), m), set) : b.left();
        return left == b.left() && right == b.right() ? node : b.withInputs(List.of(left, right));
    }

    /** Those on labels that must be equal on both sides. */
    private static List<Matcher> matched(List<Matcher> known, VectorMatching matching) {
        return known.stream().filter(m -> matching.on() == matching.labels().contains(m.name())).toList();
    }

    /** What labels of all series of a vector are known to match. */
    private static List<Matcher> known(PlanNode node) {
        return switch (node) {
            case PlanNode.Select s -> s.conditions().stream().filter(m -> !METADATA.contains(m.name())).toList();
            case PlanNode.Call c -> keepsLabels(c) ? known(c.inputs().getFirst()) : List.of();
            case PlanNode.Aggregate a -> switch (a.op()) {
                case TOPK, BOTTOMK, LIMITK, LIMIT_RATIO -> known(a.input());
                case COUNT_VALUES -> List.of();
                case SUM, AVG, COUNT, MIN, MAX, GROUP, STDDEV, STDVAR, QUANTILE -> known(a.input()).stream()
                        .filter(m -> a.without() != a.grouping().contains(m.name())).toList();
            };
            case PlanNode.Binary b -> {
                if (b.matching() == null || b.op() == BinaryOp.AND || b.op() == BinaryOp.UNLESS) {
                    yield known(b.left().type() == ValueType.SCALAR ? b.right() : b.left());
                }
                yield List.of();
            }
            case PlanNode.OneInput one -> known(one.input());
            case PlanNode.Constant n -> List.of();
            case PlanNode.Text t -> List.of();
        };
    }

    private static boolean keepsLabels(PlanNode.Call c) {
        return c.inputs().size() == 1 && (SILENT.contains(c.function()) || NOTING.contains(c.function()));
    }

    /** Whether no two series at a step can be equal but for the name. */
    private static boolean withoutDoubles(PlanNode node) {
        return switch (node) {
            case PlanNode.Select s -> s.isOneMetric();
            case PlanNode.Call c -> keepsLabels(c) && withoutDoubles(c.inputs().getFirst());
            case PlanNode.Aggregate a -> switch (a.op()) {
                case TOPK, BOTTOMK, LIMITK, LIMIT_RATIO -> withoutDoubles(a.input());
                case SUM, AVG, COUNT, MIN, MAX, GROUP, STDDEV, STDVAR, QUANTILE, COUNT_VALUES -> true;
            };
            case PlanNode.Binary b -> b.matching() == null && withoutDoubles(b.left().type() == ValueType.SCALAR ? b.right() : b.left());
            case PlanNode.OneInput one -> withoutDoubles(one.input());
            case PlanNode.Constant n -> false;
            case PlanNode.Text t -> false;
        };
    }

    /** A side that is asked for more, itself where it cannot be. */
    private static PlanNode narrowed(PlanNode node, List<Matcher> by, boolean anyMetric) {
        PlanNode.Select select = asked(node, anyMetric);
        if (select == null) {
            return node;
        }
        List<Matcher> matchers = new ArrayList<>(select.matchers());
        for (Matcher m : by) {
            if (!matchers.contains(m)) {
                matchers.add(m);
            }
        }
        return matchers.size() == select.matchers().size()
                ? node
                : replaced(node, select.withMatchers(List.copyOf(matchers), select.filters()));
    }

    private static PlanNode.@Nullable Select asked(PlanNode node, boolean anyMetric) {
        if (node instanceof PlanNode.Select s) {
            return s.edges() == Edges.NORMAL && (anyMetric || s.isOneMetric()) ? s : null;
        }
        if (node instanceof PlanNode.Call c && c.inputs().size() == 1 && SILENT.contains(c.function())) {
            return asked(c.inputs().getFirst(), false);
        }
        return node instanceof PlanNode.Once once ? asked(once.input(), anyMetric) : null;
    }

    private static PlanNode replaced(PlanNode node, PlanNode.Select select) {
        return node instanceof PlanNode.Select ? select : node.mapInputs(in -> replaced(in, select));
    }
}

package io.varve.promql.plan;

import io.varve.promql.function.Elementwise;
import io.varve.promql.parser.Position;
import io.varve.promql.parser.ValueType;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;

/**
 * What occurs more than once, at the same steps, is evaluated once: aggregations anywhere, since their rows are few; and any vector where
 * all that reads it is pulled in step, so that next to nothing must be held.
 */
final class CommonSubexpressions implements PlanRule {
    @Override
    public String name() {
        return "common subexpressions";
    }

    /** A subtree without places, and whether it is evaluated once only: those have steps of their own. */
    private record Key(PlanNode node, boolean once) {
    }

    /** How often something occurs, and the last of its occurrences: notes name the place of what is evaluated last. */
    private record Seen(int times, PlanNode last) {
        Seen and(Seen other) {
            return new Seen(times + other.times, other.last.position().end() > last.position().end() ? other.last : last);
        }
    }

    /** Where a node stands. */
    private record Place(boolean once, boolean inStep) {
        Place below(PlanNode node) {
            return new Place(once || node instanceof PlanNode.Once, inStep && passesRows(node));
        }
    }

    @Override
    public PlanNode apply(PlanNode root) {
        Map<Key, Seen> counts = new HashMap<>();
        Place top = new Place(false, true);
        count(root, top, counts);
        if (counts.values().stream().noneMatch(c -> c.times > 1)) {
            return root;
        }
        return replace(root, top, counts, new HashMap<>());
    }

    /** Whether a node pulls a row of each input for each that it gives, more or less. */
    private static boolean passesRows(PlanNode node) {
        return switch (node) {
            case PlanNode.Binary b -> !b.op().isSet();
            case PlanNode.Negate n -> true;
            case PlanNode.Call c -> ROW_BY_ROW.contains(c.function()) || Elementwise.named(c.function()) != null;
            case PlanNode.Aggregate a -> false;
            case PlanNode.Subquery s -> false;
            case PlanNode.Once o -> false;
            case PlanNode.Shared s -> false;
            case PlanNode.Select s -> false;
            case PlanNode.Constant c -> false;
            case PlanNode.Text t -> false;
        };
    }

    private static final Set<String> ROW_BY_ROW = Set.of("clamp", "clamp_min", "clamp_max", "round", "histogram_count", "histogram_sum",
            "histogram_avg", "histogram_stddev", "histogram_stdvar");

    private static boolean candidate(PlanNode node, Place place) {
        if (node.type() != ValueType.VECTOR || counts(node)) {
            return false;
        }
        return switch (node) {
            case PlanNode.Aggregate a -> switch (a.op()) {
                case SUM, AVG, COUNT, MIN, MAX, GROUP, STDDEV, STDVAR, QUANTILE -> true;
                case TOPK, BOTTOMK, COUNT_VALUES, LIMITK, LIMIT_RATIO -> place.inStep;
            };
            case PlanNode.Select s -> place.inStep;
            case PlanNode.Call c -> place.inStep && reads(c);
            case PlanNode.Binary b -> place.inStep && reads(b);
            case PlanNode.Negate n -> place.inStep && reads(n);
            case PlanNode.Once o -> false;
            case PlanNode.Shared s -> false;
            case PlanNode.Subquery s -> false;
            case PlanNode.Constant c -> false;
            case PlanNode.Text t -> false;
        };
    }

    private static boolean reads(PlanNode node) {
        return node instanceof PlanNode.Select || node.inputs().stream().anyMatch(CommonSubexpressions::reads);
    }

    /** Whether there is something below whose notes tell how often it was evaluated. */
    private static boolean counts(PlanNode node) {
        return node instanceof PlanNode.Call c && c.function().startsWith("histogram_quantile")
                || node.inputs().stream().anyMatch(CommonSubexpressions::counts);
    }

    private static void count(PlanNode node, Place place, Map<Key, Seen> counts) {
        if (candidate(node, place)) {
            Seen seen = counts.merge(new Key(placeless(node), place.once), new Seen(1, node), Seen::and);
            if (seen.times > 1) {
                // What is below is shared with it.
                return;
            }
        }
        if (node instanceof PlanNode.Subquery) {
            // Steps of a subquery depend on where it stands; what is inside is left alone.
            return;
        }
        for (PlanNode in : node.inputs()) {
            count(in, place.below(node), counts);
        }
    }

    private static PlanNode replace(PlanNode node, Place place, Map<Key, Seen> counts, Map<Key, PlanNode.Shared> shared) {
        if (candidate(node, place)) {
            Key key = new Key(placeless(node), place.once);
            Seen seen = counts.get(key);
            if (seen != null && seen.times > 1) {
                PlanNode.Shared s = shared.get(key);
                if (s == null) {
                    s = new PlanNode.Shared(shared.size() + 1, seen.times, seen.last);
                    shared.put(key, s);
                }
                return s;
            }
        }
        if (node instanceof PlanNode.Subquery) {
            return node;
        }
        return node.mapInputs(n -> replace(n, place.below(node), counts, shared));
    }

    /** The same with no places, so that equal texts at different places are equal. */
    static PlanNode placeless(PlanNode node) {
        PlanNode n = node.mapInputs(CommonSubexpressions::placeless);
        Position none = Position.NONE;
        return switch (n) {
            case PlanNode.Constant c -> new PlanNode.Constant(c.value(), none);
            case PlanNode.Text t -> new PlanNode.Text(t.value(), none);
            case PlanNode.Select s -> new PlanNode.Select(s.matchers(), s.filters(), s.rangeNanos(), s.offsetMillis(), s.atMillis(),
                    s.edges(), s.function(), s.by(), s.grouping(), s.statsOnly(), s.labels(), none);
            case PlanNode.Subquery s ->
                new PlanNode.Subquery(s.input(), s.rangeNanos(), s.stepMillis(), s.offsetMillis(), s.atMillis(), none);
            case PlanNode.Call c -> new PlanNode.Call(c.function(), c.type(), c.inputs(), none);
            case PlanNode.Aggregate a ->
                new PlanNode.Aggregate(a.op(), a.input(), a.parameter(), a.grouping(), a.without(), a.sharded(), none);
            case PlanNode.Binary b -> new PlanNode.Binary(b.op(), b.left(), b.right(), b.matching(), b.returnBool(), none);
            case PlanNode.Negate g -> new PlanNode.Negate(g.input(), none);
            case PlanNode.Once o -> o;
            case PlanNode.Shared s -> s;
        };
    }
}

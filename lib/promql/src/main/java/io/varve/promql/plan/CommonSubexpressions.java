package io.varve.promql.plan;

import io.varve.promql.parser.Position;
import java.util.HashMap;
import java.util.Map;

/**
 * Aggregations that occur more than once, at the same steps, are evaluated once. Only aggregations: their rows are few, and readers
 * that are not pulled in step need them held.
 */
final class CommonSubexpressions implements PlanRule {
    @Override
    public String name() {
        return "common subexpressions";
    }

    /** A subtree without places, and whether it is evaluated once only: those have steps of their own. */
    private record Key(PlanNode node, boolean once) {
    }

    @Override
    public PlanNode apply(PlanNode root) {
        Map<Key, Integer> counts = new HashMap<>();
        count(root, false, counts);
        if (counts.values().stream().noneMatch(c -> c > 1)) {
            return root;
        }
        return replace(root, false, counts, new HashMap<>());
    }

    private static boolean candidate(PlanNode node) {
        return node instanceof PlanNode.Aggregate a && switch (a.op()) {
            case SUM, AVG, COUNT, MIN, MAX, GROUP, STDDEV, STDVAR, QUANTILE -> true;
            case TOPK, BOTTOMK, COUNT_VALUES, LIMITK, LIMIT_RATIO -> false;
        };
    }

    private static void count(PlanNode node, boolean once, Map<Key, Integer> counts) {
        if (candidate(node)) {
            int seen = counts.merge(new Key(placeless(node), once), 1, Integer::sum);
            if (seen > 1) {
                // What is below is shared with it.
                return;
            }
        }
        if (node instanceof PlanNode.Subquery) {
            // Steps of a subquery depend on where it stands; what is inside is left alone.
            return;
        }
        for (PlanNode in : node.inputs()) {
            count(in, once || node instanceof PlanNode.Once, counts);
        }
    }

    private static PlanNode replace(PlanNode node, boolean once, Map<Key, Integer> counts, Map<Key, PlanNode.Shared> shared) {
        if (candidate(node)) {
            Key key = new Key(placeless(node), once);
            int readers = counts.getOrDefault(key, 0);
            if (readers > 1) {
                PlanNode.Shared s = shared.get(key);
                if (s == null) {
                    s = new PlanNode.Shared(shared.size() + 1, readers, node);
                    shared.put(key, s);
                }
                return s;
            }
        }
        if (node instanceof PlanNode.Subquery) {
            return node;
        }
        return node.mapInputs(n -> replace(n, once || node instanceof PlanNode.Once, counts, shared));
    }

    /** The same with no places, so that equal texts at different places are equal. */
    static PlanNode placeless(PlanNode node) {
        PlanNode n = node.mapInputs(CommonSubexpressions::placeless);
        Position none = Position.NONE;
        return switch (n) {
            case PlanNode.Constant c -> new PlanNode.Constant(c.value(), none);
            case PlanNode.Text t -> new PlanNode.Text(t.value(), none);
            case PlanNode.Select s -> new PlanNode.Select(s.matchers(), s.filters(), s.rangeMillis(), s.offsetMillis(), s.atMillis(),
                    s.edges(), s.function(), s.by(), s.grouping(), s.statsOnly(), s.projection(), none);
            case PlanNode.Subquery s ->
                new PlanNode.Subquery(s.input(), s.rangeMillis(), s.stepMillis(), s.offsetMillis(), s.atMillis(), none);
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

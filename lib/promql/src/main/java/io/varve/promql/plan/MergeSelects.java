package io.varve.promql.plan;

import io.varve.model.Labels;
import io.varve.model.Matcher;
import io.varve.promql.parser.VectorSelector.Edges;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Selectors of one metric over the same times, where one asks all that another asks and more: the narrower takes what the wider one
 * fetches, and filters. What has the same matchers is fetched once anyway.
 */
final class MergeSelects implements PlanRule {
    @Override
    public String name() {
        return "merge selectors";
    }

    /** What must be equal for two selectors to see the same samples. */
    private record Times(Matcher metric, long rangeMillis, long offsetMillis, @Nullable Long atMillis, Edges edges, boolean once) {
        static @Nullable Times of(PlanNode.Select s, boolean once) {
            for (Matcher m : s.matchers()) {
                if (m.name().equals(Labels.METRIC_NAME) && m.type() == Matcher.Type.EQUAL) {
                    return new Times(m, s.rangeMillis(), s.offsetMillis(), s.atMillis(), s.edges(), once);
                }
            }
            return null;
        }
    }

    private record Found(Times times, List<Matcher> matchers) {
    }

    @Override
    public PlanNode apply(PlanNode root) {
        List<Found> all = new ArrayList<>();
        collect(root, false, all);
        return all.size() < 2 ? root : replace(root, false, all);
    }

    /** Whether what is below has times of its own, or is no plain input. */
    private static boolean apart(PlanNode node) {
        return node instanceof PlanNode.Subquery || node instanceof PlanNode.Call c && c.function().equals("info");
    }

    private static void collect(PlanNode node, boolean once, List<Found> all) {
        if (node instanceof PlanNode.Select s) {
            Times t = Times.of(s, once);
            if (t != null) {
                all.add(new Found(t, s.matchers()));
            }
        } else if (!apart(node)) {
            for (PlanNode in : node.inputs()) {
                collect(in, once || node instanceof PlanNode.Once, all);
            }
        }
    }

    private static PlanNode replace(PlanNode node, boolean once, List<Found> all) {
        if (node instanceof PlanNode.Select s) {
            return merged(s, Times.of(s, once), all);
        }
        return apart(node) ? node : node.mapInputs(n -> replace(n, once || node instanceof PlanNode.Once, all));
    }

    private static PlanNode merged(PlanNode.Select s, @Nullable Times times, List<Found> all) {
        List<Matcher> widest = s.matchers();
        for (Found f : all) {
            if (f.times.equals(times) && f.matchers.size() < widest.size() && s.matchers().containsAll(f.matchers)) {
                widest = f.matchers;
            }
        }
        if (widest == s.matchers()) {
            return s;
        }
        List<Matcher> filters = new ArrayList<>(s.filters());
        for (Matcher m : s.matchers()) {
            if (!widest.contains(m)) {
                filters.add(m);
            }
        }
        return s.withMatchers(widest, List.copyOf(filters));
    }
}

package io.varve.promql.plan;

import java.util.ArrayList;
import java.util.List;

/**
 * Selectors that feed {@code histogram_count}, {@code histogram_sum} or {@code histogram_avg} need no buckets. It shows in notes on
 * counter resets, and is therefore done just where Prometheus does it: the outermost function on histograms decides, each side of a
 * binary operator on its own, never below a subquery or a trim operator.
 */
final class HistogramStatisticsOnly implements PlanRule {
    private enum Decided {
        OPEN, STATISTICS, BUCKETS
    }

    @Override
    public String name() {
        return "histogram statistics only";
    }

    @Override
    public PlanNode apply(PlanNode root) {
        return walk(root, Decided.OPEN);
    }

    private PlanNode walk(PlanNode node, Decided decided) {
        return switch (node) {
            case PlanNode.Select s -> decided == Decided.STATISTICS ? s.withStatsOnly() : s;
            case PlanNode.Subquery s -> s.mapInputs(n -> walk(n, Decided.BUCKETS));
            case PlanNode.Binary b -> b.mapInputs(n -> walk(n, b.op().isTrim() ? Decided.BUCKETS : Decided.OPEN));
            case PlanNode.Call c -> {
                Decided below = decided;
                if (decided == Decided.OPEN) {
                    below = switch (c.function()) {
                        case "histogram_count", "histogram_sum", "histogram_avg" -> Decided.STATISTICS;
                        case "histogram_quantile", "histogram_quantiles", "histogram_fraction" -> Decided.BUCKETS;
                        default -> decided;
                    };
                }
                List<PlanNode> inputs = new ArrayList<>();
                boolean changed = false;
                for (PlanNode in : c.inputs()) {
                    PlanNode out = walk(in, below);
                    changed |= out != in;
                    inputs.add(out);
                }
                yield changed ? c.withInputs(inputs) : c;
            }
            default -> node.mapInputs(n -> walk(n, decided));
        };
    }
}

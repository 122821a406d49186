package io.varve.promql.plan;

/**
 * Aggregations are begun where series are decoded, batch by batch and so on all cores: sums and their like and {@code count_values} make parts
 * that are put together in the order of the series; {@code topk}, {@code bottomk}, {@code limitk} and {@code limit_ratio} leave out what those
 * before it in the batch exclude. {@code quantile} needs all values and splits the steps. Which series make a part does not depend on the
 * number of cores, nor do the answers.
 */
final class ShardedAggregation implements PlanRule {
    @Override
    public String name() {
        return "aggregation in shards";
    }

    @Override
    public PlanNode apply(PlanNode root) {
        PlanNode node = root.mapInputs(this::apply);
        if (node instanceof PlanNode.Aggregate a && reads(a.input())) {
            return a.inShards();
        }
        return node;
    }

    /** Whether rows come straight from series: a selector, or a function over a range of one that needs nothing else. */
    private static boolean reads(PlanNode node) {
        return switch (node) {
            case PlanNode.Select s -> true;
            case PlanNode.Call c -> c.inputs().size() == 1 && c.inputs().getFirst() instanceof PlanNode.Select s && s.isRange()
                    && !c.function().startsWith("absent");
            default -> false;
        };
    }
}

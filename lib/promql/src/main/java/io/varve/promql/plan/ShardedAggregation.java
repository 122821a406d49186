package io.varve.promql.plan;

/**
 * Aggregations whose parts can be put together are begun where series are decoded, batch by batch and so on all cores; the parts are
 * put together in the order of the series. Which series make a part does not depend on the number of cores, nor do the answers.
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
            return switch (a.op()) {
                case SUM, AVG, COUNT, MIN, MAX, GROUP, STDDEV, STDVAR -> a.inShards();
                case TOPK, BOTTOMK, COUNT_VALUES, QUANTILE, LIMITK, LIMIT_RATIO -> a;
            };
        }
        return node;
    }

    /** Whether rows come straight from series: a selector, or a function over a range of one that needs nothing else. */
    private static boolean reads(PlanNode node) {
        return switch (node) {
            case PlanNode.Select s -> true;
            case PlanNode.Call c -> c.inputs().size() == 1 && c.inputs().getFirst() instanceof PlanNode.Select s && s.rangeMillis() > 0
                    && !c.function().startsWith("absent");
            default -> false;
        };
    }
}

package io.varve.promql.plan;

import java.util.List;

/** One rewrite of a plan that changes no answer. Gives back the same node where it does not apply. */
public interface PlanRule {
    /** All rules in the order they run in. */
    List<PlanRule> ALL = List.of(new HistogramStatisticsOnly(), new PropagateMatchers(), new CommonSubexpressions(),
            new MergeSelects(), new ShardedAggregation(), new ProjectLabels());

    /** Its name in EXPLAIN. */
    String name();

    /** The plan, rewritten. */
    PlanNode apply(PlanNode root);
}

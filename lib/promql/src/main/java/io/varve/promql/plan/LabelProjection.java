package io.varve.promql.plan;

import io.varve.model.Labels;
import java.util.ArrayList;
import java.util.List;

/**
 * Below an aggregation {@code by} some labels nothing else is looked at: the source is told which labels are needed. It stays a hint;
 * series must come apart however few labels they are told apart by.
 */
final class LabelProjection implements PlanRule {
    @Override
    public String name() {
        return "label projection";
    }

    @Override
    public PlanNode apply(PlanNode root) {
        if (root instanceof PlanNode.Aggregate a && !a.without()) {
            boolean grouping = switch (a.op()) {
                case SUM, AVG, COUNT, MIN, MAX, GROUP, STDDEV, STDVAR, QUANTILE -> true;
                case TOPK, BOTTOMK, COUNT_VALUES, LIMITK, LIMIT_RATIO -> false;
            };
            if (grouping) {
                List<String> labels = new ArrayList<>(a.grouping());
                if (!labels.contains(Labels.METRIC_NAME)) {
                    labels.add(Labels.METRIC_NAME);
                }
                PlanNode input = project(a.input(), List.copyOf(labels));
                if (input != a.input()) {
                    List<PlanNode> inputs = new ArrayList<>(a.inputs());
                    inputs.set(0, input);
                    return a.withInputs(inputs).mapInputs(n -> n == input ? n : apply(n));
                }
            }
        }
        return root.mapInputs(this::apply);
    }

    /** Passes through range functions and signs, which look at no labels but metadata. */
    private static PlanNode project(PlanNode node, List<String> labels) {
        return switch (node) {
            case PlanNode.Select s -> s.withProjection(labels);
            case PlanNode.Call c when c.inputs().size() == 1 && c.inputs().getFirst() instanceof PlanNode.Select s && s.rangeMillis() > 0
                    && !c.function().startsWith("absent") ->
                c.withInputs(List.of(s.withProjection(labels)));
            default -> node;
        };
    }
}

package io.varve.promql.plan;

import io.varve.model.Labels;
import io.varve.model.Matcher;
import io.varve.promql.parser.VectorMatching;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Where two plain selectors are joined one to one on all their labels, a series can only meet one with the same labels: what one side
 * asks of a label, the other may be asked too, and sends less. Only plain selectors of one metric each: there a series that is left
 * out could have caused no note and no refusal.
 */
final class PropagateMatchers implements PlanRule {
    @Override
    public String name() {
        return "propagate matchers";
    }

    @Override
    public PlanNode apply(PlanNode root) {
        PlanNode node = root.mapInputs(this::apply);
        if (!(node instanceof PlanNode.Binary b) || b.op().isSet()) {
            return node;
        }
        VectorMatching m = b.matching();
        if (m == null || m.on() || !m.labels().isEmpty() || m.cardinality() != VectorMatching.Cardinality.ONE_TO_ONE || m.fills()) {
            return node;
        }
        PlanNode.Select left = plain(b.left());
        PlanNode.Select right = plain(b.right());
        if (left == null || right == null) {
            return node;
        }
        PlanNode newLeft = narrowed(left, right);
        PlanNode newRight = narrowed(right, left);
        return newLeft == left && newRight == right ? node : b.withInputs(List.of(newLeft, newRight));
    }

    private static PlanNode.@Nullable Select plain(PlanNode node) {
        return node instanceof PlanNode.Select s && s.rangeMillis() == 0
                && s.matchers().stream().anyMatch(x -> x.name().equals(Labels.METRIC_NAME) && x.type() == Matcher.Type.EQUAL) ? s : null;
    }

    private static PlanNode.Select narrowed(PlanNode.Select s, PlanNode.Select by) {
        List<Matcher> matchers = new ArrayList<>(s.matchers());
        for (Matcher m : by.matchers()) {
            if (!m.name().equals(Labels.METRIC_NAME) && !matchers.contains(m)) {
                matchers.add(m);
            }
        }
        return matchers.size() == s.matchers().size() ? s : s.withMatchers(List.copyOf(matchers), s.filters());
    }
}

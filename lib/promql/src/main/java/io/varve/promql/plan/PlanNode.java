package io.varve.promql.plan;

import io.varve.model.LabelProjection;
import io.varve.model.Labels;
import io.varve.model.Matcher;
import io.varve.promql.parser.AggregateOp;
import io.varve.promql.parser.BinaryOp;
import io.varve.promql.parser.Position;
import io.varve.promql.parser.ValueType;
import io.varve.promql.parser.VectorMatching;
import io.varve.promql.parser.VectorSelector.Edges;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/** A node of the logical plan. Immutable; positions are those of the query's text and serve notes only. */
public sealed interface PlanNode {
    /** What it evaluates to. */
    ValueType type();

    /** Where it comes from in the query. */
    Position position();

    /** Its inputs, in order. */
    List<PlanNode> inputs();

    /** The same over other inputs, as many and of the same types. */
    PlanNode withInputs(List<PlanNode> inputs);

    /** A number that is the same at each step. */
    record Constant(double value, Position position) implements PlanNode {
        @Override
        public ValueType type() {
            return ValueType.SCALAR;
        }

        @Override
        public List<PlanNode> inputs() {
            return List.of();
        }

        @Override
        public PlanNode withInputs(List<PlanNode> inputs) {
            return this;
        }
    }

    /** A text. */
    record Text(String value, Position position) implements PlanNode {
        @Override
        public ValueType type() {
            return ValueType.STRING;
        }

        @Override
        public List<PlanNode> inputs() {
            return List.of();
        }

        @Override
        public PlanNode withInputs(List<PlanNode> inputs) {
            return this;
        }
    }

    /**
     * Series from the source.
     *
     * @param matchers what the source is asked for
     * @param filters further conditions on what it answers, where one select serves several selectors
     * @param rangeNanos length of the range as it was written, {@link #INSTANT} for an instant selector
     * @param offsetMillis how far to look back
     * @param atMillis the instant of {@code @}, null where there is none
     * @param edges what happens at the edges of the range
     * @param function the innermost function or aggregation above, for the source
     * @param by whether {@code grouping} is {@code by}
     * @param grouping labels of the aggregation directly above, for the source
     * @param statsOnly whether count and sum of histograms are all that is needed
     * @param labels the labels that are looked at, filters included
     */
    record Select(List<Matcher> matchers, List<Matcher> filters, long rangeNanos, long offsetMillis, @Nullable Long atMillis, Edges edges,
            String function, boolean by, List<String> grouping, boolean statsOnly, LabelProjection labels, Position position)
            implements
                PlanNode {
        /** The {@code rangeNanos} of a selector without a range; one of 0 ms is one as well. */
        public static final long INSTANT = -1;

        /** The range in milliseconds, 0 for an instant selector: what tells which samples lie in it. */
        public long rangeMillis() {
            return rangeNanos / 1_000_000;
        }

        /** Whether it has a range. */
        public boolean isRange() {
            return rangeNanos != INSTANT;
        }

        @Override
        public ValueType type() {
            return isRange() ? ValueType.MATRIX : ValueType.VECTOR;
        }

        @Override
        public List<PlanNode> inputs() {
            return List.of();
        }

        @Override
        public PlanNode withInputs(List<PlanNode> inputs) {
            return this;
        }

        /** The same with other matchers and filters. */
        public Select withMatchers(List<Matcher> newMatchers, List<Matcher> newFilters) {
            return new Select(newMatchers, newFilters, rangeNanos, offsetMillis, atMillis, edges, function, by, grouping, statsOnly,
                    labels, position);
        }

        /** All conditions on its series, whoever sees to them. */
        public List<Matcher> conditions() {
            if (filters.isEmpty()) {
                return matchers;
            }
            List<Matcher> all = new ArrayList<>(matchers);
            all.addAll(filters);
            return all;
        }

        /** The same, of which only some labels are looked at. */
        public Select withLabels(LabelProjection looked) {
            return new Select(matchers, filters, rangeNanos, offsetMillis, atMillis, edges, function, by, grouping, statsOnly, looked,
                    position);
        }

        /** Whether all its series have one name, which is known. */
        public boolean isOneMetric() {
            return matchers.stream()
                    .anyMatch(m -> m.name().equals(Labels.METRIC_NAME) && m.type() == Matcher.Type.EQUAL && !m.value().isEmpty());
        }

        /** The same for histogram statistics only. */
        public Select withStatsOnly() {
            return new Select(matchers, filters, rangeNanos, offsetMillis, atMillis, edges, function, by, grouping, true, labels,
                    position);
        }
    }

    /** A node with one input and no more: what it evaluates to is what that does, unless it says otherwise. */
    sealed interface OneInput extends PlanNode {
        /** The input. */
        PlanNode input();

        /** The same over another. */
        PlanNode withInput(PlanNode other);

        @Override
        default ValueType type() {
            return input().type();
        }

        @Override
        default Position position() {
            return input().position();
        }

        @Override
        default List<PlanNode> inputs() {
            return List.of(input());
        }

        @Override
        default PlanNode withInputs(List<PlanNode> inputs) {
            return withInput(inputs.getFirst());
        }
    }

    /**
     * A vector evaluated at steps of its own, seen as a range.
     *
     * @param rangeNanos its range as it was written
     * @param stepMillis its step, positive; 0 where one below a millisecond was written, which cannot be evaluated
     */
    record Subquery(PlanNode input, long rangeNanos, long stepMillis, long offsetMillis, @Nullable Long atMillis, Position position)
            implements
                OneInput {
        @Override
        public ValueType type() {
            return ValueType.MATRIX;
        }

        /** The range in milliseconds. */
        public long rangeMillis() {
            return rangeNanos / 1_000_000;
        }

        @Override
        public PlanNode withInput(PlanNode other) {
            return new Subquery(other, rangeNanos, stepMillis, offsetMillis, atMillis, position);
        }
    }

    /** A function of its inputs. */
    record Call(String function, ValueType type, List<PlanNode> inputs, Position position) implements PlanNode {
        /** Copies the list. */
        public Call {
            inputs = List.copyOf(inputs);
        }

        @Override
        public PlanNode withInputs(List<PlanNode> newInputs) {
            return new Call(function, type, newInputs, position);
        }
    }

    /**
     * Groups of series become one series each, or fewer of the same.
     *
     * @param parameter k, φ, a ratio or a label's name; null where the operation has none
     * @param sharded whether parts are aggregated where the series are decoded
     */
    record Aggregate(AggregateOp op, PlanNode input, @Nullable PlanNode parameter, List<String> grouping, boolean without, boolean sharded,
            Position position) implements PlanNode {
        @Override
        public ValueType type() {
            return ValueType.VECTOR;
        }

        @Override
        public List<PlanNode> inputs() {
            return parameter == null ? List.of(input) : List.of(input, parameter);
        }

        @Override
        public PlanNode withInputs(List<PlanNode> inputs) {
            return new Aggregate(op, inputs.getFirst(), inputs.size() > 1 ? inputs.get(1) : null, grouping, without, sharded, position);
        }

        /** The same in shards. */
        public Aggregate inShards() {
            return new Aggregate(op, input, parameter, grouping, without, true, position);
        }
    }

    /** An operator between two scalars, a vector and a scalar, or two vectors. */
    record Binary(BinaryOp op, PlanNode left, PlanNode right, @Nullable VectorMatching matching, boolean returnBool, Position position)
            implements
                PlanNode {
        @Override
        public ValueType type() {
            return left.type() == ValueType.SCALAR && right.type() == ValueType.SCALAR ? ValueType.SCALAR : ValueType.VECTOR;
        }

        @Override
        public List<PlanNode> inputs() {
            return List.of(left, right);
        }

        @Override
        public PlanNode withInputs(List<PlanNode> inputs) {
            return new Binary(op, inputs.get(0), inputs.get(1), matching, returnBool, position);
        }
    }

    /** Unary minus. */
    record Negate(PlanNode input, Position position) implements OneInput {
        @Override
        public PlanNode withInput(PlanNode other) {
            return new Negate(other, position);
        }
    }

    /** The same at each step: evaluated at the first alone. */
    record Once(PlanNode input) implements OneInput {
        @Override
        public PlanNode withInput(PlanNode other) {
            return new Once(other);
        }
    }

    /**
     * Evaluated once for all places of the plan that have the same number.
     *
     * @param readers how many places there are
     */
    record Shared(int number, int readers, PlanNode input) implements OneInput {
        @Override
        public PlanNode withInput(PlanNode other) {
            return new Shared(number, readers, other);
        }
    }

    /** The same with each input replaced, this node itself where none changed. */
    default PlanNode mapInputs(UnaryOperator<PlanNode> map) {
        List<PlanNode> old = inputs();
        List<PlanNode> replaced = new ArrayList<>(old.size());
        boolean changed = false;
        for (PlanNode n : old) {
            PlanNode m = map.apply(n);
            changed |= m != n;
            replaced.add(m);
        }
        return changed ? withInputs(replaced) : this;
    }
}

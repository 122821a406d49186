package io.varve.promql.plan;

import io.varve.model.LabelProjection;
import io.varve.promql.parser.AggregateExpr;
import io.varve.promql.parser.BinaryExpr;
import io.varve.promql.parser.Call;
import io.varve.promql.parser.DurationExpr;
import io.varve.promql.parser.Expr;
import io.varve.promql.parser.MatrixSelector;
import io.varve.promql.parser.NumberLiteral;
import io.varve.promql.parser.ParenExpr;
import io.varve.promql.parser.Position;
import io.varve.promql.parser.StepInvariantExpr;
import io.varve.promql.parser.StringLiteral;
import io.varve.promql.parser.SubqueryExpr;
import io.varve.promql.parser.TimeShift;
import io.varve.promql.parser.UnaryExpr;
import io.varve.promql.parser.ValueType;
import io.varve.promql.parser.VectorSelector;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Makes a plan of a preprocessed syntax tree, and rewrites it by rules in a fixed order. The same query gives the same plan. */
public final class Planner {
    private final long subqueryStepMillis;
    private final List<PlanRule> rules;

    /**
     * @param subqueryStepMillis the step of subqueries that name none
     * @param rules what rewrites the plan, in this order
     */
    public Planner(long subqueryStepMillis, List<PlanRule> rules) {
        this.subqueryStepMillis = subqueryStepMillis;
        this.rules = List.copyOf(rules);
    }

    /** The plan, after all rules. */
    public PlanNode plan(Expr expr) {
        PlanNode node = node(expr, new Above("", false, List.of()));
        for (PlanRule rule : rules) {
            node = rule.apply(node);
        }
        return node;
    }

    /** The plan before any rule; for comparison. */
    public PlanNode literal(Expr expr) {
        return node(expr, new Above("", false, List.of()));
    }

    /** What a selector is told about what is above it. */
    private record Above(String function, boolean by, List<String> grouping) {
        Above under(String name) {
            return new Above(name, false, List.of());
        }
    }

    private PlanNode node(Expr expr, Above above) {
        return switch (expr) {
            case NumberLiteral n -> new PlanNode.Constant(n.value(), n.position());
            case StringLiteral s -> new PlanNode.Text(s.value(), s.position());
            case ParenExpr p -> node(p.expr(), above);
            case StepInvariantExpr s -> new PlanNode.Once(node(s.expr(), above));
            case UnaryExpr u -> {
                PlanNode input = node(u.expr(), above);
                if (u.negative()) {
                    yield new PlanNode.Negate(input, u.position());
                }
                // A plus changes nothing but that what it stands before is no plain selector any longer, as timestamp() and absent() see it.
                yield input.type() == ValueType.VECTOR
                        ? new PlanNode.Call("+", ValueType.VECTOR, List.of(input), u.position())
                        : input;
            }
            case VectorSelector v -> select(v, PlanNode.Select.INSTANT, v.position(), above);
            case MatrixSelector m -> select(m.selector(), m.rangeNanos(), m.position(), above);
            case SubqueryExpr s -> {
                Long at = at(s.shift());
                long step = s.stepNanos() == 0 ? subqueryStepMillis : s.stepMillis();
                yield new PlanNode.Subquery(node(s.expr(), above), s.rangeNanos(), step, s.shift().offsetMillis(), at, s.position());
            }
            case AggregateExpr a -> {
                Above below = new Above(a.op().text(), !a.without(), a.grouping());
                PlanNode parameter = a.param() == null ? null : node(a.param(), above.under(""));
                yield new PlanNode.Aggregate(a.op(), node(a.expr(), below), parameter, a.grouping(), a.without(), false, a.position());
            }
            case BinaryExpr b -> new PlanNode.Binary(b.op(), node(b.lhs(), above.under("")), node(b.rhs(), above.under("")), b.matching(),
                    b.returnBool(), b.position());
            case Call c -> {
                List<PlanNode> args = new ArrayList<>();
                for (Expr arg : c.args()) {
                    args.add(node(arg, above.under(c.function().name())));
                }
                yield new PlanNode.Call(c.function().name(), c.function().returnType(), args, c.position());
            }
            case DurationExpr d -> throw new IllegalArgumentException("a duration expression was left by preprocessing: " + d);
        };
    }

    private static PlanNode select(VectorSelector v, long range, Position position, Above above) {
        return new PlanNode.Select(v.matchers(), List.of(), range, v.shift().offsetMillis(), at(v.shift()), v.edges(), above.function,
                above.by, above.grouping, false, LabelProjection.ALL, position);
    }

    private static @Nullable Long at(TimeShift shift) {
        TimeShift.At at = shift.at();
        return at == null ? null : at.timestampMillis();
    }
}

package io.varve.querier.fanout;

import io.varve.model.Matcher;
import io.varve.promql.parser.AggregateExpr;
import io.varve.promql.parser.BinaryExpr;
import io.varve.promql.parser.Call;
import io.varve.promql.parser.DurationExpr;
import io.varve.promql.parser.Expr;
import io.varve.promql.parser.MatrixSelector;
import io.varve.promql.parser.NumberLiteral;
import io.varve.promql.parser.ParenExpr;
import io.varve.promql.parser.StepInvariantExpr;
import io.varve.promql.parser.StringLiteral;
import io.varve.promql.parser.SubqueryExpr;
import io.varve.promql.parser.UnaryExpr;
import io.varve.promql.parser.VectorSelector;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;

/** The selectors of an expression. */
public final class Selectors {
    /** For whom no matcher is left: a selector must say something. */
    public static final Matcher EVERYTHING = Matcher.of(Matcher.Type.NOT_EQUAL, "__name__", "");

    private Selectors() {
    }

    /** The expression with every selector replaced. */
    public static Expr map(Expr e, UnaryOperator<VectorSelector> each) {
        return switch (e) {
            case VectorSelector v -> each.apply(v);
            case MatrixSelector m -> m.withSelector(each.apply(m.selector()));
            case SubqueryExpr s -> s.withExpr(map(s.expr(), each));
            case Call c -> c.withArgs(c.args().stream().map(a -> map(a, each)).toList());
            case AggregateExpr a -> {
                Expr param = a.param();
                yield a.withExprs(map(a.expr(), each), param == null ? null : map(param, each));
            }
            case BinaryExpr b -> b.withSides(map(b.lhs(), each), map(b.rhs(), each));
            case UnaryExpr u -> u.withExpr(map(u.expr(), each));
            case ParenExpr p -> p.withExpr(map(p.expr(), each));
            case StepInvariantExpr i -> new StepInvariantExpr(map(i.expr(), each));
            case NumberLiteral n -> n;
            case StringLiteral t -> t;
            case DurationExpr d -> d;
        };
    }

    /** The matchers of every selector, in order. */
    static List<List<Matcher>> of(Expr e) {
        List<List<Matcher>> out = new ArrayList<>();
        map(e, v -> {
            out.add(v.matchers());
            return v;
        });
        return out;
    }
}

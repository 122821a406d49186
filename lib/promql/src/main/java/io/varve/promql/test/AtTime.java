package io.varve.promql.test;

import io.varve.promql.parser.AggregateExpr;
import io.varve.promql.parser.BinaryExpr;
import io.varve.promql.parser.Call;
import io.varve.promql.parser.DurationExpr;
import io.varve.promql.parser.Expr;
import io.varve.promql.parser.MatrixSelector;
import io.varve.promql.parser.NumberLiteral;
import io.varve.promql.parser.ParenExpr;
import io.varve.promql.parser.Preprocessor;
import io.varve.promql.parser.StepInvariantExpr;
import io.varve.promql.parser.StringLiteral;
import io.varve.promql.parser.SubqueryExpr;
import io.varve.promql.parser.TimeShift;
import io.varve.promql.parser.UnaryExpr;
import io.varve.promql.parser.VectorSelector;

/** Rewrites expressions so that they do not depend on the evaluation time. */
final class AtTime {
    private AtTime() {
    }

    static boolean looksAtTime(Expr e) {
        return e instanceof Call c && Preprocessor.dependsOnTime(c.function().name())
                || e.children().stream().anyMatch(AtTime::looksAtTime);
    }

    static Expr pin(Expr expr, long time) {
        return switch (expr) {
            case VectorSelector v -> v.withShift(pin(v.shift(), time));
            case MatrixSelector m -> m.withSelector(m.selector().withShift(pin(m.selector().shift(), time)));
            // What is inside keeps its own times: they are relative to the subquery's.
            case SubqueryExpr s -> s.withShift(pin(s.shift(), time));
            case UnaryExpr u -> u.withExpr(pin(u.expr(), time));
            case ParenExpr p -> p.withExpr(pin(p.expr(), time));
            case BinaryExpr b -> b.withSides(pin(b.lhs(), time), pin(b.rhs(), time));
            case AggregateExpr a ->
                a.withExprs(pin(a.expr(), time), a.param() == null ? null : pin(a.param(), time));
            case Call c -> c.withArgs(c.args().stream().map(arg -> pin(arg, time)).toList());
            case NumberLiteral n -> n;
            case StringLiteral s -> s;
            case DurationExpr d -> d;
            case StepInvariantExpr s -> s;
        };
    }

    private static TimeShift pin(TimeShift shift, long time) {
        TimeShift.At at = shift.at();
        boolean fixed = at != null && at.anchor() == TimeShift.Anchor.TIMESTAMP;
        return fixed ? shift : shift.withAt(TimeShift.At.of(time));
    }
}

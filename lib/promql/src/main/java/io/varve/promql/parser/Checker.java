package io.varve.promql.parser;

import io.varve.model.GoQuote;
import io.varve.model.Labels;
import io.varve.model.Matcher;
import io.varve.promql.parser.VectorMatching.Cardinality;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Checks the types of a tree that is well formed, in the order in which Prometheus does, and settles what depends on types. */
final class Checker {
    private final byte[] in;

    Checker(byte[] in) {
        this.in = in;
    }

    /** The tree with the matching of each binary operation settled. */
    Expr check(Expr expr) {
        return switch (expr) {
            case NumberLiteral n -> n;
            case StringLiteral s -> s;
            case DurationExpr d -> d;
            case UnaryExpr u -> {
                Expr inner = check(u.expr());
                if (!isNumeric(inner.type())) {
                    throw error(u, "unary expression only allowed on expressions of type scalar or instant vector, got "
                            + GoQuote.quote(inner.type().described()));
                }
                yield u.withExpr(inner);
            }
            case ParenExpr p -> p.withExpr(check(p.expr()));
            case BinaryExpr b -> binary(b);
            case AggregateExpr a -> aggregate(a);
            case Call c -> call(c);
            case VectorSelector v -> {
                checkSelector(v);
                yield v;
            }
            case MatrixSelector m -> {
                checkSelector(m.selector());
                yield m;
            }
            case SubqueryExpr s -> {
                Expr inner = check(s.expr());
                if (inner.type() != ValueType.VECTOR) {
                    throw error(s, "subquery is only allowed on instant vector, got " + inner.type().text() + " instead");
                }
                yield s.withExpr(inner);
            }
            case StepInvariantExpr s -> s;
        };
    }

    private static boolean isNumeric(ValueType t) {
        return t == ValueType.SCALAR || t == ValueType.VECTOR;
    }

    private ParseException error(Expr at, String message) {
        return ParseException.at(in, at.position(), message);
    }

    private Expr expect(Expr expr, ValueType want, String context) {
        Expr checked = check(expr);
        if (checked.type() != want) {
            throw error(expr, "expected type " + want.described() + " in " + context + ", got " + checked.type().described());
        }
        return checked;
    }

    private Expr aggregate(AggregateExpr a) {
        Expr expr = expect(a.expr(), ValueType.VECTOR, "aggregation expression");
        Expr param = a.param();
        if (param != null) {
            param = expect(param, a.op().hasScalarParameter() ? ValueType.SCALAR : ValueType.STRING, "aggregation parameter");
        }
        return a.withExprs(expr, param);
    }

    private Expr binary(BinaryExpr b) {
        Expr lhs = check(b.lhs());
        Expr rhs = check(b.rhs());
        ValueType lt = lhs.type();
        ValueType rt = rhs.type();
        VectorMatching matching = b.matching() == null ? VectorMatching.DEFAULT : b.matching();
        BinaryOp op = b.op();
        if (b.returnBool() && !op.isComparison()) {
            throw ParseException.at(in, operatorRange(b), "bool modifier can only be used on comparison operators");
        }
        if (op.isComparison() && !b.returnBool() && lt == ValueType.SCALAR && rt == ValueType.SCALAR) {
            throw ParseException.at(in, operatorRange(b), "comparisons between scalars must use BOOL modifier");
        }
        if (matching.on()) {
            for (String label : matching.labels()) {
                if (matching.include().contains(label)) {
                    throw ParseException.at(in, operatorRange(b), "label " + GoQuote.quote(label)
                            + " must not occur in ON and GROUP clause at once");
                }
            }
        }
        if (!isNumeric(lt)) {
            throw error(b.lhs(), "binary expression must contain only scalar and instant vector types");
        }
        if (!isNumeric(rt)) {
            throw error(b.rhs(), "binary expression must contain only scalar and instant vector types");
        }
        VectorMatching settled = null;
        if (lt != ValueType.VECTOR || rt != ValueType.VECTOR) {
            if (!matching.labels().isEmpty()) {
                throw error(b, "vector matching only allowed between instant vectors");
            }
            if (matching.fills()) {
                throw error(b, "filling in missing series only allowed between instant vectors");
            }
            if (op.isSet()) {
                throw error(b, "set operator " + GoQuote.quote(op.symbol()) + " not allowed in binary scalar expression");
            }
        } else if (op.isSet()) {
            if (matching.cardinality() != Cardinality.ONE_TO_ONE) {
                throw error(b, "no grouping allowed for " + GoQuote.quote(op.symbol()) + " operation");
            }
            if (matching.fills()) {
                throw error(b, "filling in missing series not allowed for set operators");
            }
            settled = matching.withCardinality(Cardinality.MANY_TO_MANY);
        } else {
            settled = matching;
        }
        return new BinaryExpr(op, lhs, rhs, settled, b.returnBool(), b.position());
    }

    /** From the left operand's end to the byte before the right one, without space around; Prometheus leaves the last byte out. */
    private Position operatorRange(BinaryExpr b) {
        int start = b.lhs().position().end();
        while (start < in.length && Lexer.isSpace(in[start])) {
            start++;
        }
        int end = b.rhs().position().start() - 1;
        while (end > 0 && Lexer.isSpace(in[end])) {
            end--;
        }
        return new Position(start, end);
    }

    private Expr call(Call c) {
        FunctionSignature f = c.function();
        int n = c.args().size();
        String called = " argument(s) in call to " + GoQuote.quote(f.name()) + ", got " + n;
        if (f.variadic() == 0 && n != f.argTypes().size()) {
            throw error(c, "expected " + f.argTypes().size() + called);
        }
        if (n < f.minArgs()) {
            throw error(c, "expected at least " + f.minArgs() + called);
        }
        if (n > f.maxArgs()) {
            throw error(c, "expected at most " + f.maxArgs() + called);
        }
        boolean selectsLabels = f.name().equals("info") && n > 1;
        if (selectsLabels) {
            checkInfoSelector(c);
        }
        List<Expr> args = new ArrayList<>(n);
        for (int i = 0; i < n; i++) {
            Expr arg = c.args().get(i);
            // The selector of info() picks labels and not series: it may match everything.
            Expr checked = selectsLabels && i == 1 ? arg : check(arg);
            if (checked.type() != f.argType(i)) {
                throw error(arg, "expected type " + f.argType(i).described() + " in call to function " + GoQuote.quote(f.name()) + ", got "
                        + checked.type().described());
            }
            args.add(checked);
        }
        return c.withArgs(args);
    }

    private void checkInfoSelector(Call c) {
        Expr arg = c.args().get(1);
        if (arg.type() != ValueType.VECTOR) {
            throw error(c, "expected type instant vector in call to function \"info\", got " + arg.type().described());
        }
        if (!(arg instanceof VectorSelector v)) {
            throw error(arg, "expected label selectors only");
        }
        if (!v.name().isEmpty()) {
            throw error(arg, "expected label selectors only, got vector selector instead");
        }
    }

    private void checkSelector(VectorSelector v) {
        checkNames(v);
        if (v.name().isEmpty() && v.matchers().stream().allMatch(Matcher::matchesEmpty)) {
            throw error(v, "vector selector must contain at least one non-empty matcher");
        }
    }

    /** That the name is given once. */
    void checkNames(VectorSelector v) {
        if (v.name().isEmpty()) {
            return;
        }
        @Nullable
        Matcher second = null;
        for (Matcher m : v.matchers().subList(0, v.matchers().size() - 1)) {
            if (m.name().equals(Labels.METRIC_NAME)) {
                second = m;
                break;
            }
        }
        if (second != null) {
            throw error(v, "metric name must not be set twice: " + GoQuote.quote(v.name()) + " or " + GoQuote.quote(second.value()));
        }
    }
}

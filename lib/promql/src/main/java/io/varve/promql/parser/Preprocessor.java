package io.varve.promql.parser;

import io.varve.model.InvalidRequestException;
import io.varve.promql.parser.TimeShift.At;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Makes a tree ready for the times of a query: calls of {@code start()} and its like become numbers, durations are computed,
 * {@code @ start()} and {@code @ end()} become instants, and the largest parts that have the same value at each step are wrapped into
 * {@link StepInvariantExpr}. Positions stay those of the text.
 *
 * <p>
 * A part does not change with the step where all its selectors are pinned by {@code @} and no function in it looks at the time
 * ({@link #dependsOnTime}), nor do calls of numbers alone, like {@code vector(1)}. Numbers and strings do not change either but are not
 * worth wrapping. The inside of a subquery is looked at on its own, because the outer {@code @} says nothing of its steps.
 */
public final class Preprocessor {
    private static final Set<String> TIME_FUNCTIONS = Set.of("days_in_month", "day_of_month", "day_of_week", "day_of_year", "end", "hour",
            "minute", "month", "predict_linear", "range", "start", "step", "time", "timestamp", "year");
    /** Nanoseconds in a millisecond. */
    private static final long NANOS = 1_000_000;
    /** Go's longest duration in seconds. */
    private static final double MAX_SECONDS = (double) Long.MAX_VALUE / 1e9;

    private final long start;
    private final long end;
    private final long step;

    private Preprocessor(long start, long end, long step) {
        this.start = start;
        this.end = end;
        this.step = step;
    }

    /** A node and what is known of it. */
    private record Prepared(Expr expr, boolean invariant, boolean worthWrapping) {
        Expr wrapped() {
            return worthWrapping ? new StepInvariantExpr(expr) : expr;
        }
    }

    /**
     * Prepares a tree of the parser.
     *
     * @param stepMillis 0 for an instant query
     * @throws InvalidRequestException where a duration cannot be computed, in Prometheus' words: {@code 4:8: division by zero}
     */
    public static Expr preprocess(Expr expr, long startMillis, long endMillis, long stepMillis) {
        return new Preprocessor(startMillis, endMillis, stepMillis).prepare(expr).wrapped();
    }

    /** Whether a function's value changes with the evaluation time even where its arguments do not. */
    public static boolean dependsOnTime(String function) {
        return TIME_FUNCTIONS.contains(function);
    }

    private Prepared prepare(Expr expr) {
        return switch (expr) {
            case NumberLiteral n -> new Prepared(n, true, false);
            case StringLiteral s -> new Prepared(s, true, false);
            case DurationExpr d -> new Prepared(d, true, false);
            case StepInvariantExpr s -> new Prepared(s.expr(), true, true);
            case UnaryExpr u -> {
                Prepared p = prepare(u.expr());
                yield new Prepared(u.withExpr(p.expr), p.invariant, p.worthWrapping);
            }
            case ParenExpr e -> {
                Prepared p = prepare(e.expr());
                yield new Prepared(e.withExpr(p.expr), p.invariant, p.worthWrapping);
            }
            case BinaryExpr b -> {
                Prepared l = prepare(b.lhs());
                Prepared r = prepare(b.rhs());
                yield l.invariant && r.invariant
                        ? new Prepared(b.withSides(l.expr, r.expr), true, l.worthWrapping || r.worthWrapping)
                        : new Prepared(b.withSides(l.wrapped(), r.wrapped()), false, false);
            }
            case AggregateExpr a -> aggregate(a);
            case Call c -> call(c);
            case VectorSelector v -> {
                VectorSelector prepared = v.withShift(shift(v.shift()));
                boolean pinned = prepared.shift().at() != null;
                yield new Prepared(prepared, pinned, pinned);
            }
            case MatrixSelector m -> {
                long range = positive(m.rangeNanos(), m.rangeExpr());
                VectorSelector selector = m.selector().withShift(shift(m.selector().shift()));
                MatrixSelector prepared = m.withSelector(selector).withRange(range);
                boolean pinned = selector.shift().at() != null;
                yield new Prepared(prepared, pinned, pinned);
            }
            case SubqueryExpr s -> {
                // In the order in which Prometheus looks at them, which decides whose fault is told.
                TimeShift shift = shift(s.shift());
                long every = positive(s.stepNanos(), s.stepExpr());
                long range = positive(s.rangeNanos(), s.rangeExpr());
                SubqueryExpr prepared = s.withExpr(prepare(s.expr()).wrapped()).withDurations(range, every).withShift(shift);
                boolean pinned = prepared.shift().at() != null;
                yield new Prepared(prepared, pinned, pinned);
            }
        };
    }

    private Prepared aggregate(AggregateExpr a) {
        Prepared e = prepare(a.expr());
        Prepared p = a.param() == null ? null : prepare(a.param());
        if (e.invariant && (p == null || p.invariant)) {
            return new Prepared(a.withExprs(e.expr, p == null ? null : p.expr), true, e.worthWrapping || p != null && p.worthWrapping);
        }
        return new Prepared(a.withExprs(e.wrapped(), p == null ? null : p.wrapped()), false, false);
    }

    private Prepared call(Call c) {
        String name = c.function().name();
        switch (name) {
            case "start" -> {
                return number(c, start / 1000.0);
            }
            case "end" -> {
                return number(c, end / 1000.0);
            }
            case "range" -> {
                return number(c, (end - start) / 1000.0);
            }
            case "step" -> {
                return number(c, step / 1000.0);
            }
            default -> {
            }
        }
        List<Prepared> args = new ArrayList<>(c.args().size());
        boolean invariant = !dependsOnTime(name);
        for (Expr arg : c.args()) {
            Prepared p = prepare(arg);
            args.add(p);
            invariant &= p.invariant;
        }
        if (name.equals("timestamp") && unparenthesized(c.args().get(0)) instanceof VectorSelector && args.get(0).invariant) {
            // The time of the sample that the selector finds, which is always the same.
            invariant = true;
        }
        if (invariant) {
            return new Prepared(c.withArgs(args.stream().map(Prepared::expr).toList()), true, true);
        }
        return new Prepared(c.withArgs(args.stream().map(Prepared::wrapped).toList()), false, false);
    }

    private static Expr unparenthesized(Expr e) {
        Expr inner = e;
        while (inner instanceof ParenExpr p) {
            inner = p.expr();
        }
        return inner;
    }

    private static Prepared number(Call c, double value) {
        return new Prepared(new NumberLiteral(value, false, c.position()), true, false);
    }

    private TimeShift shift(TimeShift shift) {
        TimeShift resolved = shift;
        if (shift.offsetExpr() != null) {
            resolved = resolved.withOffset(nanos(shift.offsetExpr(), true));
        }
        At at = shift.at();
        if (at == null) {
            return resolved;
        }
        return switch (at.anchor()) {
            case TIMESTAMP -> resolved;
            case START -> resolved.withAt(At.of(start));
            case END -> resolved.withAt(At.of(end));
        };
    }

    private long positive(long nanos, @Nullable DurationExpr expr) {
        return expr == null ? nanos : nanos(expr, false);
    }

    /** Whole milliseconds, though in nanoseconds: what is computed is cut, other than what is written. */
    private long nanos(DurationExpr expr, boolean anySign) {
        double seconds = evaluate(expr);
        if (!Double.isFinite(seconds)) {
            throw error(expr, "duration is NaN or infinite");
        }
        if (seconds <= 0 && !anySign) {
            throw error(expr, "duration must be greater than 0");
        }
        if (Math.abs(seconds) > MAX_SECONDS) {
            throw error(expr, "duration is out of range");
        }
        return (long) (seconds * 1000) * NANOS;
    }

    private double evaluate(@Nullable Expr expr) {
        if (expr instanceof NumberLiteral n) {
            return n.value();
        }
        if (!(expr instanceof DurationExpr d)) {
            throw new IllegalStateException("no duration: " + expr);
        }
        return switch (d.op()) {
            case STEP -> step / 1000.0;
            case RANGE -> (end - start) / 1000.0;
            case ADD -> d.lhs() == null ? evaluate(d.rhs()) : evaluate(d.lhs()) + evaluate(d.rhs());
            case SUB -> d.lhs() == null ? -evaluate(d.rhs()) : evaluate(d.lhs()) - evaluate(d.rhs());
            case MUL -> evaluate(d.lhs()) * evaluate(d.rhs());
            case DIV -> {
                double a = evaluate(d.lhs());
                double b = evaluate(d.rhs());
                if (b == 0) {
                    throw error(d, "division by zero");
                }
                yield a / b;
            }
            case MOD -> {
                double a = evaluate(d.lhs());
                double b = evaluate(d.rhs());
                if (b == 0) {
                    throw error(d, "modulo by zero");
                }
                yield a % b;
            }
            case POW -> Math.pow(evaluate(d.lhs()), evaluate(d.rhs()));
            case MIN_OF -> Math.min(evaluate(d.lhs()), evaluate(d.rhs()));
            case MAX_OF -> Math.max(evaluate(d.lhs()), evaluate(d.rhs()));
        };
    }

    private static InvalidRequestException error(DurationExpr at, String message) {
        return new InvalidRequestException(at.position().start() + ":" + at.position().end() + ": " + message);
    }
}

package io.varve.promql.exec;

import io.varve.model.CounterResetHint;
import io.varve.model.FloatHistogram;
import io.varve.model.GoQuote;
import io.varve.model.HistogramSum;
import io.varve.promql.function.Row;
import io.varve.promql.parser.BinaryOp;
import org.jspecify.annotations.Nullable;

/** Binary operators between two elements. */
final class BinaryMath {
    private BinaryMath() {
    }

    /** Arithmetic between floats. */
    static double arithmetic(BinaryOp op, double a, double b) {
        return switch (op) {
            case ADD -> a + b;
            case SUB -> a - b;
            case MUL -> a * b;
            case DIV -> a / b;
            case MOD -> a % b;
            case POW -> power(a, b);
            case ATAN2 -> Math.atan2(a, b);
            default -> throw new IllegalArgumentException(op.symbol());
        };
    }

    /** As IEEE 754 has it, unlike Java: 1 to any power and anything to the power of 0 are 1. */
    private static double power(double a, double b) {
        return a == 1 || a == -1 && Double.isInfinite(b) ? 1 : Math.pow(a, b);
    }

    /** A comparison between floats. */
    static boolean compare(BinaryOp op, double a, double b) {
        return switch (op) {
            case EQL -> a == b;
            case NEQ -> a != b;
            case GTR -> a > b;
            case LSS -> a < b;
            case GTE -> a >= b;
            case LTE -> a <= b;
            default -> throw new IllegalArgumentException(op.symbol());
        };
    }

    /** Arithmetic between the floats of two series, step by step; what comes of absent ones is to be overwritten. */
    static void arithmetic(BinaryOp op, double[] a, double[] b, double[] out) {
        int n = Math.min(out.length, Math.min(a.length, b.length));
        switch (op) {
            case ADD -> {
                for (int i = 0; i < n; i++) {
                    out[i] = a[i] + b[i];
                }
            }
            case SUB -> {
                for (int i = 0; i < n; i++) {
                    out[i] = a[i] - b[i];
                }
            }
            case MUL -> {
                for (int i = 0; i < n; i++) {
                    out[i] = a[i] * b[i];
                }
            }
            case DIV -> {
                for (int i = 0; i < n; i++) {
                    out[i] = a[i] / b[i];
                }
            }
            default -> {
                for (int i = 0; i < n; i++) {
                    out[i] = arithmetic(op, a[i], b[i]);
                }
            }
        }
    }

    /** The same for comparisons: {@code kept} where one holds, or whether it does. */
    static void compare(BinaryOp op, double[] a, double[] b, double[] kept, boolean returnBool, double[] out) {
        for (int i = 0; i < out.length; i++) {
            boolean holds = compare(op, a[i], b[i]);
            out[i] = returnBool ? holds ? 1 : 0 : holds ? kept[i] : Row.ABSENT;
        }
    }

    /**
     * Between scalars.
     *
     * @throws io.varve.model.InvalidRequestException for operators of histograms, which the parser lets stand between scalars
     */
    static double scalar(BinaryOp op, double a, double b) {
        if (op.isTrim()) {
            throw QueryRun.failure("operator " + GoQuote.quote(op.symbol()) + " not allowed for Scalar operations");
        }
        return op.isComparison() ? compare(op, a, b) ? 1 : 0 : arithmetic(op, a, b);
    }

    /**
     * Sets {@code out} at {@code step} to what the operator makes of two elements where at least one is a histogram.
     *
     * @return whether the operator has an answer, be it that a comparison does not hold
     */
    static boolean histograms(BinaryOp op, double a, @Nullable FloatHistogram ha, double b, @Nullable FloatHistogram hb, boolean returnBool,
            Row out, int step, StepNotes notes) {
        FloatHistogram result = null;
        boolean incompatible = false;
        if (ha != null && hb != null) {
            switch (op) {
                case ADD, SUB -> {
                    HistogramSum sum = new HistogramSum(ha);
                    boolean ok = op == BinaryOp.ADD ? sum.add(hb) : sum.subtract(hb);
                    if (!ok) {
                        notes.warn(step, "incompatible bucket layout encountered for binary operator " + op.symbol());
                        out.clear(step);
                        return false;
                    }
                    String what = op == BinaryOp.ADD ? "addition" : "subtraction";
                    if (sum.hintsCollide()) {
                        notes.warn(step, "conflicting counter resets during histogram " + what);
                    } else if (sum.boundsReconciled()) {
                        notes.info(step, "mismatched custom buckets were reconciled during " + what);
                    }
                    if (op == BinaryOp.SUB) {
                        sum.hint(CounterResetHint.GAUGE);
                    }
                    result = sum.result();
                }
                case EQL, NEQ -> {
                    boolean same = ha.compact().sameAs(hb.compact());
                    boolean holds = op == BinaryOp.EQL ? same : !same;
                    if (returnBool) {
                        out.clear(step);
                        out.values[step] = holds ? 1 : 0;
                        return true;
                    }
                    result = holds ? ha : null;
                }
                default -> incompatible = true;
            }
        } else if (ha != null) {
            switch (op) {
                case MUL -> result = ha.times(b).compact();
                case DIV -> result = ha.dividedBy(b).compact();
                case TRIM_UPPER -> result = ha.trimUpper(b);
                case TRIM_LOWER -> result = ha.trimLower(b);
                default -> incompatible = true;
            }
        } else if (hb != null) {
            if (op == BinaryOp.MUL) {
                result = hb.times(a).compact();
            } else {
                incompatible = true;
            }
        }
        out.clear(step);
        if (incompatible) {
            noteTypes(op, ha != null, hb != null, notes, step);
        } else {
            out.setHistogram(step, result);
        }
        return !incompatible;
    }

    static void noteTypes(BinaryOp op, boolean left, boolean right, StepNotes notes, int step) {
        notes.info(step, "incompatible sample types encountered for binary operator \"" + op.symbol() + "\": "
                + (left ? "histogram" : "float") + " " + op.symbol() + " " + (right ? "histogram" : "float"));
    }
}

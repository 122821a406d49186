package io.varve.model;

import java.util.Arrays;
import java.util.List;

/** Quantiles, fractions, spread and trimming of native histograms: how Prometheus assumes observations to lie inside a bucket. */
final class HistogramMath {
    private HistogramMath() {
    }

    private static final double LOG2_E = 1 / Math.log(2);

    /** As Go computes it: powers of two exactly, others from what is left of them below 1. */
    private static double log2(double v) {
        int exponent = Math.getExponent(v);
        if (exponent < Double.MIN_EXPONENT || exponent > Double.MAX_EXPONENT) {
            return Math.log(v) * LOG2_E;
        }
        double fraction = Math.scalb(v, -exponent - 1);
        return fraction == 0.5 ? exponent : Math.log(fraction) * LOG2_E + (exponent + 1);
    }

    private static double exp2(double v) {
        return Math.pow(2, v);
    }

    /** The zero bucket reaches to 0 only, where there are buckets of one sign only. */
    private static double zeroLower(FloatHistogram h, double lower) {
        return h.negativeBuckets().length == 0 && h.positiveBuckets().length > 0 ? 0 : lower;
    }

    private static double zeroUpper(FloatHistogram h, double upper) {
        return h.positiveBuckets().length == 0 && h.negativeBuckets().length > 0 ? 0 : upper;
    }

    static FloatHistogram.Estimate quantile(FloatHistogram h, double q) {
        if (q < 0) {
            return FloatHistogram.Estimate.exact(Double.NEGATIVE_INFINITY);
        }
        if (q > 1) {
            return FloatHistogram.Estimate.exact(Double.POSITIVE_INFINITY);
        }
        if (h.count() == 0 || Double.isNaN(q)) {
            return FloatHistogram.Estimate.exact(Double.NaN);
        }
        FlatBuckets b = FlatBuckets.beyondZero(h);
        boolean nan = Double.isNaN(h.sum());
        // Not-a-number observations are in no bucket but count as the greatest: only counting from below is right then.
        boolean forward = nan || q < 0.5;
        double rank = forward ? q * h.count() : (1 - q) * h.count();
        int at = -1;
        double seen = 0;
        int i = forward ? 0 : b.size - 1;
        for (; i >= 0 && i < b.size; i += forward ? 1 : -1) {
            at = i;
            if (b.count[i] == 0) {
                continue;
            }
            seen += b.count[i];
            if (seen >= rank) {
                break;
            }
        }
        if (at < 0) {
            seen = Math.min(seen, h.count());
            if (seen < rank) {
                return nan ? new FloatHistogram.Estimate(Double.NaN, FloatHistogram.NanEffect.RESULT) : FloatHistogram.Estimate.exact(0);
            }
            return new FloatHistogram.Estimate(Double.NaN,
                    nan && seen < h.count() ? FloatHistogram.NanEffect.SKEW : FloatHistogram.NanEffect.NONE);
        }
        double lower = b.lower[at];
        double upper = b.upper[at];
        if (!h.usesCustomBuckets()) {
            if (lower < 0 && upper > 0) {
                lower = zeroLower(h, lower);
                upper = zeroUpper(h, upper);
            }
        } else if (lower == Double.NEGATIVE_INFINITY) {
            if (upper <= 0) {
                return FloatHistogram.Estimate.exact(upper);
            }
            lower = 0;
        } else if (upper == Double.POSITIVE_INFINITY) {
            return FloatHistogram.Estimate.exact(lower);
        }
        seen = Math.min(seen, h.count());
        if (seen < rank) {
            return nan ? new FloatHistogram.Estimate(Double.NaN, FloatHistogram.NanEffect.RESULT) : FloatHistogram.Estimate.exact(upper);
        }
        FloatHistogram.NanEffect effect = FloatHistogram.NanEffect.NONE;
        rank = forward ? rank - (seen - b.count[at]) : seen - rank;
        if (nan) {
            double all = seen;
            for (int j = at + 1; j < b.size; j++) {
                all += b.count[j];
            }
            // Sum is NaN also where both infinities were observed; that skews nothing.
            effect = all < h.count() ? FloatHistogram.NanEffect.SKEW : effect;
            // Looking for the total, Prometheus goes on to the last bucket and interpolates there; so do we, to give the same answer.
            if (at < b.size - 1) {
                at = b.size - 1;
                lower = b.lower[at];
                upper = b.upper[at];
            }
        }
        double fraction = rank / b.count[at];
        double value;
        if (h.usesCustomBuckets() || lower <= 0 && upper >= 0) {
            value = lower + (upper - lower) * fraction;
        } else if (lower > 0) {
            double l = log2(lower);
            value = exp2(l + (log2(upper) - l) * fraction);
        } else {
            double u = log2(-upper);
            value = -exp2(u + (log2(-lower) - u) * (1 - fraction));
        }
        return new FloatHistogram.Estimate(value, effect);
    }

    static FloatHistogram.Estimate fraction(FloatHistogram h, double from, double to) {
        if (h.count() == 0 || Double.isNaN(from) || Double.isNaN(to)) {
            return FloatHistogram.Estimate.exact(Double.NaN);
        }
        if (from >= to) {
            return FloatHistogram.Estimate.exact(0);
        }
        FlatBuckets b = FlatBuckets.beyondZero(h);
        double total = h.count();
        FloatHistogram.NanEffect effect = FloatHistogram.NanEffect.NONE;
        if (Double.isNaN(h.sum())) {
            total = 0;
            for (int i = 0; i < b.size; i++) {
                total += b.count[i];
            }
            effect = total < h.count() ? FloatHistogram.NanEffect.EXCLUDED : effect;
        }
        return new FloatHistogram.Estimate((rank(h, b, to, total) - rank(h, b, from, total)) / h.count(), effect);
    }

    /** How many of {@code total} observations lie below {@code v}; not a number where bounds are so far apart that they overflow. */
    private static double rank(FloatHistogram h, FlatBuckets b, double v, double total) {
        double rank = 0;
        for (int i = 0; i < b.size; i++) {
            double lower = b.lower[i];
            double upper = b.upper[i];
            boolean linear = h.usesCustomBuckets();
            if (lower <= 0 && upper >= 0) {
                // The zero bucket; or a custom one, which Prometheus takes to begin at 0 here: -1 to 0 holds nothing but zeros.
                linear = true;
                lower = zeroLower(h, lower);
                upper = zeroUpper(h, upper);
            }
            if (!(lower >= v)) {
                if (!(upper > v)) {
                    rank += b.count[i];
                    continue;
                }
                rank = lower == Double.NEGATIVE_INFINITY ? b.count[i] : rank + b.count[i] * fractionBelow(lower, upper, v, linear);
            }
            return rank > total ? total : rank;
        }
        return total;
    }

    static double variance(FloatHistogram h) {
        double mean = h.sum() / h.count();
        double sum = 0;
        double lost = 0;
        FlatBuckets b = FlatBuckets.beyondZero(h);
        for (int i = 0; i < b.size; i++) {
            double c = b.count[i];
            if (c == 0) {
                continue;
            }
            double lower = b.lower[i];
            double upper = b.upper[i];
            double value;
            if (h.usesCustomBuckets()) {
                value = (upper + lower) / 2.0;
            } else if (lower <= 0 && upper >= 0) {
                value = 0;
            } else {
                value = Math.sqrt(upper * lower);
                if (upper < 0) {
                    value = -value;
                }
            }
            double delta = value - mean;
            double inc = c * delta * delta;
            double t = sum + inc;
            lost = Double.isInfinite(t) ? 0 : lost + (Math.abs(sum) >= Math.abs(inc) ? sum - t + inc : inc - t + sum);
            sum = t;
        }
        return (sum + lost) / h.count();
    }

    /** Keeps observations up to {@code bound} ({@code upperSide}) or from it on; none where that is not a number. */
    static FloatHistogram trim(FloatHistogram h, double bound, boolean upperSide) {
        FlatBuckets b = new FlatBuckets(h);
        boolean custom = h.usesCustomBuckets();
        boolean changed = false;
        double kept = 0;
        double keptLost = 0;
        double sum = 0;
        double sumLost = 0;
        double zero = h.zeroCount();
        double[] keep = new double[b.size];
        for (int i = 0; i < b.size; i++) {
            double c = b.count[i];
            double lower = b.lower[i];
            double upper = b.upper[i];
            double k = c;
            double middle = 0;
            if (c != 0) {
                boolean isZero = b.sign[i] == 0 && !custom;
                double lo = isZero ? zeroLower(h, lower) : lower;
                double up = isZero ? zeroUpper(h, upper) : upper;
                boolean whole = upperSide ? up <= bound : lo >= bound;
                boolean gone = !whole && (upperSide ? lo >= bound : up <= bound) || Double.isNaN(bound);
                double from = lo;
                double to = up;
                if (lo == Double.NEGATIVE_INFINITY && up > 0) {
                    // The lowest bucket begins at 0 unless its bound says otherwise.
                    from = 0;
                }
                if (isZero && Double.isNaN(bound)) {
                    k = Double.NaN;
                } else if (gone) {
                    k = 0;
                } else if (!whole) {
                    if (from == Double.NEGATIVE_INFINITY) {
                        k = upperSide ? c : 0;
                        from = bound;
                        to = bound;
                    } else if (to == Double.POSITIVE_INFINITY) {
                        k = upperSide || lo == Double.NEGATIVE_INFINITY ? 0 : c;
                        from = bound;
                        to = bound;
                    } else if (bound < from) {
                        k = 0;
                    } else {
                        double below = fractionBelow(from, to, bound, custom || isZero);
                        k = c * (upperSide ? below : isZero ? (up - bound) / (up - lo) : 1 - below);
                        from = upperSide ? from : bound;
                        to = upperSide ? bound : to;
                    }
                }
                middle = middle(from, to, custom || isZero);
            }
            keep[i] = k;
            if (k != c) {
                changed = true;
            }
            if (k != 0) {
                double t = kept + k;
                keptLost += Math.abs(kept) >= Math.abs(k) ? kept - t + k : k - t + kept;
                kept = t;
                double inc = k * middle;
                t = sum + inc;
                sumLost = Double.isInfinite(t) ? 0 : sumLost + (Math.abs(sum) >= Math.abs(inc) ? sum - t + inc : inc - t + sum);
                sum = t;
            }
            if (b.sign[i] == 0 && !custom) {
                zero = k;
            }
        }
        if (!changed) {
            return h;
        }
        BucketSide positive = new BucketSide();
        BucketSide negative = new BucketSide();
        positive.set(h.positiveSpans(), h.positiveBuckets());
        negative.set(h.negativeSpans(), h.negativeBuckets());
        int p = 0;
        int n = negative.size - 1;
        for (int i = 0; i < b.size; i++) {
            if (b.sign[i] > 0) {
                positive.count[p++] = keep[i];
            } else if (b.sign[i] < 0) {
                negative.count[n--] = keep[i];
            }
        }
        positive.pack();
        negative.pack();
        return new FloatHistogram(h.hint(), h.schema(), h.zeroThreshold(), zero, kept + keptLost, sum + sumLost, positive.spans(),
                positive.buckets(), negative.spans(), negative.buckets(), h.customValues());
    }

    /** Where observations of a bucket are taken to lie; of one without an end, at the other end. */
    private static double middle(double from, double to, boolean linear) {
        if (from == Double.NEGATIVE_INFINITY) {
            return to;
        }
        if (to == Double.POSITIVE_INFINITY) {
            return from;
        }
        if (linear || from <= 0 && to >= 0) {
            return (from + to) / 2;
        }
        double m = Math.sqrt(Math.abs(from) * Math.abs(to));
        return from < 0 ? -m : m;
    }

    private static double fractionBelow(double lower, double upper, double v, boolean linear) {
        if (linear) {
            return (v - lower) / (upper - lower);
        }
        double l = log2(Math.abs(lower));
        double u = log2(Math.abs(upper));
        double x = log2(Math.abs(v));
        return v > 0 ? (x - l) / (u - l) : 1 - (x - u) / (l - u);
    }

    static boolean isReset(FloatHistogram h, FloatHistogram previous) {
        if (h.hint() == CounterResetHint.RESET) {
            return true;
        }
        if (h.hint() == CounterResetHint.NOT_RESET) {
            return false;
        }
        if (h.count() < previous.count() || h.usesCustomBuckets() && !previous.usesCustomBuckets()) {
            return true;
        }
        if (h.usesCustomBuckets()) {
            BucketSide now = new BucketSide();
            BucketSide before = new BucketSide();
            now.set(h.positiveSpans(), h.positiveBuckets());
            before.set(previous.positiveSpans(), previous.positiveBuckets());
            if (!Arrays.equals(h.customValues(), previous.customValues())) {
                double[] common = HistogramSum.common(h.customValues(), previous.customValues());
                now.remap(h.customValues(), common);
                before.remap(previous.customValues(), common);
            }
            return decreased(now, before, 0, h.schema());
        }
        if (h.schema() > previous.schema() || h.zeroThreshold() < previous.zeroThreshold()) {
            return true;
        }
        if (h.schema() == previous.schema() && h.zeroThreshold() == previous.zeroThreshold() && isBeyondZero(h.positiveSpans(), h)
                && isBeyondZero(h.negativeSpans(), h) && h.positiveSpans().equals(previous.positiveSpans())
                && h.negativeSpans().equals(previous.negativeSpans()) && h.positiveBuckets().length == previous.positiveBuckets().length
                && h.negativeBuckets().length == previous.negativeBuckets().length) {
            return h.zeroCount() < previous.zeroCount() || decreased(h.positiveBuckets(), previous.positiveBuckets())
                    || decreased(h.negativeBuckets(), previous.negativeBuckets());
        }
        BucketSide now = new BucketSide();
        BucketSide before = new BucketSide();
        before.set(previous.positiveSpans(), previous.positiveBuckets());
        BucketSide beforeNegative = new BucketSide();
        beforeNegative.set(previous.negativeSpans(), previous.negativeBuckets());
        double zero = previous.zeroCount();
        if (h.zeroThreshold() != previous.zeroThreshold()) {
            HistogramSum.Widening w = HistogramSum.Widening.of(before, beforeNegative, previous.schema(), zero, h.zeroThreshold());
            if (w.threshold() != h.zeroThreshold()) {
                return true;
            }
            zero = w.count();
        }
        if (h.zeroCount() < zero) {
            return true;
        }
        before.reduce(previous.schema(), h.schema());
        now.set(h.positiveSpans(), h.positiveBuckets());
        if (decreased(now, before, h.zeroThreshold(), h.schema())) {
            return true;
        }
        beforeNegative.reduce(previous.schema(), h.schema());
        now.set(h.negativeSpans(), h.negativeBuckets());
        return decreased(now, beforeNegative, h.zeroThreshold(), h.schema());
    }

    private static boolean isBeyondZero(List<Span> spans, FloatHistogram h) {
        return spans.isEmpty() || ExponentialBounds.isBeyondZero(spans.getFirst().offset(), h.schema(), h.zeroThreshold());
    }

    /** The same for buckets of one layout. */
    private static boolean decreased(double[] now, double[] before) {
        int less = 0;
        for (int i = 0; i < now.length; i++) {
            less |= now[i] < before[i] ? 1 : 0;
        }
        return less != 0;
    }

    /** Whether a bucket beyond the zero bucket holds less than before, or is gone though it was not empty. */
    private static boolean decreased(BucketSide now, BucketSide before, double zeroThreshold, int schema) {
        int j = 0;
        for (int i = 0; i < before.size; i++) {
            int at = before.index[i];
            if (zeroThreshold > 0 && ExponentialBounds.upper(at, schema) <= zeroThreshold) {
                continue;
            }
            while (j < now.size && now.index[j] < at) {
                j++;
            }
            if (j < now.size && now.index[j] == at) {
                if (now.count[j] < before.count[i]) {
                    return true;
                }
            } else if (before.count[i] != 0) {
                return true;
            }
        }
        return false;
    }
}

package io.varve.model;

import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A running sum of native histograms: resolutions, zero buckets and custom bounds are reconciled as Prometheus does, rounding errors
 * are carried along (Kahan, Neumaier). Reused; one thread.
 */
public final class HistogramSum {
    private final BucketSide positive = new BucketSide();
    private final BucketSide negative = new BucketSide();
    /** What was not like this and has to be reconciled; most sums never have such. */
    private @Nullable BucketSide otherPositive;
    private @Nullable BucketSide otherNegative;
    private CounterResetHint hint = CounterResetHint.UNKNOWN;
    private int schema;
    private double zeroThreshold;
    private double[] customValues = FloatHistogram.NO_BUCKETS;
    private final HistogramScalars scalars = new HistogramScalars();
    private boolean hintsCollide;
    private boolean boundsReconciled;

    /** A sum that is to be {@link #set}. */
    public HistogramSum() {
    }

    /** A sum of one. */
    public HistogramSum(FloatHistogram first) {
        set(first);
    }

    /** Starts over with one histogram. */
    public void set(FloatHistogram first) {
        hint = first.hint();
        schema = first.schema();
        zeroThreshold = first.zeroThreshold();
        customValues = first.customValues();
        scalars.set(first);
        positive.set(first.positiveSpans(), first.positiveBuckets());
        negative.set(first.negativeSpans(), first.negativeBuckets());
        hintsCollide = false;
        boundsReconciled = false;
        if (schema > ExponentialBounds.MAX_SCHEMA) {
            reduceTo(ExponentialBounds.MAX_SCHEMA);
        }
    }

    /** Starts over with what a sum of rows came to at a step that has something. */
    public void set(HistogramRowSum rows, int step) {
        hint = CounterResetHint.GAUGE;
        schema = rows.schema;
        zeroThreshold = rows.zeroThreshold;
        customValues = FloatHistogram.NO_BUCKETS;
        rows.scalars(step, scalars);
        rows.buckets(step, positive);
        negative.dense(0, FloatHistogram.NO_BUCKETS, null, 0, 0);
        hintsCollide = false;
        boundsReconciled = false;
    }

    /** Becomes a copy of another sum. */
    public void set(HistogramSum other) {
        hint = other.hint;
        schema = other.schema;
        zeroThreshold = other.zeroThreshold;
        customValues = other.customValues;
        scalars.set(other.scalars);
        positive.set(other.positive);
        negative.set(other.negative);
        hintsCollide = other.hintsCollide;
        boundsReconciled = other.boundsReconciled;
    }

    /** Adds. False, and nothing changed, where one has custom and the other exponential buckets. */
    public boolean add(FloatHistogram h) {
        return combine(h, 1);
    }

    /** Subtracts; else as {@link #add}. */
    public boolean subtract(FloatHistogram h) {
        return combine(h, -1);
    }

    /** Adds what {@code other} has come to, as if its {@link #result} were added; that is unchanged. */
    public boolean add(HistogramSum other) {
        boolean custom = schema == FloatHistogram.CUSTOM_BUCKETS_SCHEMA;
        boolean like = schema == other.schema && (custom
                ? Arrays.equals(customValues, other.customValues)
                : zeroThreshold == other.zeroThreshold && isBeyondZero(other.positive) && isBeyondZero(other.negative));
        if (!like) {
            return add(other.result());
        }
        combineHints(other.hint);
        scalars.add(other.scalars.zeroCount(), other.scalars.count(), other.scalars.sum());
        positive.add(other.positive);
        negative.add(other.negative);
        return true;
    }

    private boolean isBeyondZero(BucketSide side) {
        return side.size == 0 || isBeyondZero(side.index[0]);
    }

    private boolean isBeyondZero(int bucket) {
        return ExponentialBounds.isBeyondZero(bucket, schema, zeroThreshold);
    }

    private boolean combine(FloatHistogram h, double sign) {
        boolean custom = schema == FloatHistogram.CUSTOM_BUCKETS_SCHEMA;
        if (custom != h.usesCustomBuckets()) {
            return false;
        }
        combineHints(h.hint());
        if (custom ? Arrays.equals(customValues, h.customValues()) : isLike(h)) {
            scalars.add(sign * h.zeroCount(), sign * h.count(), sign * h.sum());
            positive.add(h.positiveSpans(), h.positiveBuckets(), sign);
            negative.add(h.negativeSpans(), h.negativeBuckets(), sign);
            return true;
        }
        BucketSide hPositive = otherPositive == null ? new BucketSide() : otherPositive;
        BucketSide hNegative = otherNegative == null ? new BucketSide() : otherNegative;
        otherPositive = hPositive;
        otherNegative = hNegative;
        hPositive.set(h.positiveSpans(), h.positiveBuckets());
        hNegative.set(h.negativeSpans(), h.negativeBuckets());
        int firstPositive = 0;
        int firstNegative = 0;
        double otherZero = h.zeroCount();
        if (custom) {
            double[] common = common(customValues, h.customValues());
            positive.remap(customValues, common);
            hPositive.remap(h.customValues(), common);
            customValues = common;
            boundsReconciled = true;
        } else {
            int otherSchema = h.schema();
            if (h.zeroThreshold() != zeroThreshold) {
                otherZero = reconcileZero(h, hPositive, hNegative);
            }
            int target = Math.min(Math.min(schema, otherSchema), ExponentialBounds.MAX_SCHEMA);
            hPositive.reduce(otherSchema, target);
            hNegative.reduce(otherSchema, target);
            reduceTo(target);
            firstPositive = beyondZero(hPositive);
            firstNegative = beyondZero(hNegative);
        }
        scalars.add(sign * otherZero, sign * h.count(), sign * h.sum());
        positive.add(hPositive, firstPositive, sign);
        negative.add(hNegative, firstNegative, sign);
        return true;
    }

    /** Whether buckets and zero bucket of both, exponential, are the same so that nothing has to be reconciled: the usual case. */
    private boolean isLike(FloatHistogram h) {
        return h.schema() == schema && h.zeroThreshold() == zeroThreshold && isBeyondZero(h.positiveSpans())
                && isBeyondZero(h.negativeSpans());
    }

    private boolean isBeyondZero(List<Span> spans) {
        return spans.isEmpty() || isBeyondZero(spans.getFirst().offset());
    }

    private void combineHints(CounterResetHint other) {
        if (hint == other || hint == CounterResetHint.GAUGE) {
            return;
        }
        if (other == CounterResetHint.GAUGE) {
            hint = CounterResetHint.GAUGE;
            return;
        }
        if (hint != CounterResetHint.UNKNOWN && other != CounterResetHint.UNKNOWN) {
            hintsCollide = true;
        }
        hint = CounterResetHint.UNKNOWN;
    }

    private void reduceTo(int target) {
        if (target != schema) {
            positive.reduce(schema, target);
            negative.reduce(schema, target);
            schema = target;
        }
    }

    /** The first bucket that is not wholly inside the zero bucket. */
    private int beyondZero(BucketSide side) {
        if (zeroThreshold == 0) {
            return 0;
        }
        int i = 0;
        while (i < side.size && ExponentialBounds.upper(side.index[i], schema) <= zeroThreshold) {
            i++;
        }
        return i;
    }

    /** Widens both zero buckets in turn until they are equally wide; the other's count. */
    private double reconcileZero(FloatHistogram h, BucketSide hPositive, BucketSide hNegative) {
        double otherThreshold = h.zeroThreshold();
        double otherZero = h.zeroCount();
        if (Double.isNaN(otherThreshold) || Double.isNaN(zeroThreshold)) {
            zeroThreshold = Double.NaN; // no width is ever equal to it
            return otherZero;
        }
        while (otherThreshold != zeroThreshold) {
            if (zeroThreshold > otherThreshold) {
                Widening w = Widening.of(hPositive, hNegative, h.schema(), h.zeroCount(), zeroThreshold);
                otherThreshold = w.threshold;
                otherZero = w.count;
            }
            if (otherThreshold > zeroThreshold) {
                Widening w = Widening.of(positive, negative, schema, scalars.zeroCount + scalars.zeroLost, otherThreshold);
                zeroThreshold = w.threshold;
                scalars.zeroCount = w.count;
                scalars.zeroLost = 0;
                dropInsideZero(positive);
                dropInsideZero(negative);
            }
        }
        return otherZero;
    }

    private void dropInsideZero(BucketSide side) {
        int i = 0;
        while (i < side.size && ExponentialBounds.upper(side.index[i] - 1, schema) < zeroThreshold) {
            i++;
        }
        side.dropFirst(i);
    }

    /** What a zero bucket holds once it reaches at least up to a threshold; it never ends inside a bucket that has observations. */
    record Widening(double threshold, double count) {
        static Widening of(BucketSide positive, BucketSide negative, int schema, double zeroCount, double threshold) {
            double t = threshold;
            while (true) {
                double c = zeroCount;
                for (int i = 0; i < positive.size; i++) {
                    if (ExponentialBounds.upper(positive.index[i] - 1, schema) >= t) {
                        break;
                    }
                    c += positive.total(i);
                    double upper = ExponentialBounds.upper(positive.index[i], schema);
                    if (upper > t) {
                        if (positive.total(i) != 0) {
                            t = upper;
                        }
                        break;
                    }
                }
                boolean again = false;
                for (int i = 0; i < negative.size; i++) {
                    if (ExponentialBounds.upper(negative.index[i] - 1, schema) >= t) {
                        break;
                    }
                    c += negative.total(i);
                    double upper = ExponentialBounds.upper(negative.index[i], schema);
                    if (upper > t) {
                        if (negative.total(i) != 0) {
                            t = upper;
                            again = true;
                        }
                        break;
                    }
                }
                if (!again) {
                    return new Widening(t, c);
                }
            }
        }
    }

    /** The values that are in both. */
    static double[] common(double[] a, double[] b) {
        double[] out = new double[Math.min(a.length, b.length)];
        int o = 0;
        int j = 0;
        for (double v : a) {
            while (j < b.length && b[j] < v) {
                j++;
            }
            if (j < b.length && b[j] == v) {
                out[o++] = v;
                j++;
            }
        }
        return Arrays.copyOf(out, o);
    }

    /** Multiplies everything, hint untouched. */
    public void scale(double factor) {
        scalars.scale(factor);
        positive.scale(factor);
        negative.scale(factor);
    }

    /** Whether a number became infinite. */
    public boolean overflows() {
        return Double.isInfinite(scalars.sum) || Double.isInfinite(scalars.count) || Double.isInfinite(scalars.zeroCount)
                || overflows(positive) || overflows(negative);
    }

    private static boolean overflows(BucketSide side) {
        for (int i = 0; i < side.size; i++) {
            if (Double.isInfinite(side.count[i])) {
                return true;
            }
        }
        return false;
    }

    /** Whether adding {@code h} might make a number infinite; cheap, and true too often. */
    public boolean mayOverflow(FloatHistogram h) {
        return !(Math.abs(scalars.sum) < 1e307 && Math.abs(scalars.count) < 1e307 && Math.abs(h.sum()) < 1e307
                && Math.abs(h.count()) < 1e307);
    }

    /** Lowers the resolution. */
    public void toSchema(int target) {
        if (target < schema && schema != FloatHistogram.CUSTOM_BUCKETS_SCHEMA) {
            reduceTo(target);
        }
    }

    /** Whether a reset and a "not reset" were combined since {@link #set}. */
    public boolean hintsCollide() {
        return hintsCollide;
    }

    /** Whether different custom bounds were combined since {@link #set}. */
    public boolean boundsReconciled() {
        return boundsReconciled;
    }

    /** Whether adding {@code h}, with custom bounds like what there is, would combine different ones. */
    public boolean wouldReconcile(FloatHistogram h) {
        return !Arrays.equals(customValues, h.customValues());
    }

    /** All observations so far. */
    public double count() {
        return scalars.count();
    }

    /** The combined hint. */
    public CounterResetHint hint() {
        return hint;
    }

    /** Sets the hint of the result. */
    public void hint(CounterResetHint h) {
        hint = h;
    }

    /** The sum without empty buckets. */
    public FloatHistogram result() {
        positive.pack();
        negative.pack();
        return new FloatHistogram(hint, schema, zeroThreshold, scalars.zeroCount(), scalars.count(), scalars.sum(),
                positive.spans(), positive.buckets(), negative.spans(), negative.buckets(), customValues);
    }

    /** Bytes of memory it may hold; an estimate for budgets. */
    public long bytes() {
        return 400 + 20L * (positive.index.length + negative.index.length + length(otherPositive) + length(otherNegative))
                + 8L * (positive.packedLength() + negative.packedLength());
    }

    private static int length(@Nullable BucketSide side) {
        return side == null ? 0 : side.index.length;
    }
}

package io.varve.chunk;

import io.varve.model.CounterResetHint;
import io.varve.model.FloatHistogram;
import io.varve.model.HistogramSum;
import io.varve.model.Span;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Adds histograms in the order they come, in plain floating point, keeping buckets that are empty: what downsampled chunks hold, bit for bit as
 * Thanos computes it. (PromQL sums with {@link HistogramSum} instead, which carries rounding errors along.) One thread.
 */
final class HistogramTotal {
    private int schema;
    private double zeroThreshold;
    private double[] customValues = FloatHistogram.NO_BUCKETS;
    private double zeroCount;
    private double count;
    private double sum;
    private Side positive = Side.EMPTY;
    private Side negative = Side.EMPTY;

    /**
     * The buckets of one sign.
     *
     * @param index rising
     * @param begins whether a span begins at the bucket; spans may touch, and what is encoded keeps them apart
     * @param buckets their counts
     */
    private record Side(int[] index, boolean[] begins, double[] buckets) {
        static final Side EMPTY = new Side(new int[0], new boolean[0], new double[0]);

        static Side of(List<Span> spans, double[] buckets) {
            int[] index = new int[buckets.length];
            boolean[] begins = new boolean[buckets.length];
            int at = 0;
            int n = 0;
            for (Span span : spans) {
                at += span.offset();
                for (int i = 0; i < span.length() && n < buckets.length; i++) {
                    begins[n] = i == 0;
                    index[n++] = at++;
                }
            }
            return new Side(index, begins, buckets.clone());
        }

        List<Span> spans() {
            List<Span> spans = new ArrayList<>();
            int end = 0;
            for (int i = 0; i < index.length;) {
                int n = 1;
                while (i + n < index.length && !begins[i + n]) {
                    n++;
                }
                spans.add(new Span(index[i] - end, n));
                end = index[i] + n;
                i += n;
            }
            return spans;
        }

        /** At a resolution that is lower by so many schemas. */
        Side reduced(int by) {
            int[] to = Arrays.stream(index).map(i -> (i - 1 >> by) + 1).distinct().toArray();
            boolean[] first = new boolean[to.length];
            double[] out = new double[to.length];
            for (int o = 0; o < to.length; o++) {
                first[o] = o == 0 || to[o - 1] + 1 != to[o];
            }
            int o = 0;
            for (int i = 0; i < index.length; i++) {
                while (to[o] != (index[i] - 1 >> by) + 1) {
                    o++;
                }
                out[o] += buckets[i];
            }
            return new Side(to, first, out);
        }

        Side plus(Side b, double sign) {
            if (Arrays.equals(index, b.index)) {
                for (int i = 0; i < buckets.length; i++) {
                    buckets[i] += sign * b.buckets[i];
                }
                return this;
            }
            int[] to = new int[index.length + b.index.length];
            boolean[] first = new boolean[to.length];
            double[] out = new double[to.length];
            int n = 0;
            int i = 0;
            for (int j = 0; i < index.length || j < b.index.length; n++) {
                boolean mine = j == b.index.length || i < index.length && index[i] <= b.index[j];
                boolean others = j < b.index.length && (i == index.length || b.index[j] <= index[i]);
                to[n] = mine ? index[i] : b.index[j];
                if (mine) {
                    // A bucket put in directly before a span, and after none, becomes the span's first.
                    first[n] = begins[i] && !(n > 0 && first[n - 1] && to[n - 1] == to[n] - 1 && isNew(to[n - 1], i));
                    out[n] = others ? buckets[i] + sign * b.buckets[j] : buckets[i];
                } else {
                    first[n] = n == 0 || to[n - 1] != to[n] - 1;
                    out[n] = sign * b.buckets[j];
                }
                i += mine ? 1 : 0;
                j += others ? 1 : 0;
            }
            return new Side(Arrays.copyOf(to, n), Arrays.copyOf(first, n), Arrays.copyOf(out, n));
        }

        /** Whether the bucket before mine at {@code i} is not one of mine. */
        private boolean isNew(int bucket, int i) {
            return i == 0 || index[i - 1] != bucket;
        }
    }

    /** Starts over with one histogram, at a resolution that is not above its own. */
    void set(FloatHistogram h, int toSchema) {
        schema = h.usesCustomBuckets() ? h.schema() : toSchema;
        zeroThreshold = h.zeroThreshold();
        customValues = h.customValues();
        zeroCount = h.zeroCount();
        count = h.count();
        sum = h.sum();
        positive = Side.of(h.positiveSpans(), h.positiveBuckets());
        negative = Side.of(h.negativeSpans(), h.negativeBuckets());
        if (schema != h.schema()) {
            positive = positive.reduced(h.schema() - schema);
            negative = negative.reduced(h.schema() - schema);
        }
    }

    /** Adds ({@code sign} 1) or subtracts (−1); false, and nothing changed, where one has custom and the other exponential buckets. */
    boolean add(HistogramTotal h, double sign) {
        if ((schema == FloatHistogram.CUSTOM_BUCKETS_SCHEMA) != (h.schema == FloatHistogram.CUSTOM_BUCKETS_SCHEMA)) {
            return false;
        }
        if (schema != h.schema || zeroThreshold != h.zeroThreshold || !Arrays.equals(customValues, h.customValues)) {
            reconcile(h, sign);
            return true;
        }
        zeroCount += sign * h.zeroCount;
        count += sign * h.count;
        sum += sign * h.sum;
        positive = positive.plus(h.positive, sign);
        negative = negative.plus(h.negative, sign);
        return true;
    }

    /** Different zero buckets, resolutions or bounds are rare: the sum of PromQL knows how to bring them together. */
    private void reconcile(HistogramTotal h, double sign) {
        HistogramSum both = new HistogramSum(result(CounterResetHint.UNKNOWN));
        if (sign < 0) {
            both.subtract(h.result(CounterResetHint.UNKNOWN));
        } else {
            both.add(h.result(CounterResetHint.UNKNOWN));
        }
        FloatHistogram result = both.result();
        set(result, result.schema());
    }

    /** The total. */
    FloatHistogram result(CounterResetHint hint) {
        return new FloatHistogram(hint, schema, zeroThreshold, zeroCount, count, sum, positive.spans(), positive.buckets().clone(),
                negative.spans(), negative.buckets().clone(), customValues);
    }
}

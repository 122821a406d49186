package io.varve.chunk;

import io.varve.model.CounterResetHint;
import io.varve.model.FloatHistogram;
import io.varve.model.HistogramSum;
import io.varve.model.Span;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

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
    private final Side positive = new Side();
    private final Side negative = new Side();
    private final PlacesCache cache;

    /** Nothing yet; totals that are added to each other share a cache. */
    HistogramTotal(PlacesCache cache) {
        this.cache = cache;
    }

    /** Which buckets there are: the same object from sample to sample of a chunk, so that most additions need not look at them. */
    private static final class Places {
        static final Places NONE = new Places(new int[0], new boolean[0]);

        /** Rising. */
        final int[] index;
        /** Whether a span begins at the bucket; spans may touch, and what is encoded keeps them apart. */
        final boolean[] begins;
        private @Nullable List<Span> spans;

        Places(int[] index, boolean[] begins) {
            this.index = index;
            this.begins = begins;
        }

        static Places of(List<Span> spans, int n) {
            int[] index = new int[n];
            boolean[] begins = new boolean[n];
            int at = 0;
            int i = 0;
            for (Span span : spans) {
                at += span.offset();
                for (int k = 0; k < span.length() && i < n; k++) {
                    begins[i] = k == 0;
                    index[i++] = at++;
                }
            }
            return new Places(index, begins);
        }

        List<Span> spans() {
            List<Span> known = spans;
            if (known != null) {
                return known;
            }
            List<Span> made = new ArrayList<>();
            int end = 0;
            for (int i = 0; i < index.length;) {
                int n = 1;
                while (i + n < index.length && !begins[i + n]) {
                    n++;
                }
                made.add(new Span(index[i] - end, n));
                end = index[i] + n;
                i += n;
            }
            known = List.copyOf(made);
            spans = known;
            return known;
        }

        boolean same(Places other) {
            return this == other || Arrays.equals(index, other.index);
        }
    }

    /** The places of spans met last: all samples of a chunk share theirs. One thread. */
    static final class PlacesCache {
        private static final int SIZE = 4;

        private final @Nullable List<Span>[] keys = newKeys();
        private final Places[] places = new Places[SIZE];
        private int next;

        @SuppressWarnings({"unchecked", "rawtypes"})
        private static @Nullable List<Span>[] newKeys() {
            return new List[SIZE];
        }

        @SuppressWarnings("ReferenceEquality")
        private Places of(List<Span> spans, int n) {
            if (n == 0) {
                return Places.NONE;
            }
            for (int i = 0; i < SIZE; i++) {
                if (keys[i] == spans && places[i].index.length == n) {
                    return places[i];
                }
            }
            Places made = Places.of(spans, n);
            keys[next] = spans;
            places[next] = made;
            next = (next + 1) % SIZE;
            return made;
        }
    }

    /** The buckets of one sign. */
    private static final class Side {
        private Places places = Places.NONE;
        private double[] buckets = FloatHistogram.NO_BUCKETS;

        void set(Places at, double[] counts) {
            places = at;
            if (buckets.length == counts.length) {
                System.arraycopy(counts, 0, buckets, 0, counts.length);
            } else {
                buckets = counts.clone();
            }
        }

        /** Goes to a resolution that is lower by so many schemas. */
        void reduce(int by) {
            int[] index = places.index;
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
            places = new Places(to, first);
            buckets = out;
        }

        void add(Side b, double sign) {
            if (places.same(b.places)) {
                double[] mine = buckets;
                double[] others = b.buckets;
                for (int i = 0; i < mine.length; i++) {
                    mine[i] += sign * others[i];
                }
                return;
            }
            int[] index = places.index;
            int[] otherIndex = b.places.index;
            int[] to = new int[index.length + otherIndex.length];
            boolean[] first = new boolean[to.length];
            double[] out = new double[to.length];
            int n = 0;
            int i = 0;
            for (int j = 0; i < index.length || j < otherIndex.length; n++) {
                boolean mine = j == otherIndex.length || i < index.length && index[i] <= otherIndex[j];
                boolean others = j < otherIndex.length && (i == index.length || otherIndex[j] <= index[i]);
                to[n] = mine ? index[i] : otherIndex[j];
                if (mine) {
                    // A bucket put in directly before a span, and after none, becomes the span's first.
                    first[n] = places.begins[i] && !(n > 0 && first[n - 1] && to[n - 1] == to[n] - 1 && isNew(to[n - 1], i));
                    out[n] = others ? buckets[i] + sign * b.buckets[j] : buckets[i];
                } else {
                    first[n] = n == 0 || to[n - 1] != to[n] - 1;
                    out[n] = sign * b.buckets[j];
                }
                i += mine ? 1 : 0;
                j += others ? 1 : 0;
            }
            // Nothing new where the other has only buckets of these: the places stay one object.
            if (n > index.length || !Arrays.equals(first, 0, n, places.begins, 0, n)) {
                places = new Places(Arrays.copyOf(to, n), Arrays.copyOf(first, n));
            }
            buckets = Arrays.copyOf(out, n);
        }

        /** Whether the bucket before mine at {@code i} is not one of mine. */
        private boolean isNew(int bucket, int i) {
            return i == 0 || places.index[i - 1] != bucket;
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
        positive.set(cache.of(h.positiveSpans(), h.positiveBuckets().length), h.positiveBuckets());
        negative.set(cache.of(h.negativeSpans(), h.negativeBuckets().length), h.negativeBuckets());
        if (schema != h.schema()) {
            positive.reduce(h.schema() - schema);
            negative.reduce(h.schema() - schema);
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
        positive.add(h.positive, sign);
        negative.add(h.negative, sign);
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
        return new FloatHistogram(hint, schema, zeroThreshold, zeroCount, count, sum, positive.places.spans(), positive.buckets.clone(),
                negative.places.spans(), negative.buckets.clone(), customValues);
    }
}

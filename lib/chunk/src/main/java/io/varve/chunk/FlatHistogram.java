package io.varve.chunk;

import io.varve.model.CounterResetHint;
import io.varve.model.FloatHistogram;
import io.varve.model.Histogram;
import io.varve.model.SampleBuffer;
import java.util.List;

/**
 * A histogram as the encodings see it: a layout and one row of numbers.
 *
 * @param hint what is known of a counter reset before it
 * @param ints whether counts are integers
 * @param layout everything that a chunk writes once
 * @param values count, zero count, bits of the sum, all positive and all negative buckets; integers: buckets as differences to
 *            their neighbours; floats: bits. Not to be changed.
 */
record FlatHistogram(CounterResetHint hint, boolean ints, HistogramLayout layout, long[] values) {
    static final int COUNT = 0;
    static final int ZERO_COUNT = 1;
    static final int SUM = 2;
    /** Index of the first bucket. */
    static final int BUCKETS = 3;
    private static final HistogramLayout EMPTY = HistogramLayout.of(0, 0, List.of(), List.of(), FloatHistogram.NO_BUCKETS);

    static FlatHistogram of(Histogram h) {
        long[] p = h.positiveDeltas();
        long[] n = h.negativeDeltas();
        HistogramLayout layout = HistogramLayout.of(h.schema(), h.zeroThreshold(), h.positiveSpans(), h.negativeSpans(), h.customValues());
        check(layout, p.length, n.length);
        long[] v = new long[BUCKETS + p.length + n.length];
        v[COUNT] = h.count();
        v[ZERO_COUNT] = h.zeroCount();
        v[SUM] = Double.doubleToRawLongBits(h.sum());
        System.arraycopy(p, 0, v, BUCKETS, p.length);
        System.arraycopy(n, 0, v, BUCKETS + p.length, n.length);
        return new FlatHistogram(h.hint(), true, layout, v);
    }

    static FlatHistogram of(FloatHistogram h) {
        double[] p = h.positiveBuckets();
        double[] n = h.negativeBuckets();
        HistogramLayout layout = HistogramLayout.of(h.schema(), h.zeroThreshold(), h.positiveSpans(), h.negativeSpans(), h.customValues());
        check(layout, p.length, n.length);
        long[] v = new long[BUCKETS + p.length + n.length];
        v[COUNT] = Double.doubleToRawLongBits(h.count());
        v[ZERO_COUNT] = Double.doubleToRawLongBits(h.zeroCount());
        v[SUM] = Double.doubleToRawLongBits(h.sum());
        for (int i = 0; i < p.length; i++) {
            v[BUCKETS + i] = Double.doubleToRawLongBits(p[i]);
        }
        for (int i = 0; i < n.length; i++) {
            v[BUCKETS + p.length + i] = Double.doubleToRawLongBits(n[i]);
        }
        return new FlatHistogram(h.hint(), false, layout, v);
    }

    private static void check(HistogramLayout layout, int positive, int negative) {
        if (layout.positiveCount() != positive || layout.negativeCount() != negative) {
            throw new IllegalArgumentException("a histogram's spans have " + layout.positiveCount() + " and " + layout.negativeCount()
                    + " buckets, its arrays " + positive + " and " + negative);
        }
    }

    /** What is written for a stale marker: nothing but the sum. */
    static FlatHistogram stale(boolean ints) {
        return new FlatHistogram(CounterResetHint.UNKNOWN, ints, EMPTY, new long[]{0, 0, SampleBuffer.STALE_NAN_BITS});
    }

    boolean stale() {
        return values[SUM] == SampleBuffer.STALE_NAN_BITS;
    }

    /** The same sample with other buckets: those of {@code layout}, where its own stand at the given places. */
    FlatHistogram spread(HistogramLayout to, BucketMerge.Places positive, BucketMerge.Places negative) {
        long[] out = new long[BUCKETS + to.positiveCount() + to.negativeCount()];
        System.arraycopy(values, 0, out, 0, BUCKETS);
        spread(values, BUCKETS, layout.positiveCount(), positive, out, BUCKETS, to.positiveCount(), ints);
        spread(values, BUCKETS + layout.positiveCount(), layout.negativeCount(), negative, out, BUCKETS + to.positiveCount(),
                to.negativeCount(), ints);
        return new FlatHistogram(hint, ints, to, out);
    }

    private static void spread(long[] from, int at, int n, BucketMerge.Places places, long[] to, int toAt, int toN, boolean ints) {
        long count = 0;
        for (int i = 0; i < n; i++) {
            count = ints ? count + from[at + i] : from[at + i];
            to[toAt + places.of(i)] = count;
        }
        if (ints) {
            long before = 0;
            for (int i = toAt; i < toAt + toN; i++) {
                long c = to[i];
                to[i] = c - before;
                before = c;
            }
        }
    }
}

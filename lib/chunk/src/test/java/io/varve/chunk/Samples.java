package io.varve.chunk;

import io.varve.model.CounterResetHint;
import io.varve.model.FloatHistogram;
import io.varve.model.Histogram;
import io.varve.model.SampleBuffer;
import io.varve.model.Span;
import java.util.ArrayList;
import java.util.List;
import java.util.random.RandomGenerator;

/** Random samples that reach every width of every number. */
final class Samples {
    /** Widths of all ranges in all encodings. */
    private static final int[] WIDTHS = {1, 2, 3, 6, 7, 9, 12, 13, 14, 17, 18, 20, 25, 31, 32, 40, 56, 57, 62, 63};

    private Samples() {
    }

    /** A number at, just inside or just outside some boundary, or anything. */
    static long edge(RandomGenerator random) {
        long bound = 1L << WIDTHS[random.nextInt(WIDTHS.length)] - 1;
        return switch (random.nextInt(9)) {
            case 0 -> bound;
            case 1 -> bound - 1;
            case 2 -> bound + 1;
            case 3 -> -bound;
            case 4 -> -bound + 1;
            case 5 -> -bound - 1;
            case 6 -> 0;
            case 7 -> random.nextLong();
            default -> random.nextLong(-100, 100);
        };
    }

    static double value(RandomGenerator random, double before) {
        return switch (random.nextInt(14)) {
            case 0 -> before;
            case 1 -> SampleBuffer.STALE_NAN;
            case 2 -> Double.longBitsToDouble(0x7ff8000000000000L | random.nextLong() >>> 13);
            case 3 -> Double.longBitsToDouble(0xfff0000000000001L | random.nextLong() >>> 40);
            case 4 -> Double.POSITIVE_INFINITY;
            case 5 -> Double.NEGATIVE_INFINITY;
            case 6 -> -0.0;
            case 7 -> Double.longBitsToDouble(random.nextLong());
            // Differences with each count of leading and trailing zeros.
            case 8 -> {
                long high = 1L << random.nextInt(64);
                yield Double.longBitsToDouble(Double.doubleToRawLongBits(before) ^ (high | high >>> random.nextInt(64)));
            }
            case 9 -> Double.longBitsToDouble(Double.doubleToRawLongBits(before) ^ random.nextLong());
            case 10 -> Double.MIN_VALUE;
            default -> before + random.nextInt(-3, 50);
        };
    }

    static long[] times(RandomGenerator random, int n) {
        long[] t = new long[n];
        long delta = 0;
        for (int i = 0; i < n; i++) {
            if (i == 0) {
                t[i] = random.nextBoolean() ? 1_700_000_000_000L : edge(random);
            } else {
                delta += random.nextInt(3) == 0 ? edge(random) : random.nextInt(2) * random.nextInt(-5, 6);
                t[i] = t[i - 1] + delta;
            }
        }
        return t;
    }

    static List<Span> spans(RandomGenerator random) {
        List<Span> out = new ArrayList<>();
        for (int i = random.nextInt(4); i > 0; i--) {
            out.add(new Span(out.isEmpty() ? random.nextInt(-20, 20) : random.nextInt(0, 5), random.nextInt(4)));
        }
        return List.copyOf(out);
    }

    /** A histogram whose numbers are anything; the spans are kept for a while so that chunks have more than one sample. */
    static Histogram histogram(RandomGenerator random, List<Span> positive, List<Span> negative, CounterResetHint hint) {
        boolean custom = random.nextInt(300) == 0;
        long[] p = deltas(random, positive);
        long[] n = deltas(random, negative);
        return new Histogram(hint, custom ? -53 : 3, custom ? 0 : 0.001, edge(random), edge(random),
                random.nextInt(200) == 0 ? SampleBuffer.STALE_NAN : value(random, 3), positive, p, negative, n,
                custom ? new double[]{0.005, 1, 1e9, Double.POSITIVE_INFINITY} : FloatHistogram.NO_BUCKETS);
    }

    private static long[] deltas(RandomGenerator random, List<Span> spans) {
        long[] out = new long[HistogramLayout.count(spans)];
        for (int i = 0; i < out.length; i++) {
            out[i] = edge(random);
        }
        return out;
    }

    static FloatHistogram floatHistogram(RandomGenerator random, List<Span> positive, List<Span> negative, CounterResetHint hint) {
        return new FloatHistogram(hint, -2, Math.scalb(1.0, random.nextInt(300) == 0 ? -5 : -3), value(random, 1), value(random, 1),
                random.nextInt(200) == 0 ? SampleBuffer.STALE_NAN : value(random, 3), positive, counts(random, positive), negative,
                counts(random, negative), FloatHistogram.NO_BUCKETS);
    }

    private static double[] counts(RandomGenerator random, List<Span> spans) {
        double[] out = new double[HistogramLayout.count(spans)];
        for (int i = 0; i < out.length; i++) {
            out[i] = value(random, 7);
        }
        return out;
    }
}

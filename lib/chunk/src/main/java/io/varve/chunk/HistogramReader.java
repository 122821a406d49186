package io.varve.chunk;

import io.varve.model.CounterResetHint;
import io.varve.model.FloatHistogram;
import io.varve.model.Histogram;
import io.varve.model.SampleBuffer;
import java.util.List;

/**
 * Forward over a histogram chunk of any of the four encodings. {@link #next} reads one sample, then {@link #floatHistogram} or
 * {@link #histogram} builds it: the bucket arrays are new for each sample, spans and bounds are the chunk's and shared.
 */
final class HistogramReader {
    /** With up to so many ones before it, a variable number has three bits for each of them. */
    private static final int SHORT = 4;

    private final BitReader in;
    private final boolean ints;
    private final boolean gauge;
    private final StartTimes.Reader starts;
    private final int size;
    private HistogramLayout layout = HistogramLayout.of(0, 0, List.of(), List.of(), FloatHistogram.NO_BUCKETS);
    private int read;
    private long[] kept = new long[0];
    private CounterResetHint keptHint = CounterResetHint.UNKNOWN;

    /** Milliseconds. */
    long t;
    /** Milliseconds, 0 unknown. */
    long st;
    private long tDelta;
    /**
     * Count, zero count, sum, then all positive and all negative buckets. Integers: numbers, buckets as differences to their
     * neighbours; floats and every sum: bits.
     */
    private long[] values = new long[FlatHistogram.BUCKETS];
    /** Integers only: how the values changed last. */
    private long[] deltas = new long[FlatHistogram.BUCKETS];
    /** Leading and trailing zeros of the floats. */
    private byte[] windows = new byte[2 * FlatHistogram.BUCKETS];

    HistogramReader(Encoding encoding, byte[] data, int offset, int length) {
        size = ChunkDecoder.header(encoding, data, offset, length);
        in = new BitReader(data, offset, length);
        in.pos = 24;
        ints = encoding == Encoding.HISTOGRAM || encoding == Encoding.HISTOGRAM_ST;
        boolean withStarts = encoding == Encoding.HISTOGRAM_ST || encoding == Encoding.FLOAT_HISTOGRAM_ST;
        starts = new StartTimes.Reader(withStarts ? data[offset + 2] : 0);
        gauge = ChunkDecoder.counterReset(encoding, data, offset, length) == CounterResetHint.GAUGE;
        // Four bits are the shortest sample that follows another.
        if (size > 0 && (size - 1) * 4L > in.remaining()) {
            throw in.corrupt("chunk of " + length + " bytes cannot hold the " + size + " samples it claims");
        }
    }

    /** How many samples there are in all. */
    int size() {
        return size;
    }

    /** Reads the next sample; false at the end. */
    boolean next() {
        if (read == size) {
            return false;
        }
        long before = t;
        if (read == 0) {
            first();
        } else {
            tDelta += in.varbitInt();
            t += tDelta;
            if (ints) {
                nextInts();
            } else {
                nextFloats();
            }
        }
        st = starts.read(in, read, t, before);
        in.check();
        read++;
        return true;
    }

    private void first() {
        layout = HistogramLayout.read(in, ints ? 1 : 64);
        int n = FlatHistogram.BUCKETS + layout.positiveCount() + layout.negativeCount();
        values = new long[n];
        t = in.varbitInt();
        if (ints) {
            deltas = new long[n];
            values[FlatHistogram.COUNT] = in.varbitUint();
            values[FlatHistogram.ZERO_COUNT] = in.varbitUint();
            values[FlatHistogram.SUM] = in.bits(64);
            for (int i = FlatHistogram.BUCKETS; i < n; i++) {
                values[i] = in.varbitInt();
            }
        } else {
            windows = new byte[2 * n];
            for (int i = 0; i < n; i++) {
                values[i] = in.bits(64);
            }
        }
    }

    private void nextInts() {
        long[] v = values;
        long[] d = deltas;
        v[FlatHistogram.COUNT] += d[FlatHistogram.COUNT] += in.varbitInt();
        v[FlatHistogram.ZERO_COUNT] += d[FlatHistogram.ZERO_COUNT] += in.varbitInt();
        v[FlatHistogram.SUM] = in.xor(v[FlatHistogram.SUM], windows, FlatHistogram.SUM);
        if (v[FlatHistogram.SUM] == SampleBuffer.STALE_NAN_BITS) {
            return;
        }
        buckets(v, d);
    }

    /**
     * Steps all buckets. A load has 57 bits at least, enough for three numbers of up to 17: so many come from one load, without a
     * branch that depends on their size, for sizes of neighbours are as good as random. Wider ones are rare.
     */
    private void buckets(long[] v, long[] d) {
        BitReader r = in;
        long pos = r.pos;
        int n = v.length;
        int i = FlatHistogram.BUCKETS;
        while (i < n) {
            long w = r.word(pos);
            int stop = Math.min(i + 3, n);
            int used = 0;
            do {
                int ones = Long.numberOfLeadingZeros(~w);
                if (ones > SHORT) {
                    break;
                }
                int width = 3 * ones;
                int size = width + ones + 1;
                // In two steps, as the width may be 0.
                long x = w << ones + 1 >>> 1 >>> 63 - width;
                long range = 1L << width;
                // Values above the middle are negative: the middle itself is not.
                x -= range & (range >>> 1) - x >> 63;
                v[i] += d[i] += x;
                i++;
                used += size;
                w <<= size;
            } while (i < stop);
            pos += used;
            if (i < stop) {
                r.pos = pos;
                v[i] += d[i] += r.varbitInt();
                i++;
                pos = r.pos;
            }
        }
        r.pos = pos;
    }

    private void nextFloats() {
        long[] v = values;
        for (int i = 0; i < FlatHistogram.BUCKETS; i++) {
            v[i] = in.xor(v[i], windows, i);
        }
        if (v[FlatHistogram.SUM] == SampleBuffer.STALE_NAN_BITS) {
            return;
        }
        BitReader r = in;
        byte[] windows = this.windows;
        long pos = r.pos;
        for (int i = FlatHistogram.BUCKETS; i < v.length; i++) {
            long w = r.word(pos);
            if (w >= 0) {
                pos++;
                continue;
            }
            int leading = windows[2 * i];
            int trailing = windows[2 * i + 1];
            int used = 2;
            if (w << 1 < 0) {
                r.pos = pos + 2;
                r.newWindow(windows, i);
                leading = windows[2 * i];
                trailing = windows[2 * i + 1];
                used = 13;
            }
            int significant = 64 - leading - trailing;
            if (used + significant <= 57) {
                v[i] ^= w << used >>> 64 - significant << trailing;
            } else {
                r.pos = pos + used;
                v[i] ^= r.bits(significant) << trailing;
            }
            pos += used + significant;
        }
        r.pos = pos;
    }

    boolean stale() {
        return values[FlatHistogram.SUM] == SampleBuffer.STALE_NAN_BITS;
    }

    /** What is known of a reset before the current sample. */
    CounterResetHint hint() {
        // The header speaks of the first sample, but of a previous one that may be anything by now: merges and deletions.
        return gauge ? CounterResetHint.GAUGE : read > 1 ? CounterResetHint.NOT_RESET : CounterResetHint.UNKNOWN;
    }

    /** Bytes of memory that a histogram takes once it is built, about. */
    long bytes() {
        return 160 + 8L * values.length;
    }

    /** The current sample with float counts. */
    FloatHistogram floatHistogram() {
        return built(values, hint());
    }

    /** Sets the numbers of the current sample aside, so that it can be built once the next one is known. */
    void keep() {
        if (kept.length != values.length) {
            kept = new long[values.length];
        }
        System.arraycopy(values, 0, kept, 0, values.length);
        keptHint = hint();
    }

    /** The sample that was set aside. */
    FloatHistogram kept() {
        return built(kept, keptHint);
    }

    private FloatHistogram built(long[] v, CounterResetHint hint) {
        if (v[FlatHistogram.SUM] == SampleBuffer.STALE_NAN_BITS) {
            return FloatHistogram.STALE;
        }
        HistogramLayout l = layout;
        double count = ints ? HistogramLayout.unsigned(v[FlatHistogram.COUNT]) : Double.longBitsToDouble(v[FlatHistogram.COUNT]);
        double zeroCount = ints
                ? HistogramLayout.unsigned(v[FlatHistogram.ZERO_COUNT])
                : Double.longBitsToDouble(v[FlatHistogram.ZERO_COUNT]);
        return new FloatHistogram(hint, l.schema(), l.zeroThreshold(), zeroCount, count, Double.longBitsToDouble(v[FlatHistogram.SUM]),
                l.positiveSpans(), absolute(v, FlatHistogram.BUCKETS, l.positiveCount()), l.negativeSpans(),
                absolute(v, FlatHistogram.BUCKETS + l.positiveCount(), l.negativeCount()), l.customValues());
    }

    private double[] absolute(long[] v, int from, int n) {
        if (n == 0) {
            return FloatHistogram.NO_BUCKETS;
        }
        double[] out = new double[n];
        if (ints) {
            long sum = 0;
            for (int i = 0; i < n; i++) {
                sum += v[from + i];
                out[i] = sum;
            }
        } else {
            for (int i = 0; i < n; i++) {
                out[i] = Double.longBitsToDouble(v[from + i]);
            }
        }
        return out;
    }

    /** The current sample as the encoders take it; its numbers are valid until the next one. */
    FlatHistogram flat() {
        return stale() ? FlatHistogram.stale(ints) : new FlatHistogram(hint(), ints, layout, values);
    }

    /** The current sample of an integer encoding. */
    Histogram histogram() {
        if (stale()) {
            return Stale.HISTOGRAM;
        }
        long[] v = values;
        HistogramLayout l = layout;
        int p = FlatHistogram.BUCKETS + l.positiveCount();
        return new Histogram(hint(), l.schema(), l.zeroThreshold(), v[FlatHistogram.ZERO_COUNT], v[FlatHistogram.COUNT],
                Double.longBitsToDouble(v[FlatHistogram.SUM]),
                l.positiveSpans(), java.util.Arrays.copyOfRange(v, FlatHistogram.BUCKETS, p), l.negativeSpans(),
                java.util.Arrays.copyOfRange(v, p, v.length), l.customValues());
    }

    /** The stale marker as an integer histogram. */
    static final class Stale {
        static final Histogram HISTOGRAM = new Histogram(CounterResetHint.UNKNOWN, 0, 0, 0, 0, SampleBuffer.STALE_NAN, List.of(),
                new long[0], List.of(), new long[0], FloatHistogram.NO_BUCKETS);

        private Stale() {
        }
    }
}

package io.varve.chunk;

import io.varve.model.CounterResetHint;
import io.varve.model.FloatHistogram;
import io.varve.model.Histogram;
import io.varve.model.SampleBuffer;
import java.util.Arrays;
import java.util.List;

/**
 * Forward over a histogram chunk of any of the four encodings. {@link #next} reads one sample, then {@link #floatHistogram} or
 * {@link #histogram} builds it: the bucket arrays are new for each sample, spans and bounds are the chunk's and shared.
 */
final class HistogramReader {
    /** With up to so many ones before it, a variable number has three bits for each of them. */
    private static final int SHORT = 4;
    /**
     * By the eleven bits that say it, the window of a float: significant bits in the second byte, trailing zeros in the first; negative where
     * there is none.
     */
    private static final short[] WINDOWS = new short[1 << 11];
    static {
        for (int i = 0; i < WINDOWS.length; i++) {
            int significant = (i - 1 & 63) + 1;
            int trailing = 64 - (i >>> 6) - significant;
            WINDOWS[i] = (short) (trailing < 0 ? -1 : significant << 8 | trailing);
        }
    }

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
    /** Leading and trailing zeros of count, zero count and sum where they are floats. */
    private final byte[] windows = new byte[2 * FlatHistogram.BUCKETS];
    /** Floats only, of each bucket: its window as in {@link #WINDOWS}. */
    private short[] bucketWindows = new short[0];

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
            bucketWindows = new short[n];
            // Before the first window all 64 bits are significant.
            Arrays.fill(bucketWindows, (short) (64 << 8));
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
        int n = Math.min(v.length, d.length);
        int i = FlatHistogram.BUCKETS;
        while (i < n - 2) {
            // Upside down, so that the ones before a number are leading zeros.
            long w = ~r.word(pos);
            int ones = Long.numberOfLeadingZeros(w);
            int used = 4 * ones + 1;
            long w2 = w << used;
            int ones2 = Long.numberOfLeadingZeros(w2);
            int used2 = 4 * ones2 + 1;
            long w3 = w2 << used2;
            int ones3 = Long.numberOfLeadingZeros(w3);
            if (Math.max(Math.max(ones, ones2), ones3) > SHORT) {
                r.pos = pos;
                v[i] += d[i] += r.varbitInt();
                i++;
                pos = r.pos;
                continue;
            }
            pos += used + used2 + 4 * ones3 + 1;
            v[i] += d[i] += number(~w, ones);
            v[i + 1] += d[i + 1] += number(~w2, ones2);
            v[i + 2] += d[i + 2] += number(~w3, ones3);
            i += 3;
        }
        r.pos = pos;
        while (i < n) {
            v[i] += d[i] += r.varbitInt();
            i++;
        }
    }

    /** The number at the head of {@code w} that has so many ones before it, {@link #SHORT} at most. */
    private static long number(long w, int ones) {
        int width = 3 * ones;
        // Values above the middle are negative and the middle itself is not: two's complement once it is one less. Shifts by 64 are by 0, which
        // makes the 0 of the width 0 right too.
        return ((w >>> -(4 * ones + 1)) - 1 << -width >> -width) + 1;
    }

    private void nextFloats() {
        long[] v = values;
        for (int i = 0; i < FlatHistogram.BUCKETS; i++) {
            v[i] = in.xor(v[i], windows, i);
        }
        if (v[FlatHistogram.SUM] != SampleBuffer.STALE_NAN_BITS) {
            floatBuckets(v, bucketWindows);
        }
    }

    /**
     * Steps all buckets. Whether a bucket changed and whether it has a new window are as good as random: masks, all ones or 0, and no branch.
     * Mostly two buckets come from one load.
     */
    private void floatBuckets(long[] v, short[] windows) {
        BitReader r = in;
        long pos = r.pos;
        long w = 0;
        int room = 0;
        int n = Math.min(v.length, windows.length);
        for (int i = FlatHistogram.BUCKETS; i < n; i++) {
            if ((i & 1) != 0) {
                w = r.word(pos);
                room = 57;
            }
            int changed = (int) (w >> 63);
            int isNew = (int) ((w & w << 1) >> 63);
            int window = windows[i];
            // One bit, two and the value, or thirteen and the value, whose length is six bits from the eighth on, 0 for 64.
            int used = 1 + ((window >> 8) + 1 & (changed ^ isNew)) + (((int) (w >>> 51) - 1 & 63) + 13 & isNew);
            window ^= (WINDOWS[(int) (w << 2 >>> 53)] ^ window) & isNew;
            if ((room - used | window) < 0) {
                // Too wide, or damaged, or cut off by the end of the load.
                r.pos = pos;
                v[i] = wideFloat(v[i], windows, i);
                pos = r.pos;
                w = r.word(pos);
                room = 57;
                continue;
            }
            windows[i] = (short) window;
            v[i] ^= (w >>> -used & ~(-1L << (window >> 8 & changed))) << window;
            w <<= used;
            room -= used;
            pos += used;
        }
        r.pos = pos;
    }

    private long wideFloat(long before, short[] windows, int i) {
        BitReader r = in;
        long w = r.word();
        if (w >= 0) {
            r.pos++;
            return before;
        }
        r.pos += 2;
        int window = windows[i];
        if (w << 1 < 0) {
            window = WINDOWS[(int) (w << 2 >>> 53)];
            if (window < 0) {
                throw r.corrupt("a float has more leading zeros and significant bits than 64 together");
            }
            windows[i] = (short) window;
            r.pos += 11;
        }
        return before ^ r.bits(window >> 8) << window;
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
                l.positiveSpans(), Arrays.copyOfRange(v, FlatHistogram.BUCKETS, p), l.negativeSpans(),
                Arrays.copyOfRange(v, p, v.length), l.customValues());
    }

    /** The stale marker as an integer histogram. */
    static final class Stale {
        static final Histogram HISTOGRAM = new Histogram(CounterResetHint.UNKNOWN, 0, 0, 0, 0, SampleBuffer.STALE_NAN, List.of(),
                new long[0], List.of(), new long[0], FloatHistogram.NO_BUCKETS);

        private Stale() {
        }
    }
}

package io.varve.chunk;

import io.varve.model.CorruptDataException;
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
    private static final byte[] NO_CHANGES = {};
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
    /** Of the sample before: count, zero count and sum as in {@link #values}, and the hint. */
    private long countBefore;
    private long zeroCountBefore;
    private long sumBefore;
    private CounterResetHint hintBefore = CounterResetHint.UNKNOWN;
    private long timeBefore;

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
    /** Integers only: whether the buckets of the sample before changed little. */
    private boolean small = true;
    /** What {@link SmallChanges} reads into; made with the first use. */
    private byte[] smallChanges = NO_CHANGES;
    /** Floats only, of each bucket: its window as in {@link #WINDOWS}. */
    private short[] bucketWindows = new short[0];
    /** Floats only: whether most buckets repeat the sample before, by the bits that there are for one. */
    private boolean mostlySame;

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
        if (!nextHead()) {
            return false;
        }
        nextBuckets();
        return true;
    }

    /**
     * Reads the next sample but for its buckets and its start timestamp: {@link #before} can still build the one before then. False at the end; else
     * {@link #nextBuckets} is to follow before anything but time, count and sum is asked for.
     */
    boolean nextHead() {
        if (read == size) {
            return false;
        }
        timeBefore = t;
        if (read == 0) {
            first();
        } else {
            long[] v = values;
            countBefore = v[FlatHistogram.COUNT];
            zeroCountBefore = v[FlatHistogram.ZERO_COUNT];
            sumBefore = v[FlatHistogram.SUM];
            hintBefore = hint();
            tDelta += in.varbitInt();
            t += tDelta;
            if (ints) {
                long[] d = deltas;
                v[FlatHistogram.COUNT] += d[FlatHistogram.COUNT] += in.varbitInt();
                v[FlatHistogram.ZERO_COUNT] += d[FlatHistogram.ZERO_COUNT] += in.varbitInt();
                v[FlatHistogram.SUM] = in.xor(v[FlatHistogram.SUM], windows, FlatHistogram.SUM);
            } else {
                for (int i = 0; i < FlatHistogram.BUCKETS; i++) {
                    v[i] = in.xor(v[i], windows, i);
                }
            }
        }
        in.check();
        return true;
    }

    /** Reads what {@link #nextHead} left. */
    void nextBuckets() {
        if (read > 0 && values[FlatHistogram.SUM] != SampleBuffer.STALE_NAN_BITS) {
            if (ints) {
                buckets(values, deltas);
            } else if (mostlySame) {
                sparseFloatBuckets(values, bucketWindows);
            } else {
                floatBuckets(values, bucketWindows);
            }
        }
        st = starts.read(in, read, t, timeBefore);
        in.check();
        read++;
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
            mostlySame = in.remaining() < 4L * (size - 1) * (n - FlatHistogram.BUCKETS);
        }
    }

    /**
     * Steps all buckets. Where most changes are small, several of them come from one look into a table; else three from one load. Which way a sample
     * goes is what the one before was like, as sizes change little from sample to sample.
     */
    private void buckets(long[] v, long[] d) {
        if (!small) {
            wideBuckets(v, d);
            return;
        }
        byte[] changes = smallChanges;
        if (changes.length < v.length + SmallChanges.SLACK) {
            changes = new byte[v.length + SmallChanges.SLACK];
            smallChanges = changes;
        }
        int wide = SmallChanges.read(in, changes, d, FlatHistogram.BUCKETS, v.length);
        small = wide <= v.length >> 4;
        add(v, d, changes);
    }

    private static void add(long[] v, long[] d, byte[] changes) {
        int n = Math.min(v.length, Math.min(d.length, changes.length));
        for (int i = FlatHistogram.BUCKETS; i < n; i++) {
            long change = d[i] + changes[i];
            d[i] = change;
            v[i] += change;
        }
    }

    /**
     * The same, whatever the sizes. A load has 57 bits at least, enough for three numbers of up to 17: so many come from one load, without a
     * branch that depends on their size, for sizes of neighbours are as good as random. Wider ones are rare.
     */
    private void wideBuckets(long[] v, long[] d) {
        BitReader r = in;
        long pos = r.pos;
        int n = Math.min(v.length, d.length);
        int i = FlatHistogram.BUCKETS;
        int medium = 0;
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
            int most = Math.max(Math.max(ones, ones2), ones3);
            if (most > SHORT) {
                r.pos = pos;
                v[i] += d[i] += r.varbitInt();
                i++;
                pos = r.pos;
                medium += 3;
                continue;
            }
            // One for three or four.
            medium += most & most >> 1 | most >> 2;
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
        small = medium <= n >> 4;
    }

    /** The number at the head of {@code w} that has so many ones before it, {@link #SHORT} at most. */
    private static long number(long w, int ones) {
        int width = 3 * ones;
        // Values above the middle are negative and the middle itself is not: two's complement once it is one less. Shifts by 64 are by 0, which
        // makes the 0 of the width 0 right too.
        return ((w >>> -(4 * ones + 1)) - 1 << -width >> -width) + 1;
    }

    /**
     * Steps all buckets. Whether a bucket changed and whether it has a new window are as good as random: masks, all ones or 0, and no branch.
     * Mostly three buckets come from one load: where they end is worked out first, as the next load waits for nothing else, and what
     * they are then, each on its own, so that little has to be held in registers at a time.
     */
    private void floatBuckets(long[] v, short[] windows) {
        BitReader r = in;
        long pos = r.pos;
        int n = Math.min(v.length, windows.length);
        int i = FlatHistogram.BUCKETS;
        while (i < n - 2) {
            long w = r.word(pos);
            int window = windows[i];
            int changed = (int) (w >> 63);
            int isNew = (int) ((w & w << 1) >> 63);
            // One bit, two and the value, or thirteen and the value, whose length is six bits from the eighth on, 0 for 64.
            int used = 1 + ((window >> 8) + 1 & (changed ^ isNew)) + (((int) (w >>> 51) - 1 & 63) + 13 & isNew);
            long w2 = w << used;
            int window2 = windows[i + 1];
            int changed2 = (int) (w2 >> 63);
            int isNew2 = (int) ((w2 & w2 << 1) >> 63);
            int used2 = 1 + ((window2 >> 8) + 1 & (changed2 ^ isNew2)) + (((int) (w2 >>> 51) - 1 & 63) + 13 & isNew2);
            long w3 = w2 << used2;
            int window3 = windows[i + 2];
            int changed3 = (int) (w3 >> 63);
            int isNew3 = (int) ((w3 & w3 << 1) >> 63);
            int used3 = 1 + ((window3 >> 8) + 1 & (changed3 ^ isNew3)) + (((int) (w3 >>> 51) - 1 & 63) + 13 & isNew3);
            int all = used + used2 + used3;
            if (all > BitReader.WORD_BITS) {
                // Too wide for one load: one bucket alone. What the load did not hold is not looked at.
                r.pos = pos;
                v[i] = oneFloat(v[i], windows, i);
                pos = r.pos;
                i++;
                continue;
            }
            pos += all;
            window ^= (WINDOWS[(int) (w << 2 >>> 53)] ^ window) & isNew;
            windows[i] = (short) window;
            v[i] ^= (w >>> -used & ~(-1L << (window >> 8 & changed))) << window;
            window2 ^= (WINDOWS[(int) (w2 << 2 >>> 53)] ^ window2) & isNew2;
            windows[i + 1] = (short) window2;
            v[i + 1] ^= (w2 >>> -used2 & ~(-1L << (window2 >> 8 & changed2))) << window2;
            window3 ^= (WINDOWS[(int) (w3 << 2 >>> 53)] ^ window3) & isNew3;
            windows[i + 2] = (short) window3;
            v[i + 2] ^= (w3 >>> -used3 & ~(-1L << (window3 >> 8 & changed3))) << window3;
            if ((window | window2 | window3) < 0) {
                // None of these numbers is handed out.
                r.pos = pos - all + (window < 0 ? 0 : window2 < 0 ? used : used + used2);
                throw noWindow();
            }
            i += 3;
        }
        r.pos = pos;
        while (i < n) {
            v[i] = oneFloat(v[i], windows, i);
            i++;
        }
    }

    /** Steps all buckets where most of them repeat: a bit of 0 for each of those, of which leading zeros of a load tell how many there are. */
    private void sparseFloatBuckets(long[] v, short[] windows) {
        BitReader r = in;
        int n = Math.min(v.length, windows.length);
        int i = FlatHistogram.BUCKETS;
        while (i < n) {
            int same = Math.min(Long.numberOfLeadingZeros(r.word()), Math.min(BitReader.WORD_BITS, n - i));
            r.pos += same;
            i += same;
            if (i < n && same < BitReader.WORD_BITS) {
                v[i] = oneFloat(v[i], windows, i);
                i++;
            }
        }
    }

    /** The next float, of any width. */
    private long oneFloat(long before, short[] windows, int i) {
        BitReader r = in;
        long w = r.word();
        if (w >= 0) {
            r.pos++;
            return before;
        }
        int isNew = (int) (w << 1 >> 63);
        int window = windows[i];
        window ^= (WINDOWS[(int) (w << 2 >>> 53)] ^ window) & isNew;
        if (window < 0) {
            throw noWindow();
        }
        windows[i] = (short) window;
        r.pos += 2 + (11 & isNew);
        return before ^ r.bits(window >> 8) << window;
    }

    private CorruptDataException noWindow() {
        in.pos += 2;
        return in.corrupt("a float has more leading zeros and significant bits than 64 together");
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
        long[] v = values;
        return built(v[FlatHistogram.COUNT], v[FlatHistogram.ZERO_COUNT], v[FlatHistogram.SUM], hint());
    }

    /** The sample before the one whose head was read, as long as the buckets of that were not. */
    FloatHistogram before() {
        return built(countBefore, zeroCountBefore, sumBefore, hintBefore);
    }

    private FloatHistogram built(long countBits, long zeroCountBits, long sumBits, CounterResetHint hint) {
        if (sumBits == SampleBuffer.STALE_NAN_BITS) {
            return FloatHistogram.STALE;
        }
        HistogramLayout l = layout;
        long[] v = values;
        double count = ints ? HistogramLayout.unsigned(countBits) : Double.longBitsToDouble(countBits);
        double zeroCount = ints ? HistogramLayout.unsigned(zeroCountBits) : Double.longBitsToDouble(zeroCountBits);
        return new FloatHistogram(hint, l.schema(), l.zeroThreshold(), zeroCount, count, Double.longBitsToDouble(sumBits),
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

package io.varve.chunk;

import io.varve.model.CounterResetHint;
import io.varve.model.FloatHistogram;
import io.varve.model.SampleBuffer;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Histograms in any of the four encodings. Works on a flat form of a sample ({@link FlatHistogram}) so that integers and floats
 * share all rules that do not depend on how a number is written.
 */
final class HistogramEncoder extends ChunkEncoder {
    private static final int MAX_SAMPLES_WITH_STARTS = 0x3FFF;

    private final Encoding encoding;
    private final boolean ints;
    private final StartTimes.@Nullable Writer starts;
    /** What the header says. */
    CounterResetHint reset = CounterResetHint.UNKNOWN;
    /** Set by the first sample. */
    HistogramLayout layout = HistogramLayout.of(0, 0, List.of(), List.of(), FloatHistogram.NO_BUCKETS);
    /** The last sample, as {@link FlatHistogram#values}. */
    long[] values = new long[0];
    private long[] deltas = new long[0];
    private byte[] windows = new byte[0];

    HistogramEncoder(Encoding encoding, byte[] buffer) {
        super(encoding, buffer);
        this.encoding = encoding;
        ints = encoding == Encoding.HISTOGRAM || encoding == Encoding.HISTOGRAM_ST;
        starts = encoding == Encoding.HISTOGRAM_ST || encoding == Encoding.FLOAT_HISTOGRAM_ST ? new StartTimes.Writer() : null;
    }

    @Override
    Encoding encoding() {
        return encoding;
    }

    @Override
    int maxSamples() {
        return starts == null ? MAX_SAMPLES : MAX_SAMPLES_WITH_STARTS;
    }

    @Override
    void setHeader(byte[] bytes) {
        int bits = ChunkDecoder.counterResetBits(reset) << 6;
        if (starts == null) {
            bytes[2] = (byte) bits;
        } else {
            bytes[0] |= (byte) bits;
            bytes[2] = starts.header();
        }
    }

    boolean lastStale() {
        return count > 0 && values[FlatHistogram.SUM] == SampleBuffer.STALE_NAN_BITS;
    }

    /** Appends a sample whose buckets are those of the layout (the first sample makes the layout). */
    void append(long startTimestamp, long time, FlatHistogram sample) {
        FlatHistogram h = sample.stale() ? FlatHistogram.stale(ints) : sample;
        long[] now = h.values();
        long oldDelta = tDelta;
        long oldTime = t;
        step(time);
        if (count == 1) {
            layout = h.layout();
            layout.write(out);
            out.varbitInt(time);
            first(now);
            values = now.clone();
        } else {
            out.varbitInt(tDelta - oldDelta);
            if (ints) {
                nextInts(now, h.stale());
            } else {
                nextFloats(now);
            }
            // A stale sample has no buckets; those of the layout are not needed any more: only stale samples may follow.
            System.arraycopy(now, 0, values, 0, now.length);
        }
        if (starts != null) {
            starts.write(out, count - 1, time, oldTime, startTimestamp);
        }
    }

    private void first(long[] now) {
        if (ints) {
            deltas = new long[now.length];
            windows = new byte[2 * FlatHistogram.BUCKETS];
            out.varbitUint(now[FlatHistogram.COUNT]);
            out.varbitUint(now[FlatHistogram.ZERO_COUNT]);
            out.bits(now[FlatHistogram.SUM], 64);
            for (int i = FlatHistogram.BUCKETS; i < now.length; i++) {
                out.varbitInt(now[i]);
            }
        } else {
            windows = new byte[2 * now.length];
            for (long v : now) {
                out.bits(v, 64);
            }
        }
        Arrays.fill(windows, BitWriter.NO_WINDOW);
    }

    private void nextInts(long[] now, boolean stale) {
        long[] v = values;
        long[] d = deltas;
        for (int i = 0; i < FlatHistogram.SUM; i++) {
            long delta = now[i] - v[i];
            out.varbitInt(stale ? 0 : delta - d[i]);
            d[i] = delta;
        }
        out.xor(now[FlatHistogram.SUM], v[FlatHistogram.SUM], windows, FlatHistogram.SUM);
        for (int i = FlatHistogram.BUCKETS; i < now.length; i++) {
            long delta = now[i] - v[i];
            out.varbitInt(delta - d[i]);
            d[i] = delta;
        }
    }

    private void nextFloats(long[] now) {
        for (int i = 0; i < now.length; i++) {
            out.xor(now[i], values[i], windows, i);
        }
    }
}

package io.varve.chunk;

import io.varve.model.CounterResetHint;
import io.varve.model.FloatHistogram;
import io.varve.model.Histogram;
import io.varve.model.SampleBuffer;
import io.varve.model.SampleCursor;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Encodes the samples of one series into chunks, each handed to a sink when it is complete, byte for byte as Prometheus'
 * appenders do. A chunk ends
 * <ul>
 * <li>after the wanted number of samples, or where its format has room for no more,
 * <li>where the kind of sample changes (float, integer histogram, float histogram),
 * <li>at a histogram that cannot follow in it: counter reset, another schema, zero threshold or bounds, gauge after counter or the
 * other way round, anything but a stale marker after a stale marker.
 * </ul>
 * New buckets do not end a chunk: it is encoded again with them.
 *
 * <p>
 * Times are not checked: that they rise is the caller's care (Thanos' counter aggregates repeat the last one on purpose). One
 * thread. Histograms are not changed and not kept.
 */
public final class ChunkAppender {
    /** Samples per chunk where Prometheus encodes merged series again. */
    public static final int USUAL_SAMPLES = 120;

    private static final long[] NO_TIMES = new long[0];

    private final boolean startTimestamps;
    private final int maxSamples;
    private final Consumer<Chunk> sink;
    private @Nullable ChunkEncoder current;
    /** Samples at which the current chunk is full. */
    private int limit;
    /** What the chunk before was written to, for the next one. */
    private byte[] buffer = new byte[512];
    /** Floats that came one by one and are not encoded yet: all of a usual chunk's, so that one loop encodes them. */
    private long[] heldTimes = NO_TIMES;
    private double[] heldValues = FloatHistogram.NO_BUCKETS;
    private int held;

    private ChunkAppender(boolean startTimestamps, int maxSamples, Consumer<Chunk> sink) {
        if (maxSamples < 1) {
            throw new IllegalArgumentException("a chunk needs room for a sample, got " + maxSamples);
        }
        this.startTimestamps = startTimestamps;
        this.maxSamples = maxSamples;
        this.sink = sink;
    }

    /** Writes the encodings that every Prometheus and Thanos reads; start timestamps are dropped. */
    public static ChunkAppender plain(int maxSamples, Consumer<Chunk> sink) {
        return new ChunkAppender(false, maxSamples, sink);
    }

    /** Writes XOR2, HISTOGRAM_ST and FLOAT_HISTOGRAM_ST, which keep start timestamps. */
    public static ChunkAppender withStartTimestamps(int maxSamples, Consumer<Chunk> sink) {
        return new ChunkAppender(true, maxSamples, sink);
    }

    /** Appends a float. */
    public void append(long timestamp, double value) {
        int i = held;
        if (i < heldTimes.length) {
            heldTimes[i] = timestamp;
            heldValues[i] = value;
            held = i + 1;
        } else if (startTimestamps) {
            append(0, timestamp, value);
        } else {
            makeRoom();
            append(timestamp, value);
        }
    }

    /**
     * Appends a float.
     *
     * @param startTimestamp milliseconds, 0 unknown
     * @param timestamp milliseconds
     */
    public void append(long startTimestamp, long timestamp, double value) {
        if (!startTimestamps) {
            append(timestamp, value);
        } else if (room() instanceof Xor2Encoder e) {
            e.append(startTimestamp, timestamp, value);
        } else {
            cut();
            begin(new Xor2Encoder(buffer)).append(startTimestamp, timestamp, value);
        }
    }

    /** Where the arrays of held floats are full: always, while there are none. */
    private void makeRoom() {
        if (held > 0) {
            encodeHeld();
        } else {
            int room = Math.min(maxSamples, USUAL_SAMPLES);
            heldTimes = new long[room];
            heldValues = new double[room];
        }
    }

    private void encodeHeld() {
        int n = held;
        held = 0;
        if (n > 0) {
            append(heldTimes, heldValues, 0, n);
        }
    }

    /** Appends floats without start timestamps from arrays. */
    public void append(long[] timestamps, double[] values, int from, int to) {
        encodeHeld();
        int i = from;
        while (i < to && startTimestamps) {
            append(0, timestamps[i], values[i]);
            i++;
        }
        while (i < to) {
            XorEncoder e;
            if (room() instanceof XorEncoder open) {
                e = open;
            } else {
                cut();
                e = begin(new XorEncoder(buffer));
            }
            int end = Math.min(to, i + limit - e.count);
            e.append(timestamps, values, i, end);
            i = end;
        }
    }

    /** Appends floats and float histograms as they lie in a buffer, start timestamps only where they are kept. */
    public void append(SampleBuffer samples) {
        int n = samples.size;
        long[] starts = startTimestamps ? samples.startTimestamps : null;
        if (samples.histograms == null && starts == null) {
            append(samples.timestamps, samples.values, 0, n);
            return;
        }
        for (int i = 0; i < n; i++) {
            long start = starts == null ? 0 : starts[i];
            FloatHistogram h = samples.histogram(i);
            if (h == null) {
                append(start, samples.timestamps[i], samples.values[i]);
            } else {
                append(start, samples.timestamps[i], h);
            }
        }
    }

    /** Appends an integer histogram. */
    public void append(long startTimestamp, long timestamp, Histogram histogram) {
        append(startTimestamp, timestamp, FlatHistogram.of(histogram),
                startTimestamps ? Encoding.HISTOGRAM_ST : Encoding.HISTOGRAM);
    }

    /** Appends a float histogram. */
    public void append(long startTimestamp, long timestamp, FloatHistogram histogram) {
        append(startTimestamp, timestamp, FlatHistogram.of(histogram),
                startTimestamps ? Encoding.FLOAT_HISTOGRAM_ST : Encoding.FLOAT_HISTOGRAM);
    }

    /** Appends what the cursor stands on. */
    public void append(SampleCursor cursor, SampleCursor.Kind kind) {
        switch (kind) {
            case FLOAT -> append(cursor.startTimestamp(), cursor.timestamp(), cursor.value());
            case HISTOGRAM -> append(cursor.startTimestamp(), cursor.timestamp(), cursor.histogram());
            case FLOAT_HISTOGRAM -> append(cursor.startTimestamp(), cursor.timestamp(), cursor.floatHistogram());
            case END -> throw new IllegalArgumentException("there is no sample at the end");
        }
    }

    /** Ends the current chunk, if there is one, and hands it to the sink. Call it after the last sample. */
    public void cut() {
        encodeHeld();
        ChunkEncoder e = current;
        current = null;
        if (e != null) {
            Chunk chunk = e.toChunk();
            buffer = e.out.buffer();
            sink.accept(chunk);
        }
    }

    /** Samples in the chunk that is being written. */
    public int sampleCount() {
        encodeHeld();
        ChunkEncoder e = current;
        return e == null ? 0 : e.count;
    }

    /** Bytes of the chunk that is being written. */
    public int sizeBytes() {
        encodeHeld();
        ChunkEncoder e = current;
        return e == null ? 0 : e.out.size();
    }

    /** The current chunk if it takes another sample. */
    private @Nullable ChunkEncoder room() {
        ChunkEncoder e = current;
        return e != null && e.count >= limit ? null : e;
    }

    private void append(long startTimestamp, long timestamp, FlatHistogram h, Encoding encoding) {
        encodeHeld();
        if (!(room() instanceof HistogramEncoder e) || e.encoding() != encoding) {
            // What the header says of a reset is known only from the sample itself: the chunk before may have been cut anywhere.
            begin(encoding, h.hint() == CounterResetHint.NOT_RESET ? CounterResetHint.UNKNOWN : h.hint())
                    .append(startTimestamp, timestamp, h);
            return;
        }
        boolean gauge = h.hint() == CounterResetHint.GAUGE;
        if (gauge != (e.reset == CounterResetHint.GAUGE)) {
            // Prometheus claims this much of integers only; readers ignore it for the first sample.
            CounterResetHint counter = h.ints() ? CounterResetHint.NOT_RESET : CounterResetHint.UNKNOWN;
            begin(encoding, gauge ? CounterResetHint.GAUGE : counter).append(startTimestamp, timestamp, h);
            return;
        }
        if (h.hint() == CounterResetHint.RESET) {
            begin(encoding, CounterResetHint.RESET).append(startTimestamp, timestamp, h);
            return;
        }
        if (h.stale()) {
            e.append(startTimestamp, timestamp, h);
            return;
        }
        CounterResetHint otherwise = gauge ? CounterResetHint.GAUGE : CounterResetHint.UNKNOWN;
        if (e.lastStale()) {
            begin(encoding, otherwise).append(startTimestamp, timestamp, h);
            return;
        }
        HistogramLayout old = e.layout;
        HistogramLayout now = h.layout();
        if (!gauge && less(h, e, FlatHistogram.COUNT)) {
            begin(encoding, CounterResetHint.RESET).append(startTimestamp, timestamp, h);
            return;
        }
        if (now.schema() != old.schema() || now.zeroThreshold() != old.zeroThreshold()) {
            begin(encoding, otherwise).append(startTimestamp, timestamp, h);
            return;
        }
        boolean otherBounds = now.schema() == FloatHistogram.CUSTOM_BUCKETS_SCHEMA && !sameBounds(now.customValues(), old.customValues());
        if (otherBounds || !gauge && less(h, e, FlatHistogram.ZERO_COUNT)) {
            begin(encoding, gauge ? CounterResetHint.GAUGE : CounterResetHint.RESET).append(startTimestamp, timestamp, h);
            return;
        }
        BucketMerge positive = BucketMerge.of(old.positiveSpans(), now.positiveSpans());
        BucketMerge negative = BucketMerge.of(old.negativeSpans(), now.negativeSpans());
        int from = FlatHistogram.BUCKETS;
        if (!gauge && (positive.lost(h.ints(), e.values, from, old.positiveCount(), h.values(), from, now.positiveCount())
                || negative.lost(h.ints(), e.values, from + old.positiveCount(), old.negativeCount(), h.values(),
                        from + now.positiveCount(), now.negativeCount()))) {
            begin(encoding, CounterResetHint.RESET).append(startTimestamp, timestamp, h);
            return;
        }
        boolean sampleGrows = positive.sampleGrows() || negative.sampleGrows();
        if (!positive.chunkGrows() && !negative.chunkGrows()) {
            e.append(startTimestamp, timestamp, sampleGrows ? h.spread(old, positive.ofSample(), negative.ofSample()) : h);
            return;
        }
        // The chunk takes the sample's own spans where they hold all of its buckets, and the shortest form of both else.
        HistogramLayout all = HistogramLayout.of(now.schema(), now.zeroThreshold(),
                sampleGrows && (gauge || positive.sampleGrows()) ? positive.spans() : now.positiveSpans(),
                sampleGrows && (gauge || negative.sampleGrows()) ? negative.spans() : now.negativeSpans(), old.customValues());
        HistogramEncoder wider = encodeAgain(e, all, positive.ofChunk(), negative.ofChunk());
        wider.append(startTimestamp, timestamp, sampleGrows ? h.spread(all, positive.ofSample(), negative.ofSample()) : h);
        current = wider;
    }

    private HistogramEncoder begin(Encoding encoding, CounterResetHint reset) {
        cut();
        HistogramEncoder e = begin(new HistogramEncoder(encoding, buffer));
        e.reset = reset;
        return e;
    }

    private <E extends ChunkEncoder> E begin(E encoder) {
        limit = Math.min(maxSamples, encoder.maxSamples());
        current = encoder;
        return encoder;
    }

    private static HistogramEncoder encodeAgain(HistogramEncoder e, HistogramLayout layout, BucketMerge.Places positive,
            BucketMerge.Places negative) {
        byte[] bytes = e.toBytes();
        HistogramReader reader = new HistogramReader(e.encoding(), bytes, 0, bytes.length);
        HistogramEncoder wider = new HistogramEncoder(e.encoding(), new byte[bytes.length + 64]);
        wider.reset = e.reset;
        while (reader.next()) {
            wider.append(reader.st, reader.t, reader.flat().spread(layout, positive, negative));
        }
        return wider;
    }

    private static boolean less(FlatHistogram h, HistogramEncoder e, int field) {
        long now = h.values()[field];
        long last = e.values[field];
        return h.ints() ? Long.compareUnsigned(now, last) < 0 : Double.longBitsToDouble(now) < Double.longBitsToDouble(last);
    }

    private static boolean sameBounds(double[] a, double[] b) {
        if (a.length != b.length) {
            return false;
        }
        for (int i = 0; i < a.length; i++) {
            if (a[i] != b[i]) {
                return false;
            }
        }
        return true;
    }
}

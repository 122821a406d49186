package io.varve.chunk;

import io.varve.chunk.AggregateChunk.Part;
import io.varve.model.CorruptDataException;
import io.varve.model.CounterResetHint;
import io.varve.model.FloatHistogram;
import io.varve.model.SampleBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Turns the chunks of one series into chunks of aggregates over windows of a fixed length, bit for bit as Thanos does
 * ({@code pkg/compact/downsample}): raw samples into windows of 5 minutes, those into windows of an hour.
 *
 * <p>
 * A window ends at the last millisecond before a multiple of its length, and a chunk's last window at the chunk's last sample; each has
 * count, sum, minimum, maximum (floats only) and the counter: the running total over the chunk with resets taken out. The counter of floats
 * begins with the first raw sample and repeats the last raw value at the last window's end, see {@link CounterReader}.
 *
 * <p>
 * A deterministic function of its input. Reused from series to series; one thread.
 */
public final class Downsampler {
    /** Windows per output chunk, at most on average. */
    private static final int TARGET_WINDOWS = 140;
    /** The step that raw data is taken to have; only the size of chunks depends on it. */
    private static final long ASSUMED_RAW_STEP_MILLIS = 60_000;
    /** Windows of one chunk stay in one chunk whatever their number. */
    private static final int UNBOUNDED = 65_535;
    /** Where a histogram chunk has its two bits about counter resets, behind the sample count. */
    private static final int COUNTER_RESET_BYTE = 2;
    /** The resolution of the first level. */
    private static final long FIRST_LEVEL_MILLIS = 300_000;

    private enum Kind {
        FLOAT, EXPONENTIAL, CUSTOM
    }

    private final SampleBuffer run = new SampleBuffer(1024);
    private final SampleBuffer one = new SampleBuffer(256);

    /** Holds buffers only. */
    public Downsampler() {
    }

    /**
     * Downsamples chunks of raw samples.
     *
     * @param chunks in order of time, without overlap
     * @param resolutionMillis length of the windows
     * @return aggregate chunks in order of time; none where there is no sample but stale markers and NaN
     * @throws CorruptDataException where chunks overlap or cannot be read
     */
    public List<Chunk> raw(List<Chunk> chunks, long resolutionMillis) {
        checkOrder(chunks);
        List<Chunk> out = new ArrayList<>();
        run.clear();
        @Nullable
        Kind runKind = null;
        for (Chunk chunk : chunks) {
            Kind kind = expand(chunk);
            if (kind == null) {
                continue;
            }
            if (runKind != null && kind != runKind) {
                rawRun(runKind, resolutionMillis, out);
                run.clear();
            }
            runKind = kind;
            append(one, run);
        }
        if (runKind != null) {
            rawRun(runKind, resolutionMillis, out);
        }
        return out;
    }

    /**
     * Downsamples chunks of aggregates further.
     *
     * @param chunks in order of time, without overlap; empty raw chunks are skipped, other raw chunks are downsampled to 5 minutes first (both
     *            occur in blocks that old versions of Thanos wrote)
     * @param fromMillis their resolution
     * @param toMillis length of the new windows
     * @throws CorruptDataException where chunks overlap or cannot be read
     */
    public List<Chunk> aggregated(List<Chunk> chunks, long fromMillis, long toMillis) {
        checkOrder(chunks);
        List<Chunk> out = new ArrayList<>();
        List<AggregateChunk> batch = new ArrayList<>();
        @Nullable
        Kind runKind = null;
        long minTime = 0;
        long maxTime = 0;
        for (Chunk chunk : chunks) {
            for (Chunk c : chunk.encoding() == Encoding.AGGREGATE ? List.of(chunk) : raw(List.of(chunk), FIRST_LEVEL_MILLIS)) {
                AggregateChunk aggregates = AggregateChunk.parse(c);
                Kind kind = kind(aggregates);
                if (kind == null) {
                    continue;
                }
                if (kind != runKind) {
                    if (runKind != null) {
                        aggregatedRun(runKind, batch, minTime, maxTime, fromMillis, toMillis, out);
                        batch.clear();
                    }
                    minTime = c.minTime();
                    runKind = kind;
                }
                maxTime = c.maxTime();
                batch.add(aggregates);
            }
        }
        if (runKind != null) {
            aggregatedRun(runKind, batch, minTime, maxTime, fromMillis, toMillis, out);
        }
        return out;
    }

    private static void checkOrder(List<Chunk> chunks) {
        for (int i = 1; i < chunks.size(); i++) {
            if (chunks.get(i).minTime() <= chunks.get(i - 1).maxTime()) {
                throw new CorruptDataException("", -1,
                        "found overlapping chunks within series. Chunks expected to be ordered by min time and non-overlapping, got: ["
                                + chunks.get(i - 1).minTime() + ", " + chunks.get(i - 1).maxTime() + "] before [" + chunks.get(i).minTime()
                                + ", "
                                + chunks.get(i).maxTime() + "]");
            }
        }
    }

    /** Decodes into {@link #one} without stale markers and without samples that go back in time; null where nothing is left. */
    private @Nullable Kind expand(Chunk chunk) {
        one.clear();
        ChunkDecoder.decode(chunk, one);
        int n = 0;
        long last = Long.MIN_VALUE;
        for (int i = 0; i < one.size; i++) {
            @Nullable
            FloatHistogram h = one.histogram(i);
            boolean stale = h == null ? SampleBuffer.isStale(one.values[i]) : h.isStale();
            if (stale || one.timestamps[i] < last) {
                continue;
            }
            last = one.timestamps[i];
            one.timestamps[n] = last;
            one.values[n] = one.values[i];
            if (h != null) {
                one.histogramArray()[n] = h;
            }
            n++;
        }
        one.size = n;
        if (n == 0) {
            return null;
        }
        FloatHistogram first = one.histogram(0);
        return first == null ? Kind.FLOAT : first.usesCustomBuckets() ? Kind.CUSTOM : Kind.EXPONENTIAL;
    }

    private static void append(SampleBuffer from, SampleBuffer to) {
        to.ensure(from.size);
        for (int i = 0; i < from.size; i++) {
            FloatHistogram h = from.histogram(i);
            if (h == null) {
                to.add(from.timestamps[i], from.values[i]);
            } else {
                to.add(from.timestamps[i], h);
            }
        }
    }

    private static @Nullable Kind kind(AggregateChunk chunk) {
        Chunk sum = chunk.part(Part.SUM);
        Chunk decisive = sum != null ? sum : chunk.part(Part.COUNTER);
        if (decisive == null) {
            return chunk.part(Part.COUNT) == null ? null : Kind.FLOAT;
        }
        if (decisive.encoding() == Encoding.XOR) {
            return Kind.FLOAT;
        }
        SampleBuffer first = new SampleBuffer(1);
        ChunkDecoder.decode(decisive, first);
        FloatHistogram h = first.size == 0 ? null : first.histogram(0);
        return h != null && h.usesCustomBuckets() ? Kind.CUSTOM : Kind.EXPONENTIAL;
    }

    /** How many chunks to make, so that each has at most {@link #TARGET_WINDOWS} windows on average where data is as dense as its count says. */
    private static int chunkCount(long minTime, long maxTime, long fromMillis, long toMillis, long samples) {
        double windows = (maxTime - minTime) / toMillis;
        double fullness = Math.min(samples / ((double) (maxTime - minTime) / fromMillis), 1);
        long expected = (long) (windows * fullness) + 1;
        return (int) Math.min(expected / (TARGET_WINDOWS + 1) + 1, Integer.MAX_VALUE);
    }

    private static long windowEnd(long time, long resolution) {
        return time - time % resolution + resolution - 1;
    }

    // Raw samples.

    private void rawRun(Kind kind, long resolution, List<Chunk> out) {
        if (run.size == 0) {
            return;
        }
        int chunkCount = chunkCount(run.timestamps[0], run.timestamps[run.size - 1], ASSUMED_RAW_STEP_MILLIS, resolution, run.size);
        int batchSize = run.size / chunkCount + 1;
        int from = 0;
        while (from < run.size) {
            int to = Math.min(from + batchSize, run.size);
            // A batch takes the rest of its last window along.
            long end = windowEnd(run.timestamps[to - 1], resolution);
            while (to < run.size && run.timestamps[to] <= end) {
                to++;
            }
            if (kind == Kind.FLOAT) {
                rawFloats(from, to, resolution, out);
            } else {
                HistogramWindows windows = new HistogramWindows(run, from, to, resolution);
                windows.all();
                encode(windows.times, windows.counts, windows.sums, windows.counters, out);
            }
            from = to;
        }
    }

    private void rawFloats(int from, int to, long resolution, List<Chunk> out) {
        int n = from;
        for (int i = from; i < to; i++) {
            if (!Double.isNaN(run.values[i])) {
                run.timestamps[n] = run.timestamps[i];
                run.values[n++] = run.values[i];
            }
        }
        if (n == from) {
            return;
        }
        PartWriter count = new PartWriter();
        PartWriter sum = new PartWriter();
        PartWriter min = new PartWriter();
        PartWriter max = new PartWriter();
        PartWriter counter = new PartWriter();
        counter.append(run.timestamps[from], run.values[from]);
        FloatWindows windows = new FloatWindows(run, from, n, resolution);
        long first = 0;
        long last = 0;
        for (boolean begun = false; windows.next(); begun = true) {
            last = windows.end;
            first = begun ? first : last;
            count.append(last, windows.count);
            sum.append(last, windows.sum);
            min.append(last, windows.min);
            max.append(last, windows.max);
            counter.append(last, windows.counter);
        }
        counter.append(last, run.values[n - 1]);
        out.add(AggregateChunk.of(count.chunk(), sum.chunk(), min.chunk(), max.chunk(), counter.chunk()).toChunk(first, last));
    }

    // Aggregates.

    private void aggregatedRun(Kind kind, List<AggregateChunk> chunks, long minTime, long maxTime, long fromMillis, long toMillis,
            List<Chunk> out) {
        long samples = 0;
        for (AggregateChunk chunk : chunks) {
            Chunk count = chunk.part(Part.COUNT);
            samples += count == null ? 0 : ChunkDecoder.sampleCount(count);
        }
        int batchSize = Math.max(1, chunks.size() / chunkCount(minTime, maxTime, fromMillis, toMillis, samples));
        // Only whole chunks: the first and last values of their counters are those of the raw series.
        for (int from = 0; from < chunks.size(); from += batchSize) {
            List<AggregateChunk> batch = chunks.subList(from, Math.min(chunks.size(), from + batchSize));
            if (kind == Kind.FLOAT) {
                aggregatedFloats(batch, toMillis, out);
            } else {
                aggregatedHistograms(batch, toMillis, out);
            }
        }
    }

    private static final class Span {
        private long first = Long.MAX_VALUE;
        private long last = Long.MIN_VALUE;

        void add(long time) {
            first = Math.min(first, time);
            last = Math.max(last, time);
        }
    }

    private void aggregatedFloats(List<AggregateChunk> batch, long resolution, List<Chunk> out) {
        Span span = new Span();
        Chunk count = aggregate(batch, Part.COUNT, resolution, span);
        Chunk sum = aggregate(batch, Part.SUM, resolution, span);
        Chunk min = aggregate(batch, Part.MIN, resolution, span);
        Chunk max = aggregate(batch, Part.MAX, resolution, span);
        Chunk counter = counter(batch, resolution, span);
        if (span.first <= span.last) {
            out.add(AggregateChunk.of(count, sum, min, max, counter).toChunk(span.first, span.last));
        }
    }

    private @Nullable Chunk aggregate(List<AggregateChunk> batch, Part part, long resolution, Span span) {
        expand(batch, part);
        if (run.size == 0) {
            return null;
        }
        PartWriter writer = new PartWriter();
        FloatWindows windows = new FloatWindows(run, 0, run.size, resolution);
        while (windows.next()) {
            span.add(windows.end);
            writer.append(windows.end, switch (part) {
                // The count of windows of windows is the sum of their counts.
                case COUNT, SUM -> windows.sum;
                case MIN -> windows.min;
                case MAX -> windows.max;
                case COUNTER -> windows.counter;
            });
        }
        return writer.chunk();
    }

    private void expand(List<AggregateChunk> batch, Part part) {
        run.clear();
        for (AggregateChunk chunk : batch) {
            Chunk samples = chunk.part(part);
            if (samples != null && expand(samples) != null) {
                append(one, run);
            }
        }
    }

    private @Nullable Chunk counter(List<AggregateChunk> batch, long resolution, Span span) {
        CounterReader reader = new CounterReader();
        run.clear();
        for (AggregateChunk chunk : batch) {
            Chunk counter = chunk.part(Part.COUNTER);
            if (counter != null) {
                reader.append(counter, run);
            }
        }
        if (run.size == 0) {
            return null;
        }
        PartWriter writer = new PartWriter();
        writer.append(run.timestamps[0], run.values[0]);
        FloatWindows windows = new FloatWindows(run, 0, run.size, resolution);
        while (windows.next()) {
            span.add(windows.end);
            writer.append(windows.end, windows.counter);
        }
        writer.append(windows.end, reader.lastRaw());
        return writer.chunk();
    }

    private void aggregatedHistograms(List<AggregateChunk> batch, long resolution, List<Chunk> out) {
        expand(batch, Part.COUNT);
        List<Long> times = new ArrayList<>();
        List<Double> counts = new ArrayList<>();
        FloatWindows windows = new FloatWindows(run, 0, run.size, resolution);
        while (windows.next()) {
            times.add(windows.end);
            counts.add(windows.sum);
        }
        expand(batch, Part.SUM);
        HistogramWindows sums = new HistogramWindows(run, 0, run.size, resolution);
        sums.all();
        expand(batch, Part.COUNTER);
        HistogramWindows counters = new HistogramWindows(run, 0, run.size, resolution);
        counters.all();
        // Where custom bounds changed, Thanos wrote aggregates that begin at different times: only what all have makes an average.
        List<Long> common = new ArrayList<>(times);
        common.retainAll(sums.times);
        common.retainAll(counters.times);
        encode(common, at(common, times, counts), at(common, sums.times, sums.sums), at(common, counters.times, counters.counters), out);
    }

    private static <T> List<T> at(List<Long> wanted, List<Long> times, List<T> values) {
        if (wanted.size() == times.size()) {
            return values;
        }
        List<T> out = new ArrayList<>();
        for (int i = 0, w = 0; i < times.size() && w < wanted.size(); i++) {
            if (times.get(i).equals(wanted.get(w))) {
                out.add(values.get(i));
                w++;
            }
        }
        return out;
    }

    /**
     * Writes windows of histograms as aggregate chunks: one, or several where sums or counters cannot be in one chunk (custom bounds or zero
     * buckets that change).
     */
    private static void encode(List<Long> times, List<Double> counts, List<FloatHistogram> sums, List<FloatHistogram> counters,
            List<Chunk> out) {
        int from = 0;
        while (from < times.size()) {
            int n = Math.min(fitting(times, sums, from), fitting(times, counters, from));
            PartWriter count = new PartWriter();
            PartWriter sum = new PartWriter();
            PartWriter counter = new PartWriter();
            for (int i = from; i < from + n; i++) {
                count.append(times.get(i), counts.get(i));
                sum.append(times.get(i), sums.get(i));
                counter.append(times.get(i), counters.get(i));
            }
            out.add(AggregateChunk.of(count.chunk(), sum.chunk(), null, null, withoutReset(counter.chunk())).toChunk(times.get(from),
                    times.get(from + n - 1)));
            from += n;
        }
    }

    /** A running total has no reset: its chunk says so in its header, unless it is of a gauge. */
    private static Chunk withoutReset(Chunk counter) {
        byte[] data = counter.copyData();
        if ((data[COUNTER_RESET_BYTE] & 0xC0) == 0) {
            data[COUNTER_RESET_BYTE] |= (byte) (ChunkDecoder.counterResetBits(CounterResetHint.NOT_RESET) << 6);
        }
        return Chunk.of(counter.minTime(), counter.maxTime(), counter.encoding(), data);
    }

    /** How many windows from {@code from} on fit into one chunk. */
    private static int fitting(List<Long> times, List<FloatHistogram> values, int from) {
        boolean[] full = {false};
        ChunkAppender appender = ChunkAppender.plain(UNBOUNDED, chunk -> full[0] = true);
        for (int i = from; i < times.size(); i++) {
            appender.append(0, times.get(i), values.get(i));
            if (full[0]) {
                return i - from;
            }
        }
        return times.size() - from;
    }

    /** One chunk of an aggregate. */
    private static final class PartWriter {
        private final List<Chunk> chunks = new ArrayList<>(1);
        private final ChunkAppender appender = ChunkAppender.plain(UNBOUNDED, chunks::add);

        void append(long time, double value) {
            appender.append(time, value);
        }

        void append(long time, FloatHistogram value) {
            appender.append(0, time, value);
        }

        Chunk chunk() {
            appender.cut();
            if (chunks.size() != 1) {
                throw new IllegalStateException("an aggregate came out as " + chunks.size() + " chunks");
            }
            return chunks.getFirst();
        }
    }

    /** Walks over windows of floats. The counter runs on from window to window. */
    private static final class FloatWindows {
        private final SampleBuffer samples;
        private final int to;
        private final long resolution;
        private final long lastTime;
        private int at;
        private boolean begun;
        private double last;
        long end;
        int count;
        double sum;
        double min;
        double max;
        double counter;

        FloatWindows(SampleBuffer samples, int from, int to, long resolution) {
            this.samples = samples;
            this.at = from;
            this.to = to;
            this.resolution = resolution;
            this.lastTime = to == from ? 0 : samples.timestamps[to - 1];
        }

        boolean next() {
            if (at == to) {
                return false;
            }
            end = Math.min(windowEnd(samples.timestamps[at], resolution), lastTime);
            count = 0;
            sum = 0;
            min = Double.MAX_VALUE;
            max = -Double.MAX_VALUE;
            for (; at < to && samples.timestamps[at] <= end; at++) {
                double v = samples.values[at];
                counter = !begun ? v : v < last ? counter + v : counter + (v - last);
                begun = true;
                last = v;
                sum += v;
                count++;
                min = v < min ? v : min;
                max = v > max ? v : max;
            }
            return true;
        }
    }

    /** The windows of histograms, at the lowest resolution of the batch. */
    private static final class HistogramWindows {
        private final SampleBuffer samples;
        private final int from;
        private final int to;
        private final long resolution;
        final List<Long> times = new ArrayList<>();
        final List<Double> counts = new ArrayList<>();
        final List<FloatHistogram> sums = new ArrayList<>();
        final List<FloatHistogram> counters = new ArrayList<>();

        HistogramWindows(SampleBuffer samples, int from, int to, long resolution) {
            this.samples = samples;
            this.from = from;
            this.to = to;
            this.resolution = resolution;
        }

        void all() {
            if (from == to) {
                return;
            }
            @Nullable
            FloatHistogram[] histograms = Arrays.copyOfRange(samples.histogramArray(), from, to);
            int schema = Integer.MAX_VALUE;
            for (FloatHistogram h : histograms) {
                if (h == null) {
                    throw new IllegalStateException("a float among histograms");
                }
                schema = Math.min(schema, h.schema());
            }
            FloatHistogram first = sample(histograms, 0);
            boolean gauge = first.hint() == CounterResetHint.GAUGE;
            long lastTime = samples.timestamps[to - 1];
            HistogramTotal counter = new HistogramTotal();
            HistogramTotal sum = new HistogramTotal();
            HistogramTotal value = new HistogramTotal();
            HistogramTotal before = new HistogramTotal();
            FloatHistogram previous = first;
            int i = 0;
            while (i < histograms.length) {
                long end = Math.min(windowEnd(samples.timestamps[from + i], resolution), lastTime);
                int count = 0;
                for (; i < histograms.length && samples.timestamps[from + i] <= end; i++) {
                    FloatHistogram h = sample(histograms, i);
                    value.set(h, schema);
                    if (count == 0) {
                        sum.set(h, schema);
                    } else {
                        add(sum, value, 1);
                    }
                    if (i == 0) {
                        counter.set(h, schema);
                    } else if (!gauge && h.isResetAfter(previous)) {
                        add(counter, value, 1);
                    } else {
                        before.set(previous, schema);
                        add(value, before, -1);
                        add(counter, value, 1);
                    }
                    previous = h;
                    count++;
                }
                times.add(end);
                counts.add((double) count);
                sums.add(sum.result(CounterResetHint.GAUGE));
                counters.add(counter.result(gauge ? CounterResetHint.GAUGE : CounterResetHint.UNKNOWN));
            }
        }

        private static FloatHistogram sample(@Nullable FloatHistogram[] histograms, int i) {
            FloatHistogram h = histograms[i];
            if (h == null) {
                throw new IllegalStateException("a float among histograms");
            }
            return h;
        }

        private static void add(HistogramTotal to, HistogramTotal h, double sign) {
            if (!to.add(h, sign)) {
                throw new CorruptDataException("", -1, "a chunk mixes histograms with custom and with exponential buckets");
            }
        }
    }
}

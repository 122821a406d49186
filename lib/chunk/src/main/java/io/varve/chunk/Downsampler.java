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
    private final FloatWindows windows = new FloatWindows();
    private final List<Chunk> encoded = new ArrayList<>(1);
    private final ChunkAppender encoder = ChunkAppender.plain(UNBOUNDED, encoded::add);

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
            boolean floats = chunk.encoding() == Encoding.XOR || chunk.encoding() == Encoding.XOR2;
            if (floats && (runKind == null || runKind == Kind.FLOAT)) {
                runKind = expand(chunk, run) ? Kind.FLOAT : runKind;
                continue;
            }
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
        if (!expand(chunk, one)) {
            return null;
        }
        FloatHistogram first = one.histogram(0);
        return first == null ? Kind.FLOAT : first.usesCustomBuckets() ? Kind.CUSTOM : Kind.EXPONENTIAL;
    }

    /** Appends the chunk's samples without stale markers and without such that go back in time; false where nothing is left. */
    private static boolean expand(Chunk chunk, SampleBuffer into) {
        int from = into.size;
        ChunkDecoder.decode(chunk, into);
        into.startTimestamps = null;
        int n = from;
        long last = Long.MIN_VALUE;
        for (int i = from; i < into.size; i++) {
            @Nullable
            FloatHistogram h = into.histogram(i);
            boolean stale = h == null ? SampleBuffer.isStale(into.values[i]) : h.isStale();
            if (stale || into.timestamps[i] < last) {
                continue;
            }
            last = into.timestamps[i];
            if (n < i) {
                into.timestamps[n] = last;
                into.values[n] = into.values[i];
                if (h != null) {
                    into.histogramArray()[n] = h;
                }
            }
            n++;
        }
        into.size = n;
        return n > from;
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
        FloatWindows w = windows;
        w.walk(run, from, n, resolution);
        Chunk count = encode(w.times, w.counts, w.size);
        Chunk sum = encode(w.times, w.sums, w.size);
        Chunk min = encode(w.times, w.mins, w.size);
        Chunk max = encode(w.times, w.maxs, w.size);
        Chunk counter = counter(run.timestamps[from], run.values[from], run.values[n - 1]);
        out.add(AggregateChunk.of(count, sum, min, max, counter).toChunk(w.times[0], w.times[w.size - 1]));
    }

    /** The windows' counter: behind the first raw sample, and with the last raw value at the last window's time again. */
    private Chunk counter(long firstTime, double firstValue, double lastRaw) {
        FloatWindows w = windows;
        encoder.append(firstTime, firstValue);
        encoder.append(w.times, w.counters, 0, w.size);
        encoder.append(w.times[w.size - 1], lastRaw);
        return encoded();
    }

    private Chunk encode(long[] times, double[] values, int n) {
        encoder.append(times, values, 0, n);
        return encoded();
    }

    /** What the encoder was given, which is one chunk: there are fewer windows than a chunk has room for. */
    private Chunk encoded() {
        encoder.cut();
        if (encoded.size() != 1) {
            int n = encoded.size();
            encoded.clear();
            throw new IllegalStateException("an aggregate came out as " + n + " chunks");
        }
        return encoded.removeFirst();
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

        void add(FloatWindows windows) {
            first = Math.min(first, windows.times[0]);
            last = Math.max(last, windows.times[windows.size - 1]);
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
        FloatWindows w = windows;
        w.walk(run, 0, run.size, resolution);
        span.add(w);
        return encode(w.times, switch (part) {
            // The count of windows of windows is the sum of their counts.
            case COUNT, SUM -> w.sums;
            case MIN -> w.mins;
            case MAX -> w.maxs;
            case COUNTER -> w.counters;
        }, w.size);
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
        FloatWindows w = windows;
        w.walk(run, 0, run.size, resolution);
        span.add(w);
        return counter(run.timestamps[0], run.values[0], reader.lastRaw());
    }

    private void aggregatedHistograms(List<AggregateChunk> batch, long resolution, List<Chunk> out) {
        expand(batch, Part.COUNT);
        windows.walk(run, 0, run.size, resolution);
        List<Long> times = Arrays.stream(windows.times, 0, windows.size).boxed().toList();
        List<Double> counts = Arrays.stream(windows.sums, 0, windows.size).boxed().toList();
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
    private void encode(List<Long> times, List<Double> counts, List<FloatHistogram> sums, List<FloatHistogram> counters,
            List<Chunk> out) {
        int from = 0;
        while (from < times.size()) {
            Chunk sum = histograms(times, sums, from, times.size());
            Chunk counter = histograms(times, counters, from, times.size());
            int n = Math.min(ChunkDecoder.sampleCount(sum), ChunkDecoder.sampleCount(counter));
            for (int i = from; i < from + n; i++) {
                encoder.append(times.get(i), counts.get(i));
            }
            out.add(AggregateChunk.of(encoded(), cutTo(n, sum, times, sums, from), null, null,
                    withoutReset(cutTo(n, counter, times, counters, from))).toChunk(times.get(from), times.get(from + n - 1)));
            from += n;
        }
    }

    /** The chunk where it has so many windows, else a shorter one. */
    private static Chunk cutTo(int n, Chunk chunk, List<Long> times, List<FloatHistogram> values, int from) {
        return ChunkDecoder.sampleCount(chunk) == n ? chunk : histograms(times, values, from, from + n);
    }

    /** The first chunk that the values come to. */
    private static Chunk histograms(List<Long> times, List<FloatHistogram> values, int from, int to) {
        List<Chunk> chunks = new ArrayList<>(1);
        ChunkAppender appender = ChunkAppender.plain(UNBOUNDED, chunks::add);
        for (int i = from; i < to && chunks.isEmpty(); i++) {
            appender.append(0, times.get(i), values.get(i));
        }
        appender.cut();
        return chunks.getFirst();
    }

    /** A running total has no reset: its chunk says so in its header, unless it is of a gauge. */
    private static Chunk withoutReset(Chunk counter) {
        byte[] data = counter.copyData();
        if ((data[COUNTER_RESET_BYTE] & 0xC0) == 0) {
            data[COUNTER_RESET_BYTE] |= (byte) (ChunkDecoder.counterResetBits(CounterResetHint.NOT_RESET) << 6);
        }
        return Chunk.of(counter.minTime(), counter.maxTime(), counter.encoding(), data);
    }

    /** Windows of floats. The counter runs on from window to window. Reused, arrays of the last walk. */
    private static final class FloatWindows {
        int size;
        /** Ends of the windows. */
        long[] times = new long[256];
        double[] counts = new double[256];
        double[] sums = new double[256];
        double[] mins = new double[256];
        double[] maxs = new double[256];
        double[] counters = new double[256];

        void walk(SampleBuffer samples, int from, int to, long resolution) {
            size = 0;
            if (from == to) {
                return;
            }
            long[] t = samples.timestamps;
            double[] v = samples.values;
            long lastTime = t[to - 1];
            double last = v[from];
            double counter = last;
            int i = from;
            while (i < to) {
                long end = Math.min(windowEnd(t[i], resolution), lastTime);
                int begin = i;
                double sum = 0;
                double min = Double.MAX_VALUE;
                double max = -Double.MAX_VALUE;
                for (; i < to && t[i] <= end; i++) {
                    double x = v[i];
                    counter = i == from ? x : x < last ? counter + x : counter + (x - last);
                    last = x;
                    sum += x;
                    min = x < min ? x : min;
                    max = x > max ? x : max;
                }
                add(end, i - begin, sum, min, max, counter);
            }
        }

        private void add(long end, int count, double sum, double min, double max, double counter) {
            int n = size++;
            if (n == times.length) {
                times = Arrays.copyOf(times, 2 * n);
                counts = Arrays.copyOf(counts, 2 * n);
                sums = Arrays.copyOf(sums, 2 * n);
                mins = Arrays.copyOf(mins, 2 * n);
                maxs = Arrays.copyOf(maxs, 2 * n);
                counters = Arrays.copyOf(counters, 2 * n);
            }
            times[n] = end;
            counts[n] = count;
            sums[n] = sum;
            mins[n] = min;
            maxs[n] = max;
            counters[n] = counter;
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
            HistogramTotal.PlacesCache cache = new HistogramTotal.PlacesCache();
            HistogramTotal counter = new HistogramTotal(cache);
            HistogramTotal sum = new HistogramTotal(cache);
            HistogramTotal value = new HistogramTotal(cache);
            HistogramTotal before = new HistogramTotal(cache);
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

package io.varve.tools;

import io.varve.chunk.Chunk;
import io.varve.chunk.ChunkAppender;
import io.varve.model.InvalidRequestException;
import io.varve.model.Labels;
import io.varve.tsdb.BlockMeta;
import io.varve.tsdb.BlockWriter;
import io.varve.tsdb.Ulid;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.LongConsumer;
import java.util.random.RandomGenerator;

/**
 * Makes blocks of OpenMetrics text, one for each aligned span of time that has samples. The text is read once to count and once
 * for every batch of spans whose samples fit in memory together; a span whose samples do not is read once for every run of series that do.
 */
final class BlockCreation {
    private final Path text;
    private final Path directory;
    private final long spanMillis;
    private final long batchSamples;
    private final RandomGenerator random;
    private final LongConsumer progress;
    private int passes;
    /** After the first one. */
    private long passesLeft;

    /**
     * @param spanMillis length of a block's span
     * @param batchSamples samples that are held in memory at once, unless one series has more in a span
     * @param progress called with how much is done, of twice the size of the text
     */
    BlockCreation(Path text, Path directory, long spanMillis, long batchSamples, RandomGenerator random, LongConsumer progress) {
        this.text = text;
        this.directory = directory;
        this.spanMillis = spanMillis;
        this.batchSamples = batchSamples;
        this.random = random;
        this.progress = progress;
    }

    /** One series' samples in one span, sorted when they are written. */
    private static final class Run {
        static final long NONE = Long.MIN_VALUE;
        private long[] times = new long[4];
        private double[] values = new double[4];
        private int size;
        private boolean sorted = true;

        void add(long time, double value) {
            if (size == times.length) {
                times = Arrays.copyOf(times, size * 2);
                values = Arrays.copyOf(values, size * 2);
            }
            sorted &= size == 0 || times[size - 1] < time;
            times[size] = time;
            values[size++] = value;
        }

        /** Brings samples in order of time, equal ones once; gives the first time that has two values, {@link #NONE} otherwise. */
        long sort() {
            if (sorted) {
                return NONE;
            }
            Integer[] order = new Integer[size];
            Arrays.setAll(order, i -> i);
            Arrays.sort(order, (a, b) -> Long.compare(times[a], times[b]));
            long[] t = new long[size];
            double[] v = new double[size];
            int n = 0;
            for (int i : order) {
                if (n > 0 && t[n - 1] == times[i]) {
                    if (Double.doubleToRawLongBits(v[n - 1]) != Double.doubleToRawLongBits(values[i])) {
                        return times[i];
                    }
                    continue;
                }
                t[n] = times[i];
                v[n++] = values[i];
            }
            times = t;
            values = v;
            size = n;
            return NONE;
        }
    }

    List<BlockMeta> run() throws IOException {
        TreeMap<Long, Long> spans = new TreeMap<>();
        read((labels, time, value, line) -> spans.merge(Math.floorDiv(time, spanMillis), 1L, Long::sum));
        List<List<Long>> batches = new ArrayList<>();
        long samples = 0;
        for (Map.Entry<Long, Long> span : spans.entrySet()) {
            if (batches.isEmpty() || samples + span.getValue() > batchSamples) {
                batches.add(new ArrayList<>());
                samples = 0;
                passesLeft += span.getValue() > batchSamples ? 2 + (span.getValue() - 1) / batchSamples : 1;
            }
            batches.getLast().add(span.getKey());
            samples += span.getValue();
        }
        List<BlockMeta> out = new ArrayList<>();
        for (List<Long> batch : batches) {
            if (spans.getOrDefault(batch.getFirst(), 0L) > batchSamples) {
                out.add(large(batch.getFirst()));
            } else {
                write(batch, out);
            }
        }
        return out;
    }

    private void read(OpenMetricsReader.Sink sink) throws IOException {
        try (InputStream in = Files.newInputStream(text)) {
            OpenMetricsReader reader = new OpenMetricsReader(in, text.toString());
            long n = 0;
            while (reader.next(sink)) {
                if (++n % 10_000 == 0) {
                    progress.accept(done(reader.bytes()));
                }
            }
            progress.accept(done(reader.bytes()));
            passes++;
        }
    }

    /** The pass that counts is one half of the work, the others share the other. */
    private long done(long bytes) throws IOException {
        long size = Files.size(text);
        return passes == 0 ? bytes : size + Math.min(size, (long) (((passes - 1) * (double) size + bytes) / passesLeft));
    }

    private void write(List<Long> batch, List<BlockMeta> out) throws IOException {
        Map<Long, Map<Labels, Run>> spans = new HashMap<>();
        batch.forEach(s -> spans.put(s, new HashMap<>()));
        read((labels, time, value, line) -> {
            Map<Labels, Run> series = spans.get(Math.floorDiv(time, spanMillis));
            if (series != null) {
                series.computeIfAbsent(labels, l -> new Run()).add(time, value);
            }
        });
        for (long span : batch) {
            Map<Labels, Run> series = spans.remove(span);
            if (series != null) {
                out.add(block(writer -> add(writer, series)));
            }
        }
    }

    /** A span with more samples than fit: counts those of each series, and reads the text once for each run of series that fits. */
    private BlockMeta large(long span) throws IOException {
        TreeMap<Labels, Long> counts = new TreeMap<>();
        read((labels, time, value, line) -> {
            if (Math.floorDiv(time, spanMillis) == span) {
                counts.merge(labels, 1L, Long::sum);
            }
        });
        return block(writer -> {
            Map<Labels, Run> part = new HashMap<>();
            long samples = 0;
            for (Map.Entry<Labels, Long> e : counts.entrySet()) {
                if (!part.isEmpty() && samples + e.getValue() > batchSamples) {
                    collect(span, part);
                    add(writer, part);
                    part.clear();
                    samples = 0;
                }
                part.put(e.getKey(), new Run());
                samples += e.getValue();
            }
            collect(span, part);
            add(writer, part);
        });
    }

    private void collect(long span, Map<Labels, Run> into) throws IOException {
        read((labels, time, value, line) -> {
            Run run = Math.floorDiv(time, spanMillis) == span ? into.get(labels) : null;
            if (run != null) {
                run.add(time, value);
            }
        });
    }

    /** Where series come from, in label order. */
    private interface Content {
        void writeTo(BlockWriter writer) throws IOException;
    }

    private BlockMeta block(Content content) throws IOException {
        Ulid ulid = Ulid.of(System.currentTimeMillis(), random);
        try (BlockWriter writer = BlockWriter.create(directory, ulid)) {
            content.writeTo(writer);
            return writer.commit(
                    new BlockMeta(ulid, writer.minTime(), writer.maxTime() + 1, BlockMeta.Stats.EMPTY, BlockMeta.Compaction.fresh(ulid)));
        }
    }

    private void add(BlockWriter writer, Map<Labels, Run> series) throws IOException {
        for (Labels labels : series.keySet().stream().sorted().toList()) {
            Run run = series.get(labels);
            if (run == null) {
                continue;
            }
            long twice = run.sort();
            if (twice != Run.NONE) {
                throw twoValues(labels, twice);
            }
            List<Chunk> chunks = new ArrayList<>();
            ChunkAppender appender = ChunkAppender.plain(ChunkAppender.USUAL_SAMPLES, chunks::add);
            for (int i = 0; i < run.size; i++) {
                appender.append(run.times[i], run.values[i]);
            }
            appender.cut();
            writer.add(labels, chunks);
        }
    }

    /** Reads the text again for the lines that do not agree: line numbers of all samples would take as much memory as times do. */
    private InvalidRequestException twoValues(Labels labels, long time) throws IOException {
        List<Long> lines = new ArrayList<>();
        List<Double> values = new ArrayList<>();
        read((l, t, value, line) -> {
            if (t == time && l.equals(labels) && lines.size() < 2 && !values.contains(value)) {
                lines.add(line);
                values.add(value);
            }
        });
        return new InvalidRequestException(text + ": line " + lines.getLast() + ": series " + labels + " has another value at " + time
                + " ms in line " + lines.getFirst());
    }
}

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
 * for every batch of spans whose samples fit in memory together.
 */
final class BlockCreation {
    private final Path text;
    private final Path directory;
    private final long spanMillis;
    private final long batchSamples;
    private final RandomGenerator random;
    private final LongConsumer progress;
    private long bytesDone;

    /**
     * @param spanMillis length of a block's span
     * @param batchSamples samples that are held in memory at once, unless one span has more
     * @param progress called with the number of bytes read over all passes
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
        private long[] times = new long[16];
        private double[] values = new double[16];
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

        void sort(Labels labels) {
            if (sorted) {
                return;
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
                        throw new InvalidRequestException("series " + labels + " has two values at " + times[i] + " ms");
                    }
                    continue;
                }
                t[n] = times[i];
                v[n++] = values[i];
            }
            times = t;
            values = v;
            size = n;
        }
    }

    List<BlockMeta> run() throws IOException {
        TreeMap<Long, Long> spans = new TreeMap<>();
        read((labels, time, value, line) -> spans.merge(Math.floorDiv(time, spanMillis), 1L, Long::sum));
        List<BlockMeta> out = new ArrayList<>();
        List<Long> batch = new ArrayList<>();
        long samples = 0;
        for (Map.Entry<Long, Long> span : spans.entrySet()) {
            if (!batch.isEmpty() && samples + span.getValue() > batchSamples) {
                write(batch, out);
                batch.clear();
                samples = 0;
            }
            batch.add(span.getKey());
            samples += span.getValue();
        }
        if (!batch.isEmpty()) {
            write(batch, out);
        }
        return out;
    }

    private void read(OpenMetricsReader.Sink sink) throws IOException {
        try (InputStream in = Files.newInputStream(text)) {
            OpenMetricsReader reader = new OpenMetricsReader(in, text.toString());
            long before = bytesDone;
            long n = 0;
            while (reader.next(sink)) {
                if (++n % 10_000 == 0) {
                    progress.accept(before + reader.bytes());
                }
            }
            bytesDone = before + reader.bytes();
            progress.accept(bytesDone);
        }
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
                out.add(block(series));
            }
        }
    }

    private BlockMeta block(Map<Labels, Run> series) {
        Ulid ulid = Ulid.of(System.currentTimeMillis(), random);
        try (BlockWriter writer = BlockWriter.create(directory, ulid)) {
            for (Labels labels : series.keySet().stream().sorted().toList()) {
                Run run = series.get(labels);
                if (run == null) {
                    continue;
                }
                run.sort(labels);
                List<Chunk> chunks = new ArrayList<>();
                ChunkAppender appender = ChunkAppender.plain(ChunkAppender.USUAL_SAMPLES, chunks::add);
                for (int i = 0; i < run.size; i++) {
                    appender.append(run.times[i], run.values[i]);
                }
                appender.cut();
                writer.add(labels, chunks);
            }
            return writer.commit(
                    new BlockMeta(ulid, writer.minTime(), writer.maxTime() + 1, BlockMeta.Stats.EMPTY, BlockMeta.Compaction.fresh(ulid)));
        }
    }
}

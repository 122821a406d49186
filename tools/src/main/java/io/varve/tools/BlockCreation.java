package io.varve.tools;

import io.varve.chunk.Chunk;
import io.varve.chunk.ChunkAppender;
import io.varve.model.InvalidRequestException;
import io.varve.model.Labels;
import io.varve.tsdb.BlockMeta;
import io.varve.tsdb.BlockWriter;
import io.varve.tsdb.Durable;
import io.varve.tsdb.Ulid;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongConsumer;
import java.util.random.RandomGenerator;

/**
 * Makes blocks of OpenMetrics text, one for each aligned span of time that has samples. The text is read once, its samples go to a
 * {@link SampleSpool}; then the series are sorted, and the samples of each span are read from there, as many series at a time as fit. Memory holds
 * the labels of all series and so many samples. All blocks appear in the directory together, when the last one is complete: a text that fails late
 * leaves none, so that it can be mended and given again.
 */
final class BlockCreation {
    /** What the progress rises to. */
    static final long PROGRESS_TOTAL = 1000;
    /** What of it is due to the text. */
    private static final long PROGRESS_TEXT = 750;
    private static final long NONE = Long.MIN_VALUE;

    private final Path text;
    private final String name;
    private final Map<String, String> labels;
    private final Path directory;
    private final long spanMillis;
    private final int batchSamples;
    private final RandomGenerator random;
    private final LongConsumer progress;
    private long written;

    /**
     * @param name what errors call the text
     * @param labels what every series gets, instead of its own labels of these names; an empty value takes the label away
     * @param spanMillis length of a block's span
     * @param batchSamples samples that are held in memory at once, unless one series has more in a span
     * @param progress called with how much is done, of {@link #PROGRESS_TOTAL}
     */
    BlockCreation(Path text, String name, Map<String, String> labels, Path directory, long spanMillis, int batchSamples,
            RandomGenerator random, LongConsumer progress) {
        this.text = text;
        this.name = name;
        this.labels = labels;
        this.directory = directory;
        this.spanMillis = spanMillis;
        this.batchSamples = batchSamples;
        this.random = random;
        this.progress = progress;
    }

    List<BlockMeta> run() throws IOException {
        // What a killed process leaves under such a name Prometheus removes when it starts.
        Path staging = directory.resolve(ulid() + BlockWriter.UNFINISHED);
        Files.createDirectories(staging);
        try (SampleSpool spool = new SampleSpool(staging, batchSamples)) {
            Labels[] series = spool(spool);
            List<BlockMeta> made = new ArrayList<>();
            for (long span : spool.spans()) {
                made.add(block(spool, span, series, staging));
            }
            publish(made, staging);
            progress.accept(PROGRESS_TOTAL);
            return made;
        } finally {
            Durable.deleteTree(staging);
        }
    }

    private Ulid ulid() {
        return Ulid.of(System.currentTimeMillis(), random);
    }

    private void publish(List<BlockMeta> made, Path staging) throws IOException {
        for (BlockMeta m : made) {
            String block = m.ulid().toString();
            Files.move(staging.resolve(block), directory.resolve(block), StandardCopyOption.ATOMIC_MOVE);
        }
        Durable.syncDirectory(directory);
    }

    /** Reads the text into the spool; gives the series in label order. */
    private Labels[] spool(SampleSpool spool) throws IOException {
        Map<Labels, Integer> ids = new HashMap<>();
        long size = Math.max(1, Files.size(text));
        try (InputStream in = Files.newInputStream(text)) {
            OpenMetricsReader reader = new OpenMetricsReader(in, name, labels);
            long n = 0;
            while (reader.next((identity, time, value, line) -> {
                Integer id = ids.get(identity);
                if (id == null) {
                    id = ids.size();
                    ids.put(identity, id);
                }
                spool.add(Math.floorDiv(time, spanMillis), id, time, value);
            })) {
                if (++n % 10_000 == 0) {
                    progress.accept(PROGRESS_TEXT * Math.min(size, reader.bytes()) / size);
                }
            }
        }
        Labels[] series = ids.keySet().toArray(Labels[]::new);
        Arrays.sort(series);
        int[] ranks = new int[series.length];
        for (int i = 0; i < series.length; i++) {
            ranks[ids.getOrDefault(series[i], 0)] = i;
        }
        spool.finish(ranks);
        return series;
    }

    private BlockMeta block(SampleSpool spool, long span, Labels[] series, Path staging) throws IOException {
        Ulid ulid = ulid();
        try (BlockWriter writer = BlockWriter.create(staging, ulid)) {
            int[] counts = new int[series.length];
            spool.read(span, (rank, time, value) -> counts[rank]++);
            int from = 0;
            while (from < series.length) {
                long samples = 0;
                int to = from;
                while (to < series.length && (samples == 0 || samples + counts[to] <= batchSamples)) {
                    samples += counts[to++];
                }
                if (samples > 0) {
                    write(spool, span, series, counts, from, to, writer);
                }
                from = to;
            }
            return writer.commit(
                    new BlockMeta(ulid, writer.minTime(), writer.maxTime() + 1, BlockMeta.Stats.EMPTY, BlockMeta.Compaction.fresh(ulid)));
        }
    }

    /** Writes the samples that the series {@code [from, to)} have in a span. */
    private void write(SampleSpool spool, long span, Labels[] series, int[] counts, int from, int to, BlockWriter writer)
            throws IOException {
        int[] ends = new int[to - from];
        int n = 0;
        for (int i = from; i < to; i++) {
            ends[i - from] = n;
            n = Math.addExact(n, counts[i]);
        }
        long[] times = new long[n];
        double[] values = new double[n];
        spool.read(span, (rank, time, value) -> {
            if (rank >= from && rank < to) {
                int at = ends[rank - from]++;
                times[at] = time;
                values[at] = value;
            }
        });
        List<Chunk> chunks = new ArrayList<>();
        ChunkAppender appender = ChunkAppender.plain(ChunkAppender.USUAL_SAMPLES, chunks::add);
        int start = 0;
        for (int i = from; i < to; i++) {
            int end = ends[i - from];
            if (end > start) {
                int size = sort(times, values, start, end, series[i]);
                appender.append(times, values, start, start + size);
                appender.cut();
                writer.add(series[i], List.copyOf(chunks));
                chunks.clear();
            }
            start = end;
            if (i % 1000 == 0) {
                progress.accept(PROGRESS_TEXT + (PROGRESS_TOTAL - PROGRESS_TEXT) * (written + end) / spool.size());
            }
        }
        written += n;
    }

    /** Brings samples in order of time, equal ones once; gives how many are left from {@code from}. */
    private int sort(long[] times, double[] values, int from, int to, Labels identity) throws IOException {
        boolean sorted = true;
        for (int i = from + 1; i < to; i++) {
            sorted &= times[i - 1] < times[i];
        }
        if (sorted) {
            return to - from;
        }
        Integer[] order = new Integer[to - from];
        Arrays.setAll(order, i -> from + i);
        Arrays.sort(order, (a, b) -> Long.compare(times[a], times[b]));
        long[] t = new long[order.length];
        double[] v = new double[order.length];
        int n = 0;
        for (int i : order) {
            if (n > 0 && t[n - 1] == times[i]) {
                if (Double.doubleToRawLongBits(v[n - 1]) != Double.doubleToRawLongBits(values[i])) {
                    throw twoValues(identity, times[i]);
                }
                continue;
            }
            t[n] = times[i];
            v[n++] = values[i];
        }
        System.arraycopy(t, 0, times, from, n);
        System.arraycopy(v, 0, values, from, n);
        return n;
    }

    /** Reads the text again for the lines that do not agree: line numbers of all samples would take as much memory as times do. */
    private InvalidRequestException twoValues(Labels identity, long time) throws IOException {
        List<Long> lines = new ArrayList<>();
        List<Double> values = new ArrayList<>();
        try (InputStream in = Files.newInputStream(text)) {
            OpenMetricsReader reader = new OpenMetricsReader(in, name, labels);
            boolean more = true;
            while (more && lines.size() < 2) {
                more = reader.next((l, t, value, line) -> {
                    if (t == time && l.equals(identity) && !values.contains(value)) {
                        lines.add(line);
                        values.add(value);
                    }
                });
            }
        }
        return new InvalidRequestException(name + ": line " + lines.getLast() + ": series " + identity + " has another value at " + time
                + " ms in line " + lines.getFirst());
    }
}

package io.varve.benchmarks;

import io.varve.chunk.Chunk;
import io.varve.chunk.ChunkAppender;
import io.varve.model.Labels;
import io.varve.tsdb.BlockMeta;
import io.varve.tsdb.BlockWriter;
import io.varve.tsdb.Ulid;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.SplittableRandom;

/**
 * Blocks of pods as a cluster has them: per pod request counters, a classic histogram, gauges of its container and process, {@code up} and
 * what a runtime exposes; {@value #PER_POD} series each, the same for the same arguments.
 */
final class StackData {
    /** Series of a pod. */
    static final int PER_POD = 200;
    /** Pods of a job. */
    static final int PER_JOB = 20;
    /** Length of a large block. */
    static final long LARGE = 14L * 24 * 3_600_000;
    /** Where the long history begins, aligned to large blocks. */
    static final long BEGIN = 1400 * LARGE;
    /** Large blocks in a year. */
    static final int YEAR = 26;
    /** Length of a small block. */
    static final long SMALL = 2L * 3_600_000;
    /** Where the last day begins. */
    static final long LAST_DAY = BEGIN + YEAR * LARGE;
    private static final List<String> BOUNDS = List.of("0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "+Inf");

    private StackData() {
    }

    /** Writes one block of {@code pods} pods into a bucket's directory, a sample of each series every {@code interval} milliseconds. */
    static void write(Path bucket, String cluster, int pods, int perPod, long from, long to, long interval) throws IOException {
        Files.createDirectories(bucket);
        List<Labels> labels = new ArrayList<>();
        for (int p = 0; p < pods; p++) {
            List<Labels> pod = pod(p);
            // Every so manyth: a bit of everything.
            for (int i = 0; i < perPod; i++) {
                labels.add(pod.get(i * PER_POD / perPod));
            }
        }
        labels.sort(Comparator.naturalOrder());
        Ulid id = Ulid.of(from, new SplittableRandom(from + cluster.hashCode()));
        try (BlockWriter writer = BlockWriter.create(bucket, id)) {
            int number = 0;
            for (Labels l : labels) {
                List<Chunk> chunks = new ArrayList<>();
                ChunkAppender appender = ChunkAppender.plain(120, chunks::add);
                samples(l, number++, from, to, interval, appender);
                appender.cut();
                writer.add(l, chunks);
            }
            writer.commit(new BlockMeta(id, from, to, BlockMeta.Stats.EMPTY, BlockMeta.Compaction.fresh(id))
                    .withThanos(BlockMeta.Thanos.of(Labels.of("cluster", cluster, "replica", "0"), 0, "sidecar")));
        }
    }

    private static List<Labels> pod(int p) {
        String pod = String.format("pod-%04d", p);
        String job = "app-" + p / PER_JOB;
        String namespace = "ns-" + p / PER_JOB % 10;
        List<Labels> out = new ArrayList<>();
        for (int h = 0; h < 5; h++) {
            String handler = "/h" + h;
            for (String code : List.of("200", "204", "404", "500")) {
                out.add(Labels.of("__name__", "http_requests_total", "code", code, "handler", handler, "job", job, "namespace", namespace,
                        "pod", pod));
            }
            for (String le : BOUNDS) {
                out.add(Labels.of("__name__", "http_request_duration_seconds_bucket", "handler", handler, "job", job, "le", le, "namespace",
                        namespace, "pod", pod));
            }
            for (String part : List.of("sum", "count")) {
                out.add(Labels.of("__name__", "http_request_duration_seconds_" + part, "handler", handler, "job", job, "namespace",
                        namespace, "pod", pod));
            }
        }
        for (String name : List.of("up", "process_cpu_seconds_total", "process_open_fds", "container_memory_working_set_bytes")) {
            out.add(Labels.of("__name__", name, "job", job, "namespace", namespace, "pod", pod));
        }
        for (int i = out.size(); i < PER_POD; i++) {
            out.add(Labels.of("__name__", String.format("runtime_metric_%03d", i), "job", job, "namespace", namespace, "pod", pod));
        }
        return out;
    }

    private static void samples(Labels l, int number, long from, long to, long interval, ChunkAppender appender) {
        SplittableRandom random = new SplittableRandom(number);
        String name = l.metricName();
        boolean isCounter = name.endsWith("_total") || name.endsWith("_bucket") || name.endsWith("_count") || name.endsWith("_sum");
        boolean isUp = name.equals("up");
        double value = isUp ? 1 : random.nextInt(1000);
        // Targets are scraped at instants of their own, a few milliseconds early or late.
        long offset = random.nextLong(interval - 20);
        for (long t = from + offset; t < to; t += interval) {
            appender.append(t + random.nextInt(20), value);
            if (isCounter) {
                value += random.nextInt(1 + number % 17);
            } else if (!isUp) {
                value += random.nextInt(21) - 10;
            }
        }
    }
}

package io.varve.benchmarks;

import io.varve.chunk.Chunk;
import io.varve.chunk.ChunkAppender;
import io.varve.model.CounterResetHint;
import io.varve.model.FloatHistogram;
import io.varve.model.Histogram;
import io.varve.model.Labels;
import io.varve.model.Span;
import io.varve.tsdb.BlockMeta;
import io.varve.tsdb.BlockWriter;
import io.varve.tsdb.Ulid;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * Whole queries over HTTP, a querier and a store gateway beside a Prometheus over the same block, in turns in one run.
 *
 * <pre>
 * PromqlComparison --varve=dist/target/varve/bin/varve [--prometheus=/usr/bin/prometheus] [--hours=6] [--step=30] [--rounds=5]
 *                  [--warm=0] [--only=TEXT]
 * </pre>
 *
 * With {@code --warm}, each query is asked of varve so many times before the rounds begin: a process that has run for a while, as Prometheus,
 * which compiles nothing while it runs, always is. It prints for each query the best time of either, their ratio, and varve's nanoseconds per sample that the query reads.
 */
public final class PromqlComparison {
    private static final long INTERVAL = 30_000;
    private static final long START = 1_700_006_400_000L;
    private static final int PODS = 1000;

    private final HttpClient http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    private final Processes processes;
    private final Path directory;

    private PromqlComparison(Path directory) {
        this.directory = directory;
        this.processes = new Processes(directory, http);
    }

    private static String option(String[] args, String name, String otherwise) {
        for (String a : args) {
            if (a.startsWith("--" + name + "=")) {
                return a.substring(name.length() + 3);
            }
        }
        return otherwise;
    }

    /** Runs it. */
    public static void main(String[] args) throws IOException, InterruptedException {
        int hours = Integer.parseInt(option(args, "hours", "6"));
        int step = Integer.parseInt(option(args, "step", "30"));
        int rounds = Integer.parseInt(option(args, "rounds", "5"));
        int warm = Integer.parseInt(option(args, "warm", "0"));
        String only = option(args, "only", "");
        Path directory = Files.createTempDirectory("varve-comparison-");
        PromqlComparison c = new PromqlComparison(directory);
        try {
            c.write(hours);
            String prometheus = c.startPrometheus(option(args, "prometheus", "/usr/bin/prometheus"));
            String varve = c.startVarve(option(args, "varve", "dist/target/varve/bin/varve"));
            System.out.printf("%d h at a step of %d s, best of %d in turns%n%-92s %10s %10s %7s %9s%n", hours, step, rounds, "query",
                    "Prometheus", "varve", "ratio", "ns/sample");
            for (Case q : cases(hours)) {
                if (q.text.contains(only)) {
                    for (int i = 0; i < warm; i++) {
                        c.time(varve, q.text, hours, step, new int[1]);
                    }
                    c.compare(q, prometheus, varve, hours, step, rounds);
                }
            }
        } finally {
            c.processes.close();
            Processes.delete(directory);
        }
    }

    /** A query and how many series it reads. */
    private record Case(String text, int series) {
    }

    private static List<Case> cases(int hours) {
        List<Case> out = new ArrayList<>();
        int all = 3 * PODS;
        for (String q : List.of("http_requests_total", "sum(http_requests_total)", "sum by (pod) (http_requests_total)",
                "rate(http_requests_total[5m])", "sum(rate(http_requests_total[5m]))", "sum by (pod) (rate(http_requests_total[5m]))",
                "sum(rate(http_requests_total[1d]))", "topk(5, http_requests_total)", "quantile(0.9, http_requests_total)",
                "count_values(\"v\", http_requests_total % 10)", "label_replace(http_requests_total, \"x\", \"$1\", \"pod\", \"pod-(.*)\")",
                "sum(sum_over_time(http_requests_total[1h]))", "sum(max_over_time(http_requests_total[1h]))",
                "sum(stddev_over_time(http_requests_total[1h]))", "sum(quantile_over_time(0.9, http_requests_total[1h]))",
                "sum(deriv(http_requests_total[1h]))", "sum(max_over_time(rate(http_requests_total[5m])[10m:1m]))")) {
            out.add(new Case(q, all));
        }
        out.add(new Case("http_requests_total * on (pod) group_left () pod_info", all + PODS));
        out.add(new Case("sum by (pod) (rate(http_requests_total[5m])) / sum by (pod) (http_requests_total)", 2 * all));
        out.add(new Case("histogram_quantile(0.9, sum by (le) (rate(request_seconds_bucket[5m])))", 2000));
        out.add(new Case("histogram_quantile(0.9, rate(request_seconds_bucket[5m]))", 2000));
        out.add(new Case("sum(rate(request_latency[5m]))", 200));
        if (hours <= 6) {
            out.add(new Case("histogram_quantile(0.9, sum(rate(request_latency[5m])))", 200));
        }
        return out;
    }

    private void write(int hours) throws IOException {
        int samples = (int) (hours * 3_600_000L / INTERVAL) + 1;
        List<Labels> labels = new ArrayList<>();
        for (int p = 0; p < PODS; p++) {
            String pod = String.format("pod-%04d", p);
            labels.add(Labels.of("__name__", "pod_info", "pod", pod, "node", "node-" + p % 20));
            for (int c = 0; c < 3; c++) {
                labels.add(Labels.of("__name__", "http_requests_total", "container", "c" + c, "pod", pod));
            }
            if (p < 200) {
                labels.add(Labels.of("__name__", "request_latency", "pod", pod));
                for (String le : List.of("0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "+Inf")) {
                    labels.add(Labels.of("__name__", "request_seconds_bucket", "le", le, "pod", pod));
                }
            }
        }
        labels.sort(Comparator.naturalOrder());
        Path bucket = directory.resolve("bucket");
        Files.createDirectories(bucket);
        Ulid ulid = new Ulid(START, 0);
        try (BlockWriter writer = BlockWriter.create(bucket, ulid)) {
            int number = 0;
            for (Labels l : labels) {
                List<Chunk> chunks = new ArrayList<>();
                ChunkAppender appender = ChunkAppender.plain(120, chunks::add);
                samples(l, number++, samples, appender);
                appender.cut();
                writer.add(l, chunks);
            }
            long end = START + (samples - 1L) * INTERVAL + 1;
            writer.commit(new BlockMeta(ulid, START, end, BlockMeta.Stats.EMPTY, BlockMeta.Compaction.fresh(ulid))
                    .withThanos(BlockMeta.Thanos.of(Labels.of("cluster", "a"), 0, "sidecar")));
        }
        Path copy = directory.resolve("prometheus");
        try (Stream<Path> walk = Files.walk(bucket)) {
            for (Path p : walk.toList()) {
                Path to = copy.resolve(bucket.relativize(p));
                if (Files.isDirectory(p)) {
                    Files.createDirectories(to);
                } else {
                    Files.createLink(to, p);
                }
            }
        }
    }

    private static void samples(Labels l, int number, int samples, ChunkAppender appender) {
        SplittableRandom random = new SplittableRandom(number);
        String name = l.metricName();
        double v = random.nextInt(1000);
        long[] buckets = new long[8];
        for (int i = 0; i < samples; i++) {
            long t = START + i * INTERVAL;
            switch (name) {
                case "pod_info" -> appender.append(t, 1);
                case "request_latency" -> {
                    long count = 0;
                    for (int b = 0; b < buckets.length; b++) {
                        buckets[b] += random.nextInt(10);
                        count += buckets[b];
                    }
                    long[] deltas = new long[buckets.length];
                    for (int b = 0; b < buckets.length; b++) {
                        deltas[b] = buckets[b] - (b == 0 ? 0 : buckets[b - 1]);
                    }
                    appender.append(0, t, new Histogram(CounterResetHint.UNKNOWN, 1, 0.001, 0, count, count * 0.3,
                            List.of(new Span(-3, deltas.length)), deltas, List.of(), new long[0], FloatHistogram.NO_BUCKETS));
                }
                default -> {
                    appender.append(t, v);
                    v += 1 + number % 17;
                }
            }
        }
    }

    private String startPrometheus(String binary) throws IOException, InterruptedException {
        Path config = directory.resolve("prometheus.yml");
        Files.writeString(config, "");
        int port = Processes.freePort();
        String url = "http://127.0.0.1:" + port;
        processes.startServer("prometheus",
                List.of(binary, "--config.file=" + config, "--storage.tsdb.path=" + directory.resolve("prometheus"),
                        "--storage.tsdb.retention.time=100y", "--web.listen-address=127.0.0.1:" + port,
                        "--enable-feature=native-histograms",
                        "--query.max-samples=1000000000"),
                url);
        return url;
    }

    private String startVarve(String binary) throws IOException, InterruptedException {
        Path config = directory.resolve("bucket.yml");
        Files.writeString(config, "type: FILESYSTEM\nconfig:\n  directory: " + directory.resolve("bucket") + "\n");
        int grpc = Processes.freePort();
        int http = Processes.freePort();
        processes.startServer("store",
                List.of(binary, "store", "--data-dir=" + directory.resolve("store"), "--objstore.config-file=" + config,
                        "--grpc-address=127.0.0.1:" + grpc, "--http-address=127.0.0.1:" + http),
                "http://127.0.0.1:" + http);
        int queryHttp = Processes.freePort();
        String url = "http://127.0.0.1:" + queryHttp;
        processes.startServer("query", List.of(binary, "query", "--endpoint=127.0.0.1:" + grpc,
                "--grpc-address=127.0.0.1:" + Processes.freePort(), "--http-address=127.0.0.1:" + queryHttp), url);
        for (int i = 0; i < 100 && !processes.get(url + "/api/v1/stores").contains("cluster"); i++) {
            TimeUnit.MILLISECONDS.sleep(200);
        }
        return url;
    }

    /** Nanoseconds that an answer takes; how many series it has goes to {@code found}. */
    private long time(String url, String query, int hours, int step, int[] found) throws IOException, InterruptedException {
        String address = url + "/api/v1/query_range?query=" + URLEncoder.encode(query, StandardCharsets.UTF_8) + "&start="
                + START / 1000 + "&end=" + (START / 1000 + hours * 3600L) + "&step=" + step;
        long begin = System.nanoTime();
        byte[] body = http.send(HttpRequest.newBuilder(URI.create(address)).timeout(Duration.ofMinutes(2)).build(),
                HttpResponse.BodyHandlers.ofByteArray()).body();
        long nanos = System.nanoTime() - begin;
        byte[] word = "\"metric\"".getBytes(StandardCharsets.US_ASCII);
        int n = 0;
        for (int i = 0; i + word.length <= body.length; i++) {
            if (body[i] == '"' && Arrays.equals(body, i, i + word.length, word, 0, word.length)) {
                n++;
            }
        }
        found[0] = n;
        return nanos;
    }

    private void compare(Case q, String prometheus, String varve, int hours, int step, int rounds)
            throws IOException, InterruptedException {
        long theirs = Long.MAX_VALUE;
        long ours = Long.MAX_VALUE;
        int[] a = new int[1];
        int[] b = new int[1];
        for (int i = 0; i < rounds; i++) {
            theirs = Math.min(theirs, time(prometheus, q.text, hours, step, a));
            ours = Math.min(ours, time(varve, q.text, hours, step, b));
        }
        double samples = q.series * (hours * 3_600_000.0 / INTERVAL + 1);
        System.out.printf("%-92s %7.1f ms %7.1f ms %7.2f %9.1f%s%n", q.text, theirs / 1e6, ours / 1e6, (double) theirs / ours,
                ours / samples, a[0] == b[0] ? "" : "   DIFFERENT: " + a[0] + " and " + b[0] + " series");
    }
}

package io.varve.benchmarks;

import java.io.IOException;
import java.io.InputStream;
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
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * Store gateways and a querier as whole processes, varve alone or beside a Thanos, over the same blocks and in turns.
 *
 * <pre>
 * StackComparison --system=NAME=BINARY [--system=NAME=BINARY ...] --work=DIR [--scenario=dashboards|latency] [--users=10] [--rounds=5]
 *                 [--latency=0,10,50] [--only=TEXT]
 * </pre>
 *
 * {@code dashboards}: three clusters of 100,000 series, a store gateway each, one querier; so many users open a dashboard of 20 requests over the last hour at
 * once, a round each system. {@code latency}: a year of large blocks with downsampled copies and a last day of small ones behind an S3 endpoint
 * that answers late; each question to fresh processes that have nothing on disk (cold), then twice again (warm).
 * <p>
 * Data are written to {@code --work} and found there again. Printed are wall time and time to the first byte of the body, processor seconds and
 * peak resident memory of store gateways and querier, requests and bytes of the endpoint. Answers of systems are compared by their number of series.
 */
public final class StackComparison {
    private static final int CLUSTERS = 3;
    private static final int PODS = 500;
    /** Of the long history: pods, and series of each. */
    private static final int FEW_PODS = 60;
    private static final int FEW_SERIES = 50;
    private static final int YEAR_PODS = 10;
    private static final int YEAR_SERIES = 20;

    private final HttpClient http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    private final Path work;
    private final Map<String, String> systems = new LinkedHashMap<>();
    private final int users;
    private final int rounds;
    private final List<Long> latencies = new ArrayList<>();
    private final List<String> scenarios = new ArrayList<>();
    private final String only;

    private StackComparison(String[] args) {
        Path directory = null;
        int u = 10;
        int r = 5;
        String text = "";
        String late = "0,10,50";
        for (String arg : args) {
            int eq = arg.indexOf('=');
            String value = arg.substring(eq + 1);
            switch (eq < 0 ? arg : arg.substring(0, eq)) {
                case "--system" -> systems.put(value.substring(0, value.indexOf('=')), value.substring(value.indexOf('=') + 1));
                case "--work" -> directory = Path.of(value).toAbsolutePath();
                case "--users" -> u = Integer.parseInt(value);
                case "--rounds" -> r = Integer.parseInt(value);
                case "--latency" -> late = value;
                case "--only" -> text = value;
                case "--scenario" -> scenarios.add(value);
                default -> throw new IllegalArgumentException("unexpected argument " + arg);
            }
        }
        if (directory == null || systems.isEmpty()) {
            throw new IllegalArgumentException("--work=DIR and --system=NAME=BINARY are needed");
        }
        work = directory;
        users = u;
        rounds = r;
        only = text;
        for (String l : late.split(",")) {
            latencies.add(Long.parseLong(l));
        }
    }

    /** Runs it. */
    public static void main(String[] args) throws Exception {
        StackComparison c = new StackComparison(args);
        for (String s : c.scenarios.isEmpty() ? List.of("dashboards", "latency") : c.scenarios) {
            switch (s) {
                case "dashboards" -> c.dashboards();
                case "latency" -> c.latency();
                default -> throw new IllegalArgumentException("unknown scenario " + s);
            }
        }
    }

    /** An answer: when its first and its last byte came, and how many series it has. */
    private record Answer(double firstSeconds, double seconds, long series) {
    }

    /** A system's processes. */
    private final class Stack implements AutoCloseable {
        final Processes processes;
        final List<Process> stores = new ArrayList<>();
        final Process querier;
        final String url;
        final Path directory;

        /** One store gateway for each configuration, all behind one querier. */
        Stack(String name, String binary, List<String> configs) throws IOException, InterruptedException {
            directory = Files.createTempDirectory(work, name + "-");
            processes = new Processes(directory, http);
            List<String> query = new ArrayList<>(List.of(binary, "query", "--query.replica-label=replica"));
            for (String config : configs) {
                int n = stores.size();
                int grpc = Processes.freePort();
                int port = Processes.freePort();
                stores.add(processes.startServer("store" + n, List.of(binary, "store", "--data-dir=" + directory.resolve("data" + n),
                        "--objstore.config=" + config, "--grpc-address=127.0.0.1:" + grpc, "--http-address=127.0.0.1:" + port),
                        "http://127.0.0.1:" + port));
                query.add("--endpoint=127.0.0.1:" + grpc);
            }
            int port = Processes.freePort();
            query.addAll(List.of("--grpc-address=127.0.0.1:" + Processes.freePort(), "--http-address=127.0.0.1:" + port));
            url = "http://127.0.0.1:" + port;
            querier = processes.startServer("query", query, url);
            for (int i = 0; i < 200 && !processes.get(url + "/api/v1/label/cluster/values").contains("c" + (configs.size() - 1)); i++) {
                Thread.sleep(100);
            }
        }

        double cpuOfStores() throws IOException {
            double sum = 0;
            for (Process p : stores) {
                sum += Processes.cpuSeconds(p);
            }
            return sum;
        }

        double cpuOfQuerier() throws IOException {
            return Processes.cpuSeconds(querier);
        }

        void forgetPeaks() throws IOException {
            Processes.forgetPeak(querier);
            for (Process p : stores) {
                Processes.forgetPeak(p);
            }
        }

        /** The largest peak of a store gateway, and the querier's. */
        String peaks() throws IOException {
            long most = 0;
            for (Process p : stores) {
                most = Math.max(most, Processes.peakBytes(p));
            }
            return (most >> 20) + " + " + (Processes.peakBytes(querier) >> 20);
        }

        Answer ask(String path) throws IOException, InterruptedException {
            long begin = System.nanoTime();
            HttpResponse<InputStream> r = http.send(HttpRequest.newBuilder(URI.create(url + path)).timeout(Duration.ofMinutes(5)).build(),
                    HttpResponse.BodyHandlers.ofInputStream());
            try (InputStream in = r.body()) {
                int first = in.read();
                double firstSeconds = (System.nanoTime() - begin) / 1e9;
                String body = (char) first + new String(in.readAllBytes(), StandardCharsets.UTF_8);
                double seconds = (System.nanoTime() - begin) / 1e9;
                if (r.statusCode() != 200) {
                    throw new IOException(path + " is answered with " + r.statusCode() + ": " + body);
                }
                return new Answer(firstSeconds, seconds, body.split("\"metric\"", -1).length - 1L);
            }
        }

        @Override
        public void close() throws IOException {
            processes.close();
            Processes.delete(directory);
        }
    }

    private static String encoded(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8);
    }

    private static String range(String query, long seconds, long step, long end) {
        return "/api/v1/query_range?query=" + encoded(query) + "&start=" + (end / 1000 - seconds) + "&end=" + end / 1000 + "&step=" + step;
    }

    private static String instant(String query, long end) {
        return "/api/v1/query?query=" + encoded(query) + "&time=" + end / 1000;
    }

    /** The 20 requests of one job's dashboard over the hour before {@code end}. */
    private static List<String> dashboard(int job, long end) {
        String own = "job=\"app-" + job + "\"";
        String ns = "namespace=\"ns-" + job % 10 + "\"";
        String errors = "sum(rate(http_requests_total{" + own + ",code=~\"4..|5..\"}[5m]))";
        String all = "sum(rate(http_requests_total{" + own + "}[5m]))";
        String buckets = "sum by (le) (rate(http_request_duration_seconds_bucket{" + own + "}[5m]))";
        List<String> out = new ArrayList<>();
        for (String q : List.of("up{" + own + "}", "sum by (job) (up)", "sum by (code) (rate(http_requests_total{" + own + "}[5m]))",
                "sum by (handler) (rate(http_requests_total{" + own + "}[5m]))", "histogram_quantile(0.99, " + buckets + ")",
                "histogram_quantile(0.5, " + buckets + ")", errors + " / " + all,
                "sum by (pod) (container_memory_working_set_bytes{" + ns + "})",
                "topk(5, sum by (pod) (rate(process_cpu_seconds_total[5m])))", "avg by (namespace) (runtime_metric_150)",
                "max_over_time(runtime_metric_151{pod=\"pod-" + String.format("%04d", job * StackData.PER_JOB) + "\"}[10m])",
                "sum(rate(http_request_duration_seconds_sum{" + own + "}[5m])) / sum(rate(http_request_duration_seconds_count{" + own
                        + "}[5m]))",
                "process_open_fds{" + own + "}", "sum by (cluster) (rate(http_requests_total{" + ns + "}[5m]))",
                "absent(up{job=\"none\"})")) {
            out.add(range(q, 3600, 15, end));
        }
        out.add(instant("count by (cluster) (up)", end));
        out.add(instant("count({" + own + "})", end));
        out.add(instant("sum(rate(http_requests_total[5m]))", end));
        out.add("/api/v1/label/pod/values?start=" + (end / 1000 - 3600) + "&end=" + end / 1000);
        out.add("/api/v1/series?match[]=" + encoded("up{" + own + "}") + "&start=" + (end / 1000 - 3600) + "&end=" + end / 1000);
        return out;
    }

    private void dashboards() throws Exception {
        long from = StackData.LAST_DAY;
        long end = from + StackData.SMALL - 60_000;
        List<String> configs = new ArrayList<>();
        for (int c = 0; c < CLUSTERS; c++) {
            Path bucket = work.resolve("wide").resolve("c" + c);
            if (!Files.exists(bucket)) {
                System.out.printf("writing %,d series to %s%n", PODS * StackData.PER_POD, bucket);
                StackData.write(bucket, "c" + c, PODS, StackData.PER_POD, from, from + StackData.SMALL, 30_000);
            }
            configs.add("type: FILESYSTEM\nconfig:\n  directory: " + bucket + "\n");
        }
        List<Stack> stacks = new ArrayList<>();
        try (ExecutorService threads = Executors.newFixedThreadPool(users)) {
            for (Map.Entry<String, String> s : systems.entrySet()) {
                stacks.add(new Stack(s.getKey(), s.getValue(), configs));
            }
            System.out.printf("%d stores of %,d series, %d users with a dashboard of %d requests each%n", CLUSTERS,
                    PODS * StackData.PER_POD, users, dashboard(0, end).size());
            System.out.printf("%5s %-10s %10s %12s %12s %12s %22s %22s%n", "round", "system", "requests/s", "median ms", "95 % ms",
                    "first byte", "CPU s stores + query", "peak MB store + query");
            for (int round = 0; round < rounds; round++) {
                List<List<Long>> found = new ArrayList<>();
                int n = 0;
                for (String name : systems.keySet()) {
                    found.add(round(name, stacks.get(n++), threads, round, end));
                }
                for (List<Long> f : found) {
                    if (!f.equals(found.getFirst())) {
                        System.out.println("DIFFERENT: " + found.getFirst() + " and " + f);
                    }
                }
            }
        } finally {
            for (Stack s : stacks) {
                s.close();
            }
        }
    }

    /** All users open a dashboard at once. How many series the answers have. */
    private List<Long> round(String name, Stack stack, ExecutorService threads, int round, long end)
            throws IOException, InterruptedException, ExecutionException {
        stack.forgetPeaks();
        double stores = stack.cpuOfStores();
        double querier = stack.cpuOfQuerier();
        long begin = System.nanoTime();
        List<Callable<List<Answer>>> tasks = new ArrayList<>();
        for (int u = 0; u < users; u++) {
            List<String> requests = dashboard((round * users + u) % (PODS / StackData.PER_JOB), end - round * 60_000L);
            tasks.add(() -> {
                List<Answer> answers = new ArrayList<>();
                for (String r : requests) {
                    answers.add(stack.ask(r));
                }
                return answers;
            });
        }
        List<Answer> answers = new ArrayList<>();
        for (Future<List<Answer>> f : threads.invokeAll(tasks)) {
            answers.addAll(f.get());
        }
        double seconds = (System.nanoTime() - begin) / 1e9;
        double[] totals = answers.stream().mapToDouble(Answer::seconds).sorted().toArray();
        double[] firsts = answers.stream().mapToDouble(Answer::firstSeconds).sorted().toArray();
        System.out.printf("%5d %-10s %10.1f %12.1f %12.1f %12.1f %22s %22s%n", round, name, answers.size() / seconds,
                1000 * totals[totals.length / 2], 1000 * totals[totals.length * 95 / 100], 1000 * firsts[firsts.length / 2],
                String.format("%.2f + %.2f", stack.cpuOfStores() - stores, stack.cpuOfQuerier() - querier), stack.peaks());
        return answers.stream().map(Answer::series).toList();
    }

    private void latency() throws Exception {
        Path bucket = work.resolve("history");
        if (!Files.exists(bucket)) {
            writeHistory(bucket);
        }
        long end = StackData.LAST_DAY + 12 * StackData.SMALL - 60_000;
        long year = (StackData.YEAR * StackData.LARGE) / 1000;
        Map<String, List<String>> questions = new LinkedHashMap<>();
        questions.put("point", List.of(instant("up{pod=\"pod-0007\"}", end)));
        questions.put("dashboard", dashboard(0, end));
        questions.put("day", List.of(range("sum by (namespace) (rate(http_requests_total[5m]))", 86_400 - 600, 60, end)));
        questions.put("year", List.of(range("sum by (code) (rate(http_requests_total[1d]))", year, 86_400, StackData.LAST_DAY)));
        questions.put("year, 1 h", List.of(range("sum by (code) (rate(http_requests_total[1d]))", year, 86_400, StackData.LAST_DAY)
                + "&max_source_resolution=1h"));
        System.out.printf("%-10s %8s %-10s %-5s %8s %8s %6s %6s %8s %18s %18s%n", "question", "latency", "system", "", "s", "first s",
                "GETs",
                "other", "MB", "CPU s", "peak MB");
        for (Map.Entry<String, List<String>> q : questions.entrySet()) {
            if (!q.getKey().contains(only)) {
                continue;
            }
            for (long late : latencies) {
                List<Long> found = new ArrayList<>();
                for (Map.Entry<String, String> s : systems.entrySet()) {
                    try (BucketEndpoint endpoint = new BucketEndpoint(bucket, late);
                            Stack stack = new Stack(s.getKey(), s.getValue(), List.of(endpoint.yaml()))) {
                        // What a store gateway fetches when it has become ready is not the question's.
                        Thread.sleep(3000);
                        for (String turn : List.of("cold", "warm", "warm")) {
                            found.add(one(q.getKey(), late, s.getKey(), turn, stack, endpoint, q.getValue()));
                        }
                    }
                }
                if (found.stream().distinct().count() > 1) {
                    System.out.println("DIFFERENT: " + found);
                }
            }
        }
    }

    private static long one(String question, long late, String name, String turn, Stack stack, BucketEndpoint endpoint,
            List<String> requests)
            throws IOException, InterruptedException {
        stack.forgetPeaks();
        double stores = stack.cpuOfStores();
        double querier = stack.cpuOfQuerier();
        BucketEndpoint.Counts before = endpoint.counts();
        long series = 0;
        double first = 0;
        double seconds = 0;
        for (String r : requests) {
            Answer a = stack.ask(r);
            series += a.series();
            first = Math.max(first, a.firstSeconds());
            seconds += a.seconds();
        }
        BucketEndpoint.Counts c = endpoint.counts().since(before);
        System.out.printf("%-10s %5d ms %-10s %-5s %8.3f %8.3f %6d %6d %8.1f %18s %18s%n", question, late, name, turn, seconds, first,
                c.gets(),
                c.others(), c.bytes() / 1e6, String.format("%.2f + %.2f", stack.cpuOfStores() - stores, stack.cpuOfQuerier() - querier),
                stack.peaks());
        return series;
    }

    /** A year in large blocks, downsampled by the first system's compactor, and a last day in small ones. */
    private void writeHistory(Path bucket) throws IOException, InterruptedException {
        System.out.println("writing a year to " + bucket);
        Path unfinished = work.resolve("history.unfinished");
        Processes.delete(unfinished);
        for (int i = 0; i < StackData.YEAR; i++) {
            long from = StackData.BEGIN + i * StackData.LARGE;
            StackData.write(unfinished, "c0", YEAR_PODS, YEAR_SERIES, from, from + StackData.LARGE, 60_000);
        }
        Path data = work.resolve("compact");
        try (Processes processes = new Processes(work, http)) {
            Process p = processes.start("compact", List.of(systems.values().iterator().next(), "compact", "--data-dir=" + data,
                    "--objstore.config=type: FILESYSTEM\nconfig:\n  directory: " + unfinished + "\n",
                    "--http-address=127.0.0.1:" + Processes.freePort()));
            if (p.waitFor() != 0) {
                throw new IOException("the compactor ended with " + p.exitValue() + "; its log is " + work.resolve("compact.log"));
            }
        }
        Processes.delete(data);
        for (long from = StackData.LAST_DAY; from < StackData.LAST_DAY + 12 * StackData.SMALL; from += StackData.SMALL) {
            StackData.write(unfinished, "c0", FEW_PODS, FEW_SERIES, from, from + StackData.SMALL, 30_000);
        }
        Files.move(unfinished, bucket);
    }
}

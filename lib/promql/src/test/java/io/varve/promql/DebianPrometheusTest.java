package io.varve.promql;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.varve.model.GoFloat;
import io.varve.model.InvalidRequestException;
import io.varve.model.Labels;
import io.varve.model.MemoryBudget;
import io.varve.model.QueryContext;
import io.varve.promql.test.TestSeries;
import io.varve.testkit.Shared;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.ServerSocket;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Random queries over random data: our engine against Debian's Prometheus 2.42 over HTTP, where semantics did not change since. Windows
 * were closed on their left side then, so that no sample and no step of a subquery may lie on a left edge: samples are at 7.5 s past a
 * multiple of 15 s, queries at 3 s past a multiple of 10 s. What else changed is in {@code docs/differences/promql.md} and left out here.
 */
class DebianPrometheusTest {
    private static final long SEED = 42;
    private static final Path PROMETHEUS = Path.of("/usr/bin/prometheus");
    private static final Path PROMTOOL = Path.of("/usr/bin/promtool");
    private static final long BASE = 1_700_000_000_000L - 1_700_000_000_000L % 3_600_000;
    private static final int SAMPLES = 240;

    private final Random random = new Random(SEED);
    private final HttpClient http = HttpClient.newHttpClient();

    @Test
    void answersAsDebiansPrometheus(@TempDir Path folder) throws IOException, InterruptedException {
        if (!Files.isExecutable(PROMETHEUS) || !Files.isExecutable(PROMTOOL)) {
            System.out.println("skipped: no " + PROMETHEUS + " (Debian package prometheus)");
            return;
        }
        TestSeries data = new TestSeries();
        Path blocks = folder.resolve("data");
        Path text = folder.resolve("samples.txt");
        Files.writeString(text, samples(data));
        Process promtool = new ProcessBuilder(PROMTOOL.toString(), "tsdb", "create-blocks-from", "openmetrics", text.toString(),
                blocks.toString()).redirectErrorStream(true).start();
        String said = new String(promtool.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(promtool.waitFor()).as(said).isZero();
        Files.writeString(folder.resolve("empty.yml"), "");
        int port;
        try (ServerSocket s = new ServerSocket(0)) {
            port = s.getLocalPort();
        }
        Process server = new ProcessBuilder(PROMETHEUS.toString(), "--config.file=" + folder.resolve("empty.yml"),
                "--storage.tsdb.path=" + blocks, "--storage.tsdb.retention.time=100y", "--web.listen-address=127.0.0.1:" + port,
                "--enable-feature=promql-at-modifier,promql-negative-offset").redirectErrorStream(true).start();
        // Ends with the server, whose end closes the stream.
        BufferedReader log = new BufferedReader(new InputStreamReader(server.getInputStream(), StandardCharsets.UTF_8));
        try (Engine engine = new Engine(EngineOptions.DEFAULT)) {
            List<String> lines = new ArrayList<>();
            String line = log.readLine();
            while (line != null && !line.contains("Server is ready to receive web requests")) {
                lines.add(line);
                line = log.readLine();
            }
            assertThat(line).as("%s", lines).isNotNull();
            drain(log);
            compare(engine, data, "http://127.0.0.1:" + port + "/api/v1/");
        } finally {
            server.destroy();
            server.waitFor();
        }
    }

    /** So that the server never waits for someone to read its log. */
    private static void drain(BufferedReader log) {
        Thread.ofVirtual().start(() -> {
            try {
                while (log.readLine() != null) {
                    // Nobody asks.
                }
            } catch (IOException e) {
                // The server is gone.
            }
        });
    }

    /** Gauges and counters of three labels, with gaps and resets, as OpenMetrics and in memory. */
    private String samples(TestSeries data) {
        StringBuilder sb = new StringBuilder();
        for (String name : List.of("temp", "load", "reqs_total", "bytes_total")) {
            boolean counter = name.endsWith("_total");
            sb.append("# TYPE ").append(counter ? name.replace("_total", "") + " counter" : name + " gauge").append('\n');
            for (int s = 0; s < 8; s++) {
                Labels labels = Labels.of("__name__", name, "job", s < 4 ? "api" : "web", "instance", "h" + s % 4, "zone", "z" + s % 3);
                double value = random.nextInt(100);
                for (int i = 0; i < SAMPLES; i++) {
                    if (counter) {
                        value = random.nextInt(50) == 0 ? random.nextInt(5) : value + random.nextInt(20);
                    } else {
                        value = random.nextInt(60) == 0 ? Double.NaN : Math.round(random.nextGaussian() * 1000) / 100.0;
                    }
                    if (!counter && (random.nextInt(12) == 0 || s == 7 && i > 60 && i < 110)) {
                        continue;
                    }
                    long time = BASE + i * 15_000L + 7_500;
                    data.add(labels, time, value);
                    StringBuilder inner = new StringBuilder();
                    labels.without(List.of("__name__"))
                            .forEach((k, v) -> inner.append(inner.isEmpty() ? "" : ",").append(k).append("=\"").append(v)
                                    .append('"'));
                    sb.append(name).append('{').append(inner).append("} ").append(GoFloat.plain(value)).append(' ')
                            .append(GoFloat.fixed(time / 1000.0, 3)).append('\n');
                }
            }
        }
        return sb.append("# EOF\n").toString();
    }

    private void compare(Engine engine, TestSeries data, String url) throws IOException, InterruptedException {
        List<String> wrong = new ArrayList<>();
        int answered = 0;
        for (int i = 0; i < 400; i++) {
            String query = vector(1 + random.nextInt(3));
            long at = BASE + 1_080_000 + random.nextInt(250) * 10_000L + 3_000;
            boolean range = i % 2 == 0;
            long step = List.of(10_000L, 30_000L, 110_000L).get(random.nextInt(3));
            long end = at + step * random.nextInt(12);
            String parameters = "query=" + URLEncoder.encode(query, StandardCharsets.UTF_8)
                    + (range ? "&start=" + at / 1000 + "&end=" + end / 1000 + "&step=" + step / 1000 : "&time=" + at / 1000);
            JsonNode theirs = Shared
                    .parse(http.send(HttpRequest.newBuilder(URI.create(url + (range ? "query_range?" : "query?") + parameters)).build(),
                            HttpResponse.BodyHandlers.ofString()).body());
            QueryRequest request = range ? QueryRequest.range(query, at, end, step) : QueryRequest.instant(query, at);
            try (QueryContext context = new QueryContext(60_000, MemoryBudget.UNLIMITED);
                    QueryResult ours = engine.execute(context, data, request)) {
                if (!theirs.get("status").asText().equals("success")) {
                    wrong.add(query + ": they refuse: " + theirs.get("error"));
                    continue;
                }
                answered++;
                String difference = difference(of(ours.value()), of(theirs.get("data").get("result")));
                if (!difference.isEmpty()) {
                    wrong.add(query + " at " + parameters + ": " + difference);
                }
            } catch (InvalidRequestException e) {
                if (theirs.get("status").asText().equals("success")) {
                    wrong.add(query + ": we refuse: " + e.getMessage());
                }
            }
        }
        assertThat(wrong.stream().limit(10).toList()).as("%d differ", wrong.size()).isEmpty();
        assertThat(answered).isGreaterThan(300);
    }

    private static Map<String, TreeMap<Long, Double>> of(QueryValue value) {
        Map<String, TreeMap<Long, Double>> out = new LinkedHashMap<>();
        switch (value) {
            case QueryValue.Vector v ->
                v.samples()
                        .forEach(s -> out.computeIfAbsent(s.labels().toString(), k -> new TreeMap<>()).put(s.timestampMillis(), s.value()));
            case QueryValue.Matrix m -> m.rows().forEach(r -> {
                for (int i = 0; i < r.floats().length; i++) {
                    out.computeIfAbsent(r.labels().toString(), k -> new TreeMap<>()).put(r.floatTimes()[i], r.floats()[i]);
                }
            });
            case QueryValue.Scalar s -> out.computeIfAbsent("", k -> new TreeMap<>()).put(s.timestampMillis(), s.value());
            case QueryValue.Text t -> throw new AssertionError("no strings are asked for");
        }
        return out;
    }

    private static Map<String, TreeMap<Long, Double>> of(JsonNode result) {
        Map<String, TreeMap<Long, Double>> out = new LinkedHashMap<>();
        for (JsonNode series : result) {
            Map<String, String> labels = new TreeMap<>();
            series.get("metric").properties().forEach(e -> labels.put(e.getKey(), e.getValue().asText()));
            TreeMap<Long, Double> points = out.computeIfAbsent(Labels.of(labels).toString(), k -> new TreeMap<>());
            for (JsonNode p : series.has("values") ? series.get("values") : List.of(series.get("value"))) {
                points.put(Math.round(p.get(0).asDouble() * 1000), GoFloat.parse(p.get(1).asText()));
            }
        }
        return out;
    }

    private static String difference(Map<String, TreeMap<Long, Double>> ours, Map<String, TreeMap<Long, Double>> theirs) {
        if (!ours.keySet().equals(theirs.keySet())) {
            return "series " + ours.keySet() + " instead of " + theirs.keySet();
        }
        for (Map.Entry<String, TreeMap<Long, Double>> e : ours.entrySet()) {
            TreeMap<Long, Double> other = theirs.getOrDefault(e.getKey(), new TreeMap<>());
            if (!e.getValue().keySet().equals(other.keySet())) {
                return e.getKey() + " at " + e.getValue().keySet() + " instead of " + other.keySet();
            }
            for (Map.Entry<Long, Double> p : e.getValue().entrySet()) {
                double a = p.getValue();
                double b = other.getOrDefault(p.getKey(), Double.NaN);
                boolean same = a == b || Double.isNaN(a) && Double.isNaN(b)
                        || Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(a) + Math.abs(b));
                if (!same) {
                    return e.getKey() + " at " + p.getKey() + " " + a + " instead of " + b;
                }
            }
        }
        return "";
    }

    // ---- queries

    private <T> T any(List<T> list) {
        return list.get(random.nextInt(list.size()));
    }

    private String selector() {
        return any(List.of("temp", "load", "reqs_total", "bytes_total"))
                + any(List.of("", "", "{job=\"api\"}", "{instance=~\"h[12]\"}", "{zone!=\"z0\"}", "{job!~\"w.*\",zone=\"z1\"}",
                        "{nothing=\"\"}"));
    }

    private String shift() {
        return any(
                List.of("", "", "", "", " offset 1m", " offset -30s", " @ " + (BASE / 1000 + 1203), " @ end()", " @ start() offset 20s"));
    }

    private String vector(int depth) {
        if (depth == 0) {
            return selector() + shift();
        }
        return switch (random.nextInt(16)) {
            case 10 -> any(List.of("topk", "bottomk")) + any(List.of("", " by (job)", " without (instance, zone)")) + " ("
                    + any(List.of("1", "3", "(time() / 10) % 4", "0", "100")) + ", "
                    + any(List.of("temp", "load", "reqs_total", "temp{zone!=\"z2\"}", "sum by (instance, zone) (load)")) + ")";
            case 11 -> any(List.of("quantile by (job) (0.3, ", "quantile (0.9, ", "count_values by (zone) (\"v\", round(",
                    "count_values without (instance, zone) (\"job\", ceil(", "group by (zone) ("))
                    .transform(s -> s + vector(depth - 1) + ")".repeat(brackets(s)));
            case 12 -> any(List.of("label_replace(", "label_join(")).equals("label_join(")
                    ? "label_join(" + vector(depth - 1) + ", \"zone\", \"-\", \"job\", \"nothing\", \"instance\")"
                    : "label_replace(" + vector(depth - 1)
                            + any(List.of(", \"zone\", \"$1\", \"instance\", \"h(.)\")", ", \"new\", \"a-$2$1\", \"job\", \"(.)(.*)\")",
                                    ", \"zone\", \"\", \"\", \"\")", ", \"__name__\", \"x_$1\", \"__name__\", \"(.*)\")"));
            case 13 -> any(List.of("clamp(", "clamp(1 - ")) + vector(depth - 1) + any(List.of(", -3, 5)", ", time() % 7, 6)", ", 5, 1)"));
            case 14 -> any(List.of("round(", "clamp_max(", "clamp_min(")) + vector(depth - 1)
                    + any(List.of(", 0.5)", ", 3)", ", scalar(temp{job=\"api\",instance=\"h1\"}))"));
            case 15 -> any(List.of("temp", "load{zone!=\"z2\"}")) + any(List.of(" * on (job, instance) group_left (zone) ",
                    " - on (instance, job) group_right (job) ", " + on (instance, job) ", " > ignoring (zone) ",
                    " % ignoring (zone) group_left () ",
                    " and on (zone) ", " unless on (instance) ", " or on (job) ")) + any(
                            List.of("sum by (job, instance) (reqs_total)",
                                    "max by (instance, job) (temp)", "load", "(load or temp * 2)", "vector(1)",
                                    "absent(nothing{zone=\"z1\"})"));
            case 0, 1 -> any(List.of("sum", "avg", "min", "max", "count", "group"))
                    + any(List.of("", " by (job)", " without (instance)", " by (zone, job)")) + " (" + vector(depth - 1) + ")";
            case 2, 3, 4 -> any(List.of("delta", "irate", "idelta", "changes", "resets", "deriv", "avg_over_time",
                    "sum_over_time", "min_over_time", "max_over_time", "count_over_time", "last_over_time", "stddev_over_time",
                    "stdvar_over_time", "present_over_time", "absent_over_time")) + "(" + matrix(depth) + ")";
            case 5 ->
                any(List.of("abs", "ceil", "floor", "sgn", "exp", "sqrt", "ln", "timestamp", "-", "sort", "minute", "day_of_year", "absent",
                        "sin", "log2", "deg")) + "(" + vector(depth - 1) + ")";
            case 6 -> any(List.of("rate(", "increase(")) + any(List.of("reqs_total", "bytes_total{zone=\"z1\"}")) + "["
                    + any(List.of("1m", "5m", "15m")) + "]" + shift() + ")";
            case 7 -> any(List.of("quantile_over_time(0.7, ", "quantile_over_time(0, ")) + matrix(depth) + ")"
                    + (random.nextInt(3) == 0 ? " + on () group_left () vector(time() / 1e9)" : "");
            case 8 -> "(" + vector(depth - 1) + ") " + any(List.of("+ 1", "* 2", "% 3", "> 0", "<= bool 5", "^ 2", "/ 0",
                    "* scalar(load{job=\"web\",instance=\"h0\"})", "- time()"));
            default -> any(List.of("sum by (job, instance) (", "max by (job, instance) (")) + vector(depth - 1) + ") "
                    + any(List.of("+", "-", "/", ">", "== bool", "and", "or", "unless", "* on (job, instance)"))
                    + " sum by (job, instance) ("
                    + vector(depth - 1) + ")";
        };
    }

    private static int brackets(String s) {
        int open = 0;
        for (int i = 0; i < s.length(); i++) {
            open += s.charAt(i) == '(' ? 1 : s.charAt(i) == ')' ? -1 : 0;
        }
        return open;
    }

    private String matrix(int depth) {
        // Not in each other: there, steps are where windows begin.
        if (depth > 1 && random.nextInt(4) == 0) {
            return "(" + (random.nextInt(3) == 0
                    ? "(" + vector(0) + any(List.of(" > 3", " < 0", " % 5")) + ") or (" + vector(0) + any(List.of(" > 1", " * 2", " - 4"))
                            + ")"
                    : vector(Math.min(depth - 1, 1))) + ")[" + any(List.of("2m:10s", "5m:30s", "3m20s:50s")) + "]";
        }
        return selector() + "[" + any(List.of("1m", "2m", "5m", "15m")) + "]" + shift();
    }
}

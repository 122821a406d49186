package io.varve.demo;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/**
 * Compares what varve answers with what Prometheus answers, and with what the demo knows to be true. Each row of the table is one
 * comparison.
 */
public final class DemoCheck {
    /** Values are compared to this relative difference: sums may be added in another order. */
    private static final double TOLERANCE = 1e-9;
    private static final long DAY = 86_400;
    private static final Duration FIRST_ROUND = Duration.ofSeconds(240);

    /** The three example queries the demo prints. */
    static final List<String> EXAMPLES = List.of("sum by (code) (rate(demo_http_requests_total[5m]))",
            "histogram_quantile(0.99, sum by (le) (rate(demo_http_request_duration_seconds_bucket[5m])))",
            "histogram_quantile(0.9, sum(rate(demo_http_request_latency_seconds[10m])))");

    private record Row(String what, String span, String varve, String expected, boolean good) {
    }

    private final Demo demo;
    private final List<Row> rows = new ArrayList<>();

    /** Of a demo that is ready. */
    public DemoCheck(Demo demo) {
        this.demo = demo;
    }

    /** Runs every comparison and prints the table; true where all are as expected. */
    public boolean run() throws IOException, InterruptedException {
        long end = System.currentTimeMillis() / 1000 / 60 * 60 - 60;
        awaitSettled();
        blocks();
        for (String query : EXAMPLES) {
            whole(query, demo.historyFrom() / 1000 + 3600, end, 3600);
        }
        String[] replicaQueries = {"demo_queue_length{%s}", "rate(demo_http_requests_total{code=\"200\",%s}[5m])",
                "sum by (code) (increase(demo_http_requests_total{%s}[10m]))", "max_over_time(demo_temperature_celsius{%s}[15m])",
                "histogram_quantile(0.99, sum by (le) (rate(demo_http_request_duration_seconds_bucket{%s}[5m])))",
                // Not its quantiles: Prometheus 3 interpolates native buckets exponentially, Prometheus 2 did so linearly.
                "histogram_count(sum(rate(demo_http_request_latency_seconds{%s}[10m])))"};
        for (String query : replicaQueries) {
            for (Replica replica : List.of(Replica.A, Replica.B)) {
                againstPrometheus(query, replica, end - DAY, end, 300);
            }
        }
        replicas(end);
        System.out.print(table());
        return rows.stream().allMatch(Row::good);
    }

    /** The rows of the table that are not as expected, in words; none before {@link #run}. */
    public List<String> differences() {
        return rows.stream().filter(r -> !r.good())
                .map(r -> r.what() + " over " + r.span() + ": " + r.varve() + ", expected " + r.expected()).toList();
    }

    /** Waits for the compactor's first round: the demo starts it when the sidecars have shipped what their Prometheus had. */
    private void awaitSettled() throws IOException, InterruptedException {
        System.out.println("varve demo: waiting for the first compaction and downsampling ...");
        demo.await("compact", FIRST_ROUND,
                () -> compactor().sum("thanos_compact_iterations_total") >= 1 ? "" : "the compactor has not ended its first round");
    }

    private void blocks() throws IOException, InterruptedException {
        Http.Metrics metrics = compactor();
        double compactions = metrics.sum("thanos_compact_group_compactions_total");
        double downsampled = metrics.sum("thanos_compact_downsample_total");
        rows.add(new Row("compactions done", "", count(compactions), "more than 0", compactions > 0));
        boolean whole = wholeRange();
        rows.add(new Row("blocks downsampled", "", count(downsampled), whole ? "more than 0" : "any: no whole range of two days",
                downsampled > 0 || !whole));
        double halted = metrics.sum("thanos_compact_halted");
        rows.add(new Row("compactor halted", "", count(halted), "0", halted == 0));
    }

    /** Whether the history spans one of the two-day ranges blocks are merged to, which are the first to be downsampled. */
    private boolean wholeRange() {
        long first = Math.ceilDiv(demo.historyFrom(), 2 * DAY * 1000) * 2 * DAY * 1000;
        return first + 2 * DAY * 1000 <= demo.historyTo();
    }

    /** The whole history: no step without a value. */
    private void whole(String query, long start, long end, long step) throws IOException, InterruptedException {
        JsonNode answer = range(demo.url("query"), query, start, end, step, Map.of());
        long steps = (end - start) / step + 1;
        JsonNode result = answer.path("data").path("result");
        long least = Long.MAX_VALUE;
        for (JsonNode series : result) {
            least = Math.min(least, series.path("values").size());
        }
        boolean good = !result.isEmpty() && least == steps && answer.path("warnings").isMissingNode();
        rows.add(new Row(query, span(start, end), result.isEmpty() ? error(answer) : least + " steps", steps + " steps", good));
    }

    /** One replica through varve and the same from its Prometheus: equal to the last digits. */
    private void againstPrometheus(String pattern, Replica replica, long start, long end, long step)
            throws IOException, InterruptedException {
        String ours = String.format(Locale.ROOT, pattern, "replica=\"" + replica.name() + "\"");
        String theirs = pattern.replace(",%s", "").replace("{%s}", "");
        JsonNode varve = range(demo.url("query"), ours, start, end, step, Map.of("dedup", "false", "max_source_resolution", "0s"));
        JsonNode prometheus = range(demo.url("prometheus-" + replica.name()), theirs, start, end, step, Map.of());
        Map<String, Map<Long, Double>> a = points(varve);
        Map<String, Map<Long, Double>> b = points(prometheus);
        long equal = 0;
        long expected = 0;
        for (Map.Entry<String, Map<Long, Double>> series : b.entrySet()) {
            expected += series.getValue().size();
            Map<Long, Double> mine = a.getOrDefault(series.getKey(), Map.of());
            for (Map.Entry<Long, Double> point : series.getValue().entrySet()) {
                Double v = mine.get(point.getKey());
                if (v != null && close(v, point.getValue())) {
                    equal++;
                }
            }
        }
        long got = a.values().stream().mapToLong(Map::size).sum();
        rows.add(new Row(ours, span(start, end), equal + " of " + got + " equal", expected + " in prometheus-" + replica.name(),
                expected > 0 && equal == expected && got == expected));
    }

    /** Without deduplication both replicas show, with it one series that has no hole. */
    private void replicas(long end) throws IOException, InterruptedException {
        String query = "demo_queue_length{instance=\"shop-0:8080\"}";
        JsonNode both = range(demo.url("query"), query, end - DAY, end, 60, Map.of("dedup", "false", "max_source_resolution", "0s"));
        int series = both.path("data").path("result").size();
        rows.add(new Row(query + " dedup=false", span(end - DAY, end), series + " series", "2 series", series == 2));
        JsonNode one = range(demo.url("query"), query, end - DAY, end, 60, Map.of("max_source_resolution", "0s"));
        int merged = one.path("data").path("result").size();
        int points = one.path("data").path("result").path(0).path("values").size();
        rows.add(new Row(query, span(end - DAY, end), merged + " series, " + points + " points", "1 series, 1441 points",
                merged == 1 && points == 1441));
    }

    private JsonNode range(String base, String query, long start, long end, long step, Map<String, String> more)
            throws IOException, InterruptedException {
        Map<String, String> params = new TreeMap<>(more);
        params.put("query", query);
        params.put("start", Long.toString(start));
        params.put("end", Long.toString(end));
        params.put("step", Long.toString(step));
        return demo.http().query(base, "/api/v1/query_range", params);
    }

    /** Values by series (without external labels) and time. */
    private static Map<String, Map<Long, Double>> points(JsonNode answer) {
        Map<String, Map<Long, Double>> out = new TreeMap<>();
        for (JsonNode series : answer.path("data").path("result")) {
            Map<String, String> labels = new TreeMap<>();
            series.path("metric").properties().forEach(e -> labels.put(e.getKey(), e.getValue().asText()));
            labels.remove("cluster");
            labels.remove("replica");
            Map<Long, Double> points = out.computeIfAbsent(labels.toString(), k -> new TreeMap<>());
            for (JsonNode v : series.path("values")) {
                points.put(Math.round(v.path(0).asDouble() * 1000), number(v.path(1).asText()));
            }
        }
        return out;
    }

    private static double number(String text) {
        return switch (text) {
            case "+Inf" -> Double.POSITIVE_INFINITY;
            case "-Inf" -> Double.NEGATIVE_INFINITY;
            default -> Double.parseDouble(text);
        };
    }

    private static boolean close(double a, double b) {
        return a == b || Double.isNaN(a) && Double.isNaN(b) || Math.abs(a - b) <= TOLERANCE * Math.max(Math.abs(a), Math.abs(b));
    }

    private Http.Metrics compactor() throws IOException, InterruptedException {
        return demo.http().metrics(demo.url("compact"));
    }

    private static String count(double v) {
        return Long.toString(Math.round(v));
    }

    private static String error(JsonNode answer) {
        return answer.has("error") ? answer.path("error").asText() : "nothing";
    }

    private static String span(long start, long end) {
        long hours = (end - start) / 3600;
        return hours >= 48 ? hours / 24 + " d" : hours + " h";
    }

    private String table() {
        String[] head = {"compared", "span", "varve", "expected", ""};
        int[] width = new int[4];
        List<String[]> cells = new ArrayList<>();
        cells.add(head);
        for (Row r : rows) {
            cells.add(new String[]{r.what(), r.span(), r.varve(), r.expected(), r.good() ? "ok" : "DIFFERS"});
        }
        for (String[] c : cells) {
            for (int i = 0; i < width.length; i++) {
                width[i] = Math.max(width[i], c[i].length());
            }
        }
        StringBuilder sb = new StringBuilder("\n");
        for (String[] c : cells) {
            for (int i = 0; i < width.length; i++) {
                sb.append(c[i]).append(" ".repeat(width[i] - c[i].length() + 2));
            }
            sb.append(c[4]).append('\n');
        }
        return sb.append('\n').toString();
    }
}

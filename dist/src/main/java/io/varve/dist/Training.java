package io.varve.dist;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.varve.compactor.CompactCommand;
import io.varve.demo.History;
import io.varve.model.ErrorText;
import io.varve.model.UnavailableException;
import io.varve.querier.QueryCommand;
import io.varve.runtime.ProcessCommand;
import io.varve.runtime.ProcessRunner;
import io.varve.sidecar.SidecarCommand;
import io.varve.storegateway.StoreCommand;
import io.varve.tsdb.Durable;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
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
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executors;
import java.util.stream.Stream;

/**
 * The run that the AOT cache is made of: every process is started in this JVM against a bucket with a few days of two replicas and a
 * Prometheus of cardboard, asked what dashboards ask, and stopped. What it loads and links, a later start finds ready, and what it ran often, a
 * later start compiles at once, with the profile of this run. It checks nothing; a part that does not start is left out of the cache
 * and named.
 */
final class Training {
    private static final Map<String, String> PROMETHEUS = Map.of("/-/ready", "ready", "/-/healthy", "healthy", "/api/v1/status/config",
            "{\"status\":\"success\",\"data\":{\"yaml\":\"global:\\n  external_labels:\\n    replica: a\\n\"}}", "/api/v1/status/flags",
            "{\"status\":\"success\",\"data\":{\"storage.tsdb.min-block-duration\":\"2h\",\"storage.tsdb.max-block-duration\":\"2h\","
                    + "\"storage.tsdb.path\":\"data\",\"web.enable-admin-api\":\"false\"}}",
            "/api/v1/status/buildinfo", "{\"status\":\"success\",\"data\":{\"version\":\"3.5.0\"}}", "/metrics",
            "prometheus_tsdb_lowest_timestamp_seconds 1700000000\n", "/api/v1/labels",
            "{\"status\":\"success\",\"data\":[\"__name__\",\"job\"]}",
            "/api/v1/series", "{\"status\":\"success\",\"data\":[]}");
    private static final List<String> QUERIES = List.of("up", "demo_queue_length", "sum by (code) (rate(demo_http_requests_total[5m]))",
            "sum by (code) (rate(demo_http_requests_total[1h])) / on () group_left sum(rate(demo_http_requests_total[1h]))",
            "histogram_quantile(0.9, sum by (le) (rate(demo_http_request_duration_seconds_bucket[5m])))",
            "histogram_quantile(0.9, sum(rate(demo_http_request_latency_seconds[1h])))",
            "max_over_time(sum(rate(demo_http_requests_total[5m]))[1h:5m]) > 1 or vector(1)", "topk(3, demo_http_requests_total) + 1",
            "sum(increase(demo_http_requests_total{code=~\"5..\"}[1d]))", "avg by (instance) (max_over_time(demo_temperature_celsius[1h]))",
            "count by (__name__) ({__name__=~\".+\"})", "quantile(0.5, demo_queue_length) unless on () absent(up)",
            "label_replace(demo_queue_length, \"x\", \"$1\", \"instance\", \"(.*):.*\")");
    private static final long BLOCK_MILLIS = 7_200_000;
    private static final long DAY_MILLIS = 86_400_000;
    private static final Duration START = Duration.ofSeconds(30);
    /** How often every query is asked: hot code has to be seen as hot. */
    private static final int ROUNDS = 12;

    private Training() {
    }

    /**
     * Runs once; 0 also where parts were left out.
     *
     * @param alone {@code sidecar} or {@code compact} for a cache of its own: what is in a cache is in the memory of every process that uses it;
     *            otherwise all processes are trained
     */
    static int run(String alone) {
        List<AutoCloseable> open = new ArrayList<>();
        try {
            Path dir = Files.createTempDirectory("varve-training");
            open.add(() -> Durable.deleteTree(dir));
            HttpServer prometheus = prometheus();
            open.add(() -> prometheus.stop(0));
            Path bucket = Files.createDirectories(dir.resolve("bucket"));
            Path yaml = Files.writeString(dir.resolve("bucket.yaml"), "type: FILESYSTEM\nconfig:\n  directory: " + bucket + "\n");
            String objstore = "--objstore.config-file=" + yaml;
            String http = "--http-address=127.0.0.1:0";
            String grpc = "--grpc-address=127.0.0.1:0";
            if (alone.equals("sidecar")) {
                ready(open, new SidecarCommand(), "--prometheus.url=http://127.0.0.1:" + prometheus.getAddress().getPort(),
                        "--tsdb.path=" + Files.createDirectories(dir.resolve("tsdb")), objstore, http, grpc);
                return 0;
            }
            long boundary = System.currentTimeMillis() / BLOCK_MILLIS * BLOCK_MILLIS;
            long to = boundary - DAY_MILLIS;
            History.uploadBoth(yaml, dir.resolve("work"), to - 5 * DAY_MILLIS, to);
            start(open, new CompactCommand(), "--data-dir=" + dir.resolve("compact"), objstore, http, "--consistency-delay=0s").await();
            if (alone.equals("compact")) {
                Path replicas = Files.writeString(dir.resolve("replicas.yaml"),
                        "type: FILESYSTEM\nconfig:\n  directory: " + Files.createDirectories(dir.resolve("replicas")) + "\n");
                History.uploadBoth(replicas, dir.resolve("work"), to - DAY_MILLIS, to);
                start(open, new CompactCommand(), "--data-dir=" + dir.resolve("vertical"), "--objstore.config-file=" + replicas, http,
                        "--consistency-delay=0s", "--deduplication.func=penalty", "--deduplication.replica-label=replica").await();
                return 0;
            }
            List<String> query = new ArrayList<>(List.of(http, grpc, "--query.replica-label=replica"));
            for (ProcessRunner.Running store : List.of(
                    ready(open, new SidecarCommand(), "--prometheus.url=http://127.0.0.1:" + prometheus.getAddress().getPort(),
                            "--tsdb.path=" + Files.createDirectories(dir.resolve("tsdb")), objstore, http, grpc),
                    ready(open, new StoreCommand(), "--data-dir=" + dir.resolve("store"), objstore, http, grpc))) {
                query.add("--endpoint=" + store.context().grpcAddress());
            }
            HttpServer s3 = s3(bucket);
            open.add(() -> s3.stop(0));
            // Twice: with what it fetched, and with what it kept.
            for (int i = 0; i < 2; i++) {
                ready(open, new StoreCommand(), "--data-dir=" + dir.resolve("s3"),
                        "--objstore.config=type: S3\nconfig: {bucket: b, endpoint: \"127.0.0.1:"
                                + s3.getAddress().getPort() + "\", region: us-east-1, insecure: true, access_key: a, secret_key: b}",
                        http, grpc).close();
            }
            ProcessRunner.Running querier = ready(open, new QueryCommand(), query.toArray(String[]::new));
            ask("http://" + querier.context().httpAddress(), to);
        } catch (Exception e) {
            System.err.println("varve train: left out after " + ErrorText.of(e));
        } finally {
            for (AutoCloseable one : open.reversed()) {
                try {
                    one.close();
                } catch (Exception e) {
                    System.err.println("varve train: " + ErrorText.of(e));
                }
            }
        }
        return 0;
    }

    private static ProcessRunner.Running start(List<AutoCloseable> open, ProcessCommand command, String... args) throws Exception {
        ProcessRunner.Running running = ProcessRunner.launch(command, args);
        open.add(running);
        return running;
    }

    /** A process that answers: sidecar and store gateway listen for gRPC only once they are ready. */
    private static ProcessRunner.Running ready(List<AutoCloseable> open, ProcessCommand command, String... args) throws Exception {
        ProcessRunner.Running running = start(open, command, args);
        if (!running.awaitReady(START)) {
            throw new UnavailableException(command.component() + " is not ready within " + START.toSeconds() + " s");
        }
        return running;
    }

    private static void ask(String querier, long end) throws IOException, InterruptedException {
        try (HttpClient client = HttpClient.newHttpClient()) {
            awaitStores(client, querier);
            for (int round = 0; round < ROUNDS; round++) {
                for (String path : List.of("/-/ready", "/metrics", "/api/v1/stores", "/api/v1/labels", "/api/v1/status/buildinfo",
                        "/api/v1/label/instance/values", "/api/v1/series?match[]=demo_queue_length")) {
                    get(client, querier + path.replace("[", "%5B").replace("]", "%5D"));
                }
                for (String q : QUERIES) {
                    String query = "query=" + URLEncoder.encode(q, StandardCharsets.UTF_8);
                    get(client, querier + "/api/v1/query?" + query + "&time=" + end / 1000);
                    get(client, querier + "/api/v1/query_range?" + query + range(end, 3_600_000, 15));
                    get(client, querier + "/api/v1/query_range?" + query + range(end, DAY_MILLIS, 60));
                    get(client, querier + "/api/v1/query_range?" + query + range(end, 4 * DAY_MILLIS, 3600));
                    get(client, querier + "/api/v1/query_range?" + query + range(end, 4 * DAY_MILLIS, 3600) + "&max_source_resolution=1h");
                }
            }
        }
    }

    private static String range(long end, long span, int stepSeconds) {
        return "&start=" + (end - span) / 1000 + "&end=" + end / 1000 + "&step=" + stepSeconds;
    }

    /** Until the querier has heard of the bucket's history; not for ever. */
    private static void awaitStores(HttpClient client, String querier) throws IOException, InterruptedException {
        for (int i = 0; i < 100 && !get(client, querier + "/api/v1/label/instance/values").contains("shop-0"); i++) {
            Thread.sleep(100);
        }
    }

    private static String get(HttpClient client, String url) throws IOException, InterruptedException {
        return client.send(HttpRequest.newBuilder(URI.create(url)).timeout(Duration.ofSeconds(20)).build(),
                HttpResponse.BodyHandlers.ofString()).body();
    }

    /** What a server of cardboard says to a GET. */
    private interface Says {
        byte[] to(HttpExchange exchange) throws IOException;
    }

    private static HttpServer server(Says says) throws IOException {
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
        server.createContext("/", exchange -> {
            try (exchange) {
                exchange.getRequestBody().readAllBytes();
                byte[] body = says.to(exchange);
                exchange.sendResponseHeaders(exchange.getRequestHeaders().containsKey("Range") ? 206 : 200,
                        body.length == 0 ? -1 : body.length);
                exchange.getResponseBody().write(body);
            }
        });
        server.start();
        return server;
    }

    private static HttpServer prometheus() throws IOException {
        return server(exchange -> PROMETHEUS.getOrDefault(exchange.getRequestURI().getPath(), "").getBytes(StandardCharsets.UTF_8));
    }

    /** The bucket as an S3 server shows it: one page of a listing, whole objects and ranges of them. */
    private static HttpServer s3(Path bucket) throws IOException {
        StringBuilder list = new StringBuilder("<?xml version=\"1.0\"?><ListBucketResult><IsTruncated>false</IsTruncated>");
        try (Stream<Path> all = Files.walk(bucket)) {
            for (Path p : all.filter(Files::isRegularFile).sorted().toList()) {
                list.append("<Contents><Key>").append(bucket.relativize(p))
                        .append("</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><Size>")
                        .append(Files.size(p)).append("</Size></Contents>");
            }
        }
        byte[] page = list.append("</ListBucketResult>").toString().getBytes(StandardCharsets.UTF_8);
        return server(exchange -> {
            if (exchange.getRequestURI().getQuery() != null) {
                return page;
            }
            byte[] object = Files.readAllBytes(bucket.resolve(exchange.getRequestURI().getPath().substring("/b/".length())));
            String range = exchange.getRequestHeaders().getFirst("Range");
            if (range == null) {
                return object;
            }
            String[] ends = range.substring("bytes=".length()).split("-", 2);
            return Arrays.copyOfRange(object, Integer.parseInt(ends[0]), Math.min(object.length, Integer.parseInt(ends[1]) + 1));
        });
    }
}

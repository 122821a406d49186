package io.varve.dist;

import com.sun.net.httpserver.HttpServer;
import io.varve.compactor.CompactCommand;
import io.varve.querier.QueryCommand;
import io.varve.runtime.ProcessCommand;
import io.varve.runtime.ProcessRunner;
import io.varve.sidecar.SidecarCommand;
import io.varve.storegateway.StoreCommand;
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
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executors;
import java.util.stream.Stream;

/**
 * The run that the AOT cache is made of: every process is started in this JVM against an empty bucket and a Prometheus of cardboard, asked
 * something, and stopped. What it loads and links, a later start finds ready. It checks nothing; a part that does not start is
 * left out of the cache and named.
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
    private static final List<String> QUERIES = List.of("up",
            "sum by (job) (rate(http_requests_total[5m])) / on (job) group_left count(up) by (job)",
            "histogram_quantile(0.9, sum by (le) (rate(x_bucket[5m])))", "max_over_time(x[1h:5m]) > 1 or vector(1)", "topk(3, x) + 1");

    private Training() {
    }

    /** Runs everything once; 0 also where parts were left out. */
    static int run() {
        List<AutoCloseable> open = new ArrayList<>();
        try {
            Path dir = Files.createTempDirectory("varve-training");
            open.add(() -> delete(dir));
            HttpServer prometheus = prometheus();
            open.add(() -> prometheus.stop(0));
            Path bucket = Files.createDirectories(dir.resolve("bucket"));
            Path yaml = Files.writeString(dir.resolve("bucket.yaml"), "type: FILESYSTEM\nconfig:\n  directory: " + bucket + "\n");
            String objstore = "--objstore.config-file=" + yaml;
            String http = "--http-address=127.0.0.1:0";
            String grpc = "--grpc-address=127.0.0.1:0";
            List<String> query = new ArrayList<>(List.of(http, grpc, "--query.replica-label=replica"));
            for (ProcessRunner.Running store : List.of(
                    start(open, new SidecarCommand(), "--prometheus.url=http://127.0.0.1:" + prometheus.getAddress().getPort(),
                            "--tsdb.path=" + Files.createDirectories(dir.resolve("tsdb")), objstore, http, grpc),
                    start(open, new StoreCommand(), "--data-dir=" + dir.resolve("store"), objstore, http, grpc))) {
                query.add("--endpoint=" + store.context().grpcAddress());
            }
            start(open, new CompactCommand(), "--data-dir=" + dir.resolve("compact"), objstore, http, "--wait");
            ProcessRunner.Running querier = start(open, new QueryCommand(), query.toArray(String[]::new));
            ask("http://" + querier.context().httpAddress());
        } catch (Exception e) {
            System.err.println("varve train: left out after " + ProcessRunner.oneLine(e));
        }
        for (AutoCloseable one : open.reversed()) {
            try {
                one.close();
            } catch (Exception e) {
                System.err.println("varve train: " + ProcessRunner.oneLine(e));
            }
        }
        return 0;
    }

    private static ProcessRunner.Running start(List<AutoCloseable> open, ProcessCommand command, String... args) throws Exception {
        ProcessRunner.Running running = ProcessRunner.launch(command, args);
        open.add(running);
        return running;
    }

    private static void ask(String querier) throws IOException, InterruptedException {
        HttpClient client = HttpClient.newHttpClient();
        List<String> paths = new ArrayList<>(
                List.of("/-/ready", "/metrics", "/api/v1/stores", "/api/v1/labels", "/api/v1/status/buildinfo"));
        for (String q : QUERIES) {
            String encoded = URLEncoder.encode(q, StandardCharsets.UTF_8);
            paths.add("/api/v1/query?query=" + encoded);
            paths.add("/api/v1/query_range?start=1700000000&end=1700003600&step=60&query=" + encoded);
        }
        // Twice: the second round may find the endpoints that the first one was too early for.
        for (int round = 0; round < 2; round++) {
            for (String path : paths) {
                client.send(HttpRequest.newBuilder(URI.create(querier + path)).timeout(Duration.ofSeconds(10)).build(),
                        HttpResponse.BodyHandlers.discarding());
            }
            Thread.sleep(1000);
        }
    }

    private static HttpServer prometheus() throws IOException {
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
        server.createContext("/", exchange -> {
            try (exchange) {
                exchange.getRequestBody().readAllBytes();
                byte[] body = PROMETHEUS.getOrDefault(exchange.getRequestURI().getPath(), "").getBytes(StandardCharsets.UTF_8);
                exchange.sendResponseHeaders(200, body.length == 0 ? -1 : body.length);
                exchange.getResponseBody().write(body);
            }
        });
        server.start();
        return server;
    }

    private static void delete(Path dir) throws IOException {
        try (Stream<Path> all = Files.walk(dir)) {
            for (Path p : all.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(p);
            }
        }
    }
}

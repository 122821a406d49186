package io.varve.it;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.varve.demo.Demo;
import io.varve.demo.DemoCheck;
import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.io.TempDir;

/**
 * One running system over a directory bucket, through what a day may bring: comparison with Prometheus, processes killed and started
 * again, a Prometheus that stops. Starting it takes a while, so the tests share it and leave it whole.
 */
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
final class SystemIT {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final HttpClient CLIENT = HttpClient.newHttpClient();
    private static final String QUEUE = "demo_queue_length{instance=\"shop-0:8080\"}";

    @TempDir
    static Path dir;
    private static Demo demo;

    @BeforeAll
    static void launch() throws IOException, InterruptedException {
        demo = Machine.launch(dir, false, "", 5);
    }

    @AfterAll
    static void close() {
        if (demo != null) {
            demo.close();
        }
    }

    @Test
    @Order(1)
    void answersEqualPrometheusAcrossSidecarAndStoreGateway() throws IOException, InterruptedException {
        DemoCheck check = new DemoCheck(demo);
        boolean good = check.run();
        assertThat(good).as("%s", check.differences()).isTrue();
    }

    @Test
    @Order(2)
    void promtoolAcceptsTheBlocks() throws IOException, InterruptedException {
        // What the compactor wrote lies in the bucket as plain block directories; promtool wants them in a data directory.
        Path bucket = dir.resolve("bucket");
        Machine.Outcome list = Machine.run(List.of("promtool", "tsdb", "list", bucket.toString()));
        assertThat(list.code()).as(list.out()).isZero();
        for (Path block : blocks(bucket, 0)) {
            assertThat(list.out()).contains(block.getFileName().toString());
            Machine.Outcome analyze = Machine
                    .run(List.of("promtool", "tsdb", "analyze", bucket.toString(), block.getFileName().toString()));
            assertThat(analyze.code()).as(analyze.out()).isZero();
        }
    }

    private static List<Path> blocks(Path bucket, long resolution) throws IOException {
        try (Stream<Path> entries = Files.list(bucket)) {
            return entries.filter(p -> {
                try {
                    JsonNode meta = JSON.readTree(p.resolve("meta.json").toFile());
                    return meta.at("/thanos/downsample/resolution").asLong() == resolution && meta.at("/compaction/level").asInt() > 1;
                } catch (IOException e) {
                    return false;
                }
            }).toList();
        }
    }

    @Test
    @Order(3)
    void killedStoreGatewayIsNamedAndComesBack() throws IOException, InterruptedException {
        JsonNode before = range(QUEUE, 3 * 86_400, "");
        assertThat(before.has("warnings")).isFalse();
        demo.stop("store", true);
        JsonNode without = range(QUEUE, 3 * 86_400, "");
        assertThat(without.path("status").asText()).isEqualTo("success");
        assertThat(without.path("warnings").toString()).as("an answer without the history says so").isNotEqualTo("");
        assertThat(without.path("warnings")).isNotEmpty();
        assertThat(points(without)).isLessThan(points(before));
        demo.restart("store");
        await(() -> range(QUEUE, 3 * 86_400, ""), a -> !a.has("warnings") && points(a) >= points(before));
    }

    @Test
    @Order(4)
    void killedSidecarLeavesNoHole() throws IOException, InterruptedException {
        demo.stop("sidecar-a", true);
        JsonNode answer = range(QUEUE, 3600, "");
        assertThat(points(answer)).isEqualTo(61);
        demo.restart("sidecar-a");
        await(() -> range(QUEUE, 3600, "&dedup=false"), a -> !a.has("warnings") && a.at("/data/result").size() == 2);
    }

    @Test
    @Order(5)
    void stoppedPrometheusLeavesNoHole() throws IOException, InterruptedException {
        demo.stop("prometheus-b", false);
        assertThat(points(range(QUEUE, 3600, ""))).isEqualTo(61);
        demo.restart("prometheus-b");
        await(() -> range(QUEUE, 3600, "&dedup=false"), a -> !a.has("warnings") && a.at("/data/result").size() == 2);
    }

    @Test
    @Order(6)
    void sidecarStaysSmall() throws IOException {
        assertThat(residentMib(demo.pid("sidecar-b"))).isLessThan(160);
    }

    @Test
    @Order(7)
    void everyProcessStopsGracefully() throws IOException, InterruptedException {
        for (String process : List.of("query", "compact", "store", "sidecar-a", "sidecar-b")) {
            assertThat(demo.stop(process, false)).as(process).isZero();
        }
    }

    private static long residentMib(long pid) throws IOException {
        return Files.readAllLines(Path.of("/proc", Long.toString(pid), "status")).stream().filter(l -> l.startsWith("VmRSS:"))
                .mapToLong(l -> Long.parseLong(l.replaceAll("\\D", "")) / 1024).findFirst().orElse(0);
    }

    /** A range query of the last {@code seconds} with a point a minute, raw data. */
    private static JsonNode range(String query, long seconds, String more) throws IOException, InterruptedException {
        long end = System.currentTimeMillis() / 1000 / 60 * 60 - 60;
        String url = demo.url("query") + "/api/v1/query_range?max_source_resolution=0s&step=60&start=" + (end - seconds) + "&end=" + end
                + "&query="
                + URLEncoder.encode(query, StandardCharsets.UTF_8) + more;
        return JSON.readTree(CLIENT.send(HttpRequest.newBuilder(URI.create(url)).build(), HttpResponse.BodyHandlers.ofString()).body());
    }

    private static int points(JsonNode answer) {
        return answer.at("/data/result/0/values").size();
    }

    private interface Ask {
        JsonNode ask() throws IOException, InterruptedException;
    }

    /** Asks until the answer is as wanted, at most a minute. */
    private static void await(Ask ask, Predicate<JsonNode> wanted) throws IOException, InterruptedException {
        long deadline = System.nanoTime() + 60_000_000_000L;
        JsonNode last = ask.ask();
        while (!wanted.test(last)) {
            assertThat(System.nanoTime()).as("after a minute still: " + abbreviated(last)).isLessThan(deadline);
            Thread.sleep(500);
            last = ask.ask();
        }
    }

    private static String abbreviated(JsonNode answer) {
        String text = answer.toString();
        return text.length() > 500 ? text.substring(0, 500) + "..." : text;
    }
}

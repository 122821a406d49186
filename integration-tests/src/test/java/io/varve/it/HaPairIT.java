package io.varve.it;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.HttpServer;
import io.varve.querier.QueryCommand;
import io.varve.runtime.ProcessRunner;
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
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Two real Prometheus servers scrape one target whose values are known, each with a sidecar. One of them, and then its sidecar, is paused, killed
 * and started again while queries run: no answer has a hole or a spike, and none is incomplete without saying so. Afterwards the one that was
 * paused fills its own gap by remote read, and a third one that has nothing reads everything.
 */
class HaPairIT {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final HttpClient HTTP = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(5)).build();
    /** What the target's counter gains in a second. */
    private static final double RATE = 100;

    @TempDir
    Path dir;

    private final Map<String, Process> processes = new LinkedHashMap<>();
    private final ConcurrentLinkedQueue<String> faults = new ConcurrentLinkedQueue<>();
    private @Nullable HttpServer target;
    private ProcessRunner.@Nullable Running querier;
    private int ports;

    @AfterEach
    void stop() throws Exception {
        for (Process p : processes.values()) {
            signal(p, "CONT");
            p.destroyForcibly().waitFor();
        }
        if (querier != null) {
            querier.close();
        }
        if (target != null) {
            target.stop(0);
        }
    }

    @Test
    void replicasThatComeAndGoLeaveNoTrace() throws Exception {
        Path home = Machine.home();
        Path prometheus = Machine.prometheus();
        ports = Machine.freePorts(12);
        startTarget();
        for (String r : List.of("a", "b")) {
            startPrometheus(prometheus, r);
        }
        for (String r : List.of("a", "b")) {
            startSidecar(home, r);
        }
        querier = ProcessRunner.launch(new QueryCommand(), "--http-address=127.0.0.1:" + port("querier"), "--grpc-address=127.0.0.1:0",
                "--query.replica-label=replica", "--store.response-timeout=2s", "--endpoint.info-timeout=1s",
                "--endpoint=127.0.0.1:" + port("sidecar-a"), "--endpoint=127.0.0.1:" + port("sidecar-b"));
        await("both replicas answer",
                () -> get(url("/api/v1/query", "query", "known_level", "dedup", "false")).at("/data/result").size() == 2);
        long start = System.currentTimeMillis();
        pass(8);

        AtomicBoolean over = new AtomicBoolean();
        AtomicInteger answers = new AtomicInteger();
        List<Thread> load = new ArrayList<>();
        for (int i = 0; i < 2; i++) {
            load.add(Thread.ofVirtual().start(() -> {
                while (!over.get()) {
                    look(start, answers);
                }
            }));
        }
        long pausedAt = System.currentTimeMillis();
        Process a = running("prometheus-a");
        signal(a, "STOP");
        pass(7);
        signal(a, "CONT");
        long resumedAt = System.currentTimeMillis();
        pass(4);
        a.destroyForcibly().waitFor();
        pass(3);
        startPrometheus(prometheus, "a");
        pass(5);
        Process sidecar = running("sidecar-a");
        signal(sidecar, "STOP");
        pass(5);
        signal(sidecar, "CONT");
        pass(2);
        sidecar.destroyForcibly().waitFor();
        pass(3);
        startSidecar(home, "a");
        pass(4);
        over.set(true);
        for (Thread t : load) {
            t.join();
        }
        assertThat(faults).as("of " + answers + " answers").isEmpty();
        assertThat(answers.get()).isGreaterThan(20);

        await("all are there again", () -> {
            JsonNode r = get(url("/api/v1/query", "query", "known_level", "dedup", "false"));
            return !r.has("warnings") && r.at("/data/result").size() == 2;
        });

        // Its own gap, seen by itself.
        String inGap = Long.toString((pausedAt + resumedAt) / 2000 + 1);
        JsonNode scraped = get(
                url("/api/v1/query", "query", "count_over_time(known_level{replica=\"a\"}[3s])", "time", inGap, "dedup", "false"));
        assertThat(scraped.at("/data/result")).as("what a itself scraped while it was paused").isEmpty();
        String atA = "http://127.0.0.1:" + port("prometheus-a") + "/api/v1/query?"
                + form("query", "count_over_time(known_level[3s])", "time", inGap);
        JsonNode filled = get(atA);
        assertThat(filled.at("/data/result")).as(filled.toString()).hasSize(1);

        // Everything, by one that has nothing.
        startPrometheus(prometheus, "reader");
        String end = Long.toString(System.currentTimeMillis() / 1000 - 5);
        String[] range = {"query", "sum(rate(known_total[15s]))", "start", Long.toString(start / 1000 + 16), "end", end, "step", "1"};
        JsonNode read = get("http://127.0.0.1:" + port("prometheus-reader") + "/api/v1/query_range?" + form(range));
        JsonNode ours = get(url("/api/v1/query_range", range));
        assertThat(read.at("/data/result")).as(read.toString()).hasSize(1);
        assertThat(read.at("/data/result/0/values").size()).isEqualTo(ours.at("/data/result/0/values").size());
        assertThat(badRate(read)).isEmpty();
    }

    /** One look at everything so far: two queries whose answers are known. */
    private void look(long start, AtomicInteger answers) {
        long end = System.currentTimeMillis() / 1000 - 4;
        long from = start / 1000 + 17;
        if (end <= from) {
            return;
        }
        String[] range = {"start", Long.toString(from), "end", Long.toString(end), "step", "1"};
        try {
            for (String query : List.of("rate(known_total[15s])", "count_over_time(known_level[4s]) * 0 + 100")) {
                HttpResponse<String> r = send(url("/api/v1/query_range", range) + "&" + form("query", query));
                if (r.statusCode() != 200) {
                    faults.add(query + ": " + r.statusCode() + " " + r.body());
                    continue;
                }
                JsonNode answer = JSON.readTree(r.body());
                boolean complete = r.headers().firstValue("X-Varve-Coverage").orElse("").startsWith("complete=true");
                if (complete == answer.has("warnings")) {
                    faults.add(query + ": complete=" + complete + " and warnings " + answer.path("warnings"));
                }
                int points = answer.at("/data/result/0/values").size();
                if (answer.at("/data/result").size() != 1 || points != end - from + 1) {
                    faults.add(query + ": " + answer.at("/data/result").size() + " series, " + points + " of " + (end - from + 1)
                            + " points, warnings " + answer.path("warnings"));
                }
                badRate(answer).forEach(b -> faults.add(query + ": " + b));
                answers.incrementAndGet();
            }
        } catch (IOException e) {
            faults.add(e.toString());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Values that are far from what the target's counter gains. */
    private static List<String> badRate(JsonNode answer) {
        List<String> bad = new ArrayList<>();
        for (JsonNode v : answer.at("/data/result/0/values")) {
            double rate = Double.parseDouble(v.get(1).asText());
            if (!(rate > RATE * 0.6 && rate < RATE * 1.6)) {
                bad.add(v.toString());
            }
        }
        return bad;
    }

    private void startTarget() throws IOException {
        long zero = System.nanoTime();
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), port("target")), 0);
        server.createContext("/metrics", x -> {
            long total = (long) ((System.nanoTime() - zero) / 1e9 * RATE);
            byte[] body = ("# TYPE known_total counter\nknown_total " + total + "\n# TYPE known_level gauge\nknown_level 42\n")
                    .getBytes(StandardCharsets.UTF_8);
            x.getResponseHeaders().set("Content-Type", "text/plain; version=0.0.4");
            x.sendResponseHeaders(200, body.length);
            x.getResponseBody().write(body);
            x.close();
        });
        server.start();
        target = server;
    }

    private int port(String what) {
        return ports + List.of("target", "querier", "prometheus-a", "prometheus-b", "prometheus-reader", "sidecar-a", "sidecar-b",
                "sidecar-http-a", "sidecar-http-b").indexOf(what);
    }

    private void startPrometheus(Path binary, String name) throws IOException, InterruptedException {
        boolean reader = name.equals("reader");
        Path config = dir.resolve("prometheus-" + name + ".yml");
        Files.writeString(config, "global:\n  scrape_interval: 1s\n  external_labels: "
                + (reader ? "{}" : "{cluster: it, replica: " + name + "}") + "\n"
                + (reader
                        ? ""
                        : "scrape_configs:\n- job_name: known\n  static_configs:\n  - targets: ['127.0.0.1:" + port("target") + "']\n")
                + (name.equals("b")
                        ? ""
                        : "remote_read:\n- url: http://127.0.0.1:" + port("querier") + "/api/v1/read\n  read_recent: true\n"));
        start("prometheus-" + name,
                List.of(binary.toString(), "--config.file=" + config, "--storage.tsdb.path=" + dir.resolve("data-" + name),
                        "--web.listen-address=127.0.0.1:" + port("prometheus-" + name), "--storage.tsdb.min-block-duration=2h",
                        "--storage.tsdb.max-block-duration=2h"));
        await("prometheus-" + name + " is ready",
                () -> send("http://127.0.0.1:" + port("prometheus-" + name) + "/-/ready").statusCode() == 200);
    }

    private void startSidecar(Path home, String replica) throws IOException {
        start("sidecar-" + replica, List.of(home.resolve("bin/varve").toString(), "sidecar",
                "--prometheus.url=http://127.0.0.1:" + port("prometheus-" + replica), "--tsdb.path=" + dir.resolve("data-" + replica),
                "--grpc-address=127.0.0.1:" + port("sidecar-" + replica),
                "--http-address=127.0.0.1:" + port("sidecar-http-" + replica)));
    }

    private void start(String name, List<String> command) throws IOException {
        processes.put(name, new ProcessBuilder(command).redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.appendTo(dir.resolve(name + ".log").toFile())).start());
    }

    private Process running(String name) {
        return Objects.requireNonNull(processes.get(name));
    }

    private static void signal(Process p, String signal) throws IOException, InterruptedException {
        if (p.isAlive()) {
            new ProcessBuilder("kill", "-" + signal, Long.toString(p.pid())).start().waitFor();
        }
    }

    private static String form(String... pairs) {
        StringBuilder sb = new StringBuilder();
        for (int i = 0; i < pairs.length; i += 2) {
            sb.append(i > 0 ? "&" : "").append(pairs[i]).append('=').append(URLEncoder.encode(pairs[i + 1], StandardCharsets.UTF_8));
        }
        return sb.toString();
    }

    private String url(String path, String... params) {
        return "http://127.0.0.1:" + port("querier") + path + "?" + form(params);
    }

    private static HttpResponse<String> send(String url) throws IOException, InterruptedException {
        return HTTP.send(HttpRequest.newBuilder(URI.create(url)).timeout(Duration.ofSeconds(30)).build(),
                HttpResponse.BodyHandlers.ofString());
    }

    private static JsonNode get(String url) throws IOException, InterruptedException {
        return JSON.readTree(send(url).body());
    }

    /** Lets the real clock of the real servers pass. */
    private static void pass(int seconds) throws InterruptedException {
        Thread.sleep(Duration.ofSeconds(seconds));
    }

    private interface Condition {
        boolean holds() throws IOException, InterruptedException;
    }

    private static void await(String what, Condition condition) throws InterruptedException {
        long deadline = System.nanoTime() + 60_000_000_000L;
        while (true) {
            try {
                if (condition.holds()) {
                    return;
                }
            } catch (IOException e) {
                // Not there yet.
            }
            assertThat(System.nanoTime()).as(what).isLessThan(deadline);
            Thread.sleep(200);
        }
    }
}

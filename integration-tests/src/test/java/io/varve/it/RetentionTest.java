package io.varve.it;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.varve.querier.QueryCommand;
import io.varve.runtime.ProcessRunner;
import io.varve.storegateway.StoreCommand;
import io.varve.testkit.Shared;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Retention takes raw data away first: what a query showed before it still shows after it, less finely. Buckets of Thanos with blocks taken out, behind a store
 * gateway and a querier.
 */
class RetentionTest {
    private static final HttpClient HTTP = HttpClient.newHttpClient();
    private static final long FORTNIGHT = 1_791_417_600L;
    private static final long END = FORTNIGHT + 14 * 86_400;
    private static final List<String> QUERIES = List.of("up", "queue_depth", "rate(http_requests_total[10m])",
            "increase(http_requests_total[2h])",
            "rate(request_latency_seconds_bucket[10m])", "histogram_count(rate(rpc_duration_seconds[10m]))",
            "max_over_time(queue_depth[30m])",
            "histogram_count(rate(payload_bytes[10m]))", "histogram_count(rpc_duration_seconds)",
            "avg_over_time(room_temperature_celsius[1h])");
    /** Where they begin, before or after the fortnight does, and how far their steps are apart; in seconds. */
    private static final long[][] RANGES = {{-86_400, 86_400}, {7 * 3600 + 100, 21_600}, {-400_000, 3_600}, {13 * 86_400, 300}};

    @TempDir
    Path dir;

    /** A block of the fortnight. */
    private record Block(long resolution, String replica) {
    }

    private record Answer(String query, long step, Map<String, TreeMap<Long, Double>> series) {
    }

    @Test
    void nothingIsMissingThatIsThereAtAnotherResolution() throws Exception {
        Path bucket = Shared.golden("thanos/buckets/ha-pair/2-downsampled").orElse(null);
        assumeTrue(bucket != null);
        List<Answer> whole = answers(bucket, "whole", b -> true);
        Map<String, Predicate<Block>> cases = Map.of("no-raw", b -> b.resolution > 0, "hours", b -> b.resolution == 3_600_000,
                "raw-of-one", b -> b.resolution > 0 || b.replica.equals("a"), "raw-of-other",
                b -> b.resolution > 0 || b.replica.equals("b"),
                "hours-of-one", b -> b.resolution == 3_600_000 || b.resolution == 300_000 && b.replica.equals("b"));
        List<String> wrong = new ArrayList<>();
        for (Map.Entry<String, Predicate<Block>> c : cases.entrySet()) {
            List<Answer> got = answers(bucket, c.getKey(), c.getValue());
            for (int i = 0; i < whole.size(); i++) {
                compare(c.getKey(), whole.get(i), got.get(i), wrong);
            }
        }
        assertThat(wrong).isEmpty();
    }

    private static void compare(String name, Answer whole, Answer got, List<String> wrong) {
        int instants = 0;
        int missing = 0;
        int far = 0;
        for (Map.Entry<String, TreeMap<Long, Double>> s : whole.series.entrySet()) {
            TreeMap<Long, Double> there = got.series.getOrDefault(s.getKey(), new TreeMap<>());
            for (Map.Entry<Long, Double> v : s.getValue().entrySet()) {
                instants++;
                Double other = there.get(v.getKey());
                if (other == null) {
                    missing++;
                } else if (Math.abs(other - v.getValue()) > Math.abs(v.getValue()) + 1) {
                    far++;
                }
            }
        }
        // At the ends of a series, and where one replica's coarse data stands for an outage of the other's.
        if (missing > 1 + instants / 50 || far > instants / 20) {
            wrong.add(name + ": of " + instants + " values of " + got.query + " with step " + got.step + " " + missing + " are missing, "
                    + far
                    + " far off");
        }
    }

    private List<Answer> answers(Path bucket, String name, Predicate<Block> kept) throws Exception {
        Path copy = Files.createDirectory(dir.resolve(name));
        try (Stream<Path> blocks = Files.list(bucket)) {
            for (Path block : blocks.filter(b -> Files.exists(b.resolve("meta.json"))).toList()) {
                JsonNode meta = Shared.json(block.resolve("meta.json"));
                JsonNode thanos = meta.get("thanos");
                boolean old = meta.get("maxTime").asLong() - meta.get("minTime").asLong() > 200 * 3_600_000L;
                if (!old || kept.test(new Block(thanos.get("downsample").get("resolution").asLong(),
                        thanos.get("labels").get("replica").asText()))) {
                    copy(block, copy.resolve(block.getFileName()));
                }
            }
        }
        Path data = Files.createDirectory(dir.resolve("data-" + name));
        try (ProcessRunner.Running store = ProcessRunner.launch(new StoreCommand(), "--http-address=127.0.0.1:0",
                "--grpc-address=127.0.0.1:0",
                "--data-dir=" + data, "--objstore.config={type: FILESYSTEM, config: {directory: \"" + copy + "\"}}")) {
            ready(store);
            try (ProcessRunner.Running query = ProcessRunner.launch(new QueryCommand(), "--http-address=127.0.0.1:0",
                    "--grpc-address=127.0.0.1:0", "--query.replica-label=replica", "--endpoint=" + store.context().grpcAddress())) {
                ready(query);
                List<Answer> out = new ArrayList<>();
                for (String q : QUERIES) {
                    for (long[] r : RANGES) {
                        out.add(new Answer(q, r[1], ask(query.context().httpAddress(), q, FORTNIGHT + r[0], END - 3600, r[1])));
                    }
                }
                return out;
            }
        }
    }

    private static void ready(ProcessRunner.Running r) {
        long deadline = System.nanoTime() + 60_000_000_000L;
        while (!r.context().probes().isReady()) {
            assertThat(System.nanoTime()).as("it gets ready").isLessThan(deadline);
            LockSupport.parkNanos(10_000_000);
        }
    }

    private static void copy(Path from, Path to) throws Exception {
        try (Stream<Path> all = Files.walk(from)) {
            for (Path p : all.toList()) {
                Files.copy(p, to.resolve(from.relativize(p).toString()));
            }
        }
    }

    private static Map<String, TreeMap<Long, Double>> ask(String address, String query, long start, long end, long step) throws Exception {
        String uri = "http://" + address + "/api/v1/query_range?query=" + URLEncoder.encode(query, StandardCharsets.UTF_8) + "&start="
                + start
                + "&end=" + end + "&step=" + step;
        JsonNode answer = Shared
                .parse(HTTP.send(HttpRequest.newBuilder(URI.create(uri)).build(), HttpResponse.BodyHandlers.ofString()).body());
        assertThat(answer.get("status").asText()).as("%s", answer).isEqualTo("success");
        Map<String, TreeMap<Long, Double>> out = new TreeMap<>();
        answer.get("data").get("result").forEach(s -> {
            TreeMap<Long, Double> values = new TreeMap<>();
            s.path("values").forEach(v -> values.put(v.get(0).asLong(), Double.parseDouble(v.get(1).asText())));
            out.put(s.get("metric").toString(), values);
        });
        return out;
    }
}

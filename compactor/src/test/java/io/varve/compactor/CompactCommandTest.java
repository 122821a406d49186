package io.varve.compactor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.varve.block.BlockMark;
import io.varve.block.BlockUploader;
import io.varve.chunk.Chunk;
import io.varve.chunk.ChunkAppender;
import io.varve.model.Labels;
import io.varve.model.UnavailableException;
import io.varve.objstore.BucketFactory;
import io.varve.runtime.ProcessRunner;
import io.varve.runtime.flags.FlagException;
import io.varve.testkit.Shared;
import io.varve.testkit.TempTree;
import io.varve.tsdb.BlockMeta;
import io.varve.tsdb.BlockWriter;
import io.varve.tsdb.Ulid;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The whole process: what it does after a failure, while it waits, and over HTTP. */
@Timeout(120)
class CompactCommandTest {
    private static final long HOUR = 3_600_000;
    private static final long START = 1_209_600_000L * 1400;
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final HttpClient HTTP = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

    private final TempTree tree = TempTree.create();
    private final Path bucket = tree.root().resolve("bucket");
    private final Path data = tree.root().resolve("data");

    @AfterEach
    void remove() {
        tree.close();
    }

    private String objstore() {
        return "{type: FILESYSTEM, config: {directory: '" + bucket + "'}}";
    }

    private ProcessRunner.Running launch(String... flags) throws Exception {
        Files.createDirectories(bucket);
        List<String> all = new ArrayList<>(List.of("--http-address=127.0.0.1:0", "--data-dir=" + data, "--objstore.config=" + objstore(),
                "--consistency-delay=0s", "--downsampling.disable"));
        all.addAll(List.of(flags));
        return ProcessRunner.launch(new CompactCommand(), all.toArray(String[]::new));
    }

    private Ulid block(int fromHour, int toHour) throws Exception {
        Ulid id = new Ulid(START + fromHour * HOUR, toHour);
        Path made = tree.root().resolve("made");
        try (BlockWriter writer = BlockWriter.create(made, id)) {
            List<Chunk> chunks = new ArrayList<>();
            ChunkAppender appender = ChunkAppender.plain(ChunkAppender.USUAL_SAMPLES, chunks::add);
            for (long t = fromHour * HOUR; t < toHour * HOUR; t += 60_000) {
                appender.append(START + t, t);
            }
            appender.cut();
            writer.add(Labels.of("__name__", "a_total"), chunks);
            writer.commit(
                    new BlockMeta(id, START + fromHour * HOUR, START + toHour * HOUR, BlockMeta.Stats.EMPTY, BlockMeta.Compaction.fresh(id))
                            .withThanos(BlockMeta.Thanos.of(Labels.of("cluster", "eu"), 0, "sidecar")));
        }
        try (var store = BucketFactory.open(objstore())) {
            new BlockUploader(store, 1, BlockUploader.Hash.NONE, InstantSource.system()).upload(made.resolve(id.toString()));
        }
        return id;
    }

    private void fiveBlocks() throws Exception {
        for (int h : new int[]{0, 2, 4, 8, 10}) {
            block(h, h + 2);
        }
    }

    private static HttpResponse<String> get(ProcessRunner.Running process, String path) {
        try {
            return HTTP.send(HttpRequest.newBuilder(URI.create("http://" + process.context().httpAddress() + path)).build(),
                    HttpResponse.BodyHandlers.ofString());
        } catch (java.io.IOException | InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    private static HttpResponse<String> mark(ProcessRunner.Running process, String form) throws Exception {
        return HTTP.send(HttpRequest.newBuilder(URI.create("http://" + process.context().httpAddress() + "/api/v1/blocks/mark"))
                .header("Content-Type", "application/x-www-form-urlencoded").POST(HttpRequest.BodyPublishers.ofString(form)).build(),
                HttpResponse.BodyHandlers.ofString());
    }

    /** Values of metrics without labels. */
    private static Map<String, Double> metrics(ProcessRunner.Running process) {
        Map<String, Double> values = new TreeMap<>();
        get(process, "/metrics").body().lines().filter(l -> !l.startsWith("#") && l.indexOf('{') < 0)
                .forEach(l -> values.put(l.substring(0, l.indexOf(' ')), Double.valueOf(l.substring(l.indexOf(' ') + 1))));
        return values;
    }

    private static void until(BooleanSupplier condition) {
        while (!condition.getAsBoolean()) {
            LockSupport.parkNanos(20_000_000);
            if (Thread.interrupted()) {
                throw new IllegalStateException("the condition did not come about in time");
            }
        }
    }

    private long blocks() throws Exception {
        try (Stream<Path> entries = Files.list(bucket)) {
            return entries.filter(p -> Ulid.parse(p.getFileName().toString()).isPresent()).count();
        }
    }

    @Test
    void whatEndsASyncOfTheViewerIsToldWhateverItIs() {
        for (Throwable why : List.of(new StackOverflowError("too deep"), new UnavailableException("no bucket"),
                new IllegalStateException("a fault"))) {
            assertThatThrownBy(() -> CompactCommand.within(Duration.ofSeconds(30), () -> {
                if (why instanceof Error e) {
                    throw e;
                }
                throw (RuntimeException) why;
            })).isSameAs(why);
        }
        assertThatThrownBy(() -> CompactCommand.within(Duration.ofMillis(20), () -> LockSupport.parkNanos(Long.MAX_VALUE)))
                .isInstanceOf(UnavailableException.class).hasMessage("sync took longer than 0 s");
    }

    @Test
    void variablesInRulesThatSelectStreamsAreReplaced() {
        assertThatThrownBy(() -> launch("--selector.relabel-config=[{action: keep, source_labels: [cluster], regex: $(VARVE_NO_SUCH)}]"))
                .isInstanceOf(FlagException.class).hasMessageContaining("VARVE_NO_SUCH");
    }

    @Test
    void withoutWaitItEndsWithZeroWhenAllIsDone() throws Exception {
        fiveBlocks();
        try (ProcessRunner.Running process = launch()) {
            assertThat(process.await()).isZero();
        }
        assertThat(blocks()).isEqualTo(6);
    }

    @Test
    void withoutWaitWhatNeedsAPersonEndsWithOne() throws Exception {
        block(0, 2);
        block(1, 3);
        try (ProcessRunner.Running process = launch()) {
            assertThat(process.await()).isOne();
        }
    }

    @Test
    void withWaitItHaltsWhereAPersonHasToLookAndStaysUp() throws Exception {
        block(0, 2);
        block(1, 3);
        try (ProcessRunner.Running process = launch("--wait", "--wait-interval=1s")) {
            until(() -> metrics(process).get("thanos_compact_halted") == 1);
            assertThat(metrics(process)).containsEntry("thanos_compact_iterations_total", 0.0).containsEntry("thanos_compact_retries_total",
                    0.0);
            assertThat(get(process, "/-/healthy").statusCode()).isEqualTo(200);
            assertThat(get(process, "/-/ready").statusCode()).isEqualTo(200);
        }
        assertThat(blocks()).isEqualTo(2);
    }

    @Test
    void withWaitAndNoHaltTheSameEndsWithOne() throws Exception {
        block(0, 2);
        block(1, 3);
        try (ProcessRunner.Running process = launch("--wait", "--no-debug.halt-on-error")) {
            assertThat(process.await()).isOne();
        }
    }

    @Test
    void withWaitWhatMayPassIsTriedAgain() throws Exception {
        fiveBlocks();
        Files.createDirectories(data);
        Path inTheWay = Files.createFile(data.resolve("compact"));
        try (ProcessRunner.Running process = launch("--wait", "--wait-interval=100ms")) {
            until(() -> metrics(process).get("thanos_compact_retries_total") >= 2);
            assertThat(metrics(process)).containsEntry("thanos_compact_halted", 0.0).containsEntry("thanos_compact_iterations_total", 0.0);
            Files.delete(inTheWay);
            until(() -> metrics(process).get("thanos_compact_iterations_total") >= 1);
            // It goes on: what comes later is compacted later.
            long before = blocks();
            block(12, 14);
            block(16, 18);
            block(18, 20);
            until(() -> {
                try {
                    return blocks() > before + 3;
                } catch (Exception e) {
                    throw new IllegalStateException(e);
                }
            });
            assertThat(metrics(process)).containsEntry("thanos_compact_halted", 0.0);
        }
    }

    @Test
    void withoutWaitWhatMayPassEndsWithOne() throws Exception {
        fiveBlocks();
        Files.createDirectories(data);
        Files.createFile(data.resolve("compact"));
        try (ProcessRunner.Running process = launch()) {
            assertThat(process.await()).isOne();
        }
    }

    @Test
    void cleanupAndProgressRunBesideAHaltedCompactor() throws Exception {
        block(0, 2);
        block(1, 3);
        Ulid gone = block(48, 50);
        Files.write(bucket.resolve(BlockMark.key(gone, BlockMark.Kind.DELETION)),
                new BlockMark(BlockMark.Kind.DELETION, gone, "", 1_600_000_000L, "").toJson());
        try (ProcessRunner.Running process = launch("--wait", "--compact.cleanup-interval=100ms", "--compact.progress-interval=100ms",
                "--delete-delay=1h")) {
            until(() -> metrics(process).get("thanos_compact_halted") == 1
                    && metrics(process).get("thanos_compact_block_cleanup_loops_total") >= 2
                    && metrics(process).get("thanos_compact_todo_compactions") == 1);
            assertThat(metrics(process).get("thanos_compact_blocks_cleaned_total")).isPositive();
            assertThat(metrics(process)).containsEntry("thanos_compact_todo_compaction_blocks", 2.0)
                    .containsEntry("thanos_compact_todo_deletion_blocks", 0.0);
        }
        assertThat(blocks()).isEqualTo(2);
    }

    @Test
    void blocksAreShownAndMarkedOverHttp() throws Exception {
        Ulid first = block(0, 2);
        Ulid second = block(2, 4);
        try (ProcessRunner.Running process = launch("--wait", "--wait-interval=10m", "--bucket-web-label=cluster",
                "--block-viewer.global.sync-block-interval=100ms")) {
            until(() -> get(process, "/api/v1/blocks?view=global").body().contains(second.toString()));
            for (String view : List.of("global", "loaded")) {
                until(() -> get(process, "/api/v1/blocks?view=" + view).body().contains(second.toString()));
                HttpResponse<String> answer = get(process, "/api/v1/blocks?view=" + view);
                assertThat(answer.headers().firstValue("Content-Type")).contains("application/json");
                JsonNode json = JSON.readTree(answer.body());
                assertThat(json.path("status").asText()).isEqualTo("success");
                JsonNode d = json.path("data");
                assertThat(d.path("label").asText()).isEqualTo("cluster");
                assertThat(d.path("err").isNull()).isTrue();
                assertThat(d.path("refreshedAt").asText()).matches("\\d{4}-.*Z");
                assertThat(d.path("blocks")).hasSize(2);
                JsonNode b = d.path("blocks").path(0);
                assertThat(b).isEqualTo(JSON.readTree(bucket.resolve(first.toString()).resolve("meta.json").toFile()));
            }
            for (var refused : Map
                    .of("action=DELETION", "ID cannot be empty", "id=" + first, "Action cannot be empty", "id=x&action=DELETION",
                            "ULID \"x\" is not valid", "id=" + first + "&action=NO_DOWNSAMPLE", "not supported marker NO_DOWNSAMPLE")
                    .entrySet()) {
                HttpResponse<String> answer = mark(process, refused.getKey());
                assertThat(answer.statusCode()).isEqualTo(400);
                assertThat(JSON.readTree(answer.body())).isEqualTo(
                        JSON.createObjectNode().put("status", "error").put("errorType", "bad_data").put("error", refused.getValue()));
            }
            String why = "said ü & so";
            assertThat(
                    mark(process, "id=" + first + "&action=NO_COMPACTION&detail=" + URLEncoder.encode(why, StandardCharsets.UTF_8)).body())
                    .contains("\"success\"");
            assertThat(mark(process, "id=" + second + "&action=DELETION").statusCode()).isEqualTo(200);
            String key = BlockMark.key(first, BlockMark.Kind.NO_COMPACT);
            BlockMark written = BlockMark.parse(BlockMark.Kind.NO_COMPACT, Files.readAllBytes(bucket.resolve(key)), key);
            assertThat(written.details()).isEqualTo(why);
            assertThat(written.reason()).isEqualTo("manual");
            assertThat(bucket.resolve(BlockMark.key(second, BlockMark.Kind.DELETION))).exists();
            assertThat(HTTP
                    .send(HttpRequest.newBuilder(URI.create("http://" + process.context().httpAddress() + "/api/v1/blocks/mark")).build(),
                            HttpResponse.BodyHandlers.ofString())
                    .statusCode()).isEqualTo(405);
        }
    }

    @Test
    void markingCanBeTurnedOffAndSoCanTheView() throws Exception {
        Ulid id = block(0, 2);
        try (ProcessRunner.Running process = launch("--wait", "--disable-admin-operations")) {
            HttpResponse<String> answer = mark(process, "id=" + id + "&action=DELETION");
            assertThat(answer.statusCode()).isEqualTo(400);
            assertThat(answer.body()).contains("Admin operations are disabled");
        }
        assertThat(bucket.resolve(BlockMark.key(id, BlockMark.Kind.DELETION))).doesNotExist();
        try (ProcessRunner.Running process = launch("--wait", "--web.disable")) {
            assertThat(get(process, "/api/v1/blocks").statusCode()).isEqualTo(404);
            assertThat(get(process, "/-/healthy").statusCode()).isEqualTo(200);
        }
    }

    @Test
    void flagsThatContradictEachOtherAreRefusedByName() {
        for (var bad : Map
                .of("--deduplication.func=penalty", "--deduplication.replica-label", "--compact.concurrency=0", "compact.concurrency",
                        "--debug.max-compaction-level=5", "debug.max-compaction-level", "--web.prefix-header=X", "web.prefix-header",
                        "--deduplication.func=chain", "deduplication.func")
                .entrySet()) {
            assertThatThrownBy(() -> launch(bad.getKey())).as(bad.getKey()).isInstanceOf(FlagException.class)
                    .hasMessageContaining(bad.getValue());
        }
    }

    /** Of a process written in Go, and of the library of Prometheus that Thanos compacts with. */
    private static final List<String> NOT_OURS = List.of("go_", "process_", "promhttp_", "prometheus_tsdb_");

    @Test
    void everyMetricOfThanosIsThereWithItsTypeAndLabels() throws Exception {
        Path golden = Shared.golden("thanos/metrics/compact.json").orElse(null);
        assumeTrue(golden != null);
        fiveBlocks();
        TreeMap<String, String> types = new TreeMap<>();
        String text;
        try (ProcessRunner.Running process = launch("--wait")) {
            until(() -> metrics(process).get("thanos_compact_iterations_total") >= 1);
            get(process, "/api/v1/blocks");
            text = get(process, "/metrics").body();
        }
        text.lines().filter(l -> l.startsWith("# TYPE ")).forEach(l -> types.put(l.split(" ")[2], l.split(" ")[3]));
        List<String> missing = new ArrayList<>();
        for (JsonNode m : JSON.readTree(golden.toFile())) {
            String name = m.path("name").asText();
            if (NOT_OURS.stream().anyMatch(name::startsWith)) {
                continue;
            }
            if (!m.path("type").asText().equals(types.get(name))) {
                missing.add(name + ": " + m.path("type").asText() + " in Thanos, here " + types.get(name));
            }
            TreeSet<String> want = new TreeSet<>();
            m.path("labels").forEach(l -> want.add(l.asText()));
            want.removeAll(List.of("le", "quantile"));
            for (String line : text.lines().filter(l -> l.startsWith(name + "{") || l.startsWith(name + "_count{")).toList()) {
                TreeSet<String> got = new TreeSet<>();
                java.util.regex.Pattern.compile("([a-z_]+)=\"").matcher(line).results().forEach(r -> got.add(r.group(1)));
                if (!got.equals(want)) {
                    missing.add(name + ": labels " + want + " in Thanos, here " + line);
                    break;
                }
            }
        }
        assertThat(missing).isEmpty();
    }
}

package io.varve.storegateway;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.varve.model.Matcher;
import io.varve.objstore.MemoryBucket;
import io.varve.objstore.ObjectBody;
import io.varve.store.SeriesRequest;
import io.varve.store.ShardInfo;
import io.varve.testkit.Shared;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Small buckets with one thing wrong each: what a Thanos store gateway loads of them and answers, and what this one does. */
class OddBucketsTest {
    /** Seconds since a mark was set when the recording was made. */
    private static final Map<String, Long> MARK_AGES = Map.of("deletion-mark-30h", 30 * 3600L, "deletion-mark-fresh", 3600L,
            "deletion-mark-old", 5 * 86_400L, "downsample-decisions", 3600L);
    /** Thanos fails the call, or serves a flipped byte; here the second block alone is missing from the answer, with a warning. */
    private static final Set<String> ONE_BLOCK_FAULTY = Set.of("chunks-missing", "chunks-truncated", "chunk-flipped");
    /** Here a meta.json that names another block, or is of another version, costs that block; see docs/differences. */
    private static final Set<String> META_REFUSED = Set.of("meta-wrong-ulid", "meta-version2", "thanos-version2");
    /** Thanos loads such a block without a word and answers as if it held nothing; here a warning names it. */
    private static final Set<String> INDEX_REFUSED = Set.of("index-missing", "index-truncated");

    @TestFactory
    Stream<DynamicTest> cases() throws IOException {
        Path odd = Shared.golden("thanos/buckets/odd").orElse(null);
        assumeTrue(odd != null);
        String second = second(odd);
        try (Stream<Path> list = Files.list(odd)) {
            return list.filter(Files::isDirectory).sorted()
                    .map(p -> DynamicTest.dynamicTest(p.getFileName().toString(), () -> check(p, second)))
                    .toList()
                    .stream();
        }
    }

    /** The block that the odd thing is done to. */
    private static String second(Path odd) throws IOException {
        try (Stream<Path> blocks = Files.list(odd.resolve("plain/input"))) {
            return blocks.map(p -> p.getFileName().toString()).sorted().skip(1).findFirst().orElseThrow();
        }
    }

    private static void check(Path directory, String second) throws IOException {
        String name = directory.getFileName().toString();
        JsonNode recorded;
        try (InputStream in = new GZIPInputStream(Files.newInputStream(directory.resolve("result.json.gz")))) {
            recorded = Shared.parse(new String(in.readAllBytes(), StandardCharsets.UTF_8)).get("store");
        }
        try (TestGateway g = new TestGateway(bucket(directory.resolve("input"), MARK_AGES.getOrDefault(name, -1L)),
                TestGateway.Setup.DEFAULT)) {
            TreeMap<String, JsonNode> loaded = new TreeMap<>();
            for (GatewayBlock b : g.gateway.blocks().byId().values()) {
                loaded.put(b.id(), BlocksApi.json(b.meta()));
            }
            TreeMap<String, JsonNode> wanted = new TreeMap<>();
            Shared.parse(recorded.get("api_blocks_loaded").asText()).at("/data/blocks").forEach(b -> wanted.put(b.get("ulid").asText(), b));
            TestGateway.Answer answer = g.series(new SeriesRequest(0, Long.MAX_VALUE,
                    List.of(Matcher.of(Matcher.Type.REGEX, "__name__", "up|http_requests_total|odd_.*")), 0, Set.of(), true, false,
                    List.of(),
                    List.of(), ShardInfo.NONE, 0, 0, SeriesRequest.Spans.ALL));
            if (META_REFUSED.contains(name)) {
                assertThat(loaded).hasSize(5).doesNotContainKey(second);
                assertThat(answer.warnings()).isEmpty();
                assertThat(answer.chunks()).isEqualTo(15);
                return;
            }
            assertThat(loaded.keySet()).isEqualTo(wanted.keySet());
            loaded.forEach((id, meta) -> assertThat(Shared.parse(meta.toString())).as(id).isEqualTo(wanted.get(id)));
            if (ONE_BLOCK_FAULTY.contains(name)) {
                assertThat(answer.warnings()).singleElement().asString().contains(second);
                assertThat(answer.lines()).extracting(l -> l.chunks().size()).contains(5);
                return;
            }
            List<String> want = new ArrayList<>();
            recorded.at("/series/frames").forEach(f -> want.add(line(f.get("labels"), f.get("chunks").asInt(), f.get("first_min").asLong(),
                    f.get("last_max").asLong())));
            assertThat(answer.lines().stream().map(OddBucketsTest::line).toList()).isEqualTo(want);
            if (INDEX_REFUSED.contains(name)) {
                assertThat(answer.warnings()).singleElement().asString().contains(second);
            } else {
                assertThat(answer.warnings()).isEmpty();
            }
        }
    }

    private static String line(JsonNode labels, int chunks, long first, long last) {
        StringBuilder sb = new StringBuilder();
        labels.forEach(l -> sb.append(l.get(0).asText()).append('=').append(l.get(1).asText()).append(' '));
        return sb.append(chunks).append(' ').append(first).append('-').append(last).toString();
    }

    private static String line(TestGateway.Line l) {
        StringBuilder sb = new StringBuilder();
        l.labels().forEach((name, value) -> sb.append(name).append('=').append(value).append(' '));
        // A chunk begins with its times.
        String first = l.chunks().getFirst();
        String last = l.chunks().getLast();
        return sb.append(l.chunks().size()).append(' ').append(first, 0, first.indexOf('-')).append('-')
                .append(last, last.indexOf('-') + 1, last.indexOf(' ')).toString();
    }

    private static long newestMark(Path input) throws IOException {
        try (Stream<Path> files = Files.walk(input)) {
            return files.filter(p -> p.endsWith("deletion-mark.json")).mapToLong(p -> Shared.json(p).get("deletion_time").asLong()).max()
                    .orElseThrow();
        }
    }

    /** The bucket with its deletion marks as old as they were then. */
    private static MemoryBucket bucket(Path input, long markAgeSeconds) throws IOException {
        MemoryBucket out = new MemoryBucket("odd");
        try (Stream<Path> files = Files.walk(input)) {
            for (Path p : (Iterable<Path>) files.filter(Files::isRegularFile)::iterator) {
                byte[] bytes = Files.readAllBytes(p);
                if (markAgeSeconds >= 0 && p.endsWith("deletion-mark.json")) {
                    ObjectNode mark = (ObjectNode) Shared.parse(new String(bytes, StandardCharsets.UTF_8));
                    // Of several marks the newest was that old; the others were older by as much as they are.
                    long newest = newestMark(input);
                    bytes = mark.put("deletion_time",
                            System.currentTimeMillis() / 1000 - markAgeSeconds - (newest - mark.get("deletion_time").asLong())).toString()
                            .getBytes(StandardCharsets.UTF_8);
                }
                out.upload(input.relativize(p).toString(), ObjectBody.of(bytes));
            }
        }
        return out;
    }
}

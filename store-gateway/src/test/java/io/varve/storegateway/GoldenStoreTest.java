package io.varve.storegateway;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.varve.model.CorruptDataException;
import io.varve.model.Labels;
import io.varve.model.Matcher;
import io.varve.model.QueryContext;
import io.varve.model.VarveException;
import io.varve.objstore.Bucket;
import io.varve.objstore.FilesystemBucket;
import io.varve.objstore.MemoryBucket;
import io.varve.objstore.ObjectBody;
import io.varve.store.Aggregate;
import io.varve.store.LabelNamesRequest;
import io.varve.store.LabelValuesRequest;
import io.varve.store.SeriesRequest;
import io.varve.store.ShardInfo;
import io.varve.store.StringsResponse;
import io.varve.testkit.Shared;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Every recorded call of Thanos' store gateway, against the same buckets. Broken requests are left out: see docs/differences. */
class GoldenStoreTest {
    /** Nonsense that is refused or answered otherwise here. */
    private static boolean skipped(String name) {
        // Batches are the wire's.
        return name.contains("/batch-5")
                // Thanos cuts postings before it looks at times, and so answers too few.
                || name.startsWith("series/limit1") || name.equals("series/limit2-worepl/h2") || name.contains("hint-wrong-type")
                || name.startsWith("series/err-bad") || name.equals("info") || name.equals("series/bad-aggr/h2");
    }

    @ParameterizedTest
    @CsvSource({"store-raw,0-uploaded,disk", "store-compacted,1-compacted,disk", "store-downsampled,2-downsampled,disk",
            "store-downsampled,2-downsampled,bare"})
    void answersAsThanos(String target, String stage, String setup) throws IOException {
        Path recorded = Shared.golden("thanos/storeapi/" + target + ".jsonl.gz").orElse(null);
        Path buckets = Shared.golden("thanos/buckets").orElse(null);
        assumeTrue(recorded != null && buckets != null);
        TestGateway.Setup s = setup.equals("disk")
                ? TestGateway.Setup.DEFAULT
                : TestGateway.Setup.DEFAULT.disk(0).cache(r -> IndexCache.NONE).options(new ReadOptions(0, 7, 256, 64, true, 100, 1));
        List<String> failures = new ArrayList<>();
        int[] count = new int[1];
        try (TestGateway g = new TestGateway(bucket(buckets, stage), s); Stream<JsonNode> lines = Shared.jsonLines(recorded)) {
            lines.filter(r -> !skipped(r.get("name").asText())).forEach(r -> {
                count[0]++;
                String why = compare(g, r);
                if (!why.isEmpty()) {
                    failures.add(r.get("name").asText() + ": " + why);
                }
            });
        }
        assertThat(failures).isEmpty();
        assertThat(count[0]).isGreaterThan(250);
    }

    private static Bucket bucket(Path buckets, String stage) throws IOException {
        if (!stage.equals("1-compacted")) {
            return new FilesystemBucket(buckets.resolve("ha-pair").resolve(stage));
        }
        MemoryBucket b = new MemoryBucket(stage);
        try (Stream<JsonNode> objects = Shared.jsonLines(buckets.resolve("ha-pair/" + stage + ".manifest.jsonl.gz"))) {
            for (JsonNode o : (Iterable<JsonNode>) objects::iterator) {
                for (String base : List.of("ha-pair", "", "..")) {
                    Path p = buckets.resolve(base).resolve(o.get("at").asText());
                    if (Files.isRegularFile(p)) {
                        b.upload(o.get("path").asText(), ObjectBody.of(Files.readAllBytes(p)));
                        break;
                    }
                }
            }
        }
        return b;
    }

    private static String compare(TestGateway g, JsonNode r) {
        JsonNode q = r.get("request");
        String method = r.get("method").asText();
        try {
            if (method.endsWith("/Series")) {
                TestGateway.Answer a = g.series(series(q));
                if (!r.get("code").asText().equals("OK")) {
                    return "answered, Thanos gave " + r.get("code").asText();
                }
                return compareSeries(r, a);
            }
            StringsResponse got;
            try (QueryContext c = QueryContext.unlimited()) {
                got = method.endsWith("/LabelNames")
                        ? g.store.labelNames(c,
                                new LabelNamesRequest(q.path("start").asLong(), q.path("end").asLong(), matchers(q.get("matchers")), true,
                                        hints(q), texts(q.get("without_replica_labels")), q.path("limit").asLong()))
                        : g.store.labelValues(c,
                                new LabelValuesRequest(q.path("label").asText(""), q.path("start").asLong(), q.path("end").asLong(),
                                        matchers(q.get("matchers")), true, hints(q), texts(q.get("without_replica_labels")),
                                        q.path("limit").asLong()));
            }
            JsonNode frame = r.get("frames").get(0).get("json");
            List<String> want = texts(method.endsWith("/LabelNames") ? frame.get("names") : frame.get("values"));
            return got.values().equals(want) ? "" : got.values() + " instead of " + want;
        } catch (VarveException e) {
            boolean wanted = r.get("code").asText().equals("Unknown") && e instanceof CorruptDataException
                    && e.getMessage().contains("does not exist") && r.get("message").asText().contains("does not exist");
            return wanted ? "" : "failed: " + e.getMessage();
        }
    }

    private static String compareSeries(JsonNode r, TestGateway.Answer a) {
        Map<Labels, List<String>> want = new HashMap<>();
        List<Labels> order = new ArrayList<>();
        for (JsonNode f : r.get("frames")) {
            JsonNode json = f.get("json");
            List<JsonNode> series = new ArrayList<>();
            if (json.has("series")) {
                series.add(json.get("series"));
            }
            json.path("batch").forEach(series::add);
            for (JsonNode s : series) {
                String[] pairs = new String[s.get("labels").size() * 2];
                int i = 0;
                for (JsonNode l : s.get("labels")) {
                    pairs[i++] = l.get(0).asText();
                    pairs[i++] = l.get(1).asText();
                }
                Labels labels = Labels.ofSorted(pairs);
                if (!want.containsKey(labels)) {
                    order.add(labels);
                }
                List<String> chunks = want.computeIfAbsent(labels, k -> new ArrayList<>());
                s.path("chunks").forEach(c -> chunks.add(chunk(c)));
            }
        }
        if (!a.lines().stream().map(TestGateway.Line::labels).toList().equals(order)) {
            return a.lines().size() + " series instead of " + order.size() + ", or another order";
        }
        for (TestGateway.Line l : a.lines()) {
            List<String> w = new ArrayList<>(want.getOrDefault(l.labels(), List.of()));
            List<String> got = new ArrayList<>(l.chunks());
            w.sort(null);
            got.sort(null);
            if (!w.equals(got)) {
                return l.labels() + ": " + got.size() + " chunks instead of " + w.size() + ", or others";
            }
        }
        boolean warned = r.get("frames").findValue("warning") != null;
        return a.warnings().isEmpty() != warned ? "" : "warnings " + a.warnings();
    }

    private static String chunk(JsonNode c) {
        StringBuilder sb = new StringBuilder().append(c.path("min_time").asLong()).append('-').append(c.path("max_time").asLong());
        for (String part : List.of("raw", "count", "sum", "min", "max", "counter")) {
            JsonNode p = c.get(part);
            if (p != null && !p.isNull()) {
                sb.append(' ').append(part).append(':').append(p.path("type").asText("XOR")).append(':').append(p.path("data").asText());
            }
        }
        return sb.toString();
    }

    private static SeriesRequest series(JsonNode q) {
        Set<Aggregate> aggregates = EnumSet.noneOf(Aggregate.class);
        q.path("aggregates").forEach(x -> aggregates.add(Aggregate.values()[x.asInt()]));
        JsonNode s = q.get("shard_info");
        ShardInfo shard = s == null
                ? ShardInfo.NONE
                : new ShardInfo(s.path("shard_index").asLong(), s.path("total_shards").asLong(), s.path("by").asBoolean(),
                        texts(s.get("labels")));
        boolean partial = !q.path("partial_response_disabled").asBoolean() && !q.path("partial_response_strategy").asText().equals("ABORT");
        return new SeriesRequest(q.path("min_time").asLong(), q.path("max_time").asLong(), matchers(q.get("matchers")),
                q.path("max_resolution_window").asLong(), aggregates, partial, q.path("skip_chunks").asBoolean(), hints(q),
                texts(q.get("without_replica_labels")), shard, q.path("limit").asLong(), q.path("response_batch_size").asLong(),
                SeriesRequest.Spans.ALL);
    }

    private static List<Matcher> hints(JsonNode q) {
        return matchers(q.at("/hints/decoded/block_matchers"));
    }

    private static List<Matcher> matchers(@Nullable JsonNode list) {
        List<Matcher> out = new ArrayList<>();
        if (list != null) {
            list.forEach(m -> out
                    .add(Matcher.of(Matcher.Type.values()[m.path("type").asInt()], m.path("name").asText(""), m.path("value").asText(""))));
        }
        return out;
    }

    private static List<String> texts(@Nullable JsonNode list) {
        List<String> out = new ArrayList<>();
        if (list != null) {
            list.forEach(n -> out.add(n.asText()));
        }
        return out;
    }
}

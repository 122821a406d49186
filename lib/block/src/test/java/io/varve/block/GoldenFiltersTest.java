package io.varve.block;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.varve.model.InvalidRequestException;
import io.varve.model.Labels;
import io.varve.testkit.Shared;
import io.varve.tsdb.BlockMeta;
import io.varve.tsdb.Ulid;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Objects;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The filters against what Thanos' own filters kept. */
class GoldenFiltersTest {
    private static List<String> texts(JsonNode list) {
        List<String> out = new ArrayList<>();
        list.forEach(n -> out.add(n.asText()));
        out.sort(null);
        return out;
    }

    private static Labels labels(JsonNode object) {
        Labels.Builder b = new Labels.Builder();
        object.properties().forEach(e -> b.set(e.getKey(), e.getValue().asText()));
        return b.build();
    }

    private static BlockMeta meta(JsonNode m, long now) {
        Ulid id = Ulid.of(m.get("ulid").asText());
        List<Ulid> sources = new ArrayList<>();
        m.get("sources").forEach(s -> sources.add(Ulid.of(s.asText())));
        BlockMeta.Thanos thanos = BlockMeta.Thanos.of(labels(m.get("labels")), m.get("resolution").asLong(), m.get("source").asText());
        if (m.has("upload_age_s")) {
            thanos = thanos.withUploadTime(Instant.ofEpochMilli(now - m.get("upload_age_s").asLong() * 1000));
        }
        return new BlockMeta(id, m.get("min_time").asLong(), m.get("max_time").asLong(), BlockMeta.Stats.EMPTY,
                new BlockMeta.Compaction(m.get("level").asInt(), sources, false, List.of(), false, List.of())).withThanos(thanos);
    }

    private static BlockFilter.Candidates candidates(JsonNode metas, long now) {
        NavigableMap<Ulid, BlockMeta> all = new TreeMap<>();
        Map<Ulid, Map<BlockMark.Kind, BlockMark>> marks = new HashMap<>();
        for (JsonNode m : metas) {
            BlockMeta meta = meta(m, now);
            all.put(meta.ulid(), meta);
            if (m.has("deletion_mark_age_s")) {
                long at = now / 1000 - m.get("deletion_mark_age_s").asLong();
                marks.put(meta.ulid(), Map.of(BlockMark.Kind.DELETION, new BlockMark(BlockMark.Kind.DELETION, meta.ulid(), "", at, "")));
            }
        }
        return new BlockFilter.Candidates(all, marks, now);
    }

    private static List<String> kept(BlockFilter filter, BlockFilter.Candidates candidates) {
        BlockFilter.Outcome outcome = filter.apply(candidates);
        assertThat(outcome.kept().size() + outcome.dropped().size()).isEqualTo(candidates.metas().size());
        return outcome.kept().keySet().stream().map(Ulid::toString).sorted().toList();
    }

    @Test
    void keepWhatThanosKeeps() {
        Path file = Shared.golden("thanos/plans.json.gz").orElse(null);
        assumeTrue(file != null);
        JsonNode plans = Shared.json(file);
        long now = plans.get("now_ms").asLong();
        for (JsonNode c : plans.get("filters")) {
            BlockFilter.Candidates candidates = candidates(c.get("metas"), now);
            String name = "case " + c.get("case");
            assertThat(kept(BlockFilters.consistencyDelay(0), candidates)).as(name).isEqualTo(texts(c.at("/consistency_delay_0s/kept")));
            assertThat(kept(BlockFilters.consistencyDelay(1800_000), candidates)).as(name)
                    .isEqualTo(texts(c.at("/consistency_delay_1800s/kept")));
            assertThat(kept(BlockFilters.ignoreDeletionMarks(86400_000), candidates)).as(name)
                    .isEqualTo(texts(c.at("/ignore_deletion_mark_86400s/kept")));
            JsonNode t = c.get("time_partition");
            assertThat(kept(BlockFilters.timePartition(n -> t.get("min_ms").asLong(), n -> t.get("max_ms").asLong()), candidates)).as(name)
                    .isEqualTo(texts(t.get("kept")));
            removed(c.get("replica_label_remover"), List.of("replica"), candidates);
        }
    }

    private static void removed(JsonNode want, List<String> replicaLabels, BlockFilter.Candidates candidates) {
        NavigableMap<Ulid, BlockMeta> kept = BlockFilters.removeReplicaLabels(replicaLabels).apply(candidates).kept();
        want.get("labels").properties()
                .forEach(e -> assertThat(Objects.requireNonNull(kept.get(Ulid.of(e.getKey()))).externalLabels()).as(e.getKey())
                        .isEqualTo(labels(e.getValue())));
    }

    @Test
    void findTheDuplicatesThatThanosFinds() {
        Path file = Shared.golden("thanos/plans.json.gz").orElse(null);
        assumeTrue(file != null);
        JsonNode plans = Shared.json(file);
        for (JsonNode c : plans.get("deduplicate_filter")) {
            BlockFilter.Outcome outcome = BlockFilters.deduplicate().apply(candidates(c.get("metas"), plans.get("now_ms").asLong()));
            assertThat(outcome.kept().keySet().stream().map(Ulid::toString).toList()).as("case " + c.get("case"))
                    .isEqualTo(texts(c.get("kept")));
            assertThat(outcome.dropped().keySet().stream().map(Ulid::toString).sorted().toList()).isEqualTo(texts(c.get("duplicates")));
        }
    }

    @Test
    void relabelRulesSelectTheBlocksThatThanosSelects() {
        Path file = Shared.golden("thanos/relabel.jsonl.gz").orElse(null);
        assumeTrue(file != null);
        try (Stream<JsonNode> lines = Shared.jsonLines(file)) {
            lines.forEach(c -> {
                String yaml = c.get("config_yaml").asText();
                if (c.has("config_error")) {
                    String want = c.get("config_error").asText();
                    // The words for broken YAML are those of the parser.
                    String compared = want.contains("yaml:") ? "parsing relabel configuration: yaml: line 1: " : want;
                    assertThatThrownBy(() -> Relabel.parse(yaml, Relabel.SELECTOR_ACTIONS)).isInstanceOf(InvalidRequestException.class)
                            .hasMessageStartingWith(compared);
                    return;
                }
                BlockFilter filter = BlockFilters.relabel(Relabel.parse(yaml, Relabel.SELECTOR_ACTIONS));
                NavigableMap<Ulid, BlockMeta> metas = new TreeMap<>();
                for (JsonNode b : c.get("blocks")) {
                    Ulid id = Ulid.of(b.get("ulid").asText());
                    metas.put(id, new BlockMeta(id, 0, 1, BlockMeta.Stats.EMPTY, BlockMeta.Compaction.fresh(id))
                            .withThanos(BlockMeta.Thanos.of(labels(b.get("labels")), 0, "test")));
                }
                BlockFilter.Candidates candidates = new BlockFilter.Candidates(metas, Map.of(), 0);
                assertThat(kept(filter, candidates)).as(yaml).isEqualTo(texts(c.get("kept")));
                BlockFilter merged = BlockFilters.relabel(Relabel.parse(yaml, Relabel.SELECTOR_ACTIONS), List.of("replica"));
                assertThat(kept(merged, candidates)).as(yaml).isEqualTo(texts(c.get("kept_with_dedup_replica_label_replica")));
            });
        }
    }
}

package io.varve.compactor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.varve.block.BlockFilter;
import io.varve.block.BlockFilters;
import io.varve.block.BlockMark;
import io.varve.model.Labels;
import io.varve.testkit.Shared;
import io.varve.tsdb.BlockMerger;
import io.varve.tsdb.BlockMeta;
import io.varve.tsdb.Ulid;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.ToLongFunction;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Plans, groups, duplicates, retention and what is to be downsampled, as Thanos decides them. */
class GoldenPlansTest {
    private static final ObjectMapper JSON = new JsonMapper();
    private static JsonNode golden;

    @BeforeAll
    static void read() throws Exception {
        Path file = Shared.golden("thanos/plans.json.gz").orElse(null);
        assumeTrue(file != null);
        try (InputStream in = new GZIPInputStream(Files.newInputStream(file))) {
            golden = JSON.readTree(in);
        }
    }

    private static BlockMeta meta(JsonNode n) {
        Ulid id = Ulid.of(n.path("ulid").asText());
        List<Ulid> sources = new ArrayList<>();
        n.path("sources").forEach(s -> sources.add(Ulid.of(s.asText())));
        Map<String, String> labels = new HashMap<>();
        n.path("labels").properties().forEach(e -> labels.put(e.getKey(), e.getValue().asText()));
        BlockMeta.Thanos thanos = BlockMeta.Thanos.of(Labels.of(labels), n.path("resolution").asLong(), n.path("source").asText())
                .withExtensions(n.get("extensions"));
        if (n.path("index_size_in_meta").asBoolean()) {
            thanos = thanos.withFiles(List.of(), List.of(new BlockMeta.FileEntry("index", n.path("index_size").asLong())));
        }
        return new BlockMeta(id, n.path("min_time").asLong(), n.path("max_time").asLong(),
                new BlockMeta.Stats(0, 0, 0, n.path("num_series").asLong(), 0, n.path("num_tombstones").asLong()),
                new BlockMeta.Compaction(n.path("level").asInt(), sources, false, List.of(), n.path("failed").asBoolean(), List.of()))
                .withThanos(thanos);
    }

    private static List<String> ids(JsonNode n) {
        List<String> ids = new ArrayList<>();
        n.forEach(i -> ids.add(i.asText()));
        return ids;
    }

    private static List<String> ids(List<BlockMeta> metas) {
        return metas.stream().map(m -> m.ulid().toString()).toList();
    }

    private static Set<Ulid> marked(JsonNode metas, String field) {
        Set<Ulid> ids = new HashSet<>();
        metas.forEach(m -> {
            if (m.path(field).asBoolean()) {
                ids.add(Ulid.of(m.path("ulid").asText()));
            }
        });
        return ids;
    }

    @Test
    void plansAreThoseOfThanos() {
        int plans = 0;
        for (JsonNode c : golden.path("planner")) {
            JsonNode nodes = c.path("metas_by_min_time");
            List<BlockMeta> metas = new ArrayList<>();
            Map<Ulid, Long> sizes = new HashMap<>();
            nodes.forEach(n -> {
                metas.add(meta(n));
                sizes.put(Ulid.of(n.path("ulid").asText()), n.path("index_size").asLong());
            });
            ToLongFunction<BlockMeta> size = m -> sizes.getOrDefault(m.ulid(), 0L);
            Set<Ulid> none = Set.of();
            Set<Ulid> noCompact = marked(nodes, "no_compact_mark");
            String name = c.path("kind").asText() + " " + c.path("case").asText();
            CompactionPlanner planner = new CompactionPlanner(4);
            assertThat(ids(planner.plan(metas, none))).as("%s", name).isEqualTo(ids(c.path("tsdb_planner").path("plan")));
            assertThat(ids(planner.plan(metas, noCompact))).as("%s marks", name)
                    .isEqualTo(ids(c.path("planner_with_no_compact_marks").path("plan")));
            plans += 2;
            for (int level = 1; level <= 3; level++) {
                assertThat(ids(new CompactionPlanner(level).plan(metas, noCompact))).as("%s level %s", name, level)
                        .isEqualTo(ids(c.path("planner_max_level_" + level).path("plan")));
                plans++;
            }
            for (int limit : new int[]{100, 200, 400}) {
                JsonNode want = c.path("index_size_limit_" + limit);
                CompactionPlanner.Plan plan = planner.plan(metas, noCompact, size, limit, false);
                assertThat(ids(plan.blocks())).as("%s limit %s", name, limit).isEqualTo(ids(want.path("plan")));
                assertThat(new TreeSet<>(plan.exclusions().stream().map(e -> e.block().ulid().toString()).toList()))
                        .as("%s limit %s", name, limit)
                        .isEqualTo(new TreeSet<>(ids(want.path("marked_no_compact"))));
                plans++;
            }
            JsonNode guard = c.path("vertical_downsample_guard");
            CompactionPlanner.Plan plan = planner.plan(metas, noCompact, m -> 0, Long.MAX_VALUE, true);
            assertThat(ids(plan.blocks())).as("%s guard", name).isEqualTo(ids(guard.path("plan")));
            assertThat(new TreeSet<>(plan.exclusions().stream().map(e -> e.block().ulid().toString()).toList())).as("%s guard", name)
                    .isEqualTo(new TreeSet<>(ids(guard.path("marked_no_compact"))));
            rerun(name, metas, noCompact, c.path("rerun_until_done"));
        }
        System.out.println("plans equal: " + plans);
        assertThat(plans).isPositive();
    }

    /** Plan, replace by the result, plan again. */
    private static void rerun(String name, List<BlockMeta> metas, Set<Ulid> noCompact, JsonNode steps) {
        CompactionPlanner planner = new CompactionPlanner(4);
        List<BlockMeta> left = new ArrayList<>(metas);
        for (JsonNode step : steps) {
            List<BlockMeta> plan = planner.plan(left, noCompact);
            assertThat(ids(plan)).as("%s rerun", name).isEqualTo(ids(step.path("plan")));
            BlockMeta merged = BlockMerger.resultMeta(Ulid.of(step.path("new").path("ulid").asText()), plan)
                    .withThanos(plan.getFirst().thanos());
            assertThat(merged.minTime()).isEqualTo(step.path("new").path("min_time").asLong());
            assertThat(merged.maxTime()).isEqualTo(step.path("new").path("max_time").asLong());
            assertThat(merged.compaction().level()).isEqualTo(step.path("new").path("level").asInt());
            assertThat(merged.compaction().sources()).hasSize(step.path("new").path("num_sources").asInt());
            left.removeAll(plan);
            left.add(merged);
        }
    }

    @Test
    void groupsAreThoseOfThanos() {
        for (JsonNode c : golden.path("grouper")) {
            List<BlockMeta> metas = new ArrayList<>();
            c.path("metas").forEach(n -> metas.add(meta(n)));
            TreeMap<String, BlockGroup> groups = new TreeMap<>();
            BlockGroup.of(metas).forEach(g -> groups.put(g.key(), g));
            assertThat(groups.keySet()).as("case %s", c.path("case")).hasSize(c.path("groups_sorted_by_key").size());
            for (JsonNode want : c.path("groups_sorted_by_key")) {
                BlockGroup got = groups.get(want.path("key").asText());
                assertThat(got).as("group %s", want.path("key")).isNotNull();
                assertThat(new TreeSet<>(ids(got.blocks()))).isEqualTo(new TreeSet<>(ids(want.path("ids"))));
                assertThat(got.minTime()).isEqualTo(want.path("min_time").asLong());
                assertThat(got.maxTime()).isEqualTo(want.path("max_time").asLong());
                assertThat(got.resolutionMillis()).isEqualTo(want.path("resolution").asLong());
                assertThat(String.valueOf(got.extensions())).isEqualTo(String.valueOf(want.get("extensions")));
            }
        }
    }

    private static BlockFilter.Candidates candidates(JsonNode metas) {
        TreeMap<Ulid, BlockMeta> all = new TreeMap<>();
        Map<Ulid, Map<BlockMark.Kind, BlockMark>> marks = new HashMap<>();
        long now = golden.path("now_ms").asLong();
        metas.forEach(n -> {
            BlockMeta m = meta(n);
            all.put(m.ulid(), m);
            if (n.has("deletion_mark_age_s")) {
                marks.put(m.ulid(), Map.of(BlockMark.Kind.DELETION,
                        new BlockMark(BlockMark.Kind.DELETION, m.ulid(), "", now / 1000 - n.path("deletion_mark_age_s").asLong(), "")));
            }
        });
        return new BlockFilter.Candidates(all, marks, now);
    }

    @Test
    void duplicatesAreThoseOfThanos() {
        for (JsonNode c : golden.path("deduplicate_filter")) {
            BlockFilter.Outcome outcome = BlockFilters.deduplicate().apply(candidates(c.path("metas")));
            assertThat(new TreeSet<>(outcome.dropped().keySet().stream().map(Ulid::toString).toList())).as("case %s", c.path("case"))
                    .isEqualTo(new TreeSet<>(ids(c.path("duplicates"))));
        }
    }

    @Test
    void markedBlocksDoNotHideUnmarkedOnesWithTheSameSources() {
        // Where Thanos keeps the marked one of two equal blocks, and would mark the other as well, ours keeps the unmarked one.
        int better = 0;
        for (JsonNode c : golden.path("garbage_collection")) {
            BlockFilter.Candidates all = candidates(c.path("metas"));
            BlockFilter.Candidates left = new BlockFilter.Candidates(
                    BlockFilters.ignoreDeletionMarks(c.path("delete_delay_s").asLong() * 500).apply(all).kept(), all.marks(),
                    all.nowMillis());
            BlockFilter.Outcome superseded = Compactor.superseded(left);
            BlockFilter.Outcome outcome = BlockFilters.deduplicate()
                    .apply(new BlockFilter.Candidates(superseded.kept(), all.marks(), all.nowMillis()));
            Set<String> newlyMarked = new TreeSet<>();
            outcome.dropped().keySet().stream().filter(id -> !all.marks().containsKey(id)).forEach(id -> newlyMarked.add(id.toString()));
            Set<String> want = new TreeSet<>(ids(c.path("newly_marked_for_deletion")));
            assertThat(want).as("case %s", c.path("case")).containsAll(newlyMarked);
            for (String id : want) {
                if (!newlyMarked.contains(id)) {
                    // Only because all blocks that cover it are marked.
                    BlockMeta m = all.metas().get(Ulid.of(id));
                    assertThat(all.metas().values().stream().filter(o -> !o.ulid().equals(m.ulid()) && !all.marks().containsKey(o.ulid())
                            && BlockGroup.key(o).equals(BlockGroup.key(m)) && o.compaction().sources().containsAll(m.compaction().sources())
                            && !newlyMarked.contains(o.ulid().toString()))).as("case %s: %s", c.path("case"), id).isEmpty();
                    better++;
                }
            }
        }
        System.out.println("blocks kept that Thanos marks because of a marked equal: " + better);
    }

    @Test
    void retentionIsThatOfThanos() {
        long now = golden.path("now_ms").asLong();
        for (JsonNode c : golden.path("retention")) {
            JsonNode r = c.path("retention_s");
            RetentionRules rules = new RetentionRules(Duration.ofSeconds(r.path("0").asLong()),
                    Duration.ofSeconds(r.path("300000").asLong()),
                    Duration.ofSeconds(r.path("3600000").asLong()));
            for (JsonNode b : c.path("blocks")) {
                BlockMeta m = new BlockMeta(Ulid.of(b.path("ulid").asText()), 0, now - b.path("max_time_age_s").asLong() * 1000,
                        BlockMeta.Stats.EMPTY,
                        BlockMeta.Compaction.fresh(Ulid.ZERO))
                        .withThanos(BlockMeta.Thanos.of(Labels.EMPTY, b.path("resolution").asLong(), ""));
                assertThat(rules.exceeded(m, now)).as("case %s block %s", c.path("case"), m.ulid()).isEqualTo(b.path("marked").asBoolean());
                if (b.has("details")) {
                    assertThat("block exceeding retention of " + RetentionRules.go(rules.of(m))).isEqualTo(b.path("details").asText());
                }
            }
        }
    }

    @Test
    void whatIsToBeDownsampledIsWhatThanosCounts() {
        for (JsonNode c : golden.path("downsample_todo")) {
            List<BlockMeta> metas = new ArrayList<>();
            c.path("metas").forEach(n -> metas.add(meta(n)));
            assertThat(DownsamplingPlanner.plan(metas, Set.of())).as("case %s", c.path("case"))
                    .hasSize(c.path("todo_downsample_blocks").asInt());
            Set<Ulid> excluded = new HashSet<>();
            ids(c.path("no_downsample_marked")).forEach(id -> excluded.add(Ulid.of(id)));
            assertThat(DownsamplingPlanner.plan(metas, excluded)).noneMatch(t -> excluded.contains(t.block().ulid()));
        }
    }
}

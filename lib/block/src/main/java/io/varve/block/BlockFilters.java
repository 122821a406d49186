package io.varve.block;

import io.varve.block.BlockFilter.Drop;
import io.varve.block.BlockFilter.Outcome;
import io.varve.model.Labels;
import io.varve.tsdb.BlockMeta;
import io.varve.tsdb.Ulid;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.BiFunction;
import java.util.function.LongUnaryOperator;
import org.jspecify.annotations.Nullable;

/** Thanos' filters over blocks. All are pure and safe for many threads. */
public final class BlockFilters {
    /** The label that relabel rules see a block's id in. */
    public static final String BLOCK_ID = "__block_id";
    /** Blocks of these sources replace others whose upload was long ago; they are visible at once. */
    private static final Set<String> NO_CONSISTENCY_DELAY = Set.of("compactor", "compactor.repair", "bucket.repair");

    private BlockFilters() {
    }

    private static BlockFilter each(BiFunction<BlockMeta, BlockFilter.Candidates, @Nullable Drop> judge) {
        return candidates -> {
            Map<Ulid, Drop> dropped = new HashMap<>();
            candidates.metas().forEach((id, meta) -> {
                Drop drop = judge.apply(meta, candidates);
                if (drop != null) {
                    dropped.put(id, drop);
                }
            });
            return Outcome.without(candidates.metas(), dropped);
        };
    }

    /**
     * Keeps blocks that share time with a partition.
     *
     * @param minTime the partition's first millisecond, seen from the moment of the sync
     * @param maxTime its last
     */
    public static BlockFilter timePartition(LongUnaryOperator minTime, LongUnaryOperator maxTime) {
        return each((meta, c) -> {
            long min = minTime.applyAsLong(c.nowMillis());
            long max = maxTime.applyAsLong(c.nowMillis());
            return meta.maxTime() >= min && meta.minTime() <= max
                    ? null
                    : new Drop(BlockState.TIME_EXCLUDED,
                            "[" + meta.minTime() + ", " + meta.maxTime() + ") lies outside [" + min + ", " + max + "]");
        });
    }

    /** Keeps blocks whose external labels, with {@value #BLOCK_ID}, the rules keep. */
    public static BlockFilter relabel(Relabel rules) {
        return relabel(rules, List.of());
    }

    /** As the other, with the rules not seeing {@code replicaLabels}: replicas that are merged belong to one shard. */
    public static BlockFilter relabel(Relabel rules, List<String> replicaLabels) {
        return each((meta, c) -> {
            if (rules.isEmpty()) {
                return null;
            }
            Labels labels = meta.externalLabels().without(replicaLabels).toBuilder().set(BLOCK_ID, meta.ulid().toString()).build();
            return rules.apply(labels).filter(l -> !l.isEmpty()).isPresent()
                    ? null
                    : new Drop(BlockState.LABEL_EXCLUDED, "relabel rules drop " + meta.externalLabels());
        });
    }

    /** Hides blocks that were uploaded, or where that is unknown made, less than {@code delayMillis} ago. */
    public static BlockFilter consistencyDelay(long delayMillis) {
        return each((meta, c) -> {
            BlockMeta.Thanos thanos = meta.thanos();
            if (thanos != null && NO_CONSISTENCY_DELAY.contains(thanos.source())) {
                return null;
            }
            Instant uploaded = thanos == null ? null : thanos.uploadTime();
            long age = c.nowMillis() - (uploaded == null ? meta.ulid().timeMillis() : uploaded.toEpochMilli());
            return age >= delayMillis
                    ? null
                    : new Drop(BlockState.TOO_FRESH, "is " + age + " ms old, visible after " + delayMillis + " ms");
        });
    }

    /** Hides blocks that have been marked for deletion for longer than {@code delayMillis}. */
    public static BlockFilter ignoreDeletionMarks(long delayMillis) {
        return each((meta, c) -> {
            BlockMark mark = c.marks().getOrDefault(meta.ulid(), Map.of()).get(BlockMark.Kind.DELETION);
            return mark == null || c.nowMillis() - mark.timeSeconds() * 1000 <= delayMillis
                    ? null
                    : new Drop(BlockState.MARKED_FOR_DELETION, "marked for deletion at " + Instant.ofEpochSecond(mark.timeSeconds()));
        });
    }

    private record Stream(long resolution, Labels labels) {
    }

    /**
     * Hides a block whose sources all went into another one of the same stream and resolution. Of blocks with equal sources the one with the
     * smaller id stays.
     */
    public static BlockFilter deduplicate() {
        return candidates -> {
            Map<Stream, List<BlockMeta>> streams = new HashMap<>();
            candidates.metas().values().forEach(m -> streams
                    .computeIfAbsent(new Stream(m.resolutionMillis(), m.externalLabels()), k -> new ArrayList<>()).add(m));
            Map<Ulid, Drop> dropped = new HashMap<>();
            streams.values().forEach(blocks -> duplicates(blocks, dropped));
            return Outcome.without(candidates.metas(), dropped);
        };
    }

    private static void duplicates(List<BlockMeta> blocks, Map<Ulid, Drop> dropped) {
        blocks.sort(Comparator.comparingInt((BlockMeta m) -> -m.compaction().sources().size()).thenComparing(BlockMeta::ulid));
        // A covering block has all sources, so it is among those that have any one of them.
        Map<Ulid, List<BlockMeta>> bySource = new HashMap<>();
        // Of those that have more than one.
        Map<Ulid, Set<Ulid>> sourcesOf = new HashMap<>();
        BlockMeta first = null;
        for (BlockMeta m : blocks) {
            List<Ulid> sources = m.compaction().sources();
            BlockMeta covering = null;
            if (sources.isEmpty()) {
                covering = first;
            } else {
                for (BlockMeta other : bySource.getOrDefault(sources.getFirst(), List.of())) {
                    if (sources.size() == 1 || sourcesOf.getOrDefault(other.ulid(), Set.of()).containsAll(sources)) {
                        covering = other;
                        break;
                    }
                }
            }
            if (covering != null) {
                dropped.put(m.ulid(), new Drop(BlockState.DUPLICATE, "its sources are all in " + covering.ulid()));
                continue;
            }
            first = first == null ? m : first;
            if (sources.size() > 1) {
                sourcesOf.put(m.ulid(), new HashSet<>(sources));
            }
            sources.forEach(s -> bySource.computeIfAbsent(s, k -> new ArrayList<>(1)).add(m));
        }
    }

    /**
     * Takes replica labels out of the metas, so that replicas become one stream; where nothing is left, the first replica label becomes
     * {@code deduped}. Drops nothing.
     */
    public static BlockFilter removeReplicaLabels(List<String> replicaLabels) {
        return candidates -> {
            if (replicaLabels.isEmpty()) {
                return new Outcome(candidates.metas(), Map.of());
            }
            NavigableMap<Ulid, BlockMeta> out = new TreeMap<>();
            candidates.metas().forEach((id, meta) -> {
                BlockMeta.Thanos thanos = meta.thanos();
                Labels left = meta.externalLabels().without(replicaLabels);
                if (thanos == null || left.size() == meta.externalLabels().size() && !left.isEmpty()) {
                    out.put(id, meta);
                    return;
                }
                Labels named = left.isEmpty() ? Labels.of(replicaLabels.getFirst(), "deduped") : left;
                out.put(id, meta.withThanos(thanos.withLabels(named)));
            });
            return new Outcome(out, Map.of());
        };
    }
}

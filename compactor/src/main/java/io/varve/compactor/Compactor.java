package io.varve.compactor;

import io.varve.block.BlockCatalog;
import io.varve.block.BlockDeleter;
import io.varve.block.BlockFilter;
import io.varve.block.BlockFilters;
import io.varve.block.BlockMark;
import io.varve.block.BlockMetrics;
import io.varve.block.BlockState;
import io.varve.block.BlockSync;
import io.varve.block.CatalogBlock;
import io.varve.block.Relabel;
import io.varve.model.UnavailableException;
import io.varve.objstore.Bucket;
import io.varve.runtime.MemoryPool;
import io.varve.tsdb.BlockMeta;
import io.varve.tsdb.Ulid;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.LongUnaryOperator;
import java.util.random.RandomGenerator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One compactor over one bucket (exactly one may work on a stream; nothing is locked). An iteration compacts until there is nothing left to
 * compact, downsamples, applies retention and cleans up; each step can be stopped anywhere without harm and is taken up again by the next one.
 */
final class Compactor {
    private static final Logger LOG = LoggerFactory.getLogger(Compactor.class);
    /** Uploads that have not been finished for so long never will be. */
    private static final Duration PARTIAL_UPLOAD_AGE = Duration.ofDays(2);
    private static final int DELETE_CONCURRENCY = 32;

    /**
     * Which blocks the compactor sees.
     *
     * @param minTime first millisecond, from the moment of the sync
     * @param maxTime last millisecond
     * @param relabel rules over external labels
     * @param replicaLabels labels that do not count
     */
    record Selection(LongUnaryOperator minTime, LongUnaryOperator maxTime, Relabel relabel, List<String> replicaLabels) {
        static final Selection ALL = new Selection(now -> Long.MIN_VALUE, now -> Long.MAX_VALUE, Relabel.NONE, List.of());
    }

    private final Bucket bucket;
    private final CompactOptions options;
    private final CompactMetrics metrics;
    private final InstantSource clock;
    private final BlockSync sync;
    private final Marker marker;
    private final GroupCompaction compaction;
    private final BlockDownsampling downsampling;

    Compactor(Bucket bucket, CompactOptions options, Selection selection, int fetchConcurrency, BlockMetrics blockMetrics,
            CompactMetrics metrics,
            InstantSource clock, RandomGenerator random, MemoryPool memory) {
        this.bucket = bucket;
        this.options = options;
        this.metrics = metrics;
        this.clock = clock;
        this.sync = new BlockSync(bucket, options.dataDirectory().resolve("meta-syncer"), fetchConcurrency, filters(options, selection),
                Set.of(BlockMark.Kind.values()), blockMetrics, clock::millis);
        this.marker = new Marker(bucket, metrics, clock);
        this.compaction = new GroupCompaction(bucket, options, metrics, marker, clock, random, memory);
        this.downsampling = new BlockDownsampling(bucket, options, metrics, clock, random, memory);
    }

    /** Thanos' chain; deletion marks hide a block after half of the delay, so that readers have the other half to notice. */
    static List<BlockFilter> filters(CompactOptions options, Selection selection) {
        List<BlockFilter> filters = new ArrayList<>();
        filters.add(BlockFilters.timePartition(selection.minTime, selection.maxTime));
        filters.add(BlockFilters.relabel(selection.relabel, selection.replicaLabels));
        filters.add(BlockFilters.consistencyDelay(options.consistencyDelay().toMillis()));
        filters.add(BlockFilters.ignoreDeletionMarks(options.deleteDelay().toMillis() / 2));
        if (!selection.replicaLabels.isEmpty()) {
            filters.add(BlockFilters.removeReplicaLabels(selection.replicaLabels));
        }
        filters.add(Compactor::superseded);
        filters.add(BlockFilters.deduplicate());
        return filters;
    }

    /**
     * Hides marked blocks all of whose sources are in one block that is not marked. Without this, of two blocks with equal sources (a block that
     * was written anew because of its tombstones, and the old one) the duplicate filter would keep the older, marked one, and garbage collection
     * would mark the other as well.
     */
    static BlockFilter.Outcome superseded(BlockFilter.Candidates candidates) {
        Map<Ulid, BlockFilter.Drop> dropped = new HashMap<>();
        Map<Ulid, List<BlockMeta>> unmarkedBySource = new HashMap<>();
        candidates.metas().values().stream().filter(m -> !isMarked(candidates, m)).forEach(
                m -> m.compaction().sources().forEach(source -> unmarkedBySource.computeIfAbsent(source, s -> new ArrayList<>()).add(m)));
        for (BlockMeta m : candidates.metas().values()) {
            List<Ulid> sources = m.compaction().sources();
            if (sources.isEmpty() || !isMarked(candidates, m)) {
                continue;
            }
            unmarkedBySource.getOrDefault(sources.getFirst(), List.of()).stream()
                    .filter(o -> BlockGroup.key(o).equals(BlockGroup.key(m)) && o.compaction().sources().containsAll(sources)).findFirst()
                    .ifPresent(o -> dropped.put(m.ulid(),
                            new BlockFilter.Drop(BlockState.MARKED_FOR_DELETION, "is marked, and its sources are all in " + o.ulid())));
        }
        return BlockFilter.Outcome.without(candidates.metas(), dropped);
    }

    private static boolean isMarked(BlockFilter.Candidates candidates, BlockMeta meta) {
        return candidates.marks().getOrDefault(meta.ulid(), Map.of()).containsKey(BlockMark.Kind.DELETION);
    }

    /** One iteration: see the class. */
    void iterate() {
        compact();
        if (options.downsampling()) {
            // The second pass makes 1 h blocks of the first pass' 5 m blocks.
            downsample(sync());
            downsample(sync());
        }
        retain(sync());
        BlockCatalog last = sync();
        clean(last);
        nameUnreadableMarks(last);
        metrics.iterations.inc();
    }

    /** A catalog that nothing is missing from for now; what is missing must not be taken for absent. */
    private BlockCatalog sync() {
        BlockCatalog catalog = sync.sync();
        if (catalog.incomplete()) {
            throw new UnavailableException(
                    "sync of bucket " + bucket.name() + ": incomplete view: some meta.json or marker could not be read");
        }
        return catalog;
    }

    private static void nameUnreadableMarks(BlockCatalog catalog) {
        catalog.unreadableMarks().forEach((id, faults) -> faults.values().forEach(fault -> LOG.atWarn().addKeyValue("block", id)
                .addKeyValue("err", fault).log("block is left alone until its marker is mended or removed")));
    }

    private void compact() {
        AtomicBoolean more = new AtomicBoolean(true);
        while (more.getAndSet(false)) {
            sync();
            deleteMarked(sync.latest());
            collectGarbage(sync.latest());
            BlockCatalog catalog = sync();
            List<BlockGroup> groups = BlockGroup.of(visible(catalog)).stream().filter(g -> g.blocks().size() > 1).toList();
            Set<String> keys = new HashSet<>();
            groups.forEach(g -> keys.add(g.key()));
            Directories.deleteChildren(options.dataDirectory().resolve("compact"), keys::contains);
            Set<Ulid> excluded = leftAlone(catalog, BlockMark.Kind.NO_COMPACT);
            Workers.each(options.compactionConcurrency(), "compact", groups, group -> {
                if (compaction.run(group, excluded)) {
                    more.set(true);
                }
            });
        }
    }

    /** Metas as the filters left them. */
    private static Collection<BlockMeta> visible(BlockCatalog catalog) {
        return catalog.blocks().values().stream().map(CatalogBlock::meta).toList();
    }

    /**
     * Blocks that carry a marker, and those with any marker that cannot be read: it may say anything, so such a block is neither compacted nor
     * downsampled nor deleted until a person has mended or removed the marker.
     */
    private static Set<Ulid> leftAlone(BlockCatalog catalog, BlockMark.Kind kind) {
        Set<Ulid> ids = new HashSet<>(catalog.unreadableMarks().keySet());
        catalog.marks().forEach((id, marks) -> {
            if (marks.containsKey(kind)) {
                ids.add(id);
            }
        });
        return ids;
    }

    /** Whether a block is another compactor's, or not yet anybody's: of other times or streams, or too fresh to be looked at. */
    private static boolean foreign(BlockCatalog catalog, Ulid id) {
        BlockFilter.Drop drop = catalog.dropped().get(id);
        return drop != null && switch (drop.state()) {
            case TIME_EXCLUDED, LABEL_EXCLUDED, TOO_FRESH -> true;
            default -> false;
        };
    }

    /** Deletes blocks of ours that were marked long enough ago; who shares the bucket may have another delay. */
    void deleteMarked(BlockCatalog catalog) {
        long now = clock.millis();
        List<Ulid> due = new ArrayList<>();
        catalog.marks().forEach((id, marks) -> {
            BlockMark mark = marks.get(BlockMark.Kind.DELETION);
            if (mark != null && now - mark.timeSeconds() * 1000 > options.deleteDelay().toMillis()
                    && !catalog.unreadableMarks().containsKey(id) && !foreign(catalog, id)) {
                due.add(id);
            }
        });
        BlockDeleter deleter = new BlockDeleter(bucket);
        Workers.each(DELETE_CONCURRENCY, "delete", due, id -> {
            try {
                deleter.delete(id);
                metrics.blocksCleaned.inc();
                LOG.atInfo().addKeyValue("block", id).log("deleted block marked for deletion");
            } catch (RuntimeException e) {
                metrics.cleanupFailures.inc();
                throw e;
            }
        });
    }

    /** Marks blocks all of whose sources are in another block. */
    private void collectGarbage(BlockCatalog catalog) {
        long begin = System.nanoTime();
        metrics.garbageCollections.inc();
        try {
            Set<Ulid> untouched = leftAlone(catalog, BlockMark.Kind.DELETION);
            for (Map.Entry<Ulid, BlockFilter.Drop> e : catalog.dropped().entrySet()) {
                if (e.getValue().state() == BlockState.DUPLICATE && !untouched.contains(e.getKey())
                        && marker.mark(BlockMark.Kind.DELETION, e.getKey(), "outdated block", "")) {
                    metrics.garbageCollected.inc();
                }
            }
        } catch (RuntimeException e) {
            metrics.garbageCollectionFailures.inc();
            throw e;
        } finally {
            metrics.garbageCollectionDuration.observe((System.nanoTime() - begin) / 1e9);
        }
    }

    private void downsample(BlockCatalog catalog) {
        Directories.deleteChildren(options.dataDirectory().resolve("downsample"), name -> false);
        List<DownsamplingPlanner.Task> tasks = downsampleTasks(catalog);
        Workers.each(options.downsampleConcurrency(), "downsample", tasks, downsampling::run);
    }

    private static List<DownsamplingPlanner.Task> downsampleTasks(BlockCatalog catalog) {
        return DownsamplingPlanner.plan(visible(catalog), leftAlone(catalog, BlockMark.Kind.NO_DOWNSAMPLE));
    }

    private void retain(BlockCatalog catalog) {
        long now = clock.millis();
        Set<Ulid> untouched = leftAlone(catalog, BlockMark.Kind.DELETION);
        for (BlockMeta m : visible(catalog)) {
            if (!untouched.contains(m.ulid()) && options.retention().exceeded(m, now)) {
                marker.mark(BlockMark.Kind.DELETION, m.ulid(),
                        "block exceeding retention of " + RetentionRules.go(options.retention().of(m)), "");
            }
        }
    }

    /** What must not wait for compaction: deletes marked blocks and given-up uploads. */
    void cleanup() {
        BlockCatalog catalog = sync();
        clean(catalog);
        deleteMarked(catalog);
    }

    /** Deletes uploads that were given up, as far as that works. */
    private void clean(BlockCatalog catalog) {
        metrics.cleanupLoops.inc();
        long now = clock.millis();
        Set<Ulid> untouched = leftAlone(catalog, BlockMark.Kind.DELETION);
        BlockDeleter deleter = new BlockDeleter(bucket);
        catalog.partial().forEach((id, objects) -> {
            long newest = objects.newestMillis() > 0 ? objects.newestMillis() : id.timeMillis();
            if (now - newest <= PARTIAL_UPLOAD_AGE.toMillis() || untouched.contains(id)) {
                return;
            }
            metrics.partialDeletions.inc();
            LOG.atInfo().addKeyValue("block", id).log("deleting partial upload that was given up");
            try {
                deleter.delete(id);
                metrics.blocksCleaned.inc();
            } catch (UnavailableException e) {
                metrics.cleanupFailures.inc();
                LOG.atWarn().addKeyValue("block", id).addKeyValue("err", e.getMessage())
                        .log("partial upload could not be deleted, will be tried again");
            }
        });
    }

    /**
     * What there is to do, by planning ahead as if every plan were carried out.
     *
     * @param compactions how many compactions
     * @param compactionBlocks how many blocks go into them
     * @param downsampleBlocks how many blocks are to be downsampled
     * @param deletionBlocks how many blocks have outlived their retention
     */
    record Todo(int compactions, int compactionBlocks, int downsampleBlocks, int deletionBlocks) {
    }

    Todo todo() {
        BlockCatalog catalog = sync();
        int compactions = 0;
        int blocks = 0;
        CompactionPlanner planner = new CompactionPlanner(options.maxLevel());
        Set<Ulid> excluded = leftAlone(catalog, BlockMark.Kind.NO_COMPACT);
        for (BlockGroup group : BlockGroup.of(visible(catalog))) {
            List<BlockMeta> left = new ArrayList<>(group.blocks());
            for (List<BlockMeta> plan = planner.plan(left, excluded); plan.size() > 1; plan = planner.plan(left, excluded)) {
                compactions++;
                blocks += plan.size();
                BlockMeta merged = io.varve.tsdb.BlockMerger.resultMeta(plan.getFirst().ulid(), plan).withThanos(plan.getFirst().thanos());
                left.removeAll(plan);
                left.add(merged);
            }
        }
        long now = clock.millis();
        int deletions = (int) visible(catalog).stream()
                .filter(m -> !catalog.unreadableMarks().containsKey(m.ulid()) && options.retention().exceeded(m, now)).count();
        Todo todo = new Todo(compactions, blocks, options.downsampling() ? downsampleTasks(catalog).size() : 0, deletions);
        metrics.todoCompactions.set(todo.compactions);
        metrics.todoCompactionBlocks.set(todo.compactionBlocks);
        metrics.todoDownsampleBlocks.set(todo.downsampleBlocks);
        metrics.todoDeletionBlocks.set(todo.deletionBlocks);
        return todo;
    }

    /** The catalog of the last sync. */
    BlockCatalog latest() {
        return sync.latest();
    }
}

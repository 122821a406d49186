package io.varve.compactor;

import io.varve.block.BlockDownloader;
import io.varve.block.BlockMark;
import io.varve.block.BlockUploader;
import io.varve.model.CorruptDataException;
import io.varve.model.InvalidRequestException;
import io.varve.model.UnavailableException;
import io.varve.objstore.Bucket;
import io.varve.runtime.MemoryPool;
import io.varve.tsdb.BlockMerger;
import io.varve.tsdb.BlockMeta;
import io.varve.tsdb.BlockReader;
import io.varve.tsdb.BlockRepair;
import io.varve.tsdb.IndexHealth;
import io.varve.tsdb.OverlapMerger;
import io.varve.tsdb.Ulid;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;
import java.util.random.RandomGenerator;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Carries out the next plan of one group: download, check, merge, check again, upload, and only then mark the sources. Whatever stops it in
 * between leaves the bucket complete: at worst a block too many, which the duplicate filter hides and garbage collection removes.
 */
final class GroupCompaction {
    private static final Logger LOG = LoggerFactory.getLogger(GroupCompaction.class);

    private final Bucket bucket;
    private final CompactOptions options;
    private final CompactMetrics metrics;
    private final Marker marker;
    private final InstantSource clock;
    private final RandomGenerator random;
    private final MemoryPool memory;

    GroupCompaction(Bucket bucket, CompactOptions options, CompactMetrics metrics, Marker marker, InstantSource clock,
            RandomGenerator random, MemoryPool memory) {
        this.bucket = bucket;
        this.options = options;
        this.metrics = metrics;
        this.marker = marker;
        this.clock = clock;
        this.random = random;
        this.memory = memory;
    }

    /**
     * Compacts once.
     *
     * @param excluded blocks marked not to be compacted
     * @return whether the bucket was changed, so that there may be more to do
     * @throws CorruptDataException where a block, or blocks together, break a rule; a person has to look
     * @throws UnavailableException where trying again may help
     */
    boolean run(BlockGroup group, Set<Ulid> excluded) {
        String resolution = Long.toString(group.resolutionMillis());
        metrics.runsStarted.labelValues(resolution).inc();
        Path directory = options.dataDirectory().resolve("compact").resolve(group.key());
        try {
            boolean changed = compact(group, excluded, directory);
            metrics.runsCompleted.labelValues(resolution).inc();
            Directories.delete(directory);
            return changed;
        } catch (RuntimeException | Error e) {
            // Downloads stay: with hashes in their meta.json they need not be fetched again.
            metrics.compactionFailures.labelValues(resolution).inc();
            throw e;
        }
    }

    private boolean compact(BlockGroup group, Set<Ulid> excluded, Path directory) {
        List<BlockMeta> overlapping = CompactionPlanner.overlapping(group.blocks());
        if (!overlapping.isEmpty() && !options.vertical()) {
            throw new CorruptDataException("group " + group.key(), -1,
                    "pre compaction overlap check: overlaps found while gathering blocks: "
                            + describe(overlapping) + " (vertical compaction is off)");
        }
        CompactionPlanner.Plan plan = new CompactionPlanner(options.maxLevel()).plan(group.blocks(), excluded, this::indexSize,
                options.maxIndexBytes(),
                options.vertical());
        for (CompactionPlanner.Exclusion e : plan.exclusions()) {
            marker.mark(BlockMark.Kind.NO_COMPACT, e.block().ulid(), e.details(), e.reason());
        }
        if (plan.blocks().isEmpty()) {
            // Exclusions were taken into account already: planning again would come to the same.
            return false;
        }
        checkSources(group, plan.blocks());
        LOG.atInfo().addKeyValue("group", group.key()).addKeyValue("labels", group.labels()).addKeyValue("blocks", ids(plan.blocks()))
                .log("compaction planned");
        Directories.deleteChildren(directory, name -> plan.blocks().stream().anyMatch(m -> m.ulid().toString().equals(name)));
        Workers.each(options.fetchConcurrency(), "fetch", plan.blocks(),
                m -> new BlockDownloader(bucket, options.filesConcurrency()).download(m.ulid(), directory.resolve(m.ulid().toString())));
        List<BlockReader> readers = new ArrayList<>();
        try {
            for (BlockMeta m : plan.blocks()) {
                readers.add(BlockReader.open(directory.resolve(m.ulid().toString())));
            }
            Map<BlockReader, IndexHealth> healths = new ConcurrentHashMap<>();
            Workers.each(options.seriesThreads(options.compactionConcurrency()), "check", readers, r -> healths.put(r, IndexHealth.of(r)));
            for (BlockReader reader : readers) {
                if (repaired(group, reader, Objects.requireNonNull(healths.get(reader)), directory)) {
                    return true;
                }
            }
            return merge(group, plan.blocks(), readers, !CompactionPlanner.overlapping(plan.blocks()).isEmpty(), directory);
        } finally {
            readers.forEach(BlockReader::close);
        }
    }

    private long indexSize(BlockMeta meta) {
        long recorded = meta.thanosSection().map(BlockMeta.Thanos::files).orElse(List.of()).stream()
                .filter(f -> f.path().equals(BlockReader.INDEX)).mapToLong(BlockMeta.FileEntry::sizeBytes).findFirst().orElse(0);
        return recorded > 0 ? recorded : bucket.find(meta.ulid() + "/" + BlockReader.INDEX).map(a -> a.size()).orElse(0L);
    }

    /** Two blocks with one source hold the same data twice; only a vertical compaction can take that. */
    private void checkSources(BlockGroup group, List<BlockMeta> blocks) {
        Map<Ulid, Ulid> seen = new HashMap<>();
        for (BlockMeta m : blocks) {
            for (Ulid source : m.compaction().sources()) {
                Ulid other = seen.put(source, m.ulid());
                if (other != null) {
                    String what = "blocks " + other + " and " + m.ulid() + " share the source " + source;
                    if (!options.vertical()) {
                        throw new CorruptDataException("group " + group.key(), -1, what);
                    }
                    LOG.atWarn().addKeyValue("group", group.key()).log(what);
                }
            }
        }
    }

    /**
     * Checks the index of a source. Blocks with a known fault of old Prometheus versions are replaced, such with chunks out of order marked
     * where that is wanted; both means to plan again.
     */
    private boolean repaired(BlockGroup group, BlockReader block, IndexHealth health, Path directory) {
        BlockMeta meta = block.meta();
        String file = meta.ulid() + "/" + BlockReader.INDEX;
        long wholly = health.completeOutsideChunks();
        long partly = health.outsideChunks() - wholly - health.issue347OutsideChunks();
        if (partly > 0) {
            throw new CorruptDataException(file, -1, "found " + partly + " chunks non-completely outside the block time range");
        }
        if (wholly > 0) {
            throw new CorruptDataException(file, -1, "found " + wholly + " chunks completely outside the block time range");
        }
        if (health.outOfOrderChunks() > 0) {
            String what = health.outOfOrderSeries() + "/" + health.series() + " series have out-of-order chunks, "
                    + health.outOfOrderChunks() + " in all";
            if (!options.skipOutOfOrder()) {
                throw new CorruptDataException(file, -1, what + "; --compact.skip-block-with-out-of-order-chunks leaves such blocks out");
            }
            marker.mark(BlockMark.Kind.NO_COMPACT, meta.ulid(), what, CompactMetrics.OUT_OF_ORDER);
            return true;
        }
        if (health.issue347OutsideChunks() > 0) {
            replace(group, block, directory);
            return true;
        }
        if (health.outOfOrderLabels() > 0 && !options.acceptMalformedIndex()) {
            throw new CorruptDataException(file, -1,
                    "index contains " + health.outOfOrderLabels()
                            + " postings with out of order labels, try running with --debug.accept-malformed-index");
        }
        return false;
    }

    private void replace(BlockGroup group, BlockReader block, Path directory) {
        BlockMeta old = block.meta();
        Ulid id = Ulid.of(clock.millis(), random);
        LOG.atInfo().addKeyValue("block", old.ulid()).addKeyValue("repaired", id).log("repairing block with chunks that begin at its end");
        Optional<BlockMeta> repaired = BlockRepair.repair(block, directory, id, "compactor.repair");
        if (repaired.isPresent()) {
            BlockMeta meta = repaired.get().withThanos(thanos(group, old, "compactor.repair"));
            upload(directory.resolve(id.toString()), meta);
        }
        marker.mark(BlockMark.Kind.DELETION, old.ulid(), "source of repaired block", "");
    }

    private static BlockMeta.Thanos thanos(BlockGroup group, BlockMeta old, String source) {
        return old.thanosSection().orElse(BlockMeta.Thanos.of(group.labels(), group.resolutionMillis(), source)).withLabels(group.labels())
                .withSource(source);
    }

    private boolean merge(BlockGroup group, List<BlockMeta> sources, List<BlockReader> readers, boolean overlapping, Path directory) {
        long begin = clock.millis();
        Ulid id = Ulid.of(begin, random);
        // The metas of the catalog: replica labels are removed from them.
        BlockMeta template = BlockMerger.resultMeta(id, sources);
        Supplier<OverlapMerger> overlaps = options.penalty() ? PenaltyMerger::new : OverlapMerger::chain;
        Optional<BlockMeta> merged;
        try (MemoryPool.Budget budget = memory.open()) {
            BlockMeta.Thanos section = BlockMeta.Thanos.of(group.labels(), group.resolutionMillis(), "compactor")
                    .withExtensions(group.extensions());
            merged = BlockMerger.write(readers, directory, template.withThanos(section), BlockMerger.Options.DEFAULT.withOverlaps(overlaps)
                    .withMemory(budget).withThreads(options.seriesThreads(options.compactionConcurrency()))
                    .withProgress(series -> stopIfInterrupted()));
        } catch (InvalidRequestException e) {
            throw new CorruptDataException("group " + group.key(), -1, "compact blocks " + ids(sources) + ": " + e.getMessage(), e);
        }
        if (merged.isEmpty()) {
            LOG.atInfo().addKeyValue("group", group.key()).addKeyValue("blocks", ids(sources)).log("compacted blocks have no samples");
            boolean marked = false;
            for (BlockMeta m : sources) {
                if (m.stats().samples() == 0) {
                    marker.mark(BlockMark.Kind.DELETION, m.ulid(), "source of compacted block", "");
                    marked = true;
                }
            }
            return marked;
        }
        BlockMeta meta = merged.get();
        Path block = directory.resolve(id.toString());
        IndexHealth health;
        try (BlockReader result = BlockReader.open(block)) {
            health = IndexHealth.of(result);
        }
        String fault = fault(health, meta);
        if (!fault.isEmpty()) {
            throw new CorruptDataException(id + "/" + BlockReader.INDEX, -1, "invalid result block of " + ids(sources) + ": " + fault);
        }
        checkResult(group, sources, meta);
        upload(block, meta);
        for (BlockMeta m : sources) {
            marker.mark(BlockMark.Kind.DELETION, m.ulid(), "source of compacted block", "");
        }
        String resolution = Long.toString(group.resolutionMillis());
        metrics.compactions.labelValues(resolution).inc();
        if (overlapping) {
            metrics.verticalCompactions.labelValues(resolution).inc();
        }
        Directories.delete(block);
        LOG.atInfo().addKeyValue("group", group.key()).addKeyValue("result", id).addKeyValue("level", meta.compaction().level())
                .addKeyValue("series", meta.stats().series()).addKeyValue("samples", meta.stats().samples())
                .addKeyValue("duration_ms", clock.millis() - begin).log("compacted blocks");
        return true;
    }

    private static void stopIfInterrupted() {
        if (Thread.currentThread().isInterrupted()) {
            throw new io.varve.model.CancelledException(io.varve.model.CancelledException.Reason.CANCELED, "compaction: interrupted");
        }
    }

    private static String fault(IndexHealth health, BlockMeta meta) {
        if (health.outsideChunks() > 0) {
            return health.outsideChunks() + " chunks outside the block's time range";
        }
        if (health.outOfOrderChunks() > 0 || health.duplicatedChunks() > 0) {
            return (health.outOfOrderChunks() + health.duplicatedChunks()) + " chunks that overlap";
        }
        if (health.outOfOrderLabels() > 0 || health.unsortedSeries() > 0 || health.emptySeries() > 0) {
            return "series or labels out of order, or empty";
        }
        return health.series() == meta.stats().series() && health.chunks() == meta.stats().chunks()
                ? ""
                : health.series() + " series and " + health.chunks() + " chunks, written were " + meta.stats().series() + " and "
                        + meta.stats().chunks();
    }

    /** What the result would do to the other blocks of the group. */
    private void checkResult(BlockGroup group, List<BlockMeta> sources, BlockMeta result) {
        if (options.vertical()) {
            return;
        }
        List<BlockMeta> after = new ArrayList<>(group.blocks());
        after.removeAll(sources);
        after.add(result);
        after.sort(CompactionPlanner.BY_MIN_TIME);
        List<BlockMeta> overlapping = CompactionPlanner.overlapping(after);
        if (!overlapping.isEmpty()) {
            throw new CorruptDataException("group " + group.key(), -1,
                    "resulted compacted block " + result.ulid() + " overlaps with something: "
                            + describe(overlapping));
        }
    }

    private void upload(Path block, BlockMeta meta) {
        new BlockUploader(bucket, options.filesConcurrency(), options.hash(), clock).handOver(block, meta);
    }

    private static String ids(List<BlockMeta> blocks) {
        return blocks.stream().map(m -> m.ulid().toString()).collect(Collectors.joining(" ", "[", "]"));
    }

    private static String describe(List<BlockMeta> blocks) {
        return blocks.stream().map(m -> "<ulid: " + m.ulid() + ", mint: " + m.minTime() + ", maxt: " + m.maxTime() + ">")
                .collect(Collectors.joining(", "));
    }
}

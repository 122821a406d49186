package io.varve.tsdb;

import io.varve.chunk.ChunkSeries;
import io.varve.chunk.ChunkSeriesSet;
import io.varve.model.CorruptDataException;
import io.varve.model.InvalidRequestException;
import io.varve.model.MemoryBudget;
import io.varve.tsdb.index.SymbolUnion;
import io.varve.tsdb.index.Symbols;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.LongConsumer;
import java.util.function.Supplier;
import java.util.stream.Collectors;

/**
 * Makes one block of several as a stream: chunks that overlap no other are copied as they are, others merged by an
 * {@link OverlapMerger}; what tombstones delete and what lies outside the new block's range is left out.
 */
public final class BlockMerger {
    private static final String OUT_OF_ORDER = "from-out-of-order";
    private static final Set<String> PARTIAL = Set.of("from-stale-series", "from-selected-series");

    private BlockMerger() {
    }

    /**
     * How to merge.
     *
     * @param overlaps what to do with chunks that overlap, made once for each thread
     * @param segmentBytes size of segment files
     * @param threads how many merge, besides one that writes chunks and the calling one, which writes the index; with 1 that one does all. The result is the
     *        same.
     * @param memory where memory that grows with the input is reserved
     * @param progress called from time to time with the number of series written; what it throws ends the merge
     */
    public record Options(Supplier<OverlapMerger> overlaps, long segmentBytes, int threads, MemoryBudget memory, LongConsumer progress) {
        /** Prometheus' merge, 512 MiB segments, one thread, no bound of memory, nobody looking. */
        public static final Options DEFAULT = new Options(OverlapMerger::chain, BlockWriter.SEGMENT_BYTES, 1, MemoryBudget.UNLIMITED,
                series -> {
                });

        /** With another merge of overlaps. */
        public Options withOverlaps(Supplier<OverlapMerger> other) {
            return new Options(other, segmentBytes, threads, memory, progress);
        }

        /** With another number of threads. */
        public Options withThreads(int number) {
            return new Options(overlaps, segmentBytes, number, memory, progress);
        }

        /** With another observer. */
        public Options withProgress(LongConsumer other) {
            return new Options(overlaps, segmentBytes, threads, memory, other);
        }

        /** With a budget. */
        public Options withMemory(MemoryBudget other) {
            return new Options(overlaps, segmentBytes, threads, other, progress);
        }
    }

    /**
     * Merges blocks, in the order in which they will be named as parents.
     *
     * @param parent where the new block's directory goes
     * @return the meta of the new block, empty where no sample is left and no block was written
     */
    public static Optional<BlockMeta> merge(List<BlockReader> blocks, Path parent, Ulid ulid, Options options) {
        return write(blocks, parent, resultMeta(ulid, blocks.stream().map(BlockReader::meta).toList()), options);
    }

    /** Writes a block anew without what is deleted of it: level 1, its own source, the old block its parent. */
    public static Optional<BlockMeta> clean(BlockReader block, Path parent, Ulid ulid, Options options) {
        BlockMeta old = block.meta();
        BlockMeta.Compaction origin = new BlockMeta.Compaction(1, List.of(ulid), false,
                List.of(new BlockMeta.Parent(old.ulid(), old.minTime(), old.maxTime())), false, old.compaction().hints());
        return write(List.of(block), parent, old.withUlid(ulid).withCompaction(origin), options);
    }

    /**
     * Writes a block of the given blocks' series under a meta of which name, range, origin and Thanos section are taken; the latter gets the
     * block's own greatest sizes.
     *
     * @throws CorruptDataException where a block cannot be read, or its content is not what its index says and so cannot be put in order
     * @throws InvalidRequestException where the overlap merger cannot make one of what overlaps
     */
    public static Optional<BlockMeta> write(List<BlockReader> blocks, Path parent, BlockMeta meta, Options options) {
        if (blocks.isEmpty()) {
            throw new IllegalArgumentException("no blocks to merge");
        }
        try (BlockWriter writer = BlockWriter.create(parent, meta.ulid(), options.segmentBytes, options.memory)) {
            SymbolUnion union = SymbolUnion.of(blocks.stream().map(b -> b.index().symbols()).toList());
            if (union != null) {
                return write(blocks, union, writer, meta, options);
            }
            List<ChunkSeriesSet> sets = new ArrayList<>();
            Symbols before = Symbols.NONE;
            Symbols.Texts texts = Symbols.Texts.NONE;
            for (BlockReader b : blocks) {
                // All symbols of the inputs, used or not, as Prometheus writes them. Labels of all blocks share their texts: most comparisons
                // end at the sameness of two objects.
                texts = writer.addSymbols(b.index().symbols(), before, texts);
                before = b.index().symbols();
                sets.add(b.select(meta.minTime(), meta.maxTime() - 1, texts));
            }
            writer.sealSymbols();
            return write(sets, writer, meta, options);
        } catch (IllegalArgumentException e) {
            // Only the writer's rules of order are left to be broken.
            String names = blocks.stream().map(b -> b.directory().toString()).collect(Collectors.joining(", "));
            throw new CorruptDataException(names, -1, "cannot be put in order: " + e.getMessage(), e);
        }
    }

    /** By numbers of symbols. All symbols of the inputs, used or not, are in the new block, as Prometheus writes them. */
    private static Optional<BlockMeta> write(List<BlockReader> blocks, SymbolUnion symbols, BlockWriter writer, BlockMeta meta,
            Options options) {
        writer.sealSymbols(symbols);
        List<BlockReader.Entries> entries = new ArrayList<>();
        for (int i = 0; i < blocks.size(); i++) {
            entries.add(blocks.get(i).entries(meta.minTime(), meta.maxTime() - 1, symbols, symbols.numbers(i)));
        }
        try (EntryMerge merge = new EntryMerge(entries, symbols, options.overlaps, options.threads, options.memory)) {
            writer.addAll(merge, symbols, options.threads, options.memory, options.progress);
            return commit(writer, meta);
        }
    }

    /** Where symbols have no order: by labels. */
    private static Optional<BlockMeta> write(List<ChunkSeriesSet> sets, BlockWriter writer, BlockMeta meta, Options options) {
        try (MergedChunkSeriesSet merged = new MergedChunkSeriesSet(sets, options.overlaps, options.threads, options.memory)) {
            writer.addAll(merged, options.threads, options.memory, options.progress);
            return commit(writer, meta);
        }
    }

    private static Optional<BlockMeta> commit(BlockWriter writer, BlockMeta meta) {
        if (writer.stats().samples() == 0) {
            return Optional.empty();
        }
        BlockMeta.Thanos thanos = meta.thanos();
        return Optional.of(writer.commit(stats -> meta.withStats(stats)
                .withThanos(thanos == null ? null : thanos.withIndexStats(writer.indexStats()))));
    }

    /**
     * The meta of what blocks are compacted into: their common range, the next level, all sources, the blocks as parents. Counts
     * are left empty, and so is Thanos' section.
     */
    public static BlockMeta resultMeta(Ulid ulid, List<BlockMeta> blocks) {
        long min = Long.MAX_VALUE;
        long max = Long.MIN_VALUE;
        int level = 0;
        TreeSet<Ulid> sources = new TreeSet<>();
        List<BlockMeta.Parent> parents = new ArrayList<>();
        Set<String> hints = new HashSet<>();
        boolean allOutOfOrder = true;
        for (BlockMeta b : blocks) {
            min = Math.min(min, b.minTime());
            max = Math.max(max, b.maxTime());
            level = Math.max(level, b.compaction().level());
            sources.addAll(b.compaction().sources());
            parents.add(new BlockMeta.Parent(b.ulid(), b.minTime(), b.maxTime()));
            allOutOfOrder &= b.compaction().hints().contains(OUT_OF_ORDER);
            b.compaction().hints().stream().filter(PARTIAL::contains).forEach(hints::add);
        }
        if (allOutOfOrder) {
            hints.add(OUT_OF_ORDER);
        }
        return new BlockMeta(ulid, min, max, BlockMeta.Stats.EMPTY,
                new BlockMeta.Compaction(level + 1, List.copyOf(sources), false, parents, false, hints.stream().sorted().toList()));
    }
}

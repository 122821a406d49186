package io.varve.tsdb;

import io.varve.chunk.Chunk;
import io.varve.chunk.ChunkSeries;
import io.varve.chunk.ChunkSeriesSet;
import io.varve.model.Labels;
import io.varve.model.MemoryBudget;
import io.varve.model.UnavailableException;
import io.varve.tsdb.index.SymbolUnion;
import io.varve.tsdb.index.Symbols;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.function.Function;
import java.util.function.LongConsumer;
import java.util.function.Supplier;
import java.util.function.ToLongFunction;
import org.jspecify.annotations.Nullable;

/**
 * Writes a block as a stream: series in label order, then {@link #commit}. Memory is bounded by symbols and by pairs of label name
 * and value, not by series. The block lies in {@code <ULID>.tmp-for-creation} until it is complete and synced, and is renamed then; a
 * crash or {@link #close} without commit leaves no block. The same input gives the same bytes. One thread.
 */
public final class BlockWriter implements AutoCloseable {
    /** Segment files are cut at this size. */
    public static final long SEGMENT_BYTES = 512L << 20;
    /** What a block's directory is called until it is complete. */
    public static final String UNFINISHED = ".tmp-for-creation";

    /** How often progress is told, in series. */
    private static final int PROGRESS_EVERY = 1024;

    private final Path parent;
    private final Path directory;
    private final Ulid ulid;
    private final SegmentWriter chunks;
    private final IndexSpool index;
    private long minTime = Long.MAX_VALUE;
    private long maxTime = Long.MIN_VALUE;
    private boolean over;

    /** A series whose chunks are written, with their places. */
    private record Placed<S>(S series, List<Chunk> chunks, long[] refs) {
    }

    /** Puts a series into the index whose chunks are written. */
    @FunctionalInterface
    private interface Indexed<S> {
        void add(S series, List<Chunk> chunks, long[] refs) throws IOException;
    }

    private BlockWriter(Path parent, Path directory, Ulid ulid, SegmentWriter chunks, IndexSpool index) {
        this.parent = parent;
        this.directory = directory;
        this.ulid = ulid;
        this.chunks = chunks;
        this.index = index;
    }

    /** Begins a block in {@code parent}, which is made where it is missing; an unfinished one of the same name is removed. */
    public static BlockWriter create(Path parent, Ulid ulid) {
        return create(parent, ulid, SEGMENT_BYTES);
    }

    /** As the other, with segment files of another size, up to 4 GiB. */
    public static BlockWriter create(Path parent, Ulid ulid, long segmentBytes) {
        return create(parent, ulid, segmentBytes, MemoryBudget.UNLIMITED);
    }

    /** As the other, with memory for symbols and tables reserved from a budget until the writer is closed or has committed. */
    public static BlockWriter create(Path parent, Ulid ulid, long segmentBytes, MemoryBudget memory) {
        if (segmentBytes < 1 || segmentBytes > 1L << 32) {
            throw new IllegalArgumentException("segments must have between 1 byte and 4 GiB, not " + segmentBytes);
        }
        Path directory = parent.resolve(ulid + UNFINISHED);
        try {
            Durable.deleteTree(directory);
            Files.createDirectories(directory);
            return new BlockWriter(parent, directory, ulid, SegmentWriter.create(directory, segmentBytes),
                    new IndexSpool(directory.resolve(BlockReader.INDEX), memory));
        } catch (IOException e) {
            throw failed("create block " + directory, e);
        }
    }

    private static UnavailableException failed(String what, IOException e) {
        return new UnavailableException(what + ": " + e, e);
    }

    /** Puts a symbol into the index that series need not use. */
    public void addSymbol(String text) {
        index.symbol(text);
    }

    /**
     * Puts all symbols of an index in, and gives their text objects by ordinal: equal texts of several indexes are one object.
     *
     * @param like another index' symbols, which likely are most of these; nothing has to be looked up for them
     * @param likeTexts what this gave for it
     */
    Symbols.Texts addSymbols(Symbols symbols, Symbols like, Symbols.Texts likeTexts) {
        return symbols.texts(like, likeTexts, index::symbol);
    }

    /** Says that these are all symbols: series come by their numbers, with {@link #addAll(EntryMerge, SymbolUnion, int, MemoryBudget, LongConsumer)}. */
    void sealSymbols(SymbolUnion symbols) {
        try {
            index.sealSymbols(symbols);
        } catch (IOException e) {
            throw failed("write symbols to " + directory, e);
        }
    }

    /** Says that no symbol comes that is not here: series entries are written as series are added, instead of all at the end. */
    void sealSymbols() {
        try {
            index.sealSymbols();
        } catch (IOException e) {
            throw failed("write symbols to " + directory, e);
        }
    }

    /**
     * Adds a series.
     *
     * @param labels greater than those before
     * @param series chunks in order, none overlapping
     * @throws IllegalArgumentException where the order is broken
     * @throws UnavailableException where the disk does not take it
     */
    public void add(Labels labels, List<Chunk> series) {
        if (over) {
            throw new IllegalStateException("block " + ulid + " is complete");
        }
        enter(place(labels, series), index::add);
    }

    /** Writes a series' chunks. */
    private <S> Placed<S> place(S series, List<Chunk> all) {
        long[] refs = new long[all.size()];
        try {
            chunks.write(all, refs);
        } catch (IOException e) {
            throw failed("write series to " + directory, e);
        }
        return new Placed<>(series, all, refs);
    }

    private <S> void enter(Placed<S> series, Indexed<S> indexed) {
        List<Chunk> all = series.chunks;
        try {
            indexed.add(series.series, all, series.refs);
        } catch (IOException e) {
            throw failed("write series to " + directory, e);
        }
        if (!all.isEmpty()) {
            minTime = Math.min(minTime, StoredChunks.minTime(all, 0));
            maxTime = Math.max(maxTime, StoredChunks.maxTime(all, all.size() - 1));
        }
    }

    /** Adds a series. */
    public void add(ChunkSeries series) {
        add(series.labels(), series.chunks());
    }

    /** Adds all series of a set, which the caller closes. */
    public void addAll(ChunkSeriesSet set) {
        for (ChunkSeries s = set.next(); s != null; s = set.next()) {
            add(s);
        }
    }

    /**
     * Adds all series of a set that have chunks, as {@link #add} does one after the other. After a failure nothing can be added any more.
     *
     * @param set closed by the caller, who does not ask it meanwhile
     * @param threads with more than 1 another thread asks the set and writes chunks, while the calling one writes the index
     * @param budget where memory for series on their way from one to the other is reserved
     * @param progress called from time to time with the number of series that came; what it throws ends the work
     */
    void addAll(ChunkSeriesSet set, int threads, MemoryBudget budget, LongConsumer progress) {
        addAll(set::next, ChunkSeries::chunks, (s, all, refs) -> index.add(s.labels(), all, refs), threads, budget, progress);
    }

    /** As the other, for series by the numbers of symbols that were sealed. */
    void addAll(EntryMerge merge, SymbolUnion symbols, int threads, MemoryBudget budget, LongConsumer progress) {
        addAll(merge::next, EntryMerge.NumberedSeries::chunks, (s, all, refs) -> index.add(s.labels(), symbols, all, refs), threads, budget,
                progress);
    }

    private <S> void addAll(Supplier<@Nullable S> source, Function<S, List<Chunk>> chunksOf, Indexed<S> indexed, int threads,
            MemoryBudget budget, LongConsumer progress) {
        ToLongFunction<S> bytes = s -> ParallelSeriesSet.bytes(chunksOf.apply(s));
        try (OrderedWork<S, Placed<S>> work = new OrderedWork<>(source, bytes, bytes, budget, () -> s -> place(s, chunksOf.apply(s)),
                threads > 1 ? 1 : 0)) {
            long n = 0;
            for (Placed<S> s = work.next(); s != null; s = work.next()) {
                if (!s.chunks.isEmpty()) {
                    enter(s, indexed);
                }
                if (++n % PROGRESS_EVERY == 0) {
                    progress.accept(n);
                }
            }
        }
    }

    /** What was added so far. */
    public BlockMeta.Stats stats() {
        return new BlockMeta.Stats(chunks.samples(), chunks.floats(), chunks.histograms(), index.series(), chunks.chunkCount(), 0);
    }

    /** First sample's time, {@link Long#MAX_VALUE} before the first. */
    public long minTime() {
        return minTime;
    }

    /** Last sample's time, {@link Long#MIN_VALUE} before the first. */
    public long maxTime() {
        return maxTime;
    }

    /** Greatest sizes; complete after commit only. */
    public BlockMeta.IndexStats indexStats() {
        return new BlockMeta.IndexStats(index.maxEntryBytes(), chunks.maxEntryBytes());
    }

    /**
     * Completes the block with its own name and counts, and a range, origin and Thanos section as given.
     *
     * @return the meta as written
     */
    public BlockMeta commit(BlockMeta template) {
        return commit(stats -> template.withUlid(ulid).withStats(stats));
    }

    /**
     * Completes the block.
     *
     * @param describe gives the meta from the counts; called after index and chunks are written, so that {@link #indexStats} is complete
     * @return the meta as written
     */
    public BlockMeta commit(Function<BlockMeta.Stats, BlockMeta> describe) {
        if (over) {
            throw new IllegalStateException("block " + ulid + " is complete");
        }
        Path target = parent.resolve(ulid.toString());
        try {
            writeIndexWhileChunksAreSynced();
            index.close();
            BlockMeta meta = describe.apply(stats());
            Durable.write(directory.resolve(Tombstones.FILE), Tombstones.NONE.encode());
            Durable.write(directory.resolve(BlockMeta.FILE), meta.toJson());
            Durable.syncDirectory(directory.resolve(ChunkSegments.DIRECTORY));
            Durable.syncDirectory(directory);
            Files.move(directory, target, StandardCopyOption.ATOMIC_MOVE);
            Durable.syncDirectory(parent);
            over = true;
            return meta;
        } catch (IOException e) {
            throw failed("complete block " + target, e);
        }
    }

    /** The disk takes the chunks while the index is still computed; neither needs anything of the other any more. */
    private void writeIndexWhileChunksAreSynced() throws IOException {
        Background synced = Background.start("sync-" + ulid, chunks::finish);
        try {
            index.write();
        } catch (IOException | RuntimeException | Error e) {
            synced.await(e);
            throw e;
        }
        synced.await();
    }

    /** Gives up what was not committed and removes its files. */
    @Override
    public void close() {
        if (over) {
            return;
        }
        over = true;
        try {
            chunks.close();
            index.close();
            Durable.deleteTree(directory);
        } catch (IOException e) {
            throw failed("remove unfinished block " + directory, e);
        }
    }
}

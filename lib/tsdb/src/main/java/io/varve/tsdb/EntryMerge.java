package io.varve.tsdb;

import io.varve.chunk.Chunk;
import io.varve.chunk.ChunkSeries;
import io.varve.model.Labels;
import io.varve.model.MemoryBudget;
import io.varve.tsdb.index.SymbolUnion;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Series of several blocks in one order, as {@link MergedChunkSeriesSet} gives them, but by numbers of symbols: no labels, and chunks that are left whole
 * stay where they are. Only series of which chunks overlap or were cut have labels while they are merged. One thread asks; the blocks must stay open.
 */
final class EntryMerge implements AutoCloseable {
    private final List<BlockReader.Entries> blocks;
    private final MergeQueue queue;
    private final boolean[] isMember;
    private final SymbolUnion symbols;
    private final OrderedWork<Gathered, NumberedSeries> merges;
    private boolean started;

    /**
     * A series: numbers of its labels' symbols, name, value, name, value, …, and its chunks.
     *
     * @param labels not to be changed
     */
    record NumberedSeries(int[] labels, List<Chunk> chunks) {
        /** As texts. */
        Labels texts(SymbolUnion symbols) {
            return EntryMerge.texts(labels, symbols);
        }
    }

    /** A series of all blocks that have it: its chunks where they only follow each other, else what is to be merged. */
    private record Gathered(int[] labels, @Nullable StoredChunks whole, List<ChunkSeries> apart) {
        long bytes() {
            return whole != null ? ParallelSeriesSet.bytes(whole) : MergedChunkSeriesSet.bytes(apart);
        }

        long memory() {
            return whole != null ? ParallelSeriesSet.memory(whole) : MergedChunkSeriesSet.memory(apart);
        }
    }

    /**
     * @param blocks what of each block, in the order in which equal chunks come; closed with this
     * @param merger makes one for each thread
     * @param threads with 1 the work is done by the thread that asks
     * @param budget where memory for the series under way is reserved
     */
    EntryMerge(List<BlockReader.Entries> blocks, SymbolUnion symbols, Supplier<OverlapMerger> merger, int threads, MemoryBudget budget) {
        this.blocks = List.copyOf(blocks);
        this.queue = new MergeQueue(blocks.size(), (a, b) -> this.blocks.get(a).compareTo(this.blocks.get(b)));
        this.isMember = new boolean[blocks.size()];
        this.symbols = symbols;
        // Mostly one thread gathers and there is nothing else to do: others are for what overlaps.
        this.merges = new OrderedWork<>(this::gather, Gathered::bytes, Gathered::memory, budget, () -> worker(merger.get()),
                threads > 1 ? threads : 0);
    }

    static Labels texts(int[] labels, SymbolUnion symbols) {
        String[] pairs = new String[labels.length];
        for (int i = 0; i < pairs.length; i++) {
            pairs[i] = symbols.text(labels[i]);
        }
        return Labels.ofSorted(pairs);
    }

    private static Function<Gathered, NumberedSeries> worker(OverlapMerger merger) {
        return g -> new NumberedSeries(g.labels, g.whole != null ? g.whole : MergedChunkSeriesSet.merge(g.apart, merger).chunks());
    }

    /** The next series, null after the last. */
    @Nullable
    NumberedSeries next() {
        return merges.next();
    }

    private @Nullable Gathered gather() {
        int n = isMember.length;
        if (!started) {
            started = true;
            for (int i = 0; i < n; i++) {
                advance(i);
            }
        }
        int members = queue.take();
        if (members == 0) {
            return null;
        }
        Arrays.fill(isMember, false);
        int chunks = 0;
        for (int m = 0; m < members; m++) {
            int i = queue.set(m);
            isMember[i] = true;
            chunks += blocks.get(i).chunkCount();
        }
        int[] labels = blocks.get(queue.set(0)).labels();
        StoredChunks.Builder whole = new StoredChunks.Builder(chunks);
        boolean inRow = true;
        // In the order of the blocks, which is that of time, not in that of the queue.
        for (int i = 0; i < n && inRow; i++) {
            inRow = !isMember[i] || blocks.get(i).addTo(whole);
        }
        List<ChunkSeries> apart = List.of();
        if (!inRow) {
            Labels texts = texts(labels, symbols);
            apart = new ArrayList<>();
            for (int m = 0; m < members; m++) {
                apart.add(new ChunkSeries(texts, blocks.get(queue.set(m)).chunks()));
            }
        }
        for (int m = 0; m < members; m++) {
            advance(queue.set(m));
        }
        return new Gathered(labels, inRow ? whole.build() : null, apart);
    }

    private void advance(int block) {
        if (blocks.get(block).next()) {
            queue.add(block);
        }
    }

    @Override
    public void close() {
        merges.close();
        blocks.forEach(BlockReader.Entries::close);
    }
}

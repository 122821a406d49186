package io.varve.tsdb;

import io.varve.chunk.Chunk;
import io.varve.chunk.ChunkSeries;
import io.varve.chunk.ChunkSeriesSet;
import io.varve.model.Labels;
import io.varve.model.MemoryBudget;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Series of several sets in one order, those with equal labels made one. Chunks that overlap no other are passed on as they are;
 * of exact duplicates one is; others go to an {@link OverlapMerger}. Holds one series of each set, and with several threads
 * some batches of series for each. One thread asks.
 */
public final class MergedChunkSeriesSet implements ChunkSeriesSet {
    private static final Comparator<Run> BY_TIME = Comparator.comparingLong((Run r) -> r.head().minTime())
            .thenComparingLong(r -> r.head().maxTime());

    private final List<ChunkSeriesSet> sets;
    private final @Nullable ChunkSeries[] heads;
    private final MergeQueue queue;
    private final OrderedWork<List<ChunkSeries>, ChunkSeries> merges;
    private boolean started;

    /** Takes over the sets: closes them when it is closed. */
    public MergedChunkSeriesSet(List<? extends ChunkSeriesSet> sets, OverlapMerger merger) {
        this(sets, () -> merger, 1, MemoryBudget.UNLIMITED);
    }

    /**
     * Merges by several threads; the sets are asked by one at a time.
     *
     * @param merger makes one for each thread
     * @param threads with 1 the work is done by the thread that asks
     * @param budget where memory for the series under way is reserved
     */
    public MergedChunkSeriesSet(List<? extends ChunkSeriesSet> sets, Supplier<OverlapMerger> merger, int threads, MemoryBudget budget) {
        this.sets = List.copyOf(sets);
        this.heads = new ChunkSeries[sets.size()];
        this.queue = new MergeQueue(sets.size(), (a, b) -> labels(a).compareTo(labels(b)));
        this.merges = new OrderedWork<>(this::gather, MergedChunkSeriesSet::bytes, MergedChunkSeriesSet::memory, budget,
                () -> worker(merger.get()), threads > 1 ? threads : 0);
    }

    private static Function<List<ChunkSeries>, ChunkSeries> worker(OverlapMerger merger) {
        return equal -> merge(equal, merger);
    }

    /** About the memory of series. */
    static long bytes(List<ChunkSeries> equal) {
        long sum = 0;
        for (ChunkSeries s : equal) {
            sum += ParallelSeriesSet.bytes(s.chunks());
        }
        return sum;
    }

    /** About the memory of series and of what is made of them. */
    static long memory(List<ChunkSeries> equal) {
        long sum = 0;
        for (ChunkSeries s : equal) {
            sum += ParallelSeriesSet.memory(s.chunks());
        }
        return sum;
    }

    @Override
    public @Nullable ChunkSeries next() {
        return merges.next();
    }

    private Labels labels(int set) {
        return Objects.requireNonNull(heads[set]).labels();
    }

    /** The series of all sets that have the least labels. */
    private @Nullable List<ChunkSeries> gather() {
        if (!started) {
            started = true;
            for (int i = 0; i < heads.length; i++) {
                advance(i);
            }
        }
        int members = queue.take();
        if (members == 0) {
            return null;
        }
        List<ChunkSeries> equal = new ArrayList<>(members);
        int[] order = new int[members];
        for (int m = 0; m < members; m++) {
            order[m] = queue.set(m);
            equal.add(Objects.requireNonNull(heads[order[m]]));
        }
        // In the order of the sets chunks mostly follow each other, and then no order is of any matter.
        int[] bySet = order.clone();
        Arrays.sort(bySet);
        List<ChunkSeries> inTime = new ArrayList<>(members);
        for (int set : bySet) {
            inTime.add(Objects.requireNonNull(heads[set]));
        }
        for (int set : order) {
            advance(set);
        }
        if (areInRow(inTime)) {
            equal = inTime;
            if (equal.stream().allMatch(s -> s.chunks() instanceof StoredChunks)) {
                return equal;
            }
        }
        equal.replaceAll(s -> new ChunkSeries(s.labels(), StoredChunks.read(s.chunks())));
        return equal;
    }

    private void advance(int set) {
        heads[set] = sets.get(set).next();
        if (heads[set] != null) {
            queue.add(set);
        }
    }

    /** Series of equal labels as one. */
    static ChunkSeries merge(List<ChunkSeries> equal, OverlapMerger merger) {
        ChunkSeries one = equal.getFirst();
        boolean inRow = areInRow(equal);
        if (inRow && equal.size() == 1) {
            return one;
        }
        return new ChunkSeries(one.labels(), inRow ? join(equal) : merge(one.labels(), equal, merger));
    }

    /** Whether all chunks follow each other, one after the other, as they come, which is usual. */
    private static boolean areInRow(List<ChunkSeries> equal) {
        boolean first = true;
        long end = Long.MIN_VALUE;
        for (ChunkSeries s : equal) {
            List<Chunk> chunks = s.chunks();
            for (int i = 0; i < chunks.size(); i++) {
                if (!first && StoredChunks.minTime(chunks, i) <= end) {
                    return false;
                }
                end = StoredChunks.maxTime(chunks, i);
                first = false;
            }
        }
        return true;
    }

    private static List<Chunk> join(List<ChunkSeries> equal) {
        // Where one is not read, none is.
        List<StoredChunks> stored = new ArrayList<>(equal.size());
        List<Chunk> read = new ArrayList<>();
        for (ChunkSeries s : equal) {
            if (s.chunks() instanceof StoredChunks c) {
                stored.add(c);
            } else {
                read.addAll(s.chunks());
            }
        }
        return stored.isEmpty() ? read : StoredChunks.join(stored);
    }

    /** Chunks in order of which the first is looked at. */
    private static final class Run {
        private final List<Chunk> chunks;
        private int index;

        Run(List<Chunk> chunks) {
            this.chunks = chunks;
        }

        Chunk head() {
            return chunks.get(index);
        }

        boolean move() {
            return ++index < chunks.size();
        }
    }

    private static List<Chunk> merge(Labels labels, List<ChunkSeries> series, OverlapMerger merger) {
        MinHeap<Run> heap = new MinHeap<>(BY_TIME);
        int n = 0;
        for (ChunkSeries s : series) {
            if (!s.chunks().isEmpty()) {
                heap.push(new Run(s.chunks()));
                n += s.chunks().size();
            }
        }
        List<Chunk> out = new ArrayList<>(n);
        while (!heap.isEmpty()) {
            Chunk first = take(heap);
            List<Chunk> group = null;
            long end = first.maxTime();
            Chunk last = first;
            for (Run r = heap.peek(); r != null && r.head().minTime() <= end; r = heap.peek()) {
                Chunk c = take(heap);
                if (duplicate(c, last)) {
                    continue;
                }
                if (group == null) {
                    group = new ArrayList<>();
                    group.add(first);
                }
                group.add(c);
                end = Math.max(end, c.maxTime());
                last = c;
            }
            if (group == null) {
                out.add(first);
                continue;
            }
            List<Chunk> merged = merger.merge(labels, group);
            if (merged.isEmpty()) {
                continue;
            }
            // The first is done; what follows may overlap later chunks and goes back among them.
            out.add(merged.getFirst());
            if (merged.size() > 1) {
                heap.push(new Run(merged.subList(1, merged.size())));
            }
        }
        return out;
    }

    private static Chunk take(MinHeap<Run> heap) {
        Run r = heap.pop();
        Chunk c = r.head();
        if (r.move()) {
            heap.push(r);
        }
        return c;
    }

    private static boolean duplicate(Chunk a, Chunk b) {
        return a.minTime() == b.minTime() && a.maxTime() == b.maxTime()
                && Arrays.equals(a.data(), a.offset(), a.offset() + a.length(), b.data(), b.offset(), b.offset() + b.length());
    }

    @Override
    public void close() {
        merges.close();
        sets.forEach(ChunkSeriesSet::close);
    }
}

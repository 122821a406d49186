package io.varve.tsdb;

import io.varve.chunk.Chunk;
import io.varve.chunk.ChunkSeries;
import io.varve.chunk.ChunkSeriesSet;
import io.varve.model.Labels;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Series of several sets in one order, those with equal labels made one. Chunks that overlap no other are passed on as they are;
 * of exact duplicates one is; others go to an {@link OverlapMerger}. Holds one series of each set. One thread, except close.
 */
public final class MergedChunkSeriesSet implements ChunkSeriesSet {
    private static final Comparator<Run> BY_TIME = Comparator.comparingLong((Run r) -> r.head().minTime())
            .thenComparingLong(r -> r.head().maxTime());

    private final List<ChunkSeriesSet> sets;
    private final OverlapMerger merger;
    private final @Nullable ChunkSeries[] heads;
    private final List<ChunkSeries> equal = new ArrayList<>();
    private boolean started;

    /** Takes over the sets: closes them when it is closed. */
    public MergedChunkSeriesSet(List<? extends ChunkSeriesSet> sets, OverlapMerger merger) {
        this.sets = List.copyOf(sets);
        this.merger = merger;
        this.heads = new ChunkSeries[sets.size()];
    }

    @Override
    public @Nullable ChunkSeries next() {
        if (!started) {
            started = true;
            for (int i = 0; i < heads.length; i++) {
                heads[i] = sets.get(i).next();
            }
        }
        // Few blocks are merged at once, and mostly all of them have the series: a scan beats a tree.
        Labels least = null;
        equal.clear();
        for (ChunkSeries s : heads) {
            if (s == null) {
                continue;
            }
            int c = least == null ? -1 : s.labels().compareTo(least);
            if (c < 0) {
                least = s.labels();
                equal.clear();
            }
            if (c <= 0) {
                equal.add(s);
            }
        }
        if (least == null) {
            return null;
        }
        for (int i = 0; i < heads.length; i++) {
            ChunkSeries s = heads[i];
            if (s != null && equal.contains(s)) {
                heads[i] = sets.get(i).next();
            }
        }
        return equal.size() == 1 && apart(equal.getFirst().chunks())
                ? equal.getFirst()
                : new ChunkSeries(least, merge(least, equal, merger));
    }

    private static boolean apart(List<Chunk> chunks) {
        for (int i = 1; i < chunks.size(); i++) {
            if (chunks.get(i).minTime() <= chunks.get(i - 1).maxTime()) {
                return false;
            }
        }
        return true;
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
        sets.forEach(ChunkSeriesSet::close);
    }
}

package io.varve.tools;

import io.varve.chunk.ChunkSeries;
import io.varve.chunk.ChunkSeriesSet;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The series that are in any of several sets of one block, each once, in label order. Closes the sets. One thread. */
final class AnySelected implements ChunkSeriesSet {
    private final List<ChunkSeriesSet> sets;
    private final List<@Nullable ChunkSeries> heads = new ArrayList<>();

    AnySelected(List<ChunkSeriesSet> sets) {
        this.sets = sets;
    }

    @Override
    public @Nullable ChunkSeries next() {
        if (heads.isEmpty()) {
            sets.forEach(s -> heads.add(s.next()));
        }
        ChunkSeries least = null;
        for (ChunkSeries s : heads) {
            if (s != null && (least == null || s.labels().compareTo(least.labels()) < 0)) {
                least = s;
            }
        }
        for (int i = 0; i < sets.size(); i++) {
            ChunkSeries s = heads.get(i);
            if (s != null && least != null && s.labels().equals(least.labels())) {
                heads.set(i, sets.get(i).next());
            }
        }
        return least;
    }

    @Override
    public void close() {
        sets.forEach(ChunkSeriesSet::close);
    }
}

package io.varve.tsdb;

import io.varve.chunk.Chunk;
import io.varve.model.Labels;
import java.util.List;

/** Makes one sequence of chunks of several that overlap in time. May keep buffers: one for each thread. */
@FunctionalInterface
public interface OverlapMerger {
    /**
     * @param labels of the series
     * @param overlapping at least two, by minTime, then maxTime; exact duplicates that follow each other are left out already
     * @return chunks in order, none overlapping another; none where nothing is left
     */
    List<Chunk> merge(Labels labels, List<Chunk> overlapping);

    /** Prometheus' way: every time once, encoded anew in chunks of 120 samples. Not for downsampled chunks. */
    static OverlapMerger chain() {
        return SampleChain::merge;
    }
}

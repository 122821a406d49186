package io.varve.storegateway;

import io.varve.model.MemoryBudget;
import io.varve.model.QueryContext;
import io.varve.store.Aggregate;
import io.varve.store.SeriesRequest;
import io.varve.store.ShardInfo;
import java.util.List;
import java.util.Set;

/**
 * What all blocks of one request share: what is asked, where memory and limits are counted.
 *
 * @param context deadline and cancellation
 * @param budget where memory is reserved
 * @param minTime first millisecond wanted
 * @param maxTime last
 * @param spans which instants matter
 * @param aggregates which parts of downsampled chunks are wanted
 * @param skipChunks labels only
 * @param dropLabels replica labels, taken out before sorting
 * @param shard which series are wanted
 * @param limits series, chunks and bytes
 * @param stats what is read
 * @param options how reads are sized
 * @param blocks how many blocks share the request's memory
 * @param first how many series, the first of all, are enough of each block; 0 = all are wanted
 */
record SeriesQuery(QueryContext context, MemoryBudget budget, long minTime, long maxTime, SeriesRequest.Spans spans,
        Set<Aggregate> aggregates,
        boolean skipChunks, List<String> dropLabels, ShardInfo shard, RequestLimits limits, ReadStats stats, ReadOptions options,
        int blocks, long first) {

    /** Whether samples between the two times can matter. */
    boolean wants(long chunkMin, long chunkMax) {
        if (chunkMax < minTime || chunkMin > maxTime) {
            return false;
        }
        if (spans.window() <= 0 || spans.step() <= 0 || spans.window() >= spans.step()) {
            return true;
        }
        // The first step at or after the chunk's start; its window (t−window, t] must reach into the chunk.
        long t = spans.first();
        if (chunkMin > t) {
            t += Math.ceilDiv(chunkMin - t, spans.step()) * spans.step();
        }
        return t - spans.window() < chunkMax;
    }

    /** Whether only a part of the series is wanted. */
    boolean isSharded() {
        return shard.total() >= 1;
    }
}

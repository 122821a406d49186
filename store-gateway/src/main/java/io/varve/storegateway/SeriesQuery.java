package io.varve.storegateway;

import io.varve.model.Labels;
import io.varve.model.Matcher;
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

    /**
     * A series' labels as they are answered.
     *
     * @param external the block's labels without those that are dropped
     */
    Labels answered(Labels inBlock, Labels external) {
        return inBlock.without(dropLabels).overriddenBy(external);
    }

    /** Whether a series is of the wanted shard. */
    boolean inShard(Labels labels) {
        return shard.total() < 1 || io.varve.model.LabelHash.inShard(labels, shard.index(), shard.total(), shard.by(), shard.labels());
    }

    /** Whether series must be looked at as texts before they can be selected. */
    boolean isSharded() {
        return shard.total() >= 1;
    }

    /** Matchers of a block, after those on external labels were taken away. */
    record BlockMatchers(List<Matcher> matchers) {
    }
}

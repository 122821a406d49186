package io.varve.store;

import io.varve.model.Matcher;
import java.util.List;
import java.util.Set;

/**
 * A Series call. Times in milliseconds, both ends included.
 *
 * @param maxResolutionMillis coarsest resolution allowed, 0 = raw only; a store that knows resolutions answers a negative one with a warning alone
 * @param aggregates which parts of downsampled chunks are wanted
 * @param partialResponse whether failures become warnings (WARN) or end the call (ABORT)
 * @param skipChunks labels only
 * @param blockMatchers matchers on a block's external labels and {@code __block_id}; empty for all blocks
 * @param withoutReplicaLabels labels removed before the stream is sorted
 * @param limit series at most, 0 = all
 * @param batchSize series per frame, 0 or 1 = one; negative is not answered over the wire
 * @param spans what of the range matters (a hint that stores may ignore): step and window, see {@link Spans}
 */
public record SeriesRequest(long minTime, long maxTime, List<Matcher> matchers, long maxResolutionMillis, Set<Aggregate> aggregates,
        boolean partialResponse, boolean skipChunks, List<Matcher> blockMatchers, List<String> withoutReplicaLabels, ShardInfo shard,
        long limit,
        long batchSize, Spans spans) {
    /** Samples matter only within {@code (t−window, t]} of the steps t = first, first+step, …; a zero window: everywhere. */
    public record Spans(long first, long step, long window) {
        /** Everything matters. */
        public static final Spans ALL = new Spans(0, 0, 0);
    }
}

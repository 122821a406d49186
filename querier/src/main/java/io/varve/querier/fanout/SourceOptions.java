package io.varve.querier.fanout;

import io.varve.querier.dedup.DedupFunction;
import io.varve.store.ShardInfo;
import java.util.List;

/**
 * How one query wants its series.
 *
 * @param dedup whether replicas become one
 * @param replicaLabels the labels that tell replicas apart
 * @param function how replicas are merged
 * @param partialResponse whether a store that fails is a warning (else the end)
 * @param maxResolutionMillis coarsest downsampled data allowed; 0 raw only; −1 the finest that exists
 * @param filter which stores are asked
 * @param shard which series are wanted
 * @param maxSeries series at most that one select may match, 0 = all
 * @param debug whether to keep which replica gave which span
 * @param fromEdge whether selects of windows begin at the windows' left edges, as those of Thanos' own engine do; what {@code penalty} and
 *        {@code chain} make of replicas depends on it
 * @param leader the values of the replica labels, joined by {@code /}, of the replica that leads; "" for the first
 */
public record SourceOptions(boolean dedup, List<String> replicaLabels, DedupFunction function, boolean partialResponse,
        long maxResolutionMillis, StoreFilter filter, ShardInfo shard, long maxSeries, boolean debug, boolean fromEdge, String leader) {
    /** The finest that exists. */
    public static final long FINEST = -1;

    /** Copies the list. */
    public SourceOptions {
        replicaLabels = List.copyOf(replicaLabels);
    }

    boolean dedupEnabled() {
        return dedup && !replicaLabels.isEmpty();
    }
}

package io.varve.store;

import io.varve.model.Labels;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What an endpoint says of itself.
 *
 * @param component {@code sidecar}, {@code store}, {@code query}, {@code rule}, {@code receive}
 * @param labelSets external label sets
 * @param store its StoreAPI, null where it has none
 * @param services the other services it announces
 */
public record StoreInfo(String component, List<Labels> labelSets, @Nullable StoreSpan store, Set<Service> services) {
    /** Services beside Store. */
    public enum Service {
        /** Rules. */
        RULES,
        /** Metric metadata. */
        METADATA,
        /** Targets. */
        TARGETS,
        /** Exemplars. */
        EXEMPLARS,
        /** Remote queries. */
        QUERY,
        /** TSDB statistics. */
        STATUS
    }

    /** Time span (ms, included) and abilities of the StoreAPI, and what each of its TSDBs has. */
    public record StoreSpan(long minTime, long maxTime, boolean supportsSharding, boolean supportsWithoutReplicaLabels,
            List<TsdbInfo> tsdbs) {
    }

    /** One stream's labels and span. */
    public record TsdbInfo(Labels labels, long minTime, long maxTime) {
    }
}

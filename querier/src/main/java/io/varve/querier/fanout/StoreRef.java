package io.varve.querier.fanout;

import io.varve.model.Labels;
import io.varve.model.Matcher;
import io.varve.store.StoreClient;
import io.varve.store.StoreInfo;
import java.util.List;
import java.util.Set;

/**
 * What is known of one endpoint at one moment. Immutable.
 *
 * @param address host:port
 * @param component what it is: {@code sidecar}, {@code store}, {@code query}, {@code rule}, {@code receive}, {@code debug}, "" unknown
 * @param labelSets its external label sets, those the selector dropped left out
 * @param narrowed matchers that keep it to {@code labelSets} where the selector dropped some
 * @param minTime first millisecond it has
 * @param maxTime last millisecond it has
 * @param tsdbs what each of its TSDBs has, as far as it says so; those that the selector dropped left out
 * @param hasStore whether it has a StoreAPI
 * @param sharding whether it shards by itself
 * @param replicaLabels whether it removes replica labels and sorts by itself
 * @param services what else it answers
 * @param strict whether it is asked even while it does not answer
 * @param peer how to reach it
 */
public record StoreRef(String address, String component, List<Labels> labelSets, List<Matcher> narrowed, long minTime, long maxTime,
        List<StoreInfo.TsdbInfo> tsdbs, boolean hasStore, boolean sharding, boolean replicaLabels, Set<StoreInfo.Service> services,
        boolean strict, Peer peer) {

    /** How to reach its StoreAPI. */
    public StoreClient client() {
        return peer.store();
    }

    /**
     * Whether it can have series that satisfy all matchers: one of its label sets must satisfy every matcher on a label that the set has.
     */
    public boolean canMatch(List<Matcher> matchers) {
        if (labelSets.isEmpty()) {
            return true;
        }
        for (Labels set : labelSets) {
            if (matches(set, matchers)) {
                return true;
            }
        }
        return false;
    }

    static boolean matches(Labels set, List<Matcher> matchers) {
        for (Matcher m : matchers) {
            int i = set.indexOf(m.name());
            if (i >= 0 && !m.matches(set.value(i))) {
                return false;
            }
        }
        return true;
    }

    /** Its label sets as Thanos writes them in warnings. */
    String labelSetsText() {
        StringBuilder sb = new StringBuilder();
        for (Labels l : labelSets) {
            if (!l.isEmpty()) {
                sb.append(sb.isEmpty() ? "" : ",").append(l);
            }
        }
        return sb.toString();
    }

    @Override
    public String toString() {
        return "Addr: " + address + " MinTime: " + minTime + " MaxTime: " + maxTime;
    }
}

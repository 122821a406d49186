package io.varve.storegateway;

import io.varve.model.Labels;
import io.varve.store.StoreInfo;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * What is served at one moment. Immutable; one per sync.
 */
final class Blocks {
    static final Blocks EMPTY = new Blocks(Map.of());

    private final Map<String, GatewayBlock> byId;
    private final List<BlockSet> streams;

    /** Takes {@code byId} over. */
    Blocks(Map<String, GatewayBlock> byId) {
        this.byId = Collections.unmodifiableMap(byId);
        Map<Labels, List<GatewayBlock>> byLabels = new HashMap<>();
        byId.values().forEach(b -> byLabels.computeIfAbsent(b.externalLabels(), k -> new ArrayList<>()).add(b));
        List<BlockSet> sets = new ArrayList<>();
        new TreeMap<>(byLabels).forEach((labels, blocks) -> sets.add(new BlockSet(labels, blocks)));
        this.streams = List.copyOf(sets);
    }

    /** By id. */
    Map<String, GatewayBlock> byId() {
        return byId;
    }

    /** By external labels. */
    List<BlockSet> streams() {
        return streams;
    }

    /** What the Info call says; times clamped to the partition. */
    StoreInfo info(long partitionMin, long partitionMax) {
        List<Labels> labelSets = new ArrayList<>();
        List<StoreInfo.TsdbInfo> tsdbs = new ArrayList<>();
        long min = Long.MAX_VALUE;
        long max = Long.MIN_VALUE;
        for (BlockSet s : streams) {
            labelSets.add(s.labels());
            List<GatewayBlock> blocks = new ArrayList<>(s.all());
            blocks.sort(Comparator.comparingLong(b -> b.meta().minTime()));
            long from = 0;
            long to = Long.MIN_VALUE;
            for (GatewayBlock b : blocks) {
                if (to != Long.MIN_VALUE && b.meta().minTime() > to) {
                    tsdbs.add(new StoreInfo.TsdbInfo(s.labels(), Math.max(from, partitionMin), Math.min(to, partitionMax)));
                    to = Long.MIN_VALUE;
                }
                if (to == Long.MIN_VALUE) {
                    from = b.meta().minTime();
                }
                to = Math.max(to, b.meta().maxTime());
                min = Math.min(min, b.meta().minTime());
                max = Math.max(max, b.meta().maxTime());
            }
            if (to != Long.MIN_VALUE) {
                tsdbs.add(new StoreInfo.TsdbInfo(s.labels(), Math.max(from, partitionMin), Math.min(to, partitionMax)));
            }
        }
        return new StoreInfo("store", labelSets,
                new StoreInfo.StoreSpan(Math.max(min, partitionMin), Math.min(max, partitionMax), true, true,
                        tsdbs),
                Set.of());
    }
}

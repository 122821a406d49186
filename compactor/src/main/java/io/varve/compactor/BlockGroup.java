package io.varve.compactor;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.varve.model.LabelHash;
import io.varve.model.Labels;
import io.varve.tsdb.BlockMeta;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * The blocks of one stream and resolution: what may be compacted together.
 *
 * @param key {@code <resolution>@<hash of the labels>}, as Thanos names groups
 * @param labels external labels
 * @param resolutionMillis 0 for raw data
 * @param blocks by minTime
 */
record BlockGroup(String key, Labels labels, long resolutionMillis, List<BlockMeta> blocks) {
    /** Blocks by group, groups by key. */
    static List<BlockGroup> of(Collection<BlockMeta> metas) {
        TreeMap<String, List<BlockMeta>> groups = new TreeMap<>();
        metas.stream().sorted(CompactionPlanner.BY_MIN_TIME).forEach(m -> groups.computeIfAbsent(key(m), k -> new ArrayList<>()).add(m));
        List<BlockGroup> out = new ArrayList<>();
        groups.forEach((key, blocks) -> out
                .add(new BlockGroup(key, blocks.getFirst().externalLabels(), blocks.getFirst().resolutionMillis(), List.copyOf(blocks))));
        return out;
    }

    static String key(BlockMeta meta) {
        return meta.resolutionMillis() + "@" + Long.toUnsignedString(LabelHash.stable(meta.externalLabels()));
    }

    /**
     * The extensions of a block made of this group's: keys that all blocks with extensions have, with the value of the first. (A key says
     * something that holds for a whole block.)
     */
    @Nullable
    JsonNode extensions() {
        ObjectNode common = null;
        for (BlockMeta m : blocks) {
            JsonNode extensions = m.thanosSection().map(BlockMeta.Thanos::extensions).orElse(null);
            if (extensions == null || !extensions.isObject()) {
                continue;
            }
            if (common == null) {
                common = ((ObjectNode) extensions).deepCopy();
            } else {
                List<String> names = new ArrayList<>();
                common.fieldNames().forEachRemaining(names::add);
                for (String name : names) {
                    if (!extensions.has(name)) {
                        common.remove(name);
                    }
                }
            }
        }
        return common == null || common.isEmpty() ? null : common;
    }

    long minTime() {
        return blocks.getFirst().minTime();
    }

    long maxTime() {
        return blocks.stream().mapToLong(BlockMeta::maxTime).max().orElse(Long.MIN_VALUE);
    }
}

package io.varve.block;

import io.varve.block.BlockFilter.Drop;
import io.varve.tsdb.BlockMeta;
import io.varve.tsdb.Ulid;
import java.util.Collections;
import java.util.EnumMap;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;

/**
 * What a bucket held at one moment. Immutable; one per sync.
 *
 * @param blocks those that passed all filters, by id
 * @param all the metas of all blocks that have a readable one, before any filter
 * @param partial blocks without meta.json
 * @param dropped blocks that are not in {@code blocks}, each with its reason: filtered, partial, damaged, unreadable
 * @param marks the markers that were read
 * @param unreadableMarks markers that are there and say nothing (damaged, or of another version), each with what is wrong with it: readers serve such blocks,
 *     and whoever would change or delete them must not
 * @param incomplete whether some meta.json or marker could not be read for now, so that blocks may be missing
 * @param syncedAtMillis when the listing began
 */
public record BlockCatalog(NavigableMap<Ulid, CatalogBlock> blocks, NavigableMap<Ulid, BlockMeta> all,
        NavigableMap<Ulid, BlockObjects> partial,
        NavigableMap<Ulid, Drop> dropped, Map<Ulid, Map<BlockMark.Kind, BlockMark>> marks,
        NavigableMap<Ulid, Map<BlockMark.Kind, String>> unreadableMarks, boolean incomplete, long syncedAtMillis) {
    /** Before the first sync. */
    public static final BlockCatalog EMPTY = new BlockCatalog(new TreeMap<>(), new TreeMap<>(), new TreeMap<>(), new TreeMap<>(), Map.of(),
            new TreeMap<>(), false, 0);

    /** Makes the maps unmodifiable. */
    public BlockCatalog {
        blocks = Collections.unmodifiableNavigableMap(blocks);
        all = Collections.unmodifiableNavigableMap(all);
        partial = Collections.unmodifiableNavigableMap(partial);
        dropped = Collections.unmodifiableNavigableMap(dropped);
        marks = Collections.unmodifiableMap(marks);
        unreadableMarks = Collections.unmodifiableNavigableMap(unreadableMarks);
    }

    /** How many blocks are in each state. */
    public Map<BlockState, Integer> counts() {
        Map<BlockState, Integer> counts = new EnumMap<>(BlockState.class);
        for (BlockState s : BlockState.values()) {
            counts.put(s, 0);
        }
        counts.put(BlockState.LOADED, blocks.size());
        dropped.values().forEach(d -> counts.merge(d.state(), 1, Integer::sum));
        return counts;
    }
}

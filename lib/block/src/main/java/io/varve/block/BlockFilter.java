package io.varve.block;

import io.varve.tsdb.BlockMeta;
import io.varve.tsdb.Ulid;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;

/**
 * Takes blocks out of a catalog, or changes their metas, by what is known of them: a pure function, so that the same bucket gives
 * the same catalog. See {@link BlockFilters}.
 */
@FunctionalInterface
public interface BlockFilter {
    /** Applies the filter. */
    Outcome apply(Candidates candidates);

    /**
     * What a filter sees. Not to be changed.
     *
     * @param metas by id
     * @param marks the markers that were read, by id and kind
     * @param nowMillis the moment of the sync
     */
    record Candidates(NavigableMap<Ulid, BlockMeta> metas, Map<Ulid, Map<BlockMark.Kind, BlockMark>> marks, long nowMillis) {
    }

    /**
     * Why a block is not in the catalog.
     *
     * @param state its class
     * @param detail in words
     */
    record Drop(BlockState state, String detail) {
    }

    /**
     * What is left.
     *
     * @param kept by id, possibly with changed metas
     * @param dropped the others, with reasons
     */
    record Outcome(NavigableMap<Ulid, BlockMeta> kept, Map<Ulid, Drop> dropped) {
        /** Splits candidates by the reasons of those that go. */
        public static Outcome without(NavigableMap<Ulid, BlockMeta> metas, Map<Ulid, Drop> dropped) {
            if (dropped.isEmpty()) {
                return new Outcome(metas, dropped);
            }
            NavigableMap<Ulid, BlockMeta> kept = new TreeMap<>(metas);
            kept.keySet().removeAll(dropped.keySet());
            return new Outcome(kept, dropped);
        }
    }
}

package io.varve.storegateway;

import io.varve.model.Labels;
import io.varve.model.Matcher;
import java.util.List;

/**
 * Series of a block that postings selected: places of their entries in the index, and matchers that are still to be looked at because their
 * postings were not read. Immutable.
 */
final class Selection {
    /** For the place of the chunk that follows: there is none. */
    static final long LAST = -2;
    /** For the place of the chunk that follows: not known. */
    static final long UNKNOWN = -1;
    static final Selection NONE = new Selection(new long[0], 0, 1, List.of());

    private final long[] ids;
    private final int size;
    private final int scale;
    private final List<Matcher> lazy;

    Selection(long[] ids, int size, int scale, List<Matcher> lazy) {
        this.ids = ids;
        this.size = size;
        this.scale = scale;
        this.lazy = lazy;
    }

    /** Of places, in any order. */
    static Selection ofOffsets(long[] offsets) {
        return new Selection(offsets, offsets.length, 1, List.of());
    }

    int size() {
        return size;
    }

    /** Where in the index an entry begins. */
    long offset(int i) {
        return ids[i] * scale;
    }

    /** What is left to be checked on each series. */
    List<Matcher> lazy() {
        return lazy;
    }

    /** Whether a series passes what is left. */
    boolean accepts(Labels inBlock) {
        for (Matcher m : lazy) {
            if (!m.matches(inBlock.get(m.name()))) {
                return false;
            }
        }
        return true;
    }
}

package io.varve.storegateway;

import io.varve.model.Matcher;
import io.varve.tsdb.index.SeriesEntry;
import io.varve.tsdb.index.Symbols;
import java.util.List;
import java.util.function.Predicate;

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

    /**
     * Looks at what is left on entries of series.
     *
     * @param symbols of the block
     */
    Predicate<SeriesEntry> accepts(Symbols symbols) {
        long[] names = lazy.stream().mapToLong(m -> symbols.find(m.name())).toArray();
        return e -> {
            for (int i = 0; i < names.length; i++) {
                if (!lazy.get(i).matches(value(e, names[i], symbols))) {
                    return false;
                }
            }
            return true;
        };
    }

    /** The last value of that name, "" where there is none. */
    private static String value(SeriesEntry e, long name, Symbols symbols) {
        for (int i = e.labelCount - 1; i >= 0; i--) {
            if ((e.names[i] & 0xFFFFFFFFL) == name) {
                return symbols.text(e.values[i] & 0xFFFFFFFFL);
            }
        }
        return "";
    }
}

package io.varve.promql.exec;

import io.varve.model.FloatHistogram;
import io.varve.promql.function.Row;
import java.util.BitSet;
import org.jspecify.annotations.Nullable;

/** Sets of steps. They are shared, so nobody changes one; most are all steps, of which there is one only. */
final class Steps {
    private final BitSet all;
    private final int count;
    /** The last set that begins late and goes on to the end. */
    private BitSet late = NONE;
    private int lateFrom = -1;

    private static final BitSet NONE = new BitSet();

    Steps(int count) {
        this.count = count;
        this.all = new BitSet(count);
        all.set(0, count);
    }

    /** For another thread: knows the same set of all steps. */
    Steps(Steps like) {
        this.count = like.count;
        this.all = like.all;
    }

    /** Those at which a row has something. */
    BitSet of(Row row) {
        double[] v = row.values;
        if (row.isSpan() && row.to() == count && row.from() < count) {
            return row.from() == 0 ? all : lateFrom(row.from());
        }
        long[] words = new long[(count + 63) / 64];
        for (int w = 0; w < words.length; w++) {
            int from = w << 6;
            int n = Math.min(64, count - from);
            long bits = 0;
            for (int i = 0; i < n; i++) {
                bits |= (Row.isAbsent(v[from + i]) ? 0L : 1L) << i;
            }
            words[w] = bits;
        }
        @Nullable
        FloatHistogram[] hs = row.histograms;
        for (int i = 0; hs != null && i < count; i++) {
            if (hs[i] != null) {
                words[i >> 6] |= 1L << i;
            }
        }
        return BitSet.valueOf(words);
    }

    /** One for all rows that begin at the same step and have no gap behind it, as rates of series of the same age do. */
    private BitSet lateFrom(int from) {
        if (from != lateFrom) {
            late = new BitSet(count);
            late.set(from, count);
            lateFrom = from;
        }
        return late;
    }

    /** Those in both. */
    BitSet common(BitSet a, BitSet b) {
        if (a == all || a == b) {
            return b;
        }
        if (b == all) {
            return a;
        }
        BitSet out = (BitSet) a.clone();
        out.and(b);
        return out;
    }

    /** Those in either; null is none. */
    BitSet union(@Nullable BitSet a, BitSet b) {
        if (a == null || b == all || a == b) {
            return b;
        }
        if (a == all) {
            return a;
        }
        BitSet out = (BitSet) a.clone();
        out.or(b);
        return out.cardinality() == count ? all : out;
    }

    /** Takes out of a row what is at the steps that are not in the set, or at those that are; null is the set of none. */
    void mask(Row row, @Nullable BitSet set, boolean keep) {
        if (set == all ? keep : set == null && !keep) {
            return;
        }
        BitSet marked = set == null ? NONE : set;
        if (keep) {
            for (int i = marked.nextClearBit(0); i < count; i = marked.nextClearBit(i + 1)) {
                row.clear(i);
            }
        } else {
            for (int i = marked.nextSetBit(0); i >= 0; i = marked.nextSetBit(i + 1)) {
                row.clear(i);
            }
        }
    }
}

package io.varve.promql.exec;

import io.varve.model.Labels;
import io.varve.promql.function.Row;
import java.util.BitSet;
import java.util.HashMap;
import java.util.Map;

/** Finds rows with equal labels that have values at the same step. Keeps labels and bits, not rows. */
final class DuplicateCheck {
    private final Map<Labels, BitSet> seen = new HashMap<>();
    private final Memory memory;
    /** Whether equal labels are an error though no step has both. */
    private final boolean strict;

    DuplicateCheck(Memory memory, boolean strict) {
        this.memory = memory;
        this.strict = strict;
    }

    /**
     * Adds a row.
     *
     * @throws io.varve.model.InvalidRequestException where it meets another
     */
    void add(Row row) {
        int steps = row.values.length;
        BitSet before = seen.get(row.labels);
        if (before == null) {
            memory.reserve(120 + (strict ? 0 : steps / 8));
            seen.put(row.labels, strict ? EMPTY : bits(row));
            return;
        }
        if (strict) {
            throw QueryRun.sameLabels();
        }
        for (int i = 0; i < steps; i++) {
            if (row.has(i)) {
                if (before.get(i)) {
                    throw QueryRun.sameLabels();
                }
                before.set(i);
            }
        }
    }

    private static final BitSet EMPTY = new BitSet(0);

    static BitSet bits(Row row) {
        BitSet b = new BitSet(row.values.length);
        for (int i = 0; i < row.values.length; i++) {
            if (row.has(i)) {
                b.set(i);
            }
        }
        return b;
    }
}

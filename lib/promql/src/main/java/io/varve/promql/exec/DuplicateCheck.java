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
    private final Steps steps;
    /** Whether equal labels are an error though no step has both. */
    private final boolean strict;

    DuplicateCheck(Memory memory, int steps, boolean strict) {
        this.memory = memory;
        this.steps = new Steps(strict ? 0 : steps);
        this.strict = strict;
    }

    /**
     * Adds a row.
     *
     * @throws io.varve.model.InvalidRequestException where it meets another
     */
    void add(Row row) {
        BitSet now = strict ? NONE : steps.of(row);
        BitSet before = seen.putIfAbsent(row.labels, now);
        if (before == null) {
            memory.reserve(120 + (strict ? 0 : row.values.length / 8));
        } else if (strict || before.intersects(now)) {
            throw QueryRun.sameLabels();
        } else {
            seen.put(row.labels, steps.union(before, now));
        }
    }

    private static final BitSet NONE = new BitSet(0);
}

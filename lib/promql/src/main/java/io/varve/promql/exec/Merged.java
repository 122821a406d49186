package io.varve.promql.exec;

import io.varve.model.FloatHistogram;
import io.varve.model.Labels;
import io.varve.promql.function.Grid;
import io.varve.promql.function.Row;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Rows with equal labels made one, for readers to which a series is more than its values at single steps: {@code a or b} gives a series
 * of {@code a} at some steps and one of {@code b} with the same labels at others. Holds its input.
 */
final class Merged extends Operator {
    private @Nullable Iterator<Row> output;
    private long held;

    Merged(QueryRun run, Grid grid, Operator input) {
        super(run, grid, "Merge", "", List.of(input));
    }

    @Override
    @Nullable
    Row produce() {
        Iterator<Row> it = output;
        if (it == null) {
            it = read().values().iterator();
            output = it;
        }
        return it.hasNext() ? it.next() : null;
    }

    private Map<Labels, Row> read() {
        Map<Labels, Row> rows = new LinkedHashMap<>();
        for (Row r = inputs.getFirst().next(); r != null; r = inputs.getFirst().next()) {
            Row first = rows.putIfAbsent(r.labels, r);
            if (first == null) {
                memory.reserve(r.bytes());
                run.hold(r.values.length);
                held += r.values.length;
            } else {
                long before = first.bytes();
                merge(first, r);
                memory.reserve(Math.max(0, first.bytes() - before));
            }
        }
        return rows;
    }

    /** Adds a row's values to those of another one. */
    static void merge(Row into, Row r) {
        into.changed();
        for (int i = 0; i < r.values.length; i++) {
            if (!r.has(i)) {
                continue;
            }
            if (into.has(i)) {
                throw QueryRun.sameLabels();
            }
            FloatHistogram h = r.histogram(i);
            if (h != null) {
                into.setHistogram(i, h);
            } else {
                into.values[i] = r.values[i];
            }
        }
    }

    @Override
    void release() {
        run.drop(held);
        held = 0;
    }
}

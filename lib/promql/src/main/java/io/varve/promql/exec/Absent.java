package io.varve.promql.exec;

import io.varve.model.Labels;
import io.varve.promql.function.Grid;
import io.varve.promql.function.Row;
import java.util.BitSet;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** {@code absent} and {@code absent_over_time}: 1 where no series has anything. */
final class Absent extends Operator {
    private final Labels labels;
    private boolean done;

    Absent(QueryRun run, Grid grid, String name, Operator input, Labels labels) {
        super(run, grid, name, labels.toString(), List.of(input));
        this.labels = labels;
    }

    @Override
    @Nullable
    Row produce() {
        if (done) {
            return null;
        }
        done = true;
        BitSet present = new BitSet(grid.count());
        for (Row r = inputs.getFirst().next(); r != null; r = inputs.getFirst().next()) {
            for (int i = 0; i < r.values.length; i++) {
                if (r.has(i)) {
                    present.set(i);
                }
            }
        }
        Row out = Row.empty(labels, false, grid.count());
        for (int i = 0; i < out.values.length; i++) {
            if (!present.get(i)) {
                out.values[i] = 1;
            }
        }
        return out.isEmpty() ? null : out;
    }
}

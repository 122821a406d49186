package io.varve.promql.exec;

import io.varve.model.Labels;
import io.varve.promql.function.Grid;
import io.varve.promql.function.Row;
import java.util.List;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** A scalar: one row, made once. */
final class ScalarRow extends Operator {
    private @Nullable Supplier<double[]> values;

    ScalarRow(QueryRun run, Grid grid, String name, String detail, List<Operator> inputs, Supplier<double[]> values) {
        super(run, grid, name, detail, inputs);
        this.values = values;
    }

    @Override
    @Nullable
    Row produce() {
        Supplier<double[]> v = values;
        if (v == null) {
            return null;
        }
        values = null;
        memory.reserve(8L * grid.count());
        return new Row(Labels.EMPTY, false, v.get());
    }
}

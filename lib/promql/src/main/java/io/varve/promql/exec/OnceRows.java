package io.varve.promql.exec;

import io.varve.model.FloatHistogram;
import io.varve.promql.function.Grid;
import io.varve.promql.function.Row;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Rows evaluated at the first step alone, repeated for each. */
final class OnceRows extends Operator {
    OnceRows(QueryRun run, Grid grid, Operator input) {
        super(run, grid, "Once", "", List.of(input));
    }

    @Override
    @Nullable
    Row produce() {
        Row row = inputs.getFirst().next();
        if (row == null) {
            return null;
        }
        double[] values = new double[grid.count()];
        Arrays.fill(values, row.values[0]);
        Row out = new Row(row.labels, row.dropName, values);
        FloatHistogram h = row.histogram(0);
        if (h != null) {
            FloatHistogram[] hs = new FloatHistogram[grid.count()];
            Arrays.fill(hs, h);
            out.histograms = hs;
        }
        return out;
    }
}

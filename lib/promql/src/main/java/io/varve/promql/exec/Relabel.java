package io.varve.promql.exec;

import io.varve.promql.function.Grid;
import io.varve.promql.function.Row;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** {@code label_replace} and {@code label_join}: labels change, values do not. */
final class Relabel extends Operator {
    private final RowMap.Change change;
    private final DuplicateCheck duplicates;

    Relabel(QueryRun run, Grid grid, String name, String detail, Operator input, RowMap.Change change) {
        super(run, grid, name, detail, List.of(input));
        this.change = change;
        this.duplicates = new DuplicateCheck(memory, grid.count(), false);
    }

    @Override
    @Nullable
    Row produce() {
        Row row = inputs.getFirst().next();
        if (row != null) {
            change.apply(row);
            duplicates.add(row);
        }
        return row;
    }
}

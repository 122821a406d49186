package io.varve.promql.exec;

import io.varve.promql.function.Grid;
import io.varve.promql.function.Row;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Above a range function: sees to its scalar arguments, and to series that become equal without their names. */
final class RangeCall extends Operator {
    private final OperatorBuilder.ParameterSource parameters;
    private final @Nullable DuplicateCheck duplicates;
    private boolean started;

    RangeCall(QueryRun run, Grid grid, String name, Operator rows, List<Operator> scalars, OperatorBuilder.ParameterSource parameters,
            boolean checkNames) {
        super(run, grid, name, "arguments", all(rows, scalars));
        this.parameters = parameters;
        this.duplicates = checkNames ? new DuplicateCheck(memory, grid.count(), true) : null;
    }

    private static List<Operator> all(Operator rows, List<Operator> scalars) {
        List<Operator> out = new ArrayList<>();
        out.add(rows);
        out.addAll(scalars);
        return out;
    }

    @Override
    @Nullable
    Row produce() {
        if (!started) {
            started = true;
            parameters.get();
        }
        Row row = inputs.getFirst().next();
        if (row != null && duplicates != null) {
            duplicates.add(row);
        }
        return row;
    }
}

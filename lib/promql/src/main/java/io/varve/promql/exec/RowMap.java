package io.varve.promql.exec;

import io.varve.promql.function.Grid;
import io.varve.promql.function.Row;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Changes rows one by one; rows that become empty are left out. */
final class RowMap extends Operator {
    /** What is done to a row. */
    interface Change {
        /** Changes the row in place. */
        void apply(Row row);
    }

    private final Change change;
    private final @Nullable DuplicateCheck duplicates;

    /** How names are treated, and what follows for rows that become equal. */
    enum Naming {
        /** Names stay. */
        KEEP,
        /** Names go; equal rows must not overlap. */
        DROP,
        /** Names go; they were all the same before. */
        DROP_UNIQUE
    }

    private final Naming naming;
    private @Nullable Runnable first;

    RowMap(QueryRun run, Grid grid, String name, String detail, List<Operator> inputs, Naming naming, boolean checkAlways, Change change) {
        super(run, grid, name, detail, inputs);
        this.naming = naming;
        this.change = change;
        boolean drops = naming == Naming.DROP && !run.delayedNames;
        this.duplicates = drops || checkAlways ? new DuplicateCheck(memory, grid.count(), false) : null;
    }

    /** What is done before the first row is pulled. */
    RowMap after(Runnable r) {
        first = r;
        return this;
    }

    @Override
    @Nullable
    Row produce() {
        Runnable before = first;
        if (before != null) {
            first = null;
            before.run();
        }
        while (true) {
            Row row = inputs.getFirst().next();
            if (row == null) {
                return null;
            }
            change.apply(row);
            row.changed();
            if (row.isEmpty()) {
                continue;
            }
            if (naming != Naming.KEEP) {
                row.dropName = true;
                if (!run.delayedNames) {
                    row.labels = Names.drop(row.labels);
                }
            }
            if (duplicates != null) {
                duplicates.add(row);
            }
            return row;
        }
    }
}

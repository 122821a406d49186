package io.varve.promql.exec;

import io.varve.promql.function.Grid;
import io.varve.promql.function.Row;
import io.varve.promql.function.UnstableSort;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Rows in another order: holds them all. */
final class Sorted extends Operator {
    private final UnstableSort.Less<Row> order;
    private final boolean floatsOnly;
    private @Nullable Iterator<Row> output;
    private long held;

    Sorted(QueryRun run, Grid grid, String name, String detail, Operator input, UnstableSort.Less<Row> order, boolean floatsOnly) {
        super(run, grid, name, detail, List.of(input));
        this.order = order;
        this.floatsOnly = floatsOnly;
    }

    @Override
    @Nullable
    Row produce() {
        Iterator<Row> it = output;
        if (it == null) {
            List<Row> rows = new ArrayList<>();
            for (Row r = inputs.getFirst().next(); r != null; r = inputs.getFirst().next()) {
                if (floatsOnly) {
                    r.histograms = null;
                    if (r.isEmpty()) {
                        continue;
                    }
                }
                memory.reserve(r.bytes());
                run.hold(r.values.length);
                held += r.values.length;
                rows.add(r);
            }
            Row[] sorted = rows.toArray(new Row[0]);
            int[] compared = new int[1];
            UnstableSort.sort(sorted, (a, b) -> {
                if ((++compared[0] & 0xFFF) == 0) {
                    run.context.check();
                }
                return order.test(a, b);
            });
            it = List.of(sorted).iterator();
            output = it;
        }
        return it.hasNext() ? it.next() : null;
    }

    @Override
    void release() {
        run.drop(held);
        held = 0;
    }
}

package io.varve.promql.exec;

import io.varve.model.FloatHistogram;
import io.varve.model.GoFloat;
import io.varve.model.Labels;
import io.varve.promql.function.Grid;
import io.varve.promql.function.Row;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** {@code count_values}: one row for each value of each group; holds those rows. */
final class CountValues extends Operator {
    private final String label;
    private final Grouping grouping;
    private @Nullable Iterator<Row> output;
    private long held;

    CountValues(QueryRun run, Grid grid, String detail, Operator input, String label, Grouping grouping) {
        super(run, grid, "Aggregate", "count_values" + (detail.isEmpty() ? "" : " " + detail), List.of(input));
        this.label = label;
        this.grouping = grouping;
    }

    @Override
    @Nullable
    Row produce() {
        Iterator<Row> it = output;
        if (it == null) {
            it = consume().iterator();
            output = it;
        }
        return it.hasNext() ? it.next() : null;
    }

    private Iterable<Row> consume() {
        Map<Labels, Row> rows = new LinkedHashMap<>();
        Map<Labels, Map<String, Row>> byGroup = new HashMap<>();
        while (true) {
            Row row = inputs.getFirst().next();
            if (row == null) {
                return rows.values();
            }
            Labels base = grouping.key(row.labels);
            Map<String, Row> values = byGroup.computeIfAbsent(base, b -> new HashMap<>());
            double last = 0;
            Row lastTarget = null;
            for (int i = 0; i < row.values.length; i++) {
                FloatHistogram h = row.histogram(i);
                if (h == null && !row.hasFloat(i)) {
                    continue;
                }
                double v = row.values[i];
                Row target = lastTarget;
                if (target == null || h != null || Double.doubleToRawLongBits(v) != Double.doubleToRawLongBits(last)) {
                    String text = h == null ? GoFloat.plain(v) : h.toString();
                    target = values.get(text);
                    if (target == null) {
                        run.context.check();
                        Labels labels = grouping.key(row.labels.toBuilder().set(label, text).build());
                        target = rows.get(labels);
                        if (target == null) {
                            target = Row.empty(labels, row.dropName, grid.count());
                            memory.reserve(target.bytes() + 100);
                            run.hold(grid.count());
                            held += grid.count();
                            rows.put(labels, target);
                        }
                        values.put(text, target);
                    }
                }
                target.dropName |= row.dropName;
                target.values[i] = target.hasFloat(i) ? target.values[i] + 1 : 1;
                lastTarget = h == null ? target : null;
                last = v;
            }
        }
    }

    @Override
    void release() {
        run.drop(held);
        held = 0;
    }
}

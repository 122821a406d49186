package io.varve.promql.exec;

import io.varve.model.FloatHistogram;
import io.varve.model.GoFloat;
import io.varve.model.Labels;
import io.varve.promql.function.Grid;
import io.varve.promql.function.Notes;
import io.varve.promql.function.Row;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/** {@code count_values}: one row for each value of each group; holds those rows. */
final class CountValues extends Operator {
    private final String label;
    private final Grouping grouping;
    private final boolean sharded;
    private @Nullable Iterator<Row> output;
    private final AtomicLong held = new AtomicLong();

    CountValues(QueryRun run, Grid grid, String detail, Operator input, String label, Grouping grouping,
            boolean sharded) {
        super(run, grid, "Aggregate", "count_values" + (detail.isEmpty() ? "" : " " + detail), List.of(input));
        this.label = label;
        this.grouping = grouping;
        this.sharded = sharded;
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
        Counts all = new Counts();
        if (sharded && inputs.getFirst() instanceof Leaf leaf) {
            leaf.foldInto(Counts::new);
            for (Leaf.Fold f = leaf.nextFold(); f != null; f = leaf.nextFold()) {
                run.context.check();
                all.add((Counts) f);
            }
        } else {
            for (Row row = inputs.getFirst().next(); row != null; row = inputs.getFirst().next()) {
                all.add(row, run.notes);
            }
        }
        return all.rows.values();
    }

    /** How often each value was seen, of all series or of those of a batch. */
    private final class Counts implements Leaf.Fold {
        final Map<Labels, Row> rows = new LinkedHashMap<>();
        private final Map<Labels, Map<String, Row>> byGroup = new HashMap<>();

        @Override
        public boolean add(Row row, Notes notes) {
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
                        target = target(row, text);
                        values.put(text, target);
                    }
                }
                target.values[i] = target.hasFloat(i) ? target.values[i] + 1 : 1;
                lastTarget = h == null ? target : null;
                last = v;
            }
            return true;
        }

        private Row target(Row row, String text) {
            run.context.check();
            Labels labels = grouping.key(row.labels.toBuilder().set(label, text).build());
            Row target = rows.get(labels);
            if (target == null) {
                target = Row.empty(labels, false, grid.count());
                memory.reserve(bytes(target));
                run.hold(grid.count());
                held.addAndGet(grid.count());
                rows.put(labels, target);
            }
            return target;
        }

        /** Adds what was seen in a batch. */
        void add(Counts batch) {
            for (Row r : batch.rows.values()) {
                Row target = rows.putIfAbsent(r.labels, r);
                if (target == null) {
                    continue;
                }
                for (int i = 0; i < r.values.length; i++) {
                    if (r.hasFloat(i)) {
                        target.values[i] = target.hasFloat(i) ? target.values[i] + r.values[i] : r.values[i];
                    }
                }
                memory.release(bytes(r));
                run.drop(grid.count());
                held.addAndGet(-grid.count());
            }
        }
    }

    private static long bytes(Row row) {
        return row.bytes() + 100;
    }

    @Override
    void release() {
        run.drop(held.getAndSet(0));
    }
}

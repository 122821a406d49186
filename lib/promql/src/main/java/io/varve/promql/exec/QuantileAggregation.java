package io.varve.promql.exec;

import io.varve.model.Labels;
import io.varve.promql.function.Grid;
import io.varve.promql.function.Quantiles;
import io.varve.promql.function.Row;
import io.varve.promql.parser.Position;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/** {@code quantile}: needs all values of a group at once, and holds those, without labels. */
final class QuantileAggregation extends Operator {
    private static final int BLOCK = 8;
    /** Blocks in a piece of work. */
    private static final int PIECE = 4;
    /** Groups with fewer values than this are done by one thread. */
    private static final long FEW = 1 << 16;

    private final Grouping grouping;
    private final Position position;
    private final Position parameterPosition;
    private @Nullable Iterator<Map.Entry<Labels, Group>> output;
    private double[] q = new double[0];
    private double[] columns = new double[0];

    private static final class Group {
        final List<double[]> values = new ArrayList<>();
        boolean dropName;
    }

    QuantileAggregation(QueryRun run, Grid grid, String detail, Operator input, Operator parameter, Grouping grouping, Position position,
            Position parameterPosition) {
        super(run, grid, "Aggregate", "quantile" + (detail.isEmpty() ? "" : " " + detail), List.of(input, parameter));
        this.grouping = grouping;
        this.position = position;
        this.parameterPosition = parameterPosition;
    }

    @Override
    @Nullable
    Row produce() {
        Iterator<Map.Entry<Labels, Group>> it = output;
        if (it == null) {
            it = consume().entrySet().iterator();
            output = it;
        }
        while (it.hasNext()) {
            Map.Entry<Labels, Group> e = it.next();
            Row row = quantiles(e.getKey(), e.getValue());
            e.getValue().values.clear();
            if (!row.isEmpty()) {
                return row;
            }
        }
        return null;
    }

    private Map<Labels, Group> consume() {
        q = new Parameter(inputs).quantiles(run.notes, parameterPosition);
        Map<Labels, Group> groups = new LinkedHashMap<>();
        while (true) {
            Row row = inputs.getFirst().next();
            if (row == null) {
                return groups;
            }
            Labels key = grouping.key(row.labels);
            Group g = groups.computeIfAbsent(key, k -> new Group());
            g.dropName |= row.dropName;
            if (row.histograms != null) {
                for (int i = 0; i < row.values.length; i++) {
                    if (row.histogram(i) != null) {
                        run.notes.info(position, "ignored histogram in quantile aggregation");
                        break;
                    }
                }
            }
            memory.reserve(8L * row.values.length + 64);
            run.hold(row.values.length);
            held += row.values.length;
            g.values.add(row.values);
        }
    }

    private long held;

    private Row quantiles(Labels labels, Group g) {
        Row row = Row.empty(labels, g.dropName, grid.count());
        int room = BLOCK * g.values.size();
        if ((long) g.values.size() * grid.count() < FEW) {
            if (columns.length < room) {
                memory.reserve(8L * (room - columns.length));
                columns = new double[room];
            }
            select(g, 0, grid.count(), columns, row);
            return row;
        }
        int steps = BLOCK * PIECE;
        AtomicLong reserved = new AtomicLong();
        Pieces.work(run, (grid.count() + steps - 1) / steps, () -> {
            memory.reserve(8L * room);
            reserved.addAndGet(8L * room);
            double[] own = new double[room];
            return i -> select(g, i * steps, Math.min(grid.count(), (i + 1) * steps), own, row);
        });
        memory.release(reserved.get());
        return row;
    }

    /**
     * The quantiles of some steps.
     *
     * @param space holds the values of all series at some steps, step by step
     */
    private void select(Group g, int first, int end, double[] space, Row out) {
        int series = g.values.size();
        int[] sizes = new int[BLOCK];
        // Some steps at a time: reading a series at one step costs as much memory traffic as at eight.
        for (int from = first; from < end; from += BLOCK) {
            run.context.check();
            int steps = Math.min(BLOCK, end - from);
            Arrays.fill(sizes, 0);
            for (double[] v : g.values) {
                for (int k = 0; k < steps; k++) {
                    double x = v[from + k];
                    space[k * series + sizes[k]] = x;
                    sizes[k] += Row.isAbsent(x) ? 0 : 1;
                }
            }
            for (int k = 0; k < steps; k++) {
                if (sizes[k] > 0) {
                    out.values[from + k] = Quantiles.select(q[from + k], space, k * series, sizes[k]);
                }
            }
        }
    }

    @Override
    void release() {
        run.drop(held);
        held = 0;
    }
}

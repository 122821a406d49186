package io.varve.promql.exec;

import io.varve.model.GoFloat;
import io.varve.model.Labels;
import io.varve.promql.function.Grid;
import io.varve.promql.function.Quantiles;
import io.varve.promql.function.Row;
import io.varve.promql.parser.Position;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** {@code quantile}: needs all values of a group at once, and holds those, without labels. */
final class QuantileAggregation extends Operator {
    private static final int BLOCK = 8;

    private final Grouping grouping;
    private final Position position;
    private final Position parameterPosition;
    private @Nullable Iterator<Map.Entry<Labels, Group>> output;
    private double[] q = new double[0];
    /** The values of all series at some steps, step by step. */
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
        q = inputs.get(1).scalar();
        for (double phi : q) {
            if (Double.isNaN(phi) || phi < 0 || phi > 1) {
                run.notes.warn(parameterPosition, "quantile value should be between 0 and 1, got " + GoFloat.general(phi));
            }
        }
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
        int series = g.values.size();
        if (columns.length < BLOCK * series) {
            memory.reserve(8L * (BLOCK * series - columns.length));
            columns = new double[BLOCK * series];
        }
        // Some steps at a time: reading a series at one step costs as much memory traffic as at eight.
        for (int from = 0; from < grid.count(); from += BLOCK) {
            run.context.check();
            int steps = Math.min(BLOCK, grid.count() - from);
            int[] sizes = new int[BLOCK];
            for (double[] v : g.values) {
                for (int k = 0; k < steps; k++) {
                    double x = v[from + k];
                    columns[k * series + sizes[k]] = x;
                    sizes[k] += Row.isAbsent(x) ? 0 : 1;
                }
            }
            for (int k = 0; k < steps; k++) {
                if (sizes[k] > 0) {
                    row.values[from + k] = Quantiles.select(q[from + k], columns, k * series, sizes[k]);
                }
            }
        }
        return row;
    }

    @Override
    void release() {
        run.drop(held);
        held = 0;
    }
}

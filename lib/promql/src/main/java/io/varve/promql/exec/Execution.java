package io.varve.promql.exec;

import io.varve.model.FloatHistogram;
import io.varve.model.Labels;
import io.varve.model.QueryContext;
import io.varve.model.SampleBuffer;
import io.varve.model.SeriesSource;
import io.varve.promql.EngineOptions;
import io.varve.promql.PlanTree;
import io.varve.promql.QueryResult;
import io.varve.promql.QueryStats;
import io.varve.promql.QueryValue;
import io.varve.promql.function.Grid;
import io.varve.promql.function.Row;
import io.varve.promql.parser.ValueType;
import io.varve.promql.plan.PlanNode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/** One run of a plan: pulls all rows and makes the answer of them. */
public final class Execution {
    private static final long[] NO_TIMES = new long[0];
    private static final FloatHistogram[] NO_HISTOGRAMS = new FloatHistogram[0];

    private final QueryRun run;
    private final Memory memory;
    private long @Nullable [] allTimes;
    private long[] partTimes = NO_TIMES;
    private int partFrom;
    private int partTo;
    private long held;

    /** For one query. */
    public Execution(QueryContext context, SeriesSource source, EngineOptions options, long lookback, Grid grid, boolean instant,
            boolean spans, boolean perStep, boolean timed, @Nullable Executor workers) {
        run = new QueryRun(context, source, options, lookback, grid, instant, spans, perStep, timed, workers);
        memory = new Memory(context.budget(), "query result");
    }

    /**
     * Runs the plan.
     *
     * @param type what the query evaluates to
     * @param query its text, for the places of notes
     * @param preparationNanos time spent so far
     */
    public QueryResult run(PlanNode plan, ValueType type, String query, long preparationNanos) {
        boolean done = false;
        try {
            run.context.check();
            QueryResult result = evaluate(plan, type, query, preparationNanos);
            done = true;
            return result;
        } finally {
            if (!done) {
                memory.close();
            }
        }
    }

    private QueryResult evaluate(PlanNode plan, ValueType type, String query, long preparationNanos) {
        long begin = System.nanoTime();
        OperatorBuilder builder = new OperatorBuilder(run);
        QueryValue value;
        PlanTree tree;
        long opened;
        long pulled;
        if (type == ValueType.STRING) {
            PlanNode node = plan instanceof PlanNode.Once once ? once.input() : plan;
            value = new QueryValue.Text(run.grid.start(), node instanceof PlanNode.Text t ? t.value() : "");
            tree = new PlanTree("Text", "", PlanTree.Counters.NONE, List.of());
            opened = System.nanoTime();
            pulled = opened;
        } else if (type == ValueType.MATRIX) {
            try (RangeRows rows = builder.range(plan)) {
                builder.open();
                opened = System.nanoTime();
                List<QueryValue.Row> out = new ArrayList<>();
                for (RangeRows.Samples s = rows.next(); s != null; s = rows.next()) {
                    out.add(keep(result(s)));
                }
                pulled = System.nanoTime();
                value = new QueryValue.Matrix(sorted(merged(out)));
                tree = rows.tree();
            }
        } else {
            try (Operator root = builder.build(plan)) {
                builder.open();
                opened = System.nanoTime();
                if (type == ValueType.SCALAR && run.instant) {
                    value = new QueryValue.Scalar(run.grid.start(), root.scalar()[0]);
                    pulled = System.nanoTime();
                } else {
                    List<Row> rows = new ArrayList<>();
                    List<QueryValue.Row> out = new ArrayList<>();
                    boolean ascending = true;
                    for (Row r = root.next(); r != null; r = root.next()) {
                        run.context.check();
                        if (r.dropName && run.delayedNames) {
                            if (r.labels.has("")) {
                                // Only histogram_quantiles makes one; Prometheus' words.
                                throw QueryRun.failure("unexpected error: runtime error: index out of range [0] with length 0");
                            }
                            r.labels = Names.drop(r.labels);
                        }
                        memory.reserve(r.bytes());
                        run.hold(r.values.length);
                        held += r.values.length;
                        if (run.instant) {
                            rows.add(r);
                        } else {
                            // At once and not at the end, when nobody works beside this thread any longer; and so is whether rows are in order.
                            ascending = ascending && (out.isEmpty() || out.getLast().labels().compareTo(r.labels) < 0);
                            out.add(result(r));
                        }
                    }
                    pulled = System.nanoTime();
                    if (run.instant) {
                        rows = mergeRows(rows);
                        List<QueryValue.Sample> samples = new ArrayList<>(rows.size());
                        for (Row r : rows) {
                            samples.add(new QueryValue.Sample(r.labels, run.grid.start(), r.values[0], r.histogram(0)));
                        }
                        value = new QueryValue.Vector(samples);
                    } else {
                        value = new QueryValue.Matrix(ascending ? out : mergeEqual(sorted(out)));
                    }
                }
                tree = root.tree();
            }
        }
        long end = System.nanoTime();
        QueryStats stats = new QueryStats(run.totalSamples, run.samplesRead, run.peakSamples(), steps(), orEmpty(run.totalPerStep),
                orEmpty(run.readPerStep), preparationNanos + opened - begin, pulled - opened, end - pulled);
        return new QueryResult(value, run.notes.render(true, query), run.notes.render(false, query), stats, tree, () -> {
            memory.close();
            run.drop(held);
        });
    }

    private long[] steps() {
        return run.totalPerStep == null ? NO_TIMES : allTimes();
    }

    /** The instants of all steps, one array for all rows that have something at each. */
    private long[] allTimes() {
        long[] out = allTimes;
        if (out == null) {
            out = new long[run.grid.count()];
            for (int i = 0; i < out.length; i++) {
                out[i] = run.grid.at(i);
            }
            allTimes = out;
        }
        return out;
    }

    /** The instants of some steps; one array for neighbours that have something at the same ones, as rates that begin together have. */
    private long[] times(int from, int to) {
        long[] all = allTimes();
        if (to - from == all.length) {
            return all;
        }
        if (from != partFrom || to != partTo) {
            partTimes = Arrays.copyOfRange(all, from, to);
            partFrom = from;
            partTo = to;
        }
        return partTimes;
    }

    private static long[] orEmpty(long @Nullable [] v) {
        return v == null ? NO_TIMES : v;
    }

    private QueryValue.Row keep(QueryValue.Row row) {
        long bytes = 100 + 16L * (row.floats().length + row.histograms().length);
        for (FloatHistogram h : row.histograms()) {
            bytes += h.bytes();
        }
        memory.reserve(bytes);
        run.hold(row.floats().length);
        held += row.floats().length;
        return row;
    }

    /** Rows with equal labels become one; that is an error where both have a value at a step. */
    private static List<Row> mergeRows(List<Row> rows) {
        Map<Labels, Row> byLabels = new LinkedHashMap<>(rows.size() * 2);
        for (Row r : rows) {
            Row other = byLabels.putIfAbsent(r.labels, r);
            if (other == null) {
                continue;
            }
            Merged.merge(other, r);
        }
        return byLabels.size() == rows.size() ? rows : new ArrayList<>(byLabels.values());
    }

    /** The same for rows in the order of their labels. */
    private List<QueryValue.Row> mergeEqual(List<QueryValue.Row> rows) {
        List<QueryValue.Row> out = null;
        for (int i = 0; i < rows.size(); i++) {
            int to = i + 1;
            while (to < rows.size() && rows.get(to).labels().equals(rows.get(i).labels())) {
                to++;
            }
            run.context.check();
            if (to > i + 1) {
                if (out == null) {
                    out = new ArrayList<>(rows.subList(0, i));
                }
                Row all = row(rows.get(i));
                for (int j = i + 1; j < to; j++) {
                    Merged.merge(all, row(rows.get(j)));
                }
                out.add(result(all));
                i = to - 1;
            } else if (out != null) {
                out.add(rows.get(i));
            }
        }
        return out == null ? rows : out;
    }

    /** The row that a part of the answer was made of. */
    private Row row(QueryValue.Row from) {
        Row out = Row.empty(from.labels(), false, run.grid.count());
        for (int i = 0; i < from.floats().length; i++) {
            out.values[step(from.floatTimes()[i])] = from.floats()[i];
        }
        for (int i = 0; i < from.histograms().length; i++) {
            out.setHistogram(step(from.histogramTimes()[i]), from.histograms()[i]);
        }
        return out;
    }

    private int step(long time) {
        return (int) Long.divideUnsigned(time - run.grid.start(), run.grid.step());
    }

    private static List<QueryValue.Row> merged(List<QueryValue.Row> rows) {
        Map<Labels, QueryValue.Row> byLabels = new LinkedHashMap<>();
        for (QueryValue.Row r : rows) {
            if (byLabels.putIfAbsent(r.labels(), r) != null) {
                throw QueryRun.sameLabels();
            }
        }
        return rows;
    }

    private static List<QueryValue.Row> sorted(List<QueryValue.Row> rows) {
        rows.sort(Comparator.comparing(QueryValue.Row::labels));
        return rows;
    }

    private QueryValue.Row result(Row r) {
        int steps = r.values.length;
        if (r.isSpan()) {
            double[] values = r.to() - r.from() == steps ? r.values : Arrays.copyOfRange(r.values, r.from(), r.to());
            return new QueryValue.Row(r.labels, times(r.from(), r.to()), values, NO_TIMES, NO_HISTOGRAMS);
        }
        int floats = 0;
        int histograms = 0;
        for (int i = 0; i < steps; i++) {
            if (r.hasFloat(i)) {
                floats++;
            } else if (r.histogram(i) != null) {
                histograms++;
            }
        }
        long[] ft = new long[floats];
        double[] fv = floats == steps ? r.values : new double[floats];
        long[] ht = histograms == 0 ? NO_TIMES : new long[histograms];
        FloatHistogram[] hv = histograms == 0 ? NO_HISTOGRAMS : new FloatHistogram[histograms];
        int f = 0;
        int h = 0;
        for (int i = 0; i < steps; i++) {
            FloatHistogram x = r.histogram(i);
            if (r.hasFloat(i)) {
                ft[f] = run.grid.at(i);
                fv[f++] = r.values[i];
            } else if (x != null) {
                ht[h] = run.grid.at(i);
                hv[h++] = x;
            }
        }
        return new QueryValue.Row(r.labels, ft, fv, ht, hv);
    }

    private QueryValue.Row result(RangeRows.Samples s) {
        SampleBuffer b = s.samples();
        int histograms = 0;
        for (int i = 0; i < b.size; i++) {
            histograms += b.histogram(i) == null ? 0 : 1;
        }
        run.context.check();
        long[] ft = new long[b.size - histograms];
        run.context.check();
        double[] fv = new double[b.size - histograms];
        long[] ht = new long[histograms];
        FloatHistogram[] hv = new FloatHistogram[histograms];
        int f = 0;
        int h = 0;
        for (int i = 0; i < b.size; i++) {
            FloatHistogram x = b.histogram(i);
            if (x == null) {
                ft[f] = b.timestamps[i];
                fv[f++] = b.values[i];
            } else {
                ht[h] = b.timestamps[i];
                hv[h++] = x;
            }
        }
        return new QueryValue.Row(s.dropName() && run.delayedNames ? Names.drop(s.labels()) : s.labels(), ft, fv, ht, hv);
    }
}

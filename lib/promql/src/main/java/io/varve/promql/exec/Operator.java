package io.varve.promql.exec;

import io.varve.promql.PlanTree;
import io.varve.promql.function.Grid;
import io.varve.promql.function.Row;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Gives rows when pulled: one series at a time, with its values over all steps of its grid. Rows belong to whoever pulled them. One
 * thread pulls; closing twice or early is harmless and gives all memory back.
 */
public abstract sealed class Operator implements AutoCloseable
        permits
        Absent,
        Aggregation,
        CountValues,
        HistogramEstimate,
        Info,
        Join,
        Leaf,
        Limit,
        Merged,
        OnceRows,
        QuantileAggregation,
        RangeCall,
        Relabel,
        RowMap,
        ScalarRow,
        SetOperation,
        SharedRows.Reader,
        Sorted,
        SubqueryRange,
        TopK,
        VectorScalar {
    final QueryRun run;
    final Grid grid;
    final Memory memory;
    final List<Operator> inputs;
    private final String name;
    private final String detail;
    private long nanos;
    private long rows;
    private long samples;
    private boolean closed;

    Operator(QueryRun run, Grid grid, String name, String detail, List<Operator> inputs) {
        this.run = run;
        this.grid = grid;
        this.name = name;
        this.detail = detail;
        this.inputs = inputs;
        this.memory = new Memory(run.context.budget(), name);
    }

    /** The next row, null at the end. */
    abstract @Nullable Row produce();

    /** Lets go of what is not memory and not an input. */
    void release() {
    }

    /**
     * The next row, null at the end; not after that.
     *
     * @throws io.varve.model.VarveException where the query fails; only {@link #close} may be called then
     */
    public final @Nullable Row next() {
        if (closed) {
            throw new IllegalStateException(name + " is closed");
        }
        run.context.check();
        long start = run.timed ? System.nanoTime() : 0;
        Row row = produce();
        if (run.timed) {
            nanos += System.nanoTime() - start;
        }
        if (row != null) {
            rows++;
            if (run.timed) {
                samples += row.points();
            }
        }
        return row;
    }

    /** Counts rows that left by another way than {@link #next}. */
    final void count(long moreRows, long moreSamples) {
        rows += moreRows;
        samples += moreSamples;
    }

    /** The one row of a scalar as numbers by step. */
    final double[] scalar() {
        Row row = next();
        if (row == null) {
            throw new IllegalStateException(name + " gave no scalar");
        }
        return row.values;
    }

    /** The plan below with what it cost. */
    public PlanTree tree() {
        List<PlanTree> children = new ArrayList<>();
        for (Operator o : inputs) {
            children.add(o.tree());
        }
        return new PlanTree(name, detail, new PlanTree.Counters(run.timed ? nanos : 0, rows, samples, memory.peak()), children);
    }

    @Override
    public final void close() {
        if (closed) {
            return;
        }
        closed = true;
        RuntimeException failed = null;
        try {
            release();
        } catch (RuntimeException e) {
            failed = e;
        }
        for (Operator o : inputs) {
            try {
                o.close();
            } catch (RuntimeException e) {
                failed = failed == null ? e : failed;
            }
        }
        memory.close();
        if (failed != null) {
            throw failed;
        }
    }
}

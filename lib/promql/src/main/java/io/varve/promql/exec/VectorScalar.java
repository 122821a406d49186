package io.varve.promql.exec;

import io.varve.model.FloatHistogram;
import io.varve.promql.function.Grid;
import io.varve.promql.function.Row;
import io.varve.promql.parser.BinaryOp;
import io.varve.promql.parser.Position;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A binary operator between a vector and a scalar. */
final class VectorScalar extends Operator {
    private final BinaryOp op;
    private final boolean scalarLeft;
    private final boolean returnBool;
    private final StepNotes notes;
    private final @Nullable DuplicateCheck duplicates;
    private double @Nullable [] scalar;

    VectorScalar(QueryRun run, Grid grid, Operator vector, Operator scalar, BinaryOp op, boolean scalarLeft, boolean returnBool,
            boolean namesDiffer, Position position) {
        super(run, grid, "Binary", op.symbol() + (returnBool ? " bool" : ""), List.of(vector, scalar));
        this.op = op;
        this.scalarLeft = scalarLeft;
        this.returnBool = returnBool;
        this.notes = new StepNotes(grid, position);
        this.duplicates = dropsName() && namesDiffer && !run.delayedNames ? new DuplicateCheck(memory, grid.count(), false) : null;
    }

    private boolean dropsName() {
        return returnBool || !op.isComparison() && !op.isTrim();
    }

    @Override
    @Nullable
    Row produce() {
        double[] s = scalar;
        if (s == null) {
            s = inputs.get(1).scalar();
            scalar = s;
        }
        while (true) {
            Row row = inputs.getFirst().next();
            if (row == null) {
                notes.flush(run.notes);
                return null;
            }
            apply(row, s);
            if (row.isEmpty()) {
                continue;
            }
            if (dropsName()) {
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

    private void apply(Row row, double[] s) {
        double[] v = row.values;
        boolean comparison = op.isComparison();
        boolean trim = op.isTrim();
        boolean complete = !trim && row.isSpan() && row.to() - row.from() == v.length;
        row.changed();
        if (complete) {
            double[] a = scalarLeft ? s : v;
            double[] b = scalarLeft ? v : s;
            if (comparison) {
                BinaryMath.compare(op, a, b, v, returnBool, v);
            } else {
                BinaryMath.arithmetic(op, a, b, v);
            }
            if (!comparison || returnBool) {
                row.span(0, v.length);
            }
            return;
        }
        for (int i = 0; i < v.length; i++) {
            double x = v[i];
            if (Row.isAbsent(x)) {
                continue;
            }
            if (trim) {
                BinaryMath.noteTypes(op, false, false, notes, i);
                v[i] = Row.ABSENT;
            } else if (comparison) {
                boolean holds = scalarLeft ? BinaryMath.compare(op, s[i], x) : BinaryMath.compare(op, x, s[i]);
                if (returnBool) {
                    v[i] = holds ? 1 : 0;
                } else if (!holds) {
                    v[i] = Row.ABSENT;
                }
            } else {
                v[i] = scalarLeft ? BinaryMath.arithmetic(op, s[i], x) : BinaryMath.arithmetic(op, x, s[i]);
            }
        }
        if (row.histograms == null) {
            return;
        }
        for (int i = 0; i < v.length; i++) {
            FloatHistogram h = row.histogram(i);
            if (h != null) {
                if (scalarLeft) {
                    BinaryMath.histograms(op, s[i], null, 0, h, returnBool, row, i, notes);
                } else {
                    BinaryMath.histograms(op, 0, h, s[i], null, returnBool, row, i, notes);
                }
            }
        }
    }

    @Override
    void release() {
        notes.flush(run.notes);
    }
}

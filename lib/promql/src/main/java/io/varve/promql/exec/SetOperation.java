package io.varve.promql.exec;

import io.varve.model.Labels;
import io.varve.promql.function.Grid;
import io.varve.promql.function.Notes;
import io.varve.promql.function.Row;
import io.varve.promql.parser.BinaryOp;
import io.varve.promql.parser.VectorMatching;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** {@code and}, {@code or} and {@code unless}: of one side it holds for each group the steps at which it has a member, no rows. */
final class SetOperation extends Operator {
    private final BinaryOp op;
    private final MatchKey key;
    private final Map<Labels, BitSet> present = new HashMap<>();
    private final Steps steps;
    private boolean started;
    private boolean leftDone;

    SetOperation(QueryRun run, Grid grid, Operator left, Operator right, BinaryOp op, VectorMatching matching) {
        super(run, grid, "Set", op.symbol() + MatchKey.describe(matching), List.of(left, right));
        this.op = op;
        this.key = new MatchKey(matching);
        this.steps = new Steps(grid.count());
    }

    @Override
    @Nullable
    Row produce() {
        if (op == BinaryOp.OR) {
            return union();
        }
        if (!started) {
            started = true;
            markRight();
        }
        while (true) {
            Row row = inputs.getFirst().next();
            if (row == null) {
                return null;
            }
            steps.mask(row, present.get(key.of(row.labels)), op == BinaryOp.AND);
            if (!row.isEmpty()) {
                return row;
            }
        }
    }

    /** Where the right side's rows are made, its steps are found batch by batch: no row of it is passed on, or kept. */
    private void markRight() {
        if (inputs.get(1) instanceof Leaf leaf) {
            leaf.foldInto(Marks::new);
            for (Leaf.Fold f = leaf.nextFold(); f != null; f = leaf.nextFold()) {
                ((Marks) f).present.forEach((k, s) -> {
                    if (!mark(present, steps, k, s)) {
                        memory.release(bytes());
                    }
                });
            }
            return;
        }
        for (Row r = inputs.get(1).next(); r != null; r = inputs.get(1).next()) {
            mark(r);
        }
    }

    /** The steps of one batch. */
    private final class Marks implements Leaf.Fold {
        private final Map<Labels, BitSet> present = new HashMap<>();
        private final Steps own = new Steps(steps);

        @Override
        public boolean add(Row row, Notes notes) {
            Labels k = key.of(row.labels);
            if (!present.containsKey(k)) {
                memory.reserve(bytes());
            }
            mark(present, own, k, own.of(row));
            return true;
        }
    }

    private @Nullable Row union() {
        if (!leftDone) {
            Row row = inputs.getFirst().next();
            if (row != null) {
                mark(row);
                return row;
            }
            leftDone = true;
        }
        while (true) {
            Row row = inputs.get(1).next();
            if (row == null) {
                return null;
            }
            steps.mask(row, present.get(key.of(row.labels)), false);
            if (!row.isEmpty()) {
                return row;
            }
        }
    }

    private void mark(Row row) {
        Labels k = key.of(row.labels);
        if (!present.containsKey(k)) {
            memory.reserve(bytes());
        }
        mark(present, steps, k, steps.of(row));
    }

    /** Adds steps to those of a group. Whether it is a new one. */
    private static boolean mark(Map<Labels, BitSet> present, Steps steps, Labels key, BitSet more) {
        BitSet before = present.get(key);
        BitSet now = steps.union(before, more);
        if (now != before) {
            present.put(key, now);
        }
        return before == null;
    }

    /** What a group takes. */
    private long bytes() {
        return 120 + grid.count() / 8;
    }
}

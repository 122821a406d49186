package io.varve.promql.exec;

import io.varve.model.Labels;
import io.varve.promql.function.Grid;
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
    private boolean started;
    private boolean leftDone;

    SetOperation(QueryRun run, Grid grid, Operator left, Operator right, BinaryOp op, VectorMatching matching) {
        super(run, grid, "Set", op.symbol() + MatchKey.describe(matching), List.of(left, right));
        this.op = op;
        this.key = new MatchKey(matching);
    }

    @Override
    @Nullable
    Row produce() {
        if (op == BinaryOp.OR) {
            return union();
        }
        if (!started) {
            started = true;
            for (Row r = inputs.get(1).next(); r != null; r = inputs.get(1).next()) {
                mark(r);
            }
        }
        while (true) {
            Row row = inputs.getFirst().next();
            if (row == null) {
                return null;
            }
            BitSet bits = present.get(key.of(row.labels));
            mask(row, bits, op == BinaryOp.AND);
            if (!row.isEmpty()) {
                return row;
            }
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
            mask(row, present.get(key.of(row.labels)), false);
            if (!row.isEmpty()) {
                return row;
            }
        }
    }

    private void mark(Row row) {
        Labels k = key.of(row.labels);
        BitSet bits = present.get(k);
        if (bits == null) {
            memory.reserve(120 + grid.count() / 8);
            bits = new BitSet(grid.count());
            present.put(k, bits);
        }
        for (int i = 0; i < row.values.length; i++) {
            if (row.has(i)) {
                bits.set(i);
            }
        }
    }

    private static void mask(Row row, @Nullable BitSet bits, boolean keepMarked) {
        for (int i = 0; i < row.values.length; i++) {
            boolean marked = bits != null && bits.get(i);
            if (marked != keepMarked) {
                row.clear(i);
            }
        }
    }
}

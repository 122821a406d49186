package io.varve.promql.exec;

import io.varve.model.LabelHash;
import io.varve.model.Labels;
import io.varve.promql.function.Grid;
import io.varve.promql.function.Row;
import io.varve.promql.parser.Position;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** {@code limitk} and {@code limit_ratio}: rows pass or do not, step by step. */
final class Limit extends Operator {
    private static final double MAX_HASH = 0x1p64;

    private final boolean ratio;
    private final Grouping grouping;
    private final boolean sharded;
    private final Position parameterPosition;
    private final Map<Labels, int[]> taken = new HashMap<>();
    private boolean started;
    private double[] ratios = new double[0];
    private int[] k = new int[0];
    private boolean inShards;

    Limit(QueryRun run, Grid grid, String detail, Operator input, Operator parameter, boolean ratio, Grouping grouping,
            boolean sharded, Position parameterPosition) {
        super(run, grid, "Aggregate", (ratio ? "limit_ratio" : "limitk") + (detail.isEmpty() ? "" : " " + detail),
                List.of(input, parameter));
        this.ratio = ratio;
        this.grouping = grouping;
        this.sharded = sharded;
        this.parameterPosition = parameterPosition;
    }

    @Override
    @Nullable
    Row produce() {
        if (!started) {
            begin();
        }
        while (true) {
            Row row = inputs.getFirst().next();
            if (row == null) {
                return null;
            }
            if (ratio) {
                if (inShards || sample(row)) {
                    return row;
                }
            } else if (limit(row, taken)) {
                return row;
            }
        }
    }

    private void begin() {
        Parameter p = new Parameter(inputs);
        started = true;
        if (ratio) {
            ratios = p.ratios(run.notes, parameterPosition);
        } else {
            k = p.wholeNumbers();
        }
        if (sharded && inputs.getFirst() instanceof Leaf leaf) {
            inShards = true;
            leaf.sieve(ratio ? () -> this::sample : Batch::new);
        }
    }

    /** What is too many in a batch is too many in all. */
    private final class Batch implements Leaf.Sieve {
        private final Map<Labels, int[]> seen = new HashMap<>();

        @Override
        public boolean keep(Row row) {
            return limit(row, seen);
        }

        @Override
        public void done() {
            memory.release(seen.size() * countsBytes());
        }
    }

    private long countsBytes() {
        return 4L * grid.count() + 100;
    }

    /** Takes out the steps whose share of hashes the row is not in. Whether anything is left. */
    private boolean sample(Row row) {
        double offset = unsigned(LabelHash.stringLabels(row.labels)) / MAX_HASH;
        for (int i = 0; i < row.values.length; i++) {
            double r = ratios[i];
            if (!(r >= 0 ? offset < r : offset >= 1.0 + r)) {
                row.clear(i);
            }
        }
        return !row.isEmpty();
    }

    /** Takes out the steps at which there were enough of the group before. Whether anything is left. */
    private boolean limit(Row row, Map<Labels, int[]> seen) {
        Labels key = grouping.key(row.labels);
        int[] counts = seen.get(key);
        if (counts == null) {
            memory.reserve(countsBytes());
            counts = new int[grid.count()];
            seen.put(key, counts);
        }
        for (int i = 0; i < row.values.length; i++) {
            if (row.has(i) && counts[i]++ >= k[i]) {
                row.clear(i);
            }
        }
        return !row.isEmpty();
    }

    private static double unsigned(long v) {
        return v >= 0 ? v : (v >>> 1 | v & 1) * 2.0;
    }
}

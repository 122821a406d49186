package io.varve.promql.exec;

import io.varve.model.Labels;
import io.varve.promql.function.Grid;
import io.varve.promql.function.Row;
import io.varve.promql.function.UnstableSort;
import io.varve.promql.parser.Position;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * {@code topk} and {@code bottomk}: holds rows that are among the k at some step, nothing else. Which of equal ones stays follows
 * the binary heap that Prometheus uses.
 */
final class TopK extends Operator {
    private final boolean top;
    private final Grouping grouping;
    private final boolean sharded;
    private final Position position;
    private @Nullable Iterator<Row> output;
    private final Map<Row, Held> rows = new HashMap<>();
    /** By group: what {@link Bounds} says; read by all threads. */
    private final Map<Labels, Bounds> bounds = new ConcurrentHashMap<>();
    private long held;

    /**
     * By step: what a value must be better than to get among the k of the series that were merged so far, not-a-number where any may.
     * Written by the thread that pulls. Others may see what was a while ago: the k only ever get better, so that leaves less out and
     * nothing too much.
     */
    private static final class Bounds {
        private static final VarHandle AT = MethodHandles.arrayElementVarHandle(double[].class);

        private final double[] worst;

        Bounds(int steps) {
            worst = new double[steps];
            Arrays.fill(worst, Double.NaN);
        }

        void set(int step, double value) {
            AT.setOpaque(worst, step, value);
        }

        /** Takes out of a row what is not good enough. Whether any is left. */
        boolean filter(double[] values, boolean top) {
            boolean any = false;
            for (int i = 0; i < values.length; i++) {
                double w = (double) AT.getOpaque(worst, i);
                double v = values[i];
                if (!Double.isNaN(w) && !(top ? w < v : w > v)) {
                    values[i] = Row.ABSENT;
                } else {
                    any = true;
                }
            }
            return any;
        }
    }

    /** A row with the number of steps at which it is among the k. */
    private static final class Held {
        final Row row;
        final int order;
        final long bytes;
        int uses;
        /** In the end: those steps. */
        @Nullable
        BitSet steps;

        Held(Row row, int order, long bytes) {
            this.row = row;
            this.order = order;
            this.bytes = bytes;
        }
    }

    /** The k of one group at one step: a heap with the worst at its root. */
    private static final class Heap {
        double[] values;
        Held[] from;
        int size;

        Heap(int room) {
            values = new double[room];
            from = new Held[room];
        }
    }

    /**
     * The same heaps over one batch. What does not get into those has k others before it that are no worse, and would not get into the
     * heaps over all series either, nor change them.
     */
    private final class Batch implements Leaf.Sieve {
        /** Above this there is little to leave out of a batch. */
        static final int MOST = 32;

        private final int[] k;
        private final int most;
        private final Map<Labels, Heap[]> groups = new HashMap<>();
        private final Held anybody = new Held(new Row(Labels.EMPTY, false, new double[0]), 0, 0);
        private long reserved;

        Batch(int[] k, int most) {
            this.k = k;
            this.most = most;
        }

        @Override
        public boolean keep(Row row) {
            Labels key = grouping.key(row.labels);
            Bounds known = bounds.get(key);
            boolean any = row.histograms != null;
            if (known != null && !known.filter(row.values, top) && !any) {
                return false;
            }
            Heap[] heaps = groups.get(key);
            if (heaps == null) {
                reserve(8L * grid.count() + 100);
                heaps = new Heap[grid.count()];
                groups.put(key, heaps);
            }
            for (int i = 0; i < row.values.length; i++) {
                if (!row.hasFloat(i)) {
                    continue;
                }
                Heap heap = heaps[i];
                if (heap == null && k[i] > 0) {
                    reserve(60 + 12L * most);
                    heap = new Heap(most);
                    heaps[i] = heap;
                }
                if (heap == null || !admits(heap, k[i], row.values[i])) {
                    row.values[i] = Row.ABSENT;
                    continue;
                }
                any = true;
                // Who it is does not matter here, nor that it is let go.
                anybody.uses = 2;
                offer(heap, k[i], row.values[i], anybody);
            }
            return any;
        }

        private void reserve(long bytes) {
            memory.reserve(bytes);
            reserved += bytes;
        }

        @Override
        public void done() {
            memory.release(reserved);
            groups.clear();
        }
    }

    TopK(QueryRun run, Grid grid, String detail, Operator input, Operator parameter, boolean top, Grouping grouping,
            boolean sharded, Position position) {
        super(run, grid, "Aggregate", (top ? "topk" : "bottomk") + (detail.isEmpty() ? "" : " " + detail), List.of(input, parameter));
        this.top = top;
        this.grouping = grouping;
        this.sharded = sharded;
        this.position = position;
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

    private List<Row> consume() {
        int[] k = new Parameter(inputs).wholeNumbers();
        Map<Labels, Heap[]> groups = new LinkedHashMap<>();
        int order = 0;
        int most = Arrays.stream(k).max().orElse(0);
        boolean sieved = sharded && most <= Batch.MOST && inputs.getFirst() instanceof Leaf;
        if (sieved && inputs.getFirst() instanceof Leaf leaf) {
            leaf.sieve(() -> new Batch(k, Math.max(1, most)));
        }
        while (true) {
            Row row = inputs.getFirst().next();
            if (row == null) {
                break;
            }
            Labels key = grouping.key(row.labels);
            Heap[] heaps = groups.get(key);
            if (heaps == null) {
                memory.reserve(8L * grid.count() + 100);
                heaps = new Heap[grid.count()];
                groups.put(key, heaps);
            }
            Bounds worst = sieved ? bounds(key) : null;
            offer(new Held(row, order++, row.bytes()), k, heaps, worst);
        }
        return grid.count() == 1 ? ranked(groups) : masked(groups);
    }

    /** Offers all values of a row to the heaps of its group; a method of its own, so that it is compiled once, whatever the number of rows. */
    private void offer(Held h, int[] k, @Nullable Heap[] heaps, @Nullable Bounds worst) {
        Row row = h.row;
        for (int i = 0; i < row.values.length; i++) {
            if (row.histogram(i) != null) {
                if (k[i] > 0) {
                    run.notes.info(position, "ignored histogram in " + (top ? "topk" : "bottomk") + " aggregation");
                }
            } else if (row.hasFloat(i) && k[i] > 0) {
                Heap heap = heaps[i];
                if (heap == null) {
                    memory.reserve(80);
                    heap = new Heap(2);
                    heaps[i] = heap;
                }
                offer(heap, k[i], row.values[i], h);
                if (worst != null && heap.size == k[i]) {
                    worst.set(i, heap.values[0]);
                }
            }
        }
        if (h.uses > 0) {
            memory.reserve(h.bytes);
            run.hold(row.values.length);
            held += row.values.length;
            rows.put(row, h);
        }
    }

    private Bounds bounds(Labels key) {
        Bounds b = bounds.get(key);
        if (b == null) {
            memory.reserve(8L * grid.count() + 100);
            b = new Bounds(grid.count());
            bounds.put(key, b);
        }
        return b;
    }

    /** Whether a value gets among the k. */
    private boolean admits(Heap heap, int k, double v) {
        if (heap.size < k) {
            return true;
        }
        double worst = heap.values[0];
        return (top ? worst < v : worst > v) || Double.isNaN(worst) && !Double.isNaN(v);
    }

    private void offer(Heap heap, int k, double v, Held h) {
        if (heap.size < k) {
            if (heap.size == heap.values.length) {
                memory.reserve(12L * heap.size);
                heap.values = Arrays.copyOf(heap.values, heap.size * 2);
                heap.from = Arrays.copyOf(heap.from, heap.size * 2);
            }
            heap.values[heap.size] = v;
            heap.from[heap.size] = h;
            h.uses++;
            up(heap, heap.size++);
            return;
        }
        if (admits(heap, k, v)) {
            letGo(heap.from[0]);
            heap.values[0] = v;
            heap.from[0] = h;
            h.uses++;
            down(heap, 0);
        }
    }

    private void letGo(Held h) {
        if (--h.uses == 0 && rows.remove(h.row) != null) {
            memory.release(h.bytes);
            run.drop(h.row.values.length);
            held -= h.row.values.length;
        }
    }

    /** Whether the value at {@code i} is worse than that at {@code j}; not-a-number is the worst. */
    private boolean worse(Heap h, int i, int j) {
        double a = h.values[i];
        if (Double.isNaN(a)) {
            return true;
        }
        return top ? a < h.values[j] : a > h.values[j];
    }

    private static void swap(Heap h, int i, int j) {
        double v = h.values[i];
        h.values[i] = h.values[j];
        h.values[j] = v;
        Held f = h.from[i];
        h.from[i] = h.from[j];
        h.from[j] = f;
    }

    private void up(Heap h, int at) {
        int j = at;
        while (j > 0) {
            int parent = (j - 1) / 2;
            if (!worse(h, j, parent)) {
                break;
            }
            swap(h, parent, j);
            j = parent;
        }
    }

    private void down(Heap h, int at) {
        int i = at;
        while (true) {
            int child = 2 * i + 1;
            if (child >= h.size) {
                break;
            }
            if (child + 1 < h.size && worse(h, child + 1, child)) {
                child++;
            }
            if (!worse(h, child, i)) {
                break;
            }
            swap(h, i, child);
            i = child;
        }
    }

    /** At one instant: the best first, group by group. */
    private List<Row> ranked(Map<Labels, Heap[]> groups) {
        List<Row> out = new ArrayList<>();
        for (Heap[] heaps : groups.values()) {
            Heap h = heaps[0];
            if (h == null) {
                continue;
            }
            Held[] best = Arrays.copyOf(h.from, h.size);
            // The worst comes last; of two not-a-numbers each comes before the other, as Prometheus has it.
            UnstableSort.sort(best, (x, y) -> {
                double v = x.row.values[0];
                double w = y.row.values[0];
                return Double.isNaN(w) || (top ? w < v : w > v);
            });
            for (Held r : best) {
                r.row.histograms = null;
                out.add(r.row);
            }
        }
        return out;
    }

    /** Marks the step at all rows that are among its k. */
    private void mark(Heap h, int step) {
        for (int j = 0; j < h.size; j++) {
            Held from = h.from[j];
            BitSet steps = from.steps;
            if (steps == null) {
                memory.reserve(grid.count() / 8 + 64);
                steps = new BitSet(grid.count());
                from.steps = steps;
            }
            steps.set(step);
        }
    }

    /** At many steps: each row once, without the steps at which others were better. */
    private List<Row> masked(Map<Labels, Heap[]> groups) {
        for (Heap[] heaps : groups.values()) {
            for (int i = 0; i < heaps.length; i++) {
                Heap h = heaps[i];
                if (h == null) {
                    continue;
                }
                run.context.check();
                mark(h, i);
            }
        }
        List<Held> inOrder = new ArrayList<>(rows.values());
        inOrder.sort((a, b) -> Integer.compare(a.order, b.order));
        List<Row> out = new ArrayList<>(inOrder.size());
        for (Held h : inOrder) {
            BitSet steps = h.steps;
            if (steps == null) {
                continue;
            }
            run.context.check();
            Row r = h.row;
            r.histograms = null;
            r.changed();
            for (int i = steps.nextClearBit(0); i < r.values.length; i = steps.nextClearBit(i + 1)) {
                r.values[i] = Row.ABSENT;
            }
            out.add(r);
        }
        return out;
    }

    @Override
    void release() {
        run.drop(held);
        held = 0;
        rows.clear();
        bounds.clear();
    }
}

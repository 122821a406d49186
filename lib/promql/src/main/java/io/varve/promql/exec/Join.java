package io.varve.promql.exec;

import io.varve.model.FloatHistogram;
import io.varve.model.Labels;
import io.varve.promql.function.Grid;
import io.varve.promql.function.Row;
import io.varve.promql.parser.BinaryOp;
import io.varve.promql.parser.Position;
import io.varve.promql.parser.VectorMatching;
import io.varve.promql.parser.VectorMatching.Cardinality;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * An arithmetic operator or comparison between two vectors.
 *
 * <p>
 * Both sides are pulled in turn until one ends; what was pulled of that one is held, what was pulled of the other meets it, and the
 * rest of the other streams. So no more than the smaller side is held twice over. Where every series of either side has a match key
 * of its own, a pair is done as soon as both are there and neither is held any longer: sides in the same order merge without being
 * held. What remains of a row that is gone is its labels and the steps at which it had a value, to find what must be refused.
 */
final class Join extends Operator {
    private final BinaryOp op;
    private final VectorMatching matching;
    private final boolean returnBool;
    private final StepNotes notes;
    private final MatchKey key;
    private final boolean swapped;
    private final boolean oneToOne;
    private final boolean uniqueKeys;
    private final int many;
    private final int one;
    /** Whether rows of the "many" side may be changed. */
    private final boolean ownsMany;
    private final Map<Labels, Group> groups = new LinkedHashMap<>();
    private final ArrayDeque<Row> ready = new ArrayDeque<>();
    /** At one instant results have an order: that of the "many" side. */
    private final @Nullable List<Ranked> ranked;
    private final Steps steps;
    /** The steps at which any row of the "many" side has something. */
    private @Nullable BitSet manyPresent;
    private final Set<String> drop;
    private boolean manyDone;
    private boolean oneDone;
    private boolean turn;
    private boolean finished;
    private int manyOrder;
    private int oneOrder;
    private long held;
    private @Nullable Failure failure;
    private final @Nullable DuplicateCheck duplicates;

    /** The refusal at the earliest step, which is the one that Prometheus runs into. */
    private record Failure(int step, int rank, String text) {
    }

    /** What is known of one match key. */
    private static final class Group {
        final List<Held> manyRows = new ArrayList<>(1);
        final List<Held> oneRows = new ArrayList<>(1);
        /** All rows of the "one" side: labels and steps, where there could be more than one. */
        final List<Seen> oneSeen = new ArrayList<>(1);
        /** Steps that have a result; for many to one only where missing series are filled in. */
        @Nullable
        BitSet matched;
        /** Many to one: labels of results and their steps. */
        @Nullable
        Map<Labels, BitSet> results;
    }

    private static final BitSet NONE = new BitSet(0);

    private record Seen(Labels labels, BitSet steps, int order) {
    }

    /** A row, the steps at which it has something, and how many rows of its side came before. */
    private record Held(Row row, BitSet steps, int order) {
    }

    /** A result and the row of the "many" side that it comes of. */
    private record Ranked(Row row, int order) {
    }

    Join(QueryRun run, Grid grid, Operator left, Operator right, BinaryOp op, VectorMatching matching, boolean returnBool,
            boolean uniqueKeys, Position position) {
        super(run, grid, "Join", op.symbol() + (returnBool ? " bool" : "") + MatchKey.describe(matching) + (uniqueKeys ? " (merging)" : ""),
                List.of(left, right));
        this.op = op;
        this.matching = matching;
        this.returnBool = returnBool;
        this.notes = new StepNotes(grid, position);
        this.key = new MatchKey(matching);
        this.swapped = matching.cardinality() == Cardinality.ONE_TO_MANY;
        this.oneToOne = matching.cardinality() == Cardinality.ONE_TO_ONE;
        this.uniqueKeys = uniqueKeys && oneToOne;
        this.many = swapped ? 1 : 0;
        this.one = 1 - many;
        this.ownsMany = !(inputs.get(many) instanceof SharedRows.Reader);
        for (Operator side : inputs) {
            if (side instanceof SharedRows.Reader shared) {
                shared.lend();
            }
        }
        this.steps = new Steps(grid.count());
        this.drop = new HashSet<>(matching.labels());
        this.ranked = grid.count() == 1 ? new ArrayList<>() : null;
        this.duplicates = oneToOne ? null : new DuplicateCheck(memory, grid.count(), false);
    }

    /** {@code fill_left} fills the "many" side and {@code fill_right} the "one" side, with {@code group_right} too, as Prometheus does. */
    private @Nullable Double fillMany() {
        return matching.fillLeft();
    }

    private @Nullable Double fillOne() {
        return matching.fillRight();
    }

    @Override
    @Nullable
    Row produce() {
        while (true) {
            Row r = ready.poll();
            if (r != null) {
                if (duplicates != null) {
                    duplicates.add(r);
                }
                return r;
            }
            if (finished) {
                notes.flush(run.notes);
                return null;
            }
            if (manyDone && oneDone) {
                finish();
                finished = true;
                List<Ranked> inOrder = ranked;
                if (inOrder != null) {
                    inOrder.sort((a, b) -> Integer.compare(a.order, b.order));
                    inOrder.forEach(o -> ready.add(o.row));
                    inOrder.clear();
                }
                continue;
            }
            pull();
        }
    }

    private void pull() {
        boolean pullOne = manyDone || !oneDone && turn;
        turn = !turn;
        Row row = inputs.get(pullOne ? one : many).next();
        if (row == null) {
            if (pullOne) {
                oneDone = true;
            } else {
                manyDone = true;
            }
            return;
        }
        Labels k = key.of(row.labels);
        Group g = groups.get(k);
        if (g == null) {
            memory.reserve(200);
            g = new Group();
            groups.put(k, g);
        }
        if (pullOne) {
            meetOne(k, g, row);
        } else {
            meetMany(k, g, row);
        }
    }

    private void meetOne(Labels k, Group g, Row row) {
        Held o = new Held(row, steps.of(row), oneOrder++);
        boolean unique = uniqueKeys && g.oneSeen.isEmpty() && !g.manyRows.isEmpty() && !matching.fills();
        memory.reserve(100 + grid.count() / 8);
        g.oneSeen.add(new Seen(row.labels, o.steps, o.order));
        for (Held m : g.manyRows) {
            pair(g, m, o, unique);
        }
        if (unique) {
            letGo(g.manyRows);
        } else if (!manyDone || fillOne() != null || fillMany() != null) {
            hold(g.oneRows, o);
        }
    }

    private void meetMany(Labels k, Group g, Row row) {
        Held m = new Held(row, steps.of(row), manyOrder++);
        manyPresent = steps.union(manyPresent, m.steps);
        boolean unique = uniqueKeys && !g.oneRows.isEmpty() && !matching.fills();
        boolean last = unique || oneDone && fillOne() == null;
        for (Held o : g.oneRows) {
            pair(g, m, o, last && g.oneRows.size() == 1);
        }
        if (unique) {
            letGo(g.oneRows);
        } else if (!oneDone) {
            hold(g.manyRows, m);
        } else if (fillOne() != null) {
            fillOneSide(k, g, m);
        }
    }

    private void hold(List<Held> list, Held h) {
        memory.reserve(h.row.bytes());
        run.hold(h.row.values.length);
        held += h.row.values.length;
        list.add(h);
    }

    private void letGo(List<Held> list) {
        for (Held h : list) {
            memory.release(h.row.bytes());
            run.drop(h.row.values.length);
            held -= h.row.values.length;
        }
        list.clear();
    }

    /**
     * Computes the steps at which both have a value.
     *
     * @param last whether nobody needs the row of the "many" side any longer
     */
    private void pair(Group g, Held m, Held o, boolean last) {
        BitSet both = steps.common(m.steps, o.steps);
        if (both.isEmpty()) {
            return;
        }
        Labels labels = result(m.row.labels, o.row.labels);
        // What a comparison keeps has its name again, though it was to go: as in Prometheus.
        boolean dropName = returnBool;
        BitSet before = matched(g, labels);
        if (m.row.histograms != null || o.row.histograms != null || op.isTrim()) {
            Row out = Row.empty(labels, dropName, grid.count());
            BitSet done = new BitSet(grid.count());
            notes.rank(m.order);
            for (int i = both.nextSetBit(0); i >= 0; i = both.nextSetBit(i + 1)) {
                meet(before, done, m.row.values[i], m.row.histogram(i), o.row.values[i], o.row.histogram(i), out, i);
            }
            matched(g, labels, before, done);
            ready(out, m.order);
            return;
        }
        if (before != null && before.intersects(both)) {
            BitSet twice = (BitSet) before.clone();
            twice.and(both);
            refuseTwice(twice.nextSetBit(0));
            return;
        }
        matched(g, labels, before, both);
        double[] a = swapped ? o.row.values : m.row.values;
        double[] b = swapped ? m.row.values : o.row.values;
        double[] values = last && ownsMany ? m.row.values : new double[grid.count()];
        if (op.isComparison()) {
            BinaryMath.compare(op, a, b, a, returnBool, values);
        } else {
            BinaryMath.arithmetic(op, a, b, values);
        }
        for (int i = both.nextClearBit(0); i < values.length; i = both.nextClearBit(i + 1)) {
            values[i] = Row.ABSENT;
        }
        Row out = new Row(labels, dropName, values);
        if (m.row.isSpan() && o.row.isSpan() && (!op.isComparison() || returnBool)) {
            out.span(Math.max(m.row.from(), o.row.from()), Math.min(m.row.to(), o.row.to()));
        }
        ready(out, m.order);
    }

    private void ready(Row row, int order) {
        List<Ranked> later = ranked;
        if (row.isEmpty()) {
            return;
        }
        if (later == null) {
            ready.add(row);
        } else {
            memory.reserve(row.bytes());
            later.add(new Ranked(row, order));
        }
    }

    /** Computes one step; what has no answer, as a float and a histogram for most operators, counts as unmatched. */
    private void meet(@Nullable BitSet before, BitSet done, double m, @Nullable FloatHistogram hm, double o, @Nullable FloatHistogram ho,
            Row out, int step) {
        if (!compute(m, hm, o, ho, out, step)) {
            return;
        }
        if (before != null && before.get(step)) {
            out.clear(step);
            refuseTwice(step);
        } else {
            done.set(step);
        }
    }

    private void refuseTwice(int step) {
        refuse(step, Integer.MAX_VALUE, oneToOne
                ? "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
                : "multiple matches for labels: grouping labels must ensure unique matches");
    }

    /** The steps at which a match group has a result; with many series on one side a result with these labels. */
    private @Nullable BitSet matched(Group g, Labels labels) {
        Map<Labels, BitSet> results = g.results;
        return oneToOne ? g.matched : results == null ? null : results.get(labels);
    }

    private void matched(Group g, Labels labels, @Nullable BitSet before, BitSet more) {
        if (before == null) {
            memory.reserve(grid.count() / 8 + 120);
        }
        BitSet now = steps.union(before, more);
        if (oneToOne || matching.fills()) {
            g.matched = oneToOne ? now : steps.union(g.matched, more);
        }
        if (!oneToOne) {
            Map<Labels, BitSet> results = g.results;
            if (results == null) {
                results = new HashMap<>();
                g.results = results;
            }
            results.put(labels, now);
        }
    }

    /** Whether there is an answer. */
    private boolean compute(double m, @Nullable FloatHistogram hm, double o, @Nullable FloatHistogram ho, Row out, int step) {
        double a = swapped ? o : m;
        double b = swapped ? m : o;
        if (hm != null || ho != null) {
            FloatHistogram ha = swapped ? ho : hm;
            FloatHistogram hb = swapped ? hm : ho;
            return BinaryMath.histograms(op, a, ha, b, hb, returnBool, out, step, notes);
        }
        if (op.isTrim()) {
            BinaryMath.noteTypes(op, false, false, notes, step);
            return false;
        } else if (op.isComparison()) {
            boolean holds = BinaryMath.compare(op, a, b);
            if (returnBool) {
                out.values[step] = holds ? 1 : 0;
            } else if (holds) {
                out.values[step] = a;
            }
        } else {
            out.values[step] = BinaryMath.arithmetic(op, a, b);
        }
        return true;
    }

    private Labels result(Labels manyLabels, Labels oneLabels) {
        Labels labels = manyLabels;
        if (!op.isComparison() && !op.isTrim()) {
            labels = Names.drop(labels);
        } else if (returnBool && !run.delayedNames) {
            labels = Names.drop(labels);
        }
        if (oneToOne) {
            labels = matching.on() ? labels.only(drop) : labels.without(drop);
        }
        if (!matching.include().isEmpty()) {
            Labels.Builder b = labels.toBuilder();
            for (String name : matching.include()) {
                b.set(name, oneLabels.get(name));
            }
            labels = b.build();
        }
        return labels;
    }

    private void refuse(int step, int rank, String text) {
        Failure f = failure;
        if (f == null || step < f.step || step == f.step && rank < f.rank) {
            failure = new Failure(step, rank, text);
        }
    }

    /** Refuses what must be refused, and fills in what is missing. */
    private void finish() {
        for (Map.Entry<Labels, Group> e : groups.entrySet()) {
            refuseDuplicates(e.getKey(), e.getValue());
        }
        Failure f = failure;
        if (f != null) {
            throw QueryRun.failure(f.text);
        }
        if (matching.fills()) {
            for (Map.Entry<Labels, Group> e : groups.entrySet()) {
                Group g = e.getValue();
                if (fillOne() != null) {
                    for (Held m : g.manyRows) {
                        fillOneSide(e.getKey(), g, m);
                    }
                }
                Double missing = fillMany();
                if (missing != null) {
                    for (Held o : g.oneRows) {
                        fillManySide(e.getKey(), g, o, missing);
                    }
                }
            }
            Failure late = failure;
            if (late != null) {
                throw QueryRun.failure(late.text);
            }
        }
    }

    private void refuseDuplicates(Labels k, Group g) {
        if (g.oneSeen.size() < 2) {
            return;
        }
        g.oneSeen.sort((a, b) -> Integer.compare(a.order, b.order));
        for (int j = 1; j < g.oneSeen.size(); j++) {
            for (int i = 0; i < j; i++) {
                Seen a = g.oneSeen.get(i);
                Seen b = g.oneSeen.get(j);
                BitSet both = steps.common(a.steps, b.steps);
                if (!matching.fills()) {
                    BitSet present = manyPresent;
                    both = present == null ? NONE : steps.common(both, present);
                }
                int step = both.nextSetBit(0);
                if (step >= 0) {
                    boolean inOrder = a.labels.compareTo(b.labels) <= 0;
                    refuse(step, b.order, "found duplicate series for the match group " + k + " on the " + (swapped ? "left" : "right")
                            + " hand-side of the operation: [" + (inOrder ? a.labels : b.labels) + ", " + (inOrder ? b.labels : a.labels)
                            + "];many-to-many matching not allowed: matching labels must be unique on one side");
                }
            }
        }
    }

    /** Gives a row of the "many" side the filled-in value where it has no partner. */
    private void fillOneSide(Labels k, Group g, Held many) {
        Row m = many.row;
        Double fill = fillOne();
        if (fill == null) {
            return;
        }
        Row out = Row.empty(result(m.labels, k), returnBool, grid.count());
        BitSet before = matched(g, out.labels);
        BitSet done = new BitSet(grid.count());
        notes.rank(many.order);
        for (int i = 0; i < grid.count(); i++) {
            if (m.has(i) && !hasOne(g, i)) {
                meet(before, done, m.values[i], m.histogram(i), fill, null, out, i);
            }
        }
        matched(g, out.labels, before, done);
        ready(out, many.order);
    }

    private static boolean hasOne(Group g, int step) {
        for (Seen s : g.oneSeen) {
            if (s.steps.get(step)) {
                return true;
            }
        }
        return false;
    }

    private void fillManySide(Labels k, Group g, Held one, double fill) {
        Row o = one.row;
        Row out = Row.empty(result(k, o.labels), returnBool, grid.count());
        BitSet matched = g.matched;
        // Behind all of the "many" side.
        notes.rank(manyOrder + one.order);
        for (int i = 0; i < grid.count(); i++) {
            if (o.has(i) && (matched == null || !matched.get(i))) {
                compute(fill, null, o.values[i], o.histogram(i), out, i);
            }
        }
        ready(out, manyOrder + one.order);
    }

    @Override
    void release() {
        notes.flush(run.notes);
        run.drop(held);
        held = 0;
        groups.clear();
        ready.clear();
    }
}

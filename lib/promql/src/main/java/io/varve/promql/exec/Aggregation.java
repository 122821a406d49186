package io.varve.promql.exec;

import io.varve.model.CounterResetHint;
import io.varve.model.FloatHistogram;
import io.varve.model.GoQuote;
import io.varve.model.HistogramSum;
import io.varve.model.Labels;
import io.varve.promql.function.Grid;
import io.varve.promql.function.Notes;
import io.varve.promql.function.Row;
import io.varve.promql.parser.AggregateOp;
import io.varve.promql.parser.Position;
import java.util.Arrays;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** {@code sum avg count min max group stddev stdvar}: holds one accumulator per group, never the series. */
final class Aggregation extends Operator {
    private final AggregateOp op;
    private final boolean sharded;
    private final Grouping grouping;
    private final Position position;
    private @Nullable Iterator<Group> output;

    Aggregation(QueryRun run, Grid grid, String detail, Operator input, AggregateOp op, Grouping grouping, boolean sharded,
            Position position) {
        super(run, grid, "Aggregate", op.text() + (detail.isEmpty() ? "" : " " + detail), List.of(input));
        this.op = op;
        this.sharded = sharded;
        this.grouping = grouping;
        this.position = position;
    }

    @Override
    @Nullable
    Row produce() {
        Iterator<Group> groups = output;
        if (groups == null) {
            groups = consume().values().iterator();
            output = groups;
        }
        while (groups.hasNext()) {
            Group g = groups.next();
            Row row = g.finish();
            if (!row.isEmpty()) {
                return row;
            }
        }
        return null;
    }

    /** Groups of a part of the series. */
    private final class Part implements Leaf.Fold {
        final Map<Labels, Group> groups = new LinkedHashMap<>();

        @Override
        public void add(Row row, Notes notes) {
            Labels key = grouping.key(row.labels);
            Group g = groups.get(key);
            if (g == null) {
                g = new Group(key);
                groups.put(key, g);
            }
            g.dropName |= row.dropName;
            g.add(row, notes);
        }
    }

    private Map<Labels, Group> consumeParts(Leaf leaf) {
        leaf.foldInto(Part::new);
        Map<Labels, Group> groups = new LinkedHashMap<>();
        for (Leaf.Fold f = leaf.nextFold(); f != null; f = leaf.nextFold()) {
            for (Group part : ((Part) f).groups.values()) {
                Group g = groups.get(part.labels);
                if (g == null) {
                    groups.put(part.labels, part);
                } else {
                    g.merge(part);
                    memory.release(part.bytes);
                }
            }
        }
        return groups;
    }

    private Map<Labels, Group> consume() {
        if (sharded && inputs.getFirst() instanceof Leaf leaf) {
            return consumeParts(leaf);
        }
        Map<Labels, Group> groups = new LinkedHashMap<>();
        while (true) {
            Row row = inputs.getFirst().next();
            if (row == null) {
                return groups;
            }
            Labels key = grouping.key(row.labels);
            Group g = groups.get(key);
            if (g == null) {
                g = new Group(key);
                groups.put(key, g);
            }
            g.dropName |= row.dropName;
            g.add(row, run.notes);
        }
    }

    /** Histograms of one group at one step. */
    private static final class Histograms {
        final HistogramSum sum = new HistogramSum();
        long reserved;
        double count;
        boolean reset;
        boolean notReset;
        boolean incompatible;
        boolean running;
        boolean reconciled;
        /** The name of the first series, for notes. */
        String metric = "";
    }

    private final class Group {
        final Labels labels;
        /** Memory reserved for it. */
        long bytes;
        boolean dropName;
        /** Sum, minimum, maximum, count or squared deviation by step; absent where no float was seen. */
        final double[] value;
        /** What the sum lost, or the mean. */
        final double[] second;
        /** How many were seen. */
        final double[] count;
        @Nullable
        Histograms @Nullable [] histograms;
        boolean @Nullable [] running;

        Group(Labels labels) {
            int steps = grid.count();
            boolean counts = op == AggregateOp.AVG || op == AggregateOp.STDDEV || op == AggregateOp.STDVAR;
            boolean seconds = op == AggregateOp.SUM || counts;
            bytes = 8L * steps * (1 + (seconds ? 1 : 0) + (counts ? 1 : 0)) + 200;
            memory.reserve(bytes);
            this.labels = labels;
            value = new double[steps];
            Arrays.fill(value, Row.ABSENT);
            second = seconds ? new double[steps] : FloatHistogram.NO_BUCKETS;
            count = counts ? new double[steps] : FloatHistogram.NO_BUCKETS;
        }

        void add(Row row, Notes notes) {
            double[] v = row.values;
            switch (op) {
                case SUM -> sum(v);
                case AVG -> average(v);
                case MIN -> {
                    for (int i = 0; i < v.length; i++) {
                        double x = v[i];
                        if (!Row.isAbsent(x)) {
                            double m = value[i];
                            if (Row.isAbsent(m) || m > x || Double.isNaN(m)) {
                                value[i] = x;
                            }
                        }
                    }
                }
                case MAX -> {
                    for (int i = 0; i < v.length; i++) {
                        double x = v[i];
                        if (!Row.isAbsent(x)) {
                            double m = value[i];
                            if (Row.isAbsent(m) || m < x || Double.isNaN(m)) {
                                value[i] = x;
                            }
                        }
                    }
                }
                case COUNT -> {
                    for (int i = 0; i < v.length; i++) {
                        if (row.has(i)) {
                            value[i] = Row.isAbsent(value[i]) ? 1 : value[i] + 1;
                        }
                    }
                }
                case GROUP -> {
                    for (int i = 0; i < v.length; i++) {
                        if (row.has(i)) {
                            value[i] = 1;
                        }
                    }
                }
                case STDDEV, STDVAR -> spread(v);
                case TOPK, BOTTOMK, COUNT_VALUES, QUANTILE, LIMITK, LIMIT_RATIO -> throw new IllegalStateException(op.text());
            }
            if (row.histograms != null && op != AggregateOp.COUNT && op != AggregateOp.GROUP) {
                histograms(row, notes);
            }
        }

        private void sum(double[] v) {
            double[] s = value;
            double[] lost = second;
            for (int i = 0; i < v.length; i++) {
                double x = v[i];
                if (Row.isAbsent(x)) {
                    continue;
                }
                double a = s[i];
                if (Row.isAbsent(a)) {
                    s[i] = x;
                    continue;
                }
                double t = a + x;
                if (Double.isInfinite(t)) {
                    lost[i] = 0;
                } else if (Math.abs(a) >= Math.abs(x)) {
                    lost[i] += a - t + x;
                } else {
                    lost[i] += x - t + a;
                }
                s[i] = t;
            }
        }

        private void average(double[] v) {
            for (int i = 0; i < v.length; i++) {
                double x = v[i];
                if (Row.isAbsent(x)) {
                    continue;
                }
                double a = value[i];
                double n = ++count[i];
                if (Row.isAbsent(a)) {
                    value[i] = x;
                    continue;
                }
                if (running == null || !running[i]) {
                    double t = a + x;
                    if (!Double.isInfinite(t)) {
                        second[i] += Math.abs(a) >= Math.abs(x) ? a - t + x : x - t + a;
                        value[i] = t;
                        continue;
                    }
                    // The sum would overflow: from here on a running mean.
                    if (running == null) {
                        running = new boolean[grid.count()];
                    }
                    running[i] = true;
                    a /= n - 1;
                    second[i] /= n - 1;
                }
                double q = (n - 1) / n;
                double m = q * a;
                double lost = q * second[i];
                double inc = x / n;
                double t = m + inc;
                second[i] = Double.isInfinite(t) ? 0 : lost + (Math.abs(m) >= Math.abs(inc) ? m - t + inc : inc - t + m);
                value[i] = t;
            }
        }

        private void spread(double[] v) {
            for (int i = 0; i < v.length; i++) {
                double x = v[i];
                if (Row.isAbsent(x)) {
                    continue;
                }
                double n = ++count[i];
                if (n == 1) {
                    second[i] = x;
                    value[i] = Double.isNaN(x) || Double.isInfinite(x) ? Double.NaN : 0;
                    continue;
                }
                double delta = x - second[i];
                second[i] += delta / n;
                value[i] += delta * (x - second[i]);
            }
        }

        private void histograms(Row row, Notes notes) {
            for (int i = 0; i < row.values.length; i++) {
                FloatHistogram h = row.histogram(i);
                if (h == null) {
                    continue;
                }
                if (op != AggregateOp.SUM && op != AggregateOp.AVG) {
                    notes.info(position, "ignored histogram in " + op.text() + " aggregation");
                    continue;
                }
                add(i, h, row.labels, notes);
            }
        }

        private void add(int step, FloatHistogram h, Labels from, Notes notes) {
            @Nullable
            Histograms[] all = histograms;
            if (all == null) {
                memory.reserve(4L * grid.count());
                bytes += 4L * grid.count();
                all = new Histograms[grid.count()];
                histograms = all;
            }
            Histograms a = all[step];
            if (a == null) {
                a = new Histograms();
                a.sum.set(h);
                a.metric = from.metricName();
                all[step] = a;
            } else if (a.incompatible) {
                return;
            } else if (!combine(a, h)) {
                a.incompatible = true;
                notes.warn(position, "vector contains a mix of histograms with exponential and custom buckets schemas for metric name "
                        + GoQuote.quote(from.metricName()));
                return;
            }
            a.count++;
            a.reset |= h.hint() == CounterResetHint.RESET;
            a.notReset |= h.hint() == CounterResetHint.NOT_RESET;
            long size = a.sum.bytes();
            if (size > a.reserved) {
                memory.reserve(size - a.reserved);
                this.bytes += size - a.reserved;
                a.reserved = size;
            }
        }

        private boolean combine(Histograms a, FloatHistogram h) {
            if (op == AggregateOp.SUM) {
                return a.sum.add(h);
            }
            double n = a.count + 1;
            if (!a.running && a.sum.mayOverflow(h)) {
                HistogramSum trial = new HistogramSum();
                trial.set(a.sum);
                if (!trial.add(h)) {
                    return false;
                }
                if (!trial.overflows()) {
                    return a.sum.add(h);
                }
                a.running = true;
                a.sum.scale(1 / (n - 1));
            }
            if (a.running) {
                a.sum.scale((n - 1) / n);
                return a.sum.add(h.dividedBy(n));
            }
            return a.sum.add(h);
        }

        /** Takes over what a later part of the series came to; for operations that go in shards. */
        void merge(Group later) {
            dropName |= later.dropName;
            for (int i = 0; i < value.length; i++) {
                double x = later.value[i];
                if (Row.isAbsent(x)) {
                    continue;
                }
                double a = value[i];
                if (Row.isAbsent(a)) {
                    value[i] = x;
                    if (op == AggregateOp.SUM) {
                        second[i] = later.second[i];
                    }
                    continue;
                }
                switch (op) {
                    case SUM -> {
                        double t = a + x;
                        second[i] = Double.isInfinite(t)
                                ? 0
                                : second[i] + later.second[i] + (Math.abs(a) >= Math.abs(x) ? a - t + x : x - t + a);
                        value[i] = t;
                    }
                    case COUNT -> value[i] = a + x;
                    case MIN -> value[i] = a > x || Double.isNaN(a) ? x : a;
                    case MAX -> value[i] = a < x || Double.isNaN(a) ? x : a;
                    default -> {
                    }
                }
            }
            @Nullable
            Histograms[] theirs = later.histograms;
            if (theirs == null) {
                return;
            }
            for (int i = 0; i < theirs.length; i++) {
                Histograms h = theirs[i];
                if (h != null) {
                    mergeHistograms(i, h);
                }
            }
        }

        private void mergeHistograms(int step, Histograms theirs) {
            @Nullable
            Histograms[] all = histograms;
            if (all == null) {
                memory.reserve(4L * grid.count());
                bytes += 4L * grid.count();
                all = new Histograms[grid.count()];
                histograms = all;
            }
            Histograms ours = all[step];
            if (ours == null) {
                memory.reserve(theirs.reserved);
                bytes += theirs.reserved;
                all[step] = theirs;
                return;
            }
            ours.reset |= theirs.reset;
            ours.notReset |= theirs.notReset;
            ours.count += theirs.count;
            ours.reconciled |= theirs.sum.boundsReconciled();
            if (theirs.incompatible) {
                ours.incompatible = true;
            } else if (!ours.incompatible && !ours.sum.add(theirs.sum.result())) {
                ours.incompatible = true;
                run.notes.warn(position, "vector contains a mix of histograms with exponential and custom buckets schemas for metric name "
                        + GoQuote.quote(theirs.metric));
            }
        }

        Row finish() {
            for (int i = 0; i < value.length; i++) {
                double v = value[i];
                if (Row.isAbsent(v)) {
                    continue;
                }
                switch (op) {
                    case SUM -> value[i] = v + second[i];
                    case AVG -> value[i] = running != null && running[i] ? v + second[i] : (v + second[i]) / count[i];
                    case STDVAR -> value[i] = v / count[i];
                    case STDDEV -> value[i] = Math.sqrt(v / count[i]);
                    default -> {
                    }
                }
            }
            Row row = new Row(labels, dropName, value);
            @Nullable
            Histograms[] all = histograms;
            if (all == null) {
                return row;
            }
            Notes notes = run.notes;
            for (int i = 0; i < all.length; i++) {
                Histograms a = all[i];
                if (a == null) {
                    continue;
                }
                if (!Row.isAbsent(value[i])) {
                    notes.warn(position, "encountered a mix of histograms and floats for aggregation");
                    value[i] = Row.ABSENT;
                    continue;
                }
                if (a.incompatible) {
                    continue;
                }
                if (a.reset && a.notReset) {
                    notes.warn(position, "conflicting counter resets during histogram aggregation");
                }
                if (a.sum.boundsReconciled() || a.reconciled) {
                    notes.info(position, "mismatched custom buckets were reconciled during aggregation");
                }
                FloatHistogram h = a.sum.result();
                row.setHistogram(i, op == AggregateOp.AVG && !a.running ? h.dividedBy(a.count) : h);
            }
            return row;
        }
    }
}

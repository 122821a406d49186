package io.varve.promql.exec;

import io.varve.model.CounterResetHint;
import io.varve.model.FloatHistogram;
import io.varve.model.GoQuote;
import io.varve.model.HistogramRow;
import io.varve.model.HistogramRowSum;
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
import java.util.concurrent.ConcurrentLinkedQueue;
import org.jspecify.annotations.Nullable;

/** {@code sum avg count min max group stddev stdvar}: holds one accumulator per group, never the series. */
final class Aggregation extends Operator {
    private static final double[] NO_VALUES = new double[0];

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

    private double[] absent() {
        double[] v = new double[grid.count()];
        Arrays.fill(v, Row.ABSENT);
        return v;
    }

    /** Adds numbers to sums and their rounding errors (two-sum, after Knuth): a loop without a branch, done several steps at once. */
    private static void addAll(double[] sums, double[] lost, double[] v, int from, int to) {
        for (int i = from; i < to; i++) {
            double a = sums[i];
            double x = v[i];
            double t = a + x;
            double b = t - a;
            lost[i] += a - (t - b) + (x - b);
            sums[i] = t;
        }
    }

    /** Groups of a part of the series. */
    private final class Part implements Leaf.Fold {
        final Map<Labels, Group> groups = new LinkedHashMap<>();

        @Override
        public boolean add(Row row, Notes notes) {
            Labels key = grouping.key(row.labels);
            Group g = groups.get(key);
            if (g == null) {
                g = new Group(key);
                groups.put(key, g);
            }
            g.dropName |= row.dropName;
            g.add(row, notes);
            return g.value != row.values;
        }
    }

    private Map<Labels, Group> consumeParts(Leaf leaf) {
        leaf.foldInto(Part::new);
        if (op == AggregateOp.SUM && run.flatRows) {
            leaf.allowFlat();
        }
        Map<Labels, Group> groups = new LinkedHashMap<>();
        for (Leaf.Fold f = leaf.nextFold(); f != null; f = leaf.nextFold()) {
            for (Group part : ((Part) f).groups.values()) {
                Group g = groups.get(part.labels);
                if (g == null) {
                    groups.put(part.labels, part);
                } else {
                    g.merge(part);
                    memory.release(part.bytes);
                    part.spare();
                }
            }
        }
        for (Spare s = spares.poll(); s != null; s = spares.poll()) {
            memory.release(s.bytes);
        }
        for (HistogramRowSum s = spareRowSums.poll(); s != null; s = spareRowSums.poll()) {
            memory.release(s.bytes());
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

    /**
     * What histograms of a part of the series were added in, one for each step at most, for those of later parts: made anew for each part they
     * were most of what a query left to the collector, and lived long enough for it to copy them. Their memory stays reserved.
     */
    private record Spare(@Nullable Histograms[] bySteps, long bytes) {
    }

    private final ConcurrentLinkedQueue<Spare> spares = new ConcurrentLinkedQueue<>();
    /** The same for rows. */
    private final ConcurrentLinkedQueue<HistogramRowSum> spareRowSums = new ConcurrentLinkedQueue<>();

    /** Histograms of one group at one step. */
    private static final class Histograms {
        final HistogramSum sum = new HistogramSum();
        /** Whether there was one; else it waits for the first. */
        boolean used;
        long reserved;
        double count;
        boolean reset;
        boolean notReset;
        boolean incompatible;
        boolean running;
        boolean reconciled;
        /** Whether a float was there before the first histogram: then histograms are not even looked at, but for their being there. */
        boolean floatFirst;
        /** Whether a float was there before histograms turned out to be incompatible: whatever comes later is not looked at. */
        boolean floatBefore;
        /** The name of the first series. */
        String metric = "";
        /** The name of the series that was incompatible. */
        String culprit = "";

        /** Starts over with the first one. */
        void begin(FloatHistogram first, String from, boolean afterFloat) {
            sum.set(first);
            begin(from, afterFloat);
        }

        /** Starts over with what rows came to at a step. */
        void begin(HistogramRowSum rows, int step, String from) {
            sum.set(rows, step);
            begin(from, false);
            count = rows.added(step);
        }

        private void begin(String from, boolean afterFloat) {
            used = true;
            count = 0;
            reset = false;
            notReset = false;
            incompatible = false;
            running = false;
            reconciled = false;
            floatFirst = afterFloat;
            floatBefore = false;
            metric = from;
            culprit = "";
        }
    }

    private final class Group {
        final Labels labels;
        /** Memory reserved for it, but for that of its histograms. */
        long bytes;
        /** Memory reserved for its histograms. */
        long histogramBytes;
        boolean dropName;
        /** Sum, minimum, maximum, count or squared deviation by step; absent where no float was seen. */
        double[] value;
        /** There is one at each step from here … */
        int presentFrom;
        /** … to before here; there may be others. */
        int presentTo;
        /** What the sum lost, or the mean. */
        final double[] second;
        /** How many were seen. */
        final double[] count;
        @Nullable
        Histograms @Nullable [] histograms;
        /** In place of these, while there is no float and nothing that has to be reconciled. */
        @Nullable
        HistogramRowSum rows;
        /** The name of the series in {@link #rows}. */
        String rowsMetric = "";
        /** Whether there was a float. */
        boolean anyFloat;
        boolean @Nullable [] running;

        Group(Labels labels) {
            int steps = grid.count();
            boolean counts = op == AggregateOp.AVG || op == AggregateOp.STDDEV || op == AggregateOp.STDVAR;
            boolean seconds = op == AggregateOp.SUM || counts;
            bytes = 8L * steps * (1 + (seconds ? 1 : 0) + (counts ? 1 : 0)) + 200;
            memory.reserve(bytes);
            this.labels = labels;
            value = NO_VALUES;
            second = seconds ? new double[steps] : FloatHistogram.NO_BUCKETS;
            count = counts ? new double[steps] : FloatHistogram.NO_BUCKETS;
        }

        /** Whether these are the first values, which are taken over as they are. */
        private boolean first(double[] v) {
            if (value != NO_VALUES) {
                return false;
            }
            value = v;
            presentFrom = Row.presentFrom(v);
            presentTo = Row.presentTo(v, presentFrom);
            return true;
        }

        private boolean isComplete() {
            return presentFrom == 0 && presentTo == value.length;
        }

        /** Says that there is one at more steps: known is both together where that is one range, else the longer one. */
        private void present(int from, int to) {
            if (from <= presentTo && to >= presentFrom) {
                presentFrom = Math.min(from, presentFrom);
                presentTo = Math.max(to, presentTo);
            } else if (to - from > presentTo - presentFrom) {
                presentFrom = from;
                presentTo = to;
            }
        }

        void add(Row row, Notes notes) {
            if (row.flat != null) {
                if (addFlat(row, row.flat)) {
                    return;
                }
                row.unfold();
            }
            unfoldRows();
            double[] v = row.values;
            switch (op) {
                case SUM -> sum(v);
                case AVG -> average(v);
                case MIN -> min(v);
                case MAX -> max(v);
                case COUNT -> count(row);
                case GROUP -> group(row);
                case STDDEV, STDVAR -> spread(v);
                case TOPK, BOTTOMK, COUNT_VALUES, QUANTILE, LIMITK, LIMIT_RATIO -> throw new IllegalStateException(op.text());
            }
            if (row.histograms != null && op != AggregateOp.COUNT && op != AggregateOp.GROUP) {
                histograms(row, notes);
            }
        }

        private void min(double[] v) {
            if (first(v)) {
                return;
            }
            double[] m = value;
            for (int i = 0; i < v.length; i++) {
                double x = v[i];
                if (!Row.isAbsent(x) && (m[i] > x || Double.isNaN(m[i]))) {
                    m[i] = x;
                }
            }
        }

        private void max(double[] v) {
            if (first(v)) {
                return;
            }
            double[] m = value;
            for (int i = 0; i < v.length; i++) {
                double x = v[i];
                if (!Row.isAbsent(x) && (m[i] < x || Double.isNaN(m[i]))) {
                    m[i] = x;
                }
            }
        }

        private void count(Row row) {
            double[] v = row.values;
            if (value == NO_VALUES) {
                value = absent();
            }
            double[] n = value;
            if (isComplete() && row.histograms == null && Row.isComplete(v)) {
                for (int i = 0; i < n.length; i++) {
                    n[i] += 1;
                }
                return;
            }
            for (int i = 0; i < v.length; i++) {
                if (row.has(i)) {
                    n[i] = Row.isAbsent(n[i]) ? 1 : n[i] + 1;
                }
            }
            if (!isComplete()) {
                presentFrom = Row.presentFrom(n);
                presentTo = Row.presentTo(n, presentFrom);
            }
        }

        private void group(Row row) {
            if (value == NO_VALUES) {
                value = absent();
            }
            if (isComplete()) {
                return;
            }
            for (int i = 0; i < value.length; i++) {
                if (row.has(i)) {
                    value[i] = 1;
                }
            }
            presentFrom = Row.presentFrom(value);
            presentTo = Row.presentTo(value, presentFrom);
        }

        /** Two sums: of the values, and of what rounding took from it. Infinite sums lose nothing: {@link #finish} sees to that. */
        private void sum(double[] v) {
            if (first(v)) {
                anyFloat |= Row.presentFrom(v) < v.length;
                return;
            }
            int from = Row.presentFrom(v);
            int to = Row.presentTo(v, from);
            int both = Math.max(from, presentFrom);
            int end = Math.min(to, presentTo);
            if (both < end) {
                sum(v, from, both);
                addAll(value, second, v, both, end);
                sum(v, end, v.length);
            } else {
                sum(v, from, v.length);
            }
            anyFloat |= from < v.length;
            present(from, to);
        }

        private void sum(double[] v, int from, int to) {
            double[] s = value;
            double[] lost = second;
            for (int i = from; i < to; i++) {
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
                double b = t - a;
                lost[i] += a - (t - b) + (x - b);
                s[i] = t;
            }
        }

        private void average(double[] v) {
            double[] n = count;
            int from = Row.presentFrom(v);
            int to = Row.presentTo(v, from);
            for (int i = from; i < to; i++) {
                n[i] += 1;
            }
            for (int i = to; i < n.length; i++) {
                n[i] += Row.isAbsent(v[i]) ? 0 : 1;
            }
            if (first(v)) {
                return;
            }
            int i = from;
            if (from >= presentFrom && running == null) {
                double[] s = value;
                int end = Math.min(to, presentTo);
                for (; i < end; i++) {
                    double a = s[i];
                    double x = v[i];
                    double t = a + x;
                    if (Double.isInfinite(t)) {
                        break;
                    }
                    double b = t - a;
                    second[i] += a - (t - b) + (x - b);
                    s[i] = t;
                }
            }
            for (; i < v.length; i++) {
                if (!Row.isAbsent(v[i])) {
                    average(i, v[i], 0, 1);
                }
            }
            present(from, to);
        }

        /** Takes in the mean or sum of {@code more} values, which are in {@link #count} already. */
        private void average(int i, double x, double lost, double more) {
            double a = value[i];
            if (Row.isAbsent(a)) {
                value[i] = x;
                second[i] = lost;
                return;
            }
            if (running == null || !running[i]) {
                double t = a + x;
                if (!Double.isInfinite(t)) {
                    double b = t - a;
                    second[i] += a - (t - b) + (x - b) + lost;
                    value[i] = t;
                    return;
                }
                // The sum would overflow: from here on a running mean.
                startRunning(i, count[i] - more);
                a = value[i];
            }
            double n = count[i];
            double q = (n - more) / n;
            double m = q * a;
            double inc = x / n;
            double t = m + inc;
            double b = t - m;
            second[i] = Double.isInfinite(t) ? 0 : q * second[i] + lost / n + (m - (t - b) + (inc - b));
            value[i] = t;
        }

        /** What was a sum of {@code n} is a mean from now on. */
        private void startRunning(int i, double n) {
            boolean[] r = running;
            if (r == null) {
                r = new boolean[grid.count()];
                running = r;
            }
            r[i] = true;
            value[i] /= n;
            second[i] /= n;
        }

        private void spread(double[] v) {
            if (value == NO_VALUES) {
                value = absent();
            }
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
                add(i, h, row.labels.metricName());
            }
        }

        /** Adds all histograms of a row at once; false, and nothing changed, where they need one object for each step. */
        private boolean addFlat(Row row, HistogramRow flat) {
            HistogramRowSum sum = rows;
            String metric = row.labels.metricName();
            if (sum == null) {
                // Few of them would leave most of the arrays empty.
                if (histograms != null || anyFloat || flat.points() < grid.count() / 64) {
                    return false;
                }
                sum = spareRowSums.poll();
                if (sum == null) {
                    sum = new HistogramRowSum(grid.count());
                    memory.reserve(sum.bytes());
                }
                rows = sum;
                rowsMetric = metric;
            } else if (!metric.equals(rowsMetric)) {
                return false;
            }
            first(row.values);
            long before = sum.bytes();
            boolean added = sum.add(flat);
            memory.reserve(sum.bytes() - before);
            return added;
        }

        /** Goes on with an object for each step. */
        private void unfoldRows() {
            HistogramRowSum sum = rows;
            if (sum == null) {
                return;
            }
            rows = null;
            @Nullable
            Histograms[] all = histogramsByStep();
            for (int i = 0; i < all.length; i++) {
                if (sum.added(i) > 0) {
                    Histograms a = all[i];
                    if (a == null) {
                        a = new Histograms();
                        all[i] = a;
                    }
                    a.begin(sum, i, rowsMetric);
                    reserve(a);
                }
            }
            sum.clear();
            spareRowSums.add(sum);
        }

        private @Nullable Histograms[] histogramsByStep() {
            @Nullable
            Histograms[] all = histograms;
            if (all == null) {
                Spare s = spares.poll();
                if (s != null) {
                    all = s.bySteps;
                    histogramBytes = s.bytes;
                } else {
                    memory.reserve(4L * grid.count());
                    histogramBytes = 4L * grid.count();
                    all = new Histograms[grid.count()];
                }
                histograms = all;
            }
            return all;
        }

        /** Gives what histograms were added in to later parts; this one is over. */
        void spare() {
            HistogramRowSum sum = rows;
            if (sum != null) {
                rows = null;
                sum.clear();
                spareRowSums.add(sum);
            }
            @Nullable
            Histograms @Nullable [] all = histograms;
            if (all == null) {
                return;
            }
            for (Histograms h : all) {
                if (h != null) {
                    h.used = false;
                }
            }
            histograms = null;
            spares.add(new Spare(all, histogramBytes));
        }

        private void reserve(Histograms a) {
            long size = a.sum.bytes();
            if (size > a.reserved) {
                memory.reserve(size - a.reserved);
                histogramBytes += size - a.reserved;
                a.reserved = size;
            }
        }

        private void add(int step, FloatHistogram h, String from) {
            @Nullable
            Histograms[] all = histogramsByStep();
            Histograms a = all[step];
            if (a == null || !a.used) {
                if (a == null) {
                    a = new Histograms();
                    all[step] = a;
                }
                a.begin(h, from, !Row.isAbsent(value[step]));
            } else if (a.incompatible) {
                return;
            } else if (!combine(a, h)) {
                a.incompatible = true;
                a.culprit = from;
                a.floatBefore = !Row.isAbsent(value[step]);
                return;
            }
            a.count++;
            a.reset |= h.hint() == CounterResetHint.RESET;
            a.notReset |= h.hint() == CounterResetHint.NOT_RESET;
            reserve(a);
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

        /** Takes over what a later part of the series came to. */
        void merge(Group later) {
            dropName |= later.dropName;
            double[] v = later.value;
            // First: they look at which floats were here before.
            mergeHistograms(later);
            anyFloat |= later.anyFloat;
            switch (op) {
                case SUM -> {
                    for (int i = 0; i < v.length; i++) {
                        second[i] += later.second[i];
                    }
                    sum(v);
                }
                case MIN -> min(v);
                case MAX -> max(v);
                case GROUP, COUNT -> {
                    double[] n = value;
                    for (int i = 0; i < v.length; i++) {
                        if (!Row.isAbsent(v[i])) {
                            n[i] = Row.isAbsent(n[i]) || op == AggregateOp.GROUP ? v[i] : n[i] + v[i];
                        }
                    }
                    present(later.presentFrom, later.presentTo);
                }
                case AVG -> mergeAverages(later);
                case STDDEV, STDVAR -> mergeSpreads(later);
                case TOPK, BOTTOMK, COUNT_VALUES, QUANTILE, LIMITK, LIMIT_RATIO -> throw new IllegalStateException(op.text());
            }
        }

        private void mergeAverages(Group later) {
            for (int i = 0; i < value.length; i++) {
                double more = later.count[i];
                if (more == 0) {
                    continue;
                }
                count[i] += more;
                boolean theirs = later.running != null && later.running[i];
                boolean ours = running != null && running[i];
                if (theirs && !ours && count[i] > more) {
                    startRunning(i, count[i] - more);
                    ours = true;
                }
                if (!ours && !theirs) {
                    average(i, later.value[i], later.second[i], more);
                    continue;
                }
                if (count[i] == more) {
                    value[i] = later.value[i];
                    second[i] = later.second[i];
                    startRunning(i, 1);
                    continue;
                }
                // Both become means; each weighs as much as it has values.
                double n = theirs ? 1 : more;
                double share = more / count[i];
                value[i] = value[i] * (1 - share) + later.value[i] / n * share;
                second[i] = second[i] * (1 - share) + later.second[i] / n * share;
            }
        }

        /** Squared deviations of two parts are those of each and that of their means. */
        private void mergeSpreads(Group later) {
            for (int i = 0; i < value.length; i++) {
                double more = later.count[i];
                if (more == 0) {
                    continue;
                }
                double before = count[i];
                count[i] += more;
                if (before == 0) {
                    value[i] = later.value[i];
                    second[i] = later.second[i];
                    continue;
                }
                double delta = later.second[i] - second[i];
                double share = more / count[i];
                second[i] += delta * share;
                value[i] += later.value[i] + delta * delta * before * share;
            }
        }

        /** Merges rows of both; false, and nothing changed, where at least one has to go on with an object for each step. */
        private boolean mergeRows(Group later) {
            HistogramRowSum theirs = later.rows;
            HistogramRowSum sum = rows;
            if (theirs == null || anyFloat || later.anyFloat || histograms != null) {
                return false;
            }
            if (sum == null) {
                rows = theirs;
                rowsMetric = later.rowsMetric;
                later.rows = null;
                return true;
            }
            if (!rowsMetric.equals(later.rowsMetric)) {
                return false;
            }
            long before = sum.bytes();
            boolean added = sum.add(theirs);
            memory.reserve(sum.bytes() - before);
            return added;
        }

        private void mergeHistograms(Group later) {
            if (mergeRows(later)) {
                return;
            }
            if (later.rows != null || later.histograms != null || later.anyFloat) {
                unfoldRows();
                later.unfoldRows();
            }
            @Nullable
            Histograms @Nullable [] theirs = later.histograms;
            for (int i = 0; theirs != null && i < theirs.length; i++) {
                Histograms h = theirs[i];
                if (h == null || !h.used) {
                    continue;
                }
                @Nullable
                Histograms[] all = histogramsByStep();
                Histograms ours = all[i];
                if (ours != null && ours.used) {
                    merge(i, ours, h);
                    continue;
                }
                // They change places.
                boolean floats = !Row.isAbsent(value[i]);
                h.floatFirst |= floats;
                h.floatBefore |= floats;
                long more = h.reserved - (ours == null ? 0 : ours.reserved);
                histogramBytes += more;
                later.histogramBytes -= more;
                all[i] = h;
                theirs[i] = ours;
            }
        }

        private void merge(int step, Histograms ours, Histograms theirs) {
            boolean floats = !Row.isAbsent(value[step]);
            if (ours.incompatible) {
                return;
            }
            ours.reset |= theirs.reset;
            ours.notReset |= theirs.notReset;
            ours.reconciled |= theirs.sum.boundsReconciled() || theirs.reconciled;
            double before = ours.count;
            ours.count += theirs.count;
            if (!combine(ours, before, theirs)) {
                ours.incompatible = true;
                ours.culprit = theirs.metric;
                ours.floatBefore = floats || theirs.floatFirst;
            } else if (theirs.incompatible) {
                ours.incompatible = true;
                ours.culprit = theirs.culprit;
                ours.floatBefore = floats || theirs.floatBefore;
            }
        }

        private boolean combine(Histograms ours, double before, Histograms theirs) {
            if (op == AggregateOp.SUM) {
                return ours.sum.add(theirs.sum);
            }
            FloatHistogram h = theirs.sum.result();
            if (ours.running || theirs.running || ours.sum.mayOverflow(h)) {
                // Means of both, weighed by how many they are of.
                double n = ours.count;
                ours.sum.scale((ours.running ? before : 1) / n);
                ours.running = true;
                return ours.sum.add(theirs.running ? h.times(theirs.count / n) : h.dividedBy(n));
            }
            return ours.sum.add(h);
        }

        Row finish() {
            for (int i = 0; i < value.length; i++) {
                double v = value[i];
                if (Row.isAbsent(v)) {
                    continue;
                }
                switch (op) {
                    case SUM -> value[i] = Double.isInfinite(v) ? v : v + second[i];
                    case AVG -> value[i] = running != null && running[i] ? v + second[i] : (v + second[i]) / count[i];
                    case STDVAR -> value[i] = v / count[i];
                    case STDDEV -> value[i] = Math.sqrt(v / count[i]);
                    default -> {
                    }
                }
            }
            Row row = new Row(labels, dropName, value);
            if (rows != null) {
                HistogramRowSum all = rows;
                HistogramSum one = new HistogramSum();
                for (int i = 0; i < value.length; i++) {
                    if (all.added(i) > 0) {
                        one.set(all, i);
                        row.setHistogram(i, one.result());
                    }
                }
                return row;
            }
            @Nullable
            Histograms[] all = histograms;
            if (all == null) {
                return row;
            }
            Notes notes = run.notes;
            for (int i = 0; i < all.length; i++) {
                Histograms a = all[i];
                if (a == null || !a.used) {
                    continue;
                }
                if (!a.floatFirst && (a.sum.boundsReconciled() || a.reconciled)) {
                    notes.info(position, "mismatched custom buckets were reconciled during aggregation");
                }
                if (!a.floatFirst && a.incompatible) {
                    notes.warn(position, "vector contains a mix of histograms with exponential and custom buckets schemas for metric name "
                            + GoQuote.quote(a.culprit));
                }
                boolean floats = !Row.isAbsent(value[i]);
                if (floats && (!a.incompatible || a.floatFirst || a.floatBefore)) {
                    notes.warn(position, "encountered a mix of histograms and floats for aggregation");
                }
                if (floats || a.incompatible) {
                    value[i] = Row.ABSENT;
                    continue;
                }
                if (a.reset && a.notReset) {
                    notes.warn(position, "conflicting counter resets during histogram aggregation");
                }
                FloatHistogram h = a.sum.result();
                row.setHistogram(i, op == AggregateOp.AVG && !a.running ? h.dividedBy(a.count) : h);
            }
            return row;
        }
    }
}

package io.varve.promql.exec;

import io.varve.model.FloatHistogram;
import io.varve.model.GoFloat;
import io.varve.model.GoQuote;
import io.varve.model.Labels;
import io.varve.promql.function.ClassicBuckets;
import io.varve.promql.function.Grid;
import io.varve.promql.function.Notes;
import io.varve.promql.function.Row;
import io.varve.promql.parser.Position;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * {@code histogram_quantile}, {@code histogram_quantiles} and {@code histogram_fraction}, over native histograms and over classic
 * buckets. Holds its input: the buckets of one histogram need not be neighbours.
 */
final class HistogramEstimate extends Operator {
    /** What is estimated. */
    enum Kind {
        QUANTILE, QUANTILES, FRACTION
    }

    private final Kind kind;
    /** The label that tells quantiles apart, for {@link Kind#QUANTILES}. */
    private final String label;
    private final Position vectorPosition;
    private final List<Position> parameterPositions;
    private final List<double[]> parameters = new ArrayList<>();
    private final ArrayDeque<Row> ready = new ArrayDeque<>();
    private final List<Row> natives = new ArrayList<>();
    private final Map<Labels, Classic> classics = new LinkedHashMap<>();
    private final ClassicBuckets buckets = new ClassicBuckets();
    private final @Nullable DuplicateCheck duplicates;
    private long held;
    private boolean started;

    private record Bucket(double bound, double[] counts) {
    }

    private static final class Classic {
        final Labels labels;
        final List<Bucket> buckets = new ArrayList<>();
        /** The steps at which a native histogram has the same labels. */
        boolean @Nullable [] mixed;

        Classic(Labels labels) {
            this.labels = labels;
        }

        boolean has(int step) {
            for (Bucket b : buckets) {
                if (!Row.isAbsent(b.counts[step])) {
                    return true;
                }
            }
            return false;
        }
    }

    HistogramEstimate(QueryRun run, Grid grid, String name, Operator vector, List<Operator> scalars, Kind kind, String label,
            Position vectorPosition, List<Position> parameterPositions, boolean spans) {
        super(run, grid, name, label, all(vector, scalars));
        this.kind = kind;
        this.label = label;
        this.vectorPosition = vectorPosition;
        this.parameterPositions = parameterPositions;
        // Where names go late, an instant's vector may hold equal labels until it is the answer, or matched.
        this.duplicates = kind == Kind.QUANTILES && spans || !run.delayedNames ? new DuplicateCheck(memory, grid.count(), false) : null;
    }

    private static List<Operator> all(Operator vector, List<Operator> scalars) {
        List<Operator> out = new ArrayList<>();
        out.add(vector);
        out.addAll(scalars);
        return out;
    }

    @Override
    @Nullable
    Row produce() {
        if (!started) {
            started = true;
            readParameters();
            readInput();
            evaluate();
        }
        return ready.poll();
    }

    private void readParameters() {
        for (int p = 1; p < inputs.size(); p++) {
            double[] values = inputs.get(p).scalar();
            parameters.add(values);
            if (kind != Kind.FRACTION) {
                for (double q : values) {
                    if (Double.isNaN(q) || q < 0 || q > 1) {
                        run.notes.warn(parameterPositions.get(p - 1),
                                "quantile value should be between 0 and 1, got " + GoFloat.general(q));
                    }
                }
            }
        }
    }

    private void readInput() {
        for (Row row = inputs.getFirst().next(); row != null; row = inputs.getFirst().next()) {
            memory.reserve(row.bytes());
            run.hold(row.values.length);
            held += row.values.length;
            boolean floats = false;
            for (int i = 0; i < row.values.length && !floats; i++) {
                floats = row.hasFloat(i);
            }
            if (row.histograms != null) {
                natives.add(row);
            }
            if (!floats) {
                continue;
            }
            String le = row.labels.get("le");
            double bound;
            try {
                bound = GoFloat.parse(le);
            } catch (NumberFormatException e) {
                run.notes.warn(vectorPosition, "bucket label \"le\" is missing or has a malformed value of " + GoQuote.quote(le)
                        + Notes.forMetric(run.delayedNames ? row.labels.metricName() : ""));
                continue;
            }
            Labels key = row.labels.without(LE);
            Classic c = classics.get(key);
            if (c == null) {
                c = new Classic(key);
                classics.put(key, c);
            }
            c.buckets.add(new Bucket(bound, row.values));
        }
        for (Classic c : classics.values()) {
            c.buckets.sort((a, b) -> Double.compare(a.bound, b.bound));
        }
    }

    private static final Set<String> LE = Set.of("le");

    private void evaluate() {
        int outputs = kind == Kind.QUANTILES ? parameters.size() : 1;
        for (Row n : natives) {
            Classic c = classics.get(n.labels);
            if (c != null) {
                findMixed(n, c);
            }
        }
        for (int k = 0; k < outputs; k++) {
            for (Row n : natives) {
                Classic c = classics.get(n.labels);
                emitNative(n, k, c == null ? null : c.mixed);
            }
        }
        List<Classic> all = new ArrayList<>(classics.values());
        Row[][] rows = new Row[all.size()][outputs];
        Monotonicity monotonicity = new Monotonicity();
        for (int i = 0; i < grid.count(); i++) {
            run.context.check();
            monotonicity.nextStep();
            for (int g = 0; g < rows.length; g++) {
                estimate(all.get(g), i, rows[g], monotonicity);
            }
        }
        monotonicity.flush();
        for (Row[] group : rows) {
            for (Row r : group) {
                if (r != null) {
                    emit(r);
                }
            }
        }
    }

    private void findMixed(Row nativeRow, Classic classic) {
        for (int i = 0; i < grid.count(); i++) {
            if (nativeRow.histogram(i) != null && classic.has(i)) {
                run.notes.warn(vectorPosition, "vector contains a mix of classic and native histograms"
                        + Notes.forMetric(run.delayedNames ? nativeRow.labels.metricName() : ""));
                boolean[] mixed = classic.mixed;
                if (mixed == null) {
                    mixed = new boolean[grid.count()];
                    classic.mixed = mixed;
                }
                mixed[i] = true;
            }
        }
    }

    /** One group at one step; a method of its own, so that it is compiled once, whatever the number of steps. */
    private void estimate(Classic c, int step, @Nullable Row[] out, Monotonicity monotonicity) {
        if (c.mixed != null && c.mixed[step]) {
            return;
        }
        buckets.clear();
        for (Bucket b : c.buckets) {
            if (!Row.isAbsent(b.counts[step])) {
                buckets.add(b.bound, b.counts[step]);
            }
        }
        if (buckets.isEmpty()) {
            return;
        }
        for (int k = 0; k < out.length; k++) {
            Row r = out[k];
            if (r == null) {
                r = Row.empty(outputLabels(c.labels, k), true, grid.count());
                memory.reserve(r.bytes());
                out[k] = r;
            }
            if (kind == Kind.FRACTION) {
                r.values[step] = buckets.fraction(parameters.get(0)[step], parameters.get(1)[step]);
            } else {
                r.values[step] = buckets.quantile(parameters.get(k)[step]);
                if (buckets.forced) {
                    monotonicity.add(run.delayedNames ? c.labels.metricName() : "", step, buckets);
                }
            }
        }
    }

    /**
     * Prometheus merges the notes of a step into those of the steps before, and those into themselves: what it tells as the number of
     * samples doubles with each step. The texts are to be the same.
     */
    private final class Monotonicity {
        private final Map<String, long[]> counts = new LinkedHashMap<>();
        private final Map<String, double[]> extremes = new HashMap<>();

        void nextStep() {
            for (long[] c : counts.values()) {
                // occurrences before this step, occurrences in this step
                if (c[0] == 0) {
                    c[0] = c[1];
                } else {
                    c[0] = 2 * (c[0] + c[1]);
                }
                c[1] = 0;
            }
        }

        void add(String metric, int step, ClassicBuckets b) {
            counts.computeIfAbsent(metric, m -> new long[2])[1]++;
            long time = grid.at(step);
            double[] e = extremes.computeIfAbsent(metric,
                    m -> new double[]{time, time, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY, 0});
            e[1] = time;
            e[2] = Math.min(e[2], b.minBucket);
            e[3] = Math.max(e[3], b.maxBucket);
            e[4] = Math.max(e[4], b.maxDiff);
        }

        void flush() {
            nextStep();
            counts.forEach((metric, c) -> {
                double[] e = Objects.requireNonNull(extremes.get(metric));
                run.notes.forcedMonotonicity(vectorPosition, metric, c[0], (long) e[0], (long) e[1], e[2], e[3], e[4]);
            });
        }
    }

    private void emitNative(Row n, int k, boolean @Nullable [] skip) {
        Row out = Row.empty(outputLabels(n.labels, k), true, grid.count());
        memory.reserve(out.bytes());
        String metric = run.delayedNames ? n.labels.metricName() : Names.drop(n.labels).metricName();
        for (int i = 0; i < grid.count(); i++) {
            FloatHistogram h = n.histogram(i);
            if (h == null || skip != null && skip[i]) {
                continue;
            }
            FloatHistogram.Estimate e = kind == Kind.FRACTION
                    ? h.fraction(parameters.get(0)[i], parameters.get(1)[i])
                    : h.quantile(parameters.get(k)[i]);
            out.values[i] = e.value();
            switch (e.nan()) {
                case NONE -> {
                }
                case RESULT -> run.notes.info(vectorPosition,
                        "input to histogram_quantile has NaN observations, result is NaN" + Notes.forMetric(metric));
                case SKEW -> run.notes.info(vectorPosition,
                        "input to histogram_quantile has NaN observations, result is skewed higher" + Notes.forMetric(metric));
                case EXCLUDED -> run.notes.info(vectorPosition,
                        "input to histogram_fraction has NaN observations, which are excluded from all fractions"
                                + Notes.forMetric(metric));
            }
        }
        emit(out);
    }

    private Labels outputLabels(Labels from, int k) {
        Labels labels = run.delayedNames ? from : Names.drop(from);
        if (kind != Kind.QUANTILES || grid.count() == 0) {
            return labels;
        }
        return labels.toBuilder().set(label, GoFloat.openMetrics(parameters.get(k)[0])).build();
    }

    private void emit(Row row) {
        if (row.isEmpty()) {
            return;
        }
        if (duplicates != null) {
            duplicates.add(row);
        }
        ready.add(row);
    }

    @Override
    void release() {
        run.drop(held);
        held = 0;
        natives.clear();
        classics.clear();
        ready.clear();
    }
}

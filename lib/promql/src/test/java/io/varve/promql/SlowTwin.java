package io.varve.promql;

import io.varve.model.FloatHistogram;
import io.varve.model.HistogramSum;
import io.varve.model.Labels;
import io.varve.model.Matcher;
import io.varve.model.SampleBuffer;
import io.varve.promql.parser.AggregateExpr;
import io.varve.promql.parser.BinaryExpr;
import io.varve.promql.parser.BinaryOp;
import io.varve.promql.parser.Call;
import io.varve.promql.parser.Expr;
import io.varve.promql.parser.MatrixSelector;
import io.varve.promql.parser.NumberLiteral;
import io.varve.promql.parser.ParenExpr;
import io.varve.promql.parser.StepInvariantExpr;
import io.varve.promql.parser.SubqueryExpr;
import io.varve.promql.parser.TimeShift;
import io.varve.promql.parser.UnaryExpr;
import io.varve.promql.parser.ValueType;
import io.varve.promql.parser.VectorMatching;
import io.varve.promql.parser.VectorSelector;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * PromQL the slow way, to compare the engine with: one instant at a time, each window read anew, no plan, no sharing. Knows what the
 * generated queries use. Names go at once, as without delayed name removal.
 */
final class SlowTwin {
    /** A value: a float or a histogram. */
    record Value(double number, FloatHistogram histogram) {
        static Value of(double v) {
            return new Value(v, null);
        }
    }

    private static final class Refused extends RuntimeException {
        private static final long serialVersionUID = 1L;
    }

    private final MemorySource source;
    private final long lookback;

    SlowTwin(MemorySource source, long lookback) {
        this.source = source;
        this.lookback = lookback;
    }

    /** The vector at one instant; null where the query has no answer. */
    Map<Labels, Value> at(Expr expr, long time) {
        try {
            if (expr.type() == ValueType.SCALAR) {
                Map<Labels, Value> out = new TreeMap<>();
                out.put(Labels.EMPTY, Value.of(scalar(expr, time)));
                return out;
            }
            return vector(expr, time);
        } catch (Refused e) {
            return null;
        }
    }

    private double scalar(Expr expr, long time) {
        return switch (expr) {
            case NumberLiteral n -> n.value();
            case ParenExpr p -> scalar(p.expr(), time);
            case StepInvariantExpr s -> scalar(s.expr(), time);
            case UnaryExpr u -> u.negative() ? -scalar(u.expr(), time) : scalar(u.expr(), time);
            case BinaryExpr b -> number(b.op(), scalar(b.lhs(), time), scalar(b.rhs(), time));
            case Call c when c.function().name().equals("time") -> time / 1000.0;
            case Call c when c.function().name().equals("scalar") -> {
                List<Double> floats = new ArrayList<>();
                vector(c.args().getFirst(), time).values().stream().filter(v -> v.histogram == null).forEach(v -> floats.add(v.number));
                yield floats.size() == 1 ? floats.getFirst() : Double.NaN;
            }
            default -> throw new IllegalArgumentException("no scalar known to the twin: " + expr);
        };
    }

    private static double number(BinaryOp op, double a, double b) {
        return switch (op) {
            case ADD -> a + b;
            case SUB -> a - b;
            case MUL -> a * b;
            case DIV -> a / b;
            case EQL -> a == b ? 1 : 0;
            case NEQ -> a != b ? 1 : 0;
            case GTR -> a > b ? 1 : 0;
            case LSS -> a < b ? 1 : 0;
            case GTE -> a >= b ? 1 : 0;
            case LTE -> a <= b ? 1 : 0;
            default -> throw new IllegalArgumentException(op.symbol());
        };
    }

    private static Labels unnamed(Labels l) {
        return l.without(List.of("__name__", "__type__", "__unit__"));
    }

    private static void put(Map<Labels, Value> out, Labels labels, Value v) {
        if (out.put(labels, v) != null) {
            throw new Refused();
        }
    }

    private Map<Labels, Value> vector(Expr expr, long time) {
        return switch (expr) {
            case ParenExpr p -> vector(p.expr(), time);
            case StepInvariantExpr s -> vector(s.expr(), time);
            case VectorSelector v -> instant(v, time);
            case UnaryExpr u -> {
                Map<Labels, Value> out = new TreeMap<>();
                vector(u.expr(), time).forEach((l, v) -> put(out, u.negative() ? unnamed(l) : l,
                        !u.negative() ? v : v.histogram == null ? Value.of(-v.number) : new Value(0, v.histogram.times(-1))));
                yield out;
            }
            case AggregateExpr a -> aggregate(a, time);
            case BinaryExpr b -> binary(b, time);
            case Call c -> call(c, time);
            default -> throw new IllegalArgumentException("no vector known to the twin: " + expr);
        };
    }

    private static long reference(TimeShift shift, long time) {
        TimeShift.At at = shift.at();
        return (at == null ? time : at.timestampMillis()) - shift.offsetMillis();
    }

    private boolean matches(VectorSelector v, Labels l) {
        for (Matcher m : v.matchers()) {
            if (!m.matches(l.get(m.name()))) {
                return false;
            }
        }
        return true;
    }

    private Map<Labels, Value> instant(VectorSelector v, long time) {
        long ref = reference(v.shift(), time);
        Map<Labels, Value> out = new TreeMap<>();
        source.series.forEach((labels, b) -> {
            if (!matches(v, labels)) {
                return;
            }
            int last = -1;
            for (int i = 0; i < b.size && b.timestamps[i] <= ref; i++) {
                last = i;
            }
            if (last >= 0 && b.timestamps[last] > ref - lookback) {
                FloatHistogram h = b.histogram(last);
                if (h != null || !SampleBuffer.isStale(b.values[last])) {
                    out.put(labels, h == null ? Value.of(b.values[last]) : new Value(0, h));
                }
            }
        });
        return out;
    }

    private record Window(List<Long> times, List<Value> values, long start, long end) {
        boolean mixed() {
            return values.stream().anyMatch(v -> v.histogram != null) && values.stream().anyMatch(v -> v.histogram == null);
        }

        double[] floats() {
            return values.stream().filter(v -> v.histogram == null).mapToDouble(Value::number).toArray();
        }

        long[] floatTimes() {
            List<Long> out = new ArrayList<>();
            for (int i = 0; i < values.size(); i++) {
                if (values.get(i).histogram == null) {
                    out.add(times.get(i));
                }
            }
            return out.stream().mapToLong(Long::longValue).toArray();
        }
    }

    private Map<Labels, Window> windows(Expr expr, long time) {
        Map<Labels, Window> out = new TreeMap<>();
        switch (expr) {
            case ParenExpr p -> out.putAll(windows(p.expr(), time));
            case StepInvariantExpr s -> out.putAll(windows(s.expr(), time));
            case MatrixSelector m -> {
                long end = reference(m.selector().shift(), time);
                long start = end - m.rangeMillis();
                source.series.forEach((labels, b) -> {
                    if (matches(m.selector(), labels)) {
                        Window w = new Window(new ArrayList<>(), new ArrayList<>(), start, end);
                        for (int i = 0; i < b.size; i++) {
                            FloatHistogram h = b.histogram(i);
                            if (b.timestamps[i] > start && b.timestamps[i] <= end && (h != null || !SampleBuffer.isStale(b.values[i]))) {
                                w.times.add(b.timestamps[i]);
                                w.values.add(h == null ? Value.of(b.values[i]) : new Value(0, h));
                            }
                        }
                        if (!w.times.isEmpty()) {
                            out.put(labels, w);
                        }
                    }
                });
            }
            case SubqueryExpr s -> {
                long end = reference(s.shift(), time);
                long start = end - s.rangeMillis();
                long step = s.stepNanos() == 0 ? 60_000 : s.stepMillis();
                for (long t = (start / step + 1) * step; t <= end; t += step) {
                    for (Map.Entry<Labels, Value> e : vector(s.expr(), t).entrySet()) {
                        Window w = out.computeIfAbsent(e.getKey(), l -> new Window(new ArrayList<>(), new ArrayList<>(), start, end));
                        w.times.add(t);
                        w.values.add(e.getValue());
                    }
                }
            }
            default -> throw new IllegalArgumentException("no range known to the twin: " + expr);
        }
        return out;
    }

    private Map<Labels, Value> call(Call c, long time) {
        String f = c.function().name();
        Map<Labels, Value> out = new TreeMap<>();
        Expr range = c.args().stream().filter(a -> a.type() == ValueType.MATRIX).findFirst().orElse(null);
        if (range != null) {
            double parameter = c.args().size() > 1 ? scalar(c.args().get(c.args().getFirst() == range ? 1 : 0), time) : 0;
            windows(range, time).forEach((l, w) -> {
                Value v = overTime(f, w, parameter, time);
                if (v != null) {
                    put(out, f.equals("last_over_time") || f.equals("first_over_time") ? l : unnamed(l), v);
                }
            });
            return out;
        }
        Map<Labels, Value> in = vector(c.args().getFirst(), time);
        in.forEach((l, v) -> {
            boolean number = v.histogram == null;
            Double r = switch (f) {
                case "abs" -> number ? Math.abs(v.number) : null;
                case "floor" -> number ? Math.floor(v.number) : null;
                case "sgn" -> number ? Math.signum(v.number) : null;
                case "histogram_count" -> number ? null : v.histogram.count();
                case "histogram_sum" -> number ? null : v.histogram.sum();
                default -> throw new IllegalArgumentException("no function known to the twin: " + f);
            };
            if (r != null) {
                put(out, unnamed(l), Value.of(r));
            }
        });
        return out;
    }

    private static Value overTime(String f, Window w, double parameter, long time) {
        double[] v = w.floats();
        long[] t = w.floatTimes();
        int n = v.length;
        switch (f) {
            case "count_over_time" -> {
                return Value.of(w.values.size());
            }
            case "present_over_time" -> {
                return Value.of(1);
            }
            case "last_over_time" -> {
                return w.values.getLast();
            }
            case "first_over_time" -> {
                return w.values.getFirst();
            }
            case "changes", "resets" -> {
                int count = 0;
                for (int i = 1; i < w.values.size(); i++) {
                    Value a = w.values.get(i - 1);
                    Value b = w.values.get(i);
                    boolean changed;
                    if (a.histogram == null && b.histogram == null) {
                        changed = f.equals("resets")
                                ? b.number < a.number
                                : a.number != b.number && !(Double.isNaN(a.number) && Double.isNaN(b.number));
                    } else if (a.histogram != null && b.histogram != null) {
                        changed = f.equals("resets") ? b.histogram.isResetAfter(a.histogram) : !b.histogram.sameAs(a.histogram);
                    } else {
                        changed = true;
                    }
                    count += changed ? 1 : 0;
                }
                return Value.of(count);
            }
            case "sum_over_time", "avg_over_time" -> {
                if (w.mixed()) {
                    return null;
                }
                if (n == 0) {
                    HistogramSum sum = new HistogramSum(w.values.getFirst().histogram);
                    for (Value x : w.values.subList(1, w.values.size())) {
                        sum.add(x.histogram);
                    }
                    FloatHistogram h = sum.result();
                    return new Value(0, f.startsWith("avg") ? h.dividedBy(w.values.size()) : h);
                }
                double sum = exactSum(v);
                return Value.of(f.startsWith("avg") ? sum / n : sum);
            }
            case "rate", "increase", "delta" -> {
                return w.mixed() || n < 2 ? histogramRate(f, w) : Value.of(rate(f, w, v, t));
            }
            default -> {
            }
        }
        if (n == 0) {
            return null;
        }
        return switch (f) {
            case "min_over_time" -> Value.of(extreme(v, false));
            case "max_over_time" -> Value.of(extreme(v, true));
            case "stdvar_over_time" -> Value.of(variance(v));
            case "stddev_over_time" -> Value.of(Math.sqrt(variance(v)));
            case "quantile_over_time" -> Value.of(quantile(parameter, v));
            case "deriv" -> n < 2 ? null : Value.of(line(v, t, t[0])[0]);
            case "predict_linear" -> {
                if (n < 2) {
                    yield null;
                }
                double[] line = line(v, t, time);
                yield Value.of(line[0] * parameter + line[1]);
            }
            default -> throw new IllegalArgumentException("no function known to the twin: " + f);
        };
    }

    private static double exactSum(double[] v) {
        double sum = 0;
        double lost = 0;
        for (double x : v) {
            double s = sum + x;
            lost += Double.isInfinite(s) ? 0 : Math.abs(sum) >= Math.abs(x) ? sum - s + x : x - s + sum;
            sum = s;
        }
        return Double.isInfinite(sum) ? sum : sum + lost;
    }

    private static double extreme(double[] v, boolean max) {
        double best = v[0];
        for (double x : v) {
            if ((max ? x > best : x < best) || Double.isNaN(best)) {
                best = x;
            }
        }
        return best;
    }

    private static double variance(double[] v) {
        double mean = exactSum(v) / v.length;
        double[] squares = new double[v.length];
        for (int i = 0; i < v.length; i++) {
            squares[i] = (v[i] - mean) * (v[i] - mean);
        }
        return exactSum(squares) / v.length;
    }

    private static double quantile(double q, double[] v) {
        double[] sorted = v.clone();
        Arrays.sort(sorted);
        int nans = 0;
        while (nans < sorted.length && Double.isNaN(sorted[sorted.length - 1 - nans])) {
            nans++;
        }
        double[] nanFirst = new double[sorted.length];
        Arrays.fill(nanFirst, 0, nans, Double.NaN);
        System.arraycopy(sorted, 0, nanFirst, nans, sorted.length - nans);
        if (Double.isNaN(q)) {
            return Double.NaN;
        }
        if (q < 0 || q > 1) {
            return q < 0 ? Double.NEGATIVE_INFINITY : Double.POSITIVE_INFINITY;
        }
        double rank = q * (v.length - 1);
        int lower = (int) Math.floor(rank);
        int upper = Math.min(v.length - 1, lower + 1);
        double weight = rank - lower;
        return nanFirst[lower] * (1 - weight) + nanFirst[upper] * weight;
    }

    private static double[] line(double[] y, long[] t, long origin) {
        if (Arrays.stream(y).allMatch(x -> x == y[0])) {
            return Double.isInfinite(y[0]) ? new double[]{Double.NaN, Double.NaN} : new double[]{0, y[0]};
        }
        double n = y.length;
        double[] x = new double[y.length];
        double[] xy = new double[y.length];
        double[] xx = new double[y.length];
        for (int i = 0; i < y.length; i++) {
            x[i] = (t[i] - origin) / 1000.0;
            xy[i] = x[i] * y[i];
            xx[i] = x[i] * x[i];
        }
        double sx = exactSum(x);
        double sy = exactSum(y);
        double slope = (exactSum(xy) - sx * sy / n) / (exactSum(xx) - sx * sx / n);
        return new double[]{slope, sy / n - slope * sx / n};
    }

    private static double rate(String f, Window w, double[] v, long[] t) {
        boolean counter = !f.equals("delta");
        int n = v.length;
        double result = v[n - 1] - v[0];
        for (int i = 1; i < n && counter; i++) {
            if (v[i] < v[i - 1]) {
                result += v[i - 1];
            }
        }
        return result * factor(f, w, t[0], t[n - 1], n, result, v[0]);
    }

    private static double factor(String f, Window w, long first, long last, int n, double result, double firstValue) {
        double toStart = (first - w.start) / 1000.0;
        double toEnd = (w.end - last) / 1000.0;
        double sampled = (last - first) / 1000.0;
        double average = sampled / (n - 1);
        if (toStart >= average * 1.1) {
            toStart = average / 2;
        }
        if (!f.equals("delta") && result > 0 && firstValue >= 0) {
            toStart = Math.min(toStart, sampled * (firstValue / result));
        }
        if (toEnd >= average * 1.1) {
            toEnd = average / 2;
        }
        double factor = (sampled + toStart + toEnd) / sampled;
        return f.equals("rate") ? factor / ((w.end - w.start) / 1000.0) : factor;
    }

    private static Value histogramRate(String f, Window w) {
        if (w.mixed() || w.values.size() < 2 || w.values.getFirst().histogram == null) {
            return null;
        }
        int n = w.values.size();
        HistogramSum sum = new HistogramSum(w.values.get(n - 1).histogram);
        sum.subtract(w.values.getFirst().histogram);
        for (int i = 1; i < n && !f.equals("delta"); i++) {
            if (w.values.get(i).histogram.isResetAfter(w.values.get(i - 1).histogram)) {
                sum.add(w.values.get(i - 1).histogram);
            }
        }
        FloatHistogram h = sum.result();
        return new Value(0,
                h.times(factor(f, w, w.times.getFirst(), w.times.get(n - 1), n, h.count(), w.values.getFirst().histogram.count())));
    }

    private Map<Labels, Value> aggregate(AggregateExpr a, long time) {
        Map<Labels, List<Map.Entry<Labels, Value>>> groups = new TreeMap<>();
        List<String> names = new ArrayList<>(a.grouping());
        if (a.without()) {
            names.add("__name__");
        }
        for (Map.Entry<Labels, Value> e : vector(a.expr(), time).entrySet()) {
            Labels key = a.without() ? e.getKey().without(names) : e.getKey().only(names);
            groups.computeIfAbsent(key, k -> new ArrayList<>()).add(e);
        }
        double parameter = a.param() == null ? 0 : scalar(a.param(), time);
        Map<Labels, Value> out = new TreeMap<>();
        groups.forEach((key, members) -> {
            double[] floats = members.stream().filter(m -> m.getValue().histogram == null).mapToDouble(m -> m.getValue().number).toArray();
            List<FloatHistogram> histograms = members.stream().map(m -> m.getValue().histogram).filter(h -> h != null).toList();
            switch (a.op()) {
                case COUNT -> out.put(key, Value.of(members.size()));
                case GROUP -> out.put(key, Value.of(1));
                case SUM, AVG -> {
                    if (floats.length > 0 && !histograms.isEmpty()) {
                        return;
                    }
                    boolean mean = a.op().text().equals("avg");
                    if (floats.length > 0) {
                        out.put(key, Value.of(mean ? exactSum(floats) / floats.length : exactSum(floats)));
                    } else {
                        HistogramSum sum = new HistogramSum(histograms.getFirst());
                        histograms.subList(1, histograms.size()).forEach(sum::add);
                        out.put(key, new Value(0, mean ? sum.result().dividedBy(histograms.size()) : sum.result()));
                    }
                }
                case MIN, MAX -> {
                    if (floats.length > 0) {
                        out.put(key, Value.of(extreme(floats, a.op().text().equals("max"))));
                    }
                }
                case STDDEV, STDVAR -> {
                    if (floats.length > 0) {
                        double v = variance(floats);
                        out.put(key, Value.of(a.op().text().equals("stddev") ? Math.sqrt(v) : v));
                    }
                }
                case QUANTILE -> {
                    if (floats.length > 0) {
                        out.put(key, Value.of(quantile(parameter, floats)));
                    }
                }
                default -> throw new IllegalArgumentException("no aggregation known to the twin: " + a.op());
            }
        });
        return out;
    }

    private Map<Labels, Value> binary(BinaryExpr b, long time) {
        boolean leftScalar = b.lhs().type() == ValueType.SCALAR;
        boolean rightScalar = b.rhs().type() == ValueType.SCALAR;
        boolean comparison = b.op().isComparison();
        Map<Labels, Value> out = new TreeMap<>();
        if (leftScalar || rightScalar) {
            double s = scalar(leftScalar ? b.lhs() : b.rhs(), time);
            vector(leftScalar ? b.rhs() : b.lhs(), time).forEach((l, v) -> {
                Value r = element(b, leftScalar ? Value.of(s) : v, leftScalar ? v : Value.of(s), leftScalar ? v : null);
                if (r != null) {
                    put(out, comparison && !b.returnBool() ? l : unnamed(l), r);
                }
            });
            return out;
        }
        Map<Labels, Value> left = vector(b.lhs(), time);
        Map<Labels, Value> right = vector(b.rhs(), time);
        VectorMatching m = b.matching() == null ? VectorMatching.DEFAULT : b.matching();
        if (b.op().isSet()) {
            TreeSet<Labels> keys = new TreeSet<>();
            (b.op() == BinaryOp.OR ? left : right).keySet().forEach(l -> keys.add(key(m, l)));
            if (b.op() == BinaryOp.OR) {
                out.putAll(left);
                right.forEach((l, v) -> {
                    if (!keys.contains(key(m, l))) {
                        put(out, l, v);
                    }
                });
            } else {
                left.forEach((l, v) -> {
                    if (keys.contains(key(m, l)) == (b.op() == BinaryOp.AND)) {
                        out.put(l, v);
                    }
                });
            }
            return out;
        }
        if (left.isEmpty() || right.isEmpty()) {
            return out;
        }
        Map<Labels, Map.Entry<Labels, Value>> one = new TreeMap<>();
        for (Map.Entry<Labels, Value> e : right.entrySet()) {
            if (one.put(key(m, e.getKey()), e) != null) {
                throw new Refused();
            }
        }
        boolean single = m.cardinality() == VectorMatching.Cardinality.ONE_TO_ONE;
        TreeSet<Labels> matched = new TreeSet<>();
        left.forEach((l, v) -> {
            Labels k = key(m, l);
            Map.Entry<Labels, Value> partner = one.get(k);
            if (partner == null) {
                return;
            }
            if (single && !matched.add(k)) {
                throw new Refused();
            }
            Value r = element(b, v, partner.getValue(), null);
            Labels labels = comparison && !b.returnBool() ? l : unnamed(l);
            if (single) {
                labels = m.on() ? labels.only(m.labels()) : labels.without(m.labels());
            }
            if (r != null) {
                put(out, labels, r);
            }
        });
        return out;
    }

    private static Labels key(VectorMatching m, Labels l) {
        if (m.on()) {
            return l.only(m.labels());
        }
        List<String> names = new ArrayList<>(m.labels());
        names.add("__name__");
        return l.without(names);
    }

    private static Value element(BinaryExpr b, Value x, Value y, Value keep) {
        BinaryOp op = b.op();
        if (x.histogram == null && y.histogram == null) {
            double r = number(op, x.number, y.number);
            if (!op.isComparison() || b.returnBool()) {
                return Value.of(r);
            }
            return r == 1 ? keep == null ? x : keep : null;
        }
        if (x.histogram != null && y.histogram != null) {
            return switch (op) {
                case ADD, SUB -> {
                    HistogramSum sum = new HistogramSum(x.histogram);
                    boolean ok = op == BinaryOp.ADD ? sum.add(y.histogram) : sum.subtract(y.histogram);
                    yield ok ? new Value(0, sum.result()) : null;
                }
                case EQL, NEQ -> {
                    boolean holds = x.histogram.sameAs(y.histogram) == (op == BinaryOp.EQL);
                    yield b.returnBool() ? Value.of(holds ? 1 : 0) : holds ? x : null;
                }
                default -> null;
            };
        }
        if (x.histogram != null) {
            return op == BinaryOp.MUL
                    ? new Value(0, x.histogram.times(y.number))
                    : op == BinaryOp.DIV ? new Value(0, x.histogram.dividedBy(y.number)) : null;
        }
        return op == BinaryOp.MUL ? new Value(0, y.histogram.times(x.number)) : null;
    }
}

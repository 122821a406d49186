package io.varve.promql.exec;

import io.varve.model.FloatHistogram;
import io.varve.model.GoQuote;
import io.varve.model.Labels;
import io.varve.model.Matcher;
import io.varve.model.SelectHints;
import io.varve.model.TimeRange;
import io.varve.promql.Feature;
import io.varve.promql.function.CountOverTime;
import io.varve.promql.function.CounterFunction;
import io.varve.promql.function.Elementwise;
import io.varve.promql.function.EndOverTime;
import io.varve.promql.function.Extreme;
import io.varve.promql.function.Grid;
import io.varve.promql.function.InstantDelta;
import io.varve.promql.function.NaturalOrder;
import io.varve.promql.function.QuantileOverTime;
import io.varve.promql.function.RangeFunction;
import io.varve.promql.function.Regression;
import io.varve.promql.function.Row;
import io.varve.promql.function.Smoothing;
import io.varve.promql.function.Spread;
import io.varve.promql.function.SumOverTime;
import io.varve.promql.function.Transitions;
import io.varve.promql.function.UnstableSort;
import io.varve.promql.function.Windows;
import io.varve.promql.parser.AggregateOp;
import io.varve.promql.parser.Position;
import io.varve.promql.parser.ValueType;
import io.varve.promql.parser.VectorMatching;
import io.varve.promql.parser.VectorMatching.Cardinality;
import io.varve.promql.parser.VectorSelector.Edges;
import io.varve.promql.plan.PlanNode;
import io.varve.promql.plan.PlanPrinter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.DoubleUnaryOperator;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Makes operators of a plan: one switch over its nodes. Nothing is fetched before the first row is pulled or {@link #open} is called. */
public final class OperatorBuilder {
    private final QueryRun run;
    private final List<Leaf> leaves = new ArrayList<>();
    private final Map<SharedKey, SharedRows> shared = new HashMap<>();

    private final Map<FetchKey, SharedFetch> fetches = new HashMap<>();

    private record SharedKey(int number, Grid grid) {
    }

    /** What must be equal for two leaves to read the same series and samples. */
    private record FetchKey(List<Matcher> matchers, TimeRange range, long from, long step, long window) {
    }

    /** How long before the current grid's first instant the subqueries around it begin, which need not be on a step. */
    private long early;

    /** Whether what is built is evaluated over more than one instant, be it that only one step falls between them. */
    private boolean spans;

    /** For one query. */
    public OperatorBuilder(QueryRun run) {
        this.run = run;
        this.spans = run.spans;
    }

    /** The operators of a plan that gives a scalar or a vector. */
    public Operator build(PlanNode root) {
        return node(root, run.grid);
    }

    /** The operators of a plan that gives a range vector, at the first instant alone. */
    public RangeRows range(PlanNode root) {
        PlanNode node = root instanceof PlanNode.Once once ? once.input() : root;
        return switch (node) {
            case PlanNode.Select s -> new RangeRows(run, s, this);
            case PlanNode.Subquery s -> new RangeRows(run, s, subqueryGrid(s, run.grid), this);
            default -> throw new IllegalArgumentException("no range vector: " + node);
        };
    }

    /** Asks the source for all selects, so that it can work on them at the same time. */
    public void open() {
        for (Leaf leaf : leaves) {
            leaf.open();
        }
    }

    Operator node(PlanNode node, Grid grid) {
        return switch (node) {
            case PlanNode.Constant c -> constant(c.value(), grid);
            case PlanNode.Text t -> throw new IllegalArgumentException("a text is no series: " + t.value());
            case PlanNode.Select s -> instant(s, grid, InstantKernel.Take.VALUE);
            case PlanNode.Subquery s -> throw new IllegalArgumentException("a subquery needs a function above it: " + s.position());
            case PlanNode.Call c -> call(c, grid);
            case PlanNode.Aggregate a -> aggregate(a, grid);
            case PlanNode.Binary b -> binary(b, grid);
            case PlanNode.Negate n -> negate(n, grid);
            case PlanNode.Once o -> once(o, grid);
            case PlanNode.Shared s -> {
                SharedRows rows = shared.get(new SharedKey(s.number(), grid));
                if (rows == null) {
                    boolean now = spans;
                    rows = new SharedRows(run, grid, node(s.input(), grid), () -> again(s.input(), grid, now), s.readers());
                    shared.put(new SharedKey(s.number(), grid), rows);
                }
                yield rows.reader(s.number());
            }
        };
    }

    /** Builds what was built before, once the query runs already. */
    private Operator again(PlanNode node, Grid grid, boolean spansThen) {
        boolean saved = spans;
        spans = spansThen;
        try {
            return node(node, grid);
        } finally {
            spans = saved;
        }
    }

    private Operator constant(double v, Grid grid) {
        return new ScalarRow(run, grid, "Constant", Double.toString(v), List.of(), () -> filled(v, grid));
    }

    private static double[] filled(double v, Grid grid) {
        double[] out = new double[grid.count()];
        Arrays.fill(out, v);
        return out;
    }

    private Operator once(PlanNode.Once o, Grid grid) {
        boolean saved = spans;
        spans = false;
        try {
            return grid.count() <= 1 ? node(o.input(), grid) : new OnceRows(run, grid, node(o.input(), grid.first()));
        } finally {
            spans = saved;
        }
    }

    private Operator negate(PlanNode.Negate n, Grid grid) {
        Operator input = node(n.input(), grid);
        if (n.type() == ValueType.SCALAR) {
            return new ScalarRow(run, grid, "Negate", "", List.of(input), () -> {
                double[] v = input.scalar().clone();
                for (int i = 0; i < v.length; i++) {
                    v[i] = -v[i];
                }
                return v;
            });
        }
        return new RowMap(run, grid, "Negate", "", List.of(input), naming(n.input()), false, row -> {
            for (int i = 0; i < row.values.length; i++) {
                if (row.hasFloat(i)) {
                    row.values[i] = -row.values[i];
                } else {
                    var h = row.histogram(i);
                    if (h != null) {
                        // Empty buckets stay, as in Prometheus: a quantile of negative counts may end in the last one.
                        row.setHistogram(i, h.times(-1));
                    }
                }
            }
        });
    }

    /** Whether rows may become equal once their names go. */
    private static boolean namesDiffer(PlanNode node) {
        return !uniqueWithoutName(node);
    }

    private static RowMap.Naming naming(PlanNode input) {
        return namesDiffer(input) ? RowMap.Naming.DROP : RowMap.Naming.DROP_UNIQUE;
    }

    /** Whether all rows of a vector differ in labels other than metadata. */
    static boolean uniqueWithoutName(PlanNode node) {
        return switch (node) {
            // Metadata labels other than the name may still tell series of one name apart: only where the name alone is fixed and known.
            case PlanNode.Select s -> s.isOneMetric();
            case PlanNode.Once o -> uniqueWithoutName(o.input());
            case PlanNode.Shared s -> uniqueWithoutName(s.input());
            case PlanNode.Negate n -> uniqueWithoutName(n.input());
            case PlanNode.Subquery s -> uniqueWithoutName(s.input());
            case PlanNode.Aggregate a -> switch (a.op()) {
                case TOPK, BOTTOMK, LIMITK, LIMIT_RATIO -> uniqueWithoutName(a.input());
                default -> a.without() ? true : !a.grouping().contains(Labels.METRIC_NAME);
            };
            case PlanNode.Call c -> switch (c.function()) {
                case "label_replace", "label_join", "info", "histogram_quantiles", "histogram_quantile", "histogram_fraction" -> false;
                default -> {
                    for (PlanNode in : c.inputs()) {
                        if (in.type() == ValueType.VECTOR || in.type() == ValueType.MATRIX) {
                            yield uniqueWithoutName(in);
                        }
                    }
                    yield true;
                }
            };
            case PlanNode.Binary b -> {
                VectorMatching m = b.matching();
                if (m == null) {
                    yield uniqueWithoutName(b.left().type() == ValueType.VECTOR ? b.left() : b.right());
                }
                yield false;
            }
            case PlanNode.Constant c -> true;
            case PlanNode.Text t -> true;
        };
    }

    Leaf leaf(PlanNode.Select s, Grid grid, String name, Supplier<Kernel> kernels) {
        SelectHints hints = hints(s, grid);
        FetchKey key = new FetchKey(s.matchers(), hints.range(), hints.from(), hints.step(), hints.window());
        SharedFetch fetch = fetches.computeIfAbsent(key, k -> new SharedFetch(run, hints, s.matchers()));
        Leaf leaf = new Leaf(run, grid, name, PlanPrinter.select(s), fetch, s.filters(), s.statsOnly(), kernels);
        leaves.add(leaf);
        return leaf;
    }

    private SelectHints hints(PlanNode.Select s, Grid grid) {
        long window = s.isRange() ? s.rangeMillis() : run.lookback;
        long before = s.isRange() && s.edges() != Edges.NORMAL ? run.lookback : 0;
        long after = s.edges() == Edges.SMOOTHED ? run.lookback : 0;
        Long at = s.atMillis();
        long first = (at != null ? at : grid.start()) - s.offsetMillis();
        long last = (at != null ? at : grid.end()) - s.offsetMillis();
        if (grid.count() == 0) {
            last = first - window;
        }
        TimeRange range = new TimeRange(first - window - before + 1, last + after);
        long step = grid.count() > 1 && at == null ? grid.step() : 0;
        long from = at != null ? range.min() : range.min() - early;
        run.expectSelect(from, s.rangeMillis());
        return new SelectHints(range, step, before + after > 0 || grid.count() <= 1 ? 0 : window, s.rangeMillis(), s.function(), s.by(),
                s.grouping(), 0, false, from, SelectHints.Earliest.NONE, s.labels());
    }

    private Operator instant(PlanNode.Select s, Grid grid, InstantKernel.Take take) {
        // What is between samples has no time of its own: timestamp() takes that of the sample before.
        boolean smoothed = s.edges() == Edges.SMOOTHED && take == InstantKernel.Take.VALUE;
        return leaf(s, grid, "Select",
                () -> new InstantKernel(grid, run.lookback, s.offsetMillis(), s.atMillis(), take, smoothed, s.position(),
                        run.context::check));
    }

    Grid subqueryGrid(PlanNode.Subquery s, Grid grid) {
        Long at = s.atMillis();
        long firstEnd = (at != null ? at : grid.start()) - s.offsetMillis();
        long lastEnd = (at != null ? at : grid.end()) - s.offsetMillis();
        if (s.stepMillis() == 0) {
            // A step below a millisecond, in Prometheus' words.
            throw QueryRun.failure("unexpected error: runtime error: integer divide by zero");
        }
        if (grid.count() == 0) {
            return new Grid(firstEnd, s.stepMillis(), 0);
        }
        long begin = firstEnd - s.rangeMillis();
        long start = s.stepMillis() * (begin / s.stepMillis());
        if (start <= begin) {
            start += s.stepMillis();
        }
        return Grid.of(start, lastEnd, s.stepMillis());
    }

    /** What lies below a subquery. */
    Operator below(PlanNode.Subquery s, Grid grid, Grid inner) {
        Long at = s.atMillis();
        long saved = early;
        boolean savedSpans = spans;
        early = inner.start() - ((at != null ? at : grid.start() - saved) - s.offsetMillis() - s.rangeMillis());
        spans = inner.start() != (at != null ? at : grid.end()) - s.offsetMillis();
        try {
            Operator rows = node(s.input(), inner);
            return mayRepeat(s.input()) ? new Merged(run, inner, rows) : rows;
        } finally {
            early = saved;
            spans = savedSpans;
        }
    }

    /** Whether several rows of a vector may have the same labels, each at steps of its own. */
    private boolean mayRepeat(PlanNode node) {
        return switch (node) {
            case PlanNode.Select s -> false;
            case PlanNode.Constant c -> false;
            case PlanNode.Text t -> false;
            // Rows of a subquery are made one before a function sees them.
            case PlanNode.Subquery s -> false;
            case PlanNode.Once o -> mayRepeat(o.input());
            case PlanNode.Shared s -> mayRepeat(s.input());
            case PlanNode.Negate n -> mayRepeatWithoutName(n.input());
            case PlanNode.Aggregate a -> switch (a.op()) {
                case TOPK, BOTTOMK, LIMITK, LIMIT_RATIO -> mayRepeat(a.input());
                default -> false;
            };
            case PlanNode.Binary b -> {
                VectorMatching m = b.matching();
                if (m == null) {
                    PlanNode vector = b.left().type() == ValueType.VECTOR ? b.left() : b.right();
                    yield vector.type() == ValueType.VECTOR && mayRepeatWithoutName(vector);
                }
                yield switch (b.op()) {
                    case AND, UNLESS -> mayRepeat(b.left());
                    case OR -> true;
                    default -> !hasUniqueKeys(b, m);
                };
            }
            case PlanNode.Call c -> switch (c.function()) {
                case "label_replace", "label_join", "info", "histogram_quantile", "histogram_quantiles", "histogram_fraction" -> true;
                default -> {
                    for (PlanNode in : c.inputs()) {
                        if (in.type() == ValueType.VECTOR) {
                            yield mayRepeatWithoutName(in);
                        }
                    }
                    yield false;
                }
            };
        };
    }

    /** The same for what drops the names of a vector's rows, be it late. */
    private boolean mayRepeatWithoutName(PlanNode node) {
        return mayRepeat(node) || !run.delayedNames && namesDiffer(node);
    }

    /** Whether each row of either side has a match key of its own. */
    private static boolean hasUniqueKeys(PlanNode.Binary b, VectorMatching m) {
        return m.cardinality() == Cardinality.ONE_TO_ONE && uniqueKeys(b.left(), m) && uniqueKeys(b.right(), m);
    }

    private static PlanNode unwrapped(PlanNode node) {
        PlanNode n = node;
        while (true) {
            switch (n) {
                case PlanNode.Once o -> n = o.input();
                case PlanNode.Shared s -> n = s.input();
                default -> {
                    return n;
                }
            }
        }
    }

    private Operator aggregate(PlanNode.Aggregate a, Grid grid) {
        PlanNode parameter = a.parameter();
        String label = parameter instanceof PlanNode.Text t ? t.value() : "";
        if (a.op() == AggregateOp.COUNT_VALUES && !LabelFunctions.isValidName(label)) {
            throw QueryRun.failure("invalid label name " + GoQuote.quote(label));
        }
        Operator input = node(a.input(), grid);
        List<String> labels = a.grouping();
        String detail = Grouping.describe(labels, a.without());
        Grouping grouping = new Grouping(labels, a.without());
        Position inner = a.input().position().within(a.position());
        if (parameter == null) {
            return new Aggregation(run, grid, detail, input, a.op(), grouping, a.sharded(), inner);
        }
        if (a.op() == AggregateOp.COUNT_VALUES) {
            List<String> by = new ArrayList<>(labels);
            if (!a.without()) {
                by.add(label);
            }
            return new CountValues(run, grid, detail, input, label, new Grouping(by, a.without()), a.sharded());
        }
        Operator p = node(parameter, grid);
        return switch (a.op()) {
            case QUANTILE ->
                new QuantileAggregation(run, grid, detail, input, p, grouping, inner, parameter.position().within(a.position()));
            case TOPK, BOTTOMK -> new TopK(run, grid, detail, input, p, a.op() == AggregateOp.TOPK, grouping, a.sharded(), a.position());
            case LIMITK, LIMIT_RATIO ->
                new Limit(run, grid, detail, input, p, a.op() == AggregateOp.LIMIT_RATIO, grouping, a.sharded(),
                        parameter.position().within(a.position()));
            default -> throw new IllegalArgumentException(a.op().text() + " has no parameter");
        };
    }

    private Operator binary(PlanNode.Binary b, Grid grid) {
        Operator left = node(b.left(), grid);
        Operator right = node(b.right(), grid);
        boolean leftScalar = b.left().type() == ValueType.SCALAR;
        boolean rightScalar = b.right().type() == ValueType.SCALAR;
        if (leftScalar && rightScalar) {
            return new ScalarRow(run, grid, "Binary", b.op().symbol(), List.of(left, right), () -> {
                double[] x = left.scalar();
                double[] y = right.scalar();
                double[] out = new double[x.length];
                for (int i = 0; i < out.length; i++) {
                    out[i] = BinaryMath.scalar(b.op(), x[i], y[i]);
                }
                return out;
            });
        }
        if (leftScalar || rightScalar) {
            PlanNode vector = leftScalar ? b.right() : b.left();
            return new VectorScalar(run, grid, leftScalar ? right : left, leftScalar ? left : right, b.op(), leftScalar, b.returnBool(),
                    namesDiffer(vector), b.position());
        }
        VectorMatching m = b.matching() == null ? VectorMatching.DEFAULT : b.matching();
        if (b.op().isSet()) {
            return new SetOperation(run, grid, left, right, b.op(), m);
        }
        return new Join(run, grid, left, right, b.op(), m, b.returnBool(), hasUniqueKeys(b, m), b.position());
    }

    /** Whether each row of a vector has a match key of its own. */
    private static boolean uniqueKeys(PlanNode node, VectorMatching m) {
        if (!m.on()) {
            return m.labels().isEmpty() && uniqueWithoutName(node);
        }
        return unwrapped(node) instanceof PlanNode.Aggregate a && isGrouping(a.op()) && !a.without()
                && m.labels().containsAll(a.grouping());
    }

    private static boolean isGrouping(AggregateOp op) {
        return switch (op) {
            case SUM, AVG, COUNT, MIN, MAX, GROUP, STDDEV, STDVAR, QUANTILE -> true;
            case TOPK, BOTTOMK, COUNT_VALUES, LIMITK, LIMIT_RATIO -> false;
        };
    }

    private Operator call(PlanNode.Call c, Grid grid) {
        String f = c.function();
        List<PlanNode> args = c.inputs();
        DoubleUnaryOperator math = Elementwise.named(f);
        if (math != null) {
            return floats(c, grid, math);
        }
        for (PlanNode arg : args) {
            if (arg.type() == ValueType.MATRIX) {
                return overRange(c, arg, grid);
            }
        }
        return switch (f) {
            case "pi" -> constant(Math.PI, grid);
            case "time" -> new ScalarRow(run, grid, "time", "", List.of(), () -> times(grid));
            case "vector", "+" -> node(args.getFirst(), grid);
            case "scalar" -> scalarOf(node(args.getFirst(), grid), grid);
            case "max_of", "min_of" -> {
                Operator x = node(args.get(0), grid);
                Operator y = node(args.get(1), grid);
                yield new ScalarRow(run, grid, f, "", List.of(x, y), () -> {
                    double[] p = x.scalar();
                    double[] q = y.scalar();
                    double[] out = new double[p.length];
                    for (int i = 0; i < out.length; i++) {
                        out[i] = f.equals("max_of") ? Elementwise.max(p[i], q[i]) : Elementwise.min(p[i], q[i]);
                    }
                    return out;
                });
            }
            case "minute", "hour", "day_of_week", "day_of_month", "day_of_year", "days_in_month", "month", "year" -> {
                if (args.isEmpty()) {
                    yield new ScalarRow(run, grid, f, "", List.of(), () -> {
                        double[] out = new double[grid.count()];
                        for (int i = 0; i < out.length; i++) {
                            out[i] = Elementwise.datePart(f, grid.at(i) / 1000);
                        }
                        return out;
                    });
                }
                yield floats(c, grid, v -> Elementwise.datePart(f, v));
            }
            case "clamp" -> clamp(c, grid, args.get(1), args.get(2));
            case "clamp_min" -> clamp(c, grid, args.get(1), null);
            case "clamp_max" -> clamp(c, grid, null, args.get(1));
            case "round" -> round(c, grid);
            case "timestamp" -> timestamp(c, grid, InstantKernel.Take.TIME);
            case "start_timestamp" -> timestamp(c, grid, InstantKernel.Take.START_TIME);
            case "histogram_count" -> histograms(c, grid, h -> h.count());
            case "histogram_sum" -> histograms(c, grid, h -> h.sum());
            case "histogram_avg" -> histograms(c, grid, h -> h.sum() / h.count());
            case "histogram_stdvar" -> histograms(c, grid, h -> h.variance());
            case "histogram_stddev" -> histograms(c, grid, h -> Math.sqrt(h.variance()));
            case "histogram_quantile" -> estimate(c, grid, HistogramEstimate.Kind.QUANTILE, args.get(1), List.of(args.get(0)), "");
            case "histogram_fraction" ->
                estimate(c, grid, HistogramEstimate.Kind.FRACTION, args.get(2), List.of(args.get(0), args.get(1)), "");
            case "histogram_quantiles" -> estimate(c, grid, HistogramEstimate.Kind.QUANTILES, args.get(0), args.subList(2, args.size()),
                    text(args.get(1)));
            case "absent" -> new Absent(run, grid, f, node(args.getFirst(), grid), absentLabels(args.getFirst()));
            case "sort", "sort_desc", "sort_by_label", "sort_by_label_desc" -> sort(c, grid);
            case "label_replace" -> {
                RowMap.Change change = LabelFunctions.replace(text(args.get(1)), text(args.get(2)), text(args.get(3)), text(args.get(4)));
                yield new Relabel(run, grid, f, text(args.get(1)), node(args.getFirst(), grid), change);
            }
            case "label_join" -> {
                List<String> sources = new ArrayList<>();
                for (PlanNode n : args.subList(3, args.size())) {
                    sources.add(text(n));
                }
                RowMap.Change change = LabelFunctions.join(text(args.get(1)), text(args.get(2)), sources);
                yield new Relabel(run, grid, f, text(args.get(1)), node(args.getFirst(), grid), change);
            }
            case "info" -> new Info(run, grid, c, node(args.getFirst(), grid));
            default -> throw new IllegalArgumentException("function without an operator: " + f);
        };
    }

    private static String text(PlanNode node) {
        return unwrapped(node) instanceof PlanNode.Text t ? t.value() : "";
    }

    private static double[] times(Grid grid) {
        double[] out = new double[grid.count()];
        for (int i = 0; i < out.length; i++) {
            out[i] = grid.at(i) / 1000.0;
        }
        return out;
    }

    private Operator scalarOf(Operator input, Grid grid) {
        return new ScalarRow(run, grid, "scalar", "", List.of(input), () -> {
            double[] out = new double[grid.count()];
            Arrays.fill(out, Row.ABSENT);
            boolean[] many = new boolean[grid.count()];
            for (Row r = input.next(); r != null; r = input.next()) {
                for (int i = 0; i < out.length; i++) {
                    if (r.hasFloat(i)) {
                        many[i] |= !Row.isAbsent(out[i]);
                        out[i] = r.values[i];
                    }
                }
            }
            for (int i = 0; i < out.length; i++) {
                if (many[i] || Row.isAbsent(out[i])) {
                    out[i] = Double.NaN;
                }
            }
            return out;
        });
    }

    private Operator floats(PlanNode.Call c, Grid grid, DoubleUnaryOperator f) {
        PlanNode arg = c.inputs().getFirst();
        return new RowMap(run, grid, c.function(), "", List.of(node(arg, grid)), naming(arg), false, row -> {
            row.histograms = null;
            double[] v = row.values;
            for (int i = 0; i < v.length; i++) {
                if (!Row.isAbsent(v[i])) {
                    v[i] = f.applyAsDouble(v[i]);
                }
            }
        });
    }

    private interface HistogramNumber {
        double of(FloatHistogram h);
    }

    private Operator histograms(PlanNode.Call c, Grid grid, HistogramNumber f) {
        PlanNode arg = c.inputs().getFirst();
        return new RowMap(run, grid, c.function(), "", List.of(node(arg, grid)), naming(arg), false, row -> {
            for (int i = 0; i < row.values.length; i++) {
                var h = row.histogram(i);
                row.values[i] = h == null ? Row.ABSENT : f.of(h);
            }
            row.histograms = null;
        });
    }

    private Operator clamp(PlanNode.Call c, Grid grid, @Nullable PlanNode low, @Nullable PlanNode high) {
        PlanNode arg = c.inputs().getFirst();
        Operator vector = node(arg, grid);
        Operator lo = low == null ? constant(Double.NEGATIVE_INFINITY, grid) : node(low, grid);
        Operator hi = high == null ? constant(Double.POSITIVE_INFINITY, grid) : node(high, grid);
        Lazy min = new Lazy(lo);
        Lazy max = new Lazy(hi);
        return new RowMap(run, grid, c.function(), "", List.of(vector, lo, hi), naming(arg), false, row -> {
            row.histograms = null;
            double[] a = min.get();
            double[] b = max.get();
            double[] v = row.values;
            for (int i = 0; i < v.length; i++) {
                if (!Row.isAbsent(v[i])) {
                    v[i] = b[i] < a[i] ? Row.ABSENT : Elementwise.max(a[i], Elementwise.min(b[i], v[i]));
                }
            }
        }).after(() -> {
            // Without series, too: what they note or refuse counts.
            min.get();
            max.get();
        });
    }

    /** A scalar argument, read when it is first needed. */
    private static final class Lazy {
        private final Operator from;
        private double @Nullable [] values;

        Lazy(Operator from) {
            this.from = from;
        }

        double[] get() {
            double[] v = values;
            if (v == null) {
                v = from.scalar();
                values = v;
            }
            return v;
        }
    }

    private Operator round(PlanNode.Call c, Grid grid) {
        PlanNode arg = c.inputs().getFirst();
        Operator vector = node(arg, grid);
        Operator to = c.inputs().size() > 1 ? node(c.inputs().get(1), grid) : constant(1, grid);
        Lazy nearest = new Lazy(to);
        return new RowMap(run, grid, "round", "", List.of(vector, to), naming(arg), false, row -> {
            row.histograms = null;
            double[] n = nearest.get();
            double[] v = row.values;
            for (int i = 0; i < v.length; i++) {
                if (!Row.isAbsent(v[i])) {
                    double inverse = 1.0 / n[i];
                    v[i] = Math.floor(v[i] * inverse + 0.5) / inverse;
                }
            }
        }).after(nearest::get);
    }

    private Operator timestamp(PlanNode.Call c, Grid grid, InstantKernel.Take take) {
        boolean nothing = take == InstantKernel.Take.START_TIME && !run.options.has(Feature.USE_START_TIMESTAMPS);
        PlanNode arg = c.inputs().getFirst();
        if (!nothing && unwrapped(arg) instanceof PlanNode.Select s && !s.isRange()) {
            return new RowMap(run, grid, c.function(), "", List.of(instant(s, grid, take)), naming(arg), false, row -> {
            });
        }
        return new RowMap(run, grid, c.function(), "", List.of(node(arg, grid)), naming(arg), false, row -> {
            for (int i = 0; i < row.values.length; i++) {
                row.values[i] = !row.has(i) || take == InstantKernel.Take.START_TIME ? Row.ABSENT : grid.at(i) / 1000.0;
            }
            row.histograms = null;
        });
    }

    private Operator estimate(PlanNode.Call c, Grid grid, HistogramEstimate.Kind kind, PlanNode vector, List<PlanNode> scalars,
            String label) {
        List<Operator> ops = new ArrayList<>();
        List<Position> positions = new ArrayList<>();
        for (PlanNode s : scalars) {
            ops.add(node(s, grid));
            // Quantiles stand behind the vector, one after the other; the one of histogram_quantile before it.
            positions.add(kind == HistogramEstimate.Kind.QUANTILES ? s.position() : s.position().within(c.position()));
        }
        return new HistogramEstimate(run, grid, c.function(), node(vector, grid), ops, kind, label, vector.position().within(c.position()),
                positions, spans);
    }

    private Operator sort(PlanNode.Call c, Grid grid) {
        String f = c.function();
        Operator input = node(c.inputs().getFirst(), grid);
        if (spans && grid.count() > 0) {
            run.notes.warn(c.position(),
                    "sort is ineffective for range queries since results are always ordered by labels");
        }
        boolean byLabel = f.startsWith("sort_by_label");
        UnstableSort.Less<Row> order;
        boolean down = f.endsWith("_desc");
        if (byLabel) {
            List<String> labels = new ArrayList<>();
            for (PlanNode n : c.inputs().subList(1, c.inputs().size())) {
                labels.add(text(n));
            }
            order = (a, b) -> {
                for (String l : labels) {
                    String p = a.labels.get(l);
                    String q = b.labels.get(l);
                    if (!p.equals(q)) {
                        return NaturalOrder.precedes(p, q) != down;
                    }
                }
                return down ? b.labels.compareTo(a.labels) < 0 : a.labels.compareTo(b.labels) < 0;
            };
        } else {
            // Not-a-number comes last; of two each comes before the other, as Prometheus has it.
            order = (a, b) -> Double.isNaN(b.values[0]) || (down ? b.values[0] < a.values[0] : b.values[0] > a.values[0]);
        }
        if (grid.count() != 1) {
            return byLabel ? input : new RowMap(run, grid, f, "", List.of(input), RowMap.Naming.KEEP, false, row -> row.histograms = null);
        }
        return new Sorted(run, grid, f, "", input, order, !byLabel);
    }

    /**
     * The labels that {@code absent} can tell from its argument: those with one equality matcher, no second one, and no other behind it.
     */
    static Labels absentLabels(PlanNode arg) {
        if (!(unwrapped(arg) instanceof PlanNode.Select s)) {
            return Labels.EMPTY;
        }
        Labels.Builder b = new Labels.Builder();
        Set<String> told = new HashSet<>();
        for (Matcher m : s.conditions()) {
            if (m.name().equals(Labels.METRIC_NAME)) {
                continue;
            }
            if (m.type() == Matcher.Type.EQUAL && told.add(m.name())) {
                b.set(m.name(), m.value());
            } else {
                b.remove(m.name());
            }
        }
        return b.build();
    }

    private static final Set<String> ANCHORED = Set.of("changes", "delta", "increase", "rate", "resets");
    private static final Set<String> SMOOTHED = Set.of("delta", "increase", "rate");

    private Operator overRange(PlanNode.Call c, PlanNode arg, Grid grid) {
        String f = c.function();
        List<Operator> scalars = new ArrayList<>();
        for (PlanNode p : c.inputs()) {
            if (p.type() == ValueType.SCALAR) {
                scalars.add(node(p, grid));
            }
        }
        PlanNode inner = unwrapped(arg);
        checkEdges(f, inner);
        Position position = c.inputs().getFirst().position().within(c.position());
        boolean absence = f.equals("absent_over_time");
        // Of what is looked for in absence, series may well be equal but for their names.
        boolean drops = !f.equals("last_over_time") && !f.equals("first_over_time") && !absence;
        boolean dropNow = !run.delayedNames;
        boolean starts = run.options.has(Feature.USE_START_TIMESTAMPS);
        ParameterSource parameterSource = new ParameterSource(scalars);
        Operator rows = switch (inner) {
            case PlanNode.Select s -> leaf(s, grid, f, () -> new RangeKernel(
                    new Windows(grid, s.rangeNanos(), s.offsetMillis(), s.atMillis(), s.edges(), run.lookback, position, starts,
                            run.context::check),
                    function(f, parameterSource.get()), drops, dropNow, true, run.context::check));
            case PlanNode.Subquery s -> {
                Grid innerGrid = subqueryGrid(s, grid);
                Windows windows = new Windows(grid, s.rangeNanos(), s.offsetMillis(), s.atMillis(), Edges.NORMAL, run.lookback, position,
                        false, run.context::check);
                yield new SubqueryRange(run, grid, innerGrid, f,
                        PlanPrinter.subquery(s), below(s, grid, innerGrid),
                        new LazyKernel(() -> new RangeKernel(windows, function(f, parameterSource.get()), drops, dropNow, false,
                                run.context::check)));
            }
            default -> throw new IllegalArgumentException("no range vector: " + inner);
        };
        if (absence) {
            return new Absent(run, grid, f, rows, absentLabels(inner));
        }
        if (scalars.isEmpty() && (!drops || run.delayedNames || uniqueWithoutName(inner))) {
            return rows;
        }
        return new RangeCall(run, grid, f, rows, scalars, parameterSource, drops && !run.delayedNames && !uniqueWithoutName(inner));
    }

    private static void checkEdges(String f, PlanNode inner) {
        if (inner instanceof PlanNode.Select s) {
            if (s.edges() == Edges.ANCHORED && !ANCHORED.contains(f)) {
                throw QueryRun.failure("anchored modifier can only be used with: changes, delta, increase, rate, resets - not with " + f);
            }
            if (s.edges() == Edges.SMOOTHED && !SMOOTHED.contains(f)) {
                throw QueryRun.failure("smoothed modifier can only be used with: delta, increase, rate - not with " + f);
            }
        }
    }

    /** Scalar arguments of a range function: read once by the thread that pulls, before any batch needs them. */
    static final class ParameterSource {
        private final List<Operator> from;
        private @Nullable List<double[]> values;

        ParameterSource(List<Operator> from) {
            this.from = from;
        }

        synchronized List<double[]> get() {
            List<double[]> v = values;
            if (v == null) {
                v = new ArrayList<>();
                for (Operator o : from) {
                    v.add(o.scalar());
                }
                values = v;
            }
            return v;
        }
    }

    private RangeFunction function(String f, List<double[]> p) {
        Runnable check = run.context::check;
        return switch (f) {
            case "rate" -> new CounterFunction(true, true, run.options.has(Feature.TYPE_AND_UNIT_LABELS));
            case "increase" -> new CounterFunction(true, false, run.options.has(Feature.TYPE_AND_UNIT_LABELS));
            case "delta" -> new CounterFunction(false, false, false);
            case "irate" -> new InstantDelta(true);
            case "idelta" -> new InstantDelta(false);
            case "resets" -> new Transitions(true, check);
            case "changes" -> new Transitions(false, check);
            case "sum_over_time" -> new SumOverTime(false, check);
            case "avg_over_time" -> new SumOverTime(true, check);
            case "count_over_time" -> new CountOverTime(false);
            case "present_over_time", "absent_over_time" -> new CountOverTime(true);
            case "min_over_time" -> new Extreme(false, false, check);
            case "max_over_time" -> new Extreme(true, false, check);
            case "ts_of_min_over_time" -> new Extreme(false, true, check);
            case "ts_of_max_over_time" -> new Extreme(true, true, check);
            case "stddev_over_time" -> new Spread(true, check);
            case "stdvar_over_time" -> new Spread(false, check);
            case "first_over_time" -> new EndOverTime(false, false);
            case "last_over_time" -> new EndOverTime(true, false);
            case "ts_of_first_over_time" -> new EndOverTime(false, true);
            case "ts_of_last_over_time" -> new EndOverTime(true, true);
            case "quantile_over_time" -> new QuantileOverTime(p.getFirst(), false, check);
            case "mad_over_time" -> new QuantileOverTime(new double[0], true, check);
            case "deriv" -> new Regression(null, check);
            case "predict_linear" -> new Regression(p.getFirst(), check);
            case "double_exponential_smoothing" -> new Smoothing(p.get(0), p.get(1), check);
            default -> throw new IllegalArgumentException("range function without a kernel: " + f);
        };
    }
}

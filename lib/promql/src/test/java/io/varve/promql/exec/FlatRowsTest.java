package io.varve.promql.exec;

import static org.assertj.core.api.Assertions.assertThat;

import io.varve.model.CounterResetHint;
import io.varve.model.FloatHistogram;
import io.varve.model.QueryContext;
import io.varve.model.SampleBuffer;
import io.varve.model.Span;
import io.varve.promql.EngineOptions;
import io.varve.promql.MemorySource;
import io.varve.promql.function.Grid;
import io.varve.promql.function.Row;
import io.varve.promql.parser.Parser;
import io.varve.promql.parser.ParserOptions;
import io.varve.promql.parser.Preprocessor;
import io.varve.promql.plan.PlanRule;
import io.varve.promql.plan.Planner;
import io.varve.testkit.Seeds;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

/** Sums of rates of histograms, made of flat rows, against the same with an object for each step: equal to the bit, notes included. */
class FlatRowsTest {
    private static final long INTERVAL = 15_000;
    private static final List<String> QUERIES = List.of("sum by (g) (rate(h[%s]))", "sum(increase(h[%s]))",
            "sum without (i) (rate({__name__=~\"h|k\"}[%s]))", "sum by (g) (rate({__name__=~\"h|k\"}[%s]))");

    @Test
    void sumsAreThoseOfObjects() {
        AtomicInteger withHistograms = new AtomicInteger();
        Seeds.forEach(150, rng -> {
            MemorySource source = new MemorySource();
            int samples = 5 + rng.nextInt(40);
            int odd = rng.nextInt(3) == 0 ? 10 : rng.nextInt(2) == 0 ? 200 : Integer.MAX_VALUE;
            // More than a batch, so that parts are merged.
            for (int i = 20 + rng.nextInt(180); i > 0; i--) {
                source.put(series(rng, samples, odd), "__name__", rng.nextInt(odd) == 0 ? "k" : "h", "g", "g" + rng.nextInt(3), "i",
                        "i" + i);
            }
            long step = INTERVAL / 2 * (1 + rng.nextInt(20));
            long start = MemorySource.START + rng.nextInt(60_000);
            long end = start + step * rng.nextInt(60);
            String query = QUERIES.get(rng.nextInt(QUERIES.size())).formatted(15 * (1 + rng.nextInt(20)) + "s");
            List<String> flat = rows(source, query, start, end, step, true);
            assertThat(flat).as(query).isEqualTo(rows(source, query, start, end, step, false));
            withHistograms.addAndGet(flat.size() > 3 ? 1 : 0);
        });
        assertThat(withHistograms.get()).isPositive();
    }

    private static List<String> rows(MemorySource source, String query, long start, long end, long step, boolean flat) {
        Grid grid = Grid.of(start, end, step);
        QueryRun run = new QueryRun(QueryContext.unlimited(), source, EngineOptions.DEFAULT.withThreads(1), 300_000, grid, false, true,
                false,
                true, null);
        run.flatRows = flat;
        List<String> out = new ArrayList<>();
        Operator root = new OperatorBuilder(run).build(
                new Planner(60_000, PlanRule.ALL).plan(Preprocessor.preprocess(Parser.parse(query, ParserOptions.ALL), start, end, step)));
        try {
            for (Row row = root.next(); row != null; row = root.next()) {
                assertThat(row.flat).isNull();
                for (int i = 0; i < grid.count(); i++) {
                    FloatHistogram h = row.histogram(i);
                    if (h != null) {
                        out.add(row.labels + " " + i + " " + text(h));
                    } else if (row.hasFloat(i)) {
                        out.add(row.labels + " " + i + " " + Double.doubleToRawLongBits(row.values[i]));
                    }
                }
            }
        } finally {
            root.close();
        }
        out.add(run.notes.render(true, query) + " " + run.notes.render(false, query));
        return out;
    }

    private static String text(FloatHistogram h) {
        return h.hint() + " " + h.schema() + " " + bits(h.zeroThreshold(), h.zeroCount(), h.count(), h.sum()) + h.positiveSpans()
                + bits(h.positiveBuckets()) + h.negativeSpans() + bits(h.negativeBuckets()) + bits(h.customValues());
    }

    private static String bits(double... values) {
        return Arrays.toString(Arrays.stream(values).mapToObj(v -> Long.toHexString(Double.doubleToRawLongBits(v))).toArray());
    }

    /** A series whose buckets become more; one of {@code odd} times something is unlike others. */
    private static SampleBuffer series(RandomGenerator rng, int samples, int odd) {
        SampleBuffer b = new SampleBuffer(samples);
        int schema = rng.nextInt(odd) == 0 ? 2 : 3;
        double threshold = rng.nextInt(odd) == 0 ? 0.5 : rng.nextInt(odd) == 0 ? 0 : 1e-128;
        boolean custom = rng.nextInt(odd) == 0;
        boolean negative = rng.nextInt(odd) == 0;
        double unit = rng.nextInt(4) == 0 ? 0.1 : 1;
        int first = rng.nextInt(20) - 10;
        int last = first + rng.nextInt(30);
        int gapFrom = first + rng.nextInt(10);
        int gapTo = gapFrom + rng.nextInt(10);
        int start = rng.nextInt(5) == 0 ? rng.nextInt(samples) : 0;
        double[] counts = new double[160];
        double zero = 0;
        double sum = 0;
        for (int i = start; i < samples; i++) {
            if (rng.nextInt(30) == 0) {
                Arrays.fill(counts, 0);
                zero = 0;
                sum = 0;
            }
            if (rng.nextInt(12) == 0) {
                continue;
            }
            if (rng.nextInt(20) == 0) {
                first -= rng.nextInt(3);
                last += rng.nextInt(4);
            }
            if (rng.nextInt(odd) == 0) {
                b.add(MemorySource.START + i * INTERVAL, rng.nextInt(5));
                continue;
            }
            List<Span> spans = new ArrayList<>();
            List<Double> buckets = new ArrayList<>();
            double count = zero;
            int end = 0;
            for (int k = first; k <= last; k++) {
                if (k >= gapFrom && k < gapTo) {
                    continue;
                }
                counts[k + 40] += rng.nextInt(3) * unit;
                count += counts[k + 40];
                buckets.add(counts[k + 40]);
                if (!spans.isEmpty() && k == end) {
                    Span before = spans.removeLast();
                    spans.add(new Span(before.offset(), before.length() + 1));
                } else {
                    spans.add(new Span(k - end, 1));
                }
                end = k + 1;
            }
            zero += rng.nextInt(2);
            sum += rng.nextInt(odd) == 0 ? Double.NaN : rng.nextGaussian();
            double[] values = buckets.stream().mapToDouble(v -> v).toArray();
            if (values.length > 0 && rng.nextInt(odd) == 0) {
                values[0] = rng.nextInt(2) == 0 ? 1e300 : Double.POSITIVE_INFINITY;
            }
            CounterResetHint hint = rng.nextInt(odd) == 0 ? CounterResetHint.GAUGE : CounterResetHint.UNKNOWN;
            boolean bounds = custom && rng.nextInt(4) > 0;
            b.add(MemorySource.START + i * INTERVAL, bounds
                    ? new FloatHistogram(hint, FloatHistogram.CUSTOM_BUCKETS_SCHEMA, 0, 0, count, sum, List.of(new Span(0, 2)),
                            new double[]{counts[40], counts[41]}, List.of(), FloatHistogram.NO_BUCKETS, new double[]{1, 2})
                    : new FloatHistogram(hint, schema, threshold, zero, count + zero, sum, List.copyOf(spans), values,
                            negative ? List.of(new Span(1, 1)) : List.of(), negative ? new double[]{zero} : FloatHistogram.NO_BUCKETS,
                            FloatHistogram.NO_BUCKETS));
        }
        return b;
    }
}

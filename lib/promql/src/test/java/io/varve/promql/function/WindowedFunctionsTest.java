package io.varve.promql.function;

import static org.assertj.core.api.Assertions.assertThat;

import io.varve.model.CounterResetHint;
import io.varve.model.FloatHistogram;
import io.varve.model.Labels;
import io.varve.model.SampleBuffer;
import io.varve.model.Span;
import io.varve.promql.parser.Position;
import io.varve.promql.parser.VectorSelector.Edges;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.IntFunction;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;

/** Functions that slide over many windows, against the same functions over one window at a time. */
class WindowedFunctionsTest {
    private static final long START = 1_700_000_000_000L;
    private static final Runnable NEVER = () -> {
    };

    /** By name: makes the function for so many steps. */
    static Map<String, IntFunction<RangeFunction>> functions(Runnable check) {
        Map<String, IntFunction<RangeFunction>> f = new LinkedHashMap<>();
        f.put("rate", n -> new CounterFunction(true, true, false));
        f.put("increase", n -> new CounterFunction(true, false, false));
        f.put("delta", n -> new CounterFunction(false, false, false));
        f.put("sum_over_time", n -> new SumOverTime(false, check));
        f.put("avg_over_time", n -> new SumOverTime(true, check));
        f.put("stddev_over_time", n -> new Spread(true, check));
        f.put("stdvar_over_time", n -> new Spread(false, check));
        f.put("min_over_time", n -> new Extreme(false, false, check));
        f.put("max_over_time", n -> new Extreme(true, false, check));
        f.put("ts_of_min_over_time", n -> new Extreme(false, true, check));
        f.put("ts_of_max_over_time", n -> new Extreme(true, true, check));
        f.put("quantile_over_time", n -> new QuantileOverTime(filled(n, 0.83), false, check));
        f.put("median", n -> new QuantileOverTime(filled(n, 0.5), false, check));
        f.put("mad_over_time", n -> new QuantileOverTime(new double[0], true, check));
        f.put("deriv", n -> new Regression(null, check));
        f.put("predict_linear", n -> new Regression(filled(n, 600), check));
        f.put("double_exponential_smoothing", n -> new Smoothing(filled(n, 0.3), filled(n, 0.2), check));
        f.put("slow smoothing", n -> new Smoothing(filled(n, 0.01), filled(n, 0.01), check));
        f.put("changes", n -> new Transitions(false, check));
        f.put("resets", n -> new Transitions(true, check));
        return f;
    }

    private static double[] filled(int n, double x) {
        double[] v = new double[n];
        Arrays.fill(v, x);
        return v;
    }

    private static double next(Random r, int kind, double last, int i) {
        return switch (kind) {
            case 0 -> r.nextInt(40) == 0 ? r.nextInt(10) : last + r.nextInt(100);
            case 1 -> r.nextGaussian();
            case 2 -> 1e9 + r.nextInt(7) * 0.25;
            case 3 -> r.nextInt(30) == 0 ? r.nextInt(3) : last;
            case 4 -> r.nextInt(25) == 0
                    ? List.of(Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY).get(r.nextInt(3))
                    : r.nextInt(5);
            case 5 -> r.nextInt(50) == 0 ? 1e12 : r.nextDouble();
            case 6 -> r.nextInt(15) == 0 ? 0 : 1e308 * r.nextDouble();
            default -> 5 + i * 3.0;
        };
    }

    private static SampleBuffer series(Random r, int kind) {
        SampleBuffer b = new SampleBuffer(16);
        boolean regular = r.nextBoolean();
        double v = r.nextInt(100);
        int n = 50 + r.nextInt(400);
        for (int i = 0; i < n; i++) {
            if (!regular && r.nextInt(20) == 0) {
                continue;
            }
            v = next(r, kind, v, i);
            b.add(START + i * 15_000L + (regular ? 0 : r.nextInt(900)), v);
            if (r.nextInt(60) == 0 && !regular) {
                b.add(START + i * 15_000L + 1000, SampleBuffer.STALE_NAN);
            }
        }
        return b;
    }

    private static Windows windows(Grid grid, long range, Edges edges) {
        return new Windows(grid, range * 1_000_000, 0, null, edges, 60_000, new Position(0, 1), false, () -> {
        });
    }

    @Test
    void slidingComesToTheSameAsOneWindowAtATime() {
        Labels labels = Labels.of("__name__", "x_total");
        for (int seed = 0; seed < 120; seed++) {
            Random r = new Random(seed);
            int kind = seed % 8;
            SampleBuffer samples = series(r, kind);
            long step = List.of(5_000L, 15_000L, 30_000L, 47_000L, 300_000L).get(r.nextInt(5));
            long range = List.of(20_000L, 60_000L, 300_000L, 900_000L, 3_600_000L).get(r.nextInt(5));
            Grid grid = Grid.of(START - 100_000 + r.nextInt(3) * 5_000L, START + 7_000_000, step);
            for (Map.Entry<String, IntFunction<RangeFunction>> f : functions(NEVER).entrySet()) {
                RangeFunction many = f.getValue().apply(grid.count());
                for (int again = 0; again < 2; again++) {
                    Row got = Row.empty(labels, false, grid.count());
                    Windows w = windows(grid, range, Edges.NORMAL);
                    w.load(labels, samples);
                    many.apply(w, got, new Notes());
                    compare(f, labels, samples, grid, range, Edges.NORMAL, got, "seed " + seed + " " + f.getKey());
                }
            }
        }
    }

    @Test
    void extendedEdgesSlideAsWell() {
        Labels labels = Labels.of("__name__", "x_total");
        for (int seed = 0; seed < 60; seed++) {
            Random r = new Random(seed);
            SampleBuffer samples = series(r, seed % 2 == 0 ? 0 : 3);
            Grid grid = Grid.of(START - 100_000, START + 7_000_000, 15_000L * (1 + r.nextInt(3)));
            for (String name : List.of("rate", "increase", "delta")) {
                Map.Entry<String, IntFunction<RangeFunction>> f = Map.entry(name, functions(NEVER).get(name));
                for (Edges edges : List.of(Edges.ANCHORED, Edges.SMOOTHED)) {
                    Row got = Row.empty(labels, false, grid.count());
                    Windows w = windows(grid, 900_000, edges);
                    w.load(labels, samples);
                    f.getValue().apply(grid.count()).apply(w, got, new Notes());
                    compare(f, labels, samples, grid, 900_000, edges, got, "seed " + seed + " " + name + " " + edges);
                }
            }
        }
    }

    private static void compare(Map.Entry<String, IntFunction<RangeFunction>> f, Labels labels, SampleBuffer samples, Grid grid, long range,
            Edges edges, Row got, String what) {
        RangeFunction one = f.getValue().apply(1);
        Windows w = new Windows(new Grid(0, 1, 1), range * 1_000_000, 0, null, edges, 60_000, new Position(0, 1), false, () -> {
        });
        for (int i = 0; i < grid.count(); i++) {
            w = windows(new Grid(grid.at(i), 1, 1), range, edges);
            w.load(labels, samples);
            Row expected = Row.empty(labels, false, 1);
            if (!w.isEmpty()) {
                one.apply(w, expected, new Notes());
            }
            double scale = 0;
            for (int j = w.lo[0]; j < w.hi[0]; j++) {
                scale = Math.max(scale, Math.abs(w.values[j]));
            }
            double a = got.values[i];
            double b = expected.values[0];
            boolean absent = Row.isAbsent(a) || Row.isAbsent(b);
            // Where nearly everything cancels out, what rounding leaves counts as nothing.
            double noise = f.getKey().startsWith("std") || f.getKey().equals("deriv") ? 1e-13 * scale : 1e-12 * scale;
            boolean same = absent
                    ? Row.isAbsent(a) && Row.isAbsent(b)
                    : a == b || Double.isNaN(a) && Double.isNaN(b) || Math.abs(a - b) <= 1e-9 * Math.max(Math.abs(a), Math.abs(b))
                            || Math.abs(a - b) <= noise;
            assertThat(same).as("%s step %d of %d, range %d, window %d to %d: %s, expected %s", what, i, grid.count(), range, w.lo[0],
                    w.hi[0], a, b).isTrue();
        }
    }

    private static FloatHistogram histogram(Random r, double count, CounterResetHint hint, int schema) {
        double[] buckets = {count, count / 2, r.nextInt(50)};
        double all = buckets[0] + buckets[1] + buckets[2] + 1;
        return new FloatHistogram(hint, schema, 0.001, 1, all, all * 0.7, List.of(new Span(r.nextInt(2), 3)), buckets,
                List.of(), FloatHistogram.NO_BUCKETS, FloatHistogram.NO_BUCKETS);
    }

    @Test
    void histogramsSlideAsWell() {
        Labels labels = Labels.of("__name__", "x");
        Map<String, IntFunction<RangeFunction>> functions = functions(NEVER);
        for (int seed = 0; seed < 30; seed++) {
            Random r = new Random(seed);
            SampleBuffer samples = new SampleBuffer(16);
            double c = 0;
            for (int i = 0; i < 150; i++) {
                c = r.nextInt(30) == 0 ? 0 : c + r.nextInt(20);
                if (seed % 5 == 4 && r.nextInt(10) == 0) {
                    samples.add(START + i * 15_000L, r.nextInt(5));
                } else {
                    samples.add(START + i * 15_000L, histogram(r, c, CounterResetHint.values()[seed % 3 == 0 ? r.nextInt(4) : 0],
                            seed % 4 == 3 ? r.nextInt(3) : 1));
                }
            }
            Grid grid = Grid.of(START - 60_000, START + 2_300_000, 15_000L * (1 + r.nextInt(2)));
            long range = List.of(60_000L, 600_000L, 1_500_000L).get(r.nextInt(3));
            for (String name : List.of("sum_over_time", "avg_over_time", "rate", "delta", "resets", "changes")) {
                Row got = Row.empty(labels, false, grid.count());
                Windows w = windows(grid, range, Edges.NORMAL);
                w.load(labels, samples);
                Notes notes = new Notes();
                functions.get(name).apply(grid.count()).apply(w, got, notes);
                Notes expectedNotes = new Notes();
                for (int i = 0; i < grid.count(); i++) {
                    Windows one = windows(new Grid(grid.at(i), 1, 1), range, Edges.NORMAL);
                    one.load(labels, samples);
                    Row expected = Row.empty(labels, false, 1);
                    functions.get(name).apply(1).apply(one, expected, expectedNotes);
                    String what = "seed " + seed + " " + name + " step " + i;
                    FloatHistogram a = got.histogram(i);
                    FloatHistogram b = expected.histogram(0);
                    if (a == null || b == null) {
                        assertThat(a).as(what).isEqualTo(b);
                        assertThat(Row.isAbsent(got.values[i])).as(what).isEqualTo(Row.isAbsent(expected.values[0]));
                        continue;
                    }
                    assertThat(a.hint()).as(what).isEqualTo(b.hint());
                    assertThat(a.count()).as(what).isCloseTo(b.count(), Offset.offset(1e-9 * (1 + Math.abs(b.count()))));
                    assertThat(a.sum()).as(what).isCloseTo(b.sum(), Offset.offset(1e-9 * (1 + Math.abs(b.sum()))));
                    assertThat(a.positiveSpans()).as(what).isEqualTo(b.positiveSpans());
                    for (int k = 0; k < a.positiveBuckets().length; k++) {
                        assertThat(a.positiveBuckets()[k]).as(what).isCloseTo(b.positiveBuckets()[k],
                                Offset.offset(1e-9 * (1 + Math.abs(b.positiveBuckets()[k]))));
                    }
                }
                assertThat(notes.render(true, "")).as("seed " + seed + " " + name)
                        .containsExactlyInAnyOrderElementsOf(expectedNotes.render(true, ""));
            }
        }
    }
}

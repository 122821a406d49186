package io.varve.promql;

import static org.assertj.core.api.Assertions.assertThat;

import io.varve.model.FloatHistogram;
import io.varve.model.InvalidRequestException;
import io.varve.model.Labels;
import io.varve.model.QueryContext;
import io.varve.promql.parser.Expr;
import io.varve.promql.parser.Parser;
import io.varve.promql.parser.ParserOptions;
import io.varve.promql.parser.Preprocessor;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Random queries over random series: the engine against its slow twin. */
class DifferentialTest {
    private static final int QUERIES = 300;

    @Test
    void theEngineAgreesWithItsSlowTwin() {
        int answered = 0;
        try (Engine engine = new Engine(EngineOptions.DEFAULT.withThreads(2))) {
            for (int seed = 0; seed < QUERIES; seed++) {
                Random r = new Random(seed);
                MemorySource source = MemorySource.random(seed % 7, 30 + r.nextInt(60));
                String query = vector(r, 3);
                long start = MemorySource.START + r.nextInt(600_000);
                long step = 1000L * (1 + r.nextInt(90));
                long end = start + step * r.nextInt(25);
                answered += compare(engine, source, query, start, end, step, "seed " + seed + ": " + query);
            }
        }
        assertThat(answered).isGreaterThan(QUERIES / 2);
    }

    private static int compare(Engine engine, MemorySource source, String query, long start, long end, long step, String what) {
        Expr expr = Preprocessor.preprocess(Parser.parse(query, ParserOptions.DEFAULT), start, end, step);
        SlowTwin twin = new SlowTwin(source, engine.options().lookbackMillis());
        List<Map<Labels, SlowTwin.Value>> expected = new ArrayList<>();
        boolean refused = false;
        for (long t = start; t <= end; t += step) {
            Map<Labels, SlowTwin.Value> v = twin.at(expr, t);
            refused |= v == null;
            expected.add(v);
        }
        QueryResult result;
        try {
            result = engine.execute(QueryContext.unlimited(), source, QueryRequest.range(query, start, end, step));
        } catch (InvalidRequestException e) {
            // Series that are equal without their names are refused as a whole, be it at different steps.
            assertThat(refused || e.getMessage().contains("same labelset")).as(what + ": " + e.getMessage()).isTrue();
            return 0;
        }
        assertThat(refused).as(what + " must be refused").isFalse();
        try (result) {
            Map<Labels, Map<Long, Object>> got = new HashMap<>();
            for (QueryValue.Row row : ((QueryValue.Matrix) result.value()).rows()) {
                Map<Long, Object> points = got.computeIfAbsent(row.labels(), l -> new HashMap<>());
                for (int i = 0; i < row.floats().length; i++) {
                    points.put(row.floatTimes()[i], row.floats()[i]);
                }
                for (int i = 0; i < row.histograms().length; i++) {
                    points.put(row.histogramTimes()[i], row.histograms()[i]);
                }
            }
            int points = 0;
            for (int i = 0; i < expected.size(); i++) {
                long t = start + i * step;
                for (Map.Entry<Labels, SlowTwin.Value> e : expected.get(i).entrySet()) {
                    Map<Long, Object> row = got.get(e.getKey());
                    Object value = row == null ? null : row.remove(t);
                    assertThat(value).as(what + " " + e.getKey() + " at step " + i).isNotNull();
                    check(value, e.getValue(), what + " " + e.getKey() + " at step " + i);
                    points++;
                }
            }
            got.forEach((l, p) -> assertThat(p).as(what + ": more than expected for " + l).isEmpty());
            return points > 0 ? 1 : 0;
        }
    }

    private static void check(Object got, SlowTwin.Value expected, String what) {
        FloatHistogram h = expected.histogram();
        if (h == null) {
            assertThat(got).as(what).isInstanceOf(Double.class);
            assertThat(close((Double) got, expected.number())).as(what + ": " + got + ", expected " + expected.number()).isTrue();
        } else {
            assertThat(got).as(what).isInstanceOf(FloatHistogram.class);
            FloatHistogram a = ((FloatHistogram) got).compact();
            FloatHistogram b = h.compact();
            boolean same = a.schema() == b.schema() && close(a.count(), b.count()) && close(a.sum(), b.sum())
                    && close(a.zeroCount(), b.zeroCount()) && a.positiveSpans().equals(b.positiveSpans());
            for (int i = 0; same && i < a.positiveBuckets().length; i++) {
                same = close(a.positiveBuckets()[i], b.positiveBuckets()[i]);
            }
            assertThat(same).as(what + ": " + a + ", expected " + b).isTrue();
        }
    }

    private static boolean close(double a, double b) {
        return a == b || Double.isNaN(a) && Double.isNaN(b) || Math.abs(a - b) <= 1e-7 * Math.max(Math.abs(a), Math.abs(b))
                || Math.abs(a - b) < 1e-7;
    }

    private static String pick(Random r, String... of) {
        return of[r.nextInt(of.length)];
    }

    private static String selector(Random r) {
        return pick(r, "requests_total", "temperature", "latency", "limit", "wait_bucket{le=\"1\"}", "{__name__=~\"limit|temperature\"}")
                + "";
    }

    private static String filtered(Random r) {
        String s = selector(r);
        return s.endsWith("}") ? s : s + pick(r, "", "", "{job=\"api\"}", "{instance=~\"i[01]\"}", "{job!=\"api\"}");
    }

    private static String shift(Random r) {
        return pick(r, "", "", "", " offset 1m", " offset -30s", " @ 1700000300", " @ end()");
    }

    private static String vector(Random r, int depth) {
        if (depth == 0) {
            return filtered(r) + shift(r);
        }
        return switch (r.nextInt(9)) {
            case 0 -> filtered(r) + shift(r);
            case 1, 2 -> pick(r, "rate", "increase", "delta", "sum_over_time", "avg_over_time", "min_over_time", "max_over_time",
                    "count_over_time", "stddev_over_time", "stdvar_over_time", "last_over_time", "first_over_time", "changes", "resets",
                    "present_over_time", "deriv") + "(" + range(r, depth) + ")";
            case 3 -> r.nextBoolean()
                    ? "quantile_over_time(" + pick(r, "0.1", "0.5", "1.5") + ", " + range(r, depth) + ")"
                    : "predict_linear(" + range(r, depth) + ", 60)";
            case 4, 5 -> pick(r, "sum", "avg", "min", "max", "count", "group", "stddev", "stdvar")
                    + pick(r, "", " by (job)", " by (instance)", " without (job)", " without (instance, le)") + " (" + vector(r, depth - 1)
                    + ")";
            case 6 -> pick(r, "abs", "floor", "histogram_count", "histogram_sum", "-") + "(" + vector(r, depth - 1) + ")";
            case 7 -> "(" + vector(r, depth - 1) + ") " + pick(r, "+", "-", "*", "/", ">", "<=", "== bool", "!=") + " "
                    + pick(r, "2", "0.5", "scalar(limit{job=\"api\"})", "time()");
            default -> "(" + vector(r, depth - 1) + ") "
                    + pick(r, "+", "-", "*", "/", ">", "and", "or", "unless", "+ on (job, instance)", "/ ignoring (le)",
                            "* on (job) group_left ()",
                            "and on (job)", "unless on (instance)", ">= bool")
                    + " (" + vector(r, depth - 1) + ")";
        };
    }

    private static String range(Random r, int depth) {
        if (depth > 1 && r.nextInt(4) == 0) {
            return "(" + vector(r, depth - 2) + ")[" + pick(r, "2m", "5m", "330s") + ":" + pick(r, "30s", "1m", "17s") + "]" + shift(r);
        }
        return filtered(r) + "[" + pick(r, "20s", "1m", "5m", "10m") + "]" + shift(r);
    }
}

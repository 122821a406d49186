package io.varve.promql;

import static org.assertj.core.api.Assertions.assertThat;

import io.varve.model.CounterResetHint;
import io.varve.model.FloatHistogram;
import io.varve.model.InvalidRequestException;
import io.varve.model.QueryContext;
import io.varve.model.SampleBuffer;
import io.varve.promql.plan.PlanRule;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** No rule changes an answer: values, warnings, infos and refusals are the same with it and without, alone and among the others. */
class PlanRulePropertyTest {
    private static final int QUERIES = 400;

    private static Engine engine(List<PlanRule> rules) {
        return new Engine(EngineOptions.DEFAULT.withThreads(2).withFeatures(EnumSet.of(Feature.EXPERIMENTAL_FUNCTIONS)), rules);
    }

    private static String pick(Random r, String... of) {
        return of[r.nextInt(of.length)];
    }

    private static String selector(Random r) {
        return pick(r, "requests_total", "temperature", "latency", "limit") + pick(r, "", "{job=\"api\"}", "{instance=~\"i[0-3]\"}",
                "{job=\"api\",instance!=\"i2\"}", "{job!=\"api\"}");
    }

    /** Vectors of one metric, as rules look for them. */
    private static String vector(Random r) {
        String s = selector(r);
        return switch (r.nextInt(9)) {
            case 0, 1 -> s;
            case 2 -> "rate(" + s + "[5m])";
            case 3 -> pick(r, "count", "group", "sum", "avg", "max", "stddev", "quantile").replace("quantile", "quantile")
                    .concat(" by (job, instance) (").replace("quantile by (job, instance) (", "quantile by (job, instance) (0.5, ") + s
                    + ")";
            case 4 -> pick(r, "abs", "-", "round", "ceil") + "(" + s + ")";
            case 5 -> pick(r, "last_over_time", "count_over_time", "changes", "max_over_time") + "(" + s + "[3m])";
            case 6 -> s + pick(r, " offset 1m", " @ end()", " @ 1700000300");
            case 7 -> "sum without (le) (rate(" + s + "[2m]))";
            default -> "(" + s + " " + pick(r, "+", "*", ">") + " 2)";
        };
    }

    /** Aggregations of each kind over series of several metrics too, with functions between. */
    private static String aggregated(Random r) {
        String by = pick(r, "", " by (job)", " by (instance, nothing)", " by (le, job)", " by (__name__)", " without (instance)",
                " without (job, le)", " without ()");
        String op = pick(r, "sum", "avg", "count", "group", "min", "stdvar", "quantile", "count_values", "topk", "limitk", "bottomk");
        String parameter = switch (op) {
            case "quantile" -> pick(r, "0.3, ", "scalar(limit{job=\"api\"}) / 10, ");
            case "count_values" -> pick(r, "\"job\", ", "\"v\", ");
            case "topk", "limitk", "bottomk" -> "2, ";
            default -> "";
        };
        String s = r.nextInt(4) == 0 ? pick(r, "{job=\"api\"}", "{__name__=~\"temperature|limit\"}", "wait_bucket") : selector(r);
        String in = switch (r.nextInt(5)) {
            case 0 -> s;
            case 1 -> pick(r, "rate", "max_over_time", "last_over_time", "absent_over_time") + "(" + s + "[2m])";
            case 2 -> pick(r, "-", "abs", "sort_desc", "absent", "timestamp", "+") + "(" + s + pick(r, "", " @ end()") + ")";
            case 3 -> pick(r, "label_replace(" + s + ", \"instance\", \"$1\", \"job\", \"(.).*\")",
                    "count_over_time(abs(" + s + ")[1m:20s])", "(" + s + " > 1)", "(" + s + " and on (instance) temperature)");
            default -> vector(r);
        };
        return op + by + " (" + parameter + in + ")";
    }

    private static String query(Random r) {
        String a = vector(r);
        String b = r.nextInt(3) == 0 ? a : vector(r);
        String c = r.nextInt(3) == 0 ? a : vector(r);
        String op = pick(r, "+", "-", "/", ">", "== bool", "and", "or", "unless", "and on (job)", "unless on (instance)",
                "and ignoring (instance)", "+ on (job, instance)", "/ ignoring (job)",
                "* on (job, instance) group_left ()", "- on (instance) group_right ()");
        String joined = a + " " + op + " " + b;
        return switch (r.nextInt(6)) {
            case 0 -> joined;
            case 4 -> aggregated(r) + " " + pick(r, "+ on (job) group_right ()", "or", "/ ignoring (instance)", "> bool 2 +") + " "
                    + aggregated(r);
            case 5 -> pick(r, "scalar(" + a + ") + " + b, "vector(scalar(" + aggregated(r) + "))", "topk(1, " + aggregated(r) + ")",
                    "max_over_time((" + aggregated(r) + ")[2m:30s])", "histogram_quantile(0.9, " + aggregated(r) + ")");
            case 1 -> "(" + joined + ") " + pick(r, "+", "/", "and", "or") + " " + c;
            case 2 -> pick(r, "sum", "count", "topk(2, ", "avg by (job)").replace("topk(2, ", "max") + " (" + joined + ")";
            default -> "histogram_count(" + a + ") + " + b + " * " + c;
        };
    }

    private static String answer(Engine engine, MemorySource source, String query, boolean instant) {
        QueryRequest request = instant
                ? QueryRequest.instant(query, MemorySource.START + 420_000)
                : QueryRequest.range(query, MemorySource.START, MemorySource.START + 600_000, 20_000);
        try (QueryResult result = engine.execute(QueryContext.unlimited(), source, request)) {
            return TortureTest.text(result.value()) + result.warnings() + result.infos();
        } catch (InvalidRequestException e) {
            return e.getMessage();
        } finally {
            assertThat(source.open).as(query).isZero();
        }
    }

    @Test
    void answersAreTheSameWithoutAnyRule() {
        for (PlanRule rule : PlanRule.ALL) {
            List<PlanRule> others = new ArrayList<>(PlanRule.ALL);
            others.remove(rule);
            try (Engine all = engine(PlanRule.ALL);
                    Engine without = engine(others);
                    Engine alone = engine(List.of(rule));
                    Engine none = engine(List.of())) {
                for (int seed = 0; seed < QUERIES; seed++) {
                    Random r = new Random(seed);
                    String query = query(r);
                    MemorySource source = MemorySource.random(seed % 5, 40);
                    boolean instant = r.nextInt(5) == 0;
                    String expected = answer(none, source, query, instant);
                    String what = rule.name() + ", seed " + seed + ": " + query;
                    assertThat(answer(alone, source, query, instant)).as(what).isEqualTo(expected);
                    assertThat(answer(without, source, query, instant)).as(what).isEqualTo(answer(all, source, query, instant));
                }
            }
        }
    }

    /** Values of which many are equal, not a number, absent or histograms, in so many series that they make several batches. */
    private static MemorySource many(Random r) {
        MemorySource source = MemorySource.random(r.nextInt(), 20);
        int kinds = 1 + r.nextInt(40);
        for (int s = 0; s < 300; s++) {
            SampleBuffer b = new SampleBuffer(20);
            for (int i = 0; i < 20; i++) {
                long t = MemorySource.START + i * MemorySource.INTERVAL;
                int kind = r.nextInt(20);
                if (kind == 0) {
                    b.add(t, FloatHistogram.STALE.withHint(CounterResetHint.GAUGE));
                } else if (kind > 1) {
                    b.add(t, kind == 2 ? Double.NaN : r.nextInt(kinds));
                }
            }
            source.put(b, "__name__", "m", "g", "g" + s % 7, "s", "s" + s);
        }
        return source;
    }

    @Test
    void shardsOfManySeriesGiveWhatOneThreadGives() {
        EngineOptions one = EngineOptions.DEFAULT.withThreads(1).withFeatures(EnumSet.of(Feature.EXPERIMENTAL_FUNCTIONS));
        try (Engine shards = engine(PlanRule.ALL); Engine plain = new Engine(one, List.of())) {
            for (int seed = 0; seed < 150; seed++) {
                Random r = new Random(seed);
                MemorySource source = many(r);
                String k = pick(r, "0", "1", "2", "5", "31", "40", "1000", "scalar(limit{job=\"api\"})");
                String by = pick(r, "", "by (g) ", "without (s) ", "by (s) ");
                String in = pick(r, "m", "m", "rate(m[1m])", "sum_over_time(m[40s])", "{__name__=~\"m|latency\"}");
                String query = pick(r, "topk " + by + "(" + k, "bottomk " + by + "(" + k, "limitk " + by + "(" + k,
                        "limit_ratio " + by + "(" + pick(r, "0.3", "-0.4", "2"), "quantile " + by + "(" + pick(r, "0.5", "0.99", "-1"),
                        "count_values " + by + "(\"v\"") + ", " + in + ")";
                boolean instant = r.nextInt(3) == 0;
                assertThat(answer(shards, source, query, instant)).as("seed " + seed + ": " + query)
                        .isEqualTo(answer(plain, source, query, instant));
            }
        }
    }

    @Test
    void rowsThatSeveralReadAreNobodysToChange() {
        EngineOptions one = EngineOptions.DEFAULT.withThreads(1).withFeatures(EnumSet.of(Feature.EXPERIMENTAL_FUNCTIONS));
        List<String> queries = List.of("m + (m + 1)", "(m + 1) + m", "m * on (g, s) group_left () m + m", "(m + m) - (m * 2) + m",
                "abs(m) + m", "m + abs(m) * on (g, s) group_left () m", "m / m", "(m - 1) * on (g, s) group_right () m - m",
                "m > (m * 2) or m",
                "m and m > 3", "m unless on (s) m > 3", "m and on (g) rate(m[1m])", "m * on (g) group_left () sum by (g) (m)",
                "last_over_time(m[40s]) + on (g, s) (last_over_time(m[40s]) > 2)");
        try (Engine shared = engine(PlanRule.ALL); Engine plain = new Engine(one, List.of())) {
            for (int seed = 0; seed < 5; seed++) {
                MemorySource source = many(new Random(seed));
                for (String query : queries) {
                    assertThat(answer(shared, source, query, seed == 4)).as("seed " + seed + ": " + query)
                            .isEqualTo(answer(plain, source, query, seed == 4));
                }
            }
        }
    }
}

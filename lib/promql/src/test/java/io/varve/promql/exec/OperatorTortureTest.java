package io.varve.promql.exec;

import static org.assertj.core.api.Assertions.assertThat;

import io.varve.model.CancelledException;
import io.varve.model.LimitExceededException;
import io.varve.model.QueryContext;
import io.varve.model.UnavailableException;
import io.varve.model.VarveException;
import io.varve.promql.EngineOptions;
import io.varve.promql.Feature;
import io.varve.promql.MeasuredBudget;
import io.varve.promql.MemorySource;
import io.varve.promql.function.Grid;
import io.varve.promql.parser.Expr;
import io.varve.promql.parser.Parser;
import io.varve.promql.parser.ParserOptions;
import io.varve.promql.parser.Preprocessor;
import io.varve.promql.plan.PlanNode;
import io.varve.promql.plan.PlanRule;
import io.varve.promql.plan.Planner;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** Every operator is starved, interrupted and left early; afterwards nothing is reserved and nothing is open. */
class OperatorTortureTest {
    private static final long START = MemorySource.START;
    private static final long END = START + 300_000;
    private static final long STEP = 30_000;

    /** At least one query for each operator and each node of a plan. */
    private static final List<String> QUERIES = List.of("temperature", "rate(requests_total[2m])", "sum by (job) (temperature)",
            "sum by (job) (rate(latency[2m]))",
            "avg(latency)", "absent(nothing)", "count_values(\"v\", limit)", "histogram_quantile(0.9, wait_bucket)",
            "histogram_quantile(0.5, latency)", "info(temperature)", "temperature / requests_total",
            "temperature * on (job) group_left () limit", "limit + on (job) fill (0) limit{job=\"api\"}", "limitk(1, temperature)",
            "limit @ 1700000100 + limit", "quantile by (job) (0.5, temperature)", "predict_linear(temperature[2m], 60)",
            "rate({__name__=~\"requests_total|limit\"}[2m])", "label_replace(limit, \"a\", \"$1\", \"job\", \"(.*)\")", "abs(temperature)",
            "-limit", "scalar(limit{job=\"api\"}) + time()", "temperature and limit", "temperature unless on (job) limit",
            "limit or temperature", "limit / (limit + 1)", "sum(latency) / count(latency) + sum(latency)", "sort(limit)",
            "max_over_time(rate(requests_total[1m])[2m:30s])", "topk(2, temperature)", "limit > 1", "vector(1)",
            "sum(temperature{job=\"api\"}) / sum(temperature)", "temperature{job=\"api\"} - temperature", "sum_over_time(latency[3m])",
            "quantile_over_time(0.5, temperature[4m])", "bottomk by (job) (1, rate(requests_total[1m]))", "limit_ratio(0.5, temperature)",
            "count_values by (job) (\"v\", temperature > 1)", "limitk(2, limit + 1)", "topk(40, temperature)",
            "max_over_time((limit{job=\"api\"} or limit)[2m:30s])", "limit * on (job, instance) group_left () limit",
            "limit - (limit * 2)", "limit and on (job) rate(requests_total[2m])");

    private static PlanNode plan(String query) {
        Expr expr = Preprocessor.preprocess(Parser.parse(query, ParserOptions.ALL), START, END, STEP);
        return new Planner(60_000, PlanRule.ALL).plan(expr);
    }

    private static Operator root(QueryContext context, MemorySource source, String query) {
        EngineOptions options = EngineOptions.DEFAULT.withThreads(1).withFeatures(EnumSet.of(Feature.EXPERIMENTAL_FUNCTIONS));
        // Sorting is for one instant alone.
        boolean instant = query.startsWith("sort(");
        Grid grid = Grid.of(instant ? END : START, END, STEP);
        QueryRun run = new QueryRun(context, source, options, 300_000, grid, instant, !instant, false, true, null);
        return new OperatorBuilder(run).build(plan(query));
    }

    /** Pulls so many rows, closes twice, and sees to it that nothing is left. How many rows there were. */
    private static int pull(String query, MemorySource source, MeasuredBudget budget, int rows, @Nullable Runnable onNext) {
        QueryContext context = new QueryContext(0, budget);
        int n = 0;
        source.onNext = onNext != null ? onNext : () -> {
        };
        Operator root = root(context, source, query);
        try {
            while (n < rows && root.next() != null) {
                n++;
            }
        } finally {
            root.close();
            root.close();
            source.onNext = () -> {
            };
            assertThat(budget.reserved()).as(query).isZero();
            assertThat(source.open).as(query).isZero();
        }
        return n;
    }

    private static MeasuredBudget unlimited() {
        return new MeasuredBudget();
    }

    @Test
    void everyOperatorAndEveryNodeIsHere() {
        Set<Class<?>> operators = new HashSet<>();
        Set<Class<?>> nodes = new HashSet<>();
        for (String query : QUERIES) {
            try (Operator root = root(QueryContext.unlimited(), MemorySource.random(1, 10), query)) {
                operators(root, operators);
            }
            nodes(plan(query), nodes);
        }
        assertThat(operators).containsExactlyInAnyOrder(Operator.class.getPermittedSubclasses());
        Set<Class<?>> kinds = new HashSet<>(Arrays.asList(PlanNode.class.getPermittedSubclasses()));
        kinds.remove(PlanNode.OneInput.class);
        kinds.addAll(Arrays.asList(PlanNode.OneInput.class.getPermittedSubclasses()));
        assertThat(nodes).containsExactlyInAnyOrderElementsOf(kinds);
    }

    private static void operators(Operator o, Set<Class<?>> into) {
        into.add(o.getClass());
        o.inputs.forEach(i -> operators(i, into));
    }

    private static void nodes(PlanNode n, Set<Class<?>> into) {
        into.add(n.getClass());
        n.inputs().forEach(i -> nodes(i, into));
    }

    @Test
    void closingAfterAnyNumberOfRowsLeavesNothing() {
        MemorySource source = MemorySource.random(1, 25);
        for (String query : QUERIES) {
            int rows = pull(query, source, unlimited(), Integer.MAX_VALUE, null);
            for (int k = 0; k <= rows; k++) {
                assertThat(pull(query, source, unlimited(), k, null)).isEqualTo(k);
            }
        }
    }

    @Test
    void aRefusalOfAnyReservationLeavesNothing() {
        MemorySource source = MemorySource.random(2, 25);
        for (String query : QUERIES) {
            MeasuredBudget all = unlimited();
            pull(query, source, all, Integer.MAX_VALUE, null);
            for (int n = 1; n <= all.requests(); n++) {
                try {
                    pull(query, source, new MeasuredBudget(Long.MAX_VALUE, n), Integer.MAX_VALUE, null);
                } catch (LimitExceededException e) {
                    assertThat(e.limit()).isEqualTo("query.memory");
                }
            }
        }
    }

    @Test
    void oneByteShortIsRefused() {
        MemorySource source = MemorySource.random(3, 25);
        for (String query : QUERIES) {
            MeasuredBudget all = unlimited();
            pull(query, source, all, Integer.MAX_VALUE, null);
            if (all.peak() == 0) {
                continue;
            }
            VarveException refused = null;
            try {
                pull(query, source, new MeasuredBudget(all.peak() - 1, 0), Integer.MAX_VALUE, null);
            } catch (LimitExceededException e) {
                refused = e;
            }
            // What is only held to be read once is read twice instead.
            boolean shares = query.contains("temperature{job=\"api\"}") || query.contains("limit + limit");
            assertThat(refused != null || shares).as(query).isTrue();
        }
    }

    @Test
    void aSourceThatFailsAtAnyCallLeavesNothing() {
        MemorySource source = MemorySource.random(4, 25);
        for (String query : QUERIES) {
            for (int n = 0; n < 1000; n++) {
                source.failAfter = n;
                try {
                    pull(query, source, unlimited(), Integer.MAX_VALUE, null);
                    break;
                } catch (UnavailableException e) {
                    assertThat(e).hasMessage("the source failed");
                } finally {
                    source.failAfter = -1;
                }
            }
        }
    }

    @Test
    void cancellingStopsAtOnce() {
        MemorySource source = MemorySource.random(5, 25);
        for (String query : QUERIES) {
            source.asked = 0;
            pull(query, source, unlimited(), Integer.MAX_VALUE, null);
            int calls = source.asked;
            for (int n = 1; n <= calls; n++) {
                int at = n;
                AtomicInteger after = new AtomicInteger();
                MeasuredBudget budget = unlimited();
                QueryContext context = new QueryContext(0, budget);
                int[] seen = new int[1];
                source.onNext = () -> {
                    if (++seen[0] == at) {
                        context.cancel(new CancelledException(CancelledException.Reason.CANCELED, "enough"));
                    } else if (seen[0] > at) {
                        after.incrementAndGet();
                    }
                };
                Operator root = root(context, source, query);
                try {
                    while (root.next() != null) {
                        assertThat(seen[0]).as(query).isLessThanOrEqualTo(at);
                    }
                } catch (CancelledException e) {
                    assertThat(e).hasMessage("enough");
                } finally {
                    root.close();
                    source.onNext = () -> {
                    };
                }
                assertThat(after.get()).as(query + " cancelled at call " + n + " of " + calls).isLessThanOrEqualTo(1);
                assertThat(budget.reserved()).as(query).isZero();
                assertThat(source.open).as(query).isZero();
            }
        }
    }

    @Test
    void analysisCountsWhatEveryOperatorDid() {
        MemorySource source = MemorySource.random(6, 25);
        for (String query : QUERIES) {
            try (Operator root = root(QueryContext.unlimited(), source, query)) {
                long rows = 0;
                long points = 0;
                for (var r = root.next(); r != null; r = root.next()) {
                    rows++;
                    points += r.points();
                }
                var counters = root.tree().counters();
                assertThat(counters.rows()).as(query).isEqualTo(rows);
                assertThat(counters.samples()).as(query).isEqualTo(points);
                assertThat(counters.nanos()).as(query).isPositive();
                plausible(root.tree(), query);
            }
        }
    }

    private static void plausible(io.varve.promql.PlanTree tree, String query) {
        assertThat(tree.operator()).as(query).isNotEmpty();
        assertThat(tree.counters().nanos()).as(query).isNotNegative();
        assertThat(tree.counters().samples()).as(query).isBetween(0L, tree.counters().rows() * 100);
        assertThat(tree.counters().peakBytes()).as(query).isNotNegative();
        for (var child : tree.children()) {
            plausible(child, query);
        }
    }
}

package io.varve.promql.plan;

import static org.assertj.core.api.Assertions.assertThat;

import io.varve.promql.parser.Expr;
import io.varve.promql.parser.Parser;
import io.varve.promql.parser.ParserOptions;
import io.varve.promql.parser.Preprocessor;
import org.junit.jupiter.api.Test;

class PlanRuleTest {
    private static PlanNode literal(String query) {
        Expr expr = Preprocessor.preprocess(Parser.parse(query, ParserOptions.ALL), 0, 60_000, 1000);
        return new Planner(60_000).literal(expr);
    }

    private static String text(PlanNode node) {
        return PlanPrinter.print(node).text();
    }

    private static void assertFires(PlanRule rule, String query, String expected) {
        assertThat(text(rule.apply(literal(query)))).isEqualTo(expected);
    }

    private static void assertDoesNotFire(PlanRule rule, String query) {
        PlanNode before = literal(query);
        assertThat(text(rule.apply(before))).as(rule.name()).isEqualTo(text(before));
    }

    @Test
    void statisticsOnlyBelowFunctionsThatNeedNoBuckets() {
        PlanRule rule = new HistogramStatisticsOnly();
        assertFires(rule, "histogram_count(sum(a))", """
                Call histogram_count
                  Aggregate sum
                    Select {__name__="a"} histogram statistics only
                """);
        assertDoesNotFire(rule, "histogram_quantile(0.5, a)");
        assertDoesNotFire(rule, "histogram_count(increase(a[5m:1m]))");
        assertDoesNotFire(rule, "histogram_count(a </ 5)");
    }

    @Test
    void matchersPassThroughJoinsOfPlainSelectors() {
        PlanRule rule = new PropagateMatchers();
        assertFires(rule, "a{x=\"1\"} / b", """
                Binary /
                  Select {x="1",__name__="a"}
                  Select {__name__="b",x="1"}
                """);
        assertDoesNotFire(rule, "a{x=\"1\"} or b");
        assertDoesNotFire(rule, "a{x=\"1\"} / on (y) b");
        assertDoesNotFire(rule, "a{x=\"1\"} / ignoring (x) b");
        assertDoesNotFire(rule, "rate(a{x=\"1\"}[5m]) / rate(b[5m])");
    }

    @Test
    void equalAggregationsAreShared() {
        PlanRule rule = new CommonSubexpressions();
        assertFires(rule, "sum(a) / (sum(a) + 1)", """
                Binary /
                  Shared #1 for 2
                    Aggregate sum
                      Select {__name__="a"}
                  Binary +
                    Shared #1 for 2
                      Aggregate sum
                        Select {__name__="a"}
                    Constant 1
                """);
        assertDoesNotFire(rule, "sum(a) / sum(b)");
        assertDoesNotFire(rule, "a / a");
    }

    @Test
    void projectionNamesTheGroupingLabels() {
        assertFires(new LabelProjection(), "sum by (x) (rate(a[5m]))", """
                Aggregate sum by (x)
                  Call rate
                    Select {__name__="a"}[300000ms] labels [x, __name__]
                """);
        assertDoesNotFire(new LabelProjection(), "sum without (x) (a)");
        assertDoesNotFire(new LabelProjection(), "topk by (x) (1, a)");
    }

    @Test
    void aggregationsOverSeriesGoInShards() {
        assertFires(new ShardedAggregation(), "max(rate(a[5m]))", """
                Aggregate max in shards
                  Call rate
                    Select {__name__="a"}[300000ms]
                """);
        assertDoesNotFire(new ShardedAggregation(), "topk(1, a)");
        assertDoesNotFire(new ShardedAggregation(), "sum(a + b)");
    }

    @Test
    void plansPrintAsJson() {
        assertThat(PlanPrinter.print(literal("sum(a)")).json()).isEqualTo(
                "{\"operator\":\"Aggregate\",\"detail\":\"sum\",\"children\":[{\"operator\":\"Select\",\"detail\":\"{__name__=\\\"a\\\"}\",\"children\":[]}]}");
    }
}

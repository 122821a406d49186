package io.varve.promql.plan;

import static org.assertj.core.api.Assertions.assertThat;

import io.varve.model.Matcher;
import io.varve.promql.parser.Expr;
import io.varve.promql.parser.Parser;
import io.varve.promql.parser.ParserOptions;
import io.varve.promql.parser.Preprocessor;
import java.util.List;
import org.junit.jupiter.api.Test;

class PlanRuleTest {
    private static PlanNode literal(String query) {
        Expr expr = Preprocessor.preprocess(Parser.parse(query, ParserOptions.ALL), 0, 60_000, 1000);
        return new Planner(60_000, PlanRule.ALL).literal(expr);
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
        assertFires(rule, "rate(a{x=\"1\"}[5m]) / b", """
                Binary /
                  Call rate
                    Select {x="1",__name__="a"}[5m]
                  Select {__name__="b",x="1"}
                """);
        assertFires(rule, "count_over_time(a[5m]) / sum by (x, y) (b{x=\"1\",z=\"2\"})", """
                Binary /
                  Call count_over_time
                    Select {__name__="a",x="1"}[5m]
                  Aggregate sum by (x, y)
                    Select {x="1",z="2",__name__="b"}
                """);
        assertFires(rule, "a and on (x) b{x=\"1\",y=\"2\"}", """
                Binary and on (x)
                  Select {__name__="a",x="1"}
                  Select {x="1",y="2",__name__="b"}
                """);
        assertFires(rule, "a{x=\"1\",y=\"2\"} unless ignoring (y) {z=\"3\"}", """
                Binary unless ignoring (y)
                  Select {x="1",y="2",__name__="a"}
                  Select {z="3",x="1"}
                """);
        assertDoesNotFire(rule, "a unless b{x=\"1\"}");
        assertDoesNotFire(rule, "a / {x=\"1\"}");
        assertDoesNotFire(rule, "a / label_replace(b{x=\"1\"}, \"x\", \"2\", \"\", \"\")");
        assertDoesNotFire(rule, "count_over_time({z=\"1\"}[5m]) and a{x=\"1\",z=\"1\"}");
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
        assertDoesNotFire(rule, "a or a");
    }

    @Test
    void vectorsThatAreReadInStepAreShared() {
        assertFires(new CommonSubexpressions(), "rate(a[5m]) / (rate(a[5m]) + b)", """
                Binary /
                  Shared #1 for 2
                    Call rate
                      Select {__name__="a"}[5m]
                  Binary +
                    Shared #1 for 2
                      Call rate
                        Select {__name__="a"}[5m]
                    Select {__name__="b"}
                """);
        assertDoesNotFire(new CommonSubexpressions(), "rate(a[5m]) > 1 and rate(a[5m]) < 2");
        assertDoesNotFire(new CommonSubexpressions(), "sum(rate(a[5m])) / count(rate(a[5m]))");
        assertDoesNotFire(new CommonSubexpressions(), "histogram_quantile(0.5, a) / histogram_quantile(0.5, a)");
        assertDoesNotFire(new CommonSubexpressions(), "sum_over_time(a[5m:1m]) / max_over_time(sum_over_time(a[5m:1m])[1h:])");
    }

    @Test
    void narrowerSelectorsFilterWhatWiderOnesFetch() {
        assertFires(new MergeSelects(), "sum(rate(a{x=\"1\",y=\"2\"}[5m])) / sum(rate(a{x=\"1\"}[5m]))", """
                Binary /
                  Aggregate sum
                    Call rate
                      Select {x="1",__name__="a"}[5m] filter [y="2"]
                  Aggregate sum
                    Call rate
                      Select {x="1",__name__="a"}[5m]
                """);
        assertDoesNotFire(new MergeSelects(), "a{x=\"1\"} / a{y=\"1\"}");
        assertDoesNotFire(new MergeSelects(), "a{x=\"1\"} / a offset 5m");
        assertDoesNotFire(new MergeSelects(), "rate(a{x=\"1\"}[5m]) / a");
        assertDoesNotFire(new MergeSelects(), "a{x=\"1\"} / a @ 5");
        assertDoesNotFire(new MergeSelects(), "sum_over_time(a{x=\"1\"}[5m:1m]) / a");
        assertDoesNotFire(new MergeSelects(), "{x=\"1\"} and {x=\"1\",y=\"2\"}");
    }

    @Test
    void aggregationsOverSeriesGoInShards() {
        assertFires(new ShardedAggregation(), "max(rate(a[5m]))", """
                Aggregate max in shards
                  Call rate
                    Select {__name__="a"}[5m]
                """);
        assertFires(new ShardedAggregation(), "topk(1, a)", """
                Aggregate topk in shards
                  Select {__name__="a"}
                  Constant 1
                """);
        assertDoesNotFire(new ShardedAggregation(), "sum(a + b)");
    }

    @Test
    void plansPrintAsJson() {
        assertThat(PlanPrinter.print(literal("sum(a)")).json()).isEqualTo(
                "{\"operator\":\"Aggregate\",\"detail\":\"sum\",\"children\":[{\"operator\":\"Select\",\"detail\":\"{__name__=\\\"a\\\"}\",\"children\":[]}]}");
    }

    @Test
    void selectorsAreToldWhichLabelsAreLookedAt() {
        PlanRule rule = new ProjectLabels();
        assertFires(rule, "sum by (x, y) (rate(a[5m]))", """
                Aggregate sum by (x, y)
                  Call rate
                    Select {__name__="a"}[5m] labels (x, y)
                """);
        assertFires(rule, "count_values without (x) (\"v\", -clamp_min(a, scalar(b)) > 1)", """
                Aggregate count_values without (x)
                  Binary >
                    Negate
                      Call clamp_min
                        Select {__name__="a"} labels without (x)
                        Call scalar
                          Select {__name__="b"} labels ()
                    Constant 1
                  Text "v"
                """);
        assertFires(rule, "histogram_quantile(0.9, sum by (le) (a)) / on (x) max(b)", """
                Binary / on (x)
                  Call histogram_quantile
                    Constant 0.9
                    Aggregate sum by (le)
                      Select {__name__="a"} labels (le)
                  Aggregate max
                    Select {__name__="b"} labels ()
                """);
        assertDoesNotFire(rule, "a");
        assertDoesNotFire(rule, "sum without () (a)");
        assertDoesNotFire(rule, "sum({x=\"1\"})");
        assertDoesNotFire(rule, "topk(1, a)");
        assertDoesNotFire(rule, "sum(a / b)");
        assertDoesNotFire(rule, "sum(absent(a))");
        assertDoesNotFire(rule, "sum(absent_over_time(a[5m]))");
        assertDoesNotFire(rule, "sum(label_join(a, \"x\", \"\", \"y\"))");
        assertDoesNotFire(rule, "sum(rate(a[5m:1m]))");
        assertDoesNotFire(rule, "sum(rate(a[5m])) / count(a)");
    }

    @Test
    void labelsOfFiltersAreKept() {
        PlanNode.Select filtered = (PlanNode.Select) literal("a");
        PlanNode above = literal("sum without (y, z) (a)").withInputs(
                List.of(filtered.withMatchers(filtered.matchers(), List.of(Matcher.equal("y", "2")))));
        assertThat(text(new ProjectLabels().apply(above))).isEqualTo("""
                Aggregate sum without (y, z)
                  Select {__name__="a"} filter [y="2"] labels without (z)
                """);
    }
}

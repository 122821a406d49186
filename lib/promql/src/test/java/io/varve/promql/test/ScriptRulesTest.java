package io.varve.promql.test;

import static org.assertj.core.api.Assertions.assertThat;

import io.varve.promql.Engine;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Scripts that must fail, and where; and odd ones that must not. What is expected was seen with Prometheus' own runner. */
class ScriptRulesTest {
    private static final String LOAD = "load 1m\n  m{a=\"1\"} 1+1x10\n  m{a=\"2\"} 2+2x10\n\n";

    private static List<Integer> failing(String script) {
        try (Engine engine = new Engine(PromqlTest.engineOptions())) {
            return PromqlTest.run("x.test", script, engine).failures().stream().map(PromqlTest.Failure::line).toList();
        }
    }

    private static List<Integer> loading(String series) {
        return failing("load 1m\n  " + series + "\n\neval instant at 0 vector(1)\n  {} 1\n");
    }

    @ParameterizedTest
    @ValueSource(strings = {"foo 5m", "foo 1h30m 2", "foo 2_ 3", "foo 1e 2", "foo Stale", "foo -stale", "foo infx2", "foo nanx2",
            "foo {{sum:+5}}", "foo {{ sum:1}}", "foo {{buckets:[]}}", "foo {{buckets:[ 1]}}", "foo {{offset:1.0 buckets:[1]}}",
            "foo {{z_bucket_w:-1}}", "foo{a=\"1\",a=\"2\"} 1"})
    void seriesThatDoNotRead(String series) {
        assertThat(loading(series)).containsExactly(2);
    }

    @ParameterizedTest
    @ValueSource(strings = {"{} 1", "foo {{schema:9}}", "foo {{schema:-5}}", "foo {{schema:-53 custom_values:[2 1] buckets:[1]}}",
            "foo {{schema:-53 custom_values:[1] buckets:[1 2 3]}}", "foo {{schema:-53 z_bucket:1}}", "foo {{custom_values:[1]}}",
            "foo {{buckets:[1 -2]}}", "foo {{z_bucket:-1}}", "foo {{count:-1}}", "foo {{buckets:[2]}}-{{buckets:[1]}}x3"})
    void seriesThatNoDatabaseTakes(String series) {
        assertThat(loading(series)).containsExactly(1);
    }

    @ParameterizedTest
    @ValueSource(strings = {"foo{__name__=\"bar\"} 1", "foo{\"bar\"} 1", "foo stale NaN -Inf inf 0x3 1_000 012 _x2",
            "foo {{}} {{ }} {{sum:-1 }}",
            "foo {{buckets:[1 2 ]}}"})
    void seriesThatRead(String series) {
        assertThat(loading(series)).isEmpty();
    }

    @Test
    void theNameBeforeTheBracesCounts() {
        assertThat(failing("load 1m\n  foo{__name__=\"bar\",x=\"y\"} 1\n\neval instant at 0 {__name__=~\".+\"}\n  foo{x=\"y\"} 1\n"))
                .isEmpty();
    }

    @Test
    void startTimesOfAnotherSeriesAreNamedByTheirLine() {
        assertThat(failing("load 1m\n  foo 1\n  foo@st -1m\n  bar 1\n")).containsExactly(3);
        assertThat(failing("load 1m\n  foo 1\n  foo@st -1m\n")).containsExactly(3);
    }

    @Test
    void expectationsThatExcludeEachOtherAreNamedByTheirLine() {
        assertThat(failing(LOAD + "eval instant at 0 m\n  expect warn\n  expect no_info\n  expect no_warn\n")).containsExactly(8);
        assertThat(failing(LOAD + "eval instant at 0 m\n  expect fail\n  expect fail\n")).containsExactly(7);
        // The old forms exclude nothing.
        assertThat(failing(LOAD + "eval_fail instant at 0 m + on() m\n  expect fail regex: many-to-many\n")).isEmpty();
        assertThat(failing(LOAD + "eval_fail instant at 0 m + on() m\n  expect fail msg: other\n")).containsExactly(5);
        assertThat(failing(LOAD + "eval_warn instant at 0 quantile(2, m)\n  expect no_warn\n  {} Inf\n")).containsExactly(5);
    }

    @Test
    void whatIsComparedIsDecidedByTheResult() {
        String series = "  m{a=\"1\"} 1\n  m{a=\"2\"} 2\n";
        assertThat(failing(LOAD + "eval instant at 0 m\n  expect string \"x\"\n" + series)).isEmpty();
        assertThat(failing(LOAD + "eval instant at 0 m\n  expect string \"x\"\n")).containsExactly(5);
        assertThat(failing(LOAD + "eval instant at 0 \"x\"\n  expect string \"x\"\n  m 1\n")).isEmpty();
        assertThat(failing(LOAD + "eval instant at 0 \"x\"\n  expect string \"y\"\n")).containsExactly(5);
        assertThat(failing(LOAD + "eval instant at 0 m\n  1\n")).containsExactly(5);
        assertThat(failing(LOAD + "eval instant at 0 1\n" + series)).containsExactly(5);
        assertThat(failing(LOAD + "eval instant at 0 m - 1 < 1\n  {a=\"1\"} _\n")).isEmpty();
        assertThat(failing(LOAD + "eval instant at 0 m\n  m{a=\"1\"}\n  m{a=\"2\"} 2\n")).containsExactly(5);
    }

    @Test
    void aRangeVectorsTimesReplaceThoseOfARange() {
        assertThat(failing(
                LOAD + "eval range from 0 to 1m step 1m m{a=\"1\"}\n  expect range vector from 2m to 4m step 1m\n  m{a=\"1\"} 3 4 5\n"))
                .isEmpty();
    }

    @Test
    void aSeriesThatStandsTwiceHasTheLastPlace() {
        assertThat(failing(LOAD + "eval instant at 0 sort(m)\n  expect ordered\n  m{a=\"1\"} 1\n  m{a=\"2\"} 2\n  m{a=\"2\"} 2\n"))
                .containsExactly(5);
        assertThat(failing(LOAD + "eval instant at 0 sort(m)\n  expect ordered\n  m{a=\"1\"} 1\n  m{a=\"2\"} 2\n")).isEmpty();
    }

    @Test
    void aNumberEndsItsBlock() {
        assertThat(failing("eval instant at 0 1\n  1\nclear\n")).isEmpty();
        assertThat(failing("eval instant at 0 1\n  1\neval instant at 0 2\n  3\n")).containsExactly(3);
        assertThat(failing("eval instant at 0 1\n  1\nload 1m\n  foo 1\n\neval instant at 0 foo\n  foo 1\n")).isEmpty();
        assertThat(failing("eval instant at 0 1\n  1\n  foo 1\n")).containsExactly(3);
        assertThat(failing(LOAD + "eval_fail instant at 0 m + on() m\n  expected_fail_regexp many-to-many\nclear\n")).isEmpty();
    }

    @Test
    void valuesOfARangeVectorMayLieAtOneTime() {
        assertThat(failing(LOAD + "eval instant at 1m m{a=\"1\"}[30s]\n  expect range vector from 1m to 1m step 0\n  m{a=\"1\"} 2\n"))
                .isEmpty();
    }

    @Test
    void aRangeVectorThatEndsBeforeItsStart() {
        assertThat(failing(LOAD + "eval instant at 0 m\n  expect range vector from 1m to 0 step 1m\n")).containsExactly(6);
    }

    @Test
    void aTabBehindExpectMakesItASeries() {
        assertThat(failing(LOAD + "eval instant at 0 m\n  expect\tno_warn\n")).containsExactly(6);
        assertThat(failing("load 1m\n  expect\t1\n\neval instant at 0 expect\n  expect\t1\n")).isEmpty();
    }

    @Test
    void aPatternIsReadAlsoWhereItDoesNotMatter() {
        assertThat(failing(LOAD + "eval instant at 0 m\n  expect ordered regex: (\n")).containsExactly(6);
    }

    @Test
    void samplesThatDoNotFollowThoseOfFormerLoads() {
        String m = "load 1m\n  m 1 2\n\n";
        assertThat(failing(m + "load 1m\n  m 1 2 3\n")).containsExactly(4);
        assertThat(failing(m + "load 1m\n  m _ 3\n")).containsExactly(4);
        assertThat(failing(m + "load 1m\n  m _ {{count:2}}\n")).containsExactly(4);
        assertThat(failing("load 1m\n  m {{count:2}}\n\nload 1m\n  m {{count:3}}\n")).containsExactly(4);
        assertThat(failing("load 1m\n  m 0\n\nload 1m\n  m -0\n")).containsExactly(4);
        // A stale marker behind a histogram is one as well, which the marker that is read again does not equal.
        assertThat(failing("load 1m\n  m {{count:2}} stale\n\nload 1m\n  m _ stale 3\n")).containsExactly(4);
        assertThat(failing("load 1m\n  m {{count:2}} _ stale stale\n\nload 1m\n  m _ _ _ stale\n")).containsExactly(4);
        assertThat(failing("load 1m\n  m {{count:2}} 1 stale\n\nload 1m\n  m _ _ stale 3\n")).isEmpty();
        // Nothing of a load that fails is there.
        assertThat(failing(m + "load 1m\n  n 5\n  m 1\n\neval instant at 0 n\n")).containsExactly(4);
        // The same sample again is taken.
        assertThat(failing(m + "load 1m\n  m _ 2 3\n\neval range from 0 to 2m step 1m m\n  m 1 2 3\n")).isEmpty();
        assertThat(failing("load 1m\n  m {{count:2}}\n\nload 1m\n  m {{count:2}} 5\n\neval instant at 1m m\n  m 5\n")).isEmpty();
        assertThat(failing("load 1m\n  m stale NaN\n\nload 1m\n  m _ NaN 5\n\neval instant at 2m m\n  m 5\n")).isEmpty();
    }

    @Test
    void withinALoadTheFirstSampleOfATimeCounts() {
        assertThat(failing("load 0\n  m 1 2 {{count:1}}\n\neval instant at 0 m\n  m 1\n")).isEmpty();
        assertThat(failing("load_with_nhcb 1m\n  h 5 _\n  h_bucket{le=\"1\"} 1 2\n\neval range from 0 to 1m step 1m h\n"
                + "  h 5 {{schema:-53 count:2 custom_values:[1] buckets:[2]}}\n")).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"h_bucket 1", "h_bucket{le=\"\"} 1", "_count 1", "h_bucket{le=\"1\"} NaN", "h_bucket{le=\"1\"} stale",
            "h_bucket{le=\"1\"} 1\n  h_count stale", "h_count NaN", "h_count -1", "h_bucket{le=\"1\"} -1\n  h_count 1",
            "h_bucket{le=\"1\"} 2\n  h_bucket{le=\"2\"} 1", "h_bucket{le=\"+Inf\"} 2\n  h_count 1"})
    void classicHistogramsThatAreNone(String series) {
        assertThat(failing("load_with_nhcb 1m\n  " + series + "\n")).containsExactly(1);
    }

    @Test
    void classicHistogramsWithNumbersThatAreNone() {
        assertThat(failing("load_with_nhcb 1m\n  h_bucket{le=\"1\"} NaN stale 1\n  h_count 2 3 4\n  h_sum 0 0 stale\n\n"
                + "eval range from 0 to 2m step 1m h\n  h {{schema:-53 count:2 custom_values:[1] buckets:[NaN NaN]}}"
                + " {{schema:-53 count:3 custom_values:[1] buckets:[NaN NaN]}} _\n")).isEmpty();
    }
}

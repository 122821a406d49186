package io.varve.promql.parser;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Where Prometheus 3.14 says an expression is wrong, of places that no golden expression has. */
class ErrorPlacesTest {
    @ParameterizedTest
    @CsvSource({"g offset 1e10, 1:10", "g offset -1e10, 1:10", "g offset + 1e10, 1:10", "g offset (-1e10), 1:12", "g offset --1e10, 1:12",
            "g[5m + -1e10], 1:9"})
    void aDurationOutOfRangeIsBlamedOnTheSignOfAnOffsetAndOtherwiseOnItself(String expression, String place) {
        assertThatThrownBy(() -> Parser.parse(expression, ParserOptions.ALL)).hasMessage(place + ": parse error: duration out of range");
    }

    @ParameterizedTest
    @CsvSource({"2_ + 1, 2_", "1_2.5_ - 1, 1_2.5_", "017_ * 1, 017_", "0x1_ + 1, 0x1_"})
    void aNumberMustNotEndWithAnUnderscore(String expression, String number) {
        assertThatThrownBy(() -> Parser.parse(expression, ParserOptions.ALL))
                .hasMessage("1:1: parse error: error parsing number: strconv.ParseFloat: parsing \"" + number + "\": invalid syntax");
    }

    @ParameterizedTest
    @CsvSource({"'limitk(2, fill_right (2)) by ()', 1:22", "'topk(1, fill_left(1))', 1:18", "'sum(1, fill(1))', 1:12"})
    void whatFillsIsAMetricsNameWhereAnArgumentBegins(String expression, String place) {
        assertThatThrownBy(() -> Parser.parse(expression, ParserOptions.ALL))
                .hasMessage(place + ": parse error: unexpected \"(\" in aggregation");
    }

    @ParameterizedTest
    @CsvSource({"g offset 0.0001 offset 5m, 1:1, offset may not be set multiple times",
            "g[5m] offset -0.0001 offset 5m, 1:1, offset may not be set multiple times",
            "g offset 0.0001[5m], 1:16, no offset modifiers allowed before range"})
    void anOffsetBelowAMillisecondIsAnOffset(String expression, String place, String message) {
        assertThatThrownBy(() -> Parser.parse(expression, ParserOptions.ALL)).hasMessage(place + ": parse error: " + message);
    }

    @ParameterizedTest
    @CsvSource({"'START()', START", "'Max_Of(1, 2)', Max_Of", "'STEP()', STEP"})
    void aFunctionsNameIsWrittenSmallThoughAKeywordNeedNotBe(String expression, String name) {
        assertThatThrownBy(() -> Parser.parse(expression, ParserOptions.ALL))
                .hasMessage("1:1: parse error: unknown function with name \"" + name + "\"");
    }
}

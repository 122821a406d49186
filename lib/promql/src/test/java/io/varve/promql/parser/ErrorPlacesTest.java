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
}

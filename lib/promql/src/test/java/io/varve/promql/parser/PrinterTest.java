package io.varve.promql.parser;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** How Prometheus 3.14 prints what no golden expression has. */
class PrinterTest {
    @ParameterizedTest
    @CsvSource({"g offset 0.0001, g offset 0s", "g offset -0.0009, g offset -0s", "g offset 1e-10, g", "g offset 0, g",
            "g @ 0.0001 offset 5e-10, g @ 0.000 offset 0s", "g[0.0001] offset 0.0001, g[0s] offset 0s", "g[5m:0.0001], g[5m:0s]",
            "g[0.0001:], g[0s:]", "g[5m:] offset -0.0001, g[5m:] offset -0s", "g[5m] anchored offset 1e-7, g[5m] anchored offset 0s",
            "g offset 1.0019, g offset 1s1ms", "g offset -1m, g offset -1m"})
    void durationsBelowAMillisecondArePrintedAsZero(String expression, String printed) {
        Expr expr = Parser.parse(expression, ParserOptions.ALL);
        assertThat(Printer.print(expr)).isEqualTo(printed);
        assertThat(Prettifier.format(expr)).isEqualTo(printed);
        assertThat(AstJson.write(Parser.parse("g offset -0.0019", ParserOptions.ALL))).contains("\"offset\":-1,");
    }
}

package io.varve.tools;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PromqlCommandTest {
    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    private int run(String... args) {
        return ToolsCommand.run(() -> new String[]{"varve, version 1"}, new PrintWriter(out), new PrintWriter(err), args);
    }

    @Test
    void everyCommandKnowsItsNameAndVersion() {
        assertThat(run("--version")).isZero();
        assertThat(run("promql", "-V")).isZero();
        assertThat(run("promql", "format", "-V")).isZero();
        assertThat(out.toString().lines()).hasSize(3).containsOnly("varve, version 1");
        assertThat(run("promql", "--help")).isZero();
        assertThat(out.toString()).contains("Usage: varve tools promql ");
    }

    @Test
    void formatsExpressions() {
        assertThat(run("promql", "format", "sum(rate(m[5m]))by(job)")).isZero();
        assertThat(out.toString()).isEqualToIgnoringNewLines("sum by (job) (rate(m[5m]))");
    }

    @Test
    void saysThatAnExpressionIsValid() {
        assertThat(run("promql", "check", "rate(m[5m])", "1")).isZero();
        assertThat(out.toString().lines()).containsExactly("valid: instant vector", "valid: scalar");
    }

    @Test
    void marksThePlaceOfAnError() {
        assertThat(run("promql", "check", "sum(\"é\",\n\trate(m[5m]) x)")).isEqualTo(1);
        assertThat(err.toString().lines()).containsExactly("2:14: parse error: unexpected identifier \"x\" in aggregation",
                "\trate(m[5m]) x)",
                "\t            ^");
    }

    @Test
    void opensFeaturesByName() {
        assertThat(run("promql", "check", "m[5m] anchored")).isEqualTo(1);
        assertThat(run("promql", "check", "--enable-feature=promql-extended-range-selectors", "m[5m] anchored")).isZero();
        assertThat(run("promql", "check", "--enable-feature=nothing", "m")).isEqualTo(1);
        assertThat(err.toString()).contains("unknown PromQL feature: nothing");
    }

    @Test
    void countsCasesAndNamesTheLineOfThoseThatFail(@TempDir Path folder) throws IOException {
        Path script = folder.resolve("a.test");
        Files.writeString(script, "load 1m\n  m 1+1x5\n\neval instant at 2m m\n  m 3\n\neval instant at 2m m + 1\n  {} 7\n");
        assertThat(run("promql", "test", script.toString())).isEqualTo(1);
        assertThat(out.toString().lines().toList()).hasSize(2).first().asString().startsWith(script + ":7: expected 7 for {}, got 4");
        assertThat(out.toString()).endsWith("1 passed, 1 failed" + System.lineSeparator());
    }

    @Test
    void saysWhichScriptCannotBeRead() {
        assertThat(run("promql", "test", "no/such.test")).isEqualTo(1);
        assertThat(err.toString()).contains("cannot read no/such.test: no such file or directory");
    }

    @Test
    void explainsExpressions() {
        assertThat(run("promql", "explain", "sum(rate(m[5m]))")).isZero();
        assertThat(out.toString()).contains("m");
        assertThat(run("promql", "explain", "--json", "--step", "0", "sum(m)")).isZero();
        assertThat(out.toString()).contains("{\"operator\":");
    }

    @Test
    void refusesACallWithoutCommand() {
        assertThat(run()).isEqualTo(1);
        assertThat(run("promql")).isEqualTo(1);
        assertThat(err.toString()).contains("Missing required subcommand");
    }
}

package io.varve.promql.test;

import static org.assertj.core.api.Assertions.assertThat;

import io.varve.promql.Engine;
import io.varve.testkit.Shared;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Every case of our own scripts and, where they are at hand, of Prometheus'. */
class PromqlScriptsTest {
    @TestFactory
    Stream<DynamicTest> ownScripts() throws IOException {
        return scripts(Path.of("src/test/resources/promqltest"));
    }

    @TestFactory
    Stream<DynamicTest> scriptsOfPrometheus() throws IOException {
        Path folder = Shared.path("conformance/promqltest").orElse(null);
        return folder == null ? Stream.empty() : scripts(folder);
    }

    private static Stream<DynamicTest> scripts(Path folder) throws IOException {
        List<Path> files = new ArrayList<>();
        try (Stream<Path> all = Files.list(folder)) {
            all.filter(p -> p.toString().endsWith(".test")).sorted().forEach(files::add);
        }
        return files.stream().map(file -> DynamicTest.dynamicTest(file.getFileName().toString(), () -> run(file)));
    }

    private static void run(Path file) throws IOException {
        try (Engine engine = new Engine(PromqlTest.engineOptions())) {
            PromqlTest.Report report = PromqlTest.run(file.getFileName().toString(), Files.readString(file), engine);
            assertThat(report.failures().stream().limit(20)).as("%d passed, %d failed", report.passed(), report.failures().size())
                    .isEmpty();
            assertThat(report.passed()).isPositive();
        }
    }
}

package io.varve.promql;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.varve.model.InvalidRequestException;
import io.varve.model.QueryContext;
import io.varve.model.SampleBuffer;
import java.util.EnumSet;
import java.util.List;
import org.junit.jupiter.api.Test;

/**
 * Durations below a millisecond, as Prometheus 3.14 evaluates them. Scripts cannot say so: printed such a duration is {@code 0s}, which does not
 * read back, and scripts ask each query in its printed form as well.
 */
class ShortDurationsTest {
    private static final EngineOptions OPTIONS = EngineOptions.DEFAULT.withFeatures(EnumSet.of(Feature.EXTENDED_RANGE_SELECTORS));

    private static List<QueryValue.Sample> ask(String query) {
        MemorySource source = new MemorySource();
        SampleBuffer samples = new SampleBuffer(61);
        for (int i = 0; i <= 60; i++) {
            samples.add(MemorySource.START + i * 10_000L, i);
        }
        source.put(samples, "__name__", "t_total", "a", "b");
        try (Engine engine = new Engine(OPTIONS);
                QueryResult result = engine.execute(QueryContext.unlimited(), source,
                        QueryRequest.instant(query, MemorySource.START + 305_000))) {
            return List.copyOf(((QueryValue.Vector) result.value()).samples());
        }
    }

    @Test
    void aRangeBelowAMillisecondIsARangeInWhichNothingLies() {
        assertThat(ask("count_over_time(t_total[0.0001])")).isEmpty();
        assertThat(ask("sum(rate(t_total[0.0001 * 3] anchored))")).isEmpty();
        assertThat(ask("absent_over_time(t_total{a=\"b\"}[0.0001])")).singleElement()
                .satisfies(s -> assertThat(s.labels()).hasToString("{a=\"b\"}"));
        // Between two samples there is a value, which does not change within 0 ms.
        assertThat(ask("rate(t_total[0.0001] smoothed)")).singleElement().satisfies(s -> assertThat(s.value()).isZero());
    }

    @Test
    void aStepBelowAMillisecondIsRefused() {
        assertThatThrownBy(() -> ask("count_over_time(t_total[1m:0.0001])")).isInstanceOf(InvalidRequestException.class)
                .hasMessage("unexpected error: runtime error: integer divide by zero");
        // What is computed is cut to whole milliseconds first, and 0 is no step.
        assertThat(ask("count_over_time(t_total[1m:0.0001 * 2])")).hasSize(1);
    }

    @Test
    void aRateIsDividedByTheRangeAsItIsWritten() {
        for (String more : List.of("", " anchored", " smoothed")) {
            double increase = ask("increase(t_total[60.0009]" + more + ")").getFirst().value();
            assertThat(increase).isEqualTo(ask("increase(t_total[1m]" + more + ")").getFirst().value());
            assertThat(ask("rate(t_total[60.0009]" + more + ")").getFirst().value()).isCloseTo(increase / 60.0009, within(1e-12));
            assertThat(ask("rate(t_total[60.0009 * 1]" + more + ")").getFirst().value()).isCloseTo(increase / 60, within(1e-12));
        }
        assertThat(ask("rate(t_total[60.0009:10])").getFirst().value())
                .isCloseTo(ask("increase(t_total[1m:10])").getFirst().value() / 60.0009, within(1e-12));
    }
}

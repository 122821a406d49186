package io.varve.querier;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Test;

class WarmUpTest {
    @Test
    void queriesOverMadeUpSeriesAreAnswered() {
        assertThat(WarmUp.run(Duration.ofMillis(1))).isPositive();
    }
}

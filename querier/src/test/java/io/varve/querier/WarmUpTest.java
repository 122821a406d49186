package io.varve.querier;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class WarmUpTest {
    @Test
    void queriesOverMadeUpSeriesAreAnswered() {
        AtomicInteger left = new AtomicInteger(3);
        assertThat(WarmUp.ask(() -> left.getAndDecrement() == 0)).isEqualTo(3);
    }
}

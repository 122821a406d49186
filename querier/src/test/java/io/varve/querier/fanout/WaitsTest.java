package io.varve.querier.fanout;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class WaitsTest {
    @Test
    void tellsWhoWaitsOfRoundsAlsoAfterARest() throws Exception {
        for (int times = 0; times < 2; times++) {
            Semaphore rounds = new Semaphore(0);
            Waits.Waiting w = rounds::release;
            Waits.begin(w);
            assertThat(rounds.tryAcquire(3, 30, TimeUnit.SECONDS)).isTrue();
            Waits.end(w);
            // Long enough for the rounds to stop.
            Thread.sleep(30 * Waits.ROUND_MILLIS);
        }
    }
}

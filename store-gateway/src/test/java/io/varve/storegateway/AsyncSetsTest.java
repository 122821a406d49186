package io.varve.storegateway;

import static org.assertj.core.api.Assertions.assertThat;

import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.prometheus.metrics.model.snapshots.CounterSnapshot;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Values that wait to be stored in a cache: how many, how much of them, and that their memory comes back. */
@Timeout(60)
class AsyncSetsTest {
    private final PrometheusRegistry registry = new PrometheusRegistry();
    private final CacheMetrics.Client metrics = new CacheMetrics(registry).client("memcached", "test");
    private final Semaphore go = new Semaphore(0);
    private final AtomicInteger stored = new AtomicInteger();

    private AsyncSets sets(int capacity, long maxBytes) {
        return new AsyncSets(capacity, maxBytes, 1, 2, new SetBreaker(SetBreaker.Settings.OFF), metrics, jobs -> {
            go.acquire();
            if (jobs.getFirst().key().equals("deep")) {
                throw new StackOverflowError("too deep");
            }
            stored.addAndGet(jobs.size());
        });
    }

    private double skipped() {
        return registry.scrape(name -> name.equals("thanos_memcached_operation_skipped")).stream()
                .flatMap(m -> ((CounterSnapshot) m).getDataPoints().stream())
                .mapToDouble(CounterSnapshot.CounterDataPointSnapshot::getValue)
                .sum();
    }

    private static void empty(AsyncSets sets) {
        while (sets.bytes() > 0) {
            Thread.yield();
        }
    }

    @Test
    void bytesAreBoundedWhateverTheirNumber() {
        try (AsyncSets sets = sets(10_000, 1 << 20)) {
            for (int i = 0; i < 100; i++) {
                sets.add("k" + i, new byte[100_000], 60);
            }
            // What is being stored counts too.
            assertThat(sets.bytes()).isBetween(1_000_000L, 1L << 20);
            assertThat(skipped()).isEqualTo(90);
            sets.add("too large by itself", new byte[2 << 20], 60);
            assertThat(skipped()).isEqualTo(91);
            go.release(1000);
            empty(sets);
            assertThat(stored).hasValue(10);
            sets.add("again", new byte[100_000], 60);
            empty(sets);
            assertThat(stored).hasValue(11);
        }
    }

    @Test
    void theirNumberIsBoundedToo() {
        try (AsyncSets sets = sets(5, AsyncSets.usualBytes())) {
            for (int i = 0; i < 100; i++) {
                sets.add("k" + i, new byte[1], 60);
            }
            // Two may be with the one that stores.
            assertThat(skipped()).isBetween(93.0, 95.0);
            go.release(1000);
            empty(sets);
        }
        assertThat(AsyncSets.usualBytes()).isBetween(1L << 20, 256L << 20);
    }

    @Test
    void anErrorEndsNothing() {
        try (AsyncSets sets = sets(5, 1 << 20)) {
            sets.add("deep", new byte[10], 60);
            go.release();
            empty(sets);
            go.release();
            sets.add("next", new byte[10], 60);
            empty(sets);
            assertThat(stored).hasValue(1);
        }
    }
}

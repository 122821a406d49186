package io.varve.querier.api;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.varve.model.CancelledException;
import io.varve.model.MemoryBudget;
import io.varve.model.QueryContext;
import io.varve.testkit.Seeds;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

/** Who is let in, who waits, and that no place is lost. */
class QueryGateTest {
    private static final long MUCH = QueryGate.LARGE + 1;

    private static void until(BooleanSupplier condition) {
        while (!condition.getAsBoolean()) {
            Thread.yield();
        }
    }

    @Test
    void anOrdinaryQueryFindsAPlaceBesideAnyNumberOfLargeOnes() throws Exception {
        QueryGate gate = new QueryGate(4, 1_000_000);
        AtomicInteger told = new AtomicInteger();
        AtomicInteger settled = new AtomicInteger();
        List<QueryGate.Turn> turns = new ArrayList<>();
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            for (int i = 0; i < 10; i++) {
                QueryGate.Turn turn = gate.enter(QueryContext.unlimited(), 0, told::incrementAndGet);
                turns.add(turn);
                threads.submit(() -> {
                    turn.read(1000);
                    turn.read(MUCH);
                    settled.incrementAndGet();
                });
                int large = Math.min(3, i + 1);
                int wait = i + 1 - large;
                until(() -> settled.get() == large && gate.waiting() == wait);
            }
            assertThat(gate.running()).isEqualTo(3);
            assertThat(told.get()).isEqualTo(10);
            for (int i = 0; i < 100; i++) {
                try (QueryGate.Turn ordinary = gate.enter(QueryContext.unlimited(), 0, told::incrementAndGet)) {
                    ordinary.read(QueryGate.LARGE);
                    assertThat(gate.running()).isEqualTo(4);
                }
            }
            for (int i = 0; i < 10; i++) {
                int n = Math.min(10, i + 3);
                until(() -> settled.get() == n);
                turns.get(i).close();
                turns.get(i).close();
            }
        }
        assertThat(gate.running()).isZero();
        assertThat(gate.waiting()).isZero();
        assertThat(told.get()).isEqualTo(10);
    }

    @Test
    void whoeverWaitsForStoresForLongMakesPlaceAndComesBeforeThoseThatReadMuch() throws Exception {
        QueryGate gate = new QueryGate(4, 0);
        AtomicInteger told = new AtomicInteger();
        List<QueryGate.Turn> turns = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            turns.add(gate.enter(QueryContext.unlimited(), 0, told::incrementAndGet));
            turns.get(i).read(0);
        }
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            QueryGate.Turn greedy = gate.enter(QueryContext.unlimited(), 0, told::incrementAndGet);
            Future<?> much = threads.submit(() -> greedy.read(MUCH));
            until(() -> gate.waiting() == 1);
            QueryGate.Turn ordinary = gate.enter(QueryContext.unlimited(), 0, told::incrementAndGet);
            Future<?> little = threads.submit(() -> ordinary.read(0));
            until(() -> gate.waiting() == 2);
            assertThat(gate.running()).isEqualTo(3);
            turns.get(0).close();
            little.get();
            assertThat(much.isDone()).isFalse();
            assertThat(told.get()).isEqualTo(1);
            ordinary.read(MUCH);
            assertThat(told.get()).isEqualTo(2);
            ordinary.close();
            much.get();
            greedy.close();
        }
        turns.forEach(QueryGate.Turn::close);
        assertThat(gate.running()).isZero();
    }

    @Test
    void whoeverWaitsTooLongIsToldWhy() {
        QueryGate gate = new QueryGate(1, 1_000_000);
        try (QueryGate.Turn one = gate.enter(QueryContext.unlimited(), 0, () -> {
        })) {
            one.read(MUCH); // a gate of one place has none to keep
            assertThatThrownBy(() -> gate.enter(new QueryContext(30, MemoryBudget.UNLIMITED), 0, () -> {
            })).isInstanceOf(CancelledException.class).hasMessageContaining("query timed out in query queue: 1 queries were running")
                    .hasMessageContaining("--query.max-concurrent");
            QueryContext cancelled = QueryContext.unlimited();
            cancelled.cancel(new CancelledException(CancelledException.Reason.CANCELED, "gone"));
            assertThatThrownBy(() -> gate.enter(cancelled, 0, () -> {
            })).isInstanceOf(CancelledException.class).hasMessage("gone");
            assertThat(gate.waiting()).isZero();
        }
        assertThat(gate.running()).isZero();
    }

    @Test
    void queriesOfAllKindsComeAndGoAndNoPlaceIsLost() throws Exception {
        RandomGenerator seeds = Seeds.random(5);
        for (int max : new int[]{1, 2, 4, 9}) {
            QueryGate gate = new QueryGate(max, max == 9 ? 0 : 1_000_000);
            AtomicInteger computing = new AtomicInteger();
            try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
                List<Future<?>> all = new ArrayList<>();
                for (int t = 0; t < 60; t++) {
                    RandomGenerator random = new java.util.Random(seeds.nextLong());
                    all.add(threads.submit(() -> {
                        for (int i = 0; i < 30; i++) {
                            QueryContext context = new QueryContext(random.nextInt(4) == 0 ? 1 + random.nextInt(20) : 0,
                                    MemoryBudget.UNLIMITED);
                            try (context; QueryGate.Turn turn = gate.enter(context, 0, () -> {
                            })) {
                                for (int k = random.nextInt(6); k > 0; k--) {
                                    turn.read(random.nextLong(MUCH));
                                    assertThat(computing.incrementAndGet()).isLessThanOrEqualTo(max);
                                    Thread.yield();
                                    computing.decrementAndGet();
                                }
                            } catch (CancelledException e) {
                                assertThat(e.reason()).isEqualTo(CancelledException.Reason.TIMEOUT);
                            }
                        }
                    }));
                }
                for (Future<?> f : all) {
                    f.get();
                }
            }
            assertThat(gate.running()).isZero();
            assertThat(gate.waiting()).isZero();
        }
    }

    @Test
    void whoeverWouldWaitBehindTooManyIsRefused() throws Exception {
        QueryGate gate = new QueryGate(2, 1_000_000);
        int most = QueryGate.maxWaiting(2);
        assertThat(most).isEqualTo(1000);
        Runnable nothing = () -> {
        };
        List<QueryGate.Turn> running = List.of(gate.enter(QueryContext.unlimited(), 0, nothing),
                gate.enter(QueryContext.unlimited(), 1L << 40, nothing));
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            AtomicInteger had = new AtomicInteger();
            List<Future<?>> all = new ArrayList<>();
            // 200 that count for three, 400 that count for one.
            for (int i = 0; i < 600; i++) {
                long bytes = i < 200 ? (64 << 10) * 2 : 1000;
                all.add(threads.submit(() -> {
                    try (QueryGate.Turn turn = gate.enter(QueryContext.unlimited(), bytes, nothing)) {
                        turn.read(1);
                        had.incrementAndGet();
                    }
                }));
                int n = i + 1;
                until(() -> gate.waiting() == n);
            }
            for (long bytes : new long[]{0, 1L << 40}) {
                assertThatThrownBy(() -> gate.enter(QueryContext.unlimited(), bytes, nothing)).isInstanceOf(ApiException.class)
                        .hasMessage(
                                "too many queries: 600 wait already while 2 may run at once (limit --query.max-concurrent); ask again later")
                        .extracting(e -> ((ApiException) e).status()).isEqualTo(503);
            }
            assertThat(gate.refused()).isEqualTo(2);
            running.forEach(QueryGate.Turn::close);
            for (Future<?> f : all) {
                f.get();
            }
            assertThat(had).hasValue(600);
            // All places are free again.
            gate.enter(QueryContext.unlimited(), 1L << 40, nothing).close();
        }
        assertThat(gate.running()).isZero();
        assertThat(gate.waiting()).isZero();
    }
}

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
                QueryGate.Turn turn = gate.enter(QueryContext.unlimited(), told::incrementAndGet);
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
                try (QueryGate.Turn ordinary = gate.enter(QueryContext.unlimited(), told::incrementAndGet)) {
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
            turns.add(gate.enter(QueryContext.unlimited(), told::incrementAndGet));
            turns.get(i).read(0);
        }
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            QueryGate.Turn greedy = gate.enter(QueryContext.unlimited(), told::incrementAndGet);
            Future<?> much = threads.submit(() -> greedy.read(MUCH));
            until(() -> gate.waiting() == 1);
            QueryGate.Turn ordinary = gate.enter(QueryContext.unlimited(), told::incrementAndGet);
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
        try (QueryGate.Turn one = gate.enter(QueryContext.unlimited(), () -> {
        })) {
            one.read(MUCH); // a gate of one place has none to keep
            assertThatThrownBy(() -> gate.enter(new QueryContext(30, MemoryBudget.UNLIMITED), () -> {
            })).isInstanceOf(CancelledException.class).hasMessageContaining("query timed out in query queue: 1 queries were running")
                    .hasMessageContaining("--query.max-concurrent");
            QueryContext cancelled = QueryContext.unlimited();
            cancelled.cancel(new CancelledException(CancelledException.Reason.CANCELED, "gone"));
            assertThatThrownBy(() -> gate.enter(cancelled, () -> {
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
                            try (context; QueryGate.Turn turn = gate.enter(context, () -> {
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
}

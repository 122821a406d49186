package io.varve.querier.api;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.varve.model.CancelledException;
import io.varve.model.LimitExceededException;
import io.varve.testkit.Seeds;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

/** Shares, bounds and that everything is given back. */
class BudgetsTest {
    @Test
    void aGreedyQueryLeavesTheOthersTheirShares() {
        Budgets budgets = new Budgets(4000, 0, 2);
        Budgets.QueryBudget greedy = budgets.open();
        Budgets.QueryBudget ordinary = budgets.open();
        greedy.reserve(3000, "test");
        assertThatThrownBy(() -> greedy.reserve(1, "test")).isInstanceOf(LimitExceededException.class)
                .hasMessageContaining("--query.max-memory");
        ordinary.reserve(1000, "test");
        assertThat(budgets.used()).isEqualTo(4000);
        assertThatThrownBy(() -> ordinary.reserve(1, "test")).isInstanceOf(LimitExceededException.class);
        greedy.close();
        ordinary.reserve(2000, "test");
        ordinary.close();
        ordinary.close();
        assertThat(budgets.used()).isZero();
    }

    @Test
    void whatIsOpenedBeyondTheSharesHasNone() {
        Budgets budgets = new Budgets(4000, 0, 1);
        try (Budgets.QueryBudget one = budgets.open(); Budgets.QueryBudget two = budgets.open()) {
            one.reserve(2000, "test");
            two.reserve(2000, "test");
            assertThatThrownBy(() -> two.reserve(1, "test")).isInstanceOf(LimitExceededException.class);
        }
        try (Budgets.QueryBudget again = budgets.open()) {
            again.reserve(4000, "test");
        }
        assertThat(budgets.used()).isZero();
    }

    @Test
    void largeQueriesLeaveTheLastSharesToOthersAndWhoWaitsHoldsNone() {
        Budgets budgets = new Budgets(8000, 0, 4);
        List<Budgets.QueryBudget> waiting = new ArrayList<>();
        for (int i = 0; i < 10; i++) {
            waiting.add(budgets.open());
        }
        List<Budgets.QueryBudget> greedy = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            greedy.add(budgets.open());
            greedy.get(i).reserve(900, "test");
            greedy.get(i).large();
        }
        // The fourth gave its share back: what it holds is of the common half.
        greedy.getFirst().reserve(3200, "test");
        assertThatThrownBy(() -> greedy.getLast().reserve(1, "test")).isInstanceOf(LimitExceededException.class);
        waiting.getFirst().reserve(1000, "test");
        assertThat(budgets.used()).isEqualTo(7800);
        greedy.forEach(Budgets.QueryBudget::close);
        waiting.forEach(Budgets.QueryBudget::close);
        assertThat(budgets.used()).isZero();
    }

    @Test
    void whateverQueriesDoNobodyLosesAShareAndNothingIsLost() {
        Seeds.forEach(200, random -> {
            int shares = 1 + random.nextInt(8);
            long process = random.nextInt(10) == 0 ? 0 : shares * (2L + random.nextInt(2000));
            long share = process / 2 / shares;
            Budgets budgets = new Budgets(process, 0, shares);
            List<Budgets.QueryBudget> open = new ArrayList<>();
            List<Budgets.QueryBudget> plain = new ArrayList<>();
            for (int i = 0; i < 400; i++) {
                int op = random.nextInt(10);
                if (open.size() < 2 * shares && op < 2 || open.isEmpty()) {
                    Budgets.QueryBudget q = budgets.open();
                    open.add(q);
                    // Those that were there when there was a share for each, and are not large, can have it whatever the others hold.
                    if (open.size() <= shares) {
                        q.reserve(0, "test");
                        plain.add(q);
                    }
                    continue;
                }
                Budgets.QueryBudget q = open.get(random.nextInt(open.size()));
                if (op < 7) {
                    long n = random.nextLong(2 + 2 * share);
                    boolean certain = process == 0 || plain.contains(q) && q.reserved() + n <= share;
                    try {
                        q.reserve(n, "test");
                    } catch (LimitExceededException e) {
                        assertThat(certain).isFalse();
                    }
                } else if (op == 7) {
                    q.release(random.nextLong(q.reserved() + 1));
                } else if (op == 8 && random.nextInt(4) == 0) {
                    q.large();
                    plain.remove(q);
                } else {
                    q.close();
                    open.remove(q);
                    plain.remove(q);
                }
                long sum = 0;
                for (Budgets.QueryBudget o : open) {
                    sum += o.reserved();
                }
                assertThat(budgets.used()).isEqualTo(sum);
                assertThat(process == 0 || sum <= process).isTrue();
            }
            open.forEach(Budgets.QueryBudget::close);
            assertThat(budgets.used()).isZero();
            if (process > 0) {
                try (Budgets.QueryBudget last = budgets.open()) {
                    last.reserve(process - share * (shares - 1), "test");
                    assertThatThrownBy(() -> last.reserve(1, "test")).isInstanceOf(LimitExceededException.class);
                    assertThatThrownBy(() -> last.reserve(Long.MAX_VALUE, "test")).isInstanceOf(LimitExceededException.class);
                }
            }
        });
    }

    @Test
    void oneQueryIsBoundByItsOwnLimit() {
        Budgets budgets = new Budgets(4000, 100, 2);
        try (Budgets.QueryBudget query = budgets.open()) {
            query.reserve(100, "test");
            assertThatThrownBy(() -> query.reserve(1, "test")).isInstanceOf(LimitExceededException.class)
                    .hasMessageContaining("--query.max-memory-per-query");
            assertThat(query.reserved()).isEqualTo(100);
            assertThat(query.peak()).isEqualTo(100);
        }
    }

    @Test
    void threadsOfQueriesNeverGetMoreThanThereIsAndGiveAllBack() throws Exception {
        RandomGenerator seeds = Seeds.random(11);
        Budgets budgets = new Budgets(10_000, 4000, 3);
        List<Budgets.QueryBudget> queries = new ArrayList<>();
        for (int q = 0; q < 5; q++) {
            queries.add(budgets.open());
        }
        try (ExecutorService threads = Executors.newFixedThreadPool(8)) {
            List<Future<?>> running = new ArrayList<>();
            for (int t = 0; t < 8; t++) {
                RandomGenerator random = new java.util.Random(seeds.nextLong());
                Budgets.QueryBudget query = queries.get(t % queries.size());
                running.add(threads.submit(() -> {
                    long held = 0;
                    for (int i = 0; i < 20_000; i++) {
                        long n = random.nextInt(900);
                        try {
                            query.reserve(n, "test");
                            held += n;
                        } catch (LimitExceededException e) {
                            query.release(held);
                            held = 0;
                        }
                        assertThat(budgets.used()).isLessThanOrEqualTo(10_000);
                    }
                    query.release(held);
                }));
            }
            for (Future<?> f : running) {
                f.get();
            }
        }
        assertThat(budgets.used()).isZero();
        try (Budgets.QueryBudget all = queries.getLast()) {
            // Nothing of the common half was lost on the way: one without a share can have all of it.
            all.reserve(4000, "test");
        }
    }

    @Test
    void whatThreadsGiveBackAfterTheEndIsNotCountedTwice() throws Exception {
        Budgets budgets = new Budgets(10_000, 0, 2);
        for (int round = 0; round < 500; round++) {
            Budgets.QueryBudget query = budgets.open();
            query.reserve(6000, "test");
            CountDownLatch go = new CountDownLatch(1);
            Thread late = Thread.ofVirtual().start(() -> {
                try {
                    go.await();
                    query.release(4000);
                    query.reserve(1, "test");
                } catch (CancelledException | InterruptedException e) {
                    // Closed before.
                }
            });
            go.countDown();
            query.close();
            late.join();
            query.release(1000);
            assertThat(budgets.used()).isZero();
        }
        try (Budgets.QueryBudget all = budgets.open()) {
            all.reserve(7500, "test");
            assertThatThrownBy(() -> all.reserve(1, "test")).isInstanceOf(LimitExceededException.class);
        }
    }
}

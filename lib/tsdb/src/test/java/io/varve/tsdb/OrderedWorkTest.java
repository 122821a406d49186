package io.varve.tsdb;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.varve.model.CorruptDataException;
import io.varve.model.LimitExceededException;
import io.varve.model.MemoryBudget;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Results come in the order of the items, failures where they happened, and nothing runs on after close. */
@Timeout(60)
class OrderedWorkTest {
    private static OrderedWork<Integer, Integer> work(int items, int threads, Function<Integer, Integer> function) {
        AtomicInteger next = new AtomicInteger();
        return new OrderedWork<>(() -> next.get() < items ? next.getAndIncrement() : null, i -> 1000, i -> 0, MemoryBudget.UNLIMITED,
                () -> function, threads);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 5})
    void keepsTheOrder(int threads) {
        for (int items : new int[]{0, 1, 255, 256, 257, 20_000}) {
            try (OrderedWork<Integer, Integer> work = work(items, threads, i -> i * 2)) {
                for (int i = 0; i < items; i++) {
                    assertThat(work.next()).isEqualTo(2 * i);
                }
                assertThat(work.next()).isNull();
                assertThat(work.next()).isNull();
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 5})
    void aFailureComesBehindTheResultsBeforeIt(int threads) {
        try (OrderedWork<Integer, Integer> work = work(5000, threads, i -> {
            if (i == 3000) {
                throw new CorruptDataException("f", i, "broken");
            }
            return i;
        })) {
            for (int i = 0; i < 3000; i++) {
                assertThat(work.next()).isEqualTo(i);
            }
            assertThatThrownBy(work::next).isInstanceOf(CorruptDataException.class).hasMessageContaining("broken");
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 5})
    void aFailureOfTheSourceIsThrownToo(int threads) {
        AtomicInteger next = new AtomicInteger();
        try (OrderedWork<Integer, Integer> work = new OrderedWork<>(() -> {
            if (next.get() == 700) {
                throw new CorruptDataException("f", 700, "no more");
            }
            return next.getAndIncrement();
        }, i -> 1, i -> 0, MemoryBudget.UNLIMITED, () -> i -> i, threads)) {
            for (int i = 0; i < 700; i++) {
                assertThat(work.next()).isEqualTo(i);
            }
            assertThatThrownBy(work::next).isInstanceOf(CorruptDataException.class);
        }
    }

    @Test
    void doesNotRunFarAhead() {
        AtomicInteger asked = new AtomicInteger();
        try (OrderedWork<Integer, Integer> work = new OrderedWork<>(asked::getAndIncrement, i -> 256 << 10, i -> 0, MemoryBudget.UNLIMITED,
                () -> i -> i, 3)) {
            List<Integer> got = new ArrayList<>();
            for (int i = 0; i < 10; i++) {
                got.add(work.next());
            }
            assertThat(got).containsExactly(0, 1, 2, 3, 4, 5, 6, 7, 8, 9);
            assertThat(asked.get()).isLessThanOrEqualTo(10 + 3 * 3);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 3})
    void reservesWhatIsUnderWayAndGivesItBack(int threads) {
        Bounded budget = new Bounded(10_000_000);
        AtomicInteger next = new AtomicInteger();
        try (OrderedWork<Integer, Integer> work = new OrderedWork<>(() -> next.get() < 5000 ? next.getAndIncrement() : null, i -> 1000,
                i -> 1000,
                budget, () -> i -> i, threads)) {
            for (int i = 0; i < 4000; i++) {
                assertThat(work.next()).isEqualTo(i);
            }
            assertThat(budget.reserved()).isPositive();
        }
        assertThat(budget.reserved()).isZero();
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 3})
    void anItemThatDoesNotFitIsRefusedByName(int threads) {
        Bounded budget = new Bounded(10_000_000);
        AtomicInteger next = new AtomicInteger();
        try (OrderedWork<Integer, Integer> work = new OrderedWork<>(next::getAndIncrement, i -> 1 << 20, i -> i == 7 ? 20_000_000 : 10,
                budget,
                () -> i -> i, threads)) {
            for (int i = 0; i < 7; i++) {
                assertThat(work.next()).isEqualTo(i);
            }
            assertThatThrownBy(work::next).isInstanceOf(LimitExceededException.class)
                    .hasMessageContaining("series being merged or downsampled");
        }
        assertThat(budget.reserved()).isZero();
    }

    private record Bounded(long capacity, AtomicLong used) implements MemoryBudget {
        Bounded(long capacity) {
            this(capacity, new AtomicLong());
        }

        @Override
        public void reserve(long bytes, String what) {
            if (used.addAndGet(bytes) > capacity) {
                used.addAndGet(-bytes);
                throw new LimitExceededException("test", "memory for " + what);
            }
        }

        @Override
        public void release(long bytes) {
            used.addAndGet(-bytes);
        }

        @Override
        public long reserved() {
            return used.get();
        }
    }

    @Test
    void closeEndsTheThreads() {
        AtomicInteger worked = new AtomicInteger();
        OrderedWork<Integer, Integer> work = work(Integer.MAX_VALUE, 4, i -> worked.incrementAndGet());
        work.next();
        work.close();
        int after = worked.get();
        assertThat(work.next()).satisfiesAnyOf(r -> assertThat(r).isNull(), r -> assertThat(r).isPositive());
        assertThat(worked.get()).isEqualTo(after);
    }
}

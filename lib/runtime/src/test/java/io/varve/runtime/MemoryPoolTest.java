package io.varve.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.varve.model.CancelledException;
import io.varve.model.LimitExceededException;
import io.varve.testkit.Seeds;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Never more than there is, and all of it comes back. */
class MemoryPoolTest {
    @Test
    void whateverRequestsDoThePoolHoldsWhatTheyHold() {
        Seeds.forEach(100, random -> {
            long capacity = 1 + random.nextInt(1000);
            MemoryPool pool = new MemoryPool(capacity, "test.limit");
            List<MemoryPool.Budget> open = new ArrayList<>();
            for (int i = 0; i < 300; i++) {
                if (open.isEmpty() || open.size() < 5 && random.nextInt(5) == 0) {
                    open.add(pool.open());
                }
                MemoryPool.Budget b = open.get(random.nextInt(open.size()));
                long before = pool.used();
                switch (random.nextInt(4)) {
                    case 0 -> b.release(random.nextLong(b.reserved() + 1));
                    case 1 -> {
                        b.close();
                        open.remove(b);
                        b.release(10);
                        assertThatThrownBy(() -> b.reserve(1, "more")).isInstanceOf(CancelledException.class);
                    }
                    default -> {
                        long n = random.nextInt(9) == 0 ? Long.MAX_VALUE - random.nextInt(3) : random.nextLong(capacity);
                        boolean fits = n <= capacity - before;
                        if (fits) {
                            b.reserve(n, "this");
                        } else {
                            assertThatThrownBy(() -> b.reserve(n, "this")).isInstanceOf(LimitExceededException.class)
                                    .hasMessageContaining("test.limit");
                        }
                    }
                }
                assertThat(pool.used()).isEqualTo(open.stream().mapToLong(MemoryPool.Budget::reserved).sum()).isLessThanOrEqualTo(capacity);
            }
            open.forEach(MemoryPool.Budget::close);
            assertThat(pool.used()).isZero();
        });
    }
}

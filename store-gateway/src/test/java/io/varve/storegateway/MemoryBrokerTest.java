package io.varve.storegateway;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.varve.model.CancelledException;
import io.varve.model.LimitExceededException;
import io.varve.testkit.Seeds;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** Shares, waiting and refusing. */
class MemoryBrokerTest {
    private static final long LONG = TimeUnit.MINUTES.toMillis(10);

    @Test
    void requestsThatWaitForEachOtherAreToldApart() throws Exception {
        MemoryBroker broker = new MemoryBroker(4000, 2, LONG);
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            MemoryBroker.Request first = broker.open();
            MemoryBroker.Request last = broker.open();
            first.reserve(2000, "test");
            last.reserve(2000, "test");
            Future<?> older = threads.submit(() -> first.reserve(1000, "test"));
            // Two threads of the last one: refusing one of them ends the other's waiting too.
            Future<?> a = threads.submit(() -> last.reserve(1000, "test"));
            Future<?> b = threads.submit(() -> last.reserve(500, "test"));
            for (Future<?> f : new Future<?>[]{a, b}) {
                assertThatThrownBy(() -> f.get(1, TimeUnit.MINUTES)).hasCauseInstanceOf(LimitExceededException.class)
                        .hasMessageContaining("--" + MemoryBroker.LIMIT);
            }
            assertThat(older.isDone()).isFalse();
            last.close();
            older.get(1, TimeUnit.MINUTES);
            assertThat(first.reserved()).isEqualTo(3000);
            first.close();
        }
        assertThat(broker.used()).isZero();
    }

    @Test
    void aRequestWithinItsShareNeverWaits() {
        MemoryBroker broker = new MemoryBroker(4000, 2, 1);
        try (MemoryBroker.Request greedy = broker.open(); MemoryBroker.Request ordinary = broker.open()) {
            greedy.reserve(3000, "test");
            ordinary.reserve(broker.share(), "test");
            assertThat(broker.used()).isEqualTo(broker.capacity());
            assertThatThrownBy(() -> greedy.reserve(1, "test")).isInstanceOf(LimitExceededException.class);
        }
        assertThat(broker.used()).isZero();
    }

    @Test
    void largeRequestsLeaveAQuarterOfTheSharesAndWhatIsBeyondThemIsShared() {
        MemoryBroker broker = new MemoryBroker(8000, 4, 1);
        List<MemoryBroker.Request> large = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            MemoryBroker.Request r = broker.open();
            r.large();
            large.add(r);
            r.reserve(broker.share(), "test");
        }
        // The fourth has no share: what it holds is of the common half, and so is what the others want more.
        large.getFirst().reserve(3000, "test");
        assertThatThrownBy(() -> large.getLast().reserve(1, "test")).isInstanceOf(LimitExceededException.class);
        try (MemoryBroker.Request ordinary = broker.open()) {
            ordinary.reserve(broker.share(), "test");
            assertThat(broker.used()).isEqualTo(broker.capacity());
        }
        large.getFirst().close();
        MemoryBroker.Request next = broker.open();
        next.large();
        next.reserve(broker.share(), "test");
        large.add(next);
        large.forEach(MemoryBroker.Request::close);
        assertThat(broker.used()).isZero();
    }

    @Test
    void whateverRequestsDoNothingIsLostAndNoShareIsTakenFromAnybody() {
        Seeds.forEach(100, random -> {
            int requests = 1 + random.nextInt(9);
            MemoryBroker broker = new MemoryBroker(requests * (2L + random.nextInt(1000)), requests, 0);
            List<MemoryBroker.Request> open = new ArrayList<>();
            List<MemoryBroker.Request> certain = new ArrayList<>();
            for (int i = 0; i < 300; i++) {
                if (open.isEmpty() || open.size() < 2 * requests && random.nextInt(4) == 0) {
                    MemoryBroker.Request r = broker.open();
                    open.add(r);
                    if (open.size() <= requests) {
                        // It has its share from here on, whatever the others take.
                        assertThat(r.tryReserve(0)).isTrue();
                        certain.add(r);
                    }
                    continue;
                }
                MemoryBroker.Request r = open.get(random.nextInt(open.size()));
                switch (random.nextInt(5)) {
                    case 0 -> r.release(random.nextLong(r.reserved() + 1));
                    case 1 -> {
                        r.close();
                        r.release(5);
                        assertThat(r.tryReserve(1)).isFalse();
                        assertThatThrownBy(() -> r.reserve(1, "more")).isInstanceOf(CancelledException.class);
                        open.remove(r);
                        certain.remove(r);
                    }
                    default -> {
                        long n = random.nextInt(9) == 0 ? Long.MAX_VALUE - random.nextInt(3) : random.nextLong(2 * broker.share() + 2);
                        boolean fits = certain.contains(r) && n <= broker.share() - r.reserved();
                        assertThat(r.tryReserve(n) || !fits).isTrue();
                    }
                }
                assertThat(broker.used()).isEqualTo(open.stream().mapToLong(MemoryBroker.Request::reserved).sum())
                        .isLessThanOrEqualTo(broker.capacity());
            }
            open.forEach(MemoryBroker.Request::close);
            assertThat(broker.used()).isZero();
        });
    }

    @Test
    void aRequestIsNotRefusedWhileAnotherWorks() throws Exception {
        MemoryBroker broker = new MemoryBroker(4000, 2, LONG);
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor(); MemoryBroker.Request waiting = broker.open()) {
            MemoryBroker.Request working = broker.open();
            working.reserve(3000, "test");
            Future<?> reserve = threads.submit(() -> waiting.reserve(2000, "test"));
            Thread.sleep(200);
            assertThat(reserve.isDone()).isFalse();
            working.close();
            reserve.get(1, TimeUnit.MINUTES);
        }
    }
}

package io.varve.querier.fanout;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;

import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.model.CancelledException;
import io.varve.model.Coverage;
import io.varve.model.Labels;
import io.varve.model.LimitExceededException;
import io.varve.model.QueryContext;
import io.varve.runtime.Dns;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.function.Consumer;
import java.util.function.Function;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Stores are asked side by side: none is forgotten, whatever becomes of a call, and what ends a query ends it at once. */
@Timeout(60)
class ForAllTest {
    private static final long FRAME_MILLIS = 300;

    private EndpointSet set;
    private final CountDownLatch never = new CountDownLatch(1);

    @BeforeEach
    void open() throws Exception {
        MemoryStore store = new MemoryStore(Labels.of("replica", "a"), true);
        set = new EndpointSet(List.of(new EndpointSet.Spec("a:1", false, false), new EndpointSet.Spec("b:1", false, false)),
                new EndpointSet.Config(5000, 5000, 30_000, 300_000, 120_000, List.of("store_type")), Dns.SYSTEM,
                x -> Peer.of(Objects.requireNonNull(store).client(x)), l -> l, new PrometheusRegistry());
        set.awaitFirst(10_000);
    }

    @AfterEach
    void close() throws Exception {
        never.countDown();
        set.close();
    }

    private void ask(QueryContext context, long frameTimeout, Function<String, String> call, Consumer<String> answer) {
        Fanout fanout = new Fanout(set, List.of(), frameTimeout, new PrometheusRegistry());
        List<StoreRef> stores = set.now().stores();
        assertThat(stores).hasSize(2);
        fanout.forAll(context, stores, true, "ask ", s -> call.apply(s.address()), s -> {
        }, a -> a.endsWith("!") ? List.of(a) : List.of(), answer);
    }

    private String hang() {
        try {
            never.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        return "late";
    }

    @Test
    void anErrorIsNoAnswer() {
        try (QueryContext c = QueryContext.unlimited()) {
            assertThatThrownBy(() -> ask(c, 0, a -> {
                if (a.equals("b:1")) {
                    throw new StackOverflowError("too deep");
                }
                return a;
            }, x -> {
            })).isInstanceOf(IllegalStateException.class).hasMessageContaining("too deep");
        }
    }

    @Test
    void theQuerysOwnLimitEndsItAtOnceAndAPeersDoesNot() {
        try (QueryContext c = QueryContext.unlimited()) {
            LimitExceededException own = new LimitExceededException("query.max-memory", "no memory left");
            assertThatThrownBy(() -> ask(c, 0, a -> {
                if (a.equals("b:1")) {
                    throw own;
                }
                return hang();
            }, x -> {
            })).isSameAs(own);
            assertThatThrownBy(() -> ask(c, 0, a -> a.equals("b:1") ? a : hang(), x -> {
                throw own;
            })).isSameAs(own);
            Set<String> got = ConcurrentHashMap.newKeySet();
            ask(c, 0, a -> {
                if (a.equals("b:1")) {
                    throw new LimitExceededException(LimitExceededException.ELSEWHERE, "too many series");
                }
                return a;
            }, got::add);
            assertThat(got).containsExactly("a:1");
            assertThat(c.warnings()).singleElement().asString().contains("b:1", "too many series");
        }
    }

    @Test
    void whatAStoreAnsweredInTimeIsTakenInFull() {
        try (QueryContext c = QueryContext.unlimited()) {
            StringBuffer got = new StringBuffer();
            ask(c, FRAME_MILLIS, a -> a.equals("b:1") ? a : hang(), x -> {
                try {
                    Thread.sleep(3 * FRAME_MILLIS); // a reader that is slow, not a store
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
                got.append(x);
            });
            assertThat(got).hasToString("b:1");
            assertThat(c.warnings()).singleElement().asString().contains("a:1", "failed to receive any data in 300ms");
            assertThat(c.coverage().report().complete()).isFalse();
        }
    }

    @Test
    void anAnswerWithAWarningIsNotWhole() {
        try (QueryContext c = QueryContext.unlimited()) {
            ask(c, 0, a -> a.equals("b:1") ? "half!" : a, x -> {
            });
            assertThat(c.coverage().report().complete()).isFalse();
            assertThat(c.coverage().parts()).extracting(Coverage.Part::store, Coverage.Part::outcome, Coverage.Part::detail)
                    .containsExactlyInAnyOrder(tuple("a:1", Coverage.Outcome.ANSWERED, ""),
                            tuple("b:1", Coverage.Outcome.PARTIAL, "half!"));
        }
    }

    @Test
    void anInterruptIsNoAnswer() {
        try (QueryContext c = QueryContext.unlimited()) {
            Thread.currentThread().interrupt();
            assertThatThrownBy(() -> ask(c, 0, a -> hang(), x -> {
            })).isInstanceOf(CancelledException.class);
            assertThat(Thread.interrupted()).isTrue();
        }
    }
}

package io.varve.querier.fanout;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.model.CancelledException;
import io.varve.model.Coverage;
import io.varve.model.Labels;
import io.varve.model.Matcher;
import io.varve.model.MemoryBudget;
import io.varve.model.QueryContext;
import io.varve.model.SampleBuffer;
import io.varve.model.SelectHints;
import io.varve.model.SeriesSet;
import io.varve.model.TimeRange;
import io.varve.querier.dedup.DedupFunction;
import io.varve.runtime.Dns;
import io.varve.store.ShardInfo;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** A query that waits for a store ends when it is to end, not when it next happens to look. */
class EndOfWaitingTest {
    private static final long AFTER_MILLIS = 20;

    /** How long waiting went on behind its end, in milliseconds: the shortest of a few times, as the machine may have other work. */
    private static long late(boolean deadline) throws Exception {
        MemoryStore store = new MemoryStore(Labels.of("replica", "a"), true);
        store.add(Labels.of("__name__", "m"), new SampleBuffer(1));
        long best = Long.MAX_VALUE;
        try (EndpointSet set = new EndpointSet(List.of(new EndpointSet.Spec("a:1", false, false)),
                new EndpointSet.Config(5000, 5000, 30_000, 300_000, 120_000, List.of("store_type")), Dns.SYSTEM,
                x -> Peer.of(Objects.requireNonNull(store).client(x)), l -> l, new PrometheusRegistry())) {
            set.awaitFirst(10_000);
            store.fault(MemoryStore.Fault.HANGS);
            SourceOptions options = new SourceOptions(true, List.of("replica"), DedupFunction.VARVE, false, 0, StoreFilter.ALL,
                    ShardInfo.NONE, 0, false, false, "");
            StoreSource source = new StoreSource(new Fanout(set, List.of(), 0, new PrometheusRegistry()), new ResolutionProbe(), options,
                    null, StoreSource.Observer.NONE);
            SelectHints hints = new SelectHints(new TimeRange(0, 1000), 0, 0, 0, "", false, List.of(), 0, false);
            for (int i = 0; i < 5; i++) {
                long begin = System.nanoTime();
                try (QueryContext c = new QueryContext(deadline ? AFTER_MILLIS : 60_000, MemoryBudget.UNLIMITED);
                        SeriesSet found = source.select(c, hints, List.of(Matcher.equal("__name__", "m")))) {
                    if (!deadline) {
                        CompletableFuture.runAsync(() -> c.cancel(new CancelledException(CancelledException.Reason.CANCELED, "gone")),
                                CompletableFuture.delayedExecutor(AFTER_MILLIS, TimeUnit.MILLISECONDS));
                    }
                    assertThatThrownBy(found::next).isInstanceOf(CancelledException.class)
                            .hasMessageContaining(deadline ? "its time was over while it read from a:1" : "gone");
                    if (deadline) {
                        assertThat(c.coverage().report().stores()).singleElement()
                                .matches(s -> s.address().equals("a:1") && s.outcome() == Coverage.Outcome.FAILED
                                        && s.detail().equals("had not answered in full when the query's time was over"));
                    }
                }
                best = Math.min(best, TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - begin) - AFTER_MILLIS);
            }
        }
        return best;
    }

    @Test
    void atTheDeadline() throws Exception {
        assertThat(late(true)).isBetween(0L, 100L);
    }

    @Test
    void whenItIsCancelled() throws Exception {
        assertThat(late(false)).isBetween(-1L, 100L);
    }
}

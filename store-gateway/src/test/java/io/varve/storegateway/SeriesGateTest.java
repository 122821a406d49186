package io.varve.storegateway;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.chunk.Chunk;
import io.varve.model.CancelledException;
import io.varve.model.Labels;
import io.varve.model.LimitExceededException;
import io.varve.model.Matcher;
import io.varve.model.MemoryBudget;
import io.varve.model.QueryContext;
import io.varve.objstore.MemoryBucket;
import io.varve.store.Aggregate;
import io.varve.store.SeriesRequest;
import io.varve.store.SeriesSink;
import io.varve.store.ShardInfo;
import io.varve.store.StoreSeries;
import io.varve.testkit.Seeds;
import io.varve.tsdb.Ulid;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class SeriesGateTest {
    private static final long LARGE = SeriesGate.LARGE + 1;

    private final SeriesGate gate = new SeriesGate(8, 60_000, new PrometheusRegistry());
    private final QueryContext context = QueryContext.unlimited();

    /** A call that waits; returns once it is in line. */
    private CompletableFuture<SeriesGate.Turn> waiting(long series) {
        CompletableFuture<SeriesGate.Turn> in = new CompletableFuture<>();
        int before = gate.waiting();
        Thread.ofVirtual().start(() -> {
            try {
                in.complete(gate.enter(context, series));
            } catch (RuntimeException e) {
                in.completeExceptionally(e);
            }
        });
        while (gate.waiting() == before && !in.isDone()) {
            Thread.onSpinWait();
        }
        return in;
    }

    @Test
    void largeCallsLeaveAQuarterToSmallOnes() {
        List<SeriesGate.Turn> in = new ArrayList<>();
        for (int i = 0; i < 6; i++) {
            in.add(gate.enter(context, LARGE));
        }
        CompletableFuture<SeriesGate.Turn> seventh = waiting(LARGE);
        assertThat(seventh).isNotDone();
        try (SeriesGate.Turn a = gate.enter(context, 1); SeriesGate.Turn b = gate.enter(context, 1)) {
            assertThat(a).isNotSameAs(b);
            CompletableFuture<SeriesGate.Turn> small = waiting(1);
            assertThat(small).isNotDone();
            in.getFirst().close();
            small.join().close();
            seventh.join().close();
        }
        in.subList(1, 6).forEach(SeriesGate.Turn::close);
        assertThat(gate.waiting()).isZero();
    }

    @Test
    void smallCallsDoNotKeepLargeOnesOutOfTheirHalf() {
        List<SeriesGate.Turn> in = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            in.add(gate.enter(context, 1));
        }
        CompletableFuture<SeriesGate.Turn> large = waiting(LARGE);
        CompletableFuture<SeriesGate.Turn> small = waiting(1);
        in.getFirst().close();
        SeriesGate.Turn turn = large.join();
        assertThat(small).isNotDone();
        turn.close();
        small.join().close();
        in.subList(1, 8).forEach(SeriesGate.Turn::close);
    }

    @Test
    void whoWaitsForAReaderLetsOthersInAndIsTheNextOfItsSize() throws Exception {
        SeriesGate one = new SeriesGate(1, 60_000, new PrometheusRegistry());
        List<String> order = new ArrayList<>();
        CompletableFuture<Boolean> reader = new CompletableFuture<>();
        CompletableFuture<Boolean> paused = new CompletableFuture<>();
        Thread first = Thread.ofVirtual().start(() -> {
            try (SeriesGate.Turn turn = one.enter(context, LARGE)) {
                turn.pause(context, () -> {
                    paused.complete(true);
                    reader.join();
                });
                order.add("first");
            }
        });
        paused.join();
        Thread last;
        try (SeriesGate.Turn second = one.enter(context, LARGE)) {
            assertThat(second).isNotNull();
            last = Thread.ofVirtual().start(() -> {
                try (SeriesGate.Turn turn = one.enter(context, LARGE)) {
                    order.add("last " + (turn != second));
                }
            });
            while (one.waiting() < 1) {
                Thread.onSpinWait();
            }
            reader.complete(true);
            while (one.waiting() < 2) {
                Thread.onSpinWait();
            }
        }
        first.join();
        last.join();
        assertThat(order).containsExactly("first", "last true");
    }

    @Test
    void aReaderMayReadTheAnswerToItsSecondCallFirst() throws Exception {
        MemoryBucket bucket = new MemoryBucket("two calls");
        TestBlocks blocks = new TestBlocks(bucket);
        var random = Seeds.random(3);
        TreeMap<Labels, List<Chunk>> series = new TreeMap<>();
        for (int i = 0; i < 10; i++) {
            series.put(Labels.of("__name__", "m", "i", "x" + i), TestBlocks.floats(0, 10_000, 10, 10, random));
        }
        blocks.put(Ulid.of(1_700_000_000_000L, random), Labels.of("c", "1"), 0, 1000_000, series, 1 << 20, true);
        SeriesRequest request = new SeriesRequest(0, 1000_000, List.of(Matcher.equal("__name__", "m")), 0, EnumSet.allOf(Aggregate.class),
                false, false, List.of(), List.of(), ShardInfo.NONE, 0, 1, SeriesRequest.Spans.ALL);
        try (TestGateway g = new TestGateway(bucket, TestGateway.Setup.DEFAULT.memory(256 << 20, 1))) {
            CompletableFuture<Boolean> second = new CompletableFuture<>();
            CompletableFuture<Boolean> waits = new CompletableFuture<>();
            AtomicInteger got = new AtomicInteger();
            Thread first = Thread.ofVirtual().start(() -> g.store.series(context, request, new SeriesSink() {
                @Override
                public boolean ready(long millis) {
                    return second.isDone();
                }

                @Override
                public void series(StoreSeries s) {
                    waits.complete(true);
                    second.join();
                    got.incrementAndGet();
                }

                @Override
                public void warning(String text) {
                    throw new AssertionError(text);
                }

                @Override
                public void queriedBlocks(List<String> ids) {
                    // Not of interest.
                }
            }));
            waits.join();
            assertThat(g.series(request).lines()).hasSize(10);
            second.complete(true);
            first.join();
            assertThat(got).hasValue(10);
        }
    }

    @Test
    void whoWaitsTooLongOrIsCancelledLeavesTheLine() {
        SeriesGate one = new SeriesGate(1, 1, new PrometheusRegistry());
        try (SeriesGate.Turn turn = one.enter(context, LARGE)) {
            assertThat(turn).isNotNull();
            assertThatThrownBy(() -> one.enter(context, 1)).isInstanceOf(LimitExceededException.class)
                    .hasMessage("exceeded concurrency limit: 1 Series calls (--store.grpc.series-max-concurrency) are running, none ended"
                            + " within 1 ms");
            assertThat(one.waiting()).isZero();
        }
        try (QueryContext over = new QueryContext(0, MemoryBudget.UNLIMITED)) {
            over.cancel(new CancelledException(CancelledException.Reason.CANCELED, "left"));
            SeriesGate patient = new SeriesGate(1, 60_000, new PrometheusRegistry());
            try (SeriesGate.Turn turn = patient.enter(context, 1)) {
                assertThat(turn).isNotNull();
                assertThatThrownBy(() -> patient.enter(over, 1)).isInstanceOf(CancelledException.class);
                assertThat(patient.waiting()).isZero();
            }
            patient.enter(context, 1).close();
        }
    }

    @Test
    void zeroIsNoBound() {
        SeriesGate open = new SeriesGate(0, 1, new PrometheusRegistry());
        for (int i = 0; i < 1000; i++) {
            assertThat(open.enter(context, LARGE)).isNotNull();
        }
    }
}

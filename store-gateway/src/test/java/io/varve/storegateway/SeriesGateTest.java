package io.varve.storegateway;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.model.CancelledException;
import io.varve.model.LimitExceededException;
import io.varve.model.MemoryBudget;
import io.varve.model.QueryContext;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
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

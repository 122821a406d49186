package io.varve.storegateway;

import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.Gauge;
import io.prometheus.metrics.core.metrics.Histogram;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.model.CancelledException;
import io.varve.model.LimitExceededException;
import io.varve.model.QueryContext;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;

/** Lets so many calls run at a time; others wait in order, for a while. Safe for many threads. */
final class SeriesGate {
    static final String LIMIT = "store.grpc.series-max-concurrency";
    private static final long SLICE_MILLIS = 200;

    private final Semaphore slots;
    private final int max;
    private final long waitMillis;
    private final Gauge inFlight;
    private final Counter total;
    private final Histogram waited;

    /**
     * @param max calls at a time, 0 or less for no bound
     * @param waitMillis how long a call waits
     */
    SeriesGate(int max, long waitMillis, PrometheusRegistry registry) {
        this.max = max;
        this.slots = new Semaphore(max <= 0 ? Integer.MAX_VALUE : max, true);
        this.waitMillis = waitMillis;
        Gauge limit = Gauge.builder().name("thanos_bucket_store_series_gate_queries_max").help("Maximum number of concurrent queries.")
                .register(registry);
        limit.set(max);
        inFlight = Gauge.builder().name("thanos_bucket_store_series_gate_queries_in_flight")
                .help("Number of queries that are currently in flight.")
                .register(registry);
        total = Counter.builder().name("thanos_bucket_store_series_gate_queries_total").help("Total number of queries.").register(registry);
        double[] bounds = {0.01, 0.1, 0.3, 0.6, 1, 3, 6, 9, 20, 30, 60, 90, 120};
        waited = Histogram.builder().name("thanos_bucket_store_series_gate_queries_duration_seconds").classicOnly()
                .help("How many seconds it took for queries to wait at the gate.").classicUpperBounds(bounds).register(registry);
    }

    /** Waits for a place. */
    void enter(QueryContext context) {
        long start = System.nanoTime();
        try {
            while (!slots.tryAcquire(Math.min(SLICE_MILLIS, waitMillis), TimeUnit.MILLISECONDS)) {
                context.check();
                if (System.nanoTime() - start >= TimeUnit.MILLISECONDS.toNanos(waitMillis)) {
                    throw new LimitExceededException(LIMIT, "exceeded concurrency limit: " + max + " Series calls (--" + LIMIT
                            + ") are running, none ended within " + waitMillis + " ms");
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CancelledException(CancelledException.Reason.CANCELED, "context canceled");
        } finally {
            waited.observe((System.nanoTime() - start) / 1e9);
        }
        total.inc();
        inFlight.inc();
    }

    /** Gives the place back. */
    void leave() {
        inFlight.dec();
        slots.release();
    }
}

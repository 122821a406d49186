package io.varve.storegateway;

import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.Gauge;
import io.prometheus.metrics.core.metrics.Histogram;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.model.CancelledException;
import io.varve.model.LimitExceededException;
import io.varve.model.QueryContext;
import java.util.ArrayDeque;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Lets so many calls run at a time; others wait, for a while. A quarter of the places is for small calls, which also overtake large ones
 * once those have half of the places: so what looks at few series does not wait until those who look at all of them have been served. Among
 * themselves calls are let in by their arrival. A call gives its place up while it waits for its reader: a reader of several streams may wait for
 * one that has no place yet. Safe for many threads.
 */
final class SeriesGate {
    static final String LIMIT = "store.grpc.series-max-concurrency";
    /** Series that a call may have to look at, over all blocks, before it is a large one. */
    static final long LARGE = 20_000;
    private static final long SLICE_NANOS = 200_000_000;

    private final int max;
    private final int maxLarge;
    private final long waitMillis;
    private final ReentrantLock lock = new ReentrantLock();
    private final ArrayDeque<Turn> small = new ArrayDeque<>();
    private final ArrayDeque<Turn> large = new ArrayDeque<>();
    private long arrived;
    private int running;
    private int runningLarge;
    private final Gauge inFlight;
    private final Counter total;
    private final Histogram waited;

    /** A call's place, from when it is let in until it is closed. One thread at a time. */
    final class Turn implements AutoCloseable {
        private final boolean isLarge;
        private final long number = arrived++;
        private final Condition changed = lock.newCondition();
        private boolean in;

        private Turn(boolean isLarge) {
            this.isLarge = isLarge;
        }

        /** Whether it is one that may have to look at many series. */
        boolean isLarge() {
            return isLarge;
        }

        /** Gives the place up for as long as work takes that does not compute; then it is the next of its size to get one. */
        void pause(QueryContext context, Runnable work) {
            leave();
            work.run();
            lock.lock();
            try {
                (isLarge ? large : small).addFirst(this);
                await(this, context, Long.MAX_VALUE);
            } finally {
                lock.unlock();
            }
        }

        @Override
        public void close() {
            inFlight.dec();
            leave();
        }

        private void leave() {
            lock.lock();
            try {
                if (in) {
                    in = false;
                    running--;
                    runningLarge -= isLarge ? 1 : 0;
                    letIn();
                }
            } finally {
                lock.unlock();
            }
        }
    }

    /**
     * @param max calls at a time, 0 or less for no bound
     * @param waitMillis how long a call waits
     */
    SeriesGate(int max, long waitMillis, PrometheusRegistry registry) {
        this.max = max <= 0 ? Integer.MAX_VALUE : max;
        this.maxLarge = this.max - this.max / 4;
        this.waitMillis = waitMillis;
        Gauge limit = Gauge.builder().name("thanos_bucket_store_series_gate_queries_max").help("Maximum number of concurrent queries.")
                .register(registry);
        limit.set(max);
        inFlight = Gauge.builder().name("thanos_bucket_store_series_gate_queries_in_flight")
                .help("Number of queries that are currently in flight.")
                .register(registry);
        total = Counter.builder().name("thanos_bucket_store_series_gate_queries_total").help("Total number of queries.").register(registry);
        double[] bounds = {0.01, 0.1, 0.3, 0.6, 1, 3, 6, 9, 20, 30, 60, 90, 120, 240, 360, 720};
        waited = Histogram.builder().name("thanos_bucket_store_series_gate_queries_duration_seconds").classicOnly()
                .help("How many seconds it took for queries to wait at the gate.").classicUpperBounds(bounds).register(registry);
    }

    /**
     * Waits for a place.
     *
     * @param series how many the call may have to look at
     */
    Turn enter(QueryContext context, long series) {
        long start = System.nanoTime();
        lock.lock();
        try {
            Turn turn = new Turn(series > LARGE);
            (turn.isLarge ? large : small).add(turn);
            await(turn, context, start + TimeUnit.MILLISECONDS.toNanos(waitMillis));
            total.inc();
            inFlight.inc();
            return turn;
        } finally {
            lock.unlock();
            waited.observe((System.nanoTime() - start) / 1e9);
        }
    }

    private void await(Turn turn, QueryContext context, long deadlineNanos) {
        letIn();
        try {
            while (!turn.in) {
                long left = deadlineNanos == Long.MAX_VALUE ? Long.MAX_VALUE : deadlineNanos - System.nanoTime();
                if (left <= 0) {
                    throw new LimitExceededException(LIMIT, "exceeded concurrency limit: " + max + " Series calls (--" + LIMIT
                            + ") are running, none ended within " + waitMillis + " ms");
                }
                turn.changed.awaitNanos(Math.min(left, SLICE_NANOS));
                if (!turn.in) {
                    context.check();
                }
            }
        } catch (InterruptedException e) {
            turn.leave();
            Thread.currentThread().interrupt();
            throw new CancelledException(CancelledException.Reason.CANCELED, "context canceled");
        } finally {
            if (!turn.in) {
                (turn.isLarge ? large : small).remove(turn);
            }
        }
    }

    /** Calls that wait. */
    int waiting() {
        lock.lock();
        try {
            return small.size() + large.size();
        } finally {
            lock.unlock();
        }
    }

    /** Gives away places that are free. */
    private void letIn() {
        while (running < max) {
            Turn s = small.peek();
            Turn l = runningLarge < maxLarge ? large.peek() : null;
            boolean takeLarge = l != null && (s == null || runningLarge < max / 2 && l.number < s.number);
            Turn next = takeLarge ? large.poll() : small.poll();
            if (next == null) {
                return;
            }
            next.in = true;
            running++;
            runningLarge += next.isLarge ? 1 : 0;
            next.changed.signal();
        }
    }
}

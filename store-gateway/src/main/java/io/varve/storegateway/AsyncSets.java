package io.varve.storegateway;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A bounded queue of values to be stored, and the threads that store them; what does not fit is dropped and counted. */
final class AsyncSets implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(AsyncSets.class);

    /** Stores values; may fail. */
    interface Store {
        void set(List<Job> jobs) throws Exception;
    }

    /** A value to be stored. */
    record Job(String key, byte[] value, long ttlSeconds) {
    }

    private final BlockingQueue<Job> queue;
    private final int batch;
    private final SetBreaker breaker;
    private final CacheMetrics.Client metrics;
    private final Thread[] threads;

    /**
     * @param capacity values that wait at most
     * @param concurrency batches stored at a time
     * @param batch values stored together at most
     */
    AsyncSets(int capacity, int concurrency, int batch, SetBreaker breaker, CacheMetrics.Client metrics, Store store) {
        this.queue = new ArrayBlockingQueue<>(Math.max(1, capacity));
        this.batch = batch;
        this.breaker = breaker;
        this.metrics = metrics;
        this.threads = new Thread[Math.max(1, concurrency)];
        for (int i = 0; i < threads.length; i++) {
            threads[i] = Thread.ofVirtual().name("cache set " + i).start(() -> run(store));
        }
    }

    void add(String key, byte[] value, long ttlSeconds) {
        if (!queue.offer(new Job(key, value, ttlSeconds))) {
            metrics.skipped("set", "async-buffer-full", 1);
        }
    }

    private void run(Store store) {
        try {
            while (true) {
                List<Job> jobs = new ArrayList<>();
                jobs.add(queue.take());
                queue.drainTo(jobs, batch - 1);
                if (!breaker.mayTry()) {
                    metrics.skipped("set", "circuit-breaker-open", jobs.size());
                    continue;
                }
                metrics.tried("set", jobs.size());
                long start = System.nanoTime();
                boolean worked = false;
                try {
                    store.set(jobs);
                    worked = true;
                    metrics.took("set", start);
                } catch (InterruptedException e) {
                    throw e;
                } catch (Exception e) {
                    metrics.failed("set", CacheMetrics.Reason.of(e), jobs.size());
                    LOG.atDebug().addKeyValue("err", e.toString()).log("value is not cached");
                } finally {
                    breaker.done(worked);
                }
            }
        } catch (InterruptedException e) {
            // The process ends.
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public void close() {
        for (Thread t : threads) {
            t.interrupt();
        }
    }
}

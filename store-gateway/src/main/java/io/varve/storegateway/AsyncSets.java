package io.varve.storegateway;

import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A bounded queue of values to be stored, and the threads that store them; what does not fit is dropped and counted. */
final class AsyncSets implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(AsyncSets.class);

    /** Stores one value; may fail. */
    interface Store {
        void set(String key, byte[] value, long ttlSeconds) throws Exception;
    }

    private record Job(String key, byte[] value, long ttlSeconds) {
    }

    private final BlockingQueue<Job> queue;
    private final CacheMetrics metrics;
    private final Thread[] threads;

    AsyncSets(int capacity, int concurrency, CacheMetrics metrics, Store store) {
        this.queue = new ArrayBlockingQueue<>(Math.max(1, capacity));
        this.metrics = metrics;
        this.threads = new Thread[Math.max(1, concurrency)];
        for (int i = 0; i < threads.length; i++) {
            threads[i] = Thread.ofVirtual().name("cache set " + i).start(() -> run(store));
        }
    }

    void add(String key, byte[] value, long ttlSeconds) {
        if (!queue.offer(new Job(key, value, ttlSeconds))) {
            metrics.skipped.labelValues("set", "queue-full").inc();
        }
    }

    private void run(Store store) {
        try {
            while (true) {
                Job j = queue.take();
                metrics.operations.labelValues("set").inc();
                long start = System.nanoTime();
                try {
                    store.set(j.key, j.value, j.ttlSeconds);
                    metrics.seconds.labelValues("set").observe((System.nanoTime() - start) / 1e9);
                } catch (InterruptedException e) {
                    throw e;
                } catch (Exception e) {
                    metrics.failures.labelValues("set").inc();
                    LOG.atDebug().addKeyValue("err", e.toString()).log("value is not cached");
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

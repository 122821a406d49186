package io.varve.storegateway;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.atomic.AtomicLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A queue of values to be stored, and the threads that store them. It is bounded by their number and by the bytes of all that wait or are
 * being stored; what does not fit is dropped and counted.
 */
final class AsyncSets implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(AsyncSets.class);

    /** Stores values; may fail. */
    interface Store {
        void set(List<Job> jobs) throws Exception;
    }

    /** A value to be stored. */
    record Job(String key, byte[] value, long ttlSeconds) {
        long bytes() {
            return OVERHEAD + key.length() + value.length;
        }
    }

    /** Keys, nodes and whatever else a value has around it. */
    private static final long OVERHEAD = 200;
    private static final long MOST_BYTES = 256L << 20;

    private final BlockingQueue<Job> queue;
    private final long maxBytes;
    private final AtomicLong bytes = new AtomicLong();
    private final int batch;
    private final SetBreaker breaker;
    private final CacheMetrics.Client metrics;
    private final Thread[] threads;

    /**
     * @param capacity values that wait at most
     * @param maxBytes bytes of values and keys at most, see {@link #usualBytes}
     * @param concurrency batches stored at a time
     * @param batch values stored together at most
     */
    AsyncSets(int capacity, long maxBytes, int concurrency, int batch, SetBreaker breaker, CacheMetrics.Client metrics, Store store) {
        this.queue = new ArrayBlockingQueue<>(Math.max(1, capacity));
        this.maxBytes = maxBytes;
        this.batch = batch;
        this.breaker = breaker;
        this.metrics = metrics;
        this.threads = new Thread[Math.max(1, concurrency)];
        for (int i = 0; i < threads.length; i++) {
            threads[i] = Thread.ofVirtual().name("cache set " + i).start(() -> run(store));
        }
    }

    /** A sixteenth of the heap, at most 256 MiB: ten thousand values of a megabyte, which the usual number allows, are more than most heaps. */
    static long usualBytes() {
        return Math.min(MOST_BYTES, Runtime.getRuntime().maxMemory() / 16);
    }

    void add(String key, byte[] value, long ttlSeconds) {
        Job job = new Job(key, value, ttlSeconds);
        if (bytes.addAndGet(job.bytes()) > maxBytes || !queue.offer(job)) {
            bytes.addAndGet(-job.bytes());
            metrics.skipped("set", "async-buffer-full", 1);
        }
    }

    /** Bytes of what waits or is being stored. */
    long bytes() {
        return bytes.get();
    }

    private void run(Store store) {
        try {
            while (true) {
                List<Job> jobs = new ArrayList<>();
                jobs.add(queue.take());
                queue.drainTo(jobs, batch - 1);
                try {
                    store(store, jobs);
                } catch (InterruptedException e) {
                    throw e;
                } catch (Throwable t) {
                    // The next value may be stored all the same.
                    LOG.atError().setCause(t).log("storing values in a cache failed");
                } finally {
                    bytes.addAndGet(-jobs.stream().mapToLong(Job::bytes).sum());
                }
            }
        } catch (InterruptedException e) {
            // The process ends.
            Thread.currentThread().interrupt();
        }
    }

    private void store(Store store, List<Job> jobs) throws InterruptedException {
        if (!breaker.mayTry()) {
            metrics.skipped("set", "circuit-breaker-open", jobs.size());
            return;
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

    @Override
    public void close() {
        for (Thread t : threads) {
            t.interrupt();
        }
    }
}

package io.varve.runtime;

import io.varve.model.LimitExceededException;
import io.varve.model.MemoryBudget;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The memory that a process may spend on requests, shared by all of them. Each request opens a budget and closes it, which gives back what it still
 * holds. Safe for many threads.
 */
public final class MemoryPool {
    private final long capacity;
    private final String limit;
    private final AtomicLong used = new AtomicLong();

    /**
     * @param capacityBytes for all requests together
     * @param limit the name of the limit, for refusals
     */
    public MemoryPool(long capacityBytes, String limit) {
        this.capacity = capacityBytes;
        this.limit = limit;
    }

    /** Bytes reserved by all requests. */
    public long used() {
        return used.get();
    }

    /** A budget for one request, to be closed. */
    public Budget open() {
        return new Budget();
    }

    /** One request's part. Safe for many threads. */
    public final class Budget implements MemoryBudget, AutoCloseable {
        private final AtomicLong mine = new AtomicLong();

        private Budget() {
        }

        @Override
        public void reserve(long bytes, String what) {
            long now = used.addAndGet(bytes);
            if (now > capacity) {
                used.addAndGet(-bytes);
                throw new LimitExceededException(limit, "memory for " + what + ": " + bytes + " bytes more would exceed " + limit + " of "
                        + capacity + " bytes, " + (now - bytes) + " are in use");
            }
            mine.addAndGet(bytes);
        }

        @Override
        public void release(long bytes) {
            mine.addAndGet(-bytes);
            used.addAndGet(-bytes);
        }

        @Override
        public long reserved() {
            return mine.get();
        }

        @Override
        public void close() {
            used.addAndGet(-mine.getAndSet(0));
        }
    }
}

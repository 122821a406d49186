package io.varve.runtime;

import io.varve.model.CancelledException;
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
        private long mine;
        private boolean closed;

        private Budget() {
        }

        @Override
        public synchronized void reserve(long bytes, String what) {
            if (closed) {
                throw new CancelledException(CancelledException.Reason.CANCELED, "the request has ended and gets no memory for " + what);
            }
            long now;
            do {
                now = used.get();
                if (bytes > capacity - now) {
                    throw new LimitExceededException(limit,
                            "memory for " + what + ": " + bytes + " bytes more would exceed " + limit + " of "
                                    + capacity + " bytes, " + now + " are in use");
                }
            } while (!used.compareAndSet(now, now + bytes));
            mine += bytes;
        }

        /** What comes after {@link #close} was given back by it. */
        @Override
        public synchronized void release(long bytes) {
            if (!closed) {
                mine -= bytes;
                used.addAndGet(-bytes);
            }
        }

        @Override
        public synchronized long reserved() {
            return mine;
        }

        @Override
        public synchronized void close() {
            closed = true;
            used.addAndGet(-mine);
            mine = 0;
        }
    }
}

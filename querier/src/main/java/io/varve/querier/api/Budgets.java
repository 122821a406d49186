package io.varve.querier.api;

import io.varve.model.CancelledException;
import io.varve.model.LimitExceededException;
import io.varve.model.MemoryBudget;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Memory of all queries together, and of each. Half of it is cut into equal shares, one for each query that may run at once, so that an
 * ordinary query is not refused because of a greedy one; what a query needs beyond its share comes from the other half. Safe for many
 * threads.
 */
public final class Budgets {
    private final long processBytes;
    private final long queryBytes;
    private final int shares;
    private final long shareBytes;
    private final AtomicInteger taken = new AtomicInteger();
    /** What queries hold beyond their shares. */
    private final AtomicLong common = new AtomicLong();
    private final AtomicLong used = new AtomicLong();

    /**
     * @param processBytes for all queries together, 0 = no bound
     * @param queryBytes for one query, 0 = no bound of its own
     * @param shares how many queries have a share; what is opened while all are taken has none
     */
    public Budgets(long processBytes, long queryBytes, int shares) {
        this.processBytes = processBytes;
        this.queryBytes = queryBytes;
        this.shares = shares;
        this.shareBytes = processBytes / 2 / Math.max(1, shares);
    }

    /** Bytes reserved now. */
    public long used() {
        return used.get();
    }

    /** A query's budget. What it still holds when it ends is given back by {@link QueryBudget#close}. */
    public QueryBudget open() {
        boolean share = taken.incrementAndGet() <= shares;
        if (!share) {
            taken.decrementAndGet();
        }
        return new QueryBudget(share ? shareBytes : 0, share);
    }

    /** One query's. Its threads share it one after the other. */
    public final class QueryBudget implements MemoryBudget, AutoCloseable {
        private final long share;
        private final boolean holdsShare;
        private long own;
        private long peak;
        private boolean closed;

        private QueryBudget(long share, boolean holdsShare) {
            this.share = share;
            this.holdsShare = holdsShare;
        }

        @Override
        public synchronized void reserve(long bytes, String what) {
            if (closed) {
                throw new CancelledException(CancelledException.Reason.CANCELED, "the query has ended and gets no memory for " + what);
            }
            if (queryBytes > 0 && own + bytes > queryBytes) {
                throw new LimitExceededException("query.max-memory-per-query", "query needs more than " + queryBytes + " bytes for " + what
                        + " (limit --query.max-memory-per-query, " + own + " in use); ask for fewer series or a shorter range");
            }
            long beyond = beyond(own + bytes) - beyond(own);
            long all = common.addAndGet(beyond);
            if (processBytes > 0 && beyond > 0 && all > processBytes - shareBytes * shares) {
                common.addAndGet(-beyond);
                throw new LimitExceededException("query.max-memory",
                        "no memory left for " + what + ": all queries together would hold more than "
                                + processBytes + " bytes, of which each has " + shareBytes + " for certain (limit --query.max-memory, "
                                + used.get() + " in use, " + own + " by this query)");
            }
            own += bytes;
            peak = Math.max(peak, own);
            used.addAndGet(bytes);
        }

        /** How much of so many bytes lies beyond the share. */
        private long beyond(long bytes) {
            return Math.max(0, bytes - share);
        }

        /** What comes after {@link #close} was given back by it. */
        @Override
        public synchronized void release(long bytes) {
            if (!closed) {
                // First what is shown, then what others wait for: what they take must not be counted beside it.
                used.addAndGet(-bytes);
                common.addAndGet(beyond(own - bytes) - beyond(own));
                own -= bytes;
            }
        }

        @Override
        public synchronized long reserved() {
            return own;
        }

        /** Most bytes held at once. */
        public synchronized long peak() {
            return peak;
        }

        /** Gives back what is still reserved, and the share. */
        @Override
        public synchronized void close() {
            if (!closed) {
                release(own);
                closed = true;
                if (holdsShare) {
                    taken.decrementAndGet();
                }
            }
        }
    }
}

package io.varve.querier.api;

import io.varve.model.LimitExceededException;
import io.varve.model.MemoryBudget;
import java.util.concurrent.atomic.AtomicBoolean;
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

    /** One query's. */
    public final class QueryBudget implements MemoryBudget, AutoCloseable {
        private final long share;
        private final AtomicBoolean holdsShare;
        private final AtomicLong own = new AtomicLong();
        private final AtomicLong peak = new AtomicLong();

        private QueryBudget(long share, boolean holdsShare) {
            this.share = share;
            this.holdsShare = new AtomicBoolean(holdsShare);
        }

        @Override
        public void reserve(long bytes, String what) {
            long mine = own.addAndGet(bytes);
            long beyond = beyond(mine, bytes);
            if (queryBytes > 0 && mine > queryBytes) {
                common.addAndGet(beyond);
                giveBack(bytes);
                throw new LimitExceededException("query.max-memory-per-query", "query needs more than " + queryBytes + " bytes for " + what
                        + " (limit --query.max-memory-per-query, " + (mine - bytes) + " in use); ask for fewer series or a shorter range");
            }
            long all = common.addAndGet(beyond);
            if (processBytes > 0 && beyond > 0 && all > processBytes - shareBytes * shares) {
                giveBack(bytes);
                throw new LimitExceededException("query.max-memory",
                        "no memory left for " + what + ": all queries together would hold more than "
                                + processBytes + " bytes, of which each has " + shareBytes + " for certain (limit --query.max-memory, "
                                + used.get() + " in use, " + (mine - bytes) + " by this query)");
            }
            used.addAndGet(bytes);
            peak.accumulateAndGet(mine, Math::max);
        }

        /** How much of a change by {@code bytes} to {@code now} lies beyond the share. Sums up rightly in whatever order changes come. */
        private long beyond(long now, long bytes) {
            return Math.max(0, now - share) - Math.max(0, now - bytes - share);
        }

        private void giveBack(long bytes) {
            common.addAndGet(beyond(own.addAndGet(-bytes), -bytes));
        }

        @Override
        public void release(long bytes) {
            used.addAndGet(-bytes);
            giveBack(bytes);
        }

        @Override
        public long reserved() {
            return own.get();
        }

        /** Most bytes held at once. */
        public long peak() {
            return peak.get();
        }

        /** Gives back what is still reserved, and the share. */
        @Override
        public void close() {
            release(own.get());
            if (holdsShare.getAndSet(false)) {
                taken.decrementAndGet();
            }
        }
    }
}

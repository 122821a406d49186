package io.varve.querier.api;

import io.varve.model.LimitExceededException;
import io.varve.model.MemoryBudget;
import java.util.concurrent.atomic.AtomicLong;

/** Memory of all queries together, and of each. Safe for many threads. */
public final class Budgets {
    private final long processBytes;
    private final long queryBytes;
    private final AtomicLong used = new AtomicLong();

    /**
     * @param processBytes for all queries together, 0 = no bound
     * @param queryBytes for one query, 0 = no bound of its own
     */
    public Budgets(long processBytes, long queryBytes) {
        this.processBytes = processBytes;
        this.queryBytes = queryBytes;
    }

    /** Bytes reserved now. */
    public long used() {
        return used.get();
    }

    /** A query's budget. What it still holds when it ends is given back by {@link QueryBudget#close}. */
    public QueryBudget open() {
        return new QueryBudget();
    }

    /** One query's. */
    public final class QueryBudget implements MemoryBudget, AutoCloseable {
        private final AtomicLong own = new AtomicLong();
        private final AtomicLong peak = new AtomicLong();

        private QueryBudget() {
        }

        @Override
        public void reserve(long bytes, String what) {
            long mine = own.addAndGet(bytes);
            if (queryBytes > 0 && mine > queryBytes) {
                own.addAndGet(-bytes);
                throw new LimitExceededException("query.max-memory-per-query", "query needs more than " + queryBytes + " bytes for " + what
                        + " (limit --query.max-memory-per-query, " + (mine - bytes) + " in use); ask for fewer series or a shorter range");
            }
            long all = used.addAndGet(bytes);
            if (processBytes > 0 && all > processBytes) {
                used.addAndGet(-bytes);
                own.addAndGet(-bytes);
                throw new LimitExceededException("query.max-memory",
                        "no memory left for " + what + ": all queries together would hold more than "
                                + processBytes + " bytes (limit --query.max-memory, " + (all - bytes) + " in use)");
            }
            peak.accumulateAndGet(mine, Math::max);
        }

        @Override
        public void release(long bytes) {
            own.addAndGet(-bytes);
            used.addAndGet(-bytes);
        }

        @Override
        public long reserved() {
            return own.get();
        }

        /** Most bytes held at once. */
        public long peak() {
            return peak.get();
        }

        /** Gives back what is still reserved. */
        @Override
        public void close() {
            used.addAndGet(-own.getAndSet(0));
        }
    }
}

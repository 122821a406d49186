package io.varve.querier.api;

import io.varve.model.CancelledException;
import io.varve.model.LimitExceededException;
import io.varve.model.MemoryBudget;

/**
 * Memory of all queries together, and of each. Half of it is cut into equal shares, one for each query that may run at once, so that an
 * ordinary query is not refused because of a greedy one; what a query needs beyond its share comes from the other half. A query takes a share
 * with its first reservation, not while it waits for its turn; the last quarter of the shares is not for large queries, of which more wait
 * with what they hold than run. Safe for many threads.
 */
public final class Budgets {
    private final long processBytes;
    private final long queryBytes;
    private final long shareBytes;
    private final long commonBytes;
    private final int kept;
    private int sharesLeft;
    /** What queries hold beyond their shares. */
    private long common;
    private long used;

    /**
     * @param processBytes for all queries together, 0 = no bound
     * @param queryBytes for one query, 0 = no bound of its own
     * @param shares how many queries have a share; what reserves while all are taken has none
     */
    public Budgets(long processBytes, long queryBytes, int shares) {
        this.processBytes = processBytes;
        this.queryBytes = queryBytes;
        this.shareBytes = processBytes / 2 / Math.max(1, shares);
        this.commonBytes = processBytes <= 0 ? Long.MAX_VALUE : processBytes - shareBytes * shares;
        this.sharesLeft = shares;
        this.kept = shares / 4;
    }

    /** Bytes reserved now. */
    public synchronized long used() {
        return used;
    }

    /** A query's budget. What it still holds when it ends is given back by {@link QueryBudget#close}. */
    public QueryBudget open() {
        return new QueryBudget();
    }

    /** One query's. Safe for its threads. */
    public final class QueryBudget implements MemoryBudget, AutoCloseable {
        private boolean holdsShare;
        private boolean large;
        private long own;
        private long peak;
        private boolean closed;

        private QueryBudget() {
        }

        @Override
        public void reserve(long bytes, String what) {
            synchronized (Budgets.this) {
                if (closed) {
                    throw new CancelledException(CancelledException.Reason.CANCELED, "the query has ended and gets no memory for " + what);
                }
                if (queryBytes > 0 && bytes > queryBytes - own) {
                    throw new LimitExceededException("query.max-memory-per-query", "query needs more than " + queryBytes + " bytes for "
                            + what + " (limit --query.max-memory-per-query, " + own + " in use); ask for fewer series or a shorter range");
                }
                if (!holdsShare && sharesLeft > (large ? kept : 0)) {
                    long before = beyond(own);
                    holdsShare = true;
                    sharesLeft--;
                    common += beyond(own) - before;
                }
                long within = holdsShare ? Math.max(0, shareBytes - own) : 0;
                long more = Math.max(0, bytes - within);
                if (more > commonBytes - common) {
                    throw new LimitExceededException("query.max-memory",
                            "no memory left for " + what + ": all queries together would hold more than "
                                    + processBytes + " bytes, of which each has " + shareBytes + " for certain (limit --query.max-memory, "
                                    + used + " in use, " + own + " by this query)");
                }
                common += more;
                used += bytes;
                own += bytes;
                peak = Math.max(peak, own);
            }
        }

        /** How much of so many bytes lies beyond the share. */
        private long beyond(long bytes) {
            return holdsShare ? Math.max(0, bytes - shareBytes) : bytes;
        }

        /**
         * Says that the query is a large one. It gives its share up where it is one of the last and what it holds fits into the common half; what it
         * holds stays its own.
         */
        public void large() {
            synchronized (Budgets.this) {
                large = true;
                long within = own - beyond(own);
                if (holdsShare && sharesLeft < kept && within <= commonBytes - common) {
                    holdsShare = false;
                    sharesLeft++;
                    common += within;
                }
            }
        }

        /** What comes after {@link #close} was given back by it. */
        @Override
        public void release(long bytes) {
            synchronized (Budgets.this) {
                if (!closed) {
                    used -= bytes;
                    common += beyond(own - bytes) - beyond(own);
                    own -= bytes;
                }
            }
        }

        @Override
        public long reserved() {
            synchronized (Budgets.this) {
                return own;
            }
        }

        /** Most bytes held at once. */
        public long peak() {
            synchronized (Budgets.this) {
                return peak;
            }
        }

        /** Gives back what is still reserved, and the share. */
        @Override
        public void close() {
            synchronized (Budgets.this) {
                if (!closed) {
                    release(own);
                    closed = true;
                    if (holdsShare) {
                        holdsShare = false;
                        sharesLeft++;
                    }
                }
            }
        }
    }
}

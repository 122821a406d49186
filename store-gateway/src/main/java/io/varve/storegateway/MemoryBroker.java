package io.varve.storegateway;

import io.varve.model.CancelledException;
import io.varve.model.LimitExceededException;
import io.varve.model.MemoryBudget;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The memory that all requests of the process share. Half of it is cut into equal shares, one for each request that the gate lets run and a
 * quarter of them never for large requests, so that an ordinary request does not wait for a greedy one; what a request needs beyond its share, or
 * without one because there are requests that wait for their readers, comes from the other half, is waited for a while, and then refused. Where all that hold part of the other half wait for more, none of them can ever give back: then the one
 * that was opened last is refused at once, so that the others go on. Safe for many threads.
 */
final class MemoryBroker {
    /** The flag that sizes it. */
    static final String LIMIT = "chunk-pool-size";

    /** For so long nothing is given back before requests that wait for each other are taken for stuck. */
    private static final long STALL_NANOS = TimeUnit.MILLISECONDS.toNanos(20);

    private final long capacity;
    private final long common;
    private final long share;
    private final long waitMillis;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition released = lock.newCondition();
    private final int keptShares;
    private int sharesLeft;
    private long commonUsed;
    private long used;
    private long opened;
    private long releases;
    /** Requests that hold part of the common half. */
    private final Set<Request> holders = new HashSet<>();

    /**
     * @param capacity bytes in all
     * @param requests how many requests run at once at most
     * @param waitMillis how long a reservation waits for others to finish
     */
    MemoryBroker(long capacity, int requests, long waitMillis) {
        this.capacity = capacity;
        this.sharesLeft = Math.max(1, requests);
        this.keptShares = requests / 4;
        this.share = capacity / 2 / sharesLeft;
        this.common = capacity - share * sharesLeft;
        this.waitMillis = waitMillis;
    }

    /** Bytes in all. */
    long capacity() {
        return capacity;
    }

    /** Bytes that one request has for certain. */
    long share() {
        return share;
    }

    /** Bytes now reserved by all. */
    long used() {
        lock.lock();
        try {
            return used;
        } finally {
            lock.unlock();
        }
    }

    /** The budget of one request. What it still holds when the request ends is given back by {@link Request#close}. */
    Request open() {
        lock.lock();
        try {
            return new Request(opened++);
        } finally {
            lock.unlock();
        }
    }

    /** Whether all that could give back wait themselves, and the request is the one that gives way. */
    private boolean givesWay(Request request) {
        for (Request holder : holders) {
            if (holder.waiting == 0 || holder.number > request.number) {
                return false;
            }
        }
        return holders.contains(request);
    }

    /** One request's part. Safe for many threads. */
    final class Request implements MemoryBudget, AutoCloseable {
        private final long number;
        private long mine;
        private long fromCommon;
        private int waiting;
        private boolean large;
        private boolean holdsShare;
        /** Once refused, the request is about to end: its other threads need not wait for their turn to be refused. */
        private boolean refused;
        private boolean closed;

        private Request(long number) {
            this.number = number;
        }

        /** Says that it is one of those that leave a quarter of the shares to others. Before anything is reserved. */
        void large() {
            lock.lock();
            try {
                large = true;
            } finally {
                lock.unlock();
            }
        }

        @Override
        public void reserve(long bytes, String what) {
            if (bytes <= 0) {
                return;
            }
            lock.lock();
            try {
                if (!tryTake(bytes)) {
                    await(bytes, what);
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new CancelledException(CancelledException.Reason.CANCELED, "context canceled");
            } finally {
                lock.unlock();
            }
        }

        private void await(long bytes, String what) throws InterruptedException {
            long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(waitMillis);
            waiting++;
            try {
                do {
                    long left = deadline - System.nanoTime();
                    // Alone a request may have everything that is not set aside; what is larger than that never fits.
                    if (closed) {
                        throw new CancelledException(CancelledException.Reason.CANCELED, "context canceled");
                    }
                    if (refused || left <= 0 || bytes > share + common - mine) {
                        throw refusal(bytes, what, "");
                    }
                    long before = releases;
                    released.awaitNanos(Math.min(left, STALL_NANOS));
                    if (releases == before && givesWay(this)) {
                        throw refusal(bytes, what, ", and all that hold memory wait for more");
                    }
                } while (!tryTake(bytes));
            } finally {
                waiting--;
            }
        }

        private LimitExceededException refusal(long bytes, String what, String why) {
            refused = true;
            released.signalAll();
            return new LimitExceededException(LIMIT, "exceeded memory limit while " + what + ": limit " + capacity + " (--" + LIMIT
                    + ") violated: " + mine + " bytes held by this request, " + used + " by all, " + bytes + " more wanted" + why);
        }

        /** Reserves where that is possible at once. */
        boolean tryReserve(long bytes) {
            lock.lock();
            try {
                return tryTake(bytes);
            } finally {
                lock.unlock();
            }
        }

        private boolean tryTake(long bytes) {
            if (closed) {
                return false; // nobody would give it back
            }
            if (!holdsShare && sharesLeft > (large ? keptShares : 0)) {
                holdsShare = true;
                sharesLeft--;
            }
            long own = holdsShare ? Math.max(0, Math.min(bytes, share - (mine - fromCommon))) : 0;
            long rest = bytes - own;
            if (rest > common - commonUsed) {
                return false;
            }
            mine += bytes;
            used += bytes;
            fromCommon += rest;
            commonUsed += rest;
            if (rest > 0) {
                holders.add(this);
            }
            return true;
        }

        @Override
        public void release(long bytes) {
            lock.lock();
            try {
                long n = Math.min(bytes, mine);
                mine -= n;
                used -= n;
                long back = Math.min(fromCommon, n);
                fromCommon -= back;
                commonUsed -= back;
                if (fromCommon == 0) {
                    holders.remove(this);
                }
                releases++;
                released.signalAll();
            } finally {
                lock.unlock();
            }
        }

        @Override
        public long reserved() {
            lock.lock();
            try {
                return mine;
            } finally {
                lock.unlock();
            }
        }

        @Override
        public void close() {
            lock.lock();
            try {
                if (!closed) {
                    closed = true;
                    if (holdsShare) {
                        holdsShare = false;
                        sharesLeft++;
                    }
                    release(mine);
                }
            } finally {
                lock.unlock();
            }
        }
    }
}

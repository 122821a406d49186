package io.varve.model;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;

/**
 * How the virtual threads of one query take turns with those of others. A virtual thread runs until it waits for something, so those that
 * compute have to make way for others by themselves, and others then wait for one turn of everybody who computes. So that this queue stays
 * short, a query that has had many turns stays away for longer, the longer the more threads of other queries wait: what needs little is served
 * soon, and the processors are never idle for it, as there is always somebody left who waits. A query has one turn at a time, however many
 * threads it has, and does not stay away for threads of its own. The numbers are of the JVM, which has one set of carriers for all virtual
 * threads.
 */
final class Turns {
    /** How long a query's threads compute before one of them makes way. */
    static final long NANOS = 2_000_000;
    /** Turns after which a query is no longer one that needs little. */
    private static final int FEW = 25;
    /** How many times the queue's length one of the others stays away. */
    private static final int AWAY = 8;
    private static final long LONGEST_NANOS = 50_000_000;
    private static final int CARRIERS = Runtime.getRuntime().availableProcessors();
    private static final AtomicInteger ALL_WAITING = new AtomicInteger();

    private final AtomicLong counted = new AtomicLong(System.nanoTime());
    private final AtomicInteger had = new AtomicInteger();
    private final AtomicInteger waiting = new AtomicInteger();
    private volatile long last = counted.get();

    /**
     * Lets others run if the query has computed for a turn and the calling thread is a virtual one.
     *
     * @param now {@link System#nanoTime}
     * @return the same, read again if others ran
     */
    long next(long now) {
        if (now - last < NANOS || !Thread.currentThread().isVirtual()) {
            return now;
        }
        long c = counted.get();
        if (now - c >= NANOS && counted.compareAndSet(c, now)) {
            had.incrementAndGet();
        }
        int others = ALL_WAITING.incrementAndGet() - waiting.incrementAndGet();
        // Not Thread.yield: a carrier looks at threads that yield on it before those that others woke, which would never run.
        LockSupport.parkNanos(1);
        waiting.decrementAndGet();
        ALL_WAITING.decrementAndGet();
        long away = awayNanos(had.get(), others);
        if (away > 0) {
            LockSupport.parkNanos(away);
        }
        long after = System.nanoTime();
        last = after;
        return after;
    }

    /** How many the query has had. */
    int had() {
        return had.get();
    }

    /** How long a query that has had so many turns stays away where so many threads of others wait. */
    static long awayNanos(int had, int others) {
        return had > FEW && others >= 2 * CARRIERS ? Math.min(LONGEST_NANOS, AWAY * NANOS * others / CARRIERS) : 0;
    }
}

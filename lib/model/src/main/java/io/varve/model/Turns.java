package io.varve.model;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/**
 * How virtual threads that compute take turns. A virtual thread runs until it waits for something, so those that compute have to make way for
 * others by themselves, and others then wait for one turn of everybody who computes. So that this queue stays short, a query that has had
 * many turns stays away for longer, the longer the more others wait: what needs little is served soon, and the processors are never idle for
 * it, as there is always somebody left who waits. The numbers are of the JVM, which has one set of carriers for all virtual threads.
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
    private static final AtomicInteger WAITING = new AtomicInteger();

    private Turns() {
    }

    /**
     * Waits for the next turn of the calling virtual thread.
     *
     * @param had how many its query has had
     */
    static void next(int had) {
        int waiting = WAITING.incrementAndGet();
        // Not Thread.yield: a carrier looks at threads that yield on it before those that others woke, which would never run.
        LockSupport.parkNanos(1);
        WAITING.decrementAndGet();
        if (had > FEW && waiting > 2 * CARRIERS) {
            LockSupport.parkNanos(Math.min(LONGEST_NANOS, AWAY * NANOS * waiting / CARRIERS));
        }
    }
}

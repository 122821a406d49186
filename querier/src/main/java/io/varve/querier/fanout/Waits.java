package io.varve.querier.fanout;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * Lets threads that wait look up from time to time, by one thread for all of them. A wait with a time limit of its own costs a virtual thread more than
 * most waits take: the thread of timers is woken up to note it, and again to forget it. Safe for many threads.
 */
final class Waits {
    /** Between two rounds, in milliseconds. */
    static final long ROUND_MILLIS = 50;
    /** So many rounds without anybody who waits, and there are no more until somebody does. */
    private static final int IDLE_ROUNDS = 20;
    private static final Waits ALL = new Waits();

    /** Who waits. */
    interface Waiting {
        /** A round has come: wakes the thread up where it should look. Quick, and does not fail. */
        void round();
    }

    private final Set<Waiting> waiting = ConcurrentHashMap.newKeySet();
    private final Thread thread;
    private volatile boolean asleep;

    private Waits() {
        thread = Thread.ofPlatform().daemon().name("waits").start(this::run);
    }

    /** From now on {@code w} is told of rounds; the caller waits without a limit, and calls {@link #end} then. */
    static void begin(Waiting w) {
        ALL.waiting.add(w);
        if (ALL.asleep) {
            LockSupport.unpark(ALL.thread);
        }
    }

    static void end(Waiting w) {
        ALL.waiting.remove(w);
    }

    private void run() {
        int idle = 0;
        while (true) {
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(ROUND_MILLIS));
            idle = waiting.isEmpty() ? idle + 1 : 0;
            if (idle > IDLE_ROUNDS) {
                asleep = true;
                // Whoever came before it was known that this thread sleeps is seen here.
                if (waiting.isEmpty()) {
                    LockSupport.park();
                }
                asleep = false;
                idle = 0;
            }
            for (Waiting w : waiting) {
                w.round();
            }
        }
    }
}

package io.varve.storegateway;

/**
 * Whether a cache server is worth asking: after a failure it is left alone for a while, longer each time, so that a dead server costs one
 * timeout and no more. Safe for many threads.
 */
final class CacheHealth {
    private static final long FIRST_NANOS = 1_000_000_000L;
    private static final long LONGEST_NANOS = 30_000_000_000L;

    private long pauseNanos;
    private long untilNanos;
    private boolean down;
    private boolean probing;

    /** Whether to ask now. While the server is down one caller at a time may try. */
    synchronized boolean mayAsk() {
        if (!down) {
            return true;
        }
        if (probing || System.nanoTime() - untilNanos < 0) {
            return false;
        }
        probing = true;
        return true;
    }

    synchronized void worked() {
        down = false;
        probing = false;
        pauseNanos = 0;
    }

    synchronized void failed() {
        down = true;
        probing = false;
        pauseNanos = pauseNanos == 0 ? FIRST_NANOS : Math.min(LONGEST_NANOS, pauseNanos * 2);
        untilNanos = System.nanoTime() + pauseNanos;
    }
}

package io.varve.store;

import java.time.Duration;
import java.util.function.BooleanSupplier;

/**
 * How long a process asks itself for {@link WarmUpSeries} after its start: for a limit, and longer while nobody else asks, as the compiler
 * wants a hundred questions more than the limit has room for. Begins when it is made; safe for many threads.
 */
public final class WarmUpTime {
    /** How long to go on in all while nobody asks, in times of the limit. */
    private static final int IDLE_LIMITS = 4;

    private final long begin = System.nanoTime();
    private final long limitNanos;
    private final BooleanSupplier asked;

    /** @param asked whether the process that is to be fast was asked anything; from any thread */
    public WarmUpTime(Duration limit, BooleanSupplier asked) {
        limitNanos = limit.toNanos();
        this.asked = asked;
    }

    /** Whether to stop. */
    public boolean isOver() {
        long spent = System.nanoTime() - begin;
        return spent >= IDLE_LIMITS * limitNanos || spent >= limitNanos && asked.getAsBoolean();
    }
}

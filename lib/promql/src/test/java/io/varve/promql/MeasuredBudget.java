package io.varve.promql;

import static org.assertj.core.api.Assertions.assertThat;

import io.varve.model.LimitExceededException;
import io.varve.model.MemoryBudget;

/** Counts what is reserved; refuses beyond a bound, or one request on demand. Safe for many threads. */
public final class MeasuredBudget implements MemoryBudget {
    private final long limit;
    private final long refused;
    private long requests;
    private long reserved;
    private long peak;

    /**
     * @param limit bytes reserved at most
     * @param refused which request is refused in any case, counted from 1; 0 for none
     */
    public MeasuredBudget(long limit, long refused) {
        this.limit = limit;
        this.refused = refused;
    }

    /** Without limit. */
    public MeasuredBudget() {
        this(Long.MAX_VALUE, 0);
    }

    @Override
    public synchronized void reserve(long bytes, String what) {
        assertThat(bytes).as(what).isNotNegative();
        if (++requests == refused || reserved + bytes > limit) {
            throw new LimitExceededException("query.memory", "no memory for " + what);
        }
        reserved += bytes;
        peak = Math.max(peak, reserved);
    }

    @Override
    public synchronized void release(long bytes) {
        reserved -= bytes;
        assertThat(reserved).isNotNegative();
    }

    @Override
    public synchronized long reserved() {
        return reserved;
    }

    /** The most that was reserved at once. */
    public synchronized long peak() {
        return peak;
    }

    /** How often something was asked for. */
    public synchronized long requests() {
        return requests;
    }
}

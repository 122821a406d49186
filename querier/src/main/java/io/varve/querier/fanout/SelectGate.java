package io.varve.querier.fanout;

import io.varve.model.LimitExceededException;
import java.util.concurrent.Semaphore;

/**
 * How many selects of one query run at once ({@code --query.max-concurrent-select}). The engine opens all selects first and then reads one to
 * its end after the other. One turn is therefore kept for the select that is being read: those that find no other turn when they are opened
 * wait, without streams, until it is theirs to be read. Only a query that reads several selects at once, with all turns taken by its own, can
 * find none then; waiting for itself it would never end, so it is refused. Safe for many threads.
 */
public final class SelectGate {
    private final int max;
    private final Semaphore ahead;
    private final Semaphore reading = new Semaphore(1);

    /** @param max selects at once, at least 1 */
    public SelectGate(int max) {
        this.max = max;
        this.ahead = new Semaphore(max - 1);
    }

    /** A place that was taken; released once. */
    interface Turn {
        void release();
    }

    /** A turn for a select that is not read yet, null where it has to wait. */
    @org.jspecify.annotations.Nullable
    Turn ahead() {
        return ahead.tryAcquire() ? ahead::release : null;
    }

    /**
     * A turn for a select that is to be read now.
     *
     * @throws LimitExceededException where the query itself holds all of them
     */
    Turn now() {
        Turn turn = ahead();
        if (turn != null) {
            return turn;
        }
        if (reading.tryAcquire()) {
            return reading::release;
        }
        throw new LimitExceededException("query.max-concurrent-select", "query reads more than " + max
                + " selects at once (limit --query.max-concurrent-select); use fewer selectors or raise the limit");
    }
}

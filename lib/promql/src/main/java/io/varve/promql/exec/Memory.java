package io.varve.promql.exec;

import io.varve.model.MemoryBudget;

/** What one operator has reserved. Safe for many threads. */
final class Memory {
    private final MemoryBudget budget;
    private final String what;
    private long reserved;
    private long peak;
    private boolean closed;

    Memory(MemoryBudget budget, String what) {
        this.budget = budget;
        this.what = what;
    }

    synchronized void reserve(long bytes) {
        if (closed) {
            throw new IllegalStateException(what + " is closed");
        }
        budget.reserve(bytes, what);
        reserved += bytes;
        peak = Math.max(peak, reserved);
    }

    synchronized void release(long bytes) {
        if (!closed) {
            budget.release(bytes);
            reserved -= bytes;
        }
    }

    synchronized long peak() {
        return peak;
    }

    /** Gives everything back; nothing can be reserved afterwards. */
    synchronized void close() {
        if (!closed) {
            closed = true;
            budget.release(reserved);
            reserved = 0;
        }
    }
}

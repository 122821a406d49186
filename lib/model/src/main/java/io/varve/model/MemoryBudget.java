package io.varve.model;

/**
 * Memory that is reserved before it is used, per query and, behind it, per process. Safe for many threads.
 */
public interface MemoryBudget {
    /** Without bound; for tools and tests. */
    MemoryBudget UNLIMITED = new MemoryBudget() {
        @Override
        public void reserve(long bytes, String what) {
        }

        @Override
        public void release(long bytes) {
        }

        @Override
        public long reserved() {
            return 0;
        }
    };

    /**
     * Reserves, or refuses without reserving anything.
     *
     * @param what what the memory is for, in words that end up in the refusal
     * @throws LimitExceededException naming the limit that struck
     */
    void reserve(long bytes, String what);

    /** Gives back. */
    void release(long bytes);

    /** Bytes now reserved. */
    long reserved();
}

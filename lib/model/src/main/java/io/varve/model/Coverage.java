package io.varve.model;

import java.util.ArrayList;
import java.util.List;

/**
 * What went into an answer and what is missing: one entry per store that was expected to have data. Safe for many threads.
 */
public final class Coverage {
    /** How it went with one store. */
    public enum Outcome {
        /** Answered in full. */
        ANSWERED,
        /** Answered with warnings or in part. */
        PARTIAL,
        /** Did not answer. */
        FAILED
    }

    /**
     * One store's part.
     *
     * @param store its address or name
     * @param outcome how it went
     * @param minTime first millisecond it says it has
     * @param maxTime last millisecond it says it has
     * @param series series it sent
     * @param detail why it failed or what it warned, "" for nothing
     */
    public record Part(String store, Outcome outcome, long minTime, long maxTime, long series, String detail) {
    }

    private final List<Part> parts = new ArrayList<>();

    /** Adds one store's part. */
    public synchronized void add(Part part) {
        parts.add(part);
    }

    /** All parts so far. */
    public synchronized List<Part> parts() {
        return List.copyOf(parts);
    }

    /** Whether nothing is known to be missing. */
    public synchronized boolean complete() {
        return parts.stream().allMatch(p -> p.outcome() == Outcome.ANSWERED);
    }
}

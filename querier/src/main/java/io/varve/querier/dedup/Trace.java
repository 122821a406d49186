package io.varve.querier.dedup;

import java.util.ArrayList;
import java.util.List;

/** Which replica gave which span of a series, and why. Collected only where somebody asked. One thread. */
public final class Trace {
    /**
     * One span of the answer.
     *
     * @param from first sample's time
     * @param to last sample's time
     * @param samples how many samples
     * @param replica who gave them
     * @param why in words
     */
    public record Part(long from, long to, int samples, String replica, String why) {
    }

    private final List<Part> parts = new ArrayList<>();

    /** Adds a span. */
    void add(long from, long to, int samples, String replica, String why) {
        parts.add(new Part(from, to, samples, replica, why));
    }

    /** All spans in the order in which they were decided: the leader first, then what fills its gaps. */
    public List<Part> parts() {
        return List.copyOf(parts);
    }
}

package io.varve.promql.exec;

import org.jspecify.annotations.Nullable;

/** Samples counted by one thread, for the statistics of the query. */
final class SampleCount {
    long total;
    long read;
    final long @Nullable [] perStep;
    /** {@link #read} by step, beside {@link #perStep}. */
    final long @Nullable [] readPerStep;

    SampleCount(int perStepCount) {
        perStep = perStepCount > 0 ? new long[perStepCount] : null;
        readPerStep = perStepCount > 0 ? new long[perStepCount] : null;
    }

    /** What an instant selector finds at a step, which Prometheus takes as read again at each step. */
    void add(int step, int size) {
        total += size;
        read += size;
        if (perStep != null && readPerStep != null) {
            perStep[step] += size;
            readPerStep[step] += size;
        }
    }
}

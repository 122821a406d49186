package io.varve.promql.exec;

import org.jspecify.annotations.Nullable;

/** Samples counted by one thread, for the statistics of the query. */
final class SampleCount {
    long total;
    long read;
    final long @Nullable [] perStep;

    SampleCount(int perStepCount) {
        perStep = perStepCount > 0 ? new long[perStepCount] : null;
    }
}

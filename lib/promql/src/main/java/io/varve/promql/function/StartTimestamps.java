package io.varve.promql.function;

import org.jspecify.annotations.Nullable;

/** What start timestamps say about counter resets. */
final class StartTimestamps {
    private StartTimestamps() {
    }

    /** Whether the start timestamp says that counting began anew between two samples. */
    static boolean isReset(long previousStart, long previousTime, long start, long time) {
        if (start == 0 || start >= time || start < previousTime) {
            return false;
        }
        if (start > previousTime) {
            return true;
        }
        // Counting began with the sample before: so it is for delta series, but also for cumulative ones whose start is not known.
        return previousStart != 0 && previousStart != previousTime && previousStart <= previousTime;
    }

    /** How many samples claim to have begun before the sample ahead of them, unlike that one. */
    static int overlaps(long @Nullable [] starts, long[] times, int n) {
        if (starts == null) {
            return 0;
        }
        int count = 0;
        for (int i = 1; i < n; i++) {
            if (starts[i] != 0 && starts[i] < times[i - 1] && starts[i] != starts[i - 1]) {
                count++;
            }
        }
        return count;
    }
}

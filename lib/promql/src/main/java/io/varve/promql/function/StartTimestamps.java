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

    /** Whether a sample claims that counting began before the sample ahead of it, unlike that one. */
    static boolean isOverlap(long previousStart, long previousTime, long start) {
        return start != 0 && start < previousTime && start != previousStart;
    }

    /**
     * In how many steps a window has such a sample with the one ahead of it.
     *
     * @param lo by step, the first sample of the window
     * @param hi by step, the first sample behind it
     * @param otherLo by step, the first sample of the other kind in the window
     * @param otherHi by step, the first of these behind it; empty where there is none of that kind: windows with both kinds do not count
     */
    static int overlappingSteps(long @Nullable [] starts, long[] times, int n, int[] lo, int[] hi, int[] otherLo, int[] otherHi,
            int steps) {
        if (starts == null || n < 2) {
            return 0;
        }
        // By sample: the last one up to there that overlaps, 0 for none. Made when one is found, which is rare.
        int[] last = null;
        for (int i = 1; i < n; i++) {
            if (isOverlap(starts[i - 1], times[i - 1], starts[i])) {
                if (last == null) {
                    last = new int[n];
                }
                last[i] = i;
            } else if (last != null) {
                last[i] = last[i - 1];
            }
        }
        int count = 0;
        for (int step = 0; last != null && step < steps; step++) {
            if (hi[step] - lo[step] >= 2 && last[hi[step] - 1] > lo[step] && (otherHi.length == 0 || otherLo[step] >= otherHi[step])) {
                count++;
            }
        }
        return count;
    }
}

package io.varve.promql.function;

import io.varve.promql.parser.VectorSelector.Edges;

/** {@code anchored} and {@code smoothed}: windows whose edges have values of their own. */
final class ExtendedEdges {
    private ExtendedEdges() {
    }

    /** Last sample at or before the edge, or the first there is; −1 where no sample lies after {@code rangeStart}. */
    static int anchor(Windows w, int step) {
        int lo = w.lo[step];
        int hi = w.hi[step];
        long rangeStart = w.start(step);
        if (hi == lo || w.times[hi - 1] <= rangeStart) {
            return -1;
        }
        int first = lo;
        while (first + 1 < hi && w.times[first + 1] <= rangeStart) {
            first++;
        }
        return first;
    }

    static void rate(Windows w, Row out, boolean counter, boolean perSecond) {
        boolean smoothed = w.edges == Edges.SMOOTHED;
        long[] t = w.times;
        double[] v = w.values;
        for (int i = 0; i < w.grid.count(); i++) {
            int lo = w.lo[i];
            int hi = w.hi[i];
            if (hi == lo) {
                continue;
            }
            long rangeStart = w.start(i);
            long rangeEnd = w.end(i);
            int first = lo;
            while (first + 1 < hi && t[first + 1] <= rangeStart) {
                first++;
            }
            int last = hi - 1;
            if (smoothed) {
                while (last > lo && t[last - 1] >= rangeEnd) {
                    last--;
                }
            }
            if (t[last] <= rangeStart) {
                continue;
            }
            double left = smoothed && t[first] < rangeStart ? between(t, v, first, rangeStart, counter) : v[first];
            double right = smoothed && last > 0 && last > lo && t[last] > rangeEnd ? between(t, v, last - 1, rangeEnd, counter) : v[last];
            double result = right - left;
            if (counter) {
                int from = t[first] <= rangeStart ? first + 1 : first;
                int to = t[last] >= rangeEnd ? last - 1 : last;
                double previous = left;
                double correction = 0;
                for (int j = from; j <= to; j++) {
                    if (v[j] < previous) {
                        correction += previous;
                    }
                    previous = v[j];
                }
                if (right < previous) {
                    correction += previous;
                }
                result += correction;
            }
            out.values[i] = perSecond ? result / (w.range / 1000.0) : result;
        }
    }

    /** The value at {@code time} on the line between samples {@code i} and {@code i + 1}; a counter that fell began at 0. */
    static double between(long[] t, double[] v, int i, long time, boolean counter) {
        double y1 = v[i];
        double y2 = v[i + 1];
        if (counter && y2 < y1) {
            y1 = 0;
        }
        return y1 + (y2 - y1) * (double) (time - t[i]) / (double) (t[i + 1] - t[i]);
    }
}

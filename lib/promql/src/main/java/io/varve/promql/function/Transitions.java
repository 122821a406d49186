package io.varve.promql.function;

import io.varve.model.FloatHistogram;
import io.varve.promql.parser.VectorSelector.Edges;

/** {@code resets} and {@code changes}: counts of steps from one sample to the next, kept as prefix sums over the series. */
public final class Transitions implements RangeFunction {
    private final boolean resets;
    private final Runnable check;
    private int[] counts = new int[0];
    private long[] times = new long[0];

    /**
     * @param resets whether it is {@code resets}, else {@code changes}
     * @param check called now and then; throws where the query is over
     */
    public Transitions(boolean resets, Runnable check) {
        this.resets = resets;
        this.check = check;
    }

    @Override
    public int bytesPerSample() {
        return 12;
    }

    @Override
    public void apply(Windows w, Row out, Notes notes) {
        int n = w.size + w.histogramSize;
        counts = Room.ints(counts, n, check);
        times = Room.longs(times, n, check);
        int f = 0;
        int h = 0;
        FloatHistogram previousHistogram = null;
        int previous = -1;
        boolean previousIsFloat = false;
        for (int i = 0; i < n; i++) {
            if ((i & 0xFFFF) == 0xFFFF) {
                check.run();
            }
            boolean isFloat = h >= w.histogramSize || f < w.size && w.times[f] < w.histogramTimes[h];
            int count = 0;
            if (i > 0) {
                if (isFloat != previousIsFloat) {
                    count = 1;
                } else if (isFloat) {
                    count = floats(w, previous, f) ? 1 : 0;
                } else if (previousHistogram != null) {
                    count = histograms(w, previous, h) ? 1 : 0;
                }
                counts[i] = counts[i - 1] + count;
            } else {
                counts[0] = 0;
            }
            if (isFloat) {
                times[i] = w.times[f];
                previous = f++;
            } else {
                times[i] = w.histogramTimes[h];
                previousHistogram = w.histograms[h];
                previous = h++;
            }
            previousIsFloat = isFloat;
        }
        boolean anchored = w.edges == Edges.ANCHORED;
        for (int i = 0; i < w.grid.count(); i++) {
            int from = w.lo[i];
            int to = w.hi[i];
            if (w.histogramSize > 0) {
                from += w.histogramLo[i];
                to += w.histogramHi[i];
            }
            if (to <= from) {
                continue;
            }
            if (anchored) {
                long start = w.start(i);
                if (times[to - 1] <= start) {
                    continue;
                }
                while (from + 1 < to && times[from + 1] <= start) {
                    from++;
                }
            }
            out.values[i] = counts[to - 1] - counts[from];
        }
    }

    private boolean floats(Windows w, int a, int b) {
        double x = w.values[a];
        double y = w.values[b];
        if (!resets) {
            return x != y && !(Double.isNaN(x) && Double.isNaN(y));
        }
        return y < x || w.starts != null && StartTimestamps.isReset(w.starts[a], w.times[a], w.starts[b], w.times[b]);
    }

    private boolean histograms(Windows w, int a, int b) {
        if (!resets) {
            return !w.histograms[b].sameAs(w.histograms[a]);
        }
        return w.histogramStarts != null
                && StartTimestamps.isReset(w.histogramStarts[a], w.histogramTimes[a], w.histogramStarts[b], w.histogramTimes[b])
                || w.histograms[b].isResetAfter(w.histograms[a]);
    }
}

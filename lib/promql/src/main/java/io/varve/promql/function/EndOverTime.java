package io.varve.promql.function;

/** {@code first_over_time}, {@code last_over_time} and when those were. */
public final class EndOverTime implements RangeFunction {
    private final boolean last;
    private final boolean time;

    /**
     * @param last whether the last is meant, else the first
     * @param time whether its time is meant, in seconds
     */
    public EndOverTime(boolean last, boolean time) {
        this.last = last;
        this.time = time;
    }

    @Override
    public boolean looksAtEnds() {
        return true;
    }

    @Override
    public void apply(Windows w, Row out, Notes notes) {
        for (int i = 0; i < w.grid.count(); i++) {
            boolean floats = w.hi[i] > w.lo[i];
            boolean histograms = MixedTypes.hasHistograms(w, i);
            if (!floats && !histograms) {
                continue;
            }
            int f = last ? w.hi[i] - 1 : w.lo[i];
            if (!histograms) {
                out.values[i] = time ? w.times[f] / 1000.0 : w.values[f];
                continue;
            }
            int h = last ? w.histogramHi[i] - 1 : w.histogramLo[i];
            boolean useFloat = floats && (last ? w.times[f] > w.histogramTimes[h] : w.times[f] < w.histogramTimes[h]);
            if (time) {
                out.values[i] = (useFloat ? w.times[f] : w.histogramTimes[h]) / 1000.0;
            } else if (useFloat) {
                out.values[i] = w.values[f];
            } else {
                out.setHistogram(i, w.histograms[h]);
            }
        }
    }
}

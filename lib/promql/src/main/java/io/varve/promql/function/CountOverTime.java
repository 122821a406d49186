package io.varve.promql.function;

/** {@code count_over_time} and {@code present_over_time}. */
public final class CountOverTime implements RangeFunction {
    private final boolean presence;

    /** With {@code presence} for {@code present_over_time}. */
    public CountOverTime(boolean presence) {
        this.presence = presence;
    }

    @Override
    public boolean looksAtEnds() {
        return true;
    }

    @Override
    public void apply(Windows w, Row out, Notes notes) {
        for (int i = 0; i < w.grid.count(); i++) {
            int n = w.hi[i] - w.lo[i];
            if (w.histogramSize > 0) {
                n += w.histogramHi[i] - w.histogramLo[i];
            }
            if (n > 0) {
                out.values[i] = presence ? 1 : n;
            }
        }
    }
}

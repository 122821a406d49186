package io.varve.promql.function;

import io.varve.model.CounterResetHint;
import io.varve.model.FloatHistogram;
import io.varve.model.GoQuote;
import io.varve.model.HistogramSum;

/** {@code irate} and {@code idelta}: the last two samples of each window. */
public final class InstantDelta implements RangeFunction {
    private final boolean rate;

    /** With {@code rate} for {@code irate}. */
    public InstantDelta(boolean rate) {
        this.rate = rate;
    }

    @Override
    public void apply(Windows w, Row out, Notes notes) {
        for (int i = 0; i < w.grid.count(); i++) {
            int f = w.hi[i] - 1;
            int floats = w.hi[i] - w.lo[i];
            if (w.histogramSize == 0) {
                if (floats >= 2) {
                    floats(w, i, f, out);
                }
                continue;
            }
            int h = w.histogramHi[i] - 1;
            int histograms = w.histogramHi[i] - w.histogramLo[i];
            if (floats + histograms < 2) {
                continue;
            }
            int lastFloats = 0;
            for (int k = 0; k < 2; k++) {
                boolean isFloat = histograms == 0 || floats > 0 && w.times[f] > w.histogramTimes[h];
                if (isFloat) {
                    f--;
                    floats--;
                    lastFloats++;
                } else {
                    h--;
                    histograms--;
                }
            }
            if (lastFloats == 2) {
                floats(w, i, f + 2, out);
            } else if (lastFloats == 0) {
                histograms(w, i, h + 2, out, notes);
            } else {
                MixedTypes.noteMix(w, notes);
            }
        }
    }

    private void floats(Windows w, int step, int last, Row out) {
        double a = w.values[last - 1];
        double b = w.values[last];
        long dt = w.times[last] - w.times[last - 1];
        if (dt == 0) {
            return;
        }
        boolean reset = rate
                && (b < a || w.starts != null
                        && StartTimestamps.isReset(w.starts[last - 1], w.times[last - 1], w.starts[last], w.times[last]));
        double result = reset ? b : b - a;
        out.values[step] = rate ? result / (dt / 1000.0) : result;
    }

    private void histograms(Windows w, int step, int last, Row out, Notes notes) {
        FloatHistogram a = w.histograms[last - 1];
        FloatHistogram b = w.histograms[last];
        long dt = w.histogramTimes[last] - w.histogramTimes[last - 1];
        if (dt == 0) {
            return;
        }
        boolean bothGauges = a.hint() == CounterResetHint.GAUGE && b.hint() == CounterResetHint.GAUGE;
        boolean anyGauge = a.hint() == CounterResetHint.GAUGE || b.hint() == CounterResetHint.GAUGE;
        if (rate && anyGauge) {
            CounterFunction.noteNoCounter(w, notes);
        }
        if (!rate && !bothGauges) {
            notes.warn(w.position, "this native histogram metric is not a gauge: " + GoQuote.quote(w.metric()));
        }
        boolean reset = rate
                && (w.histogramStarts != null && StartTimestamps.isReset(w.histogramStarts[last - 1], w.histogramTimes[last - 1],
                        w.histogramStarts[last], w.histogramTimes[last]) || b.isResetAfter(a));
        HistogramSum sum = new HistogramSum(b);
        if (!reset) {
            if (!sum.subtract(a)) {
                notes.warn(w.position, "vector contains a mix of histograms with exponential and custom buckets schemas for metric name "
                        + GoQuote.quote(w.metric()));
                return;
            }
            if (sum.boundsReconciled()) {
                notes.info(w.position, "mismatched custom buckets were reconciled during subtraction");
            }
        }
        sum.hint(CounterResetHint.GAUGE);
        FloatHistogram result = sum.result();
        out.setHistogram(step, rate ? result.dividedBy(dt / 1000.0) : result);
    }
}

package io.varve.promql.function;

import io.varve.model.CounterResetHint;
import io.varve.model.FloatHistogram;
import io.varve.model.GoQuote;
import io.varve.model.HistogramSum;

/**
 * {@code sum_over_time} and {@code avg_over_time}. Long windows slide as two stacks: the sums of all suffixes of an older part, and
 * the running sum of a newer part. Nothing is ever subtracted, so that precision does not suffer.
 */
public final class SumOverTime implements RangeFunction {
    /** Where windows overlap so little that summing each anew costs no more. */
    private static final int DIRECT = 4;

    private final boolean average;
    private double[] suffix = new double[0];
    private double[] suffixLost = new double[0];
    private final Kahan sum = new Kahan();
    private final HistogramSum histograms = new HistogramSum();
    private final HistogramSum trial = new HistogramSum();

    /** With {@code average} for {@code avg_over_time}. */
    public SumOverTime(boolean average) {
        this.average = average;
    }

    @Override
    public void apply(Windows w, Row out, Notes notes) {
        if (w.histogramSize > 0) {
            for (int i = 0; i < w.grid.count(); i++) {
                boolean floats = w.hi[i] > w.lo[i];
                boolean any = w.histogramHi[i] > w.histogramLo[i];
                if (floats && any) {
                    MixedTypes.noteMix(w, notes);
                } else if (floats) {
                    out.values[i] = direct(w, w.lo[i], w.hi[i]);
                } else if (any) {
                    histogram(w, i, out, notes);
                }
            }
            return;
        }
        long work = 0;
        for (int i = 0; i < w.grid.count(); i++) {
            work += w.hi[i] - w.lo[i];
        }
        if (work <= (long) DIRECT * w.size) {
            for (int i = 0; i < w.grid.count(); i++) {
                if (w.hi[i] > w.lo[i]) {
                    out.values[i] = direct(w, w.lo[i], w.hi[i]);
                }
            }
        } else {
            slide(w, out.values);
        }
    }

    private void slide(Windows w, double[] out) {
        double[] v = w.values;
        if (suffix.length < w.size) {
            suffix = new double[w.size];
            suffixLost = new double[w.size];
        }
        int middle = 0;
        int end = 0;
        sum.reset(0, 0);
        for (int i = 0; i < w.grid.count(); i++) {
            int lo = w.lo[i];
            int hi = w.hi[i];
            while (end < hi) {
                sum.add(v[end++]);
            }
            if (hi == lo) {
                continue;
            }
            if (lo >= middle) {
                sum.reset(0, 0);
                for (int j = hi - 1; j >= lo; j--) {
                    sum.add(v[j]);
                    suffix[j] = sum.sum;
                    suffixLost[j] = sum.lost;
                }
                middle = hi;
                sum.reset(0, 0);
            }
            double a = suffix[lo];
            double b = sum.sum;
            double t = a + b;
            if (Double.isNaN(t) || Double.isInfinite(t)) {
                out[i] = direct(w, lo, hi);
                continue;
            }
            double lost = suffixLost[lo] + sum.lost + (Math.abs(a) >= Math.abs(b) ? a - t + b : b - t + a);
            out[i] = average ? t / (hi - lo) + lost / (hi - lo) : t + lost;
        }
    }

    private double direct(Windows w, int lo, int hi) {
        return average ? mean(w.values, lo, hi) : sum(w.values, lo, hi);
    }

    private static double sum(double[] v, int lo, int hi) {
        Kahan k = new Kahan();
        for (int i = lo; i < hi; i++) {
            k.add(v[i]);
        }
        return Double.isInfinite(k.sum) ? k.sum : k.sum + k.lost;
    }

    /** The mean of all; by running means where the sum would overflow. */
    static double mean(double[] v, int lo, int hi) {
        Kahan k = new Kahan();
        k.sum = v[lo];
        int i = lo + 1;
        for (; i < hi; i++) {
            double s = k.sum;
            double l = k.lost;
            k.add(v[i]);
            if (Double.isInfinite(k.sum)) {
                k.reset(s, l);
                break;
            }
        }
        if (i == hi) {
            int n = hi - lo;
            return k.sum / n + k.lost / n;
        }
        double n = i - lo;
        k.reset(k.sum / n, k.lost / n);
        for (; i < hi; i++) {
            n++;
            double q = (n - 1) / n;
            k.reset(q * k.sum, q * k.lost);
            k.add(v[i] / n);
        }
        return k.total();
    }

    private void histogram(Windows w, int step, Row out, Notes notes) {
        int lo = w.histogramLo[step];
        int hi = w.histogramHi[step];
        boolean reset = false;
        boolean notReset = false;
        histograms.set(w.histograms[lo]);
        int incrementalFrom = -1;
        for (int i = lo; i < hi; i++) {
            FloatHistogram h = w.histograms[i];
            reset |= h.hint() == CounterResetHint.RESET;
            notReset |= h.hint() == CounterResetHint.NOT_RESET;
            if (i == lo) {
                continue;
            }
            boolean ok;
            if (average && incrementalFrom < 0 && histograms.mayOverflow(h)) {
                trial.set(histograms);
                ok = trial.add(h);
                if (ok && !trial.overflows()) {
                    histograms.set(trial);
                    continue;
                }
                incrementalFrom = i;
                histograms.scale(1.0 / (i - lo));
            }
            if (incrementalFrom >= 0) {
                double n = i - lo + 1.0;
                histograms.scale((n - 1) / n);
                ok = histograms.add(h.dividedBy(n));
            } else {
                ok = histograms.add(h);
            }
            if (!ok) {
                notes.warn(w.position, "vector contains a mix of histograms with exponential and custom buckets schemas for metric name "
                        + GoQuote.quote(w.metric()));
                return;
            }
        }
        if (reset && notReset) {
            notes.warn(w.position, "conflicting counter resets during histogram aggregation");
        }
        if (histograms.boundsReconciled()) {
            notes.info(w.position, "mismatched custom buckets were reconciled during aggregation");
        }
        FloatHistogram result = histograms.result();
        out.setHistogram(step, average && incrementalFrom < 0 ? result.dividedBy(hi - lo) : result);
    }
}

package io.varve.promql.function;

import io.varve.model.CounterResetHint;
import io.varve.model.FloatHistogram;
import io.varve.model.GoQuote;
import io.varve.model.HistogramSum;
import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * {@code sum_over_time} and {@code avg_over_time}. Long windows slide as two stacks: the sums of all suffixes of an older part, and
 * the running sum of a newer part. Nothing is ever subtracted, so that precision does not suffer.
 */
public final class SumOverTime implements RangeFunction {
    /** Where windows overlap so little that summing each anew costs no more. */
    private static final int DIRECT = 2;

    private final boolean average;
    private final Runnable check;
    private final NonFinite special = new NonFinite();
    private double[] suffix = new double[0];
    private double[] suffixLost = new double[0];
    private @Nullable FloatHistogram[] suffixes = new FloatHistogram[0];
    /** How many of the histograms up to each say that they follow a reset, and that they do not. */
    private int[] resets = new int[0];
    private int[] notResets = new int[0];
    private final HistogramSum histograms = new HistogramSum();
    private final HistogramSum trial = new HistogramSum();
    private long work;

    /**
     * @param average whether {@code avg_over_time} is meant
     * @param check called now and then; throws where the query is over
     */
    public SumOverTime(boolean average, Runnable check) {
        this.average = average;
        this.check = check;
    }

    @Override
    public int bytesPerSample() {
        return 28;
    }

    @Override
    public void apply(Windows w, Row out, Notes notes) {
        if (w.floatsInWindows() > (long) DIRECT * w.size) {
            slide(w, out.values);
        } else {
            for (int i = 0; i < w.grid.count(); i++) {
                if (w.hi[i] > w.lo[i]) {
                    out.values[i] = direct(w, w.lo[i], w.hi[i]);
                }
            }
        }
        if (w.histogramSize == 0) {
            return;
        }
        for (int i = 0; i < w.grid.count(); i++) {
            if (w.hi[i] > w.lo[i] && w.histogramHi[i] > w.histogramLo[i]) {
                MixedTypes.noteMix(w, notes);
                out.values[i] = Row.ABSENT;
            }
        }
        if (slidable(w)) {
            slideHistograms(w, out, notes);
        } else {
            for (int i = 0; i < w.grid.count(); i++) {
                if (w.hi[i] == w.lo[i] && w.histogramHi[i] > w.histogramLo[i]) {
                    histogram(w, i, out, notes);
                }
            }
        }
    }

    private void slide(Windows w, double[] out) {
        double[] v = w.values;
        suffix = Room.doubles(suffix, w.size, check);
        suffixLost = Room.doubles(suffixLost, w.size, check);
        special.start(v, w.size);
        int middle = 0;
        int end = 0;
        double s = 0;
        double lost = 0;
        for (int i = 0; i < w.grid.count(); i++) {
            int lo = w.lo[i];
            int hi = w.hi[i];
            if (hi == lo) {
                continue;
            }
            if (lo >= middle) {
                s = 0;
                lost = 0;
                for (int j = hi - 1; j >= lo; j--) {
                    double x = NonFinite.finite(v[j]);
                    double t = s + x;
                    double b = t - s;
                    lost += s - (t - b) + (x - b);
                    s = t;
                    suffix[j] = s;
                    suffixLost[j] = lost;
                }
                middle = hi;
                end = hi;
                s = 0;
                lost = 0;
            }
            for (; end < hi; end++) {
                double x = NonFinite.finite(v[end]);
                double t = s + x;
                double b = t - s;
                lost += s - (t - b) + (x - b);
                s = t;
            }
            special.move(v, lo, hi);
            if (special.any()) {
                out[i] = special.sum();
                continue;
            }
            double a = suffix[lo];
            double t = a + s;
            double b = t - a;
            double all = suffixLost[lo] + lost + (a - (t - b) + (s - b));
            if (Math.abs(t) <= Double.MAX_VALUE && Math.abs(all) <= Double.MAX_VALUE) {
                out[i] = average ? t / (hi - lo) + all / (hi - lo) : t + all;
            } else {
                // The sum overflows, though no number is infinite.
                out[i] = direct(w, lo, hi);
                polled(hi - lo);
            }
        }
    }

    private void polled(int more) {
        work += more;
        if (work > 1 << 18) {
            check.run();
            work = 0;
        }
    }

    /**
     * Whether histograms may be added in any order: those of one layout, far from overflowing and from cancelling each other out. How
     * bounds of different layouts are reconciled may depend on the order, and so does what is left of numbers of different size.
     */
    private static boolean slidable(Windows w) {
        FloatHistogram first = w.histograms[0];
        double least = Double.MAX_VALUE;
        double most = 0;
        boolean negative = false;
        for (int i = 0; i < w.histogramSize; i++) {
            FloatHistogram h = w.histograms[i];
            double sum = Math.abs(h.sum());
            if (h.schema() != first.schema() || h.zeroThreshold() != first.zeroThreshold() || !(sum < 1e290) || !(h.count() < 1e290)
                    || h.count() < 0 || h.zeroCount() < 0 || h.hasBucketsInsideZero() || anyNegative(h.positiveBuckets())
                    || anyNegative(h.negativeBuckets())
                    || h.customValues() != first.customValues() && !Arrays.equals(h.customValues(), first.customValues())) {
                return false;
            }
            negative |= h.sum() < 0;
            most = Math.max(most, sum);
            least = sum == 0 ? least : Math.min(least, sum);
        }
        return !negative || most <= 1e6 * least;
    }

    private static boolean anyNegative(double[] buckets) {
        for (double b : buckets) {
            if (b < 0) {
                return true;
            }
        }
        return false;
    }

    private void slideHistograms(Windows w, Row out, Notes notes) {
        int n = w.histogramSize;
        if (suffixes.length < n) {
            suffixes = new FloatHistogram[n];
            resets = new int[n + 1];
            notResets = new int[n + 1];
        }
        FloatHistogram[] h = w.histograms;
        for (int i = 0; i < n; i++) {
            resets[i + 1] = resets[i] + (h[i].hint() == CounterResetHint.RESET ? 1 : 0);
            notResets[i + 1] = notResets[i] + (h[i].hint() == CounterResetHint.NOT_RESET ? 1 : 0);
        }
        HistogramSum newer = histograms;
        int middle = 0;
        int end = 0;
        for (int i = 0; i < w.grid.count(); i++) {
            int lo = w.histogramLo[i];
            int hi = w.histogramHi[i];
            if (hi == lo) {
                continue;
            }
            if (lo >= middle) {
                newer.set(h[hi - 1]);
                suffixes[hi - 1] = h[hi - 1];
                for (int j = hi - 2; j >= lo; j--) {
                    newer.add(h[j]);
                    suffixes[j] = newer.result();
                    polled(16);
                }
                middle = hi;
                end = hi;
            }
            for (; end < hi; end++) {
                if (end == middle) {
                    newer.set(h[end]);
                } else {
                    newer.add(h[end]);
                }
                polled(16);
            }
            if (w.hi[i] > w.lo[i]) {
                continue;
            }
            HistogramSum all = trial;
            if (hi == middle) {
                all.set(Objects.requireNonNull(suffixes[lo]));
            } else {
                all.set(newer);
                all.add(Objects.requireNonNull(suffixes[lo]));
            }
            polled(16);
            if (resets[hi] > resets[lo] && notResets[hi] > notResets[lo]) {
                notes.warn(w.position, "conflicting counter resets during histogram aggregation");
            }
            FloatHistogram result = all.result();
            out.setHistogram(i, average ? result.dividedBy(hi - lo) : result);
        }
        Arrays.fill(suffixes, 0, n, null);
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
            polled(16);
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

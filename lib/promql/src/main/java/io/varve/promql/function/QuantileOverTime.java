package io.varve.promql.function;

import io.varve.model.GoFloat;

/** {@code quantile_over_time} and {@code mad_over_time}: windows that overlap are ranked, others sorted. */
public final class QuantileOverTime implements RangeFunction {
    /** Windows of more samples than this, on average, are ranked if they overlap. */
    private static final int LONG = 4;
    /** Between two looks at whether the query is over there are as many samples and one more. */
    private static final int CHECKED = (1 << 16) - 1;

    private final double[] q;
    private final boolean deviation;
    private final RankedWindow ranks;
    private final NonFinite special = new NonFinite();
    private final Runnable check;
    private double[] window = new double[0];
    private double[] distances = new double[0];
    private int size;

    /**
     * @param q φ by step; not read for {@code mad_over_time}
     * @param deviation whether it is {@code mad_over_time}
     * @param check called now and then; throws where the query is over
     */
    public QuantileOverTime(double[] q, boolean deviation, Runnable check) {
        this.q = q;
        this.deviation = deviation;
        this.check = check;
        this.ranks = new RankedWindow(check);
    }

    @Override
    public int bytesPerSample() {
        return 64;
    }

    @Override
    public void apply(Windows w, Row out, Notes notes) {
        int steps = w.grid.count();
        for (int i = 0; i < steps; i++) {
            if (w.hi[i] == w.lo[i]) {
                continue;
            }
            if (!deviation && !(q[i] >= 0 && q[i] <= 1)) {
                notes.warn(w.position, "quantile value should be between 0 and 1, got " + GoFloat.general(q[i]));
            }
            if (MixedTypes.hasHistograms(w, i)) {
                MixedTypes.noteIgnored(w, notes);
            }
        }
        if (w.size > 0 && w.floatsInWindows() > (long) LONG * steps && w.floatsInWindows() > 2L * w.size) {
            ranked(w, out.values);
        } else {
            sorted(w, out.values);
        }
    }

    /** Long windows that overlap. */
    private void ranked(Windows w, double[] out) {
        RankedWindow r = ranks;
        double[] v = w.values;
        int steps = w.grid.count();
        int from = w.lo[0];
        r.rank(v, from, w.hi[steps - 1]);
        if (deviation) {
            special.start(v, w.size);
        }
        int begin = from;
        int end = from;
        for (int i = 0; i < steps; i++) {
            int lo = w.lo[i];
            int hi = w.hi[i];
            for (; begin < Math.min(lo, end); begin++) {
                r.remove(begin - from);
            }
            begin = Math.max(begin, lo);
            end = Math.max(end, lo);
            for (; end < hi; end++) {
                r.add(end - from);
                if ((end & CHECKED) == 0) {
                    check.run();
                }
            }
            if ((i & 63) == 0) {
                check.run();
            }
            if (hi == lo) {
                continue;
            }
            if (!deviation) {
                out[i] = r.quantile(q[i]);
                continue;
            }
            special.move(v, lo, hi);
            if (special.anyNaN()) {
                out[i] = Double.NaN;
            } else if (special.any()) {
                // Distances from a median among infinite numbers.
                out[i] = deviation(v, lo, hi);
                check.run();
            } else {
                out[i] = r.medianDeviation();
            }
        }
    }

    /** Windows one by one. */
    private void sorted(Windows w, double[] out) {
        long work = 0;
        for (int i = 0; i < w.grid.count(); i++) {
            int lo = w.lo[i];
            int hi = w.hi[i];
            if (hi == lo) {
                continue;
            }
            work += hi - lo;
            if (work > 1 << 18) {
                check.run();
                work = 0;
            }
            if (deviation) {
                out[i] = deviation(w.values, lo, hi);
            } else {
                sort(w.values, lo, hi);
                out[i] = Quantiles.sorted(q[i], window, size);
            }
        }
    }

    private void sort(double[] v, int lo, int hi) {
        size = hi - lo;
        if (window.length < size) {
            window = Room.doubles(window, 2 * size, check);
            distances = deviation ? Room.doubles(distances, 2 * size, check) : distances;
        }
        System.arraycopy(v, lo, window, 0, size);
        Quantiles.sort(window, size);
    }

    private double deviation(double[] v, int lo, int hi) {
        sort(v, lo, hi);
        return deviation();
    }

    private double deviation() {
        if (Double.isNaN(window[0])) {
            return Double.NaN;
        }
        double median = Quantiles.sorted(0.5, window, size);
        // Distances from the median fall towards it and rise behind it: merging both runs sorts them.
        int right = 0;
        while (right < size && window[right] < median) {
            right++;
        }
        int left = right - 1;
        for (int n = 0; n < size; n++) {
            boolean takeLeft = right >= size || left >= 0 && Math.abs(window[left] - median) <= Math.abs(window[right] - median);
            distances[n] = Math.abs((takeLeft ? window[left--] : window[right++]) - median);
        }
        return Double.isNaN(median) ? Double.NaN : sortedDistances();
    }

    private double sortedDistances() {
        for (int i = 0; i < size; i++) {
            if (Double.isNaN(distances[i])) {
                Quantiles.sort(distances, size);
                break;
            }
        }
        return Quantiles.sorted(0.5, distances, size);
    }
}

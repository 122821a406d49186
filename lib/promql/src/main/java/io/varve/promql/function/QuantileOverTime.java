package io.varve.promql.function;

import io.varve.model.GoFloat;

/** {@code quantile_over_time} and {@code mad_over_time}: the window is kept sorted while it slides. */
public final class QuantileOverTime implements RangeFunction {
    private final double[] q;
    private final boolean deviation;
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
    }

    @Override
    public void apply(Windows w, Row out, Notes notes) {
        if (window.length < w.size) {
            window = new double[w.size];
            distances = deviation ? new double[w.size] : distances;
        }
        size = 0;
        int begin = 0;
        int end = 0;
        double[] v = w.values;
        long work = 0;
        for (int i = 0; i < w.grid.count(); i++) {
            int lo = w.lo[i];
            int hi = w.hi[i];
            if (lo >= end) {
                size = 0;
                begin = lo;
                end = lo;
            }
            if (hi - end > 16 && hi - end > size) {
                System.arraycopy(v, lo, window, 0, hi - lo);
                size = hi - lo;
                Quantiles.sort(window, size);
                begin = lo;
                end = hi;
            } else {
                for (; begin < lo; begin++) {
                    remove(v[begin]);
                }
                for (; end < hi; end++) {
                    insert(v[end]);
                }
            }
            work += size;
            if (work > 1 << 20) {
                check.run();
                work = 0;
            }
            if (hi == lo) {
                continue;
            }
            if (!deviation && (Double.isNaN(q[i]) || q[i] < 0 || q[i] > 1)) {
                notes.warn(w.position, "quantile value should be between 0 and 1, got " + GoFloat.general(q[i]));
            }
            if (MixedTypes.hasHistograms(w, i)) {
                MixedTypes.noteIgnored(w, notes);
            }
            out.values[i] = deviation ? deviation() : Quantiles.sorted(q[i], window, size);
        }
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

    private int place(double x) {
        if (Double.isNaN(x)) {
            return 0;
        }
        int lo = 0;
        int hi = size;
        while (lo < hi) {
            int mid = lo + hi >>> 1;
            double y = window[mid];
            if (Double.isNaN(y) || Double.compare(y, x) < 0) {
                lo = mid + 1;
            } else {
                hi = mid;
            }
        }
        return lo;
    }

    private void insert(double x) {
        int at = place(x);
        System.arraycopy(window, at, window, at + 1, size - at);
        window[at] = x;
        size++;
    }

    private void remove(double x) {
        int at = place(x);
        size--;
        System.arraycopy(window, at + 1, window, at, size - at);
    }
}

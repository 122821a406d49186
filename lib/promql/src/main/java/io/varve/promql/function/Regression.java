package io.varve.promql.function;

import org.jspecify.annotations.Nullable;

/** {@code deriv} and {@code predict_linear}: a least-squares line through each window. */
public final class Regression implements RangeFunction {
    private final double @Nullable [] ahead;
    private final Runnable check;

    /**
     * @param ahead by step: how many seconds to predict ahead; null for {@code deriv}
     * @param check called now and then; throws where the query is over
     */
    public Regression(double @Nullable [] ahead, Runnable check) {
        this.ahead = ahead;
        this.check = check;
    }

    @Override
    public void apply(Windows w, Row out, Notes notes) {
        Kahan sumX = new Kahan();
        Kahan sumY = new Kahan();
        Kahan sumXY = new Kahan();
        Kahan sumXX = new Kahan();
        long work = 0;
        for (int i = 0; i < w.grid.count(); i++) {
            int lo = w.lo[i];
            int hi = w.hi[i];
            if (hi - lo > 0 && MixedTypes.hasHistograms(w, i)) {
                MixedTypes.noteIgnored(w, notes);
            }
            if (hi - lo < 2) {
                continue;
            }
            long origin = ahead == null ? w.times[lo] : w.grid.at(i);
            sumX.reset(0, 0);
            sumY.reset(0, 0);
            sumXY.reset(0, 0);
            sumXX.reset(0, 0);
            double y0 = w.values[lo];
            boolean constant = true;
            for (int j = lo; j < hi; j++) {
                double y = w.values[j];
                double x = (w.times[j] - origin) / 1e3;
                if (j > lo && y != y0) {
                    constant = false;
                }
                sumX.add(x);
                sumY.add(y);
                sumXY.add(x * y);
                sumXX.add(x * x);
            }
            double slope;
            double intercept;
            if (constant) {
                slope = Double.isInfinite(y0) ? Double.NaN : 0;
                intercept = Double.isInfinite(y0) ? Double.NaN : y0;
            } else {
                double n = hi - lo;
                double sx = sumX.total();
                double sy = sumY.total();
                slope = (sumXY.total() - sx * sy / n) / (sumXX.total() - sx * sx / n);
                intercept = sy / n - slope * sx / n;
            }
            out.values[i] = ahead == null ? slope : slope * ahead[i] + intercept;
            work += hi - lo;
            if (work > 1 << 20) {
                check.run();
                work = 0;
            }
        }
    }
}

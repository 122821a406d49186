package io.varve.promql.function;

import io.varve.model.GoFloat;
import io.varve.model.InvalidRequestException;

/** {@code double_exponential_smoothing} (Holt-Winters without seasons). */
public final class Smoothing implements RangeFunction {
    private final double[] smoothing;
    private final double[] trend;
    private final Runnable check;

    /**
     * @param smoothing factor by step
     * @param trend factor by step
     * @param check called now and then; throws where the query is over
     */
    public Smoothing(double[] smoothing, double[] trend, Runnable check) {
        this.smoothing = smoothing;
        this.trend = trend;
        this.check = check;
    }

    @Override
    public void apply(Windows w, Row out, Notes notes) {
        long work = 0;
        for (int i = 0; i < w.grid.count(); i++) {
            int lo = w.lo[i];
            int hi = w.hi[i];
            boolean histograms = MixedTypes.hasHistograms(w, i);
            if (hi == lo && !histograms) {
                continue;
            }
            double sf = smoothing[i];
            double tf = trend[i];
            if (sf <= 0 || sf >= 1) {
                throw new InvalidRequestException(InvalidRequestException.Kind.EXECUTION,
                        "invalid smoothing factor. Expected: 0 < sf < 1, got: " + GoFloat.fixed(sf, 6));
            }
            if (tf <= 0 || tf >= 1) {
                throw new InvalidRequestException(InvalidRequestException.Kind.EXECUTION,
                        "invalid trend factor. Expected: 0 < tf < 1, got: " + GoFloat.fixed(tf, 6));
            }
            if (hi > lo && histograms) {
                MixedTypes.noteIgnored(w, notes);
            }
            if (hi - lo < 2) {
                continue;
            }
            double[] v = w.values;
            double s0 = 0;
            double s1 = v[lo];
            double b = v[lo + 1] - v[lo];
            for (int j = lo + 1; j < hi; j++) {
                if (j > lo + 1) {
                    b = tf * (s1 - s0) + (1 - tf) * b;
                }
                double next = sf * v[j] + (1 - sf) * (s1 + b);
                s0 = s1;
                s1 = next;
            }
            out.values[i] = s1;
            work += hi - lo;
            if (work > 1 << 20) {
                check.run();
                work = 0;
            }
        }
    }
}

package io.varve.promql.exec;

import io.varve.model.CounterResetHint;
import io.varve.model.FloatHistogram;
import io.varve.model.SampleBuffer;
import java.util.List;

/** Histograms of which only count and sum are needed: buckets go, after they have told where the counter was reset. Schema and custom bounds
 * stay, so that mixing them shows. */
final class HistogramStatistics {
    private HistogramStatistics() {
    }

    static void reduce(SampleBuffer samples) {
        if (samples.histograms == null) {
            return;
        }
        FloatHistogram last = null;
        FloatHistogram reduced = null;
        for (int i = 0; i < samples.size; i++) {
            FloatHistogram h = samples.histograms[i];
            if (h == null || h.isStale()) {
                continue;
            }
            if (h == last && reduced != null && reduced.hint() == h.hint()) {
                samples.histograms[i] = reduced;
                continue;
            }
            CounterResetHint hint = h.hint();
            if (hint == CounterResetHint.UNKNOWN && last != null) {
                hint = h.isResetAfter(last) ? CounterResetHint.RESET : CounterResetHint.NOT_RESET;
            }
            reduced = new FloatHistogram(hint, h.schema(), 0, 0, h.count(), h.sum(), List.of(), FloatHistogram.NO_BUCKETS,
                    List.of(),
                    FloatHistogram.NO_BUCKETS, FloatHistogram.NO_BUCKETS);
            samples.histograms[i] = reduced;
            last = h;
        }
    }
}

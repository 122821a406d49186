package io.varve.promql.function;

import io.varve.model.GoQuote;

/** What functions of floats say about histograms in their windows. */
final class MixedTypes {
    private MixedTypes() {
    }

    /** Notes once where a window has both kinds; for functions that leave histograms out. */
    static void noteIgnoredWhereMixed(Windows w, Notes notes) {
        for (int i = 0; w.histogramSize > 0 && i < w.grid.count(); i++) {
            if (w.hi[i] > w.lo[i] && hasHistograms(w, i)) {
                noteIgnored(w, notes);
                return;
            }
        }
    }

    /** For functions that leave histograms out. */
    static void noteIgnored(Windows w, Notes notes) {
        notes.info(w.position, "ignored histograms in a range containing both floats and histograms for metric name "
                + GoQuote.quote(w.metric()));
    }

    /** For functions that have no answer then. */
    static void noteMix(Windows w, Notes notes) {
        notes.warn(w.position, "encountered a mix of histograms and floats for metric name " + GoQuote.quote(w.metric()));
    }

    static boolean hasHistograms(Windows w, int step) {
        return w.histogramSize > 0 && w.histogramHi[step] > w.histogramLo[step];
    }
}

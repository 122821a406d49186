package io.varve.chunk;

import io.varve.model.FloatHistogram;
import io.varve.model.Histogram;
import io.varve.model.SampleCursor;

/** A cursor over decoded integer histograms. */
final class HistogramCursor implements SampleCursor {
    private final long[] times;
    private final long[] starts;
    private final Histogram[] histograms;
    private final int size;
    private int i = -1;

    HistogramCursor(long[] times, long[] starts, Histogram[] histograms, int size) {
        this.times = times;
        this.starts = starts;
        this.histograms = histograms;
        this.size = size;
    }

    @Override
    public Kind next() {
        if (i < size) {
            i++;
        }
        return i < size ? Kind.HISTOGRAM : Kind.END;
    }

    @Override
    public Kind seek(long timestampMillis) {
        if (i < 0) {
            i = 0;
        }
        while (i < size && times[i] < timestampMillis) {
            i++;
        }
        return i < size ? Kind.HISTOGRAM : Kind.END;
    }

    @Override
    public long timestamp() {
        return times[i];
    }

    @Override
    public long startTimestamp() {
        return starts[i];
    }

    @Override
    public double value() {
        throw new IllegalStateException("the sample is a histogram");
    }

    @Override
    public Histogram histogram() {
        return histograms[i];
    }

    @Override
    public FloatHistogram floatHistogram() {
        return histograms[i].toFloat();
    }
}

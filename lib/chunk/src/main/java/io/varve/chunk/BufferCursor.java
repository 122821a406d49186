package io.varve.chunk;

import io.varve.model.FloatHistogram;
import io.varve.model.Histogram;
import io.varve.model.SampleBuffer;
import io.varve.model.SampleCursor;

/** A cursor over decoded floats and float histograms. */
final class BufferCursor implements SampleCursor {
    private final SampleBuffer buffer;
    private int i = -1;

    BufferCursor(SampleBuffer buffer) {
        this.buffer = buffer;
    }

    @Override
    public Kind next() {
        if (i < buffer.size) {
            i++;
        }
        return kind();
    }

    private Kind kind() {
        return i >= buffer.size ? Kind.END : buffer.histogram(i) == null ? Kind.FLOAT : Kind.FLOAT_HISTOGRAM;
    }

    @Override
    public Kind seek(long timestampMillis) {
        if (i < 0) {
            i = 0;
        }
        while (i < buffer.size && buffer.timestamps[i] < timestampMillis) {
            i++;
        }
        return kind();
    }

    @Override
    public long timestamp() {
        return buffer.timestamps[i];
    }

    @Override
    public long startTimestamp() {
        long[] st = buffer.startTimestamps;
        return st == null ? 0 : st[i];
    }

    @Override
    public double value() {
        return buffer.values[i];
    }

    @Override
    public Histogram histogram() {
        throw new IllegalStateException("the sample is no integer histogram");
    }

    @Override
    public FloatHistogram floatHistogram() {
        FloatHistogram h = buffer.histogram(i);
        if (h == null) {
            throw new IllegalStateException("the sample is a float");
        }
        return h;
    }
}

package io.varve.promql.exec;

import io.varve.model.FloatHistogram;
import io.varve.model.Labels;
import io.varve.model.SampleBuffer;
import io.varve.promql.function.Grid;
import io.varve.promql.function.Notes;
import io.varve.promql.function.Row;
import org.jspecify.annotations.Nullable;

/** An instant selector: at each step the last sample that is not older than the lookback, unless it is a stale marker. */
final class InstantKernel implements Kernel {
    /** What is taken of the sample. */
    enum Take {
        VALUE, TIME, START_TIME
    }

    private final Grid grid;
    private final long lookback;
    private final long offset;
    private final boolean pinned;
    private final long pin;
    private final Take take;
    private final boolean smoothed;

    InstantKernel(Grid grid, long lookback, long offset, @Nullable Long at, Take take, boolean smoothed) {
        this.grid = grid;
        this.lookback = lookback;
        this.offset = offset;
        this.pinned = at != null;
        this.pin = at == null ? 0 : at - offset;
        this.take = take;
        this.smoothed = smoothed;
    }

    @Override
    public @Nullable Row row(Labels labels, boolean dropName, SampleBuffer samples, Notes notes, SampleCount count) {
        int steps = grid.count();
        double[] out = new double[steps];
        Row row = new Row(labels, dropName, out);
        long[] t = samples.timestamps;
        double[] v = samples.values;
        int n = samples.size;
        boolean histograms = samples.histograms != null;
        int at = 0;
        int lastCounted = -1;
        boolean any = false;
        for (int i = 0; i < steps; i++) {
            long ref = pinned ? pin : grid.at(i) - offset;
            while (at < n && t[at] <= ref) {
                at++;
            }
            int s = at - 1;
            out[i] = Row.ABSENT;
            if (smoothed) {
                double x = interpolated(samples, at, ref);
                out[i] = x;
                if (!Row.isAbsent(x)) {
                    any = true;
                    count.total++;
                }
                continue;
            }
            if (s < 0 || t[s] <= ref - lookback) {
                continue;
            }
            FloatHistogram h = histograms ? samples.histogram(s) : null;
            if (h != null ? h.isStale() : SampleBuffer.isStale(v[s])) {
                continue;
            }
            any = true;
            int size = 1;
            if (take == Take.TIME) {
                out[i] = t[s] / 1000.0;
            } else if (take == Take.START_TIME) {
                long[] st = samples.startTimestamps;
                if (st == null || st[s] == 0) {
                    continue;
                }
                out[i] = st[s] / 1000.0;
            } else if (h != null) {
                row.setHistogram(i, h);
                size = h.sampleSize();
            } else {
                out[i] = v[s];
            }
            count.total += size;
            if (count.perStep != null) {
                count.perStep[i] += size;
            }
            if (s != lastCounted) {
                count.read += size;
                lastCounted = s;
            }
        }
        return any ? row : null;
    }

    /** The value on the line between the samples around {@code ref}; the one before where there is none after. */
    private double interpolated(SampleBuffer samples, int next, long ref) {
        int before = next - 1;
        while (before >= 0 && (samples.histogram(before) != null || SampleBuffer.isStale(samples.values[before]))) {
            if (SampleBuffer.isStale(samples.values[before]) && samples.histogram(before) == null) {
                before = -1;
                break;
            }
            before--;
        }
        if (before < 0 || samples.timestamps[before] <= ref - lookback) {
            return Row.ABSENT;
        }
        if (samples.timestamps[before] == ref) {
            return samples.values[before];
        }
        int after = next;
        while (after < samples.size && (samples.histogram(after) != null || SampleBuffer.isStale(samples.values[after]))) {
            after++;
        }
        if (after >= samples.size || samples.timestamps[after] >= ref + lookback) {
            return samples.values[before];
        }
        double y1 = samples.values[before];
        double y2 = samples.values[after];
        return y1 + (y2 - y1) * (double) (ref - samples.timestamps[before])
                / (double) (samples.timestamps[after] - samples.timestamps[before]);
    }

    @Override
    public long bytes() {
        return 0;
    }
}

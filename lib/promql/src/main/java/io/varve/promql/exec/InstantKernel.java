package io.varve.promql.exec;

import io.varve.model.CounterResetHint;
import io.varve.model.FloatHistogram;
import io.varve.model.GoQuote;
import io.varve.model.Labels;
import io.varve.model.SampleBuffer;
import io.varve.model.WindowEnds;
import io.varve.promql.function.ExtendedEdges;
import io.varve.promql.function.Grid;
import io.varve.promql.function.Notes;
import io.varve.promql.function.Row;
import io.varve.promql.function.Windows;
import io.varve.promql.parser.Position;
import io.varve.promql.parser.VectorSelector.Edges;
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
    private final Position position;
    private final Runnable check;
    private @Nullable Windows windows;
    private double @Nullable [] spare;

    InstantKernel(Grid grid, long lookback, long offset, @Nullable Long at, Take take, boolean smoothed,
            Position position, Runnable check) {
        this.check = check;
        this.grid = grid;
        this.lookback = lookback;
        this.offset = offset;
        this.pinned = at != null;
        this.pin = at == null ? 0 : at - offset;
        this.take = take;
        this.smoothed = smoothed;
        this.position = position;
    }

    @Override
    public @Nullable Row row(Labels labels, boolean dropName, SampleBuffer samples, Notes notes, SampleCount count) {
        if (smoothed) {
            return smoothed(labels, dropName, samples, notes, count);
        }
        if (take == Take.VALUE && samples.histograms == null && count.perStep == null) {
            return floats(labels, dropName, samples, count);
        }
        int steps = grid.count();
        double[] out = new double[steps];
        Row row = new Row(labels, dropName, out);
        long[] t = samples.timestamps;
        double[] v = samples.values;
        int n = samples.size;
        boolean histograms = samples.histograms != null;
        int at = 0;
        boolean any = false;
        for (int i = 0; i < steps; i++) {
            long ref = pinned ? pin : grid.at(i) - offset;
            while (at < n && t[at] <= ref) {
                at++;
            }
            int s = at - 1;
            out[i] = Row.ABSENT;
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
                out[i] = st == null ? 0 : st[s] / 1000.0;
            } else if (h != null) {
                row.setHistogram(i, h);
                size = h.sampleSize();
            } else {
                out[i] = v[s];
            }
            count.add(i, size);
        }
        return any ? row : null;
    }

    /** The same where all samples are floats. A stale marker is taken as it is: it says that there is nothing. */
    private @Nullable Row floats(Labels labels, boolean dropName, SampleBuffer samples, SampleCount count) {
        int steps = grid.count();
        if (steps == 0) {
            return null;
        }
        double[] out = spare == null ? new double[steps] : spare;
        spare = null;
        long[] t = samples.timestamps;
        double[] v = samples.values;
        int n = samples.size;
        long first = pinned ? pin : grid.at(0) - offset;
        long step = pinned ? 0 : grid.step();
        long distance = pinned ? 0 : Windows.distance(t, n);
        int from = 0;
        int at = 0;
        int points = 0;
        if (distance > 0 && distance <= lookback && step % distance == 0) {
            // Samples as regular as steps: which of them counts moves on evenly between the first and the last.
            while (from < steps && first + from * step < t[0]) {
                out[from++] = Row.ABSENT;
            }
            long begin = from == steps ? n : (first + from * step - t[0]) / distance;
            if (begin < n) {
                long each = step / distance;
                int to = (int) Math.min(steps, from + (n - 1 - begin) / each + 1);
                if (each == 1) {
                    System.arraycopy(v, (int) begin, out, from, to - from);
                } else {
                    for (int i = from; i < to; i++) {
                        out[i] = v[(int) (begin + (i - from) * each)];
                    }
                }
                points = points(out, from, to);
                from = to;
                at = n;
            }
        }
        long ref = first + from * step;
        for (int i = from; i < steps; i++, ref += step) {
            while (at < n && t[at] <= ref) {
                at++;
            }
            int s = at - 1;
            if (s < 0 || t[s] <= ref - lookback) {
                out[i] = Row.ABSENT;
                continue;
            }
            double x = v[s];
            out[i] = x;
            if (!Row.isAbsent(x)) {
                points++;
            }
        }
        if (points == 0) {
            spare = out;
            return null;
        }
        count.total += points;
        count.read += points;
        Row row = new Row(labels, dropName, out);
        if (points == steps) {
            row.span(0, steps);
        }
        return row;
    }

    private static int points(double[] v, int from, int to) {
        int i = from;
        while (i < to && !Row.isAbsent(v[i])) {
            i++;
        }
        int points = i - from;
        for (; i < to; i++) {
            points += Row.isAbsent(v[i]) ? 0 : 1;
        }
        return points;
    }

    /** What is on the line between the samples around each instant; what is before it where there is nothing behind. */
    private @Nullable Row smoothed(Labels labels, boolean dropName, SampleBuffer samples, Notes notes, SampleCount count) {
        Windows w = windows;
        if (w == null) {
            w = new Windows(grid, Math.min(2 * lookback, Long.MAX_VALUE / 1_000_000) * 1_000_000, pinned ? -lookback : offset - lookback,
                    pinned ? (Long) pin : null, Edges.NORMAL, 0, position, false, check);
            windows = w;
        }
        w.load(labels, samples);
        Row row = Row.empty(labels, dropName, grid.count());
        for (int i = 0; i < grid.count(); i++) {
            long ref = pinned ? pin : grid.at(i) - offset;
            boolean floats = w.hi[i] > w.lo[i];
            boolean histograms = w.histogramSize > 0 && w.histogramHi[i] > w.histogramLo[i];
            if (floats && histograms) {
                notes.warn(position, "encountered a mix of histograms and floats for metric name " + GoQuote.quote(labels.metricName()));
                continue;
            }
            if (floats) {
                smoothedFloat(w, row, i, ref);
            } else if (histograms) {
                smoothedHistogram(w, row, i, ref, notes);
            }
            if (row.has(i)) {
                count.add(i, 1);
            }
        }
        return row.isEmpty() ? null : row;
    }

    private static int before(long[] t, int lo, int hi, long ref) {
        int b = lo - 1;
        while (b + 1 < hi && t[b + 1] <= ref) {
            b++;
        }
        return b;
    }

    private void smoothedFloat(Windows w, Row row, int step, long ref) {
        int lo = w.lo[step];
        int hi = w.hi[step];
        int b = before(w.times, lo, hi, ref);
        if (b < lo) {
            return;
        }
        if (w.times[b] == ref || b + 1 >= hi) {
            row.values[step] = w.values[b];
            return;
        }
        double y1 = w.values[b];
        double y2 = w.values[b + 1];
        row.values[step] = y1 + (y2 - y1) * (double) (ref - w.times[b]) / (double) (w.times[b + 1] - w.times[b]);
    }

    private void smoothedHistogram(Windows w, Row row, int step, long ref, Notes notes) {
        int lo = w.histogramLo[step];
        int hi = w.histogramHi[step];
        int b = before(w.histogramTimes, lo, hi, ref);
        if (b < lo) {
            return;
        }
        FloatHistogram h = w.histograms[b];
        if (w.histogramTimes[b] == ref) {
            row.setHistogram(step, h);
            return;
        }
        if (b + 1 >= hi) {
            row.setHistogram(step, h.hint() == CounterResetHint.GAUGE ? h : h.withHint(CounterResetHint.UNKNOWN));
            return;
        }
        double share = (double) (ref - w.histogramTimes[b]) / (double) (w.histogramTimes[b + 1] - w.histogramTimes[b]);
        FloatHistogram next = w.histograms[b + 1];
        boolean counter = h.hint() != CounterResetHint.GAUGE || next.hint() != CounterResetHint.GAUGE;
        FloatHistogram between = ExtendedEdges.between(h, next, share, counter);
        if (between == null) {
            notes.warn(position, "vector contains a mix of histograms with exponential and custom buckets schemas for metric name "
                    + GoQuote.quote(w.metric()));
        } else {
            ExtendedEdges.noteReconciled(h, next, counter, position, notes);
            row.setHistogram(step, between);
        }
    }

    @Override
    public @Nullable WindowEnds ends() {
        return smoothed
                ? null
                : new WindowEnds(pinned ? pin : grid.start() - offset, pinned || grid.count() < 2 ? 0 : grid.step(), lookback);
    }

    @Override
    public void reuse(double[] values) {
        spare = values;
    }

    @Override
    public long bytes(int samples) {
        return 0;
    }
}

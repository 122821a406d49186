package io.varve.promql.exec;

import io.varve.model.FloatHistogram;
import io.varve.model.Labels;
import io.varve.model.SampleBuffer;
import io.varve.promql.PlanTree;
import io.varve.promql.function.Grid;
import io.varve.promql.function.Notes;
import io.varve.promql.function.Row;
import io.varve.promql.function.Windows;
import io.varve.promql.parser.VectorSelector.Edges;
import io.varve.promql.plan.PlanNode;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** A range vector as the answer itself: the samples of one window per series. */
public final class RangeRows implements AutoCloseable {
    private final QueryRun run;
    private final Operator input;
    private final @Nullable Grid inner;

    /** One series. */
    public record Samples(Labels labels, boolean dropName, SampleBuffer samples) {
    }

    RangeRows(QueryRun run, PlanNode.Select s, OperatorBuilder builder) {
        this.run = run;
        inner = null;
        input = builder.leaf(s, run.grid, "Select", () -> new Copy(run, s));
    }

    RangeRows(QueryRun run, PlanNode.Subquery s, Grid grid, OperatorBuilder builder) {
        this.run = run;
        inner = grid;
        input = builder.below(s, run.grid, grid);
    }

    /** The next series with samples in its window, null at the end. */
    public @Nullable Samples next() {
        while (true) {
            Row row = input.next();
            if (row == null) {
                return null;
            }
            SampleBuffer samples;
            Grid grid = inner;
            if (grid != null) {
                samples = roomFor(row.points());
                SubqueryRange.load(row, grid, samples);
            } else {
                samples = unpack(row);
            }
            if (samples.size > 0) {
                return new Samples(row.labels, row.dropName, samples);
            }
        }
    }

    /** The plan below with what it cost. */
    public PlanTree tree() {
        return input.tree();
    }

    @Override
    public void close() {
        input.close();
    }

    private SampleBuffer roomFor(int samples) {
        SampleBuffer out = new SampleBuffer(0);
        out.growing = n -> run.context.check();
        out.ensure(samples);
        return out;
    }

    /** A row that holds samples in place of steps: values, then times as numbers. */
    private SampleBuffer unpack(Row row) {
        int n = row.values.length / 2;
        SampleBuffer out = roomFor(n);
        for (int i = 0; i < n; i++) {
            FloatHistogram h = row.histogram(i);
            long t = (long) row.values[n + i];
            if (h != null) {
                out.add(t, h);
            } else {
                out.add(t, row.values[i]);
            }
        }
        return out;
    }

    private static final class Copy implements Kernel {
        private final QueryRun run;
        private final Windows windows;

        Copy(QueryRun run, PlanNode.Select s) {
            this.run = run;
            windows = new Windows(run.grid, s.rangeNanos(), s.offsetMillis(), s.atMillis(), s.edges(), run.lookback, s.position(), false,
                    run.context::check);
        }

        @Override
        public @Nullable Row row(Labels labels, boolean dropName, SampleBuffer samples, Notes notes, SampleCount count) {
            Windows w = windows;
            w.load(labels, samples);
            count.total += w.samplesInWindows(count.perStep);
            count.read += w.samplesRead(count.readPerStep);
            int floats = w.hi[0] - w.lo[0];
            int histograms = w.histogramSize == 0 ? 0 : w.histogramHi[0] - w.histogramLo[0];
            if (floats + histograms == 0) {
                return null;
            }
            if (w.edges != Edges.NORMAL) {
                if (histograms > 0) {
                    throw QueryRun.failure((w.edges == Edges.ANCHORED ? "anchored" : "smoothed")
                            + " modifier is not supported with histograms");
                }
                return edged(w, labels, dropName);
            }
            int n = floats + histograms;
            run.context.check();
            Row row = new Row(labels, dropName, new double[2 * n]);
            FloatHistogram[] hs = histograms == 0 ? null : new FloatHistogram[2 * n];
            int f = w.lo[0];
            int h = histograms == 0 ? 0 : w.histogramLo[0];
            for (int i = 0; i < n; i++) {
                boolean isFloat = h >= w.histogramSize || histograms == 0 || h >= w.histogramHi[0]
                        || f < w.hi[0] && w.times[f] < w.histogramTimes[h];
                if (isFloat) {
                    row.values[i] = w.values[f];
                    row.values[n + i] = w.times[f++];
                } else if (hs != null) {
                    hs[i] = w.histograms[h];
                    row.values[i] = Row.ABSENT;
                    row.values[n + i] = w.histogramTimes[h++];
                }
            }
            row.histograms = hs;
            return row;
        }

        /** The samples inside, with values at both edges. */
        private static @Nullable Row edged(Windows w, Labels labels, boolean dropName) {
            long start = w.start(0);
            long end = w.end(0);
            int lo = w.lo[0];
            int hi = w.hi[0];
            boolean smoothed = w.edges == Edges.SMOOTHED;
            double[] v = new double[hi - lo + 2];
            long[] t = new long[hi - lo + 2];
            int n = 0;
            int before = lo - 1;
            while (before + 1 < hi && w.times[before + 1] <= start) {
                before++;
            }
            int last = before;
            while (last + 1 < hi && w.times[last + 1] <= end) {
                last++;
            }
            if (w.times[hi - 1] <= start) {
                return null;
            }
            boolean hasBefore = before >= lo;
            double left = !hasBefore
                    ? w.values[lo]
                    : smoothed && w.times[before] < start && before + 1 < hi ? between(w, before, start) : w.values[before];
            t[n] = start;
            v[n++] = left;
            for (int i = before + 1; i <= last; i++) {
                if (w.times[i] > start && w.times[i] < end) {
                    t[n] = w.times[i];
                    v[n++] = w.values[i];
                }
            }
            double right = last < lo
                    ? w.values[lo]
                    : smoothed && w.times[last] < end && last + 1 < hi ? between(w, last, end) : w.values[last];
            t[n] = end;
            v[n++] = right;
            Row row = new Row(labels, dropName, Arrays.copyOf(v, 2 * n));
            for (int i = 0; i < n; i++) {
                row.values[n + i] = t[i];
            }
            return row;
        }

        private static double between(Windows w, int i, long time) {
            return w.values[i] + (w.values[i + 1] - w.values[i]) * (double) (time - w.times[i]) / (double) (w.times[i + 1] - w.times[i]);
        }

        @Override
        public long bytes(int samples) {
            return windows.bytes(samples);
        }
    }
}

package io.varve.promql.exec;

import io.varve.model.Labels;
import io.varve.model.SampleBuffer;
import io.varve.model.WindowEnds;
import io.varve.promql.function.Notes;
import io.varve.promql.function.RangeFunction;
import io.varve.promql.function.Row;
import io.varve.promql.function.Windows;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** A function over a range, of stored series or of a subquery's rows. */
final class RangeKernel implements Kernel {
    private final Windows windows;
    private final RangeFunction function;
    /** Whether the function drops names, and so that it happens now. */
    private final boolean dropsName;
    private final boolean dropNow;
    /** Whether samples are counted: a subquery's were counted already. */
    private final boolean counts;
    /** Called between the parts of the work on a series, which may have millions of samples; throws where the query is over. */
    private final Runnable check;
    private double @Nullable [] spare;

    RangeKernel(Windows windows, RangeFunction function, boolean dropsName, boolean dropNow, boolean counts, Runnable check) {
        this.windows = windows;
        this.function = function;
        this.dropsName = dropsName;
        this.dropNow = dropNow;
        this.counts = counts;
        this.check = check;
    }

    @Override
    public @Nullable Row row(Labels labels, boolean dropName, SampleBuffer samples, Notes notes, SampleCount count) {
        check.run();
        windows.load(labels, samples);
        check.run();
        if (counts) {
            count.total += windows.samplesInWindows(count.perStep);
            count.read += windows.samplesRead(count.readPerStep);
        }
        if (windows.isEmpty()) {
            return null;
        }
        double[] values = spare == null ? new double[windows.grid.count()] : spare;
        spare = null;
        Arrays.fill(values, Row.ABSENT);
        Row row = new Row(labels, dropName || dropsName, values);
        function.apply(windows, row, notes);
        if (row.isEmpty()) {
            spare = values;
            return null;
        }
        if (dropsName && dropNow) {
            row.labels = Names.drop(labels);
        }
        return row;
    }

    @Override
    public void allowFlat() {
        function.allowFlat();
    }

    @Override
    public @Nullable WindowEnds ends() {
        return function.looksAtEnds() ? windows.ends() : null;
    }

    @Override
    public void reuse(double[] values) {
        spare = values;
    }

    @Override
    public void forget() {
        windows.forgetHistograms();
    }

    @Override
    public long bytes(int samples) {
        return windows.bytes(samples) + (long) function.bytesPerSample() * samples + function.flatBytes();
    }
}

package io.varve.promql.exec;

import io.varve.model.CounterResetHint;
import io.varve.model.FloatHistogram;
import io.varve.model.SampleBuffer;
import io.varve.promql.function.Grid;
import io.varve.promql.function.Row;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A range function over the rows of a subquery, which are taken as stored series at the subquery's steps. */
final class SubqueryRange extends Operator {
    private final Grid inner;
    private final Kernel kernel;
    private @Nullable SampleBuffer samples;
    private final SampleCount count = new SampleCount(0);

    SubqueryRange(QueryRun run, Grid grid, Grid inner, String name, String detail, Operator input, Kernel kernel) {
        super(run, grid, name, detail, List.of(input));
        this.inner = inner;
        this.kernel = kernel;
    }

    @Override
    @Nullable
    Row produce() {
        SampleBuffer buffer = samples;
        if (buffer == null) {
            memory.reserve(16L * inner.count() + kernel.bytes(inner.count()));
            buffer = new SampleBuffer(0);
            buffer.growing = n -> run.context.check();
            buffer.ensure(inner.count());
            samples = buffer;
        }
        while (true) {
            run.context.check();
            Row in = inputs.getFirst().next();
            if (in == null) {
                return null;
            }
            run.context.check();
            load(in, inner, buffer);
            Row out = kernel.row(in.labels, in.dropName, buffer, run.notes, count);
            if (out != null) {
                return out;
            }
        }
    }

    static void load(Row in, Grid inner, SampleBuffer samples) {
        samples.clear();
        for (int i = 0; i < inner.count(); i++) {
            FloatHistogram h = in.histogram(i);
            if (h != null) {
                // What is known of resets between stored samples says nothing of the subquery's.
                samples.add(inner.at(i), h.hint() == CounterResetHint.GAUGE ? h : h.withHint(CounterResetHint.UNKNOWN));
            } else if (in.hasFloat(i)) {
                samples.add(inner.at(i), in.values[i]);
            }
        }
    }
}

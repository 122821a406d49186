package io.varve.promql.exec;

import io.varve.model.Labels;
import io.varve.model.SampleBuffer;
import io.varve.promql.function.Notes;
import io.varve.promql.function.Row;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** A kernel that is made when the first series comes: not before its parameters are known. */
final class LazyKernel implements Kernel {
    private final Supplier<Kernel> source;
    private @Nullable Kernel kernel;

    LazyKernel(Supplier<Kernel> source) {
        this.source = source;
    }

    private Kernel kernel() {
        Kernel k = kernel;
        if (k == null) {
            k = source.get();
            kernel = k;
        }
        return k;
    }

    @Override
    public @Nullable Row row(Labels labels, boolean dropName, SampleBuffer samples, Notes notes, SampleCount count) {
        return kernel().row(labels, dropName, samples, notes, count);
    }

    @Override
    public long bytes(int samples) {
        return kernel().bytes(samples);
    }
}

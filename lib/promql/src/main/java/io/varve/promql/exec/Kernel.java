package io.varve.promql.exec;

import io.varve.model.Labels;
import io.varve.model.SampleBuffer;
import io.varve.model.WindowEnds;
import io.varve.promql.function.Notes;
import io.varve.promql.function.Row;
import org.jspecify.annotations.Nullable;

/** Makes a row of the samples of one series. Holds scratch arrays: one thread at a time. */
interface Kernel {
    /**
     * The row, null where it would be empty.
     *
     * @param dropName whether the series' name is to be dropped at the end
     */
    @Nullable
    Row row(Labels labels, boolean dropName, SampleBuffer samples, Notes notes, SampleCount count);

    /** Gives back the values of a row that nobody holds any longer, for the next row. */
    default void reuse(double[] values) {
    }

    /** Allows rows with {@link Row#flat} from now on. */
    default void allowFlat() {
    }

    /** Which histograms of a series it looks at, null for all. */
    default @Nullable WindowEnds ends() {
        return null;
    }

    /** Lets go of the samples of the last series. */
    default void forget() {
    }

    /** Bytes of memory that the scratch arrays hold once a series of so many samples was read. */
    long bytes(int samples);
}

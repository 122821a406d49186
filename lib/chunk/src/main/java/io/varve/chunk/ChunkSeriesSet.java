package io.varve.chunk;

import io.varve.model.VarveException;
import org.jspecify.annotations.Nullable;

/**
 * Forward over series in label order, chunks still encoded: what merging, compaction and the wire use. One thread calls
 * {@link #next}; {@link #close} may come at any time, any number of times.
 */
public interface ChunkSeriesSet extends AutoCloseable {
    /**
     * The next series, null at the end. What was returned before stays valid.
     *
     * @throws VarveException where the source fails; the set is then over
     */
    @Nullable
    ChunkSeries next();

    @Override
    void close();
}

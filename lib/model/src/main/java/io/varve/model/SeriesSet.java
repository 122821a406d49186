package io.varve.model;

import org.jspecify.annotations.Nullable;

/**
 * What one select matched: series in label order, each label set once, streamed: nothing forces the whole set into memory. One
 * thread calls {@link #next}; {@link #close} may come from any thread, at any time, any number of times, and ends the set.
 */
public interface SeriesSet extends AutoCloseable {
    /**
     * The next series, null at the end. What it returned before stays valid.
     *
     * @throws VarveException where the source fails; the set is then over
     */
    @Nullable
    Series next();

    @Override
    void close();

    /** A set without series. */
    static SeriesSet empty() {
        return new SeriesSet() {
            @Override
            public @Nullable Series next() {
                return null;
            }

            @Override
            public void close() {
            }
        };
    }
}

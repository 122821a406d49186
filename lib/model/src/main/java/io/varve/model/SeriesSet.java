package io.varve.model;

import java.util.Collections;
import java.util.Iterator;
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
        return of(Collections.emptyIterator());
    }

    /** A set of what an iterator gives, in its order. */
    static SeriesSet of(Iterator<? extends Series> series) {
        return new SeriesSet() {
            private volatile boolean closed;

            @Override
            public @Nullable Series next() {
                return closed || !series.hasNext() ? null : series.next();
            }

            @Override
            public void close() {
                closed = true;
            }
        };
    }
}

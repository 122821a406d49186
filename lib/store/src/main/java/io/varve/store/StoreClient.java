package io.varve.store;

import io.varve.model.QueryContext;
import org.jspecify.annotations.Nullable;

/** The side that asks: one remote store. Safe for many threads. Failures are {@link io.varve.model.VarveException}s. */
public interface StoreClient extends AutoCloseable {
    /** Asks what it has. */
    StoreInfo info(QueryContext context);

    /** Opens a Series stream; the caller closes it, which cancels the call. A slow reader slows the sender. */
    SeriesStream series(QueryContext context, SeriesRequest request);

    /** Label names. */
    StringsResponse labelNames(QueryContext context, LabelNamesRequest request);

    /** Values of a label. */
    StringsResponse labelValues(QueryContext context, LabelValuesRequest request);

    /**
     * Tries to connect now, where the last attempt failed and the next would come in its own time, and waits until that has succeeded.
     *
     * @param millis how long to wait at most
     */
    default void reconnect(long millis) {
    }

    @Override
    void close();

    /** Frames of a Series answer. One thread; close from any. */
    interface SeriesStream extends AutoCloseable {
        /** A frame: a series or a warning. */
        sealed interface Frame {
            /** Series. */
            record OfSeries(StoreSeries series) implements Frame {
            }

            /** Warning text. */
            record OfWarning(String text) implements Frame {
            }
        }

        /**
         * The next frame, null at the end.
         *
         * @param timeoutMillis how long to wait for it, 0 = as long as the context lasts
         */
        @Nullable
        Frame next(long timeoutMillis);

        /** The blocks that were asked, as far as the store has said so by now. */
        default java.util.List<String> queriedBlocks() {
            return java.util.List.of();
        }

        @Override
        void close();
    }
}

package io.varve.store;

import java.util.List;

/** Where a store sends a Series answer. One thread. Calls block while the receiver is slow. */
public interface SeriesSink {
    /** The next series frame, in order. */
    void series(StoreSeries series);

    /** A warning; may come anywhere. */
    void warning(String text);

    /** Whether the receiver takes more within so many milliseconds; where not, the next frame may wait for it for any time. */
    default boolean ready(long millis) {
        return true;
    }

    /** The blocks that were asked, sent once. */
    void queriedBlocks(List<String> ids);

    /** A sink before another one: what it does not do in a way of its own goes there as it is. */
    interface Before extends SeriesSink {
        /** The other one. */
        SeriesSink sink();

        @Override
        default void warning(String text) {
            sink().warning(text);
        }

        @Override
        default boolean ready(long millis) {
            return sink().ready(millis);
        }

        @Override
        default void queriedBlocks(List<String> ids) {
            sink().queriedBlocks(ids);
        }
    }
}

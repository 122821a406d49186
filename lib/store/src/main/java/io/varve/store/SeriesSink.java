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
}

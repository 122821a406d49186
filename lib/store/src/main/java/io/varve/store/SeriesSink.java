package io.varve.store;

import java.util.List;

/** Where a store sends a Series answer. One thread. Calls block while the receiver is slow. */
public interface SeriesSink {
    /** The next series frame, in order. */
    void series(StoreSeries series);

    /** A warning; may come anywhere. */
    void warning(String text);

    /** The blocks that were asked, sent once. */
    void queriedBlocks(List<String> ids);
}

package io.varve.store;

import io.varve.model.QueryContext;

/**
 * The side that answers: what a process implements to serve the StoreAPI, and what the querier's proxy is. Calls run on a
 * virtual thread of their own and may block. Safe for many threads. The context ends when the caller goes away.
 */
public interface Store {
    /** What this store has now; called often, must be quick. */
    StoreInfo info();

    /**
     * Sends series in label order (after external labels were merged in and replica labels taken out) to the sink.
     *
     * @throws io.varve.model.VarveException which ends the stream with the status of its kind
     */
    void series(QueryContext context, SeriesRequest request, SeriesSink sink);

    /** Label names. */
    StringsResponse labelNames(QueryContext context, LabelNamesRequest request);

    /** Values of a label. */
    StringsResponse labelValues(QueryContext context, LabelValuesRequest request);
}

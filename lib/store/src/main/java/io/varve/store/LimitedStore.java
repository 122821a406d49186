package io.varve.store;

import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.Gauge;
import io.prometheus.metrics.core.metrics.Histogram;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.model.LimitExceededException;
import io.varve.model.QueryContext;
import java.util.List;

/**
 * A store with {@code --store.limits.request-series} and {@code --store.limits.request-samples}, and Thanos' {@code thanos_store_server_*}
 * metrics. Safe for many threads.
 */
public final class LimitedStore implements Store {
    /** A chunk counts as that many samples. */
    private static final int SAMPLES_PER_CHUNK = 120;

    private final Store store;
    private final long maxSeries;
    private final long maxSamples;
    private final Histogram seriesRequested;
    private final Histogram chunksRequested;
    private final Gauge pending;
    private final Counter dropped;

    /**
     * @param registry takes the metrics; one such store per registry
     * @param maxSeries series of one Series call, 0 = no limit
     * @param maxSamples samples of one Series call, a chunk counting as 120; 0 = no limit
     */
    public LimitedStore(Store store, PrometheusRegistry registry, long maxSeries, long maxSamples) {
        this.store = store;
        this.maxSeries = maxSeries;
        this.maxSamples = maxSamples;
        seriesRequested = Histogram.builder().name("thanos_store_server_series_requested")
                .help("Number of requested series for Series calls").classicOnly()
                .classicUpperBounds(1, 10, 100, 1000, 10_000, 100_000, 1_000_000).register(registry);
        chunksRequested = Histogram.builder().name("thanos_store_server_chunks_requested")
                .help("Number of requested chunks for Series calls").classicOnly()
                .classicUpperBounds(1, 100, 1000, 10_000, 100_000, 10_000_000, 100_000_000, 1_000_000_000).register(registry);
        pending = Gauge.builder().name("thanos_store_server_pending_series_requests").help("Number of pending series requests.")
                .register(registry);
        dropped = Counter.builder().name("thanos_store_selects_dropped_total")
                .help("Number of select queries that were dropped due to configured limits.").labelNames("reason").register(registry);
        dropped.initLabelValues("series");
        dropped.initLabelValues("chunks");
    }

    @Override
    public StoreInfo info() {
        return store.info();
    }

    @Override
    public void series(QueryContext context, SeriesRequest request, SeriesSink sink) {
        Counting counting = new Counting(sink);
        pending.inc();
        try {
            store.series(context, request, counting);
        } finally {
            pending.dec();
            seriesRequested.observe(counting.series);
            chunksRequested.observe(counting.chunks);
        }
    }

    @Override
    public StringsResponse labelNames(QueryContext context, LabelNamesRequest request) {
        return store.labelNames(context, request);
    }

    @Override
    public StringsResponse labelValues(QueryContext context, LabelValuesRequest request) {
        return store.labelValues(context, request);
    }

    /** Counts what passes. One thread. */
    private final class Counting implements SeriesSink.Before {
        private final SeriesSink sink;
        private long series;
        private long chunks;

        Counting(SeriesSink sink) {
            this.sink = sink;
        }

        @Override
        public void series(StoreSeries s) {
            series++;
            chunks += s.chunks().size();
            if (maxSeries > 0 && series > maxSeries) {
                dropped.labelValues("series").inc();
                throw new LimitExceededException("store.limits.request-series",
                        "exceeded series limit: failed to send series: limit " + maxSeries + " violated (got " + series + ")");
            }
            if (maxSamples > 0 && chunks * SAMPLES_PER_CHUNK > maxSamples) {
                dropped.labelValues("chunks").inc();
                throw new LimitExceededException("store.limits.request-samples", "exceeded chunks limit: failed to send samples: limit "
                        + maxSamples + " violated (got " + chunks * SAMPLES_PER_CHUNK + ")");
            }
            sink.series(s);
        }

        @Override
        public SeriesSink sink() {
            return sink;
        }
    }
}

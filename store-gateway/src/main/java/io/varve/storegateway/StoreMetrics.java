package io.varve.storegateway;

import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.Gauge;
import io.prometheus.metrics.core.metrics.Histogram;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.model.QueryContext;
import java.util.List;

/** {@code thanos_bucket_store_*} as Thanos' dashboards have them, and some of our own as {@code varve_store_*}. One per registry. */
final class StoreMetrics {
    private static final double[] SECONDS = {0.001, 0.01, 0.1, 0.3, 0.6, 1, 3, 6, 9, 20, 30, 60, 90, 120};

    final Counter blockLoads;
    final Counter blockDrops;
    final Gauge blocksLoaded;
    final Gauge lastLoaded;
    final Histogram blockLoadSeconds;
    final Counter queriesDropped;
    final Histogram dataTouched;
    final Histogram dataFetched;
    final Histogram dataTouchedBytes;
    final Histogram dataFetchedBytes;
    final Histogram blocksQueried;
    final Histogram resultSeries;
    final Histogram getAllSeconds;
    final Histogram mergeSeconds;
    final Histogram sentChunkBytes;
    final Histogram postingsBytes;
    final Histogram postingsSeconds;
    final Histogram seriesSeconds;
    final Histogram seriesSecondsSum;
    final Histogram chunksSeconds;
    final Histogram chunksSecondsSum;
    final Counter seriesRefetches;
    final Counter chunkRefetches;
    final Counter cachedPostingsBytes;
    final Counter cachedPostingsStoredBytes;
    final Counter emptyPostings;
    final Counter lazyPostings;
    final Counter lazyGroups;
    final Counter lazyBytes;
    final Counter headerLoads;
    final Counter headerLoadFailed;
    final Counter headerUnloads;
    final Histogram headerLoadSeconds;
    final Histogram headerOpenSeconds;
    final Histogram headerDownloadSeconds;
    final Counter promotions;
    final Counter foundRequests;
    final Counter foundHits;
    final Counter blockFaults;
    final Gauge pendingSeries;
    final Histogram requestedSeries;
    final Histogram requestedChunks;

    StoreMetrics(PrometheusRegistry r) {
        blockLoads = counter(r, "block_loads_total", "Total number of remote block loading attempts.");
        counter(r, "block_load_failures_total", "Total number of failed remote block loading attempts.");
        blockDrops = counter(r, "block_drops_total", "Total number of local blocks that were dropped.");
        counter(r, "block_drop_failures_total", "Total number of local blocks that failed to be dropped.");
        blocksLoaded = Gauge.builder().name("thanos_bucket_store_blocks_loaded").help("Number of currently loaded blocks.").register(r);
        lastLoaded = Gauge.builder().name("thanos_bucket_store_blocks_last_loaded_timestamp_seconds")
                .help("Timestamp when last block got loaded.").register(r);
        blockLoadSeconds = histogram(r, "block_load_duration_seconds", "The total time taken to load a block in seconds.",
                new double[]{0.1, 0.2, 0.5, 1, 2, 5, 15, 30, 60, 90, 120, 300});
        queriesDropped = counter(r, "queries_dropped_total", "Number of queries that were dropped due to the limit.", "reason", "tenant");
        double[] bytes = powers(1024, 2, 15);
        dataTouched = histogram(r, "series_data_touched",
                "Number of items of a data type touched to fulfill a single Store API series request.",
                powers(200, 2, 15), "data_type", "tenant");
        dataFetched = histogram(r, "series_data_fetched",
                "Number of items of a data type retrieved to fulfill a single Store API series request.",
                powers(200, 2, 15), "data_type", "tenant");
        dataTouchedBytes = histogram(r, "series_data_size_touched_bytes",
                "Total size of items of a data type touched to fulfill a single Store API series request in Bytes.", bytes, "data_type",
                "tenant");
        dataFetchedBytes = histogram(r, "series_data_size_fetched_bytes",
                "Total size of items of a data type fetched to fulfill a single Store API series request in Bytes.", bytes, "data_type",
                "tenant");
        blocksQueried = histogram(r, "series_blocks_queried", "Number of blocks in a bucket store that were touched to satisfy a query.",
                powers(1, 2, 10), "tenant");
        resultSeries = histogram(r, "series_result_series", "Number of series observed in the final result of a query.",
                powers(100, 2, 15), "tenant");
        getAllSeconds = histogram(r, "series_get_all_duration_seconds",
                "Time it takes until all per-block prepares and loads for a query are finished.",
                SECONDS, "tenant");
        mergeSeconds = histogram(r, "series_merge_duration_seconds",
                "Time it takes to merge sub-results from all queried blocks into a single result.",
                SECONDS, "tenant");
        sentChunkBytes = histogram(r, "sent_chunk_size_bytes",
                "Size in bytes of the chunks for the single series, which is adequate to the gRPC message size sent to querier.",
                new double[]{32, 256, 512, 1024, 32 << 10, 256 << 10, 512 << 10, 1 << 20, 32 << 20, 256 << 20, 512 << 20}, "tenant");
        postingsBytes = histogram(r, "postings_size_bytes", "Size in bytes of the postings for a single series call.",
                new double[]{32, 256, 512, 1024, 32 << 10, 256 << 10, 512 << 10, 1 << 20, 32 << 20, 128 << 20, 256 << 20, 512 << 20,
                        768 << 20, 1 << 30},
                "tenant");
        postingsSeconds = histogram(r, "postings_fetch_duration_seconds",
                "The time it takes to fetch postings to respond to a request sent to a store gateway.",
                SECONDS, "tenant");
        seriesSeconds = histogram(r, "series_fetch_duration_seconds",
                "The time it takes to fetch series to respond to a request sent to a store gateway.",
                SECONDS, "tenant");
        seriesSecondsSum = histogram(r, "series_fetch_duration_sum_seconds",
                "The total time it takes to fetch series to respond to a request sent to a store gateway, over all blocks.",
                SECONDS, "tenant");
        chunksSeconds = histogram(r, "chunks_fetch_duration_seconds",
                "The total time spent fetching chunks within a single request for one block.",
                SECONDS, "tenant");
        chunksSecondsSum = histogram(r, "chunks_fetch_duration_sum_seconds",
                "The total absolute time spent fetching chunks within a single request for one block.",
                SECONDS, "tenant");
        seriesRefetches = counter(r, "series_refetches_total", "Total number of cases where a series entry was larger than estimated.");
        chunkRefetches = counter(r, "chunk_refetches_total", "Total number of cases where a chunk was larger than estimated.", "tenant");
        cachedPostingsBytes = counter(r, "cached_postings_original_size_bytes_total", "Original size of postings stored into cache.",
                "tenant");
        cachedPostingsStoredBytes = counter(r, "cached_postings_compressed_size_bytes_total",
                "Size of postings as they are stored into cache: lists are kept as they stand in the index.", "tenant");
        never(r, "cached_postings_compressions_total", "Number of postings compressions before storing to index cache: none.");
        never(r, "cached_postings_compression_errors_total", "Number of postings compression errors: none, nothing is compressed.");
        never(r, "cached_postings_compression_time_seconds_total", "Time spent compressing postings before storing them: none.");
        cachedPostingsBytes.initLabelValues(QueryContext.DEFAULT_TENANT);
        cachedPostingsStoredBytes.initLabelValues(QueryContext.DEFAULT_TENANT);
        emptyPostings = counter(r, "empty_postings_total", "Total number of empty postings when fetching block series.", "tenant");
        lazyPostings = counter(r, "lazy_expanded_postings_total", "Total number of times when lazy expanded posting optimization applies.");
        lazyGroups = counter(r, "lazy_expanded_posting_groups_total",
                "Total number of posting groups that are marked as lazy and corresponding reason.", "reason");
        lazyBytes = counter(r, "lazy_expanded_posting_size_bytes_total", "Total number of lazy posting group size in bytes.");
        counter(r, "lazy_expanded_posting_series_overfetched_size_bytes_total",
                "Total number of series size in bytes overfetched due to posting lazy expansion.");
        headerLoads = counter(r, "indexheader_lazy_load_total", "Total number of index-header lazy load operations.");
        headerLoadFailed = counter(r, "indexheader_lazy_load_failed_total", "Total number of failed index-header lazy load operations.");
        headerUnloads = counter(r, "indexheader_lazy_unload_total", "Total number of index-header lazy unload operations.");
        counter(r, "indexheader_lazy_unload_failed_total", "Total number of failed index-header lazy unload operations.");
        headerLoadSeconds = histogram(r, "indexheader_lazy_load_duration_seconds", "Duration of the index-header lazy loading in seconds.",
                new double[]{0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 15, 30, 60, 90, 120, 300});
        headerOpenSeconds = histogram(r, "indexheader_load_duration_seconds", "Duration of the index-header loading in seconds.",
                new double[]{0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 15, 30, 60, 90, 120, 300});
        headerDownloadSeconds = histogram(r, "indexheader_download_duration_seconds",
                "Duration of the index-header download from objstore in seconds.",
                new double[]{0.1, 0.2, 0.5, 1, 2, 5, 15, 30, 60, 90, 120, 300});
        promotions = Counter.builder().name("varve_store_index_promotions_total")
                .help("Indexes that were copied whole because they were read often.")
                .register(r);
        foundRequests = Counter.builder().name("varve_store_found_series_requests_total")
                .help("Blocks in which series were looked for that may have been found before.").register(r);
        foundHits = Counter.builder().name("varve_store_found_series_hits_total")
                .help("Blocks whose series were found before and are known.").register(r);
        blockFaults = Counter.builder().name("varve_store_block_faults_total")
                .help("Blocks that could not be read for a request, by reason.")
                .labelNames("reason").register(r);
        pendingSeries = Gauge.builder().name("thanos_store_server_pending_series_requests").help("Number of pending series requests")
                .register(r);
        requestedSeries = Histogram.builder().name("thanos_store_server_series_requested").classicOnly()
                .help("Number of requested series for Series calls").classicUpperBounds(1, 10, 100, 1000, 10_000, 100_000, 1_000_000)
                .register(r);
        requestedChunks = Histogram.builder().name("thanos_store_server_chunks_requested").classicOnly()
                .help("Number of requested chunks for Series calls")
                .classicUpperBounds(1, 100, 1000, 10_000, 100_000, 10_000_000, 100_000_000, 1_000_000_000)
                .register(r);
        for (Histogram h : List.of(blocksQueried, resultSeries, getAllSeconds, mergeSeconds, sentChunkBytes, postingsBytes, postingsSeconds,
                seriesSeconds, seriesSecondsSum, chunksSeconds, chunksSecondsSum)) {
            h.initLabelValues(QueryContext.DEFAULT_TENANT);
        }
        for (ReadStats.Kind kind : ReadStats.Kind.values()) {
            if (kind != ReadStats.Kind.HEADER) {
                for (Histogram h : List.of(dataTouched, dataFetched, dataTouchedBytes, dataFetchedBytes)) {
                    h.initLabelValues(kind.label(), QueryContext.DEFAULT_TENANT);
                }
            }
        }
        for (String reason : List.of("series", "chunks", "bytes", "concurrency", "memory")) {
            queriesDropped.initLabelValues(reason, QueryContext.DEFAULT_TENANT);
        }
        emptyPostings.initLabelValues(QueryContext.DEFAULT_TENANT);
        chunkRefetches.initLabelValues(QueryContext.DEFAULT_TENANT);
        blockFaults.initLabelValues("damaged");
        blockFaults.initLabelValues("unavailable");
    }

    private static Counter counter(PrometheusRegistry r, String name, String help, String... labels) {
        return Counter.builder().name("thanos_bucket_store_" + name).help(help).labelNames(labels).register(r);
    }

    /** What dashboards of Thanos ask for and does not happen here: there, and zero. */
    private static void never(PrometheusRegistry r, String name, String help) {
        Counter c = counter(r, name, help, "op", "tenant");
        c.initLabelValues("encode", QueryContext.DEFAULT_TENANT);
        c.initLabelValues("decode", QueryContext.DEFAULT_TENANT);
    }

    private static Histogram histogram(PrometheusRegistry r, String name, String help, double[] bounds, String... labels) {
        return Histogram.builder().name("thanos_bucket_store_" + name).classicOnly().help(help).classicUpperBounds(bounds)
                .labelNames(labels)
                .register(r);
    }

    private static double[] powers(double start, double factor, int count) {
        double[] out = new double[count];
        double v = start;
        for (int i = 0; i < count; i++) {
            out[i] = v;
            v *= factor;
        }
        return out;
    }

    /** Takes over what a request read. */
    void observe(ReadStats s, String tenant) {
        for (ReadStats.Kind kind : ReadStats.Kind.values()) {
            if (kind != ReadStats.Kind.HEADER) {
                dataTouched.labelValues(kind.label(), tenant).observe(s.touched(kind));
                dataFetched.labelValues(kind.label(), tenant).observe(s.fetches(kind));
                dataTouchedBytes.labelValues(kind.label(), tenant).observe(s.touchedBytes(kind));
                dataFetchedBytes.labelValues(kind.label(), tenant).observe(s.fetchedBytes(kind));
            }
        }
        postingsBytes.labelValues(tenant).observe(s.touchedBytes(ReadStats.Kind.POSTINGS));
        seriesRefetches.inc(s.seriesRefetches.sum());
        chunkRefetches.labelValues(tenant).inc(s.chunkRefetches.sum());
    }
}

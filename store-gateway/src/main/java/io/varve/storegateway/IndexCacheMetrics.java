package io.varve.storegateway;

import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.Gauge;
import io.prometheus.metrics.core.metrics.Histogram;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.model.QueryContext;

/** {@code thanos_store_index_cache_*}. One per registry. */
final class IndexCacheMetrics {
    final Counter requests;
    final Counter hits;
    final Counter added;
    final Counter evicted;
    final Counter overflowed;
    final Gauge items;
    final Gauge itemBytes;
    final Gauge totalBytes;
    final Gauge maxBytes;
    final Gauge maxItemBytes;
    final Histogram fetchSeconds;
    final Histogram storedBytes;

    IndexCacheMetrics(PrometheusRegistry r) {
        requests = counter(r, "requests_total", "Total number of items requests to the cache.", "item_type", "tenant");
        hits = counter(r, "hits_total", "Total number of items requests to the cache that were a hit.", "item_type", "tenant");
        added = counter(r, "items_added_total", "Total number of items that were added to the index cache.", "item_type");
        evicted = counter(r, "items_evicted_total", "Total number of items that were evicted from the index cache.", "item_type");
        overflowed = counter(r, "items_overflowed_total",
                "Total number of items that could not be added to the cache due to being too big.",
                "item_type");
        items = gauge(r, "items", "Current number of items in the index cache.", "item_type");
        itemBytes = gauge(r, "items_size_bytes", "Current byte size of items in the index cache.", "item_type");
        totalBytes = gauge(r, "total_size_bytes", "Current byte size of items (both value and key) in the index cache.", "item_type");
        maxBytes = gauge(r, "max_size_bytes", "Maximum number of bytes to be held in the index cache.");
        maxItemBytes = gauge(r, "max_item_size_bytes", "Maximum number of bytes for single entry to be held in the index cache.");
        fetchSeconds = Histogram.builder().name("thanos_store_index_cache_fetch_duration_seconds").classicOnly()
                .help("Histogram to track latency to fetch items from index cache").labelNames("item_type", "tenant")
                .classicUpperBounds(0.01, 0.1, 0.3, 0.6, 1, 3, 6, 10, 15, 20, 30, 45, 60, 90, 120).register(r);
        storedBytes = Histogram.builder().name("thanos_store_index_cache_stored_data_size_bytes").classicOnly()
                .help("Histogram to track item data size stored in index cache").labelNames("item_type", "tenant")
                .classicUpperBounds(32, 256, 512, 1024, 32 << 10, 256 << 10, 512 << 10, 1 << 20, 32 << 20, 64 << 20, 128 << 20, 256 << 20,
                        512 << 20)
                .register(r);
        for (IndexCache.Item i : IndexCache.Item.values()) {
            added.initLabelValues(i.label());
            evicted.initLabelValues(i.label());
            overflowed.initLabelValues(i.label());
            items.initLabelValues(i.label());
            itemBytes.initLabelValues(i.label());
            totalBytes.initLabelValues(i.label());
            requests.initLabelValues(i.label(), QueryContext.DEFAULT_TENANT);
            hits.initLabelValues(i.label(), QueryContext.DEFAULT_TENANT);
            fetchSeconds.initLabelValues(i.label(), QueryContext.DEFAULT_TENANT);
            storedBytes.initLabelValues(i.label(), QueryContext.DEFAULT_TENANT);
        }
    }

    private static Counter counter(PrometheusRegistry r, String name, String help, String... labels) {
        return Counter.builder().name("thanos_store_index_cache_" + name).help(help).labelNames(labels).register(r);
    }

    private static Gauge gauge(PrometheusRegistry r, String name, String help, String... labels) {
        return Gauge.builder().name("thanos_store_index_cache_" + name).help(help).labelNames(labels).register(r);
    }
}

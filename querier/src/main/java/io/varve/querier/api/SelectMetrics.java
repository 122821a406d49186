package io.varve.querier.api;

import io.prometheus.metrics.core.metrics.Histogram;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.util.List;

/** How long selects take, by how much they read: {@code thanos_store_api_query_duration_seconds}. */
public final class SelectMetrics {
    private final Histogram histogram;
    private final List<Long> series;
    private final List<Long> samples;

    /**
     * @param bounds upper bounds in seconds
     * @param series classes of numbers of series
     * @param samples classes of numbers of samples
     */
    public SelectMetrics(List<Double> bounds, List<Long> series, List<Long> samples, PrometheusRegistry registry) {
        this.series = series;
        this.samples = samples;
        histogram = Histogram.builder().name("thanos_store_api_query_duration_seconds")
                .help("Duration of the Thanos Store API select phase for a query.").classicOnly()
                .classicUpperBounds(bounds.stream().mapToDouble(d -> d).toArray()).labelNames("samples_le", "series_le", "tenant")
                .register(registry);
    }

    void observe(String tenant, long nanos, long seriesCount, long sampleCount) {
        histogram.labelValues(bucket(samples, sampleCount), bucket(series, seriesCount), tenant).observe(nanos / 1e9);
    }

    private static String bucket(List<Long> bounds, long n) {
        for (long b : bounds) {
            if (n < b) {
                return Long.toString(b);
            }
        }
        return "+Inf";
    }
}

package io.varve.storegateway;

import static org.assertj.core.api.Assertions.assertThat;

import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.prometheus.metrics.model.snapshots.HistogramSnapshot;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** What dashboards of Thanos compute from: a quantile over gateways of both kinds needs equal bounds. */
class StoreMetricsTest {
    private static final double INF = Double.POSITIVE_INFINITY;
    /** As a live Thanos 0.42.4 shows them. */
    private static final Map<String, double[]> BOUNDS = Map.of("block_load_duration_seconds",
            new double[]{0.1, 0.2, 0.5, 1, 2, 5, 15, 30, 60, 90, 120, 300, INF}, "indexheader_lazy_load_duration_seconds",
            new double[]{0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 15, 30, 60, 90, 120, 300, INF}, "postings_size_bytes",
            new double[]{32, 256, 512, 1024, 32768, 262144, 524288, 1048576, 33554432, 134217728, 268435456, 536870912, 805306368,
                    1073741824, INF},
            "series_blocks_queried", new double[]{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, INF}, "series_data_size_fetched_bytes",
            new double[]{1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072, 262144, 524288, 1048576, 2097152, 4194304, 8388608, 16777216,
                    INF},
            "series_gate_queries_duration_seconds", new double[]{0.01, 0.1, 0.3, 0.6, 1, 3, 6, 9, 20, 30, 60, 90, 120, 240, 360, 720, INF},
            "series_result_series",
            new double[]{100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 51200, 102400, 204800, 409600, 819200, 1638400, INF},
            "series_merge_duration_seconds", new double[]{0.001, 0.01, 0.1, 0.3, 0.6, 1, 3, 6, 9, 20, 30, 60, 90, 120, INF});

    @Test
    void histogramsHaveThanosBounds() {
        PrometheusRegistry registry = new PrometheusRegistry();
        new StoreMetrics(registry).getAllSeconds.labelValues("t").observe(1);
        new SeriesGate(1, 1, registry);
        BOUNDS.forEach((name, bounds) -> {
            List<Double> found = new ArrayList<>();
            registry.scrape(n -> n.equals("thanos_bucket_store_" + name)).stream().limit(1)
                    .flatMap(m -> ((HistogramSnapshot) m).getDataPoints().stream()).limit(1)
                    .forEach(d -> d.getClassicBuckets().forEach(b -> found.add(b.getUpperBound())));
            assertThat(found).as(name).containsExactly(java.util.Arrays.stream(bounds).boxed().toArray(Double[]::new));
        });
    }
}

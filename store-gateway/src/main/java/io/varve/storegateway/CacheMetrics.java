package io.varve.storegateway;

import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.Histogram;
import io.prometheus.metrics.model.registry.PrometheusRegistry;

/** {@code thanos_memcached_*} or {@code thanos_redis_*}: operations of a cache client. One per registry and kind. */
final class CacheMetrics {
    final Counter operations;
    final Counter failures;
    final Counter skipped;
    final Histogram seconds;

    /**
     * @param kind {@code memcached}, {@code redis}
     * @param name which of the process' caches: index cache or caching bucket
     */
    CacheMetrics(PrometheusRegistry r, String kind, String name) {
        String prefix = "thanos_" + kind + "_" + (name.equals("index") ? "" : name + "_");
        operations = Counter.builder().name(prefix + "operations_total").help("Total number of operations against " + kind + ".")
                .labelNames("operation")
                .register(r);
        failures = Counter.builder().name(prefix + "operation_failures_total")
                .help("Total number of operations against " + kind + " that failed.")
                .labelNames("operation").register(r);
        skipped = Counter.builder().name(prefix + "operation_skipped_total")
                .help("Total number of operations against " + kind + " that have been skipped.").labelNames("operation", "reason")
                .register(r);
        seconds = Histogram.builder().name(prefix + "operation_duration_seconds").classicOnly()
                .help("Duration of operations against " + kind + ".")
                .classicUpperBounds(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 3, 6, 10)
                .labelNames("operation").register(r);
        for (String op : new String[]{"getmulti", "set"}) {
            operations.initLabelValues(op);
            failures.initLabelValues(op);
        }
    }
}

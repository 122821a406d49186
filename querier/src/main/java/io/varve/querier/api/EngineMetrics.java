package io.varve.querier.api;

import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.Gauge;
import io.prometheus.metrics.core.metrics.Histogram;
import io.prometheus.metrics.core.metrics.Summary;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.promql.QueryStats;

/** The metrics of Prometheus' and Thanos' engines, by the name that a query gave the engine. Safe for many threads. */
public final class EngineMetrics {
    private static final String[] LABELS = {"engine", "mode"};
    private static final String[] SLICES = {"engine", "mode", "slice"};
    private static final String MODE = "local";

    private final Gauge running;
    private final Counter total;
    private final Counter samples;
    private final Summary duration;
    private final Histogram durationHistogram;
    private final Histogram timespan;

    /**
     * @param maxConcurrent queries at once
     * @param logged whether every query is logged
     */
    public EngineMetrics(int maxConcurrent, boolean logged, PrometheusRegistry registry) {
        running = Gauge.builder().name("prometheus_engine_queries").help("The current number of queries being executed or waiting.")
                .labelNames(LABELS).register(registry);
        total = Counter.builder().name("thanos_engine_queries_total").help("Number of queries.").labelNames(LABELS).register(registry);
        samples = Counter.builder().name("prometheus_engine_query_samples_total")
                .help("The total number of samples loaded by all queries.").labelNames(LABELS).register(registry);
        duration = Summary.builder().name("prometheus_engine_query_duration_seconds").help("Query timings").quantile(0.5).quantile(0.9)
                .quantile(0.99).labelNames(SLICES).register(registry);
        durationHistogram = Histogram.builder().name("prometheus_engine_query_duration_histogram_seconds")
                .help("The duration of various parts of PromQL query execution.").classicOnly()
                .classicUpperBounds(0.01, 0.1, 1, 10, 100, 1000).labelNames(SLICES).register(registry);
        timespan = Histogram.builder().name("thanos_query_range_requested_timespan_duration_seconds")
                .help("Time between start and end of range queries.").classicOnly()
                .classicUpperBounds(900, 3600, 6 * 3600, 12 * 3600, 86_400, 2 * 86_400, 7 * 86_400, 15 * 86_400, 30 * 86_400, 60 * 86_400,
                        90 * 86_400, 180 * 86_400, 365 * 86_400)
                .register(registry);
        Gauge max = Gauge.builder().name("prometheus_engine_queries_concurrent_max").help("The max number of concurrent queries.")
                .labelNames(LABELS).register(registry);
        Gauge log = Gauge.builder().name("prometheus_engine_query_log_enabled").help("State of the query log.").labelNames(LABELS)
                .register(registry);
        Counter logFailures = Counter.builder().name("prometheus_engine_query_log_failures_total")
                .help("The number of query log failures.").labelNames(LABELS).register(registry);
        for (String engine : new String[]{"prometheus", "thanos"}) {
            max.labelValues(engine, MODE).set(maxConcurrent);
            log.labelValues(engine, MODE).set(logged ? 1 : 0);
            logFailures.initLabelValues(engine, MODE);
            running.initLabelValues(engine, MODE);
            total.initLabelValues(engine, MODE);
            samples.initLabelValues(engine, MODE);
            for (String slice : new String[]{"queue_time", "prepare_time", "inner_eval", "result_sort"}) {
                duration.initLabelValues(engine, MODE, slice);
                durationHistogram.initLabelValues(engine, MODE, slice);
            }
        }
    }

    /** A query came in. */
    void started(String engine) {
        running.labelValues(engine, MODE).inc();
        total.labelValues(engine, MODE).inc();
    }

    /** It is over, well or not. */
    void ended(String engine) {
        running.labelValues(engine, MODE).dec();
    }

    /** A range query asks for this much time. */
    void timespan(long millis) {
        timespan.observe(millis / 1e3);
    }

    /** It was evaluated. */
    void evaluated(String engine, long queuedNanos, QueryStats s) {
        samples.labelValues(engine, MODE).inc(s.totalSamples());
        slice(engine, "queue_time", queuedNanos);
        slice(engine, "prepare_time", s.preparationNanos());
        slice(engine, "inner_eval", s.evaluationNanos());
        slice(engine, "result_sort", s.sortNanos());
    }

    private void slice(String engine, String slice, long nanos) {
        duration.labelValues(engine, MODE, slice).observe(nanos / 1e9);
        durationHistogram.labelValues(engine, MODE, slice).observe(nanos / 1e9);
    }
}

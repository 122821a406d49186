package io.varve.runtime.http;

import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.Gauge;
import io.prometheus.metrics.core.metrics.Histogram;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.util.Arrays;
import java.util.Locale;

/** The HTTP metrics that Thanos' dashboards and alerts know. */
final class HttpMetrics {
    private static final double[] SECONDS = {0.001, 0.01, 0.1, 0.3, 0.6, 1, 3, 6, 9, 20, 30, 60, 90, 120, 240, 360, 720};
    private static final double[] BYTES = {64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768};
    private final Counter requests;
    private final Histogram seconds;
    private final Histogram requestBytes;
    private final Histogram responseBytes;
    private final Gauge inFlight;
    private final boolean tenants;

    HttpMetrics(PrometheusRegistry registry, boolean tenants) {
        this.tenants = tenants;
        String[] labels = tenants ? new String[]{"code", "handler", "method", "tenant"} : new String[]{"code", "handler", "method"};
        requests = Counter.builder().name("http_requests_total").help("Tracks the number of HTTP requests.").labelNames(labels)
                .register(registry);
        seconds = Histogram.builder().name("http_request_duration_seconds").help("Tracks the latencies for HTTP requests.").classicOnly()
                .classicUpperBounds(SECONDS).labelNames(labels).register(registry);
        requestBytes = Histogram.builder().name("http_request_size_bytes").help("Tracks the size of HTTP requests.").classicOnly()
                .classicUpperBounds(BYTES).labelNames(labels).register(registry);
        responseBytes = Histogram.builder().name("http_response_size_bytes").help("Tracks the size of HTTP responses.").classicOnly()
                .classicUpperBounds(BYTES).labelNames(labels).register(registry);
        inFlight = Gauge.builder().name("http_inflight_requests").help("Current number of HTTP requests the handler is responding to.")
                .labelNames(tenants ? new String[]{"handler", "method", "tenant"} : new String[]{"handler", "method"}).register(registry);
    }

    void started(String handler, String method, String tenant) {
        inFlight.labelValues(gaugeLabels(handler, method, tenant)).inc();
    }

    private String[] gaugeLabels(String handler, String method, String tenant) {
        return tenants ? new String[]{handler, method, tenant} : new String[]{handler, method};
    }

    void ended(String handler, String method, String tenant, int code, long nanos, long bytesIn, long bytesOut) {
        inFlight.labelValues(gaugeLabels(handler, method, tenant)).dec();
        String[] all = {Integer.toString(code), handler, method.toLowerCase(Locale.ROOT), tenant};
        String[] labels = tenants ? all : Arrays.copyOf(all, 3);
        requests.labelValues(labels).inc();
        seconds.labelValues(labels).observe(nanos / 1e9);
        requestBytes.labelValues(labels).observe(bytesIn);
        responseBytes.labelValues(labels).observe(bytesOut);
    }
}

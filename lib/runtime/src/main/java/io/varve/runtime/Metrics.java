package io.varve.runtime;

import io.prometheus.metrics.config.EscapingScheme;
import io.prometheus.metrics.core.metrics.Info;
import io.prometheus.metrics.expositionformats.ExpositionFormatWriter;
import io.prometheus.metrics.expositionformats.ExpositionFormats;
import io.prometheus.metrics.instrumentation.jvm.JvmMetrics;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.runtime.http.HttpHandler;
import java.io.OutputStream;

/** A process' registry: what every process has in it, and how it is shown. */
public final class Metrics {
    private Metrics() {
    }

    /** A registry with JVM, process and build metrics. */
    public static PrometheusRegistry newRegistry() {
        PrometheusRegistry registry = new PrometheusRegistry();
        JvmMetrics.builder().register(registry);
        OsMetrics.register(registry);
        BuildInfo b = BuildInfo.current();
        Info build = Info.builder().name("thanos_build_info")
                .help("A metric with a constant '1' value labeled by version, revision, branch, goversion from which it was built.")
                .labelNames("branch", "goarch", "goos", "goversion", "revision", "tags", "version").register(registry);
        build.addLabelValues(b.branch(), System.getProperty("os.arch", ""), System.getProperty("os.name", ""), "java" + Runtime.version(),
                b.revision(), "varve", b.version());
        return registry;
    }

    /** Writes the registry in the format that the scraper asks for. */
    public static HttpHandler handler(PrometheusRegistry registry) {
        ExpositionFormats formats = ExpositionFormats.init();
        return (request, response) -> {
            String accept = request.header("Accept");
            ExpositionFormatWriter writer = accept != null && formats.getOpenMetricsTextFormatWriter().accepts(accept)
                    ? formats.getOpenMetricsTextFormatWriter()
                    : formats.getPrometheusTextFormatWriter();
            response.header("Content-Type", writer.getContentType());
            try (OutputStream out = response.body()) {
                writer.write(out, registry.scrape(), EscapingScheme.UNDERSCORE_ESCAPING);
            }
        };
    }
}

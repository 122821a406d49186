package io.varve.runtime;

import com.sun.management.HotSpotDiagnosticMXBean;
import io.prometheus.metrics.config.EscapingScheme;
import io.prometheus.metrics.core.metrics.Info;
import io.prometheus.metrics.expositionformats.ExpositionFormatWriter;
import io.prometheus.metrics.expositionformats.ExpositionFormats;
import io.prometheus.metrics.instrumentation.jvm.JvmBufferPoolMetrics;
import io.prometheus.metrics.instrumentation.jvm.JvmClassLoadingMetrics;
import io.prometheus.metrics.instrumentation.jvm.JvmCompilationMetrics;
import io.prometheus.metrics.instrumentation.jvm.JvmGarbageCollectorMetrics;
import io.prometheus.metrics.instrumentation.jvm.JvmMemoryMetrics;
import io.prometheus.metrics.instrumentation.jvm.JvmMemoryPoolAllocationMetrics;
import io.prometheus.metrics.instrumentation.jvm.JvmNativeMemoryMetrics;
import io.prometheus.metrics.instrumentation.jvm.JvmRuntimeInfoMetric;
import io.prometheus.metrics.instrumentation.jvm.JvmThreadsMetrics;
import io.prometheus.metrics.instrumentation.jvm.ProcessMetrics;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.runtime.http.HttpHandler;
import java.io.OutputStream;
import java.lang.management.ManagementFactory;

/** A process' registry: what every process has in it, and how it is shown. */
public final class Metrics {
    private Metrics() {
    }

    /** A registry with JVM, process and build metrics. */
    public static PrometheusRegistry newRegistry() {
        PrometheusRegistry registry = new PrometheusRegistry();
        registerJvm(registry);
        OsMetrics.register(registry);
        BuildInfo b = BuildInfo.current();
        Info build = Info.builder().name("thanos_build_info")
                .help("A metric with a constant '1' value labeled by version, revision, branch, goversion from which it was built.")
                .labelNames("branch", "goarch", "goos", "goversion", "revision", "tags", "version").register(registry);
        build.addLabelValues(b.branch(), System.getProperty("os.arch", ""), System.getProperty("os.name", ""), "java" + Runtime.version(),
                b.revision(), "varve", b.version());
        return registry;
    }

    /**
     * All that {@code JvmMetrics} has. That registers memory of the JVM outside its heap with a look at the platform's MBean server, which makes
     * every bean there is, the flight recorder's with its XML configurations too: a sixth of a start, for metrics that the JVM does not have
     * unless it was told to track them.
     */
    private static void registerJvm(PrometheusRegistry registry) {
        JvmThreadsMetrics.builder().register(registry);
        JvmBufferPoolMetrics.builder().register(registry);
        JvmClassLoadingMetrics.builder().register(registry);
        JvmCompilationMetrics.builder().register(registry);
        JvmGarbageCollectorMetrics.builder().register(registry);
        JvmMemoryPoolAllocationMetrics.builder().register(registry);
        JvmMemoryMetrics.builder().register(registry);
        if (tracksNativeMemory()) {
            JvmNativeMemoryMetrics.builder().register(registry);
        }
        JvmRuntimeInfoMetric.builder().register(registry);
        ProcessMetrics.builder().register(registry);
    }

    private static boolean tracksNativeMemory() {
        HotSpotDiagnosticMXBean vm = ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class);
        return vm != null && !vm.getVMOption("NativeMemoryTracking").getValue().equals("off");
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

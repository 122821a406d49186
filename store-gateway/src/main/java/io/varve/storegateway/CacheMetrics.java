package io.varve.storegateway;

import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.Histogram;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.IOException;
import java.net.SocketTimeoutException;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * {@code thanos_memcached_*} and {@code thanos_redis_*}: operations of cache clients, by the client's name. One per registry; safe for many
 * threads.
 */
final class CacheMetrics {
    private final PrometheusRegistry registry;
    private final Map<String, Family> families = new ConcurrentHashMap<>();

    /** Why an operation failed, as Thanos names it. */
    enum Reason {
        TIMEOUT("timeout"), SERVER_ERROR("server-error"), NETWORK_ERROR("network-error"), OTHER("other");

        private final String label;

        Reason(String label) {
            this.label = label;
        }

        /** What an exception of a client comes from. */
        static Reason of(Throwable failure) {
            for (Throwable t = failure; t != null; t = t.getCause()) {
                switch (t) {
                    case SocketTimeoutException timeout -> {
                        return TIMEOUT;
                    }
                    case RemoteCache.ServerErrorException refused -> {
                        return SERVER_ERROR;
                    }
                    case IOException broken -> {
                        return NETWORK_ERROR;
                    }
                    default -> {
                        // Perhaps its cause says more.
                    }
                }
            }
            return OTHER;
        }
    }

    CacheMetrics(PrometheusRegistry registry) {
        this.registry = registry;
    }

    /** Where everything else of a cache is registered. */
    PrometheusRegistry registry() {
        return registry;
    }

    /**
     * The metrics of one client.
     *
     * @param kind {@code memcached} or {@code redis}
     * @param name which of the process' caches: {@code index-cache} or {@code caching-bucket}
     */
    Client client(String kind, String name) {
        return new Client(families.computeIfAbsent(kind, k -> new Family(k, registry)), name);
    }

    private static final class Family {
        final Counter operations;
        final Counter failures;
        final Counter skipped;
        final Histogram seconds;

        Family(String kind, PrometheusRegistry r) {
            String prefix = "thanos_" + kind + "_";
            operations = Counter.builder().name(prefix + "operations_total").help("Total number of operations against " + kind + ".")
                    .labelNames("name", "operation").register(r);
            failures = Counter.builder().name(prefix + "operation_failures_total")
                    .help("Total number of operations against " + kind + " that failed.").labelNames("name", "operation", "reason")
                    .register(r);
            skipped = Counter.builder().name(prefix + "operation_skipped_total")
                    .help("Total number of operations against " + kind + " that have been skipped.")
                    .labelNames("name", "operation", "reason").register(r);
            seconds = Histogram.builder().name(prefix + "operation_duration_seconds").classicOnly()
                    .help("Duration of operations against " + kind + ".")
                    .classicUpperBounds(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 3, 6, 10).labelNames("name", "operation")
                    .register(r);
        }
    }

    /** One client's. */
    static final class Client {
        private final Family family;
        private final String name;

        private Client(Family family, String name) {
            this.family = family;
            this.name = name;
            for (String operation : new String[]{"getmulti", "set"}) {
                family.operations.initLabelValues(name, operation);
                family.seconds.initLabelValues(name, operation);
                for (Reason r : Reason.values()) {
                    family.failures.initLabelValues(name, operation, r.label);
                }
            }
        }

        void tried(String operation, int n) {
            family.operations.labelValues(name, operation).inc(n);
        }

        void failed(String operation, Reason reason, int n) {
            family.failures.labelValues(name, operation, reason.label).inc(n);
        }

        void skipped(String operation, String reason, int n) {
            family.skipped.labelValues(name, operation, reason).inc(n);
        }

        void took(String operation, long sinceNanos) {
            family.seconds.labelValues(name, operation).observe((System.nanoTime() - sinceNanos) / 1e9);
        }
    }
}

package io.varve.runtime;

import io.prometheus.metrics.core.metrics.Gauge;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.runtime.http.HttpHandler;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;

/**
 * Whether the process is alive ({@code /-/healthy}) and ready for work ({@code /-/ready}); also {@code thanos_status} and, through
 * {@link #onReadyChange}, the gRPC health service. Starts as neither. Safe for many threads.
 */
public final class Probes {
    private final Gauge status;
    private final String component;
    private final List<Consumer<Boolean>> listeners = new CopyOnWriteArrayList<>();
    private volatile boolean healthy;
    private volatile boolean ready;

    Probes(String component, PrometheusRegistry registry) {
        this.component = component;
        status = Gauge.builder().name("thanos_status")
                .help("Represents status (0 indicates failure, 1 indicates success) of the component.")
                .labelNames("check", "component").register(registry);
        status.labelValues("ready", component).set(0);
        status.labelValues("healthy", component).set(0);
    }

    /** Whether the process can do its work. */
    public boolean isReady() {
        return ready;
    }

    /** Says whether the process is alive. */
    public void healthy(boolean value) {
        healthy = value;
        status.labelValues("healthy", component).set(value ? 1 : 0);
    }

    /** Says whether the process can do its work. */
    public synchronized void ready(boolean value) {
        boolean changed = ready != value;
        ready = value;
        status.labelValues("ready", component).set(value ? 1 : 0);
        if (changed) {
            listeners.forEach(l -> l.accept(value));
        }
    }

    /** Calls {@code listener} with the present state and at every change. */
    public synchronized void onReadyChange(Consumer<Boolean> listener) {
        listeners.add(listener);
        listener.accept(ready);
    }

    HttpHandler healthyHandler() {
        return handler(true);
    }

    HttpHandler readyHandler() {
        return handler(false);
    }

    private HttpHandler handler(boolean health) {
        return (request, response) -> {
            boolean ok = health ? healthy : ready;
            response.status(ok ? 200 : 503);
            response.header("Content-Type", "text/plain; charset=utf-8");
            response.send((ok ? "OK" : "NOT OK\n").getBytes(StandardCharsets.UTF_8));
        };
    }
}

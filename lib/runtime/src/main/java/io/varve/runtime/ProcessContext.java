package io.varve.runtime;

import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.model.ErrorText;
import io.varve.model.VarveException;
import io.varve.runtime.flags.FlagException;
import io.varve.runtime.flags.GrpcFlags;
import io.varve.runtime.flags.HttpFlags;
import io.varve.runtime.grpc.GrpcServer;
import io.varve.runtime.http.HttpServer;
import io.varve.runtime.http.Routes;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.event.Level;

/** What a running process has: its metrics, probes, servers, what to stop when it ends, and a way to end it. Safe for many threads. */
public final class ProcessContext {
    private static final Logger LOG = LoggerFactory.getLogger(ProcessContext.class);

    private final String component;
    private final boolean alone;
    private final PrometheusRegistry registry = Metrics.newRegistry();
    private final Probes probes;
    private final CompletableFuture<Integer> end = new CompletableFuture<>();
    private final Deque<Stoppable> stoppables = new ArrayDeque<>();
    private volatile @Nullable HttpServer http;
    private volatile @Nullable GrpcServer grpc;

    private record Stoppable(String name, AutoCloseable what) {
    }

    ProcessContext(String component, boolean alone) {
        this.component = component;
        this.alone = alone;
        this.probes = new Probes(component, registry);
    }

    /** Whether the JVM was started for this process; false for a process inside another one or inside a test. */
    public boolean alone() {
        return alone;
    }

    /** The level of what an operator wants to read of the process he started, and of no other inside it. */
    public Level level() {
        return alone ? Level.INFO : Level.DEBUG;
    }

    /** The registry that {@code /metrics} shows. */
    public PrometheusRegistry registry() {
        return registry;
    }

    /** Liveness and readiness. */
    public Probes probes() {
        return probes;
    }

    /**
     * Starts the HTTP server with {@code routes} beside {@code /-/healthy}, {@code /-/ready} and {@code /metrics}; from then on the process is
     * healthy. It is stopped, within the grace period, when the process ends.
     */
    public HttpServer startHttp(HttpFlags flags, Routes routes) {
        flags.check();
        HttpServer server = HttpServer.start(flags.address(), flags.gracePeriod(), routes.withAdmin(probes.healthyHandler(),
                probes.readyHandler(), Metrics.handler(registry)), registry);
        http = server;
        synchronized (stoppables) {
            stoppables.push(new Stoppable("http server", server));
        }
        probes.healthy(true);
        LOG.atLevel(level()).addKeyValue("address", server.address()).log("listening for HTTP");
        return server;
    }

    /** Starts a gRPC server; its health follows readiness. It is stopped, within the grace period, when the process ends. */
    public GrpcServer startGrpc(GrpcFlags flags, GrpcServer.Builder builder) {
        return prepareGrpc(flags, builder).start();
    }

    /** Starts a server that was prepared. */
    @FunctionalInterface
    public interface GrpcStart {
        /** Listens; once only. */
        GrpcServer start();
    }

    /** As {@link #startGrpc}, in two steps for a process that has time to make its server before it may listen: what is returned starts it. */
    public GrpcStart prepareGrpc(GrpcFlags flags, GrpcServer.Builder builder) {
        flags.check();
        GrpcServer.Prepared prepared = builder.prepare(flags, registry);
        onStop("grpc threads", prepared);
        return () -> started(prepared.start());
    }

    private GrpcServer started(GrpcServer server) {
        probes.onReadyChange(server::serving);
        grpc = server;
        synchronized (stoppables) {
            stoppables.push(new Stoppable("grpc server", server));
        }
        LOG.atLevel(level()).addKeyValue("address", server.address()).log("listening for gRPC");
        return server;
    }

    /** The HTTP server's address as host:port, with the port that was bound. */
    public String httpAddress() {
        HttpServer server = http;
        if (server == null) {
            throw new IllegalStateException(component + " has no HTTP server");
        }
        return server.address();
    }

    /** The gRPC server's address as host:port, with the port that was bound. */
    public String grpcAddress() {
        GrpcServer server = grpc;
        if (server == null) {
            throw new IllegalStateException(component + " has no gRPC server");
        }
        return server.address();
    }

    /** Has {@code what} closed when the process ends; last registered, first closed, after the servers have drained. */
    public void onStop(String name, AutoCloseable what) {
        synchronized (stoppables) {
            stoppables.push(new Stoppable(name, what));
        }
    }

    /** Asks the process to end; returns at once. Exit code 0 after work that is done. Only the first call counts. */
    public void stop(int exitCode) {
        end.complete(exitCode);
    }

    /** Asks the process to end because it cannot go on: one log line, exit code 1. */
    public void fail(String what, @Nullable Throwable cause) {
        if (end.complete(1)) {
            LOG.atError().addKeyValue("err", cause == null ? what : what + ": " + ErrorText.of(cause)).setCause(unforeseen(cause))
                    .log("process ends");
        }
    }

    /** What a log line shows the stack of: nothing for failures that say by themselves what is wrong. */
    static @Nullable Throwable unforeseen(@Nullable Throwable failure) {
        return failure instanceof FlagException || failure instanceof VarveException || failure instanceof IOException ? null : failure;
    }

    /** The exit code once the process was asked to end. */
    CompletableFuture<Integer> end() {
        return end;
    }

    /** Not ready, servers drained side by side, then everything else closed in turn. */
    void close() {
        probes.ready(false);
        List<Stoppable> servers = new ArrayList<>();
        List<Stoppable> others = new ArrayList<>();
        synchronized (stoppables) {
            stoppables.forEach(s -> (s.what instanceof HttpServer || s.what instanceof GrpcServer ? servers : others).add(s));
            stoppables.clear();
        }
        List<Thread> draining = servers.stream().map(s -> Thread.ofVirtual().name("stop " + s.name).start(() -> close(s))).toList();
        for (Thread t : draining) {
            try {
                t.join(Duration.ofMinutes(10));
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
        others.forEach(ProcessContext::close);
        probes.healthy(false);
    }

    private static void close(Stoppable s) {
        try {
            s.what.close();
        } catch (Exception e) {
            LOG.atWarn().addKeyValue("what", s.name).addKeyValue("err", ErrorText.of(e)).log("could not be stopped cleanly");
        }
    }
}

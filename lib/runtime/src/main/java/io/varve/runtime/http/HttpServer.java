package io.varve.runtime.http;

import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.runtime.Listening;
import io.varve.runtime.flags.FlagException;
import io.varve.runtime.flags.HostPort;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.channels.SelectionKey;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.io.Content;
import org.eclipse.jetty.io.ManagedSelector;
import org.eclipse.jetty.io.SocketChannelEndPoint;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.HttpConnectionFactory;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.server.handler.GracefulHandler;
import org.eclipse.jetty.util.Callback;
import org.eclipse.jetty.util.thread.QueuedThreadPool;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An HTTP/1.1 server over Jetty. {@link #close} stops accepting, lets requests in flight end within the grace period, then cuts them off.
 */
public final class HttpServer implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(HttpServer.class);
    /** As Go's server: lines and headers of a request together. */
    private static final int MAX_HEADER_BYTES = 1 << 20;
    /** As Go's server: a form in a body. */
    static final int MAX_FORM_BYTES = 10 << 20;
    /** A body that a handler reads itself. */
    static final long MAX_BODY_BYTES = 64L << 20;
    private static final long IDLE_MILLIS = Duration.ofMinutes(5).toMillis();
    /** How long a client that is still sending is listened to after its answer. */
    private static final long LINGER_NANOS = Duration.ofSeconds(5).toNanos();

    private final Server server;
    private final ServerConnector connector;
    private final String host;

    private HttpServer(Server server, ServerConnector connector, String host) {
        this.server = server;
        this.connector = connector;
        this.host = host;
    }

    /**
     * Starts a server.
     *
     * @param address host:port; port 0 lets the system choose
     * @param gracePeriod how long {@link #close} lets requests run
     * @param registry where the HTTP metrics go
     * @throws FlagException where the address cannot be bound
     */
    public static HttpServer start(String address, Duration gracePeriod, Routes routes, PrometheusRegistry registry) {
        HostPort at = HostPort.parse("http-address", address);
        // Two threads select and accept, the rest are virtual: a request costs no platform thread.
        QueuedThreadPool threads = new QueuedThreadPool(16, 2, 60_000);
        threads.setName("http");
        threads.setVirtualThreadsExecutor(Executors.newThreadPerTaskExecutor(Thread.ofVirtual().name("http-", 0).factory()));
        Server server = new Server(threads);
        HttpConfiguration configuration = new HttpConfiguration();
        configuration.setSendServerVersion(false);
        configuration.setSendDateHeader(true);
        configuration.setRequestHeaderSize(MAX_HEADER_BYTES);
        configuration.setOutputBufferSize(32 << 10);
        configuration.setUriCompliance(org.eclipse.jetty.http.UriCompliance.UNSAFE);
        ServerConnector connector = new ServerConnector(server, 1, 1, new HttpConnectionFactory(configuration)) {
            @Override
            protected SocketChannelEndPoint newEndPoint(SocketChannel channel, ManagedSelector selector, SelectionKey key) {
                SocketChannelEndPoint point = new WatchedEndPoint(channel, selector, key, getScheduler());
                point.setIdleTimeout(getIdleTimeout());
                return point;
            }
        };
        InetSocketAddress socket = at.socketAddress();
        if (socket.isUnresolved()) {
            throw new FlagException("listen on " + address + ": no such host");
        }
        if (!at.host().isEmpty()) {
            connector.setHost(socket.getAddress().getHostAddress());
        }
        connector.setPort(at.port());
        connector.setIdleTimeout(IDLE_MILLIS);
        connector.setAcceptQueueSize(256);
        server.addConnector(connector);
        HttpMetrics metrics = routes.measured() ? new HttpMetrics(registry, routes.tenant() != null) : null;
        server.setHandler(new GracefulHandler(new Dispatcher(routes, metrics)));
        server.setErrorHandler((request, response, callback) -> {
            String text = org.eclipse.jetty.http.HttpStatus.getMessage(response.getStatus()) + "\n";
            response.getHeaders().put(HttpHeader.CONTENT_TYPE, "text/plain; charset=utf-8");
            response.write(true, java.nio.ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8)), callback);
            return true;
        });
        server.setStopTimeout(Math.max(1, gracePeriod.toMillis()));
        try {
            Listening.open(address, () -> {
                connector.open();
                return connector;
            });
            server.start();
        } catch (Exception e) {
            try {
                server.stop();
            } catch (Exception stopping) {
                e.addSuppressed(stopping);
            }
            Throwable cause = e.getCause() == null ? e : e.getCause();
            throw new FlagException("listen on " + address + ": " + cause.getMessage(), e);
        }
        return new HttpServer(server, connector, at.host());
    }

    /** host:port, with the port that was bound; {@code 127.0.0.1} for all interfaces. */
    public String address() {
        String h = host.isEmpty() || host.equals("0.0.0.0") || host.equals("::") ? "127.0.0.1" : host;
        return new HostPort(h, port()).toString();
    }

    /** The port that was bound. */
    public int port() {
        return connector.getLocalPort();
    }

    /** Drains and stops. */
    @Override
    public void close() {
        try {
            server.stop();
        } catch (Exception e) {
            LOG.atWarn().addKeyValue("err", String.valueOf(e.getMessage())).log("HTTP server did not stop cleanly");
        }
    }

    /** Finds the handler, runs it, answers for it where it fails. */
    private static final class Dispatcher extends Handler.Abstract {
        private final Routes routes;
        private final @Nullable HttpMetrics metrics;

        Dispatcher(Routes routes, @Nullable HttpMetrics metrics) {
            this.routes = routes;
            this.metrics = metrics;
        }

        @Override
        public boolean handle(org.eclipse.jetty.server.Request jetty, org.eclipse.jetty.server.Response out, Callback callback) {
            String method = jetty.getMethod();
            String rawPath = jetty.getHttpURI().getPath();
            rawPath = rawPath == null || !rawPath.startsWith("/") ? "/" : rawPath;
            JettyResponse response = new JettyResponse(jetty, out);
            try {
                Routes.Match match = routes.match(rawPath, method);
                String clean = Routes.clean(rawPath);
                String meant = match == null ? routes.meant(rawPath, method) : null;
                boolean options = method.equals("OPTIONS") && (match == null || !match.methodTaken());
                if (!clean.equals(rawPath)) {
                    redirect(jetty, response, 307, clean);
                } else if (rawPath.equals("/") && !routes.prefix().isEmpty()) {
                    response.status(302).header("Location", routes.prefix() + "/").send(new byte[0]);
                } else if (options && routes.isPreflight(rawPath)) {
                    cors(response);
                    response.header("Vary", "Accept-Encoding").status(204).send(new byte[0]);
                } else if (meant != null) {
                    redirect(jetty, response, method.equals("GET") ? 301 : 308, meant);
                } else if (match == null) {
                    response.header("X-Content-Type-Options", "nosniff").sendText(404, "404 page not found\n");
                } else if (options) {
                    response.header("Allow", match.allows()).send(new byte[0]);
                } else if (!match.methodTaken()) {
                    response.header("Allow", match.allows()).header("X-Content-Type-Options", "nosniff")
                            .sendText(405, "Method Not Allowed\n");
                } else {
                    run(jetty, match, response);
                }
                response.finish();
            } catch (Throwable e) {
                if (!tell(e, response, callback, method, rawPath)) {
                    return true;
                }
            }
            readToEnd(jetty);
            callback.succeeded();
            return true;
        }

        /**
         * Takes in what a client still sends that was answered already, for a bounded time: with the connection closed under it, a client that writes its
         * request whole before it reads sees a broken pipe and not the answer.
         */
        private static void readToEnd(org.eclipse.jetty.server.Request jetty) {
            boolean hasBody = jetty.getLength() > 0 || jetty.getHeaders().contains(HttpHeader.TRANSFER_ENCODING);
            // Who waits to be told to go on has sent nothing.
            if (!hasBody || jetty.getHeaders().contains(HttpHeader.EXPECT)) {
                return;
            }
            long end = System.nanoTime() + LINGER_NANOS;
            long bytes = 0;
            try {
                while (bytes <= MAX_BODY_BYTES) {
                    Content.Chunk chunk = jetty.read();
                    long left = end - System.nanoTime();
                    if (chunk == null) {
                        CountDownLatch more = new CountDownLatch(1);
                        jetty.demand(more::countDown);
                        if (!more.await(left, TimeUnit.NANOSECONDS)) {
                            return;
                        }
                    } else {
                        bytes += chunk.remaining();
                        chunk.release();
                        if (chunk.isLast() || Content.Chunk.isFailure(chunk) || left <= 0) {
                            return;
                        }
                    }
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }

        /** The path is escaped as it came. */
        private static void redirect(org.eclipse.jetty.server.Request jetty, JettyResponse response, int status, String path)
                throws IOException {
            String query = jetty.getHttpURI().getQuery();
            response.status(status).header("Location", query == null ? path : path + "?" + query).send(new byte[0]);
        }

        private void run(org.eclipse.jetty.server.Request jetty, Routes.Match match, JettyResponse response) throws Exception {
            if (match.route().api()) {
                cors(response);
                response.header("Vary", "Accept-Encoding");
            }
            JettyRequest request = new JettyRequest(jetty, routes.prefix(), match);
            String name = match.route().name();
            HttpMetrics m = metrics;
            if (m == null || name == null) {
                handle(match, request, response);
                return;
            }
            var tenantOf = routes.tenant();
            String tenant = tenantOf == null ? "" : tenantOf.apply(request);
            long start = System.nanoTime();
            m.started(name, request.method(), tenant);
            int[] failed = {0};
            try {
                handle(match, request, response);
            } catch (HttpStatusException e) {
                failed[0] = e.status();
                throw e;
            } catch (Exception e) {
                failed[0] = 500;
                throw e;
            } finally {
                int code = failed[0] != 0 && !response.isCommitted() ? failed[0] : response.currentStatus();
                m.ended(name, request.method(), tenant, code, System.nanoTime() - start, request.approximateBytes(),
                        response.bytesWritten());
            }
        }

        private static void handle(Routes.Match match, JettyRequest request, JettyResponse response) throws Exception {
            try {
                match.route().handler().handle(request, response);
            } finally {
                request.ended();
            }
        }

        private void cors(JettyResponse response) {
            if (routes.cors()) {
                response.header("Access-Control-Allow-Headers", "Accept, Accept-Encoding, Authorization, Content-Type, Origin");
                response.header("Access-Control-Allow-Methods", "GET, POST, OPTIONS");
                response.header("Access-Control-Allow-Origin", "*");
                response.header("Access-Control-Expose-Headers", "Date");
            }
        }

        /** Answers with what went wrong; false where the connection had to be broken. */
        private static boolean tell(Throwable e, JettyResponse response, Callback callback, String method, String path) {
            boolean clientGone = e instanceof IOException;
            if (!(e instanceof HttpStatusException) && !clientGone) {
                LOG.atError().addKeyValue("method", method).addKeyValue("path", path).addKeyValue("err", String.valueOf(e)).setCause(e)
                        .log("request failed");
            }
            if (response.isCommitted() || clientGone) {
                // Half an answer must not look whole: break the connection.
                callback.failed(e);
                return false;
            }
            try {
                response.reset();
                if (e instanceof HttpStatusException s) {
                    response.sendText(s.status(), s.getMessage() + "\n");
                } else {
                    response.sendText(500, "Internal Server Error\n");
                }
                response.finish();
                return true;
            } catch (IOException | RuntimeException again) {
                callback.failed(again);
                return false;
            }
        }
    }
}

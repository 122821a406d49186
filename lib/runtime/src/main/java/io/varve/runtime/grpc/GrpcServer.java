package io.varve.runtime.grpc;

import io.grpc.BindableService;
import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.ServerInterceptors;
import io.grpc.ServerServiceDefinition;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.protobuf.services.HealthStatusManager;
import io.grpc.protobuf.services.ProtoReflectionServiceV1;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.runtime.Listening;
import io.varve.runtime.flags.FlagException;
import io.varve.runtime.flags.GrpcFlags;
import io.varve.runtime.flags.HostPort;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * A gRPC server: the services given, health (service "", SERVING only while {@link #serving}), reflection, {@code grpc_server_*} metrics,
 * snappy, pings permitted every 10 s, connections renewed at the flag's age.
 *
 * <p>
 * Callbacks run on the network threads and must not block: services do their work on threads of their own (those of
 * {@code io.varve.store} use one virtual thread per call).
 */
public final class GrpcServer implements AutoCloseable {
    /** Requests are small; what is larger than this is no request. */
    private static final int MAX_REQUEST_BYTES = 64 << 20;
    private static final Metadata.Key<String> ENCODING = Metadata.Key.of("grpc-encoding", Metadata.ASCII_STRING_MARSHALLER);

    private final Server server;
    private final HealthStatusManager health;
    private final EventLoopGroup boss;
    private final EventLoopGroup workers;
    private final String host;
    private final long graceMillis;

    private GrpcServer(Server server, HealthStatusManager health, EventLoopGroup boss, EventLoopGroup workers, String host,
            long graceMillis) {
        this.server = server;
        this.health = health;
        this.boss = boss;
        this.workers = workers;
        this.host = host;
        this.graceMillis = graceMillis;
    }

    /** A builder. */
    public static Builder builder() {
        return new Builder();
    }

    /** Says through the health service whether the process can do its work. */
    public void serving(boolean ready) {
        health.setStatus(HealthStatusManager.SERVICE_NAME_ALL_SERVICES, ready ? ServingStatus.SERVING : ServingStatus.NOT_SERVING);
    }

    /** host:port, with the port that was bound; {@code 127.0.0.1} for all interfaces. */
    public String address() {
        String h = host.isEmpty() || host.equals("0.0.0.0") || host.equals("::") ? "127.0.0.1" : host;
        return new HostPort(h, port()).toString();
    }

    /** The port that was bound. */
    public int port() {
        return server.getPort();
    }

    /** Refuses new calls, lets those in flight end within the grace period, then ends them. */
    @Override
    public void close() {
        health.enterTerminalState();
        server.shutdown();
        try {
            if (!server.awaitTermination(graceMillis, TimeUnit.MILLISECONDS)) {
                server.shutdownNow();
                server.awaitTermination(5, TimeUnit.SECONDS);
            }
        } catch (InterruptedException e) {
            server.shutdownNow();
            Thread.currentThread().interrupt();
        }
        boss.shutdownGracefully(0, 1, TimeUnit.SECONDS);
        workers.shutdownGracefully(0, 1, TimeUnit.SECONDS);
    }

    /** Collects services. */
    public static final class Builder {
        private final List<ServerServiceDefinition> services = new ArrayList<>();

        private Builder() {
        }

        /** Adds a service. */
        public Builder service(BindableService service) {
            services.add(service.bindService());
            return this;
        }

        /** Adds a service. */
        public Builder service(ServerServiceDefinition service) {
            services.add(service);
            return this;
        }

        /**
         * Starts the server; not serving until {@link GrpcServer#serving} says so.
         *
         * @throws FlagException where the address cannot be bound
         */
        public GrpcServer start(GrpcFlags flags, PrometheusRegistry registry) {
            return prepare(flags, registry).start();
        }

        /**
         * Makes all that a server is but for its socket.
         *
         * @throws FlagException where the address is none
         */
        public Prepared prepare(GrpcFlags flags, PrometheusRegistry registry) {
            HostPort at = HostPort.parse("grpc-address", flags.address());
            InetSocketAddress socket = at.socketAddress();
            if (socket.isUnresolved()) {
                throw new FlagException("listen on " + flags.address() + ": no such host");
            }
            EventLoopGroup boss = new MultiThreadIoEventLoopGroup(1, new DefaultThreadFactory("grpc-accept", true),
                    NioIoHandler.newFactory());
            EventLoopGroup workers = new MultiThreadIoEventLoopGroup(Math.max(2, Math.min(16, Runtime.getRuntime().availableProcessors())),
                    new DefaultThreadFactory("grpc", true), NioIoHandler.newFactory());
            GrpcMetrics metrics = GrpcMetrics.server(registry);
            Recovery recovery = new Recovery(registry);
            ServerInterceptor encoding = new SameEncoding();
            ServerInterceptor unpacked = new UnpackedSize();
            HealthStatusManager health = new HealthStatusManager();
            health.setStatus(HealthStatusManager.SERVICE_NAME_ALL_SERVICES, ServingStatus.NOT_SERVING);
            NettyServerBuilder builder = NettyServerBuilder.forAddress(socket).bossEventLoopGroup(boss).workerEventLoopGroup(workers)
                    .channelType(NioServerSocketChannel.class).withOption(ChannelOption.SO_REUSEADDR, true)
                    .withOption(ChannelOption.SO_BACKLOG, 1024).directExecutor().maxInboundMessageSize(MAX_REQUEST_BYTES)
                    .maxInboundMetadataSize(1 << 20).permitKeepAliveTime(10, TimeUnit.SECONDS).permitKeepAliveWithoutCalls(true)
                    .compressorRegistry(SnappyCodec.compressors()).decompressorRegistry(SnappyCodec.DECOMPRESSORS);
            if (!flags.maxConnectionAge().isZero() && !flags.maxConnectionAge().isNegative()) {
                builder.maxConnectionAge(flags.maxConnectionAge().toMillis(), TimeUnit.MILLISECONDS);
            }
            List<ServerServiceDefinition> all = new ArrayList<>(services);
            all.add(health.getHealthService().bindService());
            all.add(ProtoReflectionServiceV1.newInstance().bindService());
            all.add(olderReflection());
            for (ServerServiceDefinition service : all) {
                metrics.initialise(service);
                builder.addService(
                        ServerInterceptors.interceptForward(UnpackedSize.marked(service), metrics, recovery, encoding, unpacked));
            }
            return new Prepared(flags, at.host(), builder, health, boss, workers);
        }
    }

    /** A server that does not listen yet. */
    public static final class Prepared implements AutoCloseable {
        private final GrpcFlags flags;
        private final String host;
        private final NettyServerBuilder builder;
        private final HealthStatusManager health;
        private final EventLoopGroup boss;
        private final EventLoopGroup workers;

        private Prepared(GrpcFlags flags, String host, NettyServerBuilder builder, HealthStatusManager health, EventLoopGroup boss,
                EventLoopGroup workers) {
            this.flags = flags;
            this.host = host;
            this.builder = builder;
            this.health = health;
            this.boss = boss;
            this.workers = workers;
        }

        /**
         * Listens; once only. Not serving until {@link GrpcServer#serving} says so.
         *
         * @throws FlagException where the address cannot be bound
         */
        public GrpcServer start() {
            try {
                Server server = Listening.open(flags.address(), () -> builder.build().start());
                return new GrpcServer(server, health, boss, workers, host, flags.gracePeriod().toMillis());
            } catch (IOException e) {
                close();
                Throwable cause = e.getCause() == null ? e : e.getCause();
                throw new FlagException("listen on " + flags.address() + ": " + cause.getMessage(), e);
            }
        }

        /** For one that is not started. Harmless for one that is and was closed. */
        @Override
        public void close() {
            boss.shutdownGracefully(0, 1, TimeUnit.SECONDS);
            workers.shutdownGracefully(0, 1, TimeUnit.SECONDS);
        }
    }

    /** What tools asked before reflection had a version 1. */
    @SuppressWarnings("deprecation")
    private static ServerServiceDefinition olderReflection() {
        return io.grpc.protobuf.services.ProtoReflectionService.newInstance().bindService();
    }

    /** Answers in the encoding that the request came in, as Go's server does. */
    private static final class SameEncoding implements ServerInterceptor {
        @Override
        public <Q, A> ServerCall.Listener<Q> interceptCall(ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
            String encoding = headers.get(ENCODING);
            if ("snappy".equals(encoding) || "gzip".equals(encoding)) {
                call.setCompression(encoding);
            }
            return next.startCall(call, headers);
        }
    }
}

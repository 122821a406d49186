package io.varve.runtime.grpc;

import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import io.grpc.netty.NettyChannelBuilder;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/**
 * Opens channels to other processes as Thanos does: pings every 10 s with 5 s to answer, large messages, {@code grpc_client_*} metrics. All
 * channels share a few network threads; callbacks run on them. Safe for many threads.
 */
public final class Channels implements AutoCloseable {
    /** How messages that we send are compressed. */
    public enum Compression {
        /** Not at all. */
        NONE,
        /** snappy, framed. */
        SNAPPY
    }

    /** No store sends more in one message; it guards memory against a broken one. */
    private static final int MAX_MESSAGE_BYTES = 1 << 30;

    private final EventLoopGroup workers;
    private final GrpcMetrics metrics;
    private final Compression compression;

    /**
     * @param registry where {@code grpc_client_*} go
     */
    public Channels(PrometheusRegistry registry, Compression compression) {
        this.workers = new MultiThreadIoEventLoopGroup(Math.max(2, Math.min(16, Runtime.getRuntime().availableProcessors())),
                new DefaultThreadFactory("grpc-client", true), NioIoHandler.newFactory());
        this.metrics = GrpcMetrics.client(registry);
        this.compression = compression;
    }

    /** A channel to {@code host:port}; connects on first use. The caller shuts it down. */
    public ManagedChannel open(String address) {
        return build(NettyChannelBuilder.forTarget(target(address)));
    }

    /**
     * A channel to servers that share the work: calls go to them by turns. Connects on first use. The caller shuts it down.
     *
     * @param name of the group, for messages
     * @param lookup finds host:port of all servers; may block, and fail with a {@link io.varve.model.VarveException}
     * @param intervalMillis between look-ups
     */
    @SuppressWarnings("deprecation") // a resolver that is registered for the whole JVM would know neither the names nor whom to ask
    public ManagedChannel openGroup(String name, Supplier<List<String>> lookup, long intervalMillis) {
        return build(NettyChannelBuilder.forTarget(GroupResolver.Provider.SCHEME + ":///group").defaultLoadBalancingPolicy("round_robin")
                .nameResolverFactory(new GroupResolver.Provider(name, lookup, intervalMillis)));
    }

    private ManagedChannel build(NettyChannelBuilder builder) {
        builder.usePlaintext().eventLoopGroup(workers)
                .channelType(NioSocketChannel.class).directExecutor().maxInboundMessageSize(MAX_MESSAGE_BYTES)
                .maxInboundMetadataSize(1 << 20)
                .keepAliveTime(10, TimeUnit.SECONDS).keepAliveTimeout(5, TimeUnit.SECONDS).disableServiceConfigLookUp()
                .flowControlWindow(1 << 20).compressorRegistry(SnappyCodec.compressors()).decompressorRegistry(SnappyCodec.DECOMPRESSORS)
                .intercept(metrics);
        if (compression == Compression.SNAPPY) {
            builder.intercept(new Compressing());
        }
        return builder.build();
    }

    /** The address as a target that names its resolver: a bare {@code host:port} can look like a scheme. */
    private static String target(String address) {
        return "dns:///" + address;
    }

    /** Ends the network threads; channels are shut down before. */
    @Override
    public void close() {
        workers.shutdownGracefully(0, 1, TimeUnit.SECONDS);
    }

    private static final class Compressing implements ClientInterceptor {
        @Override
        public <Q, A> ClientCall<Q, A> interceptCall(MethodDescriptor<Q, A> method, CallOptions options, Channel next) {
            return next.newCall(method, options.withCompression("snappy"));
        }
    }
}

package io.varve.runtime.grpc;

import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.ForwardingClientCall.SimpleForwardingClientCall;
import io.grpc.ForwardingClientCallListener.SimpleForwardingClientCallListener;
import io.grpc.ForwardingServerCall.SimpleForwardingServerCall;
import io.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.prometheus.metrics.core.datapoints.CounterDataPoint;
import io.prometheus.metrics.core.datapoints.DistributionDataPoint;
import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.Histogram;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** The metrics of go-grpc-middleware, for servers ({@code grpc_server_*}) and clients ({@code grpc_client_*}). */
final class GrpcMetrics implements ServerInterceptor, ClientInterceptor {
    private static final double[] SERVER = {0.001, 0.01, 0.1, 0.3, 0.6, 1, 3, 6, 9, 20, 30, 60, 90, 120};
    private static final double[] CLIENT = {0.001, 0.01, 0.1, 0.3, 0.6, 1, 3, 6, 9, 20, 30, 60, 90, 120, 240, 360, 720};
    private final Counter started;
    private final Counter handled;
    private final Counter received;
    private final Counter sent;
    private final Histogram seconds;
    private final Map<String, Method> methods = new ConcurrentHashMap<>();

    /** The series of one method. */
    private record Method(String[] labels, CounterDataPoint started, CounterDataPoint received, CounterDataPoint sent,
            DistributionDataPoint seconds) {
    }

    private GrpcMetrics(PrometheusRegistry registry, String side, String who, double[] buckets) {
        String[] labels = {"grpc_method", "grpc_service", "grpc_type"};
        started = Counter.builder().name("grpc_" + side + "_started_total").help("Total number of RPCs started on the " + who + ".")
                .labelNames(labels).register(registry);
        handled = Counter.builder().name("grpc_" + side + "_handled_total")
                .help("Total number of RPCs completed on the " + who + ", regardless of success or failure.")
                .labelNames("grpc_code", "grpc_method", "grpc_service", "grpc_type").register(registry);
        received = Counter.builder().name("grpc_" + side + "_msg_received_total")
                .help("Total number of RPC stream messages received on the " + who + ".").labelNames(labels).register(registry);
        sent = Counter.builder().name("grpc_" + side + "_msg_sent_total")
                .help("Total number of gRPC stream messages sent by the " + who + ".").labelNames(labels).register(registry);
        seconds = Histogram.builder().name("grpc_" + side + "_handling_seconds")
                .help("Histogram of response latency (seconds) of gRPC calls, as seen by the " + who + ".").classicOnly()
                .classicUpperBounds(buckets).labelNames(labels).register(registry);
    }

    static GrpcMetrics server(PrometheusRegistry registry) {
        return new GrpcMetrics(registry, "server", "server", SERVER);
    }

    static GrpcMetrics client(PrometheusRegistry registry) {
        return new GrpcMetrics(registry, "client", "client", CLIENT);
    }

    /** Shows a service's methods at 0: alerts divide by them. */
    void initialise(ServerServiceDefinition service) {
        service.getMethods().forEach(m -> {
            Method series = of(m.getMethodDescriptor());
            for (Status.Code code : Status.Code.values()) {
                handled.initLabelValues(goName(code), series.labels[0], series.labels[1], series.labels[2]);
            }
        });
    }

    private Method of(MethodDescriptor<?, ?> descriptor) {
        return methods.computeIfAbsent(descriptor.getFullMethodName(), full -> {
            String service = String.valueOf(descriptor.getServiceName());
            String[] labels = {String.valueOf(descriptor.getBareMethodName()), service, type(descriptor.getType())};
            return new Method(labels, started.labelValues(labels), received.labelValues(labels), sent.labelValues(labels),
                    seconds.labelValues(labels));
        });
    }

    private void ended(Method m, Status status, long startNanos) {
        handled.labelValues(goName(status.getCode()), m.labels[0], m.labels[1], m.labels[2]).inc();
        m.seconds.observe((System.nanoTime() - startNanos) / 1e9);
    }

    @Override
    public <Q, A> ServerCall.Listener<Q> interceptCall(ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
        Method m = of(call.getMethodDescriptor());
        long start = System.nanoTime();
        m.started.inc();
        ServerCall<Q, A> counted = new SimpleForwardingServerCall<>(call) {
            @Override
            public void sendMessage(A message) {
                m.sent.inc();
                super.sendMessage(message);
            }

            @Override
            public void close(Status status, Metadata trailers) {
                ended(m, status, start);
                super.close(status, trailers);
            }
        };
        return new SimpleForwardingServerCallListener<>(next.startCall(counted, headers)) {
            @Override
            public void onMessage(Q message) {
                m.received.inc();
                super.onMessage(message);
            }
        };
    }

    @Override
    public <Q, A> ClientCall<Q, A> interceptCall(MethodDescriptor<Q, A> method, CallOptions options, Channel next) {
        Method m = of(method);
        return new SimpleForwardingClientCall<>(next.newCall(method, options)) {
            @Override
            public void start(Listener<A> listener, Metadata headers) {
                long start = System.nanoTime();
                m.started.inc();
                super.start(new SimpleForwardingClientCallListener<>(listener) {
                    @Override
                    public void onMessage(A message) {
                        m.received.inc();
                        super.onMessage(message);
                    }

                    @Override
                    public void onClose(Status status, Metadata trailers) {
                        ended(m, status, start);
                        super.onClose(status, trailers);
                    }
                }, headers);
            }

            @Override
            public void sendMessage(Q message) {
                m.sent.inc();
                super.sendMessage(message);
            }
        };
    }

    private static String type(MethodDescriptor.MethodType type) {
        return switch (type) {
            case UNARY -> "unary";
            case CLIENT_STREAMING -> "client_stream";
            case SERVER_STREAMING -> "server_stream";
            case BIDI_STREAMING, UNKNOWN -> "bidi_stream";
        };
    }

    /** Codes as Go spells them, which dashboards and alerts match. */
    static String goName(Status.Code code) {
        return switch (code) {
            case OK -> "OK";
            case CANCELLED -> "Canceled";
            case UNKNOWN -> "Unknown";
            case INVALID_ARGUMENT -> "InvalidArgument";
            case DEADLINE_EXCEEDED -> "DeadlineExceeded";
            case NOT_FOUND -> "NotFound";
            case ALREADY_EXISTS -> "AlreadyExists";
            case PERMISSION_DENIED -> "PermissionDenied";
            case RESOURCE_EXHAUSTED -> "ResourceExhausted";
            case FAILED_PRECONDITION -> "FailedPrecondition";
            case ABORTED -> "Aborted";
            case OUT_OF_RANGE -> "OutOfRange";
            case UNIMPLEMENTED -> "Unimplemented";
            case INTERNAL -> "Internal";
            case UNAVAILABLE -> "Unavailable";
            case DATA_LOSS -> "DataLoss";
            case UNAUTHENTICATED -> "Unauthenticated";
        };
    }
}

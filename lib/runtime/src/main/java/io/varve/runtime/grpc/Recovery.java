package io.varve.runtime.grpc;

import io.grpc.ForwardingServerCall.SimpleForwardingServerCall;
import io.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Ends a call whose handler failed in a way nobody foresaw with status INTERNAL; counts and logs it. */
final class Recovery implements ServerInterceptor {
    private static final Logger LOG = LoggerFactory.getLogger(Recovery.class);
    private final Counter panics;

    Recovery(PrometheusRegistry registry) {
        panics = Counter.builder().name("grpc_req_panics_recovered_total")
                .help("Total number of gRPC requests recovered from internal panic.")
                .register(registry);
    }

    @Override
    public <Q, A> ServerCall.Listener<Q> interceptCall(ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
        ServerCall<Q, A> watched = new SimpleForwardingServerCall<>(call) {
            @Override
            public void close(Status status, Metadata trailers) {
                // Handlers on threads of their own cannot throw at us: what nobody foresaw comes as the cause of INTERNAL.
                if (status.getCode() == Status.Code.INTERNAL && status.getCause() != null) {
                    count(call, status.getCause());
                }
                super.close(status, trailers);
            }
        };
        ServerCall.Listener<Q> listener;
        try {
            listener = next.startCall(watched, headers);
        } catch (RuntimeException e) {
            recover(call, e);
            return new ServerCall.Listener<>() {
            };
        }
        return new SimpleForwardingServerCallListener<>(listener) {
            @Override
            public void onMessage(Q message) {
                guarded(() -> super.onMessage(message));
            }

            @Override
            public void onHalfClose() {
                guarded(super::onHalfClose);
            }

            @Override
            public void onReady() {
                guarded(super::onReady);
            }

            private void guarded(Runnable step) {
                try {
                    step.run();
                } catch (RuntimeException e) {
                    recover(call, e);
                }
            }
        };
    }

    private void count(ServerCall<?, ?> call, Throwable e) {
        panics.inc();
        LOG.atError().addKeyValue("method", call.getMethodDescriptor().getFullMethodName()).addKeyValue("err", String.valueOf(e))
                .setCause(e)
                .log("recovered from a failure in a gRPC call");
    }

    private void recover(ServerCall<?, ?> call, RuntimeException e) {
        count(call, e);
        try {
            call.close(Status.INTERNAL.withDescription("internal error: " + e), new Metadata());
        } catch (IllegalStateException closed) {
            // It was over already.
        }
    }
}

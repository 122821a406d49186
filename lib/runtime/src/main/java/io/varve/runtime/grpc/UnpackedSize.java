package io.varve.runtime.grpc;

import io.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.ServerMethodDefinition;
import io.grpc.ServerServiceDefinition;
import io.grpc.ServiceDescriptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.InputStream;
import java.util.List;

/**
 * Ends a call whose request grows too large as it is unpacked with RESOURCE_EXHAUSTED. Left to itself gRPC notices it while it reads the message,
 * takes that for a fault of the service and says UNKNOWN, which tells callers to ask elsewhere.
 */
final class UnpackedSize implements ServerInterceptor {
    /** Stands in for a request that could not be read. */
    private record Unreadable(Status status) {
    }

    /** The service with requests that may turn out {@link Unreadable}; calls go through this interceptor. */
    static ServerServiceDefinition marked(ServerServiceDefinition service) {
        ServiceDescriptor.Builder descriptor = ServiceDescriptor.newBuilder(service.getServiceDescriptor().getName())
                .setSchemaDescriptor(service.getServiceDescriptor().getSchemaDescriptor());
        List<ServerMethodDefinition<?, ?>> methods = service.getMethods().stream()
                .<ServerMethodDefinition<?, ?>>map(UnpackedSize::marked).toList();
        methods.forEach(m -> descriptor.addMethod(m.getMethodDescriptor()));
        ServerServiceDefinition.Builder out = ServerServiceDefinition.builder(descriptor.build());
        methods.forEach(out::addMethod);
        return out.build();
    }

    private static <Q, A> ServerMethodDefinition<Q, A> marked(ServerMethodDefinition<Q, A> method) {
        MethodDescriptor<Q, A> d = method.getMethodDescriptor();
        return ServerMethodDefinition.create(
                d.toBuilder(new Marking<>(d.getRequestMarshaller()), d.getResponseMarshaller()).build(), method.getServerCallHandler());
    }

    @Override
    public <Q, A> ServerCall.Listener<Q> interceptCall(ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
        return new SimpleForwardingServerCallListener<>(next.startCall(call, headers)) {
            private boolean ended;

            @Override
            public void onMessage(Q message) {
                if ((Object) message instanceof Unreadable u) {
                    ended = true;
                    call.close(u.status, new Metadata());
                } else {
                    super.onMessage(message);
                }
            }

            @Override
            public void onHalfClose() {
                // A service that waits for its one request would complain that there was none.
                if (!ended) {
                    super.onHalfClose();
                }
            }
        };
    }

    private record Marking<Q>(MethodDescriptor.Marshaller<Q> marshaller) implements MethodDescriptor.Marshaller<Q> {
        @Override
        public InputStream stream(Q value) {
            return marshaller.stream(value);
        }

        @Override
        @SuppressWarnings("unchecked") // The interceptor, which alone sees it, takes it out again.
        public Q parse(InputStream stream) {
            try {
                return marshaller.parse(stream);
            } catch (StatusRuntimeException e) {
                return (Q) new Unreadable(e.getStatus());
            }
        }
    }
}

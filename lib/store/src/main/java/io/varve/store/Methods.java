package io.varve.store;

import io.grpc.MethodDescriptor;
import io.grpc.ServerServiceDefinition;
import io.grpc.ServiceDescriptor;
import java.util.HashMap;
import java.util.Map;

/** The methods of the generated services with messages as plain arrays; the schema stays, so that reflection can show it. */
final class Methods {
    private Methods() {
    }

    static MethodDescriptor<byte[], byte[]> raw(MethodDescriptor<?, ?> generated) {
        return MethodDescriptor.<byte[], byte[]>newBuilder(Bytes.MARSHALLER, Bytes.MARSHALLER)
                .setFullMethodName(generated.getFullMethodName())
                .setType(generated.getType()).setSchemaDescriptor(generated.getSchemaDescriptor()).setIdempotent(generated.isIdempotent())
                .setSafe(generated.isSafe()).build();
    }

    /** Builds a service of raw methods over a generated descriptor. */
    static final class Builder {
        private final ServiceDescriptor generated;
        private final Map<String, ServedCall<byte[], byte[]>> handlers = new HashMap<>();

        Builder(ServiceDescriptor generated) {
            this.generated = generated;
        }

        Builder method(MethodDescriptor<?, ?> method, ServedCall<byte[], byte[]> handler) {
            handlers.put(method.getFullMethodName(), handler);
            return this;
        }

        ServerServiceDefinition build() {
            ServiceDescriptor.Builder descriptor = ServiceDescriptor.newBuilder(generated.getName())
                    .setSchemaDescriptor(generated.getSchemaDescriptor());
            Map<String, MethodDescriptor<byte[], byte[]>> methods = new HashMap<>();
            for (MethodDescriptor<?, ?> m : generated.getMethods()) {
                MethodDescriptor<byte[], byte[]> raw = raw(m);
                methods.put(m.getFullMethodName(), raw);
                descriptor.addMethod(raw);
            }
            ServerServiceDefinition.Builder service = ServerServiceDefinition.builder(descriptor.build());
            methods.forEach((name, method) -> {
                ServedCall<byte[], byte[]> handler = handlers.get(name);
                if (handler == null) {
                    throw new IllegalStateException("no handler for " + name);
                }
                service.addMethod(method, handler);
            });
            return service.build();
        }
    }
}

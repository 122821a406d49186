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

    /** As clients call it. */
    static MethodDescriptor<byte[], byte[]> raw(MethodDescriptor<?, ?> generated) {
        return raw(generated, Bytes.MARSHALLER);
    }

    private static <A> MethodDescriptor<byte[], A> raw(MethodDescriptor<?, ?> generated, MethodDescriptor.Marshaller<A> answers) {
        return MethodDescriptor.newBuilder(Bytes.MARSHALLER, answers).setFullMethodName(generated.getFullMethodName())
                .setType(generated.getType()).setSchemaDescriptor(generated.getSchemaDescriptor()).setIdempotent(generated.isIdempotent())
                .setSafe(generated.isSafe()).build();
    }

    /** Builds a service of raw methods over a generated descriptor. */
    static final class Builder {
        private final ServiceDescriptor generated;
        private final Map<String, ServedCall> handlers = new HashMap<>();

        Builder(ServiceDescriptor generated) {
            this.generated = generated;
        }

        Builder method(MethodDescriptor<?, ?> method, ServedCall handler) {
            handlers.put(method.getFullMethodName(), handler);
            return this;
        }

        ServerServiceDefinition build() {
            ServiceDescriptor.Builder descriptor = ServiceDescriptor.newBuilder(generated.getName())
                    .setSchemaDescriptor(generated.getSchemaDescriptor());
            Map<String, MethodDescriptor<byte[], Bytes.Message>> methods = new HashMap<>();
            for (MethodDescriptor<?, ?> m : generated.getMethods()) {
                MethodDescriptor<byte[], Bytes.Message> raw = raw(m, Bytes.ANSWERS);
                methods.put(m.getFullMethodName(), raw);
                descriptor.addMethod(raw);
            }
            ServerServiceDefinition.Builder service = ServerServiceDefinition.builder(descriptor.build());
            methods.forEach((name, method) -> {
                ServedCall handler = handlers.get(name);
                if (handler == null) {
                    throw new IllegalStateException("no handler for " + name);
                }
                service.addMethod(method, handler);
            });
            return service.build();
        }
    }
}

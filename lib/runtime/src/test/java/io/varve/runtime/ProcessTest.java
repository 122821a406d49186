package io.varve.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.grpc.CallOptions;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.ServerCalls;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.model.LimitExceededException;
import io.varve.runtime.flags.FlagException;
import io.varve.runtime.flags.GrpcFlags;
import io.varve.runtime.flags.HttpFlags;
import io.varve.runtime.grpc.Channels;
import io.varve.runtime.grpc.GrpcServer;
import io.varve.runtime.http.Routes;
import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

class ProcessTest {
    private static final MethodDescriptor.Marshaller<byte[]> BYTES = new MethodDescriptor.Marshaller<>() {
        @Override
        public InputStream stream(byte[] value) {
            return new ByteArrayInputStream(value);
        }

        @Override
        public byte[] parse(InputStream in) {
            try {
                return in.readAllBytes();
            } catch (java.io.IOException e) {
                throw new java.io.UncheckedIOException(e);
            }
        }
    };
    private static final MethodDescriptor<byte[], byte[]> ECHO = MethodDescriptor.<byte[], byte[]>newBuilder(BYTES, BYTES)
            .setFullMethodName("test.Echo/Echo").setType(MethodDescriptor.MethodType.UNARY).build();

    @Command(name = "probe")
    private static final class Probe implements ProcessCommand {
        @Mixin
        private HttpFlags http = new HttpFlags();
        @Mixin
        private GrpcFlags grpc = new GrpcFlags();
        @Option(names = "--end", defaultValue = "-1")
        private int end = -1;
        @Option(names = "--broken")
        private boolean broken;
        private final AtomicBoolean closed = new AtomicBoolean();

        @Override
        public String component() {
            return "probe";
        }

        @Override
        public AutoCloseable launch(ProcessContext context) {
            context.startHttp(http, Routes.none());
            context.startGrpc(grpc, GrpcServer.builder().service(ServerServiceDefinition.builder("test.Echo")
                    .addMethod(ECHO, ServerCalls.asyncUnaryCall((byte[] request, io.grpc.stub.StreamObserver<byte[]> answer) -> {
                        if (request.length == 0) {
                            throw new IllegalStateException("nobody foresaw this");
                        }
                        answer.onNext(request);
                        answer.onCompleted();
                    })).build()));
            context.onStop("flag", () -> closed.set(true));
            if (broken) {
                throw new LinkageError("nobody foresaw this");
            }
            if (end >= 0) {
                context.stop(end);
            }
            return () -> {
            };
        }
    }

    private static final String[] LOCAL = {"--http-address=127.0.0.1:0", "--grpc-address=127.0.0.1:0", "--http-grace-period=1s",
            "--grpc-grace-period=1s"};

    private static HttpResponse<String> get(ProcessRunner.Running p, String path, String... headers) throws Exception {
        HttpRequest.Builder b = HttpRequest.newBuilder(URI.create("http://" + p.context().httpAddress() + path));
        if (headers.length > 0) {
            b.headers(headers);
        }
        return HttpClient.newHttpClient().send(b.build(), HttpResponse.BodyHandlers.ofString());
    }

    @Test
    void probesMetricsAndHealthFollowReadiness() throws Exception {
        Probe probe = new Probe();
        try (ProcessRunner.Running p = ProcessRunner.launch(probe, LOCAL);
                Channels channels = new Channels(new PrometheusRegistry(), Channels.Compression.SNAPPY)) {
            ManagedChannel channel = channels.open(p.context().grpcAddress());
            try {
                HealthGrpc.HealthBlockingStub health = HealthGrpc.newBlockingStub(channel);
                assertThat(get(p, "/-/healthy").body()).isEqualTo("OK");
                assertThat(get(p, "/-/ready").statusCode()).isEqualTo(503);
                assertThat(get(p, "/-/ready").body()).isEqualTo("NOT OK\n");
                assertThat(health.check(HealthCheckRequest.getDefaultInstance()).getStatus()).isEqualTo(ServingStatus.NOT_SERVING);
                p.context().probes().ready(true);
                assertThat(get(p, "/-/ready").body()).isEqualTo("OK");
                assertThat(health.check(HealthCheckRequest.getDefaultInstance()).getStatus()).isEqualTo(ServingStatus.SERVING);

                byte[] large = new byte[300_000];
                assertThat(ClientCalls.blockingUnaryCall(channel, ECHO, CallOptions.DEFAULT, large)).isEqualTo(large);
                assertThatThrownBy(() -> ClientCalls.blockingUnaryCall(channel, ECHO, CallOptions.DEFAULT, new byte[0]))
                        .isInstanceOfSatisfying(StatusRuntimeException.class,
                                e -> assertThat(e.getStatus().getCode()).isEqualTo(Status.Code.INTERNAL));

                String text = get(p, "/metrics").body();
                assertThat(text).contains("thanos_status{check=\"ready\",component=\"probe\"} 1.0", "# TYPE thanos_build_info gauge",
                        "grpc_req_panics_recovered_total 1.0",
                        "grpc_server_handled_total{grpc_code=\"Internal\",grpc_method=\"Echo\",grpc_service=\"test.Echo\",grpc_type=\"unary\"} 1.0",
                        "grpc_server_handled_total{grpc_code=\"DeadlineExceeded\",grpc_method=\"Echo\",grpc_service=\"test.Echo\",grpc_type=\"unary\"} 0.0",
                        "process_cpu_seconds_total", "jvm_memory_used_bytes");
                HttpResponse<String> open = get(p, "/metrics", "Accept", "application/openmetrics-text; version=1.0.0");
                assertThat(open.headers().firstValue("Content-Type").orElseThrow()).startsWith("application/openmetrics-text");
                assertThat(open.body()).endsWith("# EOF\n");
            } finally {
                channel.shutdownNow();
            }
        }
        assertThat(probe.closed).isTrue();
    }

    @Test
    void aProcessThatEndsByItselfHasItsExitCode() {
        PrintWriter none = new PrintWriter(new StringWriter());
        assertThat(ProcessRunner.run("varve probe", new Probe(), none, none, "--http-address=127.0.0.1:0", "--grpc-address=127.0.0.1:0",
                "--end=0")).isZero();
        Probe failing = new Probe();
        assertThat(ProcessRunner.run("varve probe", failing, none, none, "--http-address=127.0.0.1:0", "--grpc-address=127.0.0.1:0",
                "--end=3")).isEqualTo(3);
        assertThat(failing.closed).isTrue();
        Probe broken = new Probe();
        assertThat(ProcessRunner.run("varve probe", broken, none, none, "--http-address=127.0.0.1:0", "--grpc-address=127.0.0.1:0",
                "--broken")).isEqualTo(1);
        assertThat(broken.closed).isTrue();
    }

    @Test
    void whatWasStartedIsStoppedWhenTheRestCannotStart() throws Exception {
        try (ProcessRunner.Running first = ProcessRunner.launch(new Probe(), LOCAL)) {
            String taken = first.context().grpcAddress();
            assertThatThrownBy(() -> ProcessRunner.launch(new Probe(), "--http-address=127.0.0.1:0", "--grpc-address=" + taken))
                    .isInstanceOf(FlagException.class).hasMessageContaining("listen on " + taken);
            StringWriter err = new StringWriter();
            assertThat(ProcessRunner.run("varve probe", new Probe(), new PrintWriter(err), new PrintWriter(err),
                    "--http-address=127.0.0.1:0", "--grpc-address=" + taken)).isEqualTo(1);
        }
    }

    @Test
    void memoryIsSharedAndGivenBack() {
        MemoryPool pool = new MemoryPool(100, "some-limit");
        try (MemoryPool.Budget a = pool.open(); MemoryPool.Budget b = pool.open()) {
            a.reserve(60, "a");
            assertThatThrownBy(() -> b.reserve(50, "frames")).isInstanceOf(LimitExceededException.class)
                    .hasMessage("memory for frames: 50 bytes more would exceed some-limit of 100 bytes, 60 are in use");
            b.reserve(40, "b");
            a.release(10);
            assertThat(pool.used()).isEqualTo(90);
        }
        assertThat(pool.used()).isZero();
    }
}

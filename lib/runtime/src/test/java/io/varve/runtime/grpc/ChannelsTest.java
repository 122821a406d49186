package io.varve.runtime.grpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.StatusRuntimeException;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.protobuf.services.HealthStatusManager;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.model.UnavailableException;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Channels to groups of servers, over real connections. */
class ChannelsTest {
    private final Channels channels = new Channels(new PrometheusRegistry(), Channels.Compression.NONE);
    private final List<Counting> servers = new ArrayList<>();

    /** A server that counts its calls. */
    private static final class Counting implements ServerInterceptor {
        final AtomicInteger calls = new AtomicInteger();
        final Server server;

        Counting() throws IOException {
            server = NettyServerBuilder.forAddress(new InetSocketAddress("127.0.0.1", 0))
                    .addService(new HealthStatusManager().getHealthService()).intercept(this).build().start();
        }

        String address() {
            return "127.0.0.1:" + server.getPort();
        }

        @Override
        public <Q, A> ServerCall.Listener<Q> interceptCall(ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
            calls.incrementAndGet();
            return next.startCall(call, headers);
        }
    }

    private Counting server() throws IOException {
        Counting s = new Counting();
        servers.add(s);
        return s;
    }

    @AfterEach
    void stop() {
        servers.forEach(s -> s.server.shutdownNow());
        channels.close();
    }

    private static boolean call(ManagedChannel channel) {
        try {
            HealthGrpc.newBlockingStub(channel).withDeadlineAfter(5, TimeUnit.SECONDS).check(HealthCheckRequest.getDefaultInstance());
            return true;
        } catch (StatusRuntimeException e) {
            return false;
        }
    }

    /** Calls until something is so. */
    private static void until(ManagedChannel channel, BooleanSupplier so) {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        while (!so.getAsBoolean()) {
            assertThat(System.nanoTime()).isLessThan(end);
            call(channel);
        }
    }

    @Test
    void serversOfAGroupTakeTurns() throws IOException {
        Counting a = server();
        Counting b = server();
        ManagedChannel channel = channels.openGroup("group", () -> List.of(a.address(), b.address()), 60_000);
        try {
            until(channel, () -> a.calls.get() > 0 && b.calls.get() > 0);
            int before = a.calls.get();
            for (int i = 0; i < 10; i++) {
                assertThat(call(channel)).isTrue();
            }
            assertThat(a.calls.get() - before).isEqualTo(5);
            // One that is lost costs no more than the calls that were on their way.
            b.server.shutdownNow();
            int[] good = {0};
            until(channel, () -> good[0] == 10 || (good[0] = call(channel) ? good[0] + 1 : 0) == 10);
        } finally {
            channel.shutdownNow();
        }
    }

    @Test
    void aGroupThatGrowsAndShrinksIsFollowed() throws IOException {
        Counting a = server();
        Counting b = server();
        List<String> now = java.util.Collections.synchronizedList(new ArrayList<>(List.of(a.address())));
        ManagedChannel channel = channels.openGroup("group", () -> List.copyOf(now), 1000);
        try {
            until(channel, () -> a.calls.get() > 2);
            assertThat(b.calls.get()).isZero();
            now.add(b.address());
            until(channel, () -> b.calls.get() > 2);
            now.remove(a.address());
            int[] ofOthers = {0};
            until(channel, () -> {
                int before = a.calls.get();
                for (int i = 0; i < 4; i++) {
                    call(channel);
                }
                ofOthers[0] = a.calls.get() == before ? ofOthers[0] + 1 : 0;
                return ofOthers[0] > 1;
            });
        } finally {
            channel.shutdownNow();
        }
    }

    @Test
    void aGroupThatIsNotFoundSaysSoAndOneThatWasStaysKnown() throws IOException {
        Counting a = server();
        AtomicInteger lookups = new AtomicInteger();
        ManagedChannel channel = channels.openGroup("dns+store.example:1", () -> {
            int n = lookups.incrementAndGet();
            if (n == 2) {
                return List.of(a.address());
            }
            throw new UnavailableException("lookup IP addresses \"store.example\": no such host");
        }, 1000);
        try {
            assertThatThrownBy(() -> HealthGrpc.newBlockingStub(channel).check(HealthCheckRequest.getDefaultInstance()))
                    .hasMessageContaining("no such host");
            until(channel, () -> lookups.get() >= 4);
            assertThat(call(channel)).isTrue();
        } finally {
            channel.shutdownNow();
        }
    }
}

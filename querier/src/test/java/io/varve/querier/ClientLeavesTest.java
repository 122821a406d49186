package io.varve.querier;

import static org.assertj.core.api.Assertions.assertThat;

import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.model.Labels;
import io.varve.model.MemoryBudget;
import io.varve.model.QueryContext;
import io.varve.runtime.flags.GrpcFlags;
import io.varve.runtime.grpc.GrpcServer;
import io.varve.store.GrpcApiServices;
import io.varve.store.GrpcInfoService;
import io.varve.store.StoreInfo;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;

/** Stores are not asked on for a client that has left. */
class ClientLeavesTest {
    private final CountDownLatch asked = new CountDownLatch(1);
    private final CountDownLatch ended = new CountDownLatch(1);

    /** Answers when nobody wants to know any more. */
    private void rules(QueryContext context) {
        context.onCancel(ended::countDown);
        asked.countDown();
        try {
            ended.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Test
    void rulesAreNotGatheredForNobody() throws Exception {
        GrpcFlags flags = new GrpcFlags();
        new CommandLine(CommandLine.Model.CommandSpec.forAnnotatedObject(flags)).parseArgs("--grpc-address=127.0.0.1:0");
        StoreInfo info = new StoreInfo("sidecar", List.of(Labels.of("cluster", "a")),
                new StoreInfo.StoreSpan(Long.MIN_VALUE, Long.MAX_VALUE, true, true, List.of()), Set.of(StoreInfo.Service.values()));
        try (GrpcServer store = GrpcServer.builder().service(new GrpcInfoService(() -> info, () -> true))
                .service(GrpcApiServices.rules((context, request, answers) -> rules(context), () -> MemoryBudget.UNLIMITED))
                .start(flags, new PrometheusRegistry());
                TestQuerier querier = new TestQuerier("--endpoint-strict=" + store.address())) {
            URI address = querier.uri("/");
            for (int i = 0; i < 100 && asked.getCount() > 0; i++) {
                // Until the querier has heard from the store it asks nobody and answers at once.
                try (Socket client = new Socket(address.getHost(), address.getPort())) {
                    client.getOutputStream().write("GET /api/v1/rules HTTP/1.1\r\nHost: x\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
                    asked.await(500, TimeUnit.MILLISECONDS);
                }
            }
            assertThat(asked.getCount()).isZero();
            assertThat(ended.await(20, TimeUnit.SECONDS)).as("the store is told").isTrue();
        } finally {
            ended.countDown();
        }
    }
}

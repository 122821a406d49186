package io.varve.querier;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.model.Labels;
import io.varve.proto.thanos.QueryGrpc;
import io.varve.proto.thanos.QueryRequest;
import io.varve.querier.fanout.MemoryStore;
import io.varve.runtime.grpc.Channels;
import io.varve.runtime.grpc.GrpcServer;
import io.varve.testkit.Shared;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Queries that wait for their turn hold memory: they are bounded, and one too many is refused by name at once. */
class WaitingQueriesTest {
    /** As large as a form may be, nearly: seven of these may wait where a thousand small ones may. */
    private static final String LONG = "m #" + "x".repeat(10_000_000);

    private static void waiting(TestQuerier querier, int n) throws Exception {
        while (!querier.get("/metrics").body().contains("varve_query_concurrent_gate_queries_waiting " + n + ".0")) {
            Thread.sleep(10);
        }
    }

    @Test
    @Timeout(120)
    void oneTooManyIsRefused() throws Exception {
        MemoryStore store = new MemoryStore(Labels.of("cluster", "a"), true);
        try (GrpcServer server = TestQuerier.serve(store);
                TestQuerier querier = new TestQuerier("--endpoint-strict=" + server.address(), "--query.max-concurrent=1",
                        "--query.timeout=1m", "--query.active-query-path=");
                HttpClient http = HttpClient.newHttpClient();
                Channels channels = new Channels(new PrometheusRegistry(), Channels.Compression.NONE)) {
            while (!TestQuerier.coverage(querier.get("/api/v1/query", "query", "m")).startsWith("complete=true; stores=1")) {
                Thread.sleep(10);
            }
            store.fault(MemoryStore.Fault.HANGS);
            List<CompletableFuture<HttpResponse<String>>> asked = new ArrayList<>();
            for (int i = 0; i < 7; i++) {
                HttpRequest request = HttpRequest.newBuilder(querier.uri("/api/v1/query"))
                        .header("Content-Type", "application/x-www-form-urlencoded")
                        .POST(HttpRequest.BodyPublishers.ofString(TestQuerier.form("query", LONG))).build();
                asked.add(http.sendAsync(request, HttpResponse.BodyHandlers.ofString()));
                waiting(querier, i);
            }
            HttpResponse<String> r = querier.post("/api/v1/query", "query", LONG);
            assertThat(r.statusCode()).as(r.body()).isEqualTo(503);
            JsonNode body = Shared.parse(r.body());
            assertThat(body.get("errorType").asText()).isEqualTo("unavailable");
            assertThat(body.get("error").asText())
                    .isEqualTo("too many queries: 6 wait already while 1 may run at once (limit --query.max-concurrent); ask again later");
            QueryGrpc.QueryBlockingStub stub = QueryGrpc.newBlockingStub(channels.open(querier.grpcAddress()));
            assertThatThrownBy(() -> stub.query(QueryRequest.newBuilder().setQuery(LONG).setEnablePartialResponse(true).build())
                    .forEachRemaining(x -> {
                    })).isInstanceOf(StatusRuntimeException.class).hasMessageContaining("--query.max-concurrent")
                    .extracting(e -> ((StatusRuntimeException) e).getStatus().getCode()).isEqualTo(Status.Code.UNAVAILABLE);
            assertThat(querier.get("/metrics").body()).contains("varve_query_concurrent_gate_queries_refused_total 2.0");
            store.fault(MemoryStore.Fault.NONE);
            for (CompletableFuture<HttpResponse<String>> f : asked) {
                assertThat(f.get().statusCode()).isEqualTo(200);
            }
            assertThat(querier.get("/api/v1/query", "query", "m").statusCode()).isEqualTo(200);
        }
    }
}

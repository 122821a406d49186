package io.varve.querier;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.grpc.ManagedChannel;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.model.Labels;
import io.varve.model.LimitExceededException;
import io.varve.model.MemoryBudget;
import io.varve.model.QueryContext;
import io.varve.model.VarveException;
import io.varve.runtime.flags.GrpcFlags;
import io.varve.runtime.grpc.Channels;
import io.varve.runtime.grpc.GrpcServer;
import io.varve.store.Answers;
import io.varve.store.ExemplarsApi;
import io.varve.store.GrpcApiServices;
import io.varve.store.GrpcApis;
import io.varve.store.GrpcInfoService;
import io.varve.store.MetadataApi;
import io.varve.store.RulesApi;
import io.varve.store.StatusApi;
import io.varve.store.StoreInfo;
import io.varve.store.TargetsApi;
import io.varve.testkit.Shared;
import java.io.IOException;
import java.net.http.HttpResponse;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

/** Rules, targets, metadata, exemplars and statistics take memory of the query that asks for them, over HTTP and gRPC alike. */
class SideMemoryTest {
    private static final int MANY = 2000;
    private static final String LONG = "x".repeat(200);

    /** Has a lot of everything but series; each item by itself is small. */
    private static final class Wide {
        private static Labels labels(int i) {
            return Labels.of("__name__", "m" + i, "text", LONG);
        }

        void rules(QueryContext context, RulesApi.Request request, Answers<RulesApi.Group> answers) {
            for (int i = 0; i < MANY; i++) {
                answers.item(new RulesApi.Group("g" + i, "f",
                        List.of(new RulesApi.Recording("r" + i, LONG, Labels.of("n", "" + i), "ok", "", 0, Instant.EPOCH)), 15, 0,
                        Instant.EPOCH, false, 0));
            }
        }

        void targets(QueryContext context, TargetsApi.Request request, Answers<TargetsApi.Discovery> answers) {
            for (int i = 0; i < MANY; i++) {
                answers.item(new TargetsApi.Discovery(List.of(), List.of(new TargetsApi.Dropped(labels(i)))));
            }
        }

        void metadata(QueryContext context, MetadataApi.Request request, Answers<Map<String, List<MetadataApi.Meta>>> answers) {
            for (int i = 0; i < MANY; i++) {
                answers.item(Map.of("m" + i, List.of(new MetadataApi.Meta("counter", LONG, ""))));
            }
        }

        void exemplars(QueryContext context, ExemplarsApi.Request request, Answers<ExemplarsApi.ExemplarSeries> answers) {
            for (int i = 0; i < MANY; i++) {
                answers.item(new ExemplarsApi.ExemplarSeries(labels(i), List.of(new ExemplarsApi.Exemplar(labels(i), 1, 1))));
            }
        }

        void statistics(QueryContext context, StatusApi.Request request, Answers<Map<String, StatusApi.TsdbStatistics>> answers) {
            List<StatusApi.Statistic> some = IntStream.range(0, MANY).mapToObj(i -> new StatusApi.Statistic(LONG + i, 1)).toList();
            answers.item(
                    Map.of("", new StatusApi.TsdbStatistics(new StatusApi.Head(1, 1, 1, 1, 1), some, List.of(), List.of(), List.of())));
        }

        StoreInfo info() {
            return new StoreInfo("sidecar", List.of(Labels.of("cluster", "a")),
                    new StoreInfo.StoreSpan(Long.MIN_VALUE, Long.MAX_VALUE, true, true, List.of()), Set.of(StoreInfo.Service.values()));
        }

        GrpcServer serve() throws IOException {
            GrpcFlags flags = new GrpcFlags();
            new CommandLine(CommandLine.Model.CommandSpec.forAnnotatedObject(flags)).parseArgs("--grpc-address=127.0.0.1:0");
            return GrpcServer.builder().service(new GrpcInfoService(this::info, () -> true))
                    .service(GrpcApiServices.rules(this::rules, () -> MemoryBudget.UNLIMITED))
                    .service(GrpcApiServices.targets(this::targets, () -> MemoryBudget.UNLIMITED))
                    .service(GrpcApiServices.metadata(this::metadata, () -> MemoryBudget.UNLIMITED))
                    .service(GrpcApiServices.exemplars(this::exemplars, () -> MemoryBudget.UNLIMITED))
                    .service(GrpcApiServices.status(this::statistics, () -> MemoryBudget.UNLIMITED))
                    .start(flags, new PrometheusRegistry());
        }
    }

    private static GrpcServer store;
    private static TestQuerier small;
    private static TestQuerier enough;

    @BeforeAll
    static void start() throws Exception {
        store = new Wide().serve();
        small = new TestQuerier("--endpoint-strict=" + store.address(), "--query.max-memory-per-query=200KiB");
        enough = new TestQuerier("--endpoint-strict=" + store.address(), "--query.max-memory-per-query=8MiB");
    }

    @AfterAll
    static void stop() {
        small.close();
        enough.close();
        store.close();
    }

    /** A querier asks nobody before it has heard from him. */
    private static HttpResponse<String> ask(TestQuerier querier, String path) throws Exception {
        while (true) {
            HttpResponse<String> r = querier.get(path);
            if (r.statusCode() != 200 || TestQuerier.coverage(r).startsWith("complete=true; stores=1")) {
                return r;
            }
        }
    }

    private static void givenBack(TestQuerier querier) throws Exception {
        for (int i = 0; i < 200; i++) {
            // The end of a call reaches its caller before what it held is given back.
            if (querier.get("/metrics").body().contains("\nvarve_query_memory_used_bytes 0")) {
                return;
            }
            Thread.sleep(20);
        }
        assertThat(querier.get("/metrics").body()).contains("\nvarve_query_memory_used_bytes 0");
    }

    @ParameterizedTest
    @ValueSource(strings = {"rules /api/v1/rules", "targets /api/v1/targets", "metadata /api/v1/metadata",
            "exemplars /api/v1/query_exemplars?query=up", "TSDB statistics /api/v1/status/tsdb?limit=5000"})
    void whatDoesNotFitIsRefusedByTheLimitsName(String kindAndPath) throws Exception {
        int at = kindAndPath.indexOf(" /");
        String path = kindAndPath.substring(at + 1);
        for (String partial : List.of("true", "false")) {
            HttpResponse<String> r = ask(small, path + (path.contains("?") ? "&" : "?") + "partial_response=" + partial);
            assertThat(r.statusCode()).as(r.body()).isEqualTo(422);
            JsonNode body = Shared.parse(r.body());
            assertThat(body.get("errorType").asText()).isEqualTo("execution");
            assertThat(body.get("error").asText()).contains(": query needs more than 204800 bytes for ",
                    "(limit --query.max-memory-per-query, ");
            assertThat(body.get("error").asText()).containsAnyOf("for " + kindAndPath.substring(0, at), "for frames received");
        }
        givenBack(small);
        assertThat(TestQuerier.data(ask(enough, path)).toString()).hasSizeGreaterThan(MANY * 200);
        givenBack(enough);
    }

    private interface Call {
        void on(GrpcApis apis, Answers<Object> answers);
    }

    private static void refusedOverGrpc(String kind, Call call) throws Exception {
        for (TestQuerier querier : List.of(small, enough)) {
            ask(querier, "/api/v1/status/tsdb?limit=1");
            int[] n = new int[1];
            String failure = "";
            try (Channels channels = new Channels(new PrometheusRegistry(), Channels.Compression.NONE)) {
                ManagedChannel channel = channels.open(querier.grpcAddress());
                call.on(new GrpcApis(channel, "querier"), new Answers<>() {
                    @Override
                    public void item(Object item) {
                        n[0]++;
                    }

                    @Override
                    public void warning(String text) {
                        throw new AssertionError(text);
                    }
                });
            } catch (VarveException e) {
                assertThat(e).isInstanceOf(LimitExceededException.class);
                failure = e.getMessage();
            }
            if (querier == small) {
                assertThat(failure).startsWith("rpc error: code = ResourceExhausted desc = query needs more than 204800 bytes for ")
                        .contains("(limit --query.max-memory-per-query, ").containsAnyOf("for " + kind, "for frames received");
            } else {
                assertThat(failure).isEmpty();
                assertThat(n[0]).isPositive();
            }
            givenBack(querier);
        }
    }

    @SuppressWarnings("unchecked")
    private static <T> Answers<T> as(Answers<Object> answers) {
        return (Answers<T>) (Answers<?>) answers;
    }

    @Test
    void overGrpcToo() throws Exception {
        QueryContext c = QueryContext.unlimited();
        refusedOverGrpc("rules", (apis, a) -> apis.rules(c, RulesApi.Request.of(RulesApi.Kind.ALL), as(a)));
        refusedOverGrpc("targets", (apis, a) -> apis.targets(c, new TargetsApi.Request(TargetsApi.Kind.ANY, true), as(a)));
        refusedOverGrpc("metadata", (apis, a) -> apis.metadata(c, new MetadataApi.Request("", -1, true), as(a)));
        refusedOverGrpc("exemplars", (apis, a) -> apis.exemplars(c, new ExemplarsApi.Request("up", 0, 1, true), as(a)));
        refusedOverGrpc("TSDB statistics", (apis, a) -> apis.tsdbStatistics(c, new StatusApi.Request("", 5000, true, List.of()), as(a)));
    }
}

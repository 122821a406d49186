package io.varve.querier;

import static io.varve.querier.TestQuerier.data;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.model.Labels;
import io.varve.model.LimitExceededException;
import io.varve.model.MemoryBudget;
import io.varve.model.QueryContext;
import io.varve.model.SampleBuffer;
import io.varve.proto.thanos.LabelMatcher;
import io.varve.proto.thanos.LabelNamesRequest;
import io.varve.proto.thanos.LabelNamesResponse;
import io.varve.proto.thanos.PartialResponseStrategy;
import io.varve.proto.thanos.SeriesRequest;
import io.varve.proto.thanos.StoreGrpc;
import io.varve.querier.fanout.MemoryStore;
import io.varve.runtime.flags.GrpcFlags;
import io.varve.runtime.grpc.Channels;
import io.varve.runtime.grpc.GrpcServer;
import io.varve.store.Answers;
import io.varve.store.GrpcApiServices;
import io.varve.store.GrpcInfoService;
import io.varve.store.GrpcStoreService;
import io.varve.store.HintsPolicy;
import io.varve.store.LabelValuesRequest;
import io.varve.store.RulesApi;
import io.varve.store.SeriesSink;
import io.varve.store.Store;
import io.varve.store.StoreInfo;
import io.varve.store.StoreSeries;
import io.varve.store.StringsResponse;
import io.varve.testkit.Shared;
import java.io.IOException;
import java.net.http.HttpResponse;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;

/** What clients are told of stores that break off, say nothing, or send what cannot be: status, words and data as Thanos has them. */
class BrokenStoresTest {
    private static final long T0 = 1_700_000_000_000L;
    private static final String TIME = Long.toString(T0 / 1000 + 600);

    private enum Mode {
        SOUND, BREAKS_OFF, REFUSES, WARNS, SILENT, NO_CHUNKS
    }

    private static final List<GrpcServer> SERVERS = new ArrayList<>();
    private static TestQuerier querier;
    private static String broken;
    private static volatile Mode mode = Mode.SOUND;

    /** Does as told from the third series on. */
    private record Spoilt(MemoryStore store) implements Store {
        @Override
        public StoreInfo info() {
            StoreInfo all = store.info();
            return new StoreInfo("store", all.labelSets(), all.store(), Set.of(StoreInfo.Service.RULES));
        }

        void rules(QueryContext context, RulesApi.Request request, Answers<RulesApi.Group> answers) {
            RulesApi.Alert alert = new RulesApi.Alert(Labels.of("alertname", "Down", "replica", "r"), Labels.EMPTY, RulesApi.State.FIRING,
                    Instant.EPOCH, "1", false);
            RulesApi.Rule rule = new RulesApi.Alerting(RulesApi.State.FIRING, "Down", "up == 0", 0, 0, Labels.of("replica", "r"),
                    Labels.EMPTY, List.of(alert), "ok", "", 0, Instant.EPOCH);
            answers.item(new RulesApi.Group("g", "f", List.of(rule), 15, 0, Instant.EPOCH, false, 0));
            if (mode == Mode.BREAKS_OFF) {
                throw Status.INTERNAL.withDescription("disk on fire").asRuntimeException();
            }
        }

        GrpcServer serve() throws IOException {
            GrpcFlags flags = new GrpcFlags();
            new CommandLine(CommandLine.Model.CommandSpec.forAnnotatedObject(flags)).parseArgs("--grpc-address=127.0.0.1:0");
            return GrpcServer.builder().service(new GrpcInfoService(this::info, () -> true))
                    .service(new GrpcStoreService(this, HintsPolicy.STRICT, () -> MemoryBudget.UNLIMITED))
                    .service(GrpcApiServices.rules(this::rules, () -> MemoryBudget.UNLIMITED)).start(flags, new PrometheusRegistry());
        }

        @Override
        public void series(QueryContext context, io.varve.store.SeriesRequest request, SeriesSink sink) {
            if (request.limit() < 0) {
                throw new LimitExceededException("limit", "no limit can be " + request.limit());
            }
            int[] n = {0};
            store.series(context, request, new SeriesSink.Before() {
                @Override
                public SeriesSink sink() {
                    return sink;
                }

                @Override
                public void series(StoreSeries s) {
                    if (n[0]++ == 2) {
                        sink.queriedBlocks(List.of()); // sends what is held back of the series before
                        spoil(context);
                    }
                    sink.series(mode == Mode.NO_CHUNKS ? new StoreSeries(s.labels(), List.of()) : s);
                }
            });
        }

        private static void spoil(QueryContext context) {
            switch (mode) {
                case SOUND, NO_CHUNKS, WARNS -> {
                }
                case BREAKS_OFF -> throw Status.INTERNAL.withDescription("disk on fire").asRuntimeException();
                case REFUSES -> throw new LimitExceededException("series", "too many");
                case SILENT -> {
                    while (true) {
                        context.check();
                        LockSupport.parkNanos(1_000_000);
                    }
                }
            }
        }

        @Override
        public StringsResponse labelNames(QueryContext context, io.varve.store.LabelNamesRequest request) {
            if (mode == Mode.BREAKS_OFF) {
                throw Status.INTERNAL.withDescription("disk on fire").asRuntimeException();
            }
            return store.labelNames(context, request);
        }

        @Override
        public StringsResponse labelValues(QueryContext context, LabelValuesRequest request) {
            if (request.limit() < 0) {
                throw new LimitExceededException("limit", "no limit can be " + request.limit());
            }
            return store.labelValues(context, request);
        }
    }

    @BeforeAll
    static void start() throws Exception {
        List<String> args = new ArrayList<>(
                List.of("--query.replica-label=replica", "--store.response-timeout=2s", "--deduplication.func=penalty"));
        for (String cluster : List.of("a", "b")) {
            MemoryStore store = new MemoryStore(Labels.of("cluster", cluster, "replica", "r"), true);
            for (int s = 0; s < 4; s++) {
                SampleBuffer b = new SampleBuffer(60);
                for (int i = 0; i < 60; i++) {
                    b.add(T0 + i * 15_000L, i * 15.0);
                }
                store.add(Labels.of("__name__", "jobs_total", "job", "j" + s), b);
            }
            GrpcServer server = cluster.equals("a") ? TestQuerier.serve(store) : new Spoilt(store).serve();
            SERVERS.add(server);
            broken = String.valueOf(server.address());
            args.add("--endpoint=" + server.address());
        }
        querier = new TestQuerier(args.toArray(String[]::new));
    }

    @AfterAll
    static void stop() {
        querier.close();
        SERVERS.forEach(GrpcServer::close);
    }

    @BeforeEach
    void sound() {
        mode = Mode.SOUND;
    }

    private static String store() {
        return "Addr: " + broken + " MinTime: -9223372036854775808 MaxTime: 9223372036854775807: ";
    }

    private static HttpResponse<String> query(boolean partial) throws Exception {
        return querier.get("/api/v1/query", "query", "jobs_total", "time", TIME, "partial_response", String.valueOf(partial));
    }

    private static void fails(HttpResponse<String> r, String error) {
        assertThat(r.statusCode()).as(r.body()).isEqualTo(422);
        JsonNode body = Shared.parse(r.body());
        assertThat(body.get("errorType").asText()).isEqualTo("execution");
        assertThat(body.get("error").asText()).isEqualTo(error);
    }

    /** What came before is answered with a warning where a part is wanted; else nothing is. */
    private static void breaksOff(String text) throws Exception {
        HttpResponse<String> r = query(true);
        assertThat(data(r).get("result")).hasSize(6);
        assertThat(Shared.parse(r.body()).get("warnings")).extracting(JsonNode::asText).containsExactly(text);
        fails(query(false), "expanding series: proxy Series(): rpc error: code = Aborted desc = " + text);
    }

    @Test
    void whatCameBeforeAStreamBrokeOffIsKept() throws Exception {
        mode = Mode.BREAKS_OFF;
        String text = "receive series from " + store() + "rpc error: code = Internal desc = disk on fire";
        breaksOff(text);
        fails(querier.get("/api/v1/series", "match[]", "jobs_total", "partial_response", "false", "start", "0"),
                "proxy Series(): rpc error: code = Aborted desc = " + text);
        fails(querier.get("/api/v1/labels", "partial_response", "false"),
                "proxy LabelNames(): fetch label names from store " + store() + "rpc error: code = Internal desc = disk on fire");
    }

    @Test
    void rulesThatCameBeforeTheStreamBrokeOffAreKeptAndAlertsKeepTheirLabels() throws Exception {
        JsonNode sound = data(querier.get("/api/v1/rules")).get("groups").get(0).get("rules").get(0);
        assertThat(sound.get("labels")).isEmpty();
        mode = Mode.BREAKS_OFF;
        HttpResponse<String> r = querier.get("/api/v1/alerts");
        assertThat(data(r).get("alerts").get(0).get("labels").get("replica").asText()).isEqualTo("r");
        assertThat(Shared.parse(r.body()).get("warnings").get(0).asText()).contains("rpc error: code = Internal desc = disk on fire");
    }

    @Test
    void aStoresOwnLimitIsThatStoresFailure() throws Exception {
        mode = Mode.REFUSES;
        fails(query(false), "expanding series: proxy Series(): rpc error: code = Aborted desc = receive series from " + store()
                + "rpc error: code = ResourceExhausted desc = too many");
    }

    @Test
    void aSilentStoreIsCutOffInThanosWords() throws Exception {
        mode = Mode.SILENT;
        String text = "failed to receive any data in 2s from " + store() + "rpc error: code = Canceled desc = context canceled";
        breaksOff(text);
    }

    @Test
    void aSeriesWithoutChunksIsNoInternalError() throws Exception {
        mode = Mode.NO_CHUNKS;
        fails(query(true), "got empty chunks");
    }

    @Test
    void aLimitThatIsTooLargeIsNone() throws Exception {
        for (String path : List.of("/api/v1/label/job/values", "/api/v1/series", "/api/v1/labels")) {
            HttpResponse<String> r = querier.get(path, "match[]", "jobs_total", "start", "0", "limit", "100000000000");
            assertThat(data(r)).as(path).isNotEmpty();
            assertThat(Shared.parse(r.body()).has("warnings")).as(r.body()).isFalse();
        }
        HttpResponse<String> both = querier.get("/api/v1/series", "match[]", "jobs_total", "limit", "1.5", "partial_response", "x");
        assertThat(Shared.parse(both.body()).get("error").asText()).isEqualTo("cannot parse \"1.5\" to a valid limit");
    }

    @Test
    void peersAreToldTheCode() throws Exception {
        mode = Mode.BREAKS_OFF;
        try (Channels channels = new Channels(new PrometheusRegistry(), Channels.Compression.NONE)) {
            ManagedChannel channel = channels.open(querier.grpcAddress());
            StoreGrpc.StoreBlockingStub stub = StoreGrpc.newBlockingStub(channel);
            SeriesRequest series = SeriesRequest.newBuilder().setMinTime(T0).setMaxTime(T0 + 600_000)
                    .addMatchers(LabelMatcher.newBuilder().setName("__name__").setValue("jobs_total"))
                    .setPartialResponseDisabled(true).setPartialResponseStrategy(PartialResponseStrategy.ABORT).build();
            assertThat(failure(() -> stub.series(series).forEachRemaining(x -> {
            }))).isEqualTo("ABORTED: receive series from " + store() + "rpc error: code = Internal desc = disk on fire");
            LabelNamesRequest names = LabelNamesRequest.newBuilder().setEnd(T0).setPartialResponseDisabled(true)
                    .setPartialResponseStrategy(PartialResponseStrategy.ABORT).build();
            assertThat(failure(() -> {
                LabelNamesResponse unexpected = stub.labelNames(names);
                assertThat(unexpected).isNull();
            })).isEqualTo("INTERNAL: fetch label names from store " + store() + "rpc error: code = Internal desc = disk on fire");
        }
    }

    private static String failure(Runnable call) {
        try {
            call.run();
            return "OK";
        } catch (StatusRuntimeException e) {
            return String.valueOf(e.getMessage());
        }
    }
}

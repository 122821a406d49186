package io.varve.querier;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.model.InvalidRequestException;
import io.varve.model.Labels;
import io.varve.model.MemoryBudget;
import io.varve.runtime.flags.GrpcFlags;
import io.varve.runtime.grpc.GrpcServer;
import io.varve.store.ExemplarsApi;
import io.varve.store.GrpcApiServices;
import io.varve.store.GrpcInfoService;
import io.varve.store.RulesApi;
import io.varve.store.StatusApi;
import io.varve.store.StoreInfo;
import io.varve.store.TargetsApi;
import io.varve.testkit.Shared;
import java.io.IOException;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;

/** What two replicas say of rules, targets, exemplars and statistics, put together as Thanos 0.42.4 does. */
class SidePeersTest {
    private static final Instant AT = Instant.ofEpochSecond(1_700_000_000, 120_000_000);
    private static GrpcServer a;
    private static GrpcServer b;
    private static TestQuerier thanos;
    private static TestQuerier varve;
    private static TestQuerier enforcing;

    /** A Prometheus with its sidecar: of each kind a little, named after the replica where replicas differ. */
    private record Peer(String replica) {
        private boolean first() {
            return replica.equals("a");
        }

        List<RulesApi.Group> groups() {
            List<RulesApi.Group> out = new ArrayList<>();
            RulesApi.Rule rule = new RulesApi.Recording("r", "up", Labels.of("replica", replica), "ok", "", 0,
                    first() ? AT : RulesApi.NEVER);
            out.add(new RulesApi.Group("g", "f", List.of(rule), 15, 0, AT, false, 0));
            if (first()) {
                out.add(new RulesApi.Group("empty", "f", List.of(), 15, 0, RulesApi.NEVER, false, 0));
            }
            return out;
        }

        TargetsApi.Discovery targets() {
            List<TargetsApi.Active> active = new ArrayList<>();
            for (String url : first() ? List.of("http://z", "http://m") : List.of("http://a", "http://m")) {
                active.add(new TargetsApi.Active(Labels.EMPTY, Labels.of("job", "j", "replica", replica), "p", url,
                        "http://" + replica + ".example", "", AT.plusSeconds(first() ? 0 : 1), 0.5, TargetsApi.Health.UP));
            }
            return new TargetsApi.Discovery(active, List.of(new TargetsApi.Dropped(Labels.of("x", first() ? "2" : "1"))));
        }

        List<ExemplarsApi.ExemplarSeries> exemplars(String query) {
            // What a Prometheus knows nothing of it does not find, and a selector that says nothing it refuses.
            if (!query.equals("{__name__=\"up\"}") && !query.equals("{__name__!=\"\"}")) {
                throw new InvalidRequestException("asked for " + query);
            }
            Labels series = Labels.of("__name__", "up", "replica", replica);
            ExemplarsApi.Exemplar shared = new ExemplarsApi.Exemplar(Labels.of("trace", "1"), 1e-7, 5000);
            ExemplarsApi.Exemplar own = new ExemplarsApi.Exemplar(Labels.of("trace", first() ? "0" : "2"), 2, 5000);
            return List.of(new ExemplarsApi.ExemplarSeries(series, List.of(own, shared)),
                    new ExemplarsApi.ExemplarSeries(Labels.of("__name__", "nothing"), List.of()));
        }

        Map<String, StatusApi.TsdbStatistics> statistics() {
            // One says whose its series are, as a receiver does, the other has a head without samples and no tenants, as a sidecar.
            return first()
                    ? Map.of("t1", statistics(7, 1000, 2000), "t2", statistics(50, 500, 3000))
                    : Map.of("", statistics(1, 0, 0));
        }

        private static StatusApi.TsdbStatistics statistics(long series, long min, long max) {
            List<StatusApi.Statistic> names = new ArrayList<>();
            for (int i = 0; i < 12; i++) {
                names.add(new StatusApi.Statistic("m" + i, 1));
            }
            return new StatusApi.TsdbStatistics(new StatusApi.Head(series, 1, 1, min, max), names, List.of(), List.of(), List.of());
        }

        GrpcServer serve() throws IOException {
            GrpcFlags flags = new GrpcFlags();
            new CommandLine(CommandLine.Model.CommandSpec.forAnnotatedObject(flags)).parseArgs("--grpc-address=127.0.0.1:0");
            StoreInfo info = new StoreInfo("sidecar", List.of(Labels.of("replica", replica, "tenant_id", "t1")),
                    new StoreInfo.StoreSpan(Long.MIN_VALUE, Long.MAX_VALUE, true, true, List.of()), Set.of(StoreInfo.Service.values()));
            return GrpcServer.builder().service(new GrpcInfoService(() -> info, () -> true))
                    .service(GrpcApiServices.rules((c, q, out) -> groups().forEach(out::item), () -> MemoryBudget.UNLIMITED))
                    .service(GrpcApiServices.targets((c, q, out) -> out.item(targets()), () -> MemoryBudget.UNLIMITED))
                    .service(
                            GrpcApiServices.exemplars((c, q, out) -> exemplars(q.query()).forEach(out::item), () -> MemoryBudget.UNLIMITED))
                    .service(GrpcApiServices.status((c, q, out) -> out.item(statistics()), () -> MemoryBudget.UNLIMITED))
                    .start(flags, new PrometheusRegistry());
        }
    }

    @BeforeAll
    static void start() throws Exception {
        a = new Peer("a").serve();
        b = new Peer("b").serve();
        List<String> flags = List.of("--endpoint-strict=" + a.address(), "--endpoint-strict=" + b.address(),
                "--query.replica-label=replica");
        varve = querier(flags);
        thanos = querier(flags, "--deduplication.func=penalty");
        enforcing = querier(flags, "--query.enforce-tenancy");
    }

    private static TestQuerier querier(List<String> flags, String... more) throws Exception {
        List<String> all = new ArrayList<>(flags);
        all.addAll(List.of(more));
        return new TestQuerier(all.toArray(String[]::new));
    }

    @AfterAll
    static void stop() {
        varve.close();
        thanos.close();
        enforcing.close();
        a.close();
        b.close();
    }

    private static JsonNode ask(TestQuerier querier, String path) throws Exception {
        while (true) {
            HttpResponse<String> r = querier.get(path);
            if (TestQuerier.coverage(r).startsWith("complete=true; stores=2")) {
                return TestQuerier.data(r);
            }
        }
    }

    private static HttpResponse<String> as(String tenant) throws Exception {
        ask(enforcing, "/api/v1/rules");
        return TestQuerier.send(HttpRequest.newBuilder(enforcing.uri("/api/v1/status/tsdb")).header("THANOS-TENANT", tenant));
    }

    @Test
    void aTargetIsOneWhateverItsReplicasCallItToTheOutside() throws Exception {
        JsonNode found = ask(varve, "/api/v1/targets");
        assertThat(found.get("activeTargets").findValuesAsText("scrapeUrl")).containsExactly("http://a", "http://m", "http://z");
        assertThat(found.get("activeTargets").get(1).get("globalUrl").asText()).as("the younger").isEqualTo("http://b.example");
        assertThat(found.get("droppedTargets").findValuesAsText("x")).containsExactly("1", "2");
    }

    @Test
    void rulesHaveGosTimesAndGroupsWithoutRulesOnlyWhereNothingWasSearchedFor() throws Exception {
        for (String all : List.of("", "?type=ALL")) {
            JsonNode groups = ask(varve, "/api/v1/rules" + all).get("groups");
            assertThat(groups.findValuesAsText("file")).hasSize(2);
            assertThat(groups.get(0).get("name").asText()).isEqualTo("empty");
            assertThat(groups.get(0).get("lastEvaluation").asText()).isEqualTo("0001-01-01T00:00:00Z");
            assertThat(groups.get(1).get("rules").get(0).get("lastEvaluation").asText()).as("the younger, without zeros at the end")
                    .isEqualTo("2023-11-14T22:13:20.12Z");
        }
        assertThat(ask(varve, "/api/v1/rules?file[]=f").get("groups")).hasSize(1);
        assertThat(ask(varve, "/api/v1/rules?rule_group[]=empty").get("groups")).isEmpty();
    }

    @Test
    void exemplarsAreInOrderOnceAndWithPlainNumbers() throws Exception {
        JsonNode series = ask(varve, "/api/v1/query_exemplars?query=up");
        assertThat(series).hasSize(1);
        assertThat(series.get(0).get("exemplars").findValuesAsText("trace")).containsExactly("0", "1", "2");
        assertThat(series.get(0).get("exemplars").get(1).get("value").asText()).isEqualTo("0.0000001");
        for (String query : List.of("{replica=\"a\"}", "up{replica=\"a\"}")) {
            JsonNode ofOne = TestQuerier.data(varve.get("/api/v1/query_exemplars", "query", query));
            assertThat(ofOne.get(0).get("exemplars").findValuesAsText("trace")).as(query).containsExactly("0", "1");
        }
    }

    @Test
    void statisticsAreOfAllTenantsOrOfOne() throws Exception {
        JsonNode all = ask(varve, "/api/v1/status/tsdb");
        assertThat(all.get("headStats").toString())
                .isEqualTo("{\"numSeries\":58,\"numLabelPairs\":3,\"chunkCount\":3,\"minTime\":500,\"maxTime\":3000}");
        assertThat(all.get("seriesCountByMetricName")).as("ten unless asked").hasSize(10);
        assertThat(ask(varve, "/api/v1/status/tsdb?limit=0").get("seriesCountByMetricName")).hasSize(10);
        assertThat(ask(varve, "/api/v1/status/tsdb?limit=100").get("seriesCountByMetricName")).hasSize(12);
        assertThat(error(varve.get("/api/v1/status/tsdb?limit=-1"))).isEqualTo("limit must be non-negative");
        assertThat(error(varve.get("/api/v1/status/tsdb?limit=x"))).isEqualTo("cannot parse \"x\" to a valid limit");
        HttpResponse<String> own = as("t1");
        assertThat(TestQuerier.data(own).get("headStats").get("numSeries").asLong()).as("those of another tenant are not counted")
                .isEqualTo(8);
        HttpResponse<String> nobodys = as("t3");
        assertThat(TestQuerier.data(nobodys).get("headStats").get("numSeries").asLong()).isZero();
    }

    @Test
    void aLimitOfMetadataIsA32BitNumberToThanos() throws Exception {
        assertThat(error(thanos.get("/api/v1/metadata?limit=99999999999"))).isEqualTo("invalid metric metadata limit='2147483647'");
        assertThat(error(thanos.get("/api/v1/metadata?limit=x"))).isEqualTo("invalid metric metadata limit='0'");
        assertThat(varve.get("/api/v1/metadata?limit=99999999999").statusCode()).isEqualTo(200);
    }

    private static String error(HttpResponse<String> r) {
        assertThat(r.statusCode()).as(r.body()).isEqualTo(400);
        return Shared.parse(r.body()).get("error").asText();
    }
}

package io.varve.querier;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.varve.model.Labels;
import io.varve.model.SampleBuffer;
import io.varve.querier.fanout.MemoryStore;
import io.varve.runtime.grpc.GrpcServer;
import io.varve.testkit.Seeds;
import io.varve.testkit.Shared;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What an answer says of what went into it, with queriers over queriers and with endpoints that never answered. */
class CoverageTest {
    private static final long T0 = 1_700_000_000_000L;
    private static final String AT = Long.toString(T0 / 1000 + 600);
    private final List<AutoCloseable> open = new ArrayList<>();

    @AfterEach
    void closeAll() throws Exception {
        for (AutoCloseable c : open.reversed()) {
            c.close();
        }
    }

    private static MemoryStore store(String cluster, String replica) {
        SampleBuffer b = new SampleBuffer(100);
        for (int i = 0; i < 100; i++) {
            b.add(T0 + i * 15_000L, i);
        }
        return new MemoryStore(Labels.of("cluster", cluster, "replica", replica), true).add(Labels.of("__name__", "m", "i", "1"), b)
                .block("01" + cluster + replica, 0);
    }

    private String serve(MemoryStore store) throws Exception {
        GrpcServer s = TestQuerier.serve(store);
        open.add(s);
        return s.address().toString();
    }

    private TestQuerier querier(String... flags) throws Exception {
        TestQuerier q = new TestQuerier(flags);
        open.add(q);
        return q;
    }

    private static String closedPort() throws Exception {
        try (ServerSocket s = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return "127.0.0.1:" + s.getLocalPort();
        }
    }

    private static HttpResponse<String> ask(TestQuerier q, String... more) throws Exception {
        List<String> params = new ArrayList<>(List.of("query", "m", "time", AT, "coverage", "true"));
        params.addAll(List.of(more));
        return q.get("/api/v1/query", params.toArray(String[]::new));
    }

    private static JsonNode named(JsonNode stores, String address) {
        for (JsonNode s : stores) {
            if (s.get("store").asText().equals(address)) {
                return s;
            }
        }
        throw new AssertionError(address + " is not in " + stores);
    }

    @Test
    void theReportReachesThroughQueriersDownToTheBlocks() throws Exception {
        String a = serve(store("x", "a"));
        String b = serve(store("x", "b"));
        String c = serve(store("y", "a"));
        TestQuerier left = querier("--query.replica-label=replica", "--endpoint=" + a, "--endpoint=" + b);
        TestQuerier right = querier("--query.replica-label=replica", "--endpoint=" + c);
        TestQuerier top = querier("--query.replica-label=replica", "--endpoint=" + left.grpcAddress(), "--endpoint=" + right.grpcAddress());

        HttpResponse<String> r = ask(top);
        assertThat(TestQuerier.data(r).get("result")).hasSize(2);
        assertThat(TestQuerier.coverage(r))
                .isEqualTo("complete=true; stores=2; asked=2; answered=2; partial=0; failed=0; resolutions=0s; blocks=3");
        JsonNode coverage = Shared.parse(r.body()).get("coverage");
        JsonNode l = named(coverage.get("stores"), left.grpcAddress());
        assertThat(l.get("replicas")).extracting(JsonNode::asText).containsExactly("a", "b");
        assertThat(l.get("resolutions")).extracting(JsonNode::asText).containsExactly("0s");
        JsonNode leaf = named(l.get("below").get("stores"), b);
        assertThat(leaf.get("outcome").asText()).isEqualTo("answered");
        assertThat(leaf.get("series").asLong()).isEqualTo(1);
        assertThat(leaf.get("blocks").get(0).get("id").asText()).isEqualTo("01xb");
        assertThat(leaf.get("blocks").get(0).get("resolution").asText()).isEqualTo("0s");
    }

    @Test
    void aFaultBelowIsNamedAtTheTopWithItsPath() throws Exception {
        MemoryStore broken = store("x", "b");
        String a = serve(store("x", "a"));
        String b = serve(broken);
        TestQuerier left = querier("--query.replica-label=replica", "--endpoint=" + a, "--endpoint=" + b);
        TestQuerier top = querier("--query.replica-label=replica", "--endpoint=" + left.grpcAddress());
        broken.fault(MemoryStore.Fault.REFUSES);

        HttpResponse<String> r = ask(top);
        assertThat(TestQuerier.data(r).get("result")).hasSize(1);
        assertThat(TestQuerier.coverage(r)).startsWith("complete=false; stores=1; asked=1; answered=0; partial=1; failed=0")
                .endsWith("missing=" + left.grpcAddress() + "/" + b);
        assertThat(Shared.parse(r.body()).get("warnings").toString()).contains("told to refuse");
        assertThat(Shared.parse(r.body()).at("/coverage/stores/0/below/complete").asBoolean()).isFalse();

        // An error says it as well.
        HttpResponse<String> strict = ask(top, "partial_response", "false");
        assertThat(strict.statusCode()).isEqualTo(422);
        assertThat(TestQuerier.coverage(strict)).startsWith("complete=false").contains(b);

        // So do label names and values.
        for (String path : List.of("/api/v1/labels", "/api/v1/label/i/values")) {
            HttpResponse<String> labels = top.get(path, "coverage", "true");
            assertThat(TestQuerier.coverage(labels)).as(path).startsWith("complete=false").endsWith(left.grpcAddress() + "/" + b);
            assertThat(Shared.parse(labels.body()).get("warnings").toString()).as(path).contains("told to");
        }
    }

    @Test
    void anEndpointThatNeverAnsweredIsMissingAndNotForgotten() throws Exception {
        String there = serve(store("x", "a"));
        String nobody = closedPort();
        TestQuerier q = querier("--query.replica-label=replica", "--endpoint=" + there, "--endpoint=" + nobody,
                "--endpoint=dns+no.such.host.invalid:10901");
        HttpResponse<String> r = ask(q);
        assertThat(TestQuerier.data(r).get("result")).hasSize(1);
        assertThat(TestQuerier.coverage(r)).startsWith("complete=false; stores=3; asked=1; answered=1; partial=0; failed=0")
                .contains(nobody, "dns+no.such.host.invalid:10901");
        JsonNode body = Shared.parse(r.body());
        assertThat(body.get("warnings").toString()).contains(nobody, "no.such.host.invalid");
        JsonNode missing = named(body.at("/coverage/stores"), nobody);
        assertThat(missing.get("asked").asBoolean()).isFalse();
        assertThat(missing.get("outcome").asText()).isEqualTo("missing");
        assertThat(missing.get("detail").asText()).contains("does not answer");
        // Thanos shows only those that answered once.
        assertThat(TestQuerier.data(q.get("/api/v1/stores")).toString()).contains(there).doesNotContain(nobody);

        assertThat(ask(q, "partial_response", "false").statusCode()).isEqualTo(422);
        assertThat(Shared.parse(q.get("/api/v1/series", "match[]", "m").body()).get("warnings").toString()).contains(nobody);
        // Who asks for others is not told of it.
        assertThat(TestQuerier.coverage(ask(q, "storeMatch[]", "{__address__=\"" + there + "\"}"))).startsWith("complete=true");
    }

    @Test
    void aStrictEndpointThatNeverAnsweredIsAskedAndFails() throws Exception {
        String nobody = closedPort();
        TestQuerier q = querier("--endpoint-strict=" + nobody);
        HttpResponse<String> r = ask(q);
        assertThat(TestQuerier.coverage(r)).startsWith("complete=false; stores=1; asked=1; answered=0; partial=0; failed=1")
                .endsWith(nobody);
        assertThat(ask(q, "partial_response", "false").statusCode()).isEqualTo(422);
        assertThat(TestQuerier.data(q.get("/api/v1/stores")).toString()).contains(nobody);
    }

    @Test
    void whatFailsBelowIsNamedAboveAndWhatIsCompleteIsWhole() throws Exception {
        Map<String, MemoryStore> leaves = new LinkedHashMap<>();
        List<String> flags = new ArrayList<>(List.of("--query.replica-label=replica"));
        Map<String, String> paths = new LinkedHashMap<>();
        for (String cluster : List.of("x", "y")) {
            List<String> below = new ArrayList<>(List.of("--query.replica-label=replica"));
            List<String> addresses = new ArrayList<>();
            for (String replica : List.of("a", "b")) {
                MemoryStore leaf = store(cluster, replica);
                String address = serve(leaf);
                leaves.put(cluster + replica, leaf);
                addresses.add(address);
                below.add("--endpoint=" + address);
            }
            TestQuerier q = querier(below.toArray(String[]::new));
            flags.add("--endpoint=" + q.grpcAddress());
            paths.put(cluster + "a", q.grpcAddress() + "/" + addresses.get(0));
            paths.put(cluster + "b", q.grpcAddress() + "/" + addresses.get(1));
        }
        TestQuerier top = querier(flags.toArray(String[]::new));
        assertThat(TestQuerier.coverage(ask(top))).startsWith("complete=true");
        Seeds.forEach(20, rng -> {
            List<String> broken = new ArrayList<>();
            leaves.forEach((name, leaf) -> {
                MemoryStore.Fault fault = List.of(MemoryStore.Fault.NONE, MemoryStore.Fault.SLOW, MemoryStore.Fault.REFUSES)
                        .get(rng.nextInt(3));
                leaf.fault(fault);
                if (fault == MemoryStore.Fault.REFUSES) {
                    broken.add(name);
                }
            });
            HttpResponse<String> r = ask(top);
            JsonNode body = Shared.parse(r.body());
            String coverage = TestQuerier.coverage(r);
            assertThat(coverage).startsWith("complete=" + broken.isEmpty() + ";");
            assertThat(body.has("warnings")).isEqualTo(!broken.isEmpty());
            assertThat(body.get("coverage").get("complete").asBoolean()).isEqualTo(broken.isEmpty());
            for (String name : leaves.keySet()) {
                assertThat(coverage.contains(String.valueOf(paths.get(name)))).as("%s in %s", name, coverage)
                        .isEqualTo(broken.contains(name));
            }
            // One replica of a cluster is enough for its series.
            int clusters = (broken.containsAll(List.of("xa", "xb")) ? 0 : 1) + (broken.containsAll(List.of("ya", "yb")) ? 0 : 1);
            assertThat(body.at("/data/result")).hasSize(clusters);
            body.at("/data/result").forEach(s -> assertThat(s.at("/value/1").asText()).isEqualTo("40"));
            if (!broken.isEmpty()) {
                assertThat(ask(top, "partial_response", "false").statusCode()).isEqualTo(422);
            }
        });
    }

    @Test
    void aQueryWhoseOwnTimeIsOverSaysSoAndWhomItWaitedFor() throws Exception {
        MemoryStore hangs = store("x", "a");
        String address = serve(hangs);
        TestQuerier q = querier("--endpoint=" + address, "--endpoint=" + serve(store("y", "a")));
        assertThat(ask(q).statusCode()).isEqualTo(200);
        hangs.fault(MemoryStore.Fault.HANGS);
        for (String partial : List.of("true", "false")) {
            HttpResponse<String> r = ask(q, "timeout", "300ms", "partial_response", partial);
            assertThat(r.statusCode()).as(r.body()).isEqualTo(503);
            JsonNode body = Shared.parse(r.body());
            assertThat(body.get("errorType").asText()).isEqualTo("timeout");
            assertThat(body.get("error").asText()).startsWith("query timed out in expression evaluation");
        }
        hangs.fault(MemoryStore.Fault.NONE);
        assertThat(TestQuerier.coverage(ask(q))).startsWith("complete=true");
    }

    @Test
    void aTenantIsOnePathElement() throws Exception {
        TestQuerier open = querier("--endpoint=" + serve(store("x", "a")));
        TestQuerier enforcing = querier("--endpoint=" + serve(store("y", "a")), "--query.enforce-tenancy");
        for (String path : List.of("/api/v1/query?query=1", "/api/v1/query_range?query=1&start=1&end=2&step=1", "/api/v1/labels",
                "/api/v1/label/i/values", "/api/v1/series?match%5B%5D=m", "/api/v1/rules", "/api/v1/query_exemplars?query=m")) {
            for (String tenant : List.of("a/b", "a/", "./a", "/", ".", "..", "a b")) {
                boolean several = tenant.length() > 1 && tenant.contains("/");
                boolean elsewhere = Set.of("/", ".", "..").contains(tenant);
                boolean checked = !path.endsWith("rules") && !path.contains("exemplars");
                for (TestQuerier q : List.of(open, enforcing)) {
                    boolean refused = checked && (several || elsewhere && q == enforcing);
                    HttpResponse<String> r = TestQuerier.send(HttpRequest.newBuilder(q.uri(path)).header("THANOS-TENANT", tenant));
                    assertThat(r.statusCode()).as("%s for %s: %s", path, tenant, r.body()).isEqualTo(refused ? 400 : 200);
                    if (refused) {
                        assertThat(r.body()).contains("\"errorType\":\"bad_data\",\"error\":\"tenant name not valid\"");
                    }
                }
            }
        }
    }

    @Test
    void theTenantReachesTheStoresThroughQueriers() throws Exception {
        MemoryStore leaf = store("x", "a");
        TestQuerier low = querier("--query.replica-label=replica", "--endpoint=" + serve(leaf));
        TestQuerier top = querier("--query.replica-label=replica", "--endpoint=" + low.grpcAddress());
        for (String path : List.of("/api/v1/query?query=m&time=" + AT, "/api/v1/series?match[]=m".replace("[]", "%5B%5D"), "/api/v1/labels",
                "/api/v1/label/i/values")) {
            leaf.forgetTenants();
            HttpResponse<String> r = TestQuerier.send(HttpRequest.newBuilder(top.uri(path)).header("THANOS-TENANT", "team-a"));
            assertThat(r.statusCode()).as(r.body()).isEqualTo(200);
            assertThat(leaf.tenants()).as(path).containsOnly("team-a");
        }
        leaf.forgetTenants();
        assertThat(ask(top).statusCode()).isEqualTo(200);
        assertThat(leaf.tenants()).containsOnly("default-tenant");
    }
}

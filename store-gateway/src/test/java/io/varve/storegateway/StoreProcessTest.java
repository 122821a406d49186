package io.varve.storegateway;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.varve.model.QueryContext;
import io.varve.runtime.ProcessRunner;
import io.varve.store.GrpcStoreClient;
import io.varve.testkit.Shared;
import io.varve.testkit.TempTree;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** A whole store gateway over a recorded bucket, asked over HTTP what a Thanos store gateway was asked. */
class StoreProcessTest {
    private static final HttpClient HTTP = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    private static final TempTree DATA = TempTree.create();
    private static ProcessRunner.@Nullable Running running;

    @BeforeAll
    static void start() throws Exception {
        Path bucket = Shared.golden("thanos/buckets/ha-pair/2-downsampled").orElse(null);
        assumeTrue(bucket != null);
        running = ProcessRunner.launch(new StoreCommand(), "--http-address=127.0.0.1:0", "--grpc-address=127.0.0.1:0",
                "--data-dir=" + DATA.root(), "--objstore.config={type: FILESYSTEM, config: {directory: '" + bucket + "'}}",
                "--store.disk-cache-size=16MB", "--web.external-prefix=/behind/", "--web.prefix-header=X-Forwarded-Prefix");
        assertThat(running.awaitReady(Duration.ofSeconds(30))).isTrue();
    }

    @AfterAll
    static void stop() {
        ProcessRunner.Running r = running;
        if (r != null) {
            r.close();
        }
        DATA.close();
    }

    private static HttpResponse<String> ask(String method, String path, @Nullable String form) throws Exception {
        ProcessRunner.Running r = running;
        assertThat(r).isNotNull();
        HttpRequest.Builder b = HttpRequest.newBuilder(URI.create("http://" + (r == null ? "" : r.context().httpAddress()) + path));
        if (form == null) {
            b.method(method, HttpRequest.BodyPublishers.noBody());
        } else {
            b.header("Content-Type", "application/x-www-form-urlencoded").method(method, HttpRequest.BodyPublishers.ofString(form));
        }
        return HTTP.send(b.build(), HttpResponse.BodyHandlers.ofString());
    }

    /**
     * Pages are our own, versions and flags too; {@code view=global} is empty at Thanos' store gateway, whose catalog is never shown; OPTIONS
     * is answered below {@code /api/} for what is there.
     */
    private static boolean ours(JsonNode r) {
        String path = r.get("path").asText();
        if (r.get("method").asText().equals("OPTIONS") && (!path.startsWith("/api/") || path.endsWith("/nope"))) {
            return true;
        }
        return r.has("body_cut_from") || path.contains("/api/v1/status/") || path.contains("view=global") || path.equals("/graph");
    }

    @Test
    void linksBeginWithTheExternalPrefixAndPathsDoNot() throws Exception {
        HttpResponse<String> page = ask("GET", "/loaded", null);
        assertThat(page.statusCode()).isEqualTo(200);
        assertThat(page.body()).contains("href=\"/behind/api/v1/blocks?view=loaded\"");
        assertThat(ask("GET", "/behind/loaded", null).statusCode()).isEqualTo(404);
        assertThat(ask("GET", "/behind/api/v1/blocks", null).statusCode()).isEqualTo(404);
    }

    @Test
    void answersAsThanosOverHttp() throws Exception {
        Path file = Shared.golden("thanos/http/store.jsonl.gz").orElse(null);
        assumeTrue(file != null);
        List<String> differences = new ArrayList<>();
        try (Stream<JsonNode> lines = Shared.jsonLines(file)) {
            for (JsonNode r : (Iterable<JsonNode>) lines::iterator) {
                if (ours(r)) {
                    continue;
                }
                String form = null;
                if (r.has("form")) {
                    StringBuilder sb = new StringBuilder();
                    r.get("form").forEach(p -> sb.append(sb.isEmpty() ? "" : "&").append(p.get(0).asText()).append('=')
                            .append(URLEncoder.encode(p.get(1).asText(), StandardCharsets.UTF_8)));
                    form = sb.toString();
                }
                HttpResponse<String> got = ask(r.get("method").asText(), r.get("path").asText(), form);
                String why = difference(r, got);
                if (!why.isEmpty()) {
                    differences.add(r.get("name").asText() + ": " + why);
                }
            }
        }
        assertThat(differences).isEmpty();
    }

    private static String difference(JsonNode r, HttpResponse<String> got) {
        if (got.statusCode() != r.get("status").asInt()) {
            return "status " + got.statusCode() + " " + got.body();
        }
        TreeMap<String, String> headers = new TreeMap<>();
        r.get("headers").properties().forEach(h -> {
            String is = got.headers().firstValue(h.getKey()).orElse("");
            if (!is.equalsIgnoreCase(h.getValue().asText())) {
                headers.put(h.getKey(), is);
            }
        });
        if (!headers.isEmpty()) {
            return "headers " + headers;
        }
        String body = r.path("body").asText("");
        if (!body.startsWith("{")) {
            return got.body().strip().equals(body.strip()) ? "" : "body " + got.body();
        }
        JsonNode want = plain(Shared.parse(body));
        JsonNode is = plain(Shared.parse(got.body()));
        return is.equals(want) ? "" : "body " + is + " instead of " + want;
    }

    /** Without the moment; blocks by their ids. */
    private static JsonNode plain(JsonNode body) {
        if (body.path("data").has("blocks")) {
            ObjectNode data = (ObjectNode) body.get("data");
            data.put("refreshedAt", "");
            Map<String, JsonNode> blocks = new HashMap<>();
            data.get("blocks").forEach(b -> blocks.put(b.get("ulid").asText(), b));
            ObjectNode byId = data.putObject("blocks");
            blocks.forEach(byId::set);
        }
        return body;
    }

    /** What Thanos' store gateway counts and this one does not, and why. */
    private static boolean notCounted(String name) {
        return name.startsWith("go_") // a Go runtime's
                || name.startsWith("process_") || name.startsWith("promhttp_");
    }

    @Test
    void everyMetricOfThanosStoreIsThere() throws Exception {
        Path golden = Shared.golden("thanos/metrics/store.json").orElse(null);
        ProcessRunner.Running r = running;
        assumeTrue(golden != null && r != null);
        ask("GET", "/api/v1/blocks", null);
        String address = String.valueOf(r.context().grpcAddress());
        try (GrpcStoreClient client = new GrpcStoreClient(Grpc.newChannelBuilder(address, InsecureChannelCredentials.create()).build(),
                address);
                QueryContext context = QueryContext.unlimited()) {
            client.info(context);
        }
        String metrics = ask("GET", "/metrics", null).body();
        TreeSet<String> missing = new TreeSet<>();
        for (JsonNode m : Shared.json(golden)) {
            String name = m.get("name").asText();
            if (!notCounted(name) && !metrics.contains("# TYPE " + name + " " + m.get("type").asText())) {
                missing.add(name);
            }
        }
        assertThat(missing).isEmpty();
    }
}

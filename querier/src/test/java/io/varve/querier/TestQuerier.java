package io.varve.querier;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.model.MemoryBudget;
import io.varve.runtime.ProcessRunner;
import io.varve.runtime.flags.GrpcFlags;
import io.varve.runtime.grpc.GrpcServer;
import io.varve.store.GrpcInfoService;
import io.varve.store.GrpcStoreService;
import io.varve.store.HintsPolicy;
import io.varve.store.Store;
import io.varve.testkit.Shared;
import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine;

/** A querier on free ports, asked as its clients ask, and stores behind gRPC for it to ask. */
final class TestQuerier implements AutoCloseable {
    private static final HttpClient HTTP = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    private final ProcessRunner.Running running;

    TestQuerier(String... flags) throws Exception {
        // A machine that is busy with other tests may take longer than the usual five seconds to say who it is.
        List<String> args = new ArrayList<>(
                List.of("--http-address=127.0.0.1:0", "--grpc-address=127.0.0.1:0", "--endpoint.info-timeout=30s"));
        args.addAll(List.of(flags));
        running = ProcessRunner.launch(new QueryCommand(), args.toArray(String[]::new));
    }

    /** Serves a store on a free port. */
    static GrpcServer serve(Store store) throws IOException {
        GrpcFlags flags = new GrpcFlags();
        new CommandLine(CommandLine.Model.CommandSpec.forAnnotatedObject(flags)).parseArgs("--grpc-address=127.0.0.1:0");
        return GrpcServer.builder().service(new GrpcInfoService(store::info, () -> true))
                .service(new GrpcStoreService(store, HintsPolicy.STRICT, () -> MemoryBudget.UNLIMITED))
                .start(flags, new PrometheusRegistry());
    }

    String grpcAddress() {
        return String.valueOf(running.context().grpcAddress());
    }

    URI uri(String pathAndQuery) {
        return URI.create("http://" + running.context().httpAddress() + pathAndQuery);
    }

    static String form(String... pairs) {
        StringBuilder sb = new StringBuilder();
        for (int i = 0; i < pairs.length; i += 2) {
            sb.append(i > 0 ? "&" : "").append(URLEncoder.encode(pairs[i], StandardCharsets.UTF_8)).append('=')
                    .append(URLEncoder.encode(pairs[i + 1], StandardCharsets.UTF_8));
        }
        return sb.toString();
    }

    HttpResponse<String> get(String path, String... params) throws IOException, InterruptedException {
        return send(HttpRequest.newBuilder(uri(params.length == 0 ? path : path + "?" + form(params))));
    }

    HttpResponse<String> post(String path, String... params) throws IOException, InterruptedException {
        return send(HttpRequest.newBuilder(uri(path)).header("Content-Type", "application/x-www-form-urlencoded")
                .POST(HttpRequest.BodyPublishers.ofString(form(params))));
    }

    static HttpResponse<String> send(HttpRequest.Builder request) throws IOException, InterruptedException {
        return HTTP.send(request.build(), HttpResponse.BodyHandlers.ofString());
    }

    static HttpResponse<byte[]> sendForBytes(HttpRequest.Builder request) throws IOException, InterruptedException {
        return HTTP.send(request.build(), HttpResponse.BodyHandlers.ofByteArray());
    }

    /** The {@code data} member of an answer that must be a success. */
    static JsonNode data(HttpResponse<String> r) {
        assertThat(r.statusCode()).as(r.body()).isEqualTo(200);
        return Shared.parse(r.body()).get("data");
    }

    static String coverage(HttpResponse<?> r) {
        return r.headers().firstValue("X-Varve-Coverage").orElse("");
    }

    @Override
    public void close() {
        running.close();
    }
}

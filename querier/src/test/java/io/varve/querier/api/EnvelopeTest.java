package io.varve.querier.api;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.runtime.http.HttpServer;
import io.varve.runtime.http.Routes;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

/** An answer that cannot be written to its end is none. */
class EnvelopeTest {
    @Test
    void whatFailsInTheMiddleDoesNotLookWhole() throws Exception {
        Routes routes = Routes.builder().get(null, "/api/v1/{n}",
                (q, r) -> Envelope.success(r, null, List.of(), List.of(), false, false, out -> {
                    out.open('[');
                    for (int i = Integer.parseInt(q.pathParameter("n")); i > 0; i--) {
                        out.open('[').string("x".repeat(100)).close(']');
                    }
                    throw new IllegalStateException("a fault");
                })).build();
        try (HttpServer server = HttpServer.start("127.0.0.1:0", Duration.ofSeconds(1), routes, new PrometheusRegistry());
                HttpClient client = HttpClient.newHttpClient()) {
            for (int n : new int[]{0, 1, 100}) {
                assertThat(get(client, server, n).statusCode()).isEqualTo(500);
            }
            assertThatThrownBy(() -> get(client, server, 10_000)).isInstanceOf(IOException.class);
        }
    }

    private static HttpResponse<String> get(HttpClient client, HttpServer server, int n) throws Exception {
        return client.send(HttpRequest.newBuilder(URI.create("http://" + server.address() + "/api/v1/" + n)).build(),
                HttpResponse.BodyHandlers.ofString());
    }
}

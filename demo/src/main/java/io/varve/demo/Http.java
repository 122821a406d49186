package io.varve.demo;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.stream.Collectors;

/** What the demo asks over HTTP. */
final class Http {
    private static final ObjectMapper JSON = new ObjectMapper();
    private final HttpClient client = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(2)).build();

    /** Whether the address answers 200. */
    boolean ok(String url) throws InterruptedException {
        try {
            return client.send(request(url).build(), HttpResponse.BodyHandlers.discarding()).statusCode() == 200;
        } catch (IOException e) {
            return false;
        }
    }

    /** The body as text. */
    String text(String url) throws IOException, InterruptedException {
        return client.send(request(url).build(), HttpResponse.BodyHandlers.ofString()).body();
    }

    /** What a process shows of itself at one moment. */
    record Metrics(String text) {
        /** The sum of a metric's samples; 0 where there are none. */
        double sum(String name) {
            return text.lines().filter(l -> l.startsWith(name + " ") || l.startsWith(name + "{"))
                    .mapToDouble(l -> Double.parseDouble(l.substring(l.lastIndexOf(' ') + 1))).sum();
        }
    }

    /** A process' metrics. */
    Metrics metrics(String base) throws IOException, InterruptedException {
        return new Metrics(text(base + "/metrics"));
    }

    /** Posts nothing; throws where that is refused. */
    void post(String url) throws IOException, InterruptedException {
        HttpResponse<String> response = client.send(request(url).POST(HttpRequest.BodyPublishers.noBody()).build(),
                HttpResponse.BodyHandlers.ofString());
        if (response.statusCode() / 100 != 2) {
            throw new IOException(url + " answered " + response.statusCode() + ": " + response.body().strip());
        }
    }

    /** A call of the query API without parameters. */
    JsonNode query(String base, String path) throws IOException, InterruptedException {
        return JSON.readTree(text(base + path));
    }

    /** A call of the query API; the answer as JSON whatever its status. */
    JsonNode query(String base, String path, Map<String, String> params) throws IOException, InterruptedException {
        String form = params.entrySet().stream().map(e -> e.getKey() + "=" + URLEncoder.encode(e.getValue(), StandardCharsets.UTF_8))
                .collect(Collectors.joining("&"));
        HttpRequest request = request(base + path).header("Content-Type", "application/x-www-form-urlencoded")
                .POST(HttpRequest.BodyPublishers.ofString(form)).build();
        return JSON.readTree(client.send(request, HttpResponse.BodyHandlers.ofString()).body());
    }

    /** Posts a remote write; throws where it is refused. */
    void write(String url, byte[] snappy) throws IOException, InterruptedException {
        HttpRequest request = request(url).header("Content-Encoding", "snappy").header("Content-Type", "application/x-protobuf")
                .header("X-Prometheus-Remote-Write-Version", "0.1.0").POST(HttpRequest.BodyPublishers.ofByteArray(snappy)).build();
        HttpResponse<String> response = client.send(request, HttpResponse.BodyHandlers.ofString());
        if (response.statusCode() / 100 != 2) {
            throw new IOException("remote write to " + url + " answered " + response.statusCode() + ": " + response.body().strip());
        }
    }

    private static HttpRequest.Builder request(String url) {
        return HttpRequest.newBuilder(URI.create(url)).timeout(Duration.ofSeconds(60));
    }
}

package io.varve.sidecar;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.varve.model.CancelledException;
import io.varve.model.InvalidRequestException;
import io.varve.model.QueryContext;
import io.varve.model.UnavailableException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.ConnectException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * The Prometheus beside us, over HTTP. Calls block. An answer other than 2xx becomes a failure with Thanos' text: 400 an
 * {@link InvalidRequestException}, anything else an {@link UnavailableException}. Safe for many threads.
 */
final class Prometheus implements AutoCloseable {
    /** What an error's body may hold before it is cut. */
    private static final int MAX_ERROR_BYTES = 4096;
    /** What a whole JSON answer may hold. */
    private static final int MAX_JSON_BYTES = 64 << 20;

    static final ObjectMapper JSON = new ObjectMapper();

    private final String base;
    private final HttpClientConfig config;
    private final HttpClient client;

    /**
     * @param url with or without a path and a final slash
     */
    Prometheus(URI url, HttpClientConfig config) {
        String u = url.toString();
        while (u.endsWith("/")) {
            u = u.substring(0, u.length() - 1);
        }
        this.base = u;
        this.config = config;
        this.client = config.client();
    }

    /** Its address, for messages. */
    String address() {
        return base;
    }

    /** Parameters in order. */
    static final class Parameters {
        private static final long FARTHEST = 1L << 52;
        private final StringBuilder text = new StringBuilder();

        Parameters add(String name, String value) {
            if (!text.isEmpty()) {
                text.append('&');
            }
            text.append(URLEncoder.encode(name, StandardCharsets.UTF_8)).append('=')
                    .append(URLEncoder.encode(value, StandardCharsets.UTF_8));
            return this;
        }

        /** A time in seconds; what is farther away than doubles are exact for is as far. */
        Parameters time(String name, long millis) {
            return add(name, java.math.BigDecimal.valueOf(Math.clamp(millis, -FARTHEST, FARTHEST), 3).toPlainString());
        }

        @Override
        public String toString() {
            return text.toString();
        }
    }

    /** An answer of the API: what {@code data} holds, and warnings. */
    record Answer(JsonNode data, List<String> warnings) {
    }

    /** GET of an API path. */
    Answer get(QueryContext context, String path, Parameters parameters) {
        String query = parameters.toString();
        return json(open(context, request(path + (query.isEmpty() ? "" : "?" + query)).GET(), path), path);
    }

    /** POST of a form to an API path. */
    Answer post(QueryContext context, String path, Parameters parameters) {
        return json(postStream(context, path, parameters), path);
    }

    /** POST of a form; the answer as a stream that the caller closes. */
    InputStream postStream(QueryContext context, String path, Parameters parameters) {
        return open(context, request(path).header("Content-Type", "application/x-www-form-urlencoded")
                .POST(HttpRequest.BodyPublishers.ofString(parameters.toString())), path).body();
    }

    /** GET of any path as a stream that the caller closes. */
    InputStream getStream(QueryContext context, String path) {
        return open(context, request(path).GET(), path).body();
    }

    /** POST without a body, for {@code /-/reload}. */
    void post(QueryContext context, String path) {
        closeQuietly(open(context, request(path).POST(HttpRequest.BodyPublishers.noBody()), path).body());
    }

    /** Remote read; the caller closes the body. */
    HttpResponse<InputStream> read(QueryContext context, byte[] compressedRequest) {
        return open(context, request("/api/v1/read").header("Content-Type", "application/x-protobuf").header("Content-Encoding", "snappy")
                .header("X-Prometheus-Remote-Read-Version", "0.1.0").POST(HttpRequest.BodyPublishers.ofByteArray(compressedRequest)),
                "/api/v1/read");
    }

    private HttpRequest.Builder request(String pathAndQuery) {
        HttpRequest.Builder b = HttpRequest.newBuilder(URI.create(base + pathAndQuery)).header("User-Agent",
                "varve/" + io.varve.runtime.BuildInfo.current().version());
        String authorization = config.authorizationHeader();
        return authorization == null ? b : b.header("Authorization", authorization);
    }

    private HttpResponse<InputStream> open(QueryContext context, HttpRequest.Builder request, String path) {
        HttpResponse<InputStream> response = exchange(context, request, path);
        int status = response.statusCode();
        if (status / 100 == 2) {
            return response;
        }
        String body;
        try (InputStream in = response.body()) {
            body = new String(in.readNBytes(MAX_ERROR_BYTES), StandardCharsets.UTF_8);
        } catch (IOException e) {
            body = "unreadable: " + e.getMessage();
        }
        String message = "expected 2xx response, got " + status + ". Body: " + body;
        if (status == 400) {
            throw new InvalidRequestException(message);
        }
        throw new UnavailableException(message);
    }

    private HttpResponse<InputStream> exchange(QueryContext context, HttpRequest.Builder request, String path) {
        context.check();
        long remaining = context.remainingMillis();
        // The deadline holds for the answer's body as well: the query's end closes the stream.
        CompletableFuture<HttpResponse<InputStream>> future = client.sendAsync(request.build(), BodyHandlers.ofInputStream());
        context.onCancel(() -> future.cancel(true));
        try {
            HttpResponse<InputStream> response = remaining == Long.MAX_VALUE ? future.get() : future.get(remaining, TimeUnit.MILLISECONDS);
            context.onCancel(() -> closeQuietly(response.body()));
            return response;
        } catch (TimeoutException e) {
            future.cancel(true);
            throw new CancelledException(CancelledException.Reason.TIMEOUT, "request " + base + path + ": context deadline exceeded");
        } catch (ExecutionException e) {
            context.check();
            Throwable cause = e.getCause() == null ? e : e.getCause();
            // The JDK says nothing of why it could not.
            String none = cause instanceof ConnectException ? "cannot connect" : cause.getClass().getSimpleName();
            String text = cause.getMessage() == null ? none : cause.getMessage();
            throw new UnavailableException("request " + base + path + ": " + text, cause);
        } catch (InterruptedException e) {
            future.cancel(true);
            Thread.currentThread().interrupt();
            throw new CancelledException(CancelledException.Reason.CANCELED, "interrupted while asking " + base + path);
        } catch (java.util.concurrent.CancellationException e) {
            context.check();
            throw new CancelledException(CancelledException.Reason.CANCELED, "context canceled");
        }
    }

    private Answer json(HttpResponse<InputStream> response, String path) {
        return json(response.body(), path);
    }

    private Answer json(InputStream body, String path) {
        try (InputStream in = body) {
            byte[] bytes = in.readNBytes(MAX_JSON_BYTES + 1);
            if (bytes.length > MAX_JSON_BYTES) {
                throw new UnavailableException("answer of " + base + path + " is larger than " + MAX_JSON_BYTES + " bytes");
            }
            JsonNode root = JSON.readTree(bytes);
            List<String> warnings = new ArrayList<>();
            root.path("warnings").forEach(w -> warnings.add(w.asText()));
            return new Answer(root.path("data"), warnings);
        } catch (JsonProcessingException e) {
            throw new UnavailableException("answer of " + base + path + " is no JSON: " + e.getOriginalMessage(), e);
        } catch (IOException | UncheckedIOException e) {
            throw new UnavailableException("answer of " + base + path + ": " + e.getMessage(), e);
        }
    }

    static void closeQuietly(InputStream in) {
        try {
            in.close();
        } catch (IOException e) {
            // Nothing more is wanted of it.
        }
    }

    @Override
    public void close() {
        client.shutdownNow();
        try {
            client.awaitTermination(Duration.ofSeconds(2));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}

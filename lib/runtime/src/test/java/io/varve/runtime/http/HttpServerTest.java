package io.varve.runtime.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.runtime.flags.FlagException;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.zip.GZIPInputStream;
import java.util.zip.InflaterInputStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class HttpServerTest {
    private final PrometheusRegistry registry = new PrometheusRegistry();
    private final HttpClient client = HttpClient.newHttpClient();
    private final CountDownLatch slow = new CountDownLatch(1);
    private final CompletableFuture<Boolean> gone = new CompletableFuture<>();
    private final HttpServer server = HttpServer.start("127.0.0.1:0", Duration.ofSeconds(10), Routes.builder()
            .get("values", "/api/v1/label/{name}/values", (q, a) -> a.sendText(200, q.pathParameter("name")))
            .getOrPost("query", "/api/v1/query", (q, a) -> a.sendText(200, q.parameters().toString()))
            .get(null, "/bytes/{name}", (q, a) -> a.send(q.pathParameterBytes("name")))
            .get(null, "/files/{path*}", (q, a) -> a.sendText(200, q.pathParameter("path")))
            .get(null, "/files/exact", (q, a) -> a.sendText(200, "exact!"))
            .post(null, "/body", (q, a) -> a.send(q.readBody(100)))
            .get("big", "/api/v1/big", (q, a) -> {
                try (OutputStream out = a.body()) {
                    byte[] piece = new byte[10_000];
                    Arrays.fill(piece, (byte) 'x');
                    for (int i = 0; i < 1000; i++) {
                        out.write(piece);
                    }
                }
            })
            .post(null, "/watched", (q, a) -> {
                byte[] body = q.readBody(10);
                q.onClientGone(() -> {
                });
                a.send(body);
            })
            .getOrPost(null, "/slow", (q, a) -> {
                q.parameters();
                CountDownLatch done = new CountDownLatch(1);
                q.onClientGone(done::countDown);
                slow.countDown();
                boolean left = done.await(q.parameter("wait") == null ? 30_000 : 50, TimeUnit.MILLISECONDS);
                gone.complete(left);
                a.sendText(200, left ? "gone" : "waited");
            })
            .get(null, "/fails", (q, a) -> {
                throw new IllegalStateException("secret detail");
            })
            .get(null, "/refuses", (q, a) -> {
                throw new HttpStatusException(422, "no");
            })
            .get(null, "/otherwise/{bytes}", (q, a) -> {
                a.body().write(new byte[Integer.parseInt(q.pathParameter("bytes"))]);
                a.sendText(500, "no");
            })
            .get(null, "/half", (q, a) -> {
                a.body().write(new byte[200_000]);
                a.body().flush();
                throw new IllegalStateException("later");
            })
            .build().withAdmin((q, a) -> a.sendText(200, "OK"), (q, a) -> a.sendText(503, "NOT OK\n"), (q, a) -> a.sendText(200, "m")),
            registry);

    @AfterEach
    void stop() {
        server.close();
    }

    private HttpResponse<String> get(String path, String... headers) throws Exception {
        return send("GET", path, "", headers);
    }

    private HttpResponse<String> send(String method, String path, String body, String... headers) throws Exception {
        HttpRequest.Builder b = HttpRequest.newBuilder(URI.create("http://" + server.address() + path)).method(method,
                body.isEmpty() ? HttpRequest.BodyPublishers.noBody() : HttpRequest.BodyPublishers.ofString(body));
        for (int i = 0; i < headers.length; i += 2) {
            b.header(headers[i], headers[i + 1]);
        }
        return client.send(b.build(), BodyHandlers.ofString());
    }

    private static String part(String name, String value) {
        return "--xX\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n";
    }

    @Test
    void whatFailsAfterItHasBegunIsTheFailureAloneOrBrokenOff() throws Exception {
        for (int bytes : new int[]{0, 10, 5000}) {
            for (String encoding : List.of("identity", "gzip", "deflate")) {
                HttpResponse<String> r = send("GET", "/otherwise/" + bytes, "", "Accept-Encoding", encoding);
                assertThat(r.statusCode()).isEqualTo(500);
                assertThat(r.body()).isEqualTo("no");
                assertThat(r.headers().firstValue("Content-Encoding")).isEmpty();
                assertThat(r.headers().firstValue("Content-Length")).contains("2");
            }
        }
        assertThatThrownBy(() -> get("/otherwise/200000")).isInstanceOf(IOException.class);
    }

    @Test
    void aHandlerHearsThatItsClientWentAway() throws Exception {
        try (Socket socket = new Socket("127.0.0.1", server.port())) {
            socket.getOutputStream().write(
                    "POST /slow HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n\r\na=1"
                            .getBytes(StandardCharsets.UTF_8));
            assertThat(slow.await(20, TimeUnit.SECONDS)).isTrue();
        }
        assertThat(gone.get(20, TimeUnit.SECONDS)).isTrue();
    }

    @Test
    void keptConnectionsServeAnyNumberOfWatchedRequests() throws Exception {
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<?>> all = new ArrayList<>();
            for (int t = 0; t < 8; t++) {
                all.add(threads.submit(() -> {
                    for (int i = 0; i < 250; i++) {
                        // Not GET, which the client would quietly send again over another connection.
                        assertThat(send("POST", "/watched", "x").body()).isEqualTo("x");
                    }
                    return null;
                }));
            }
            for (Future<?> f : all) {
                f.get();
            }
        }
    }

    @Test
    void requestsThatAreSentAheadAreAnsweredInTurn() throws Exception {
        String one = "GET /slow?wait=1 HTTP/1.1\r\nHost: x\r\n\r\n";
        try (Socket socket = new Socket("127.0.0.1", server.port())) {
            socket.getOutputStream().write(one.getBytes(StandardCharsets.UTF_8));
            assertThat(slow.await(20, TimeUnit.SECONDS)).isTrue();
            socket.getOutputStream()
                    .write((one + "GET /fails HTTP/1.1\r\nHost: x\r\n\r\n" + one.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"))
                            .getBytes(StandardCharsets.UTF_8));
            String all = new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            assertThat(all.split("HTTP/1.1 200", -1)).hasSize(4);
            assertThat(all.split("HTTP/1.1 500", -1)).hasSize(2);
            assertThat(all.split("waited", -1)).hasSize(4);
        }
        // And a connection that is kept serves the next request.
        assertThat(get("/slow?wait=1").body()).isEqualTo("waited");
        assertThat(get("/slow?wait=1").body()).isEqualTo("waited");
    }

    @Test
    void routesByPathAndMethod() throws Exception {
        assertThat(get("/api/v1/label/a%2Fb+c/values").body()).isEqualTo("a/b+c");
        assertThat(get("/files/a/b%20c").body()).isEqualTo("a/b c");
        assertThat(client.send(HttpRequest.newBuilder(URI.create("http://" + server.address() + "/bytes/a%FF%20")).build(),
                HttpResponse.BodyHandlers.ofByteArray()).body()).containsExactly('a', 0xFF, ' ');
        assertThat(get("/files/exact").body()).isEqualTo("exact!");
        assertThat(get("/-/healthy").body()).isEqualTo("OK");
        assertThat(get("/-/ready").statusCode()).isEqualTo(503);
        HttpResponse<String> missing = get("/nope");
        assertThat(missing.statusCode()).isEqualTo(404);
        assertThat(missing.body()).isEqualTo("404 page not found\n");
        HttpResponse<String> wrong = send("PUT", "/api/v1/query", "");
        assertThat(wrong.statusCode()).isEqualTo(405);
        assertThat(wrong.headers().firstValue("Allow")).contains("GET, OPTIONS, POST");
        assertThat(wrong.body()).isEqualTo("Method Not Allowed\n");
    }

    @Test
    void mergesFormAndQuery() throws Exception {
        assertThat(send("POST", "/api/v1/query?b=3&c=%7B", "a=1+2&b=2", "Content-Type", "application/x-www-form-urlencoded").body())
                .isEqualTo("{a=[1 2], b=[2, 3], c=[{]}");
        assertThat(get("/api/v1/query?a=%C3%A4&a=").body()).isEqualTo("{a=[ä, ]}");
        assertThat(send("POST", "/api/v1/query?b=3",
                part("b", "2") + part("c", "x=1&y\r\n--z") + part("d\"; filename=\"f", "a file") + "--xX--",
                "Content-Type", "Multipart/Form-Data; boundary=\"xX\"").body()).isEqualTo("{b=[3, 2], c=[x=1&y\r\n--z]}");
        assertThat(send("POST", "/api/v1/query?b=3", part("b", "2"), "Content-Type", "multipart/form-data; boundary=xX").body())
                .isEqualTo("{b=[3]}");
        for (String type : new String[]{"multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=\"x",
                "multipart/form-data; x"}) {
            assertThat(send("POST", "/api/v1/query?b=3", part("b", "2") + "--xX--", "Content-Type", type).body()).as(type)
                    .isEqualTo("{b=[3]}");
        }
        assertThat(send("POST", "/api/v1/query", "a=%zz", "Content-Type", "application/x-www-form-urlencoded").statusCode()).isEqualTo(400);
    }

    @Test
    void answersPreflightAndCors() throws Exception {
        HttpResponse<String> preflight = send("OPTIONS", "/api/v1/query", "");
        assertThat(preflight.statusCode()).isEqualTo(204);
        assertThat(preflight.headers().firstValue("Access-Control-Allow-Origin")).contains("*");
        assertThat(get("/api/v1/query").headers().firstValue("Access-Control-Allow-Methods")).contains("GET, POST, OPTIONS");
        assertThat(get("/files/x").headers().firstValue("Access-Control-Allow-Origin")).isEmpty();
        assertThat(send("HEAD", "/api/v1/query", "").statusCode()).isEqualTo(405);
    }

    @Test
    void optionsSayWhatAPathTakesAndUnderTheApiAlwaysAgree() throws Exception {
        HttpResponse<String> unknown = send("OPTIONS", "/api/v1/nope", "");
        assertThat(unknown.statusCode()).isEqualTo(204);
        assertThat(unknown.headers().firstValue("Access-Control-Allow-Origin")).contains("*");
        HttpResponse<String> page = send("OPTIONS", "/files/exact", "");
        assertThat(page.statusCode()).isEqualTo(200);
        assertThat(page.headers().firstValue("Allow")).contains("GET, OPTIONS");
        assertThat(page.headers().firstValue("Access-Control-Allow-Origin")).isEmpty();
        assertThat(send("OPTIONS", "/nope", "").statusCode()).isEqualTo(404);
        assertThat(send("OPTIONS", "/-/healthy", "").body()).isEqualTo("OK");
    }

    @ParameterizedTest
    @CsvSource({"GET,//api/v1/query?a=b,307,/api/v1/query?a=b", "POST,/api//v1/./query,307,/api/v1/query", "GET,/a/../fails,307,/fails",
            "GET,/api/v1/label//values,307,/api/v1/label/values", "GET,//evil.example,307,/evil.example",
            "GET,/API/v1/Query,301,/api/v1/query",
            "GET,/api/v1/query/?a=b,301,/api/v1/query?a=b", "POST,/API/v1/query,308,/api/v1/query",
            "GET,/Api/v1/label/Name/VALUES/,301,/api/v1/label/Name/values"})
    void aPathThatIsNearlyRightLeadsToTheRightOne(String method, String path, int status, String location) throws Exception {
        HttpResponse<String> answer = send(method, path, "");
        assertThat(answer.statusCode()).isEqualTo(status);
        assertThat(answer.headers().firstValue("Location")).contains(location);
    }

    @Test
    void limitsBodies() throws Exception {
        assertThat(send("POST", "/body", "x".repeat(100)).body()).hasSize(100);
        assertThat(send("POST", "/body", "x".repeat(101)).statusCode()).isEqualTo(413);
    }

    /** One that reads only when it has sent all, as many do. */
    @ParameterizedTest
    @CsvSource({"/body,413,true", "/body,413,false", "/nope,404,true", "/fails,405,true"})
    void whoSendsAllBeforeItReadsGetsItsAnswer(String path, int status, boolean hasLength) throws Exception {
        try (Socket socket = new Socket("127.0.0.1", server.port())) {
            socket.setSoTimeout(20_000);
            OutputStream out = socket.getOutputStream();
            String megabyte = "x".repeat(1 << 20);
            byte[] piece = (hasLength ? megabyte : "100000\r\n" + megabyte + "\r\n").getBytes(StandardCharsets.US_ASCII);
            int pieces = 20;
            out.write(("POST " + path + " HTTP/1.1\r\nHost: here\r\n"
                    + (hasLength ? "Content-Length: " + (pieces << 20) : "Transfer-Encoding: chunked") + "\r\n\r\n")
                    .getBytes(StandardCharsets.US_ASCII));
            for (int i = 0; i < pieces; i++) {
                out.write(piece);
            }
            out.write((hasLength ? "" : "0\r\n\r\n").getBytes(StandardCharsets.US_ASCII));
            BufferedReader in = new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.US_ASCII));
            assertThat(in.readLine()).startsWith("HTTP/1.1 " + status + " ");
            // The connection is of further use.
            out.write("GET /api/v1/label/a/values HTTP/1.1\r\nHost: here\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
            String line = in.readLine();
            while (!line.startsWith("HTTP/1.1 ")) {
                int next = line.indexOf("HTTP/1.1 ");
                line = next > 0 ? line.substring(next) : in.readLine();
            }
            assertThat(line).startsWith("HTTP/1.1 200 ");
        }
    }

    @Test
    void whoWaitsToBeToldToGoOnIsTold413AtOnce() throws Exception {
        try (Socket socket = new Socket("127.0.0.1", server.port())) {
            socket.setSoTimeout(20_000);
            socket.getOutputStream().write(("POST /body HTTP/1.1\r\nHost: here\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n")
                    .getBytes(StandardCharsets.US_ASCII));
            String answer = new String(socket.getInputStream().readAllBytes(), StandardCharsets.US_ASCII);
            assertThat(answer).startsWith("HTTP/1.1 413 ").doesNotContain("100 Continue");
        }
    }

    @Test
    void whoStopsSendingIsLeftAfterAWhile() throws Exception {
        try (Socket socket = new Socket("127.0.0.1", server.port())) {
            socket.setSoTimeout(20_000);
            socket.getOutputStream()
                    .write("POST /body HTTP/1.1\r\nHost: here\r\nContent-Length: 1000\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
            assertThat(new String(socket.getInputStream().readAllBytes(), StandardCharsets.US_ASCII)).startsWith("HTTP/1.1 413 ");
        }
    }

    @Test
    void compressesWhatIsLarge() throws Exception {
        for (String encoding : new String[]{"gzip", "deflate", "br;q=1, gzip;q=0.5", "identity"}) {
            HttpRequest q = HttpRequest.newBuilder(URI.create("http://" + server.address() + "/api/v1/big"))
                    .header("Accept-Encoding", encoding).build();
            HttpResponse<byte[]> a = client.send(q, BodyHandlers.ofByteArray());
            byte[] plain = switch (a.headers().firstValue("Content-Encoding").orElse("none")) {
                case "gzip" -> new GZIPInputStream(new ByteArrayInputStream(a.body())).readAllBytes();
                case "deflate" -> new InflaterInputStream(new ByteArrayInputStream(a.body())).readAllBytes();
                default -> a.body();
            };
            assertThat(plain).hasSize(10_000_000);
            assertThat(a.body().length < 1_000_000).isEqualTo(!encoding.equals("identity"));
        }
        assertThat(get("/api/v1/query?a=b", "Accept-Encoding", "gzip").headers().firstValue("Content-Encoding")).isEmpty();
    }

    @Test
    void failuresShowNoDetails() throws Exception {
        HttpResponse<String> failed = get("/fails");
        assertThat(failed.statusCode()).isEqualTo(500);
        assertThat(failed.body()).isEqualTo("Internal Server Error\n");
        assertThat(get("/refuses").statusCode()).isEqualTo(422);
        assertThatThrownBy(() -> get("/half")).isInstanceOf(IOException.class);
    }

    @Test
    void measuresNamedHandlers() throws Exception {
        get("/api/v1/query");
        get("/fails");
        assertThat(registry.scrape().stream().filter(m -> m.getMetadata().getPrometheusName().equals("http_requests")).findFirst()
                .orElseThrow().getDataPoints()).hasSize(1);
    }

    @Test
    void drainsRequestsInFlight() throws Exception {
        CountDownLatch entered = new CountDownLatch(1);
        CountDownLatch release = new CountDownLatch(1);
        HttpServer slow = HttpServer.start("127.0.0.1:0", Duration.ofSeconds(20), Routes.builder().route(null, Set.of(), "/", (q, a) -> {
            entered.countDown();
            release.await(10, TimeUnit.SECONDS);
            a.sendText(200, "whole");
        }).build(), new PrometheusRegistry());
        CompletableFuture<HttpResponse<String>> answer = client.sendAsync(
                HttpRequest.newBuilder(URI.create("http://" + slow.address() + "/")).build(), BodyHandlers.ofString());
        assertThat(entered.await(10, TimeUnit.SECONDS)).isTrue();
        Thread closing = Thread.ofVirtual().start(slow::close);
        release.countDown();
        assertThat(answer.get(10, TimeUnit.SECONDS).body()).isEqualTo("whole");
        closing.join();
    }

    @Test
    void drainsRequestsThatAreWatchedAndHaveBeenAtWorkForLong() throws Exception {
        CountDownLatch entered = new CountDownLatch(1);
        AtomicBoolean gone = new AtomicBoolean();
        HttpServer slow = HttpServer.start("127.0.0.1:0", Duration.ofSeconds(20), Routes.builder().route(null, Set.of(), "/", (q, a) -> {
            q.onClientGone(() -> gone.set(true));
            TimeUnit.MILLISECONDS.sleep(1500);
            entered.countDown();
            TimeUnit.MILLISECONDS.sleep(2500);
            a.sendText(200, gone.get() ? "gone" : "whole");
        }).build(), new PrometheusRegistry());
        CompletableFuture<HttpResponse<String>> answer = client.sendAsync(
                HttpRequest.newBuilder(URI.create("http://" + slow.address() + "/")).build(), BodyHandlers.ofString());
        assertThat(entered.await(10, TimeUnit.SECONDS)).isTrue();
        Thread closing = Thread.ofVirtual().start(slow::close);
        assertThat(answer.get(10, TimeUnit.SECONDS).body()).isEqualTo("whole");
        closing.join();
    }

    @Test
    void refusesAnAddressInUse() {
        assertThatThrownBy(() -> HttpServer.start(server.address(), Duration.ofSeconds(1), Routes.none(), new PrometheusRegistry()))
                .isInstanceOf(FlagException.class).hasMessageContaining("listen on " + server.address());
    }
}

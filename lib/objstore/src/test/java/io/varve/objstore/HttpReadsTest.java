package io.varve.objstore;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class HttpReadsTest {
    private final Queue<String> asked = new ConcurrentLinkedQueue<>();
    private final AtomicInteger connections = new AtomicInteger();
    private final ServerSocket server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());

    HttpReadsTest() throws IOException {
    }

    @AfterEach
    void stop() throws IOException {
        server.close();
    }

    /** A server that gives one list of answers to each connection, as they are, and closes it after the last. */
    @SafeVarargs
    @SuppressWarnings("varargs")
    private final HttpReads serve(List<String>... perConnection) {
        Queue<List<String>> scripts = new ArrayDeque<>(List.of(perConnection));
        Thread.ofVirtual().start(() -> {
            while (!server.isClosed() && !scripts.isEmpty()) {
                try (Socket socket = server.accept()) {
                    connections.incrementAndGet();
                    BufferedReader in = new BufferedReader(new InputStreamReader(socket.getInputStream(), UTF_8));
                    for (String answer : scripts.remove()) {
                        String first = in.readLine();
                        if (first == null) {
                            break;
                        }
                        asked.add(first);
                        for (String line = in.readLine(); line != null && !line.isEmpty(); line = in.readLine()) {
                            asked.add(line);
                        }
                        socket.getOutputStream().write(answer.replace("\n", "\r\n").getBytes(UTF_8));
                    }
                } catch (IOException e) {
                    return;
                }
            }
        });
        return new HttpReads(new HttpReads.Server("127.0.0.1", server.getLocalPort(), null, true, 5000, 5000, 0, 2));
    }

    private static String get(HttpReads http) throws IOException {
        try (HttpReads.Answer answer = http.get("/x", "Host: h\r\n")) {
            return answer.status() + " " + new String(answer.body().readAllBytes(), UTF_8);
        }
    }

    @Test
    void connectionsAreKeptWhateverTheFormOfTheBody() throws IOException {
        try (HttpReads http = serve(
                List.of("HTTP/1.1 200 OK\ncontent-length: 3\nX-A:  b \n\nabc", "HTTP/1.1 404 Not Found\nContent-Length: 0\n\n",
                        "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n3;x=y\nabc\nA\n0123456789\n0\nTrailer: t\n\n",
                        "HTTP/1.1 204 No Content\n\n"))) {
            assertThat(get(http)).isEqualTo("200 abc");
            assertThat(get(http)).isEqualTo("404 ");
            assertThat(get(http)).isEqualTo("200 abc0123456789");
            assertThat(get(http)).isEqualTo("204 ");
            assertThat(connections).hasValue(1);
            assertThat(asked).startsWith("GET /x HTTP/1.1", "Host: h", "GET /x HTTP/1.1");
        }
    }

    @Test
    void aKeptConnectionThatTheServerClosedIsReplaced() throws IOException {
        try (HttpReads http = serve(List.of("HTTP/1.1 200 OK\nContent-Length: 1\n\na"),
                List.of("HTTP/1.1 200 OK\nContent-Length: 1\n\nb"))) {
            assertThat(get(http)).isEqualTo("200 a");
            assertThat(get(http)).isEqualTo("200 b");
            assertThat(connections).hasValue(2);
        }
    }

    @Test
    void aConnectionIsNotUsedAgainWhereTheServerOrTheBodySaysSo() throws IOException {
        try (HttpReads http = serve(List.of("HTTP/1.1 200 OK\nConnection: close\nContent-Length: 1\n\na"),
                List.of("HTTP/1.0 200 OK\nContent-Length: 1\n\nb"),
                List.of("HTTP/1.1 200 OK\n\nuntil the end"), List.of("HTTP/1.1 200 OK\nContent-Length: 1\n\nd"))) {
            assertThat(get(http)).isEqualTo("200 a");
            assertThat(get(http)).isEqualTo("200 b");
            assertThat(get(http)).isEqualTo("200 until the end");
            assertThat(get(http)).isEqualTo("200 d");
            assertThat(connections).hasValue(4);
        }
    }

    @Test
    void abandonedBodiesGiveTheirPlaceBack() throws IOException {
        try (HttpReads http = serve(List.of("HTTP/1.1 200 OK\nContent-Length: 9999999\n\na"),
                List.of("HTTP/1.1 200 OK\nContent-Length: 9999999\n\na"),
                List.of("HTTP/1.1 200 OK\nContent-Length: 3\n\nabc", "HTTP/1.1 200 OK\nContent-Length: 1\n\nd"))) {
            http.get("/x", "").abort();
            http.get("/x", "").close();
            http.get("/x", "").close();
            assertThat(get(http)).isEqualTo("200 d");
            assertThat(connections).as("a short rest is read, the connection kept").hasValue(3);
        }
    }

    @Test
    void whatIsCutOrNoAnswerIsAnError() throws IOException {
        for (String answer : List.of("", "SSH-2.0-x\n", "HTTP/1.1 200 OK\nContent-Length: 5\n\nab",
                "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n5\nab",
                "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\nxyz\n", "HTTP/1.1 200 OK\nTransfer-Encoding: gzip\n\nab",
                "HTTP/1.1 200 OK\nContent-Length: 1",
                "HTTP/1.1 200 OK\nX: " + "x".repeat(70_000) + "\n\n")) {
            HttpReadsTest one = new HttpReadsTest();
            try (HttpReads http = one.serve(List.of(answer))) {
                assertThatThrownBy(() -> get(http)).as(answer.substring(0, Math.min(60, answer.length()))).isInstanceOf(IOException.class);
            } finally {
                one.stop();
            }
        }
    }
}

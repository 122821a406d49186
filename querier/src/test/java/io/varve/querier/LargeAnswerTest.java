package io.varve.querier;

import static org.assertj.core.api.Assertions.assertThat;

import io.airlift.compress.v3.snappy.SnappyCompressor;
import io.varve.chunk.Chunk;
import io.varve.chunk.ChunkAppender;
import io.varve.model.Labels;
import io.varve.model.Matcher;
import io.varve.model.QueryContext;
import io.varve.runtime.ProcessRunner;
import io.varve.runtime.grpc.GrpcServer;
import io.varve.store.LabelNamesRequest;
import io.varve.store.LabelValuesRequest;
import io.varve.store.RemoteRead;
import io.varve.store.SeriesRequest;
import io.varve.store.SeriesSink;
import io.varve.store.Store;
import io.varve.store.StoreChunk;
import io.varve.store.StoreInfo;
import io.varve.store.StoreSeries;
import io.varve.store.StringsResponse;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;

/** Answers of hundreds of megabytes from a process whose heap is smaller than they are. */
class LargeAnswerTest {
    private static final long T0 = 1_700_000_000_000L;
    private static final int SERIES = 8000;
    private static final int SAMPLES = 1000;
    private static final String HEAP = "-Xmx240m";

    /** Many series with the same numbers. */
    private static final class Generated implements Store {
        private final List<StoreChunk> chunks = new ArrayList<>();

        Generated() {
            SplittableRandom random = new SplittableRandom(5);
            List<Chunk> all = new ArrayList<>();
            ChunkAppender appender = ChunkAppender.plain(120, all::add);
            for (int i = 0; i < SAMPLES; i++) {
                appender.append(T0 + i * 15_000L, random.nextDouble() * 1e6);
            }
            appender.cut();
            all.forEach(c -> chunks.add(StoreChunk.raw(c)));
        }

        @Override
        public StoreInfo info() {
            return new StoreInfo("store", List.of(Labels.of("replica", "a")),
                    new StoreInfo.StoreSpan(Long.MIN_VALUE, Long.MAX_VALUE, true, true, List.of()), Set.of());
        }

        @Override
        public void series(QueryContext context, SeriesRequest request, SeriesSink sink) {
            for (int i = 0; i < SERIES; i++) {
                sink.series(new StoreSeries(Labels.of("__name__", "m", "i", String.format("%06d", i)), chunks));
            }
        }

        @Override
        public StringsResponse labelNames(QueryContext context, LabelNamesRequest request) {
            throw new UnsupportedOperationException();
        }

        @Override
        public StringsResponse labelValues(QueryContext context, LabelValuesRequest request) {
            throw new UnsupportedOperationException();
        }
    }

    /** The process with the small heap: a querier that says where it listens. */
    static final class Small {
        private Small() {
        }

        /** Runs until it is killed. */
        public static void main(String[] args) throws Exception {
            ProcessRunner.Running running = ProcessRunner.launch(new QueryCommand(), args);
            System.out.println("listens=" + running.context().httpAddress());
            new CountDownLatch(1).await();
        }
    }

    private static String listens(Process p) throws IOException {
        BufferedReader lines = p.inputReader();
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            if (line.startsWith("listens=")) {
                return line.substring("listens=".length());
            }
        }
        throw new IOException("the process ended with " + p.exitValue());
    }

    /** Its length and its last bytes. */
    private static String read(HttpResponse<InputStream> r, long[] length) throws IOException {
        byte[] buffer = new byte[1 << 16];
        byte[] tail = new byte[0];
        try (InputStream in = r.body()) {
            for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
                length[0] += n;
                if (n > 0) {
                    tail = java.util.Arrays.copyOfRange(buffer, Math.max(0, n - 40), n);
                }
            }
        }
        return new String(tail, StandardCharsets.ISO_8859_1);
    }

    @Test
    void aSmallHeapIsEnough() throws Exception {
        try (GrpcServer server = TestQuerier.serve(new Generated())) {
            List<String> command = List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(), HEAP,
                    "-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError", "-cp",
                    System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")), Small.class.getName(),
                    "--http-address=127.0.0.1:0", "--grpc-address=127.0.0.1:0", "--query.replica-label=replica",
                    "--query.max-memory=200MiB", "--query.max-concurrent=1",
                    "--endpoint=" + server.address());
            Process small = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
            try (HttpClient http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build()) {
                String base = "http://" + listens(small);
                long[] length = new long[1];
                String tail;
                // Until the querier has heard from its store an answer says that it is not complete.
                while (true) {
                    HttpResponse<InputStream> r = http.send(HttpRequest.newBuilder(URI.create(base + "/api/v1/query?"
                            + TestQuerier.form("query", "m[5h]", "time", Long.toString(T0 / 1000 + 15 * SAMPLES)))).build(),
                            HttpResponse.BodyHandlers.ofInputStream());
                    length[0] = 0;
                    tail = read(r, length);
                    assertThat(r.statusCode()).as(tail).isEqualTo(200);
                    if (TestQuerier.coverage(r).startsWith("complete=true")) {
                        break;
                    }
                }
                assertThat(length[0]).isGreaterThan(260_000_000L);
                assertThat(tail).endsWith("\"analysis\":{}}}");

                RemoteRead.Query all = new RemoteRead.Query(T0, T0 + 15_000L * SAMPLES, List.of(Matcher.equal("__name__", "m")), null);
                byte[] plain = RemoteRead.write(
                        new RemoteRead.Request(Collections.nCopies(5, all), List.of(RemoteRead.ResponseType.STREAMED_XOR_CHUNKS)));
                SnappyCompressor snappy = SnappyCompressor.create();
                byte[] packed = new byte[snappy.maxCompressedLength(plain.length)];
                int n = snappy.compress(plain, 0, plain.length, packed, 0, packed.length);
                HttpResponse<InputStream> r = http.send(HttpRequest.newBuilder(URI.create(base + "/api/v1/read"))
                        .header("Content-Type", RemoteRead.PROTOBUF).header("Content-Encoding", "snappy")
                        .POST(HttpRequest.BodyPublishers.ofByteArray(packed, 0, n)).build(), HttpResponse.BodyHandlers.ofInputStream());
                assertThat(r.statusCode()).isEqualTo(200);
                try (InputStream body = r.body()) {
                    RemoteRead.FrameReader frames = new RemoteRead.FrameReader(body, 1 << 24, "querier");
                    long[] bytes = new long[1];
                    while (frames.next((index, labels, chunks) -> chunks.forEach(c -> bytes[0] += c.length()))) {
                        // Its checksum was looked at.
                    }
                    assertThat(bytes[0]).isGreaterThan(260_000_000L);
                }
                assertThat(small.isAlive()).isTrue();
            } finally {
                small.destroyForcibly().waitFor();
            }
        }
    }
}

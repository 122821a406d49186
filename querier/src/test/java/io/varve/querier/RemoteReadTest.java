package io.varve.querier;

import static org.assertj.core.api.Assertions.assertThat;

import io.airlift.compress.v3.snappy.SnappyCompressor;
import io.airlift.compress.v3.snappy.SnappyDecompressor;
import io.varve.chunk.Chunk;
import io.varve.chunk.ChunkDecoder;
import io.varve.model.Labels;
import io.varve.model.Matcher;
import io.varve.model.SampleBuffer;
import io.varve.querier.fanout.MemoryStore;
import io.varve.runtime.grpc.GrpcServer;
import io.varve.store.RemoteRead;
import java.io.ByteArrayInputStream;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** {@code /api/v1/read} as a Prometheus asks it. */
class RemoteReadTest {
    private static final long T0 = 1_700_000_000_000L;
    private static final int N = 400;
    private static final List<AutoCloseable> OPEN = new ArrayList<>();
    private static final List<MemoryStore> STORES = new ArrayList<>();
    private static TestQuerier querier;

    /** Two replicas, scraped five seconds apart; a misses samples 100 to 119, b 200 to 219. */
    @BeforeAll
    static void start() throws Exception {
        List<String> flags = new ArrayList<>(List.of("--query.replica-label=replica", "--remote-read.max-samples=2000"));
        for (String replica : List.of("a", "b")) {
            MemoryStore store = new MemoryStore(Labels.of("cluster", "c", "replica", replica), true);
            for (String name : List.of("jobs_total", "other")) {
                SampleBuffer b = new SampleBuffer(N);
                for (int i = 0; i < N; i++) {
                    int gap = replica.equals("a") ? 100 : 200;
                    if (i < gap || i >= gap + 20) {
                        b.add(T0 + i * 15_000L + (replica.equals("a") ? 0 : 5000), i * 15.0);
                    }
                }
                store.add(Labels.of("__name__", name, "job", "j"), b);
            }
            GrpcServer server = TestQuerier.serve(store);
            OPEN.add(server);
            STORES.add(store);
            flags.add("--endpoint=" + server.address());
        }
        querier = new TestQuerier(flags.toArray(String[]::new));
        OPEN.add(querier);
    }

    @AfterAll
    static void stop() throws Exception {
        for (AutoCloseable c : OPEN.reversed()) {
            c.close();
        }
    }

    private static RemoteRead.Query query(long from, long to, Matcher... matchers) {
        return new RemoteRead.Query(T0 + from * 15_000, T0 + to * 15_000, List.of(matchers), null);
    }

    private static Matcher name(String n) {
        return Matcher.equal("__name__", n);
    }

    private static byte[] packed(byte[] plain) {
        SnappyCompressor snappy = SnappyCompressor.create();
        byte[] out = new byte[snappy.maxCompressedLength(plain.length)];
        return java.util.Arrays.copyOf(out, snappy.compress(plain, 0, plain.length, out, 0, out.length));
    }

    private static byte[] unpacked(byte[] body) {
        SnappyDecompressor snappy = SnappyDecompressor.create();
        byte[] out = new byte[snappy.getUncompressedLength(body, 0)];
        assertThat(snappy.decompress(body, 0, body.length, out, 0, out.length)).isEqualTo(out.length);
        return out;
    }

    private static HttpResponse<byte[]> post(byte[] body) throws Exception {
        return TestQuerier.sendForBytes(HttpRequest.newBuilder(querier.uri("/api/v1/read")).header("Content-Type", RemoteRead.PROTOBUF)
                .header("Content-Encoding", "snappy").header("X-Prometheus-Remote-Read-Version", "0.1.0")
                .POST(HttpRequest.BodyPublishers.ofByteArray(body)));
    }

    private static HttpResponse<byte[]> ask(List<RemoteRead.ResponseType> accepted, RemoteRead.Query... queries) throws Exception {
        return post(packed(RemoteRead.write(new RemoteRead.Request(List.of(queries), accepted))));
    }

    /** Series by {@code query/labels}, as time and value in turns. */
    private static TreeMap<String, List<Double>> sampled(RemoteRead.Query... queries) throws Exception {
        HttpResponse<byte[]> r = ask(List.of(RemoteRead.ResponseType.SAMPLES), queries);
        assertThat(r.statusCode()).as(new String(r.body(), StandardCharsets.UTF_8)).isEqualTo(200);
        assertThat(r.headers().firstValue("Content-Type")).contains(RemoteRead.PROTOBUF);
        assertThat(r.headers().firstValue("Content-Encoding")).contains("snappy");
        TreeMap<String, List<Double>> out = new TreeMap<>();
        RemoteRead.readSampled(unpacked(r.body()), "querier", (labels, floats, histograms) -> add(out, labels.toString(), floats));
        return out;
    }

    private static TreeMap<String, List<Double>> streamed(RemoteRead.Query... queries) throws Exception {
        HttpResponse<byte[]> r = ask(List.of(RemoteRead.ResponseType.STREAMED_XOR_CHUNKS, RemoteRead.ResponseType.SAMPLES), queries);
        assertThat(r.statusCode()).as(new String(r.body(), StandardCharsets.UTF_8)).isEqualTo(200);
        assertThat(r.headers().firstValue("Content-Type")).contains(RemoteRead.STREAMED);
        TreeMap<String, List<Double>> out = new TreeMap<>();
        RemoteRead.FrameReader frames = new RemoteRead.FrameReader(new ByteArrayInputStream(r.body()), 1 << 22, "querier");
        long[] last = new long[1];
        while (frames.next((index, labels, chunks) -> {
            assertThat(index).isGreaterThanOrEqualTo(last[0]);
            last[0] = index;
            out.putIfAbsent(labels.toString(), new ArrayList<>());
            for (Chunk c : chunks) {
                SampleBuffer b = new SampleBuffer(128);
                ChunkDecoder.decode(c, b);
                assertThat(b.size).isLessThanOrEqualTo(120);
                assertThat(b.timestamps[0]).isEqualTo(c.minTime());
                assertThat(b.timestamps[b.size - 1]).isEqualTo(c.maxTime());
                add(out, labels.toString(), b);
            }
        })) {
            // Its checksum was looked at.
        }
        return out;
    }

    private static void add(TreeMap<String, List<Double>> out, String labels, SampleBuffer b) {
        List<Double> points = out.computeIfAbsent(labels, k -> new ArrayList<>());
        for (int i = 0; i < b.size; i++) {
            points.add((double) b.timestamps[i]);
            points.add(b.values[i]);
        }
    }

    private static double largestDistance(List<Double> points) {
        double d = 0;
        for (int i = 2; i < points.size(); i += 2) {
            d = Math.max(d, points.get(i) - points.get(i - 2));
        }
        return d;
    }

    @Test
    void aStreamThatFailsBeforeItLeavesIsItsFailureAlone() throws Exception {
        HttpResponse<byte[]> r = ask(List.of(RemoteRead.ResponseType.STREAMED_XOR_CHUNKS), query(0, 10, name("jobs_total")), query(0, 10));
        assertThat(new String(r.body(), StandardCharsets.UTF_8)).isEqualTo("a remote read query needs at least one matcher\n");
        assertThat(r.statusCode()).isEqualTo(400);
        assertThat(r.headers().firstValue("Content-Type")).contains("text/plain; charset=utf-8");
    }

    @Test
    void sampledAndStreamedAnswersAreTheSameAndWithoutGaps() throws Exception {
        TreeMap<String, List<Double>> one = sampled(query(0, N, name("jobs_total")));
        assertThat(one.keySet()).containsExactly("{__name__=\"jobs_total\", cluster=\"c\", job=\"j\"}");
        assertThat(largestDistance(one.firstEntry().getValue())).isLessThanOrEqualTo(22_500);
        assertThat(streamed(query(0, N, name("jobs_total")))).isEqualTo(one);
    }

    /** As a Prometheus asks that is itself asked for {@code /api/v1/series}. */
    @Test
    void whoLooksAtLabelsAloneGetsNoSamples() throws Exception {
        RemoteRead.Query q = new RemoteRead.Query(T0, T0 + N * 15_000L, List.of(Matcher.equal("job", "j")),
                new RemoteRead.Hints(0, "series", T0, T0 + N * 15_000L, List.of(), false, 0));
        TreeMap<String, List<Double>> one = sampled(q);
        assertThat(one.keySet()).containsExactly("{__name__=\"jobs_total\", cluster=\"c\", job=\"j\"}",
                "{__name__=\"other\", cluster=\"c\", job=\"j\"}");
        assertThat(one.values()).allMatch(List::isEmpty);
        assertThat(streamed(q)).isEqualTo(one);
    }

    @Test
    void severalQueriesAreAnsweredInTheirOrder() throws Exception {
        TreeMap<String, List<Double>> both = streamed(query(0, 50, name("jobs_total")), query(0, 60, name("other")));
        assertThat(both).hasSize(2);
        assertThat(both).isEqualTo(sampled(query(0, 50, name("jobs_total")), query(0, 60, name("other"))));
        assertThat(sampled(query(0, 50, name("nothing")), query(0, 60, name("other")))).hasSize(1);
    }

    @Test
    void aReplicaGetsItsOwnSamplesAndItsTwinsInItsGap() throws Exception {
        // External labels come as equalities, the replica label among them.
        for (String replica : List.of("a", "b")) {
            long offset = replica.equals("a") ? 0 : 5000;
            int gap = replica.equals("a") ? 100 : 200;
            List<Double> points = sampled(
                    query(0, N, name("jobs_total"), Matcher.equal("cluster", "c"), Matcher.equal("replica", replica))).firstEntry()
                    .getValue();
            assertThat(largestDistance(points)).isLessThanOrEqualTo(22_500);
            for (int i = 1; i < N - 1; i++) {
                boolean inGap = i >= gap && i < gap + 20;
                assertThat(points.contains((double) (T0 + i * 15_000L + offset))).as("own sample " + i)
                        .isEqualTo(!inGap);
                assertThat(points.contains((double) (T0 + i * 15_000L + 5000 - offset))).as("the twin's sample " + i).isEqualTo(inGap);
            }
        }
        assertThat(sampled(query(0, 50, name("jobs_total"), Matcher.equal("cluster", "d"), Matcher.equal("replica", "a")))).isEmpty();
    }

    @Test
    void hintsNarrowTheTimes() throws Exception {
        RemoteRead.Query q = new RemoteRead.Query(T0, T0 + N * 15_000L, List.of(name("jobs_total")),
                new RemoteRead.Hints(15_000, "rate", T0 + 600_000, T0 + 900_000, List.of(), false, 300_000));
        List<Double> points = sampled(q).firstEntry().getValue();
        assertThat(points.getFirst()).isEqualTo(T0 + 600_000.0);
        assertThat(points.get(points.size() - 2)).isLessThanOrEqualTo(T0 + 900_000.0);
    }

    @Test
    void badRequestsAreRefusedByName() throws Exception {
        assertThat(post(new byte[]{(byte) 0xFF, 1, 2, 3, 4, 5, 6}).statusCode()).isEqualTo(400);
        HttpResponse<byte[]> empty = post(new byte[0]);
        assertThat(empty.statusCode()).isEqualTo(400);
        assertThat(new String(empty.body(), StandardCharsets.UTF_8)).contains("snappy");
        HttpResponse<byte[]> noProto = post(packed("this is no protobuf".getBytes(StandardCharsets.UTF_8)));
        assertThat(noProto.statusCode()).isEqualTo(400);
        // 8 MiB of what is said to be 2 GiB.
        assertThat(post(new byte[]{(byte) 0xFF, (byte) 0xFF, (byte) 0xFF, (byte) 0xFF, 7, 0}).statusCode()).isEqualTo(400);
        HttpResponse<byte[]> noMatcher = ask(List.of(), query(0, 10));
        assertThat(noMatcher.statusCode()).isEqualTo(400);
        assertThat(new String(noMatcher.body(), StandardCharsets.UTF_8)).contains("at least one matcher");
        HttpResponse<byte[]> badRegex = post(packed(io.varve.proto.prometheus.ReadRequest.newBuilder()
                .addQueries(io.varve.proto.prometheus.Query.newBuilder().setEndTimestampMs(T0).addMatchers(
                        io.varve.proto.prometheus.LabelMatcher.newBuilder().setTypeValue(2).setName("job").setValue("(")))
                .build().toByteArray()));
        assertThat(badRegex.statusCode()).isEqualTo(400);
        HttpResponse<byte[]> unknownTypes = post(packed(io.varve.proto.prometheus.ReadRequest.newBuilder().addAcceptedResponseTypesValue(3)
                .addAcceptedResponseTypesValue(4).build().toByteArray()));
        assertThat(unknownTypes.statusCode()).isEqualTo(400);
        assertThat(new String(unknownTypes.body(), StandardCharsets.UTF_8)).isEqualTo(
                "server does not support any of the requested response types: [3 4]; supported: map[SAMPLES:{} STREAMED_XOR_CHUNKS:{}]\n");
        assertThat(querier.get("/api/v1/read").statusCode()).isEqualTo(405);
    }

    @Test
    void aSidecarsQuestionThatComesRoundIsAnsweredWithNothing() throws Exception {
        long calls = STORES.getFirst().calls();
        assertThat(sampled(query(0, 50, name("jobs_total"), RemoteRead.LOCAL_ONLY))).isEmpty();
        assertThat(STORES.getFirst().calls()).isEqualTo(calls);
    }

    @Test
    void noQueriesIsAnEmptyAnswer() throws Exception {
        assertThat(sampled()).isEmpty();
        assertThat(streamed()).isEmpty();
    }

    @Test
    void aSampledAnswerHasALimitAndAStreamedOneHasNot() throws Exception {
        RemoteRead.Query[] many = {query(0, N, name("jobs_total")), query(0, N, name("other")), query(0, N, name("jobs_total")),
                query(0, N, name("other")), query(0, N, name("jobs_total")), query(0, N, name("other"))};
        HttpResponse<byte[]> r = ask(List.of(), many);
        assertThat(r.statusCode()).isEqualTo(400);
        assertThat(new String(r.body(), StandardCharsets.UTF_8)).contains("exceeded sample limit (2000")
                .contains("--remote-read.max-samples");
        assertThat(streamed(many)).hasSize(2);
    }

    @Test
    void anIncompleteAnswerIsRefused() throws Exception {
        STORES.getLast().fault(MemoryStore.Fault.REFUSES);
        try {
            for (RemoteRead.ResponseType t : RemoteRead.ResponseType.values()) {
                HttpResponse<byte[]> r = ask(List.of(t), query(0, 50, name("jobs_total")));
                assertThat(r.statusCode()).isEqualTo(500);
                assertThat(TestQuerier.coverage(r)).startsWith("complete=false");
            }
        } finally {
            STORES.getLast().fault(MemoryStore.Fault.NONE);
        }
    }
}

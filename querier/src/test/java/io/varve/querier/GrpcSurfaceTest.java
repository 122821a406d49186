package io.varve.querier;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.model.Labels;
import io.varve.model.LimitExceededException;
import io.varve.model.Matcher;
import io.varve.model.QueryContext;
import io.varve.model.SampleBuffer;
import io.varve.model.VarveException;
import io.varve.querier.fanout.MemoryStore;
import io.varve.runtime.grpc.Channels;
import io.varve.runtime.grpc.GrpcServer;
import io.varve.store.ExemplarsApi;
import io.varve.store.GrpcApis;
import io.varve.store.GrpcStoreClient;
import io.varve.store.LabelNamesRequest;
import io.varve.store.LabelValuesRequest;
import io.varve.store.MetadataApi;
import io.varve.store.QueryApi;
import io.varve.store.RulesApi;
import io.varve.store.SeriesRequest;
import io.varve.store.ShardInfo;
import io.varve.store.StatusApi;
import io.varve.store.StoreClient;
import io.varve.store.StoreInfo;
import io.varve.store.TargetsApi;
import java.io.ByteArrayInputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Every service of the querier over gRPC, with and without snappy. */
class GrpcSurfaceTest {
    private static final long T0 = 1_700_000_000_000L;
    private final List<AutoCloseable> open = new ArrayList<>();
    private TestQuerier querier;

    @BeforeEach
    void start() throws Exception {
        MemoryStore store = new MemoryStore(Labels.of("replica", "a"), true);
        for (int s = 0; s < 70; s++) {
            SampleBuffer b = new SampleBuffer(100);
            for (int i = 0; i < 100; i++) {
                b.add(T0 + i * 15_000L, i);
            }
            store.add(Labels.of("__name__", "m", "i", String.format("%03d", s)), b);
        }
        GrpcServer server = TestQuerier.serve(store);
        open.add(server);
        querier = new TestQuerier("--query.replica-label=replica", "--endpoint=" + server.address(), "--store.limits.request-series=80");
        open.add(querier);
    }

    @AfterEach
    void stop() throws Exception {
        for (AutoCloseable c : open.reversed()) {
            c.close();
        }
    }

    private static final class Got implements QueryApi.Results {
        final List<String> series = new ArrayList<>();
        final List<String> warnings = new ArrayList<>();
        int samples;
        long total;

        @Override
        public void series(Labels labels, SampleBuffer b) {
            series.add(labels.toString());
            samples += b.size;
        }

        @Override
        public void warning(String text) {
            warnings.add(text);
        }

        @Override
        public void stats(long samplesTotal, long peakSamples) {
            total = samplesTotal;
        }
    }

    private static final class Items<T> implements io.varve.store.Answers<T> {
        final List<T> items = new ArrayList<>();

        @Override
        public void item(T item) {
            items.add(item);
        }

        @Override
        public void warning(String text) {
            throw new AssertionError(text);
        }
    }

    @ParameterizedTest
    @EnumSource(Channels.Compression.class)
    void everyServiceAnswers(Channels.Compression compression) {
        Channels channels = new Channels(new PrometheusRegistry(), compression);
        ManagedChannel channel = channels.open(querier.grpcAddress());
        GrpcStoreClient client = new GrpcStoreClient(channel, "querier");
        try (QueryContext c = QueryContext.unlimited()) {
            StoreInfo info = client.info(c);
            assertThat(info.component()).isEqualTo("query");
            assertThat(info.services()).containsExactlyInAnyOrder(StoreInfo.Service.values());

            assertThat(series(client, c, 64)).isEqualTo(70);
            assertThat(series(client, c, 1)).isEqualTo(70);
            assertThat(client.labelNames(c, new LabelNamesRequest(T0, T0 + 1_000_000, List.of(), true, List.of(), List.of(), 0)).values())
                    .containsExactly("__name__", "i", "replica");
            assertThat(client.labelValues(c,
                    new LabelValuesRequest("i", T0, T0 + 1_000_000, List.of(), true, List.of(), List.of(), 3)).values()).hasSize(3);

            GrpcApis apis = client.apis();
            QueryApi.Options options = new QueryApi.Options(0, 0, List.of("replica"), List.of(), true, true, false, ShardInfo.NONE, 0,
                    QueryApi.Engine.DEFAULT, 32);
            Got instant = new Got();
            apis.query(c, new QueryApi.Instant("sum(m)", T0 / 1000 + 60, options), instant);
            assertThat(instant.series).containsExactly("{}");
            Got range = new Got();
            apis.queryRange(c, new QueryApi.Range("m", T0 / 1000, T0 / 1000 + 600, 60, options), range);
            assertThat(range.series).hasSize(70);
            assertThat(range.samples).isEqualTo(770);
            assertThat(range.total).isEqualTo(770);
            assertThat(range.warnings).isEmpty();
            Got far = new Got();
            apis.queryRange(c, new QueryApi.Range("m", T0 / 1000, Long.MAX_VALUE, Long.MAX_VALUE, options), far);
            assertThat(far.samples).isEqualTo(70);
            assertThatThrownBy(() -> apis.query(c, new QueryApi.Instant("sum(", T0 / 1000, options), new Got()))
                    .isInstanceOf(VarveException.class).hasMessageContaining("code = Unknown desc = 1:5: parse error");

            Items<RulesApi.Group> rules = new Items<>();
            apis.rules(c, RulesApi.Request.of(RulesApi.Kind.ALL), rules);
            assertThat(rules.items).isEmpty();
            apis.targets(c, new TargetsApi.Request(TargetsApi.Kind.values()[0], true), new Items<>());
            apis.metadata(c, new MetadataApi.Request("", -1, true), new Items<>());
            apis.exemplars(c, new ExemplarsApi.Request("m", T0, T0 + 1000, true), new Items<>());
            apis.tsdbStatistics(c, new StatusApi.Request("", 10, true, List.of()), new Items<>());
        } finally {
            client.close();
            channels.close();
        }
    }

    @Test
    void whatAQueryOverGrpcLeavesOutIsTheQueriersDefault() {
        try (Channels channels = new Channels(new PrometheusRegistry(), Channels.Compression.NONE);
                QueryContext c = QueryContext.unlimited()) {
            ManagedChannel channel = channels.open(querier.grpcAddress());
            GrpcApis apis = new GrpcStoreClient(channel, "querier").apis();
            open.add(channel::shutdownNow);
            QueryApi.Options nothing = new QueryApi.Options(0, 0, List.of(), List.of(), true, true, false, ShardInfo.NONE, 0,
                    QueryApi.Engine.DEFAULT, 0);
            // The replica label of the flag, and not none.
            Got got = new Got();
            apis.query(c, new QueryApi.Instant("count by (replica) (m)", T0 / 1000 + 60, nothing), got);
            assertThat(got.series).containsExactly("{}");
            // Now, and not 1970.
            got = new Got();
            apis.query(c, new QueryApi.Instant("vector(time()) > 1e9", 0, nothing), got);
            assertThat(got.series).containsExactly("{}");
            // One instant needs no interval.
            got = new Got();
            apis.queryRange(c, new QueryApi.Range("m", T0 / 1000 + 60, T0 / 1000 + 60, 0, nothing), got);
            assertThat(got.samples).isEqualTo(70);
            assertThatThrownBy(() -> apis.queryRange(c, new QueryApi.Range("m", T0 / 1000, T0 / 1000 + 60, 0, nothing), new Got()))
                    .isInstanceOf(VarveException.class).hasMessageContaining("positive interval");
            // Other labels than the address know nothing of stores.
            QueryApi.Options other = new QueryApi.Options(0, 0, List.of(), List.of(List.of(Matcher.equal("cluster", "x"))), true, true,
                    false,
                    ShardInfo.NONE, 0, QueryApi.Engine.DEFAULT, 0);
            got = new Got();
            apis.query(c, new QueryApi.Instant("m", T0 / 1000 + 60, other), got);
            assertThat(got.series).hasSize(70);
            // All warnings in one frame, without places in the text.
            got = new Got();
            apis.query(c, new QueryApi.Instant("quantile(2, m) + quantile(3, m)", T0 / 1000 + 60, nothing), got);
            assertThat(got.warnings).containsExactly("PromQL warning: quantile value should be between 0 and 1, got 2, "
                    + "PromQL warning: quantile value should be between 0 and 1, got 3");
            assertThatThrownBy(() -> apis.query(c, new QueryApi.Instant("m * on () m", T0 / 1000 + 60, nothing), new Got()))
                    .isInstanceOf(VarveException.class).hasMessageContaining("code = Aborted desc = found duplicate series");
        }
    }

    @ParameterizedTest
    @EnumSource(Channels.Compression.class)
    void aRequestForMoreThanIsAllowedIsRefusedByName(Channels.Compression compression) throws Exception {
        try (TestQuerier small = new TestQuerier("--endpoint=" + querier.grpcAddress(), "--store.limits.request-series=10");
                Channels channels = new Channels(new PrometheusRegistry(), compression);
                QueryContext c = QueryContext.unlimited()) {
            GrpcStoreClient client = new GrpcStoreClient(channels.open(small.grpcAddress()), "querier");
            assertThatThrownBy(() -> series(client, c, 64)).isInstanceOf(LimitExceededException.class)
                    .hasMessageContaining("exceeded series limit");
            client.close();
        }
    }

    /** Messages as bytes. */
    private static final MethodDescriptor.Marshaller<byte[]> BYTES = new MethodDescriptor.Marshaller<>() {
        @Override
        public InputStream stream(byte[] value) {
            return new ByteArrayInputStream(value);
        }

        @Override
        public byte[] parse(InputStream stream) {
            try {
                return stream.readAllBytes();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    };

    /** Sends one message, and gives what came back: the messages as Latin-1 text, then the status. */
    private static List<String> call(ManagedChannel channel, String method, byte[] request) throws Exception {
        List<String> got = new ArrayList<>();
        CompletableFuture<Status> end = new CompletableFuture<>();
        ClientCall<byte[], byte[]> call = channel.newCall(MethodDescriptor.newBuilder(BYTES, BYTES)
                .setType(MethodDescriptor.MethodType.BIDI_STREAMING).setFullMethodName(method).build(), CallOptions.DEFAULT);
        call.start(new ClientCall.Listener<>() {
            @Override
            public void onMessage(byte[] message) {
                got.add(new String(message, StandardCharsets.ISO_8859_1));
            }

            @Override
            public void onClose(Status status, Metadata trailers) {
                end.complete(status);
            }
        }, new Metadata());
        call.request(10);
        call.sendMessage(request);
        call.halfClose();
        got.add(end.get(30, TimeUnit.SECONDS).getCode().name());
        return got;
    }

    @ParameterizedTest
    @EnumSource(Channels.Compression.class)
    void toolsFindServicesAndHealthAndTooLargeRequestsAreRefused(Channels.Compression compression) throws Exception {
        try (Channels channels = new Channels(new PrometheusRegistry(), compression)) {
            ManagedChannel channel = channels.open(querier.grpcAddress());
            open.add(channel::shutdownNow);
            // HealthCheckRequest{}: HealthCheckResponse{status: SERVING}.
            assertThat(call(channel, "grpc.health.v1.Health/Check", new byte[0])).containsExactly("\u0008\u0001", "OK");
            // ServerReflectionRequest{list_services: "*"}, in the version of today and in the one that older tools ask.
            for (String version : List.of("v1", "v1alpha")) {
                List<String> services = call(channel, "grpc.reflection." + version + ".ServerReflection/ServerReflectionInfo",
                        new byte[]{0x3a, 1, '*'});
                assertThat(services).hasSize(2).last().isEqualTo("OK");
                assertThat(services.getFirst()).contains("thanos.Store", "thanos.Query", "thanos.Rules", "thanos.Targets",
                        "thanos.Metadata", "thanos.Exemplars", "thanos.Status", "thanos.info.Info", "grpc.health.v1.Health");
            }
            assertThat(call(channel, "thanos.Store/Nope", new byte[0])).containsExactly("UNIMPLEMENTED");
            // QueryRequest{query: "1", engine: 3}: there are three, from 0.
            assertThat(call(channel, "thanos.Query/Query", new byte[]{0x0a, 1, '1', 0x68, 3})).containsExactly("INVALID_ARGUMENT");
            // Too large as it comes, or only once it is unpacked.
            for (String method : List.of("thanos.Store/Series", "thanos.Store/LabelNames", "thanos.info.Info/Info")) {
                assertThat(call(channel, method, new byte[(64 << 20) + 1])).containsExactly("RESOURCE_EXHAUSTED");
            }
            assertThat(call(channel, "grpc.health.v1.Health/Check", new byte[0])).containsExactly("\u0008\u0001", "OK");
        }
    }

    /** On the wire, since a client of ours keeps the rules. */
    @Test
    void aPingNowAndThenIsAnsweredWithoutACallAndTooManyEndTheConnection() throws Exception {
        String address = querier.grpcAddress();
        try (Socket socket = new Socket("127.0.0.1", Integer.parseInt(address.substring(address.lastIndexOf(':') + 1)))) {
            socket.setSoTimeout(20_000);
            DataOutputStream out = new DataOutputStream(socket.getOutputStream());
            DataInputStream in = new DataInputStream(socket.getInputStream());
            out.writeBytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
            frame(out, 4, new byte[0]);
            frame(out, 6, "pingpong".getBytes(StandardCharsets.US_ASCII));
            assertThat(next(in, 6)).startsWith((byte) 'p', (byte) 'i');
            for (int i = 0; i < 5; i++) {
                frame(out, 6, new byte[8]);
            }
            byte[] goAway = next(in, 7);
            assertThat(goAway[7]).as("ENHANCE_YOUR_CALM").isEqualTo((byte) 11);
            assertThat(new String(goAway, 8, goAway.length - 8, StandardCharsets.US_ASCII)).isEqualTo("too_many_pings");
        }
    }

    /** RFC 9113: length, type, flags, stream, content. */
    private static void frame(DataOutputStream out, int type, byte[] content) throws IOException {
        out.writeByte(0);
        out.writeShort(content.length);
        out.writeByte(type);
        out.writeByte(0);
        out.writeInt(0);
        out.write(content);
        out.flush();
    }

    private static byte[] next(DataInputStream in, int type) throws IOException {
        while (true) {
            int length = in.readUnsignedByte() << 16 | in.readUnsignedShort();
            int got = in.readUnsignedByte();
            in.skipNBytes(5);
            byte[] content = in.readNBytes(length);
            if (got == type) {
                return content;
            }
        }
    }

    private static int series(GrpcStoreClient client, QueryContext c, long batch) {
        SeriesRequest r = new SeriesRequest(T0, T0 + 1_000_000, List.of(Matcher.equal("__name__", "m")), 0, Set.of(), true, false,
                List.of(),
                List.of(), ShardInfo.NONE, 0, batch, SeriesRequest.Spans.ALL);
        int n = 0;
        try (StoreClient.SeriesStream s = client.series(c, r)) {
            for (StoreClient.SeriesStream.Frame f = s.next(0); f != null; f = s.next(0)) {
                assertThat(f).isInstanceOf(StoreClient.SeriesStream.Frame.OfSeries.class);
                n++;
            }
        }
        return n;
    }
}

package io.varve.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.Status;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.NettyServerBuilder;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.chunk.Chunk;
import io.varve.chunk.ChunkAppender;
import io.varve.chunk.Encoding;
import io.varve.model.CancelledException;
import io.varve.model.CorruptDataException;
import io.varve.model.InvalidRequestException;
import io.varve.model.Labels;
import io.varve.model.LimitExceededException;
import io.varve.model.Matcher;
import io.varve.model.MemoryBudget;
import io.varve.model.QueryContext;
import io.varve.model.SampleBuffer;
import io.varve.model.UnavailableException;
import io.varve.model.VarveException;
import io.varve.model.XxHash64;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Client and server over a real connection. */
class GrpcStoreTest {
    private final FakeStore store = new FakeStore();
    private final Server server = start();
    private final ManagedChannel channel = NettyChannelBuilder.forAddress("127.0.0.1", server.getPort()).usePlaintext().directExecutor()
            .maxInboundMessageSize(1 << 30).build();
    private final GrpcStoreClient client = new GrpcStoreClient(channel, "test");

    private Server start() {
        try {
            return NettyServerBuilder.forAddress(new InetSocketAddress("127.0.0.1", 0)).directExecutor()
                    .addService(new GrpcStoreService(store, HintsPolicy.STRICT, () -> MemoryBudget.UNLIMITED))
                    .addService(new GrpcInfoService(store::info, () -> store.ready))
                    .addService(GrpcApiServices.rules(store, () -> MemoryBudget.UNLIMITED))
                    .addService(GrpcApiServices.targets(store, () -> MemoryBudget.UNLIMITED))
                    .addService(GrpcApiServices.metadata(store, () -> MemoryBudget.UNLIMITED))
                    .addService(GrpcApiServices.exemplars(store, () -> MemoryBudget.UNLIMITED))
                    .addService(GrpcApiServices.status(store, () -> MemoryBudget.UNLIMITED))
                    .addService(GrpcApiServices.query(store, () -> MemoryBudget.UNLIMITED)).build().start();
        } catch (java.io.IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    @AfterEach
    void stop() throws InterruptedException {
        client.close();
        server.shutdownNow().awaitTermination(5, TimeUnit.SECONDS);
    }

    private static SeriesRequest request(long batchSize) {
        return new SeriesRequest(5, 7, List.of(Matcher.equal("a", "b")), 300_000, EnumSet.of(Aggregate.SUM, Aggregate.COUNTER), true, false,
                List.of(Matcher.equal("__block_id", "x")), List.of("replica"), new ShardInfo(1, 3, true, List.of("a")), 9, batchSize,
                new SeriesRequest.Spans(1, 2, 3));
    }

    private static List<StoreClient.SeriesStream.Frame> all(StoreClient.SeriesStream stream) {
        List<StoreClient.SeriesStream.Frame> out = new ArrayList<>();
        for (var f = stream.next(10_000); f != null; f = stream.next(10_000)) {
            out.add(f);
        }
        return out;
    }

    @Test
    void whoeverComesBackIsReachedAtOnce() throws Exception {
        Server first = NettyServerBuilder.forAddress(new InetSocketAddress("127.0.0.1", 0))
                .addService(new GrpcInfoService(store::info, () -> true)).build().start();
        int port = first.getPort();
        ManagedChannel other = NettyChannelBuilder.forAddress("127.0.0.1", port).usePlaintext().directExecutor().build();
        Server second = null;
        try (GrpcStoreClient there = new GrpcStoreClient(other, "test");
                QueryContext c = new QueryContext(60_000, MemoryBudget.UNLIMITED)) {
            there.reconnect(1);
            there.info(c);
            first.shutdownNow().awaitTermination();
            // Each attempt that fails makes the wait for the next longer: three of them, and it is three seconds.
            for (int i = 0; i < 3; i++) {
                long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
                while (System.nanoTime() < end) {
                    assertThatThrownBy(() -> there.info(c)).isInstanceOf(UnavailableException.class);
                    if (other.getState(false) == io.grpc.ConnectivityState.TRANSIENT_FAILURE) {
                        break;
                    }
                }
                there.reconnect(20);
            }
            second = NettyServerBuilder.forAddress(new InetSocketAddress("127.0.0.1", port))
                    .addService(new GrpcInfoService(store::info, () -> true)).build().start();
            assertThatThrownBy(() -> there.info(c)).isInstanceOf(UnavailableException.class);
            there.reconnect(5000);
            there.info(c);
        } finally {
            first.shutdownNow();
            if (second != null) {
                second.shutdownNow();
            }
        }
    }

    @Test
    void requestsAndSeriesArriveAsTheyWereSent() {
        for (long batch : new long[]{0, 1, 2, 64}) {
            try (QueryContext context = QueryContext.unlimited();
                    StoreClient.SeriesStream stream = client.series(context.tenant("team-a"), request(batch))) {
                List<StoreClient.SeriesStream.Frame> frames = all(stream);
                assertThat(store.lastRequest).isEqualTo(request(batch));
                assertThat(store.lastTenant).isEqualTo("team-a");
                List<StoreSeries> series = frames.stream().filter(StoreClient.SeriesStream.Frame.OfSeries.class::isInstance)
                        .map(f -> ((StoreClient.SeriesStream.Frame.OfSeries) f).series()).toList();
                assertThat(series).hasSize(store.series.size());
                for (int i = 0; i < series.size(); i++) {
                    same(series.get(i), store.series.get(i));
                }
                assertThat(frames.getLast()).isEqualTo(new StoreClient.SeriesStream.Frame.OfWarning("careful"));
                assertThat(stream.queriedBlocks()).containsExactly("block-1", "block-2");
            }
        }
    }

    @Test
    void chunksCarryTheirHashesUnlessTheCallerDeclinesThem() throws Exception {
        Metadata declining = new Metadata();
        ChunkHashes.decline(declining);
        List<io.varve.proto.thanos.Chunk> with = parts(new Metadata());
        List<io.varve.proto.thanos.Chunk> without = parts(declining);
        assertThat(with).isNotEmpty().allMatch(c -> c.getHash() == XxHash64.hash(c.getData().toByteArray()));
        assertThat(without).isEqualTo(with.stream().map(c -> c.toBuilder().clearHash().build()).toList());
    }

    @Test
    void startTimestampsGoToThoseThatReadThem() throws Exception {
        List<Chunk> written = new ArrayList<>();
        ChunkAppender appender = ChunkAppender.withStartTimestamps(120, written::add);
        for (int i = 0; i < 100; i++) {
            appender.append(5, 10 + i * 10L, i);
        }
        appender.cut();
        store.series.clear();
        store.series.add(new StoreSeries(Labels.of("a", "b"), List.of(StoreChunk.raw(written.getFirst()))));
        try (QueryContext context = QueryContext.unlimited();
                StoreClient.SeriesStream stream = client.series(context, request(1))) {
            StoreSeries got = ((StoreClient.SeriesStream.Frame.OfSeries) all(stream).getFirst()).series();
            same(got, store.series.getFirst());
        }
        List<Chunk> plain = new ArrayList<>();
        ChunkAppender without = ChunkAppender.plain(120, plain::add);
        for (int i = 0; i < 100; i++) {
            without.append(10 + i * 10L, i);
        }
        without.cut();
        assertThat(parts(new Metadata())).singleElement().satisfies(c -> {
            assertThat(c.getType()).isEqualTo(io.varve.proto.thanos.Chunk.Encoding.XOR);
            assertThat(c.getData().toByteArray()).isEqualTo(plain.getFirst().data());
            assertThat(c.getHash()).isEqualTo(XxHash64.hash(plain.getFirst().data()));
        });
    }

    /** The chunks that a call with the headers is answered with. */
    private List<io.varve.proto.thanos.Chunk> parts(Metadata headers) throws Exception {
        ClientCall<byte[], byte[]> call = channel.newCall(Methods.raw(io.varve.proto.thanos.StoreGrpc.getSeriesMethod()),
                CallOptions.DEFAULT);
        BlockingQueue<byte[]> frames = new LinkedBlockingQueue<>();
        CountDownLatch closed = new CountDownLatch(1);
        call.start(new ClientCall.Listener<>() {
            @Override
            public void onMessage(byte[] message) {
                frames.add(message);
            }

            @Override
            public void onClose(Status status, Metadata trailers) {
                closed.countDown();
            }
        }, headers);
        call.request(1000);
        call.sendMessage(io.varve.proto.thanos.SeriesRequest.newBuilder().setResponseBatchSize(2).build().toByteArray());
        call.halfClose();
        assertThat(closed.await(10, TimeUnit.SECONDS)).isTrue();
        List<io.varve.proto.thanos.Chunk> out = new ArrayList<>();
        for (byte[] frame : frames) {
            for (var series : io.varve.proto.thanos.SeriesResponse.parseFrom(frame).getBatch().getSeriesList()) {
                for (var c : series.getChunksList()) {
                    out.addAll(List.of(c.getRaw(), c.getCount(), c.getSum(), c.getMin(), c.getMax(), c.getCounter()));
                }
            }
        }
        out.removeIf(c -> c.getData().isEmpty());
        return out;
    }

    @Test
    void aNegativeBatchSizeIsAnsweredWithAWarningAlone() {
        try (QueryContext context = QueryContext.unlimited(); StoreClient.SeriesStream stream = client.series(context, request(-5))) {
            assertThat(all(stream)).containsExactly(
                    new StoreClient.SeriesStream.Frame.OfWarning("response_batch_size -5 is negative: nothing is answered"));
        }
    }

    private static void same(StoreSeries got, StoreSeries want) {
        assertThat(got.labels()).isEqualTo(want.labels());
        assertThat(got.chunks()).hasSize(want.chunks().size());
        for (int i = 0; i < got.chunks().size(); i++) {
            StoreChunk g = got.chunks().get(i);
            StoreChunk w = want.chunks().get(i);
            assertThat(g.minTime()).isEqualTo(w.minTime());
            assertThat(g.maxTime()).isEqualTo(w.maxTime());
            for (var part : List.<java.util.function.Function<StoreChunk, Chunk>>of(StoreChunk::raw, StoreChunk::count, StoreChunk::sum,
                    StoreChunk::min, StoreChunk::max, StoreChunk::counter)) {
                Chunk gp = part.apply(g);
                Chunk wp = part.apply(w);
                assertThat(gp == null).isEqualTo(wp == null);
                assertThat(gp == null || gp.sameContent(wp)).isTrue();
            }
        }
    }

    @Test
    void namesValuesAndInfoArrive() {
        try (QueryContext context = QueryContext.unlimited()) {
            assertThat(client.labelNames(context, new LabelNamesRequest(1, 2, List.of(), false, List.of(), List.of("r"), 3)))
                    .isEqualTo(new StringsResponse(List.of("1", "2", "false", "[r]", "3"), List.of("w"), List.of("b")));
            assertThat(client.labelValues(context, new LabelValuesRequest("l", 1, 2, List.of(Matcher.equal("x", "ü")), true, List.of(),
                    List.of(), 0)).values()).containsExactly("l", "x=\"ü\"");
            assertThat(client.info(context)).isEqualTo(store.info());
            store.ready = false;
            assertThatThrownBy(() -> client.info(context)).isInstanceOf(UnavailableException.class).hasMessageContaining("Not ready");
        }
    }

    @Test
    void whatIsNoMessageIsAnInternalErrorOfEveryCall() {
        for (var method : List.of(io.varve.proto.thanos.info.InfoGrpc.getInfoMethod(),
                io.varve.proto.thanos.StoreGrpc.getLabelNamesMethod(), io.varve.proto.thanos.StoreGrpc.getLabelValuesMethod(),
                io.varve.proto.thanos.StoreGrpc.getSeriesMethod())) {
            var raw = method.toBuilder(Bytes.MARSHALLER, Bytes.MARSHALLER).build();
            var ended = new java.util.concurrent.CompletableFuture<io.grpc.Status>();
            var call = channel.newCall(raw, io.grpc.CallOptions.DEFAULT);
            call.start(new io.grpc.ClientCall.Listener<>() {
                @Override
                public void onClose(io.grpc.Status status, io.grpc.Metadata trailers) {
                    ended.complete(status);
                }
            }, new io.grpc.Metadata());
            call.sendMessage(new byte[]{(byte) 0xFF, (byte) 0xFF});
            call.halfClose();
            call.request(1);
            io.grpc.Status status = ended.orTimeout(10, java.util.concurrent.TimeUnit.SECONDS).join();
            assertThat(status.getCode()).as(method.getFullMethodName()).isEqualTo(io.grpc.Status.Code.INTERNAL);
            assertThat(status.getDescription()).startsWith("cannot read the message: ");
        }
    }

    @Test
    void kindsOfFailureKeepTheirMeaning() {
        record Case(RuntimeException thrown, Class<? extends VarveException> seen, String text) {
        }
        for (Case c : List.of(
                new Case(new InvalidRequestException("bad"), InvalidRequestException.class, "rpc error: code = InvalidArgument desc = bad"),
                new Case(new UnavailableException("later"), UnavailableException.class, "rpc error: code = Unavailable desc = later"),
                new Case(new LimitExceededException("l", "much"), LimitExceededException.class, "code = ResourceExhausted desc = much"),
                new Case(new CorruptDataException("f", 3, "rule"), UnavailableException.class, "code = Unknown desc = f: offset 3: rule"),
                new Case(new IllegalStateException("bug"), UnavailableException.class, "code = Internal desc = internal error"))) {
            store.failure = c.thrown;
            try (QueryContext context = QueryContext.unlimited(); StoreClient.SeriesStream stream = client.series(context, request(1))) {
                assertThatThrownBy(() -> all(stream)).isInstanceOf(c.seen).hasMessageContaining(c.text);
            }
        }
    }

    @Test
    void deadlinesEndBothSides() throws Exception {
        store.block = new CountDownLatch(1);
        // A call that ends before the store has heard of it ends one side: on a busy machine a short one does.
        for (long millis = 200; store.lastRequest == null; millis *= 4) {
            try (QueryContext context = new QueryContext(millis, MemoryBudget.UNLIMITED);
                    StoreClient.SeriesStream stream = client.series(context, request(1))) {
                assertThatThrownBy(() -> all(stream)).isInstanceOf(CancelledException.class);
            }
        }
        assertThat(store.cancelled.await(10, TimeUnit.SECONDS)).isTrue();
    }

    @Test
    void closingTheStreamEndsTheCall() throws Exception {
        store.block = new CountDownLatch(1);
        try (QueryContext context = QueryContext.unlimited()) {
            StoreClient.SeriesStream stream = client.series(context, request(1));
            assertThat(stream.next(10_000)).isNotNull();
            stream.close();
            assertThatThrownBy(() -> stream.next(0)).isInstanceOf(CancelledException.class);
        }
        assertThat(store.cancelled.await(10, TimeUnit.SECONDS)).isTrue();
    }

    @Test
    void aSilentStoreIsGivenUp() {
        store.block = new CountDownLatch(1);
        store.series.clear();
        try (QueryContext context = QueryContext.unlimited(); StoreClient.SeriesStream stream = client.series(context, request(1))) {
            assertThatThrownBy(() -> stream.next(50)).isInstanceOf(UnavailableException.class).hasMessageContaining("50ms from test");
        }
    }

    @Test
    void aSlowReaderSlowsTheSender() throws Exception {
        store.endless = true;
        AtomicLong peak = new AtomicLong();
        MemoryBudget budget = new MemoryBudget() {
            private final AtomicLong used = new AtomicLong();

            @Override
            public void reserve(long bytes, String what) {
                peak.accumulateAndGet(used.addAndGet(bytes), Math::max);
            }

            @Override
            public void release(long bytes) {
                used.addAndGet(-bytes);
            }

            @Override
            public long reserved() {
                return used.get();
            }
        };
        try (QueryContext context = new QueryContext(0, budget); StoreClient.SeriesStream stream = client.series(context, request(1))) {
            // The sender is never more than what fits on the way ahead of the reader.
            for (int i = 0; i < 600; i++) {
                assertThat(stream.next(10_000)).isNotNull();
                assertThat(store.sent.get() - i).isLessThan(1000);
            }
        }
        assertThat(store.cancelled.await(10, TimeUnit.SECONDS)).isTrue();
        assertThat(peak.get()).isPositive().isLessThan(16 << 20);
        assertThat(budget.reserved()).isZero();
    }

    @Test
    void aReaderWithoutMemoryRefuses() {
        store.endless = true;
        MemoryBudget none = new MemoryBudget() {
            @Override
            public void reserve(long bytes, String what) {
                throw new LimitExceededException("tests", "no memory for " + what);
            }

            @Override
            public void release(long bytes) {
            }

            @Override
            public long reserved() {
                return 0;
            }
        };
        try (QueryContext context = new QueryContext(0, none); StoreClient.SeriesStream stream = client.series(context, request(1))) {
            assertThatThrownBy(() -> stream.next(10_000)).isInstanceOf(LimitExceededException.class)
                    .hasMessageContaining("frames received");
        }
    }

    @Test
    void hintsOfAnotherKindAreRefusedWhereTheyMatter() {
        var hints = com.google.protobuf.Any.newBuilder().setTypeUrl("type.googleapis.com/hintspb.LabelNamesRequestHints").build();
        var request = io.varve.proto.thanos.SeriesRequest.newBuilder().setHints(hints).build();
        assertThatThrownBy(() -> Wire.read(request, HintsPolicy.STRICT)).isInstanceOf(InvalidRequestException.class).hasMessage(
                "unmarshal series request hints: mismatched message type: got \"hintspb.LabelNamesRequestHints\" want \"hintspb.SeriesRequestHints\"");
        assertThat(Wire.read(request, HintsPolicy.NONE).blockMatchers()).isEmpty();
        for (String url : List.of("", "hintspb.SeriesRequestHints")) {
            var nameless = request.toBuilder().setHints(com.google.protobuf.Any.newBuilder().setTypeUrl(url)).build();
            assertThatThrownBy(() -> Wire.read(nameless, HintsPolicy.STRICT)).isInstanceOf(InvalidRequestException.class)
                    .hasMessage("unmarshal series request hints: message type url \"" + url + "\" is invalid");
        }
    }

    @Test
    void badMatchersSayWhereTheyStoodAsAtThanosStoreGateway() {
        var bad = io.varve.proto.thanos.LabelMatcher.newBuilder().setTypeValue(2).setName("a").setValue("(").build();
        String why = "error parsing regexp: missing closing ): `(`";
        var hints = com.google.protobuf.Any.newBuilder().setTypeUrl("type.googleapis.com/hintspb.SeriesRequestHints")
                .setValue(io.varve.proto.thanos.hints.SeriesRequestHints.newBuilder().addBlockMatchers(bad).build().toByteString()).build();
        var series = io.varve.proto.thanos.SeriesRequest.newBuilder().setHints(hints).build();
        assertThatThrownBy(() -> Wire.read(series, HintsPolicy.STRICT)).isInstanceOf(InvalidRequestException.class)
                .hasMessage("translate request hints labels matchers: " + why);
        var names = io.varve.proto.thanos.LabelNamesRequest.newBuilder().addMatchers(bad).build();
        assertThatThrownBy(() -> Wire.read(names, HintsPolicy.STRICT)).hasMessage("translate request labels matchers: " + why);
        assertThatThrownBy(() -> Wire.read(names, HintsPolicy.NONE)).hasMessage(why);
        var values = io.varve.proto.thanos.LabelValuesRequest.newBuilder().setLabel("a").addMatchers(bad).build();
        assertThatThrownBy(() -> Wire.read(values, HintsPolicy.STRICT)).hasMessage("translate request labels matchers: " + why);
    }

    @Test
    void limitsStrikeByName() {
        LimitedStore limited = new LimitedStore(store, new PrometheusRegistry(), 2, 0);
        List<StoreSeries> passed = new ArrayList<>();
        SeriesSink sink = new SeriesSink() {
            @Override
            public void series(StoreSeries series) {
                passed.add(series);
            }

            @Override
            public void warning(String text) {
            }

            @Override
            public void queriedBlocks(List<String> ids) {
            }
        };
        try (QueryContext context = QueryContext.unlimited()) {
            assertThatThrownBy(() -> limited.series(context, request(1), sink)).isInstanceOf(LimitExceededException.class)
                    .hasMessage("exceeded series limit: failed to send series: limit 2 violated (got 3)");
            assertThat(passed).hasSize(2);
            LimitedStore samples = new LimitedStore(store, new PrometheusRegistry(), 0, 120);
            assertThatThrownBy(() -> samples.series(context, request(1), sink)).isInstanceOf(LimitExceededException.class)
                    .hasMessageContaining("limit 120 violated (got 240)");
        }
    }

    @Test
    void theOtherApisArrive() {
        GrpcApis apis = client.apis();
        try (QueryContext context = QueryContext.unlimited()) {
            Collected<RulesApi.Group> rules = new Collected<>();
            apis.rules(context, RulesApi.Request.of(RulesApi.Kind.ALERT), rules);
            assertThat(rules.items).containsExactly(FakeStore.GROUP);
            assertThat(rules.warnings).containsExactly("rules of ALERT");
            Collected<TargetsApi.Discovery> targets = new Collected<>();
            apis.targets(context, new TargetsApi.Request(TargetsApi.Kind.DROPPED, false), targets);
            assertThat(targets.items).containsExactly(FakeStore.TARGETS);
            Collected<Map<String, List<MetadataApi.Meta>>> metadata = new Collected<>();
            apis.metadata(context, new MetadataApi.Request("m", -1, true), metadata);
            assertThat(metadata.items).containsExactly(Map.of("m", List.of(new MetadataApi.Meta("counter", "help", "unit"))));
            Collected<ExemplarsApi.ExemplarSeries> exemplars = new Collected<>();
            apis.exemplars(context, new ExemplarsApi.Request("up", 1, 2, true), exemplars);
            assertThat(exemplars.items).containsExactly(new ExemplarsApi.ExemplarSeries(Labels.of("q", "up"),
                    List.of(new ExemplarsApi.Exemplar(Labels.of("trace", "t"), -0.5, 1))));
            Collected<Map<String, StatusApi.TsdbStatistics>> statistics = new Collected<>();
            apis.tsdbStatistics(context, new StatusApi.Request("", 5, true, List.of(Matcher.equal("a", "b"))), statistics);
            assertThat(statistics.items).containsExactly(Map.of("", FakeStore.STATISTICS));
            List<String> results = new ArrayList<>();
            QueryApi.Options options = new QueryApi.Options(1, 2, List.of("r"), List.of(List.of(Matcher.equal("x", "y"))), true, false,
                    true,
                    ShardInfo.NONE, 3, QueryApi.Engine.THANOS, 2);
            apis.query(context, new QueryApi.Instant("up", 17, options), results(results));
            apis.queryRange(context, new QueryApi.Range("up", 1, 2, 3, options), results(results));
            assertThat(results).containsExactly("{a=\"1\"} 17=1.5 18=H5.0", "warn THANOS", "stats 3 4", "{} 1=-0.0", "{b=\"2\"} 2=NaN");
        }
    }

    private static QueryApi.Results results(List<String> into) {
        return new QueryApi.Results() {
            @Override
            public void series(Labels labels, SampleBuffer samples) {
                StringBuilder sb = new StringBuilder(labels.toString());
                for (int i = 0; i < samples.size; i++) {
                    var h = samples.histogram(i);
                    sb.append(' ').append(samples.timestamps[i]).append('=').append(h == null ? "" + samples.values[i] : "H" + h.count());
                }
                into.add(sb.toString());
            }

            @Override
            public void warning(String text) {
                into.add("warn " + text);
            }

            @Override
            public void stats(long samplesTotal, long peakSamples) {
                into.add("stats " + samplesTotal + " " + peakSamples);
            }
        };
    }

    private static final class Collected<T> implements Answers<T> {
        final List<T> items = new ArrayList<>();
        final List<String> warnings = new ArrayList<>();

        @Override
        public void item(T item) {
            items.add(item);
        }

        @Override
        public void warning(String text) {
            warnings.add(text);
        }
    }

    /** A store with made-up answers. */
    private static final class FakeStore implements Store, RulesApi, TargetsApi, MetadataApi, ExemplarsApi, StatusApi, QueryApi {
        static final java.time.Instant NEVER = java.time.Instant.parse("0001-01-01T00:00:00Z");
        static final RulesApi.Group GROUP = new RulesApi.Group("g", "f", List.of(
                new RulesApi.Recording("r", "up", Labels.of("a", "b"), "ok", "", 0.5, java.time.Instant.ofEpochSecond(5, 7)),
                new RulesApi.Alerting(RulesApi.State.FIRING, "A", "up == 1", 60, 5, Labels.of("s", "p"), Labels.of("summary", "{{ $x }}"),
                        List.of(new RulesApi.Alert(Labels.of("i", "1"), Labels.EMPTY, RulesApi.State.PENDING, null, "1e+00", false)),
                        "err", "because", 1, NEVER)),
                30, 0.25, NEVER, true, 7);
        static final TargetsApi.Discovery TARGETS = new TargetsApi.Discovery(
                List.of(new TargetsApi.Active(Labels.of("d", "1"), Labels.of("l", "2"), "pool", "url", "global", "err", NEVER, 0.25,
                        TargetsApi.Health.UNKNOWN)),
                List.of(new TargetsApi.Dropped(Labels.of("d", "x"))));
        static final StatusApi.TsdbStatistics STATISTICS = new StatusApi.TsdbStatistics(new StatusApi.Head(1, 2, 3, -4, 5),
                List.of(new StatusApi.Statistic("m", 9)), List.of(), List.of(new StatusApi.Statistic("x", 1)), List.of());

        final List<StoreSeries> series = new ArrayList<>();
        final AtomicLong sent = new AtomicLong();
        final CountDownLatch cancelled = new CountDownLatch(1);
        volatile boolean ready = true;
        volatile boolean endless;
        volatile @Nullable RuntimeException failure;
        volatile @Nullable CountDownLatch block;
        volatile @Nullable SeriesRequest lastRequest;
        volatile @Nullable String lastTenant;

        FakeStore() {
            Random random = new Random(11);
            for (int i = 0; i < 150; i++) {
                byte[] data = new byte[random.nextInt(400)];
                random.nextBytes(data);
                Chunk raw = Chunk.of(-5 + i, i * 1000L, Encoding.XOR, data);
                Chunk h = new Chunk(-5 + i, i * 1000L, Encoding.FLOAT_HISTOGRAM, data, data.length / 3, data.length / 2);
                series.add(new StoreSeries(Labels.of("__name__", "m" + i % 7, "é", "ü" + i, "z", "x".repeat(i % 140)),
                        List.of(StoreChunk.raw(raw), new StoreChunk(-5 + i, i * 1000L, null, raw, h, null, null, raw))));
            }
        }

        @Override
        public StoreInfo info() {
            return new StoreInfo("store", List.of(Labels.of("a", "b"), Labels.of("c", "d")),
                    new StoreInfo.StoreSpan(-5, Long.MAX_VALUE, true, false, List.of(new StoreInfo.TsdbInfo(Labels.of("a", "b"), 1, 2))),
                    Set.of(StoreInfo.Service.RULES, StoreInfo.Service.EXEMPLARS));
        }

        @Override
        public void series(QueryContext context, SeriesRequest request, SeriesSink sink) {
            lastRequest = request;
            lastTenant = context.tenant();
            context.onCancel(cancelled::countDown);
            RuntimeException fails = failure;
            if (fails != null) {
                throw fails;
            }
            for (StoreSeries s : series) {
                sink.series(s);
            }
            byte[] data = new byte[64 << 10];
            while (endless) {
                sink.series(new StoreSeries(Labels.of("a", "b"), List.of(StoreChunk.raw(Chunk.of(1, 2, Encoding.XOR, data)))));
                sent.incrementAndGet();
            }
            CountDownLatch blocks = block;
            if (blocks != null) {
                try {
                    AtomicReference<Thread> me = new AtomicReference<>(Thread.currentThread());
                    context.onCancel(() -> me.get().interrupt());
                    blocks.await();
                } catch (InterruptedException e) {
                    context.check();
                }
            }
            sink.queriedBlocks(List.of("block-1", "block-2"));
            sink.warning("careful");
        }

        @Override
        public StringsResponse labelNames(QueryContext context, LabelNamesRequest r) {
            return new StringsResponse(List.of("" + r.minTime(), "" + r.maxTime(), "" + r.partialResponse(), "" + r.withoutReplicaLabels(),
                    "" + r.limit()), List.of("w"), List.of("b"));
        }

        @Override
        public StringsResponse labelValues(QueryContext context, LabelValuesRequest r) {
            return new StringsResponse(List.of(r.label(), r.matchers().getFirst().toString()), List.of(), List.of());
        }

        @Override
        public void rules(QueryContext context, RulesApi.Request request, Answers<RulesApi.Group> answers) {
            answers.warning("rules of " + request.kind());
            answers.item(GROUP);
        }

        @Override
        public void targets(QueryContext context, TargetsApi.Request request, Answers<TargetsApi.Discovery> answers) {
            answers.item(request.kind() == TargetsApi.Kind.DROPPED ? TARGETS : new TargetsApi.Discovery(List.of(), List.of()));
        }

        @Override
        public void metadata(QueryContext context, MetadataApi.Request request, Answers<Map<String, List<MetadataApi.Meta>>> answers) {
            answers.item(Map.of(request.metric(), List.of(new MetadataApi.Meta("counter", "help", "unit"))));
        }

        @Override
        public void exemplars(QueryContext context, ExemplarsApi.Request request, Answers<ExemplarsApi.ExemplarSeries> answers) {
            answers.item(new ExemplarsApi.ExemplarSeries(Labels.of("q", request.query()),
                    List.of(new ExemplarsApi.Exemplar(Labels.of("trace", "t"), -0.5, request.start()))));
        }

        @Override
        public void tsdbStatistics(QueryContext context, StatusApi.Request request,
                Answers<Map<String, StatusApi.TsdbStatistics>> answers) {
            answers.item(Map.of("", STATISTICS));
        }

        @Override
        public void query(QueryContext context, QueryApi.Instant request, Results results) {
            SampleBuffer b = new SampleBuffer(2);
            b.add(request.timeSeconds(), 1.5);
            b.add(request.timeSeconds() + 1, new io.varve.model.FloatHistogram(io.varve.model.CounterResetHint.GAUGE, -4, 0.5, 1, 5, -2.5,
                    List.of(new io.varve.model.Span(-3, 2)), new double[]{1, 3}, List.of(new io.varve.model.Span(0, 1)), new double[]{2},
                    new double[0]));
            results.series(Labels.of("a", "1"), b);
            results.warning("" + request.options().engine());
            results.stats(3, 4);
        }

        @Override
        public void queryRange(QueryContext context, QueryApi.Range request, Results results) {
            SampleBuffer b = new SampleBuffer(2);
            b.add(request.startSeconds(), -0.0);
            results.series(Labels.EMPTY, b);
            b.clear();
            b.add(request.endSeconds(), Double.NaN);
            results.series(Labels.of("b", "2"), b);
        }
    }
}

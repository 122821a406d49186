package io.varve.sidecar;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.chunk.Chunk;
import io.varve.chunk.ChunkAppender;
import io.varve.model.ErrorText;
import io.varve.model.InvalidRequestException;
import io.varve.model.Labels;
import io.varve.model.Matcher;
import io.varve.model.QueryContext;
import io.varve.model.UnavailableException;
import io.varve.runtime.ProcessRunner;
import io.varve.runtime.flags.FlagException;
import io.varve.runtime.grpc.Channels;
import io.varve.runtime.http.HttpServer;
import io.varve.runtime.http.HttpStatusException;
import io.varve.runtime.http.Request;
import io.varve.runtime.http.Routes;
import io.varve.store.Aggregate;
import io.varve.store.Answers;
import io.varve.store.GrpcStoreClient;
import io.varve.store.LabelNamesRequest;
import io.varve.store.LabelValuesRequest;
import io.varve.store.ProtoWriter;
import io.varve.store.RemoteRead;
import io.varve.store.RulesApi;
import io.varve.store.SeriesRequest;
import io.varve.store.ShardInfo;
import io.varve.store.StoreClient;
import io.varve.store.StoreInfo;
import io.varve.store.StoreSeries;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumSet;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The whole process in this JVM beside a made-up Prometheus. */
class SidecarProcessTest {
    /** A Prometheus with a few series; what tests change is volatile. */
    private static final class FakePrometheus implements AutoCloseable {
        volatile String externalLabels = "{cluster: x, replica: a}";
        volatile String maxBlock = "2h";
        volatile boolean down;
        final List<String> selectors = new ArrayList<>();
        final List<Labels> series = new ArrayList<>(List.of(Labels.of("__name__", "up"), Labels.of("__name__", "up", "aaa", "1"),
                Labels.of("__name__", "up", "job", "b"), Labels.of("__name__", "up", "zone", "z")));
        final HttpServer server = HttpServer.start("127.0.0.1:0", Duration.ofSeconds(1),
                Routes.builder().get(null, "/p/api/v1/status/config", (q, a) -> {
                    if (down) {
                        throw new HttpStatusException(503, "down");
                    }
                    a.sendText(200,
                            "{\"status\":\"success\",\"data\":{\"yaml\":\"global:\\n  external_labels: " + externalLabels + "\\n\"}}");
                }).get(null, "/p/api/v1/status/flags", (q, a) -> a.sendText(200,
                        "{\"status\":\"success\",\"data\":{\"storage.tsdb.min-block-duration\":\"2h\",\"storage.tsdb.max-block-duration\":\""
                                + maxBlock
                                + "\"}}"))
                        .get(null, "/p/api/v1/status/buildinfo",
                                (q, a) -> a.sendText(200, "{\"status\":\"success\",\"data\":{\"version\":\"3.1.0\"}}"))
                        .get(null, "/p/metrics", (q, a) -> a.sendText(200, "# x\nprometheus_tsdb_lowest_timestamp_seconds 1.5e+06\n"))
                        .getOrPost(null, "/p/api/v1/labels", (q, a) -> {
                            remember(q);
                            a.sendText(200, "{\"status\":\"success\",\"data\":[\"__name__\",\"aaa\",\"job\",\"zone\"]}");
                        }).getOrPost(null, "/p/api/v1/series", (q, a) -> {
                            remember(q);
                            a.sendText(200,
                                    "{\"status\":\"success\",\"data\":[{\"__name__\":\"up\",\"job\":\"b\"},{\"__name__\":\"up\"}]}");
                        }).get(null, "/p/api/v1/label/{name}/values", (q, a) -> {
                            if (q.pathParameter("name").equals("bad")) {
                                throw new HttpStatusException(400, "no");
                            }
                            a.sendText(200, "{\"status\":\"success\",\"data\":[\"b\",\"c\"],\"warnings\":[\"slow\"]}");
                        }).get(null, "/p/api/v1/rules",
                                (q, a) -> a.sendText(200,
                                        "{\"status\":\"success\",\"data\":{\"groups\":[{\"name\":\"g\",\"file\":\"f\",\"interval\":5,"
                                                + "\"rules\":[{\"type\":\"recording\",\"name\":\"r\",\"query\":\"up\",\"labels\":{\"a\":\"b\",\"none\":\"\"},"
                                                + "\"health\":\"ok\",\"lastEvaluation\":\"2026-11-21T01:08:26.933873391Z\"}]}]}}"))
                        .post(null, "/p/api/v1/read", this::read).build(),
                new PrometheusRegistry());

        private void remember(Request q) {
            synchronized (selectors) {
                selectors.add(String.join("|", q.parameterValues("match[]")));
            }
        }

        private void read(Request q, io.varve.runtime.http.Response a) throws java.io.IOException {
            byte[] body = q.readBody(1 << 20);
            io.airlift.compress.v3.snappy.SnappyDecompressor snappy = io.airlift.compress.v3.snappy.SnappyDecompressor.create();
            byte[] plain = new byte[snappy.getUncompressedLength(body, 0)];
            snappy.decompress(body, 0, body.length, plain, 0, plain.length);
            RemoteRead.Query query = RemoteRead.readRequest(plain).queries().getFirst();
            a.header("Content-Type", RemoteRead.STREAMED);
            ProtoWriter out = new ProtoWriter(100);
            for (Labels l : series) {
                if (query.matchers().stream().allMatch(m -> m.matches(l.get(m.name())))) {
                    List<Chunk> chunks = new ArrayList<>();
                    ChunkAppender appender = ChunkAppender.withStartTimestamps(120, chunks::add);
                    appender.append(5, query.start(), 1.5);
                    appender.append(5, query.start() + 10, 2.5);
                    appender.cut();
                    a.body().write(RemoteRead.frame(out, 0, l, chunks));
                }
            }
        }

        String url() {
            return "http://" + server.address() + "/p/";
        }

        @Override
        public void close() {
            server.close();
        }
    }

    @TempDir
    Path dir;
    private final FakePrometheus prometheus = new FakePrometheus();
    private final Channels channels = new Channels(new PrometheusRegistry(), Channels.Compression.SNAPPY);

    @AfterEach
    void stop() {
        channels.close();
        prometheus.close();
    }

    private ProcessRunner.Running launch(String... more) throws Exception {
        List<String> args = new ArrayList<>(List.of("--prometheus.url=" + prometheus.url(), "--http-address=127.0.0.1:0",
                "--grpc-address=127.0.0.1:0", "--http-grace-period=1s", "--grpc-grace-period=1s"));
        args.addAll(List.of(more));
        return ProcessRunner.launch(new SidecarCommand(), args.toArray(String[]::new));
    }

    private static void awaitReady(ProcessRunner.Running running, boolean ready) throws InterruptedException {
        CountDownLatch latch = new CountDownLatch(1);
        running.context().probes().onReadyChange(r -> {
            if (r == ready) {
                latch.countDown();
            }
        });
        assertThat(latch.await(20, TimeUnit.SECONDS)).isTrue();
    }

    private GrpcStoreClient client(ProcessRunner.Running running) {
        return new GrpcStoreClient(channels.open(running.context().grpcAddress()), "sidecar");
    }

    private static SeriesRequest request(List<Matcher> matchers, boolean skipChunks, List<String> without, ShardInfo shard, long limit) {
        return new SeriesRequest(0, Long.MAX_VALUE, matchers, 0, EnumSet.noneOf(Aggregate.class), true, skipChunks, List.of(), without,
                shard, limit,
                64, SeriesRequest.Spans.ALL);
    }

    private static List<StoreSeries> series(StoreClient client, SeriesRequest request) {
        List<StoreSeries> out = new ArrayList<>();
        try (QueryContext context = QueryContext.unlimited(); StoreClient.SeriesStream stream = client.series(context, request)) {
            for (var f = stream.next(20_000); f != null; f = stream.next(20_000)) {
                out.add(((StoreClient.SeriesStream.Frame.OfSeries) f).series());
            }
        }
        return out;
    }

    @Test
    void servesPrometheusDataWithExternalLabels() throws Exception {
        try (ProcessRunner.Running running = launch()) {
            awaitReady(running, true);
            try (GrpcStoreClient client = client(running); QueryContext context = QueryContext.unlimited()) {
                StoreInfo info = client.info(context);
                assertThat(info.component()).isEqualTo("sidecar");
                assertThat(info.labelSets()).containsExactly(Labels.of("cluster", "x", "replica", "a"));
                assertThat(Objects.requireNonNull(info.store()).minTime()).isEqualTo(1_500_000_000L);
                assertThat(info.services()).contains(StoreInfo.Service.RULES, StoreInfo.Service.STATUS);

                List<StoreSeries> all = series(client,
                        request(List.of(Matcher.equal("__name__", "up"), Matcher.equal("cluster", "x")), false, List.of("replica"),
                                ShardInfo.NONE, 0));
                assertThat(all).extracting(StoreSeries::labels).containsExactlyInAnyOrder(Labels.of("__name__", "up", "cluster", "x"),
                        Labels.of("__name__", "up", "aaa", "1", "cluster", "x"), Labels.of("__name__", "up", "cluster", "x", "job", "b"),
                        Labels.of("__name__", "up", "cluster", "x", "zone", "z")).isSortedAccordingTo(Comparator.naturalOrder());
                // Chunks with start timestamps come as they are to those that read them.
                Chunk chunk = Objects.requireNonNull(all.getFirst().chunks().getFirst().raw());
                assertThat(chunk.encoding()).isEqualTo(io.varve.chunk.Encoding.XOR2);
                assertThat(chunk.minTime()).isEqualTo(1_500_000_000L);

                assertThat(series(client, request(List.of(Matcher.equal("cluster", "y"), Matcher.equal("__name__", "up")), false, List.of(),
                        ShardInfo.NONE, 0))).isEmpty();
                assertThat(series(client, request(List.of(Matcher.equal("__name__", "up")), false, List.of(), ShardInfo.NONE, 2)))
                        .hasSize(2);
                List<Labels> shards = new ArrayList<>();
                for (int i = 0; i < 3; i++) {
                    shards.addAll(series(client, request(List.of(Matcher.equal("__name__", "up")), false, List.of(),
                            new ShardInfo(i, 3, false, List.of("job")), 0)).stream().map(StoreSeries::labels).toList());
                }
                assertThat(shards).hasSize(4).doesNotHaveDuplicates();
                assertThatThrownBy(
                        () -> series(client, request(List.of(Matcher.equal("cluster", "x")), false, List.of(), ShardInfo.NONE, 0)))
                        .isInstanceOf(InvalidRequestException.class)
                        .hasMessageContaining("no matchers specified (excluding external labels)");
                assertThatThrownBy(
                        () -> client.labelValues(context, new LabelValuesRequest("bad", 0, 1, List.of(), true, List.of(), List.of(), 0)))
                        .isInstanceOf(InvalidRequestException.class).hasMessageContaining("expected 2xx response, got 400. Body: no");
            }
        }
    }

    @Test
    void answersLabelsAndSelectorsThatPrometheusWouldRefuse() throws Exception {
        try (ProcessRunner.Running running = launch()) {
            awaitReady(running, true);
            try (GrpcStoreClient client = client(running); QueryContext context = QueryContext.unlimited()) {
                assertThat(series(client, request(List.of(Matcher.of(Matcher.Type.REGEX, "job", ".*")), true, List.of("replica"),
                        ShardInfo.NONE, 0))).extracting(StoreSeries::labels).containsExactly(Labels.of("__name__", "up", "cluster", "x"),
                                Labels.of("__name__", "up", "cluster", "x", "job", "b"));
                assertThat(prometheus.selectors).last().isEqualTo("{job=~\".*\",__name__!=\"\"}");
                assertThat(client.labelNames(context,
                        new LabelNamesRequest(0, 1, List.of(Matcher.equal("cluster", "x"), Matcher.equal("nope", "")), true, List.of(),
                                List.of("replica"), 0))
                        .values()).containsExactly("__name__", "aaa", "cluster", "job", "zone");
                assertThat(prometheus.selectors).last().isEqualTo("{nope=\"\",__name__!=\"\"}");
                // Prometheus' parser takes a bare U+FFFD for bytes that are no UTF-8.
                client.labelNames(context,
                        new LabelNamesRequest(0, 1, List.of(Matcher.equal("job", "a\uFFFDb")), true, List.of(), List.of(), 0));
                assertThat(prometheus.selectors).last().isEqualTo("{job=\"a\\ufffdb\"}");
                assertThat(client.labelValues(context, new LabelValuesRequest("job", 0, 1, List.of(), true, List.of(), List.of(), 1)))
                        .satisfies(r -> {
                            assertThat(r.values()).containsExactly("b");
                            assertThat(r.warnings()).containsExactly("slow");
                        });
                assertThat(client.labelValues(context, new LabelValuesRequest("cluster", 0, 1, List.of(), true, List.of(), List.of(), 0))
                        .values()).containsExactly("x");
                assertThat(client.labelValues(context,
                        new LabelValuesRequest("replica", 0, 1, List.of(), true, List.of(), List.of("replica"), 0)).values()).isEmpty();
                List<RulesApi.Group> groups = new ArrayList<>();
                client.apis().rules(context, RulesApi.Request.of(RulesApi.Kind.ALL), new Answers<>() {
                    @Override
                    public void item(RulesApi.Group item) {
                        groups.add(item);
                    }

                    @Override
                    public void warning(String text) {
                        throw new AssertionError(text);
                    }
                });
                assertThat(groups.getFirst().rules().getFirst().labels()).isEqualTo(
                        Labels.ofSorted(new String[]{"a", "b", "cluster", "x", "none", "", "replica", "a"}));
            }
        }
    }

    @Test
    void timesFarAwayAreAskedAsTheyAre() {
        assertThat(new Prometheus.Parameters().time("start", Long.MIN_VALUE).time("end", 1 - (1L << 60)).toString())
                .isEqualTo("start=-4503599627370.496&end=-4503599627370.496");
        assertThat(new Prometheus.Parameters().time("start", -1500).time("end", Long.MAX_VALUE).toString())
                .isEqualTo("start=-1.500&end=4503599627370.496");
    }

    @Test
    void readinessFollowsTheHeartbeat() throws Exception {
        try (ProcessRunner.Running running = launch("--prometheus.get_config_interval=20ms")) {
            awaitReady(running, true);
            prometheus.down = true;
            awaitReady(running, false);
            try (GrpcStoreClient client = client(running); QueryContext context = QueryContext.unlimited()) {
                assertThatThrownBy(() -> client.info(context)).isInstanceOf(UnavailableException.class).hasMessageContaining("Not ready");
            }
            prometheus.down = false;
            awaitReady(running, true);
        }
    }

    @Test
    void endsWithoutExternalLabels() throws Exception {
        prometheus.externalLabels = "{}";
        try (ProcessRunner.Running running = launch()) {
            assertThat(running.await()).isEqualTo(1);
        }
    }

    @Test
    void endsWherePrometheusCompactsWhatIsToBeShipped() throws Exception {
        prometheus.maxBlock = "1d12h";
        String bucket = "--objstore.config={type: FILESYSTEM, config: {directory: " + dir.resolve("bucket") + "}}";
        Files.createDirectories(dir.resolve("bucket"));
        try (ProcessRunner.Running running = launch(bucket, "--tsdb.path=" + dir)) {
            assertThat(running.await()).isEqualTo(1);
        }
        try (ProcessRunner.Running running = launch(bucket, "--tsdb.path=" + dir, "--shipper.ignore-unequal-block-size")) {
            awaitReady(running, true);
        }
    }

    @Test
    void badConfigurationIsOneLine() {
        record Case(String flag, String line) {
        }
        for (Case c : List.of(new Case("--prometheus.http-client={basic_auht: {}}", "field basic_auht not known"),
                new Case("--prometheus.http-client={transport_config: {max_idle_conns: 3}}", "max_idle_conns is not supported"),
                new Case("--prometheus.http-client={bearer_token: a, bearer_token_file: b}", "at most one of"),
                new Case("--request.logging-config=x", "request.logging-config is not supported"),
                new Case("--objstore.config=type: NOPE", "NOPE"))) {
            AtomicReference<Throwable> seen = new AtomicReference<>();
            assertThatThrownBy(() -> launch(c.flag)).satisfies(seen::set);
            assertThat(ErrorText.of(seen.get())).contains(c.line).doesNotContain("\n");
        }
        assertThatThrownBy(() -> ProcessRunner.launch(new SidecarCommand(), "--prometheus.url=nope")).isInstanceOf(FlagException.class)
                .hasMessage("--prometheus.url: nope is no URL of http or https with a host");
        assertThatThrownBy(() -> launch("--reloader.method=x")).isInstanceOf(FlagException.class);
        // What prometheus-operator always gives.
        HttpClientConfig operator = HttpClientConfig.parse("tls_config:\n  insecure_skip_verify: true\n");
        assertThat(operator.client()).isNotNull();
        assertThat(HttpClientConfig.parse("basic_auth: {username: u, password: p}").authorizationHeader()).isEqualTo("Basic dTpw");
    }
}

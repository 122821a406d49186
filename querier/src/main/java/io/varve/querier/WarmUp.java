package io.varve.querier;

import io.varve.model.ErrorText;
import io.varve.model.Labels;
import io.varve.model.Matcher;
import io.varve.model.MemoryBudget;
import io.varve.model.QueryContext;
import io.varve.runtime.OldGeneration;
import io.varve.runtime.ProcessCommand;
import io.varve.runtime.ProcessContext;
import io.varve.runtime.ProcessRunner;
import io.varve.runtime.flags.GrpcFlags;
import io.varve.runtime.grpc.GrpcServer;
import io.varve.store.GrpcInfoService;
import io.varve.store.GrpcStoreService;
import io.varve.store.HintsPolicy;
import io.varve.store.LabelNamesRequest;
import io.varve.store.LabelValuesRequest;
import io.varve.store.SeriesRequest;
import io.varve.store.SeriesSink;
import io.varve.store.Store;
import io.varve.store.StoreChunk;
import io.varve.store.StoreInfo;
import io.varve.store.StoreSeries;
import io.varve.store.StringsResponse;
import io.varve.store.WarmUpSeries;
import io.varve.store.WarmUpTime;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.Proxy;
import java.net.URI;
import java.net.URLConnection;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.function.BooleanSupplier;
import java.util.function.Function;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/**
 * Answers queries before anybody asks. What a JVM runs for the first time it interprets, so that the first answers after a restart would
 * take several times as long as later ones; a restart is no reason for a slow dashboard. A second querier in this JVM is asked over made-up
 * series, on loopback from the socket to the JSON, for a bounded time, before the real one says that it is ready, and for a while afterwards unless somebody asks.
 */
final class WarmUp {
    private static final Logger LOG = LoggerFactory.getLogger(WarmUp.class);
    private static final long HOUR = 3_600_000;
    private static final long HISTORY = 16 * HOUR;
    private static final long FRESH = 4 * HOUR;
    private static final String REQUESTS = "warmup_requests_total";
    private static final List<String> QUERIES = List.of("sum by (code) (rate(warmup_requests_total[5m]))",
            "histogram_quantile(0.9, sum by (le) (rate(warmup_latency_seconds_bucket[5m])))", "sum by (code) (warmup_memory_bytes)",
            "histogram_quantile(0.9, sum by (job) (rate(warmup_rpc_seconds[5m])))",
            "topk(3, sum by (instance) (increase(warmup_requests_total{code=~\"5..\"}[1h])))", "warmup_memory_bytes / 1024",
            "sum by (version) (rate(warmup_requests_total[5m]) * on (instance) group_left (version) warmup_info)",
            "sum(rate(warmup_requests_total{code=~\"5..\"}[5m])) / sum(rate(warmup_requests_total[5m]))",
            "max by (instance) (max_over_time(warmup_memory_bytes[1h]))", "count by (__name__) ({__name__=~\"warmup_.+\"})",
            "1 - avg by (instance) (rate(warmup_requests_total{code=\"200\"}[5m]))",
            "max_over_time(sum(rate(warmup_requests_total[5m]))[1h:5m])");
    private static final List<String> LISTS = List.of("/api/v1/labels", "/api/v1/label/instance/values",
            "/api/v1/series?match%5B%5D=" + REQUESTS, "/api/v1/label/code/values?match%5B%5D=" + REQUESTS);
    private static final int REQUEST_TIMEOUT_MILLIS = 10_000;

    private WarmUp() {
    }

    /**
     * Asks until {@code limit} has passed, and returns then however slow this machine is. Asking goes on as {@link WarmUpTime} says. What
     * fails is logged and harms nobody.
     *
     * @param asked whether the querier that is to be fast was asked anything; from any thread
     */
    static void run(Duration limit, BooleanSupplier asked) {
        WarmUpTime time = new WarmUpTime(limit, asked);
        Thread thread = Thread.ofPlatform().daemon().name("warm-up").start(() -> {
            ask(time::isOver);
            if (!asked.getAsBoolean()) {
                OldGeneration.giveBack();
            }
        });
        try {
            thread.join(limit);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /**
     * Asks one query after another.
     *
     * @param enough asked before each query
     * @return how many queries were answered
     */
    static int ask(BooleanSupplier enough) {
        long begin = System.nanoTime();
        long end = System.currentTimeMillis() / HOUR * HOUR;
        try (ProcessRunner.Running store = ProcessRunner.launch(new MadeUp(end), "--grpc-address=127.0.0.1:0");
                ProcessRunner.Running querier = ProcessRunner.launch(new QueryCommand(), "--http-address=127.0.0.1:0",
                        "--grpc-address=127.0.0.1:0", "--query.replica-label=replica", "--endpoint=" + store.context().grpcAddress())) {
            int answers = ask("http://" + querier.context().httpAddress(), end / 1000, enough);
            LOG.atInfo().addKeyValue("queries", answers)
                    .addKeyValue("seconds", String.format("%.3f", (System.nanoTime() - begin) / 1e9)).log("warmed up");
            return answers;
        } catch (Exception e) {
            LOG.atWarn().addKeyValue("err", ErrorText.of(e)).log("could not warm up, first queries will be slower");
            return 0;
        }
    }

    private static int ask(String querier, long end, BooleanSupplier enough) throws IOException {
        List<String> urls = new ArrayList<>();
        for (String q : QUERIES) {
            String query = "query=" + URLEncoder.encode(q, StandardCharsets.UTF_8);
            urls.add("/api/v1/query_range?" + query + "&end=" + end + "&start=" + (end - 3600) + "&step=15");
            urls.add("/api/v1/query?" + query + "&time=" + end);
            urls.add("/api/v1/query_range?" + query + "&end=" + end + "&start=" + (end - HISTORY / 1000)
                    + "&step=600&max_source_resolution=5m");
            urls.add("/api/v1/query_range?" + query + "&end=" + end + "&start=" + (end - FRESH / 1000) + "&step=60");
        }
        urls.addAll(LISTS);
        int n = 0;
        for (; !enough.getAsBoolean(); n++) {
            URLConnection connection = URI.create(querier + urls.get(n % urls.size())).toURL().openConnection(Proxy.NO_PROXY);
            connection.setReadTimeout(REQUEST_TIMEOUT_MILLIS);
            try (InputStream in = connection.getInputStream()) {
                in.transferTo(OutputStream.nullOutputStream());
            }
        }
        return n;
    }

    /** A process that serves made-up series. */
    @Command(name = "warm-up")
    private static final class MadeUp implements ProcessCommand {
        private final long end;
        @Mixin
        private GrpcFlags grpc = new GrpcFlags();

        MadeUp(long end) {
            this.end = end;
        }

        @Override
        public String component() {
            return "warm-up";
        }

        @Override
        public AutoCloseable launch(ProcessContext context) {
            MadeUpStore store = new MadeUpStore(end);
            context.startGrpc(grpc,
                    GrpcServer.builder().service(new GrpcStoreService(store, HintsPolicy.NONE, () -> MemoryBudget.UNLIMITED))
                            .service(new GrpcInfoService(store::info, () -> true)));
            return () -> {
            };
        }
    }

    /** Two replicas in memory. */
    private static final class MadeUpStore implements Store {
        private final long end;
        private final List<StoreSeries> raw = new ArrayList<>();
        private final List<StoreSeries> downsampled = new ArrayList<>();

        MadeUpStore(long end) {
            this.end = end;
            for (int replica = 0; replica < 2; replica++) {
                Labels external = Labels.of("replica", "made-up-" + replica);
                List<StoreSeries> old = WarmUpSeries.of(replica, end - HISTORY, end - FRESH);
                List<StoreSeries> fresh = WarmUpSeries.of(replica, end - FRESH, end);
                List<StoreSeries> windows = WarmUpSeries.downsampled(old);
                for (int i = 0; i < fresh.size(); i++) {
                    Labels labels = fresh.get(i).labels().overriddenBy(external);
                    raw.add(new StoreSeries(labels, joined(old.get(i), fresh.get(i))));
                    downsampled.add(new StoreSeries(labels, joined(windows.get(i), fresh.get(i))));
                }
            }
            raw.sort(Comparator.comparing(StoreSeries::labels));
            downsampled.sort(Comparator.comparing(StoreSeries::labels));
        }

        private static List<StoreChunk> joined(StoreSeries a, StoreSeries b) {
            return Stream.concat(a.chunks().stream(), b.chunks().stream()).toList();
        }

        @Override
        public StoreInfo info() {
            List<Labels> sets = List.of(Labels.of("replica", "made-up-0"), Labels.of("replica", "made-up-1"));
            return new StoreInfo("warm-up", sets, new StoreInfo.StoreSpan(end - HISTORY, end, false, false,
                    sets.stream().map(l -> new StoreInfo.TsdbInfo(l, end - HISTORY, end)).toList()), Set.of());
        }

        @Override
        public void series(QueryContext context, SeriesRequest request, SeriesSink sink) {
            for (StoreSeries s : request.maxResolutionMillis() > 0 ? downsampled : raw) {
                if (matches(s, request.matchers())) {
                    List<StoreChunk> chunks = request.skipChunks()
                            ? List.of()
                            : s.chunks().stream().filter(c -> c.maxTime() >= request.minTime() && c.minTime() <= request.maxTime())
                                    .toList();
                    sink.series(new StoreSeries(s.labels(), chunks));
                }
            }
        }

        private static boolean matches(StoreSeries series, List<Matcher> matchers) {
            return matchers.stream().allMatch(m -> m.matches(series.labels().get(m.name())));
        }

        @Override
        public StringsResponse labelNames(QueryContext context, LabelNamesRequest request) {
            return strings(request.matchers(), l -> l.toMap().keySet().stream());
        }

        @Override
        public StringsResponse labelValues(QueryContext context, LabelValuesRequest request) {
            return strings(request.matchers(), l -> Stream.of(l.get(request.label())).filter(v -> !v.isEmpty()));
        }

        private StringsResponse strings(List<Matcher> matchers, Function<Labels, Stream<String>> of) {
            return new StringsResponse(raw.stream().filter(s -> matches(s, matchers)).flatMap(s -> of.apply(s.labels())).sorted().distinct()
                    .toList(), List.of(), List.of());
        }
    }
}

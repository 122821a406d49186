package io.varve.storegateway;

import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.model.ErrorText;
import io.varve.model.Labels;
import io.varve.model.Matcher;
import io.varve.model.MemoryBudget;
import io.varve.model.QueryContext;
import io.varve.runtime.OldGeneration;
import io.varve.runtime.ProcessRunner;
import io.varve.runtime.grpc.Channels;
import io.varve.store.Aggregate;
import io.varve.store.GrpcStoreClient;
import io.varve.store.LabelValuesRequest;
import io.varve.store.SeriesRequest;
import io.varve.store.ShardInfo;
import io.varve.store.StoreClient;
import io.varve.store.StoreSeries;
import io.varve.store.WarmUpSeries;
import io.varve.store.WarmUpTime;
import io.varve.tsdb.BlockMeta;
import io.varve.tsdb.BlockWriter;
import io.varve.tsdb.Durable;
import io.varve.tsdb.Ulid;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Serves series before anybody asks. What a JVM runs for the first time it interprets, so that the first requests after a restart would take
 * several times as long as later ones. A second store gateway in this JVM serves blocks of made-up series from a directory, over gRPC on
 * loopback, for a bounded time; again and again from nothing, because a fresh store gateway has nothing in its caches.
 */
final class WarmUp {
    private static final Logger LOG = LoggerFactory.getLogger(WarmUp.class);
    private static final long BLOCK_MILLIS = 7_200_000;
    private static final int BLOCKS = 4;
    private static final Duration START = Duration.ofSeconds(10);
    private static final long REQUEST_MILLIS = 10_000;
    private static final List<List<Matcher>> SELECTORS = List.of(List.of(Matcher.equal(Labels.METRIC_NAME, "warmup_requests_total")),
            List.of(Matcher.equal(Labels.METRIC_NAME, "warmup_requests_total"), Matcher.of(Matcher.Type.REGEX, "code", "5..|404")),
            List.of(Matcher.equal(Labels.METRIC_NAME, "warmup_latency_seconds_bucket"),
                    Matcher.of(Matcher.Type.NOT_REGEX, "instance", "10.0.0.[12]:.*")),
            List.of(Matcher.of(Matcher.Type.REGEX, Labels.METRIC_NAME, "warmup_.+")),
            List.of(Matcher.equal(Labels.METRIC_NAME, "warmup_rpc_seconds"), Matcher.equal("replica", "0")));

    private final Path directory;
    private final BooleanSupplier stopping;
    private final BooleanSupplier asked;
    private final long end = System.currentTimeMillis() / BLOCK_MILLIS * BLOCK_MILLIS;
    private int requests;

    private WarmUp(Path directory, BooleanSupplier stopping, BooleanSupplier asked) {
        this.directory = directory;
        this.stopping = stopping;
        this.asked = asked;
    }

    /**
     * Serves for about {@code limit}, and longer as {@link WarmUpTime} says. What fails is logged and harms nobody.
     *
     * @param directory for blocks and caches; what is in it is deleted, before and after
     * @param stopping whether to end early
     * @param asked whether the store gateway that is to be fast was asked anything
     * @return how many requests were answered
     */
    static int run(Path directory, Duration limit, BooleanSupplier stopping, BooleanSupplier asked) {
        WarmUp warmUp = new WarmUp(directory, stopping, asked);
        long begin = System.nanoTime();
        try {
            Durable.deleteTree(directory);
            try {
                warmUp.serve(limit);
            } finally {
                Durable.deleteTree(directory);
            }
            if (!asked.getAsBoolean()) {
                OldGeneration.giveBack();
            }
            LOG.atInfo().addKeyValue("requests", warmUp.requests)
                    .addKeyValue("seconds", String.format("%.3f", (System.nanoTime() - begin) / 1e9)).log("warmed up");
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (Exception e) {
            LOG.atWarn().addKeyValue("err", ErrorText.of(e)).log("could not warm up, first requests will be slower");
        }
        return warmUp.requests;
    }

    private void serve(Duration limit) throws Exception {
        Path bucket = Files.createDirectories(directory.resolve("bucket"));
        for (int replica = 0; replica < 2; replica++) {
            for (int i = 0; i < BLOCKS; i++) {
                write(bucket, replica, end - (i + 1) * BLOCK_MILLIS);
            }
        }
        WarmUpTime time = new WarmUpTime(limit, asked);
        try (Channels channels = new Channels(new PrometheusRegistry(), Channels.Compression.NONE)) {
            for (int round = 0; !over(time); round++) {
                Path data = directory.resolve("data-" + round);
                try (ProcessRunner.Running store = ProcessRunner.launch(new StoreCommand(), "--http-address=127.0.0.1:0",
                        "--grpc-address=127.0.0.1:0", "--data-dir=" + data, "--objstore.config={type: FILESYSTEM, config: {directory: "
                                + quoted(bucket) + "}}")) {
                    if (!store.awaitReady(START)) {
                        return;
                    }
                    String address = store.context().grpcAddress();
                    try (StoreClient client = new GrpcStoreClient(channels.open(address), address)) {
                        ask(client, time);
                    }
                }
            }
        }
    }

    private boolean over(WarmUpTime time) {
        return stopping.getAsBoolean() || requests > 0 && time.isOver();
    }

    private static String quoted(Path path) {
        return "'" + path.toAbsolutePath().toString().replace("'", "''") + "'";
    }

    /** Every selector over one, over some and over all blocks, the first time from files and the second from caches. */
    private void ask(StoreClient client, WarmUpTime time) {
        for (int repeat = 0; repeat < 2; repeat++) {
            for (List<Matcher> matchers : SELECTORS) {
                for (long span = BLOCK_MILLIS / 2; span <= BLOCKS * BLOCK_MILLIS; span *= 2) {
                    if (over(time)) {
                        return;
                    }
                    series(client, matchers, end - span, repeat == 0 && span > BLOCK_MILLIS * 2);
                }
            }
            try (QueryContext context = new QueryContext(REQUEST_MILLIS, MemoryBudget.UNLIMITED)) {
                client.labelValues(context,
                        new LabelValuesRequest("instance", end - BLOCK_MILLIS, end, SELECTORS.getFirst(), true, List.of(),
                                List.of(), 0));
                requests++;
            }
        }
    }

    private void series(StoreClient client, List<Matcher> matchers, long from, boolean skipChunks) {
        SeriesRequest request = new SeriesRequest(from, end, matchers, 0, Set.of(Aggregate.COUNT, Aggregate.SUM), true, skipChunks,
                List.of(),
                List.of(), ShardInfo.NONE, 0, 64, SeriesRequest.Spans.ALL);
        try (QueryContext context = new QueryContext(REQUEST_MILLIS, MemoryBudget.UNLIMITED);
                StoreClient.SeriesStream stream = client.series(context, request)) {
            while (stream.next(REQUEST_MILLIS) != null) {
                // Only that it was served matters.
            }
        }
        requests++;
    }

    private static void write(Path bucket, int replica, long start) throws IOException {
        Ulid ulid = Ulid.of(start + BLOCK_MILLIS, new SplittableRandom(start + replica));
        try (BlockWriter writer = BlockWriter.create(bucket, ulid)) {
            for (StoreSeries s : WarmUpSeries.of(replica, start, start + BLOCK_MILLIS)) {
                writer.add(s.labels(), s.chunks().stream().map(c -> Objects.requireNonNull(c.raw())).toList());
            }
            writer.commit(stats -> new BlockMeta(ulid, start, start + BLOCK_MILLIS, stats, BlockMeta.Compaction.fresh(ulid))
                    .withThanos(BlockMeta.Thanos.of(Labels.of("replica", Integer.toString(replica)), 0, "sidecar")));
        }
    }
}

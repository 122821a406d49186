package io.varve.storegateway;

import io.prometheus.metrics.core.metrics.CounterWithCallback;
import io.prometheus.metrics.core.metrics.Gauge;
import io.prometheus.metrics.core.metrics.GaugeWithCallback;
import io.varve.block.BlockFilter;
import io.varve.block.BlockFilters;
import io.varve.block.BlockMark;
import io.varve.block.BlockMetrics;
import io.varve.block.BlockSync;
import io.varve.block.Relabel;
import io.varve.model.InvalidRequestException;
import io.varve.model.VarveException;
import io.varve.objstore.Bucket;
import io.varve.objstore.BucketFactory;
import io.varve.objstore.BucketReader;
import io.varve.objstore.InstrumentedBucket;
import io.varve.runtime.ProcessCommand;
import io.varve.runtime.ProcessContext;
import io.varve.runtime.flags.ByteSize;
import io.varve.runtime.flags.FlagException;
import io.varve.runtime.flags.GoDuration;
import io.varve.runtime.flags.GrpcFlags;
import io.varve.runtime.flags.HttpFlags;
import io.varve.runtime.flags.LimitsFlags;
import io.varve.runtime.flags.ObjstoreFlags;
import io.varve.runtime.flags.OneOf;
import io.varve.runtime.flags.PathOrContent;
import io.varve.runtime.flags.PrometheusDuration;
import io.varve.runtime.flags.Refuse;
import io.varve.runtime.flags.ReqlogFlags;
import io.varve.runtime.flags.SelectorFlags;
import io.varve.runtime.flags.TimeOrDuration;
import io.varve.runtime.flags.Unsigned;
import io.varve.runtime.grpc.GrpcServer;
import io.varve.runtime.http.Links;
import io.varve.store.GrpcInfoService;
import io.varve.store.GrpcStoreService;
import io.varve.store.HintsPolicy;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code store}: the store gateway. All flags of {@code thanos store}, and some of our own, which say so. */
@Command(name = "store", description = "Store gateway: serves the blocks of a bucket over the StoreAPI.")
public final class StoreCommand implements ProcessCommand {
    private static final Logger LOG = LoggerFactory.getLogger(StoreCommand.class);
    /** How long the first sync is tried before the process gives up. */
    private static final long START_MILLIS = 30_000;
    private static final long START_RETRY_MILLIS = 2_000;

    /** For the launcher. */
    public StoreCommand() {
    }

    @Spec
    private CommandSpec spec = CommandSpec.create();

    @Mixin
    private HttpFlags http = new HttpFlags();
    @Mixin
    private GrpcFlags grpc = new GrpcFlags();
    @Mixin
    private ObjstoreFlags objstore = new ObjstoreFlags();
    @Mixin
    private SelectorFlags selector = new SelectorFlags();
    @Mixin
    private LimitsFlags limits = new LimitsFlags();
    @Mixin
    private ReqlogFlags requestLog = new ReqlogFlags();

    @Option(names = "--data-dir", paramLabel = "<path>", defaultValue = "./data", description = "Local directory for metas, index headers and the page cache. Safe to remove between restarts.")
    private Path dataDir = Path.of("./data");

    @Option(names = "--cache-index-header", negatable = true, defaultValue = "true", fallbackValue = "true", description = "Keep index headers on disk. Without it they are built anew after every restart.")
    private boolean cacheIndexHeader = true;

    @Option(names = "--index-cache-size", paramLabel = "<bytes>", converter = ByteSize.class, defaultValue = "250MB", description = "Size of the in-memory index cache where no other is configured.")
    private long indexCacheSize = 250L << 20;

    @Option(names = "--index-cache.config-file", paramLabel = "<path>", description = "YAML file with the index cache's configuration.")
    private String indexCacheConfigFile = "";

    @Option(names = "--index-cache.config", paramLabel = "<yaml>", description = "The index cache's configuration itself; excludes --index-cache.config-file.")
    private String indexCacheConfig = "";

    @Option(names = "--store.caching-bucket.config-file", hidden = true, paramLabel = "<path>", description = "YAML file with the caching bucket's configuration.")
    private String cachingBucketConfigFile = "";

    @Option(names = "--store.caching-bucket.config", hidden = true, paramLabel = "<yaml>", description = "The caching bucket's configuration itself.")
    private String cachingBucketConfig = "";

    @Option(names = "--chunk-pool-size", paramLabel = "<bytes>", converter = ByteSize.class, defaultValue = "2GB", description = "Memory that all requests together may hold (chunks, postings, series); never more than half of the heap. What does not fit waits, then is refused.")
    private long chunkPoolSize = 2L << 30;

    @Option(names = "--store.grpc.touched-series-limit", paramLabel = "<number>", converter = Unsigned.class, defaultValue = "0", description = "Deprecated: use --store.limits.request-series.")
    private long touchedSeriesLimit;

    @Option(names = "--store.grpc.series-sample-limit", paramLabel = "<number>", converter = Unsigned.class, defaultValue = "0", description = "Deprecated: use --store.limits.request-samples.")
    private long seriesSampleLimit;

    @Option(names = "--store.grpc.downloaded-bytes-limit", paramLabel = "<bytes>", converter = ByteSize.class, defaultValue = "0", description = "Bytes of postings, series and chunks that one Series call may read; checked before they are fetched. 0 = no limit.")
    private long downloadedBytesLimit;

    @Option(names = "--store.grpc.series-max-concurrency", paramLabel = "<number>", defaultValue = "20", description = "Series, LabelNames and LabelValues calls that run at a time; others wait. 0 = no limit.")
    private int seriesMaxConcurrency = 20;

    @Option(names = "--store.grpc.series-queue-timeout", paramLabel = "<duration>", converter = GoDuration.class, defaultValue = "2m", description = "varve: how long a call waits for its turn before it is refused.")
    private Duration seriesQueueTimeout = Duration.ofMinutes(2);

    @Option(names = "--store.memory-wait-timeout", paramLabel = "<duration>", converter = GoDuration.class, defaultValue = "10s", description = "varve: how long a call waits for memory that others hold before it is refused.")
    private Duration memoryWaitTimeout = Duration.ofSeconds(10);

    @Option(names = "--store.fetch-concurrency", paramLabel = "<number>", defaultValue = "64", description = "varve: requests to the object store under way at a time, over all calls.")
    private int fetchConcurrency = 64;

    @Option(names = "--store.disk-cache-size", paramLabel = "<bytes>", converter = ByteSize.class, defaultValue = "4GB", description = "varve: bytes of index and chunks kept below --data-dir, a hard cap; fewer where the disk is smaller. 0 = nothing is kept.")
    private long diskCacheSize = 4L << 30;

    @Option(names = "--objstore-parquet.config-file", paramLabel = "<path>", description = "Not supported: blocks converted to Parquet.")
    private String parquetConfigFile = "";

    @Option(names = "--objstore-parquet.config", paramLabel = "<yaml>", description = "Not supported: blocks converted to Parquet.")
    private String parquetConfig = "";

    @Option(names = "--sync-block-duration", paramLabel = "<duration>", converter = GoDuration.class, defaultValue = "15m", description = "How often the bucket is listed.")
    private Duration syncBlockDuration = Duration.ofMinutes(15);

    @Option(names = "--block-discovery-strategy", paramLabel = "<strategy>", converter = Discovery.class, defaultValue = "concurrent", description = "concurrent or recursive. Both are one recursive listing here, which needs no request per block.")
    private String blockDiscoveryStrategy = "concurrent";

    @Option(names = "--block-sync-concurrency", paramLabel = "<number>", defaultValue = "20", description = "Index headers loaded ahead at a time, and blocks of one call read at a time.")
    private int blockSyncConcurrency = 20;

    @Option(names = "--block-meta-fetch-concurrency", paramLabel = "<number>", defaultValue = "32", description = "meta.json objects fetched at a time.")
    private int blockMetaFetchConcurrency = 32;

    @Option(names = "--debug.series-batch-size", hidden = true, paramLabel = "<number>", defaultValue = "10000", description = "Series of a block that are loaded at a time at most.")
    private int seriesBatchSize = 10_000;

    @Option(names = "--debug.estimated-max-series-size", hidden = true, paramLabel = "<bytes>", converter = Unsigned.class, defaultValue = "65536", description = "Bytes that a series entry is taken to have at most where its block does not say.")
    private long estimatedMaxSeriesSize = 65536;

    @Option(names = "--debug.estimated-max-chunk-size", hidden = true, paramLabel = "<bytes>", converter = Unsigned.class, defaultValue = "16000", description = "Bytes that a chunk is taken to have where neither its block nor the next chunk's place says.")
    private long estimatedMaxChunkSize = 16_000;

    @Option(names = "--min-time", paramLabel = "<time>", converter = TimeOrDuration.Converter.class, defaultValue = "0000-01-01T00:00:00Z", description = "First instant that is served: RFC 3339 or a duration from now such as -6w.")
    private TimeOrDuration minTime = TimeOrDuration.parse("0000-01-01T00:00:00Z");

    @Option(names = "--max-time", paramLabel = "<time>", converter = TimeOrDuration.Converter.class, defaultValue = "9999-12-31T23:59:59Z", description = "Last instant that is served: RFC 3339 or a duration from now such as -2h.")
    private TimeOrDuration maxTime = TimeOrDuration.parse("9999-12-31T23:59:59Z");

    @Option(names = "--store.index-header-posting-offsets-in-mem-sampling", hidden = true, paramLabel = "<number>", defaultValue = "32", description = "One in so many postings offsets is kept in memory; this build always keeps 1 in 32.")
    private int postingOffsetsSampling = 32;

    @Option(names = "--consistency-delay", paramLabel = "<duration>", converter = PrometheusDuration.class, defaultValue = "0s", description = "How old a block must be to be served.")
    private Duration consistencyDelay = Duration.ZERO;

    @Option(names = "--ignore-deletion-marks-delay", paramLabel = "<duration>", converter = PrometheusDuration.class, defaultValue = "24h", description = "How long blocks that are marked for deletion are still served.")
    private Duration ignoreDeletionMarksDelay = Duration.ofHours(24);

    @Option(names = "--store.enable-index-header-lazy-reader", negatable = true, defaultValue = "false", fallbackValue = "true", description = "Unmap index headers that were not used for --store.index-header-lazy-reader-idle-timeout. They are always mapped on first use.")
    private boolean lazyReader;

    @Option(names = "--store.index-header-lazy-reader-idle-timeout", hidden = true, paramLabel = "<duration>", converter = GoDuration.class, defaultValue = "5m", description = "How long an unused index header stays mapped.")
    private Duration lazyReaderIdleTimeout = Duration.ofMinutes(5);

    @Option(names = "--store.enable-lazy-expanded-postings", negatable = true, defaultValue = "false", fallbackValue = "true", description = "Leave out large postings lists where looking at the series reads less.")
    private boolean lazyExpandedPostings;

    @Option(names = "--store.posting-group-max-key-series-ratio", paramLabel = "<ratio>", defaultValue = "100", description = "Lists per matched series above which a group of postings is left out. 0 = no bound.")
    private double postingGroupMaxKeySeriesRatio = 100;

    @Option(names = "--store.index-header-lazy-download-strategy", paramLabel = "<strategy>", converter = Download.class, defaultValue = "eager", description = "eager: headers of recent and of new blocks are fetched at once, older ones when calls come near them. lazy: only the latter.")
    private String lazyDownloadStrategy = "eager";

    @Option(names = "--web.disable", negatable = true, defaultValue = "false", fallbackValue = "true", description = "No block viewer and no /api/v1/blocks.")
    private boolean webDisable;

    @Option(names = "--web.external-prefix", paramLabel = "<prefix>", defaultValue = "", description = "Prefix of the viewer's links, where a proxy in front takes it off.")
    private String webExternalPrefix = "";

    @Option(names = "--web.prefix-header", paramLabel = "<header>", defaultValue = "", description = "Request header that holds the prefix of the viewer's links.")
    private String webPrefixHeader = "";

    @Option(names = "--web.disable-cors", negatable = true, defaultValue = "false", fallbackValue = "true", description = "Send no CORS headers.")
    private boolean webDisableCors;

    @Option(names = "--bucket-web-label", paramLabel = "<label>", description = "External label that the viewer groups blocks by.")
    private String bucketWebLabel = "";

    @Option(names = "--matcher-cache-size", paramLabel = "<number>", defaultValue = "0", description = "Compiled matchers kept between calls. Patterns compile in microseconds here; only 0 is accepted.")
    private int matcherCacheSize;

    @Option(names = "--disable-admin-operations", negatable = true, defaultValue = "false", fallbackValue = "true", description = "Refuse to mark blocks through /api/v1/blocks/mark.")
    private boolean disableAdminOperations;

    @Option(names = "--store.warm-up", paramLabel = "<duration>", converter = PrometheusDuration.class, defaultValue = "3s", description = "How long to serve made-up blocks in the background once ready, so that the first real requests are not slow, and for three times as long afterwards while nobody asks; 0 = not at all.")
    private Duration warmUp = Duration.ofSeconds(3);

    static final class Discovery extends OneOf {
        Discovery() {
            super("concurrent", "recursive");
        }
    }

    static final class Download extends OneOf {
        Download() {
            super("eager", "lazy");
        }
    }

    @Override
    public String component() {
        return "store";
    }

    private void check() {
        requestLog.check();
        Refuse.ifSet("objstore-parquet.config", new PathOrContent("objstore-parquet.config", parquetConfigFile, parquetConfig),
                "this build does not read blocks that were converted to Parquet");
        if (postingOffsetsSampling != 32) {
            throw new FlagException(
                    "flag --store.index-header-posting-offsets-in-mem-sampling is not supported: one in 32 offsets is kept, always");
        }
        if (matcherCacheSize != 0) {
            throw new FlagException("flag --matcher-cache-size is not supported: matchers are compiled for every call");
        }
        if (blockSyncConcurrency < 1 || blockMetaFetchConcurrency < 1 || fetchConcurrency < 1 || seriesBatchSize < 1) {
            throw new FlagException("--block-sync-concurrency, --block-meta-fetch-concurrency, --store.fetch-concurrency and"
                    + " --debug.series-batch-size must be at least 1");
        }
        if (seriesMaxConcurrency < 0) {
            throw new FlagException("--store.grpc.series-max-concurrency: max concurrency value cannot be lower than 0 (got "
                    + seriesMaxConcurrency + ")");
        }
        if (syncBlockDuration.toMillis() < 1) {
            throw new FlagException("--sync-block-duration must be at least 1ms");
        }
        long now = System.currentTimeMillis();
        if (minTime.millis(now) > maxTime.millis(now)) {
            throw new FlagException("invalid argument: --min-time '" + Instant.ofEpochMilli(minTime.millis(now))
                    + "' can't be greater than --max-time '" + Instant.ofEpochMilli(maxTime.millis(now)) + "'");
        }
    }

    @Override
    public AutoCloseable launch(ProcessContext context) throws IOException {
        check();
        Relabel rules;
        Bucket bucket;
        String bucketConfig;
        try {
            rules = selector.relabelConfig().readExpanded().map(yaml -> Relabel.parse(yaml, Relabel.SELECTOR_ACTIONS)).orElse(Relabel.NONE);
            bucketConfig = objstore.config().require();
            bucket = BucketFactory.open(bucketConfig);
        } catch (InvalidRequestException e) {
            throw new FlagException(e.getMessage(), e);
        }
        InstrumentedBucket counted = new InstrumentedBucket(bucket, new InstrumentedBucket.Metrics(context.registry()));
        context.onStop("bucket", counted);
        CacheMetrics caches = new CacheMetrics(context.registry());
        BucketReader read = new PathOrContent("store.caching-bucket.config", cachingBucketConfigFile, cachingBucketConfig).readExpanded()
                .<BucketReader>map(yaml -> {
                    CachingBucket caching = CacheConfig.cachingBucket(yaml, "store.caching-bucket.config", counted, bucketConfig, caches);
                    context.onStop("caching bucket", caching);
                    return caching;
                }).orElse(counted);
        Files.createDirectories(dataDir);
        StoreMetrics metrics = new StoreMetrics(context.registry());
        Gauge.builder().name("thanos_consistency_delay_seconds").help("Configured consistency delay in seconds.")
                .register(context.registry())
                .set(consistencyDelay.toSeconds());
        List<BlockFilter> filters = List.of(BlockFilters.timePartition(minTime::millis, maxTime::millis), BlockFilters.relabel(rules),
                BlockFilters.consistencyDelay(consistencyDelay.toMillis()),
                BlockFilters.ignoreDeletionMarks(ignoreDeletionMarksDelay.toMillis()), BlockFilters.deduplicate());
        BlockSync sync = new BlockSync(read, dataDir.resolve("meta-syncer"), blockMetaFetchConcurrency, filters,
                Set.of(BlockMark.Kind.DELETION), new BlockMetrics(context.registry()), System::currentTimeMillis);
        Optional<PageCache> pages = diskCacheSize > 0
                ? Optional.of(new PageCache(dataDir.resolve("pages"), diskCacheSize))
                : Optional.empty();
        pages.ifPresent(p -> watch(p, context));
        long heap = Runtime.getRuntime().maxMemory();
        ObjectReader reader = new ObjectReader(read, pages.orElse(null), fetchConcurrency, heap / 8);
        StoreGateway gateway = new StoreGateway(sync, reader, pages, metrics, new StoreGateway.Options(dataDir, cacheIndexHeader,
                lazyDownloadStrategy.equals("eager"), blockSyncConcurrency, lazyReader, lazyReaderIdleTimeout.toMillis(),
                context.level()));
        context.onStop("store gateway", gateway);
        // The first sync waits for the bucket most of its time; the rest of the process is made meanwhile.
        CompletableFuture<ProcessContext.GrpcStart> serve = new CompletableFuture<>();
        Thread loop = Thread.ofPlatform().name("sync").daemon().unstarted(() -> run(gateway, context, serve));
        loop.start();
        context.onStop("sync", () -> {
            stopping.countDown();
            loop.interrupt();
            loop.join(10_000);
        });
        IndexCache cache = new PathOrContent("index-cache.config", indexCacheConfigFile, indexCacheConfig).readExpanded()
                .map(yaml -> CacheConfig.indexCache(yaml, "index-cache.config", caches))
                .orElseGet(() -> indexCacheSize <= 0
                        ? IndexCache.NONE
                        : new MemoryIndexCache(Math.min(indexCacheSize, heap / 5), 125L << 20, Set.of(IndexCache.Item.values()),
                                new IndexCacheMetrics(context.registry())));
        context.onStop("index cache", cache);
        int concurrency = seriesMaxConcurrency == 0 ? 1000 : seriesMaxConcurrency;
        MemoryBroker broker = new MemoryBroker(Math.min(chunkPoolSize, heap / 2), concurrency, memoryWaitTimeout.toMillis());
        GaugeWithCallback.builder().name("varve_store_memory_reserved_bytes").help("Memory that requests hold, of --chunk-pool-size.")
                .callback(c -> c.call(broker.used())).register(context.registry());
        GaugeWithCallback.builder().name("varve_store_memory_capacity_bytes").help("Memory that requests may hold together.")
                .callback(c -> c.call(broker.capacity())).register(context.registry());
        ReadOptions options = new ReadOptions(ReadOptions.KEPT, seriesBatchSize, (int) Math.min(estimatedMaxSeriesSize, 64 << 20),
                (int) Math.min(estimatedMaxChunkSize, 64 << 20), lazyExpandedPostings, postingGroupMaxKeySeriesRatio,
                Math.max(4 << 20, broker.share()));
        BucketStore store = new BucketStore(new BucketStore.Parts(gateway::blocks, reader, cache,
                new SeriesGate(seriesMaxConcurrency, seriesQueueTimeout.toMillis(), context.registry()),
                new RequestLimits.Limits(limits.series() > 0 ? limits.series() : touchedSeriesLimit,
                        limits.samples() > 0 ? limits.samples() : seriesSampleLimit, downloadedBytesLimit),
                options, metrics, partition(), blockSyncConcurrency, gateway));
        context.startHttp(http, new BlocksApi(gateway, counted, bucketWebLabel, disableAdminOperations)
                .routes(webDisable, new Links(webExternalPrefix, webPrefixHeader), !webDisableCors, flagValues()));
        serve.complete(context.prepareGrpc(grpc, GrpcServer.builder().service(new GrpcStoreService(store, HintsPolicy.STRICT, broker::open))
                .service(new GrpcInfoService(store::info, context.probes()::isReady))));
        return () -> {
        };
    }

    /** All flags with their values, for {@code /api/v1/status/flags}; what may hold passwords is not shown. */
    private Map<String, String> flagValues() {
        Map<String, String> out = new TreeMap<>();
        for (OptionSpec o : spec.options()) {
            String name = o.longestName();
            if (name.startsWith("--") && !o.usageHelp() && !o.versionHelp()) {
                Object value = o.getValue();
                List<String> texts = o.originalStringValues();
                String given = value instanceof Boolean
                        ? value.toString()
                        : texts.isEmpty() ? Objects.requireNonNullElse(o.defaultValue(), "") : String.join(",", texts);
                boolean secret = name.startsWith("--objstore.config") || name.endsWith("cache.config") || name.endsWith("bucket.config")
                        || name.startsWith("--tracing.config");
                out.put(name.substring(2), secret && !given.isEmpty() ? "<REDACTED>" : given);
            }
        }
        return out;
    }

    private final CountDownLatch stopping = new CountDownLatch(1);

    private BucketStore.TimePartition partition() {
        return new BucketStore.TimePartition() {
            @Override
            public long min() {
                return minTime.millis(System.currentTimeMillis());
            }

            @Override
            public long max() {
                return maxTime.millis(System.currentTimeMillis());
            }
        };
    }

    /** Syncs until the process ends. The first time it must work within half a minute; then requests are served. */
    private void run(StoreGateway gateway, ProcessContext context, Future<ProcessContext.GrpcStart> serve) {
        try {
            long begin = System.nanoTime();
            while (true) {
                try {
                    gateway.sync();
                    break;
                } catch (VarveException e) {
                    if (stopping.getCount() == 0) {
                        // Interrupted: the process ends, and what ends it was said elsewhere.
                        return;
                    }
                    if (System.nanoTime() - begin > TimeUnit.MILLISECONDS.toNanos(START_MILLIS)) {
                        context.fail("initial sync of blocks", e);
                        return;
                    }
                    LOG.atWarn().addKeyValue("err", e.getMessage()).log("initial sync of blocks failed, trying again");
                }
                if (stopping.await(START_RETRY_MILLIS, TimeUnit.MILLISECONDS)) {
                    return;
                }
            }
            serve.get().start();
            context.probes().ready(true);
            gateway.serving();
            LOG.atLevel(context.level()).addKeyValue("blocks", gateway.blocks().byId().size())
                    .addKeyValue("seconds", String.format("%.3f", (System.nanoTime() - begin) / 1e9)).log("store gateway is ready");
            if (context.alone() && warmUp.isPositive()) {
                Thread.ofPlatform().name("warm-up").daemon()
                        .start(() -> WarmUp.run(dataDir.resolve("warm-up"), warmUp, () -> stopping.getCount() == 0, gateway::wasAsked));
            }
            long interval = syncBlockDuration.toMillis();
            long idle = Math.max(100, Math.min(interval, lazyReaderIdleTimeout.toMillis() / 10));
            long last = System.nanoTime();
            while (!stopping.await(Math.min(idle, interval), TimeUnit.MILLISECONDS)) {
                gateway.unmapIdle();
                if (System.nanoTime() - last >= TimeUnit.MILLISECONDS.toNanos(interval)) {
                    last = System.nanoTime();
                    gateway.trySync();
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (ExecutionException | RuntimeException | Error e) {
            context.fail("store gateway", e);
        }
    }

    private static void watch(PageCache pages, ProcessContext context) {
        GaugeWithCallback.builder().name("varve_store_disk_cache_bytes").help("Bytes of index and chunks on the local disk.")
                .callback(c -> c.call(pages.used())).register(context.registry());
        GaugeWithCallback.builder().name("varve_store_disk_cache_capacity_bytes")
                .help("Bytes that the local disk may hold, --store.disk-cache-size.")
                .callback(c -> c.call(pages.capacity())).register(context.registry());
        CounterWithCallback.builder().name("varve_store_disk_cache_failed_writes_total")
                .help("Total number of ranges that could not be kept because the disk is full or fails.")
                .callback(c -> c.call(pages.failedWrites())).register(context.registry());
        CounterWithCallback.builder().name("varve_store_disk_cache_evictions_total").help("Extents that had to make room.")
                .callback(c -> c.call(pages.evictions())).register(context.registry());
    }
}

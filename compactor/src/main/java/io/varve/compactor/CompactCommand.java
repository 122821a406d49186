package io.varve.compactor;

import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.block.BlockMetrics;
import io.varve.block.BlockSync;
import io.varve.block.BlockUploader;
import io.varve.block.Relabel;
import io.varve.model.CancelledException;
import io.varve.model.CorruptDataException;
import io.varve.model.ErrorText;
import io.varve.model.InvalidRequestException;
import io.varve.model.LimitExceededException;
import io.varve.model.UnavailableException;
import io.varve.model.VarveException;
import io.varve.objstore.Bucket;
import io.varve.objstore.BucketFactory;
import io.varve.objstore.InstrumentedBucket;
import io.varve.runtime.MemoryPool;
import io.varve.runtime.ProcessCommand;
import io.varve.runtime.ProcessContext;
import io.varve.runtime.flags.ByteSize;
import io.varve.runtime.flags.FlagException;
import io.varve.runtime.flags.GoDuration;
import io.varve.runtime.flags.HttpFlags;
import io.varve.runtime.flags.ObjstoreFlags;
import io.varve.runtime.flags.OneOf;
import io.varve.runtime.flags.PrometheusDuration;
import io.varve.runtime.flags.Refuse;
import io.varve.runtime.flags.SelectorFlags;
import io.varve.runtime.flags.TimeOrDuration;
import io.varve.runtime.http.Routes;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code varve compact}: merges, downsamples, retains and cleans the blocks of a bucket, once or continuously. */
@Command(name = "compact", description = "Continuously compacts blocks in an object store bucket.")
public final class CompactCommand implements ProcessCommand {
    private static final Logger LOG = LoggerFactory.getLogger(CompactCommand.class);

    @Mixin
    private HttpFlags http = new HttpFlags();
    @Mixin
    private ObjstoreFlags objstore = new ObjstoreFlags();
    @Mixin
    private SelectorFlags selector = new SelectorFlags();

    @Option(names = "--debug.halt-on-error", hidden = true, negatable = true, defaultValue = "true", fallbackValue = "true", description = "With --wait: stay up, doing nothing, when something needs a person; else end.")
    private boolean haltOnError = true;

    @Option(names = "--debug.accept-malformed-index", hidden = true, negatable = true, defaultValue = "false", fallbackValue = "true", description = "Accept blocks whose labels are out of order.")
    private boolean acceptMalformedIndex;

    @Option(names = "--debug.max-compaction-level", hidden = true, paramLabel = "<level>", defaultValue = "4", description = "Steps of the ladder that are used: 0 none, 1 up to 2h, 2 up to 8h, 3 up to 2d, 4 up to 14d.")
    private int maxLevel = 4;

    @Option(names = "--data-dir", paramLabel = "<dir>", defaultValue = "./data", description = "Directory for downloads, results and cached metas.")
    private String dataDirectory = "./data";

    @Option(names = "--consistency-delay", paramLabel = "<duration>", converter = GoDuration.class, defaultValue = "30m", description = "How old an upload must be before it is looked at.")
    private Duration consistencyDelay = Duration.ofMinutes(30);

    @Option(names = "--retention.resolution-raw", paramLabel = "<duration>", converter = PrometheusDuration.class, defaultValue = "0d", description = "How long raw blocks are kept; 0d: for ever.")
    private Duration retentionRaw = Duration.ZERO;

    @Option(names = "--retention.resolution-5m", paramLabel = "<duration>", converter = PrometheusDuration.class, defaultValue = "0d", description = "How long blocks of 5 minutes are kept; 0d: for ever.")
    private Duration retentionFiveMinutes = Duration.ZERO;

    @Option(names = "--retention.resolution-1h", paramLabel = "<duration>", converter = PrometheusDuration.class, defaultValue = "0d", description = "How long blocks of one hour are kept; 0d: for ever.")
    private Duration retentionOneHour = Duration.ZERO;

    @Option(names = {"-w",
            "--wait"}, negatable = true, defaultValue = "false", fallbackValue = "true", description = "Do not end after all compactions are done, wait for new blocks.")
    private boolean wait;

    @Option(names = "--wait-interval", paramLabel = "<duration>", converter = GoDuration.class, defaultValue = "5m", description = "Pause between iterations with --wait.")
    private Duration waitInterval = Duration.ofMinutes(5);

    @Option(names = "--downsampling.disable", negatable = true, defaultValue = "false", fallbackValue = "true", description = "Do not downsample; queries over long ranges get slow.")
    private boolean downsamplingDisabled;

    @Option(names = "--block-discovery-strategy", paramLabel = "<strategy>", converter = Discovery.class, defaultValue = "concurrent", description = "concurrent or recursive. Both list the bucket recursively, once.")
    private String discovery = "concurrent";

    @Option(names = "--block-meta-fetch-concurrency", paramLabel = "<n>", defaultValue = "32", description = "meta.json files fetched at a time.")
    private int metaFetchConcurrency = 32;

    @Option(names = "--block-files-concurrency", paramLabel = "<n>", defaultValue = "1", description = "Files of one block downloaded or uploaded at a time.")
    private int filesConcurrency = 1;

    @Option(names = "--block-viewer.global.sync-block-interval", paramLabel = "<duration>", converter = GoDuration.class, defaultValue = "1m", description = "How often the view of all blocks is refreshed.")
    private Duration viewerInterval = Duration.ofMinutes(1);

    @Option(names = "--block-viewer.global.sync-block-timeout", paramLabel = "<duration>", converter = GoDuration.class, defaultValue = "5m", description = "How long that may take.")
    private Duration viewerTimeout = Duration.ofMinutes(5);

    @Option(names = "--compact.cleanup-interval", paramLabel = "<duration>", converter = GoDuration.class, defaultValue = "5m", description = "With --wait: how often marked blocks and given-up uploads are deleted beside compaction; 0s: only after it.")
    private Duration cleanupInterval = Duration.ofMinutes(5);

    @Option(names = "--compact.progress-interval", paramLabel = "<duration>", converter = GoDuration.class, defaultValue = "5m", description = "With --wait: how often the thanos_compact_todo_* metrics are computed; 0s: never.")
    private Duration progressInterval = Duration.ofMinutes(5);

    @Option(names = "--compact.concurrency", paramLabel = "<n>", defaultValue = "1", description = "Groups compacted at a time.")
    private int compactionConcurrency = 1;

    @Option(names = "--compact.blocks-fetch-concurrency", paramLabel = "<n>", defaultValue = "1", description = "Blocks of one compaction downloaded at a time.")
    private int fetchConcurrency = 1;

    @Option(names = "--downsample.concurrency", paramLabel = "<n>", defaultValue = "1", description = "Blocks downsampled at a time.")
    private int downsampleConcurrency = 1;

    @Option(names = "--delete-delay", paramLabel = "<duration>", converter = PrometheusDuration.class, defaultValue = "48h", description = "Time between marking a block for deletion and deleting it; 0: at once.")
    private Duration deleteDelay = Duration.ofHours(48);

    @Option(names = "--compact.enable-vertical-compaction", hidden = true, negatable = true, defaultValue = "false", fallbackValue = "true", description = "Merge blocks that overlap. Irreversible.")
    private boolean vertical;

    @Option(names = "--deduplication.func", paramLabel = "<name>", converter = Deduplication.class, defaultValue = "", description = "How overlapping samples are merged: \"\" keeps every time once; penalty chooses between HA replicas as the querier does.")
    private String deduplication = "";

    @Option(names = "--deduplication.replica-label", paramLabel = "<label>", description = "External label that does not count: blocks that differ in it alone are merged. Repeatable. Irreversible.")
    private List<String> replicaLabels = new ArrayList<>();

    @Option(names = "--compact.block-max-index-size", hidden = true, paramLabel = "<bytes>", converter = ByteSize.class, defaultValue = "64GB", description = "Blocks are not compacted where their indexes together would be larger.")
    private Long maxIndexBytes = 64L << 30;

    @Option(names = "--compact.skip-block-with-out-of-order-chunks", hidden = true, negatable = true, defaultValue = "false", fallbackValue = "true", description = "Mark blocks with chunks out of order and leave them out, instead of stopping.")
    private boolean skipOutOfOrder;

    @Option(names = "--hash-func", paramLabel = "<name>", converter = Hash.class, defaultValue = "", description = "Hash to record of uploaded files: SHA256 or nothing.")
    private String hash = "";

    @Option(names = "--min-time", paramLabel = "<time>", converter = TimeOrDuration.Converter.class, defaultValue = "0000-01-01T00:00:00Z", description = "Only blocks that reach beyond this time: RFC 3339, or relative to now.")
    private TimeOrDuration minTime = TimeOrDuration.parse("0000-01-01T00:00:00Z");

    @Option(names = "--max-time", paramLabel = "<time>", converter = TimeOrDuration.Converter.class, defaultValue = "9999-12-31T23:59:59Z", description = "Only blocks that begin before this time.")
    private TimeOrDuration maxTime = TimeOrDuration.parse("9999-12-31T23:59:59Z");

    @Option(names = "--web.disable", negatable = true, defaultValue = "false", fallbackValue = "true", description = "Serve no view of blocks.")
    private boolean webDisabled;

    @Option(names = "--web.route-prefix", paramLabel = "<prefix>", defaultValue = "", description = "Prefix of the API's paths.")
    private String routePrefix = "";

    @Option(names = "--web.external-prefix", paramLabel = "<prefix>", defaultValue = "", description = "Refused: there is no web page to build links for.")
    private String externalPrefix = "";

    @Option(names = "--web.prefix-header", paramLabel = "<header>", defaultValue = "", description = "Refused: there is no web page to build links for.")
    private String prefixHeader = "";

    @Option(names = "--web.disable-cors", negatable = true, defaultValue = "false", fallbackValue = "true", description = "Send no CORS headers.")
    private boolean corsDisabled;

    @Option(names = "--bucket-web-label", paramLabel = "<label>", defaultValue = "", description = "External label that groups blocks in the view.")
    private String bucketWebLabel = "";

    @Option(names = "--disable-admin-operations", negatable = true, defaultValue = "false", fallbackValue = "true", description = "Do not let the API mark blocks.")
    private boolean adminDisabled;

    static final class Discovery extends OneOf {
        Discovery() {
            super("concurrent", "recursive");
        }
    }

    static final class Deduplication extends OneOf {
        Deduplication() {
            super("penalty", "");
        }
    }

    static final class Hash extends OneOf {
        Hash() {
            super("SHA256", "");
        }
    }

    /** For the launcher. */
    public CompactCommand() {
    }

    @Override
    public String component() {
        return "compact";
    }

    @Override
    public AutoCloseable launch(ProcessContext context) throws Exception {
        check();
        String yaml = objstore.config().readExpanded()
                .orElseThrow(() -> new FlagException("flag --objstore.config or --objstore.config-file is required"));
        Relabel relabel = selector.relabelConfig().readExpanded().map(text -> Relabel.parse(text, Relabel.SELECTOR_ACTIONS))
                .orElse(Relabel.NONE);
        PrometheusRegistry registry = context.registry();
        Bucket bucket = new InstrumentedBucket(BucketFactory.open(yaml), new InstrumentedBucket.Metrics(registry));
        context.onStop("bucket", bucket);
        CompactMetrics metrics = new CompactMetrics(registry, consistencyDelay.toMillis() / 1000.0, deleteDelay.toMillis() / 1000.0);
        InstantSource clock = InstantSource.system();
        CompactOptions options = options();
        Compactor compactor = new Compactor(bucket, options,
                new Compactor.Selection(minTime::millis, maxTime::millis, relabel, replicaLabels()), metaFetchConcurrency,
                new BlockMetrics(registry),
                metrics, clock, new SecureRandom(),
                new MemoryPool(Runtime.getRuntime().maxMemory() / 4 * 3, "three quarters of the heap"));
        List<Thread> threads = new ArrayList<>();
        CountDownLatch stopped = new CountDownLatch(1);
        Routes.Builder routes = Routes.builder();
        BlockSync viewer = null;
        if (wait && !webDisabled) {
            viewer = new BlockSync(bucket, null, metaFetchConcurrency, List.of(), Set.of(), BlockMetrics.ofView(registry), clock::millis);
            new BlocksView(viewer::latest, compactor::latest, new Marker(bucket, metrics, clock), bucketWebLabel, adminDisabled)
                    .route(routes);
            routes.prefix(routePrefix).cors(!corsDisabled);
        }
        context.startHttp(http, routes.build());
        context.probes().ready(true);
        threads.add(Thread.ofPlatform().name("compact").start(() -> run(context, compactor, metrics, stopped)));
        if (wait) {
            repeat(context, threads, stopped, "cleanup", cleanupInterval, compactor::cleanup);
            repeat(context, threads, stopped, "progress", progressInterval, compactor::todo);
            BlockSync view = viewer;
            if (view != null) {
                repeat(context, threads, stopped, "viewer", viewerInterval, () -> within(viewerTimeout, view::sync));
            }
        }
        return () -> {
            stopped.countDown();
            threads.forEach(Thread::interrupt);
            for (Thread thread : threads) {
                thread.join(Duration.ofSeconds(30));
            }
        };
    }

    private void check() {
        Refuse.ifSet("web.external-prefix", externalPrefix, "this build has no web page to build links for");
        Refuse.ifSet("web.prefix-header", prefixHeader, "this build has no web page to build links for");
        if (!deduplication.isEmpty() && replicaLabels().isEmpty()) {
            throw new FlagException(
                    "penalty based deduplication needs at least one replica label specified: flag --deduplication.replica-label");
        }
        if (maxLevel < 0 || maxLevel >= CompactionPlanner.RANGES_MILLIS.size()) {
            throw new FlagException("flag --debug.max-compaction-level: expected 0 to " + (CompactionPlanner.RANGES_MILLIS.size() - 1)
                    + ", found " + maxLevel);
        }
        positive("block-meta-fetch-concurrency", metaFetchConcurrency);
        positive("block-files-concurrency", filesConcurrency);
        positive("compact.concurrency", compactionConcurrency);
        positive("compact.blocks-fetch-concurrency", fetchConcurrency);
        positive("downsample.concurrency", downsampleConcurrency);
        if (!downsamplingDisabled) {
            if (!retentionRaw.isZero() && retentionRaw.toMillis() < DownsamplingPlanner.MIN_RAW_RANGE_MILLIS) {
                throw new FlagException(
                        "raw resolution must be higher than the minimum block size after which 5m resolution downsampling will occur (40 hours)");
            }
            if (!retentionFiveMinutes.isZero() && retentionFiveMinutes.toMillis() < DownsamplingPlanner.MIN_FIVE_MINUTES_RANGE_MILLIS) {
                throw new FlagException(
                        "5m resolution must be higher than the minimum block size after which 1h resolution downsampling will occur (10 days)");
            }
        }
    }

    private static void positive(String flag, int value) {
        if (value < 1) {
            throw new FlagException("flag --" + flag + ": expected at least 1, found " + value);
        }
    }

    private List<String> replicaLabels() {
        return replicaLabels.stream().flatMap(l -> List.of(l.split(",", -1)).stream()).map(String::strip).filter(l -> !l.isEmpty())
                .distinct().toList();
    }

    private CompactOptions options() {
        boolean overlaps = vertical || !replicaLabels().isEmpty();
        if (overlaps) {
            LOG.info("vertical compaction is on: blocks that overlap are merged, which cannot be undone");
        }
        return new CompactOptions(Path.of(dataDirectory), consistencyDelay, deleteDelay,
                new RetentionRules(retentionRaw, retentionFiveMinutes, retentionOneHour), !downsamplingDisabled, compactionConcurrency,
                fetchConcurrency,
                filesConcurrency, downsampleConcurrency, maxLevel, maxIndexBytes, overlaps, deduplication.equals("penalty"), skipOutOfOrder,
                acceptMalformedIndex, hash.isEmpty() ? BlockUploader.Hash.NONE : BlockUploader.Hash.SHA256);
    }

    /** What follows a failure. */
    private enum Next {
        /** Try again after the interval. */
        RETRY,
        /** A person has to look. */
        HALT,
        /** The process is being stopped. */
        STOP
    }

    private static Next next(Throwable failure) {
        return switch (failure) {
            case VarveException e -> switch (e) {
                case UnavailableException u -> Next.RETRY;
                case CancelledException c -> Next.STOP;
                case CorruptDataException c -> Next.HALT;
                case InvalidRequestException i -> Next.HALT;
                case LimitExceededException l -> Next.HALT;
            };
            default -> Next.HALT;
        };
    }

    private void run(ProcessContext context, Compactor compactor, CompactMetrics metrics, CountDownLatch stopped) {
        try {
            do {
                try {
                    compactor.iterate();
                } catch (RuntimeException | StackOverflowError e) {
                    if (stopped.getCount() == 0) {
                        return;
                    }
                    Next next = next(e);
                    if (next == Next.STOP) {
                        return;
                    }
                    if (!wait || next == Next.HALT && !haltOnError) {
                        context.fail("compaction", e);
                        return;
                    }
                    if (next == Next.HALT) {
                        LOG.atError().addKeyValue("err", ErrorText.of(e)).setCause(e instanceof VarveException ? null : e)
                                .log("critical error detected; halting until the process is restarted");
                        metrics.halted.set(1);
                        return;
                    }
                    metrics.retries.inc();
                    LOG.atError().addKeyValue("err", e.getMessage()).log("retriable error, will be tried again after the wait interval");
                }
            } while (wait && !stopped.await(waitInterval.toMillis(), TimeUnit.MILLISECONDS));
            if (!wait) {
                context.stop(0);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (Error e) {
            // Whatever it is: a process that goes on without this thread looks well and does nothing.
            context.fail("compaction", e);
        }
    }

    /** Runs an action in a thread of its own that is interrupted when it takes too long. */
    static void within(Duration timeout, Runnable action) {
        AtomicReference<Throwable> failure = new AtomicReference<>();
        Thread thread = Thread.ofVirtual().name("viewer-sync").start(() -> {
            try {
                action.run();
            } catch (Throwable e) {
                failure.set(e);
            }
        });
        try {
            boolean ended = thread.join(timeout);
            thread.interrupt();
            if (!ended) {
                throw new UnavailableException("sync took longer than " + timeout.toSeconds() + " s");
            }
        } catch (InterruptedException e) {
            thread.interrupt();
            Thread.currentThread().interrupt();
            throw new CancelledException(CancelledException.Reason.CANCELED, "sync: interrupted");
        }
        switch (failure.get()) {
            case null -> {
            }
            case Error e -> throw e;
            case RuntimeException e -> throw e;
            case Throwable e -> throw new IllegalStateException(e);
        }
    }

    private static void repeat(ProcessContext context, List<Thread> threads, CountDownLatch stopped, String name, Duration interval,
            Runnable action) {
        if (interval.isZero()) {
            return;
        }
        threads.add(Thread.ofPlatform().name(name).start(() -> {
            try {
                do {
                    try {
                        action.run();
                    } catch (VarveException e) {
                        if (stopped.getCount() > 0) {
                            LOG.atWarn().addKeyValue("task", name).addKeyValue("err", e.getMessage())
                                    .log("background task did not succeed, it runs again");
                        }
                    } catch (RuntimeException e) {
                        LOG.atError().addKeyValue("task", name).setCause(e).log("background task did not succeed, it runs again");
                    }
                } while (!stopped.await(interval.toMillis(), TimeUnit.MILLISECONDS));
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            } catch (Error e) {
                context.fail(name, e);
            }
        }));
    }
}

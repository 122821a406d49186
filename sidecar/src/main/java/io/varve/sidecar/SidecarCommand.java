package io.varve.sidecar;

import com.fasterxml.jackson.databind.JsonNode;
import io.prometheus.metrics.core.metrics.Gauge;
import io.varve.block.BlockUploader;
import io.varve.model.ErrorText;
import io.varve.model.Labels;
import io.varve.model.MemoryBudget;
import io.varve.model.QueryContext;
import io.varve.model.UnavailableException;
import io.varve.model.VarveException;
import io.varve.objstore.Bucket;
import io.varve.objstore.BucketFactory;
import io.varve.objstore.InstrumentedBucket;
import io.varve.runtime.MemoryPool;
import io.varve.runtime.ProcessCommand;
import io.varve.runtime.ProcessContext;
import io.varve.runtime.flags.Durations;
import io.varve.runtime.flags.FlagException;
import io.varve.runtime.flags.GoDuration;
import io.varve.runtime.flags.GrpcFlags;
import io.varve.runtime.flags.HttpFlags;
import io.varve.runtime.flags.LimitsFlags;
import io.varve.runtime.flags.ObjstoreFlags;
import io.varve.runtime.flags.OneOf;
import io.varve.runtime.flags.PathOrContent;
import io.varve.runtime.flags.ReqlogFlags;
import io.varve.runtime.flags.TimeOrDuration;
import io.varve.runtime.flags.Yaml;
import io.varve.runtime.grpc.GrpcServer;
import io.varve.runtime.http.Routes;
import io.varve.store.GrpcApiServices;
import io.varve.store.GrpcInfoService;
import io.varve.store.GrpcStoreService;
import io.varve.store.HintsPolicy;
import io.varve.store.LimitedStore;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code varve sidecar}: beside one Prometheus, serves its data through the StoreAPI and ships its blocks. */
@Command(name = "sidecar", description = "Serves the data of one Prometheus through the StoreAPI and ships its blocks to a bucket.")
public final class SidecarCommand implements ProcessCommand {
    private static final Logger LOG = LoggerFactory.getLogger(SidecarCommand.class);
    private static final Duration SHIP_INTERVAL = Duration.ofSeconds(30);
    private static final Duration RETRY = Duration.ofSeconds(2);

    @Mixin
    private HttpFlags http = new HttpFlags();
    @Mixin
    private GrpcFlags grpc = new GrpcFlags();
    @Mixin
    private ObjstoreFlags objstore = new ObjstoreFlags();
    @Mixin
    private ReqlogFlags requestLog = new ReqlogFlags();
    @Mixin
    private LimitsFlags limits = new LimitsFlags();

    @Option(names = "--prometheus.url", paramLabel = "<url>", defaultValue = "http://localhost:9090", description = "URL of the Prometheus beside us, which should not be reached through a load balancer.")
    private String prometheusUrl = "http://localhost:9090";

    @Option(names = "--prometheus.ready_timeout", paramLabel = "<duration>", converter = GoDuration.class, defaultValue = "10m", description = "How long to wait for Prometheus at start.")
    private Duration readyTimeout = Duration.ofMinutes(10);

    @Option(names = "--prometheus.get_config_interval", paramLabel = "<duration>", converter = GoDuration.class, defaultValue = "30s", description = "How often to ask Prometheus for its configuration.")
    private Duration configInterval = Duration.ofSeconds(30);

    @Option(names = "--prometheus.get_config_timeout", paramLabel = "<duration>", converter = GoDuration.class, defaultValue = "30s", description = "How long that may take.")
    private Duration configTimeout = Duration.ofSeconds(30);

    @Option(names = "--prometheus.http-client-file", paramLabel = "<path>", description = "YAML file that says how to reach Prometheus: authentication, proxy, TLS.")
    private String httpClientFile = "";

    @Option(names = "--prometheus.http-client", paramLabel = "<yaml>", description = "The same itself; excludes --prometheus.http-client-file.")
    private String httpClient = "";

    @Option(names = "--tsdb.path", paramLabel = "<dir>", defaultValue = "./data", description = "Prometheus' data directory.")
    private String tsdbPath = "./data";

    @Option(names = "--reloader.config-file", paramLabel = "<path>", defaultValue = "", description = "Configuration file to watch.")
    private String reloaderConfigFile = "";

    @Option(names = "--reloader.config-envsubst-file", paramLabel = "<path>", defaultValue = "", description = "Where to write that file with $(VAR) replaced from the environment.")
    private String reloaderOutput = "";

    @Option(names = "--reloader.rule-dir", paramLabel = "<dir>", description = "Directory of rules to watch. Repeatable.")
    private List<String> reloaderRuleDirs = new ArrayList<>();

    @Option(names = "--reloader.watch-interval", paramLabel = "<duration>", converter = GoDuration.class, defaultValue = "3m", description = "How often to read all watched files anyway; 0: once at start.")
    private Duration reloaderWatchInterval = Duration.ofMinutes(3);

    @Option(names = "--reloader.retry-interval", paramLabel = "<duration>", converter = GoDuration.class, defaultValue = "5s", description = "How long to wait after a reload that failed.")
    private Duration reloaderRetryInterval = Duration.ofSeconds(5);

    @Option(names = "--reloader.method", paramLabel = "<method>", converter = Method.class, defaultValue = "http", description = "How to make Prometheus reload: http or signal.")
    private String reloaderMethod = "http";

    @Option(names = "--reloader.process-name", paramLabel = "<name>", defaultValue = "prometheus", description = "Name of the executable to signal.")
    private String reloaderProcessName = "prometheus";

    @Option(names = "--shipper.upload-compacted", defaultValue = "false", description = "Also ship blocks that Prometheus compacted itself; for a move to object storage, once.")
    private boolean uploadCompacted;

    @Option(names = "--shipper.ignore-unequal-block-size", hidden = true, defaultValue = "false", description = "Ship although Prometheus' least and greatest block durations differ.")
    private boolean ignoreUnequalBlockSize;

    @Option(names = "--shipper.allow-out-of-order-uploads", hidden = true, defaultValue = "false", description = "Go on with later blocks when one cannot be shipped.")
    private boolean allowOutOfOrder;

    @Option(names = "--shipper.skip-corrupted-blocks", hidden = true, defaultValue = "false", description = "Pass over local blocks that cannot be read.")
    private boolean skipCorrupted;

    @Option(names = "--shipper.meta-file-name", paramLabel = "<name>", defaultValue = "thanos.shipper.json", description = "Name of the shipper's state file in the data directory.")
    private String metaFileName = "thanos.shipper.json";

    @Option(names = "--shipper.upload-concurrency", paramLabel = "<number>", defaultValue = "0", description = "Files of a block uploaded at a time; 0: one after the other.")
    private int uploadConcurrency;

    @Option(names = "--hash-func", paramLabel = "<name>", converter = Hash.class, defaultValue = "", description = "Hash to record of each file: SHA256 or nothing.")
    private String hashFunction = "";

    @Option(names = "--min-time", paramLabel = "<time>", converter = TimeOrDuration.Converter.class, defaultValue = "0000-01-01T00:00:00Z", description = "Serve only what is younger: a time (RFC 3339) or a duration relative to now, as -1d or 2h45m.")
    private TimeOrDuration minTime = TimeOrDuration.parse("0000-01-01T00:00:00Z");

    private volatile Heartbeat heartbeat = Heartbeat.NONE;

    /** With all flags at their defaults. */
    public SidecarCommand() {
    }

    static final class Method extends OneOf {
        Method() {
            super("http", "signal");
        }
    }

    static final class Hash extends OneOf {
        Hash() {
            super("SHA256", "");
        }
    }

    @Override
    public String component() {
        return "sidecar";
    }

    @Override
    public AutoCloseable launch(ProcessContext context) {
        requestLog.check();
        grpc.check();
        URI url = url();
        HttpClientConfig client = new PathOrContent("prometheus.http-client", httpClientFile, httpClient).read()
                .map(HttpClientConfig::parse)
                .orElse(HttpClientConfig.NONE);
        Prometheus prometheus = new Prometheus(url, client);
        context.onStop("prometheus client", prometheus);
        String bucketConfig = objstore.config().readExpanded().orElse(null);
        Bucket bucket = null;
        if (bucketConfig != null) {
            bucket = new InstrumentedBucket(BucketFactory.open(bucketConfig), new InstrumentedBucket.Metrics(context.registry()));
            context.onStop("bucket", bucket);
        }
        Path tsdb = Path.of(tsdbPath);
        if (bucket != null && !Files.isDirectory(tsdb)) {
            throw new FlagException("--tsdb.path: " + tsdb.toAbsolutePath() + " is no directory; blocks are shipped from there");
        }
        Reloader reloader = new Reloader(new Reloader.Options(path(reloaderConfigFile), path(reloaderOutput),
                reloaderRuleDirs.stream().map(Path::of).toList(), reloaderWatchInterval, reloaderRetryInterval,
                reloaderMethod.equals("signal"), reloaderProcessName), prometheus, context.registry());
        Gauge up = Gauge.builder().name("thanos_sidecar_prometheus_up")
                .help("Boolean indicator whether the sidecar can reach its Prometheus peer.").register(context.registry());
        Shipper shipper = bucket == null
                ? null
                : new Shipper(new Shipper.Options(tsdb, metaFileName, uploadCompacted, allowOutOfOrder, skipCorrupted,
                        hashFunction.equals("SHA256") ? BlockUploader.Hash.SHA256 : BlockUploader.Hash.NONE, uploadConcurrency), bucket,
                        () -> heartbeat.external(), InstantSource.system(), context.registry());
        if (shipper == null) {
            LOG.info("no supported bucket was configured, uploads will be disabled");
        }
        context.startHttp(http, Routes.none());
        reloader.start();
        context.onStop("reloader", reloader);
        Thread main = Thread.ofPlatform().name("sidecar").start(() -> run(context, prometheus, up, shipper));
        return () -> {
            main.interrupt();
            main.join(Duration.ofSeconds(30));
        };
    }

    private URI url() {
        try {
            URI url = URI.create(prometheusUrl);
            if (url.getHost() == null || url.getScheme() == null || !url.getScheme().startsWith("http")) {
                throw new FlagException("--prometheus.url: " + prometheusUrl + " is no URL of http or https with a host");
            }
            return url;
        } catch (IllegalArgumentException e) {
            throw new FlagException("--prometheus.url: " + e.getMessage(), e);
        }
    }

    private static @Nullable Path path(String text) {
        return text.isEmpty() ? null : Path.of(text);
    }

    /** Waits for Prometheus, then serves, then beats and ships until it is interrupted. */
    private void run(ProcessContext context, Prometheus prometheus, Gauge up, @Nullable Shipper shipper) {
        try {
            if (!waitForPrometheus(context, prometheus, up, shipper != null)) {
                return;
            }
            serve(context, prometheus);
            context.probes().ready(true);
            Thread shipping = null;
            if (shipper != null) {
                Files.createDirectories(Path.of(tsdbPath).resolve("thanos"));
                if (!Files.isDirectory(Path.of(tsdbPath).resolve("wal"))) {
                    LOG.atInfo().addKeyValue("dir", tsdbPath).log("no WAL in the data directory: is it Prometheus'?");
                }
                shipping = Thread.ofVirtual().name("shipper").start(() -> ship(shipper));
            }
            try {
                beat(context, prometheus, up);
            } finally {
                if (shipping != null) {
                    shipping.interrupt();
                    shipping.join(Duration.ofSeconds(20));
                }
            }
        } catch (InterruptedException e) {
            // The process ends.
        } catch (IOException | RuntimeException e) {
            if (!Thread.currentThread().isInterrupted()) {
                context.fail("sidecar", e);
            }
        }
    }

    private boolean waitForPrometheus(ProcessContext context, Prometheus prometheus, Gauge up, boolean uploads)
            throws InterruptedException {
        long until = System.nanoTime() + readyTimeout.toNanos();
        boolean checked = !uploads;
        while (true) {
            try {
                if (!checked) {
                    checkFlags(prometheus);
                    checked = true;
                }
                Heartbeat first = ask(prometheus);
                if (first.external().isEmpty()) {
                    context.fail(
                            "no external labels configured on Prometheus server, uniquely identifying external labels must be configured",
                            null);
                    return false;
                }
                heartbeat = first;
                up.set(1);
                LOG.atInfo().addKeyValue("external_labels", first.external()).log("successfully loaded prometheus external labels");
                return true;
            } catch (FlagException e) {
                context.fail("check of Prometheus' flags", e);
                return false;
            } catch (VarveException e) {
                up.set(0);
                LOG.atWarn().addKeyValue("err", ErrorText.of(e))
                        .log("failed to fetch initial external labels or flags. Is Prometheus running? Retrying");
            }
            // Flags are asked for as long as it takes, labels within the timeout.
            if (checked && System.nanoTime() - until >= 0) {
                context.fail("initial external labels query: no answer of " + prometheus.address() + " within --prometheus.ready_timeout",
                        null);
                return false;
            }
            Thread.sleep(RETRY);
        }
    }

    /** Blocks that Prometheus compacts while they are shipped would be in the bucket twice. */
    private void checkFlags(Prometheus prometheus) {
        JsonNode flags;
        try (QueryContext c = context()) {
            flags = prometheus.get(c, "/api/v1/status/flags", new Prometheus.Parameters()).data();
        }
        String min = flags.path("storage.tsdb.min-block-duration").asText("2h");
        String max = flags.path("storage.tsdb.max-block-duration").asText("");
        Duration least = duration(min);
        if (!least.equals(duration(max))) {
            if (ignoreUnequalBlockSize) {
                LOG.warn(
                        "flag to ignore Prometheus min/max block duration flags differing is being used. If the upload of a 2h block fails and "
                                + "a Prometheus compaction happens that block may be missing from your bucket");
            } else if (!delaysCompaction(flags.path("storage.tsdb.delay-compact-file.path").asText(""))) {
                throw new FlagException("found that TSDB Max time is " + max + " and Min time is " + min
                        + ". Compaction needs to be disabled (storage.tsdb.min-block-duration = storage.tsdb.max-block-duration)");
            }
        }
        if (!least.equals(Duration.ofHours(2))) {
            LOG.atWarn().addKeyValue("block_time", min).log("found that TSDB block time is not 2h. Only 2h block time is recommended.");
        }
    }

    /** Whether Prometheus waits with compaction for what our state file names. */
    private boolean delaysCompaction(String file) {
        return !file.isEmpty() && Path.of(file).toAbsolutePath().normalize()
                .equals(Path.of(tsdbPath).resolve(metaFileName).toAbsolutePath().normalize());
    }

    private static Duration duration(String text) {
        try {
            return Durations.parsePrometheus(text);
        } catch (IllegalArgumentException e) {
            throw new FlagException("flag of Prometheus: " + e.getMessage(), e);
        }
    }

    private QueryContext context() {
        return new QueryContext(configTimeout.toMillis(), MemoryBudget.UNLIMITED);
    }

    /** External labels, earliest time and label names of Prometheus. */
    private Heartbeat ask(Prometheus prometheus) {
        try (QueryContext c = context()) {
            String yaml = prometheus.get(c, "/api/v1/status/config", new Prometheus.Parameters()).data().path("yaml").asText("");
            Labels.Builder labels = new Labels.Builder();
            JsonNode external = Yaml.readTree(yaml, "Prometheus' configuration").path("global").path("external_labels");
            external.properties().forEach(e -> labels.set(e.getKey(), e.getValue().asText()));
            return new Heartbeat(labels.build(), Math.max(minTime.millis(System.currentTimeMillis()), earliest(prometheus, c)),
                    utf8Names(prometheus, c),
                    labelNames(prometheus, c));
        } catch (FlagException e) {
            throw new UnavailableException(e.getMessage(), e);
        }
    }

    /** When Prometheus' data begins, by its own metrics; {@link Long#MIN_VALUE} where it has none or does not say. */
    private static long earliest(Prometheus prometheus, QueryContext context) {
        String name = "prometheus_tsdb_lowest_timestamp_seconds ";
        try (BufferedReader lines = new BufferedReader(
                new InputStreamReader(prometheus.getStream(context, "/metrics"), StandardCharsets.UTF_8))) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                if (line.startsWith(name)) {
                    double seconds = Double.parseDouble(line.substring(name.length()).strip().split(" ", 2)[0]);
                    // An empty TSDB says the greatest time there is.
                    return seconds >= 9e15 || Double.isNaN(seconds) ? Long.MIN_VALUE : Math.round(seconds * 1000);
                }
            }
        } catch (IOException | NumberFormatException e) {
            throw new UnavailableException("metrics of " + prometheus.address() + ": " + e.getMessage(), e);
        }
        return Long.MIN_VALUE;
    }

    /** Whether it is Prometheus 3 or newer, or something that does not say. */
    private static boolean utf8Names(Prometheus prometheus, QueryContext context) {
        try {
            String version = prometheus.get(context, "/api/v1/status/buildinfo", new Prometheus.Parameters()).data().path("version")
                    .asText("");
            return !version.startsWith("2.") && !version.startsWith("1.");
        } catch (VarveException e) {
            // What has no build information is no Prometheus of old.
            return true;
        }
    }

    private static @Nullable Set<String> labelNames(Prometheus prometheus, QueryContext context) {
        try {
            Set<String> names = new HashSet<>();
            prometheus.get(context, "/api/v1/labels", new Prometheus.Parameters()).data().forEach(n -> names.add(n.asText()));
            return names;
        } catch (VarveException e) {
            // Without them answers are held and sorted, which costs memory and nothing else.
            return null;
        }
    }

    private void serve(ProcessContext context, Prometheus prometheus) {
        // Half of the heap for answers that must be held; the rest is for what is on its way.
        MemoryPool pool = new MemoryPool(Runtime.getRuntime().maxMemory() / 2, "half of the heap");
        Supplier<MemoryBudget> budgets = pool::open;
        PrometheusStore store = new PrometheusStore(prometheus, () -> heartbeat, context.registry());
        LimitedStore limited = new LimitedStore(store, context.registry(), limits.series(), limits.samples());
        PrometheusApis apis = new PrometheusApis(prometheus, () -> heartbeat.external());
        context.startGrpc(grpc, GrpcServer.builder().service(new GrpcStoreService(limited, HintsPolicy.NONE, budgets))
                .service(new GrpcInfoService(limited::info, context.probes()::isReady)).service(GrpcApiServices.rules(apis, budgets))
                .service(GrpcApiServices.targets(apis, budgets)).service(GrpcApiServices.metadata(apis, budgets))
                .service(GrpcApiServices.exemplars(apis, budgets)).service(GrpcApiServices.status(apis, budgets)));
    }

    private void beat(ProcessContext context, Prometheus prometheus, Gauge up) throws InterruptedException {
        while (true) {
            Thread.sleep(configInterval);
            try {
                Heartbeat next = ask(prometheus);
                if (next.external().isEmpty()) {
                    throw new UnavailableException("Prometheus has no external labels any more");
                }
                heartbeat = next;
                up.set(1);
                context.probes().ready(true);
            } catch (VarveException e) {
                if (Thread.currentThread().isInterrupted()) {
                    throw new InterruptedException();
                }
                up.set(0);
                context.probes().ready(false);
                LOG.atWarn().addKeyValue("err", ErrorText.of(e)).log("heartbeat failed");
            }
        }
    }

    private static void ship(Shipper shipper) {
        try {
            while (true) {
                try {
                    int uploaded = shipper.sync();
                    if (uploaded > 0) {
                        LOG.atInfo().addKeyValue("blocks", uploaded).log("blocks shipped");
                    }
                } catch (RuntimeException e) {
                    if (Thread.currentThread().isInterrupted()) {
                        return;
                    }
                    LOG.atWarn().addKeyValue("err", ErrorText.of(e)).setCause(e instanceof VarveException ? null : e)
                            .log("shipping stopped, the next pass goes on");
                }
                Thread.sleep(SHIP_INTERVAL);
            }
        } catch (InterruptedException e) {
            // The process ends; what is half uploaded has no meta.json.
        }
    }
}

package io.varve.sidecar;

import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.Gauge;
import io.prometheus.metrics.core.metrics.Info;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.model.ErrorText;
import io.varve.model.QueryContext;
import io.varve.model.UnavailableException;
import io.varve.runtime.flags.FlagException;
import io.varve.runtime.flags.PathOrContent;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.ClosedWatchServiceException;
import java.nio.file.FileSystems;
import java.nio.file.FileVisitOption;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardWatchEventKinds;
import java.nio.file.WatchKey;
import java.nio.file.WatchService;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import java.util.zip.GZIPInputStream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Watches Prometheus' configuration and rule directories. What changed is found by hashing names and contents, at start, when the file system says
 * so, and every watch interval; then the configuration is written out with {@code $(VAR)} replaced and Prometheus is told to reload. One thread.
 */
final class Reloader implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Reloader.class);
    private static final int MAX_FILE_BYTES = 64 << 20;

    /**
     * What it does.
     *
     * @param configFile watched, null for none
     * @param outputFile where the configuration goes with variables replaced, null for nowhere
     * @param ruleDirs watched with all below
     * @param watchInterval how often everything is read anyway; zero: once at start
     * @param retryInterval between attempts to reload
     * @param bySignal SIGHUP instead of HTTP
     * @param processName whom to signal
     */
    record Options(@Nullable Path configFile, @Nullable Path outputFile, List<Path> ruleDirs, Duration watchInterval,
            Duration retryInterval,
            boolean bySignal, String processName) {
        boolean idle() {
            return configFile == null && ruleDirs.isEmpty();
        }
    }

    private final Options options;
    private final Prometheus prometheus;
    private final Counter reloads;
    private final Counter reloadsFailed;
    private final Gauge lastSuccessful;
    private final Gauge lastSuccess;
    private final Counter applies;
    private final Counter appliesFailed;
    private final Gauge expansionErrors;
    private final Gauge watches;
    private final Counter events;
    private final Counter watchErrors;
    private final Thread thread;
    private volatile boolean stopped;
    private byte[] appliedConfig = {};
    private byte[] appliedRules = {};

    Reloader(Options options, Prometheus prometheus, PrometheusRegistry registry) {
        this.options = options;
        this.prometheus = prometheus;
        String prefix = "thanos_sidecar_reloader_";
        reloads = Counter.builder().name(prefix + "reloads_total").help("Total number of reload requests.").register(registry);
        reloadsFailed = Counter.builder().name(prefix + "reloads_failed_total").help("Total number of reload requests that failed.")
                .register(registry);
        lastSuccessful = Gauge.builder().name(prefix + "last_reload_successful").help("Whether the last reload attempt was successful")
                .register(registry);
        lastSuccess = Gauge.builder().name(prefix + "last_reload_success_timestamp_seconds")
                .help("Timestamp of the last successful reload").register(registry);
        applies = Counter.builder().name(prefix + "config_apply_operations_total").help("Total number of config apply operations.")
                .register(registry);
        appliesFailed = Counter.builder().name(prefix + "config_apply_operations_failed_total")
                .help("Total number of config apply operations that failed.").register(registry);
        expansionErrors = Gauge.builder().name(prefix + "config_environment_variable_expansion_errors")
                .help("Number of environment variable expansions that failed during the last operation.").register(registry);
        watches = Gauge.builder().name(prefix + "watches").help("Number of resources watched by the reloader.").register(registry);
        events = Counter.builder().name(prefix + "watch_events_total")
                .help("Total number of events received by the reloader from the watcher.")
                .register(registry);
        watchErrors = Counter.builder().name(prefix + "watch_errors_total")
                .help("Total number of errors received by the reloader from the watcher.").register(registry);
        Info.builder().name(prefix + "info").help("A metric with a constant '1' value labeled by reload method.").labelNames("method")
                .register(registry).addLabelValues(options.bySignal() ? "signal" : "http");
        this.thread = Thread.ofPlatform().daemon().name("reloader").unstarted(this::run);
    }

    void start() {
        if (!options.idle()) {
            thread.start();
        }
    }

    private void run() {
        WatchService watcher = watcher();
        try {
            Set<Path> watched = new HashSet<>();
            while (!stopped) {
                if (watcher != null) {
                    watch(watcher, watched);
                }
                applyAndReload();
                if (options.watchInterval().isZero()) {
                    return;
                }
                if (watcher == null) {
                    Thread.sleep(options.watchInterval());
                } else {
                    waitForChange(watcher, watched);
                }
            }
        } catch (ClosedWatchServiceException | InterruptedException e) {
            // The process ends.
        } finally {
            close(watcher);
        }
    }

    /** Null where the system has no more of them, as on nodes with many containers: what changes is then found every watch interval. */
    private @Nullable WatchService watcher() {
        try {
            return FileSystems.getDefault().newWatchService();
        } catch (IOException e) {
            watchErrors.inc();
            LOG.atWarn().addKeyValue("err", ErrorText.of(e))
                    .log("files cannot be watched, changes are found every --reloader.watch-interval");
            return null;
        }
    }

    private static void close(@Nullable WatchService watcher) {
        try {
            if (watcher != null) {
                watcher.close();
            }
        } catch (IOException e) {
            LOG.atDebug().addKeyValue("err", ErrorText.of(e)).log("watcher cannot be closed");
        }
    }

    private void watch(WatchService watcher, Set<Path> watched) {
        Set<Path> dirs = new HashSet<>();
        Path config = options.configFile();
        if (config != null) {
            Path parent = config.toAbsolutePath().getParent();
            dirs.add(parent == null ? Path.of("/") : parent);
        }
        for (Path rules : options.ruleDirs()) {
            try (Stream<Path> walk = Files.walk(rules, FileVisitOption.FOLLOW_LINKS)) {
                walk.filter(Files::isDirectory).map(Path::toAbsolutePath).forEach(dirs::add);
            } catch (IOException | java.io.UncheckedIOException e) {
                watchErrors.inc();
            }
        }
        for (Path dir : dirs) {
            if (watched.contains(dir)) {
                continue;
            }
            try {
                dir.register(watcher, StandardWatchEventKinds.ENTRY_CREATE, StandardWatchEventKinds.ENTRY_MODIFY,
                        StandardWatchEventKinds.ENTRY_DELETE);
                watched.add(dir);
            } catch (IOException e) {
                watchErrors.inc();
                LOG.atWarn().addKeyValue("dir", dir).addKeyValue("err", ErrorText.of(e))
                        .log("directory cannot be watched, changes in it are found every --reloader.watch-interval");
            }
        }
        watches.set(watched.size());
    }

    private void waitForChange(WatchService watcher, Set<Path> watched) throws InterruptedException {
        WatchKey key = watcher.poll(options.watchInterval().toMillis(), TimeUnit.MILLISECONDS);
        // A change is often several events: take those that follow at once together.
        while (key != null) {
            events.inc(key.pollEvents().size());
            if (!key.reset() && key.watchable() instanceof Path gone) {
                // Whoever puts another directory in its place is to be seen, too.
                watched.remove(gone);
            }
            key = watcher.poll(200, TimeUnit.MILLISECONDS);
        }
    }

    private void applyAndReload() throws InterruptedException {
        applies.inc();
        byte[] config;
        byte[] rules;
        try {
            config = applyConfig();
            rules = hashRules();
        } catch (IOException | FlagException e) {
            appliesFailed.inc();
            LOG.atError().addKeyValue("err", ErrorText.of(e)).log("apply failed");
            return;
        }
        if (Arrays.equals(config, appliedConfig) && Arrays.equals(rules, appliedRules)) {
            return;
        }
        long until = System.nanoTime() + options.watchInterval().toNanos();
        while (!stopped) {
            reloads.inc();
            try {
                reload();
                appliedConfig = config;
                appliedRules = rules;
                lastSuccessful.set(1);
                lastSuccess.set(System.currentTimeMillis() / 1e3);
                LOG.info("reload triggered");
                return;
            } catch (RuntimeException e) {
                reloadsFailed.inc();
                lastSuccessful.set(0);
                LOG.atError().addKeyValue("err", ErrorText.of(e)).log("reload failed");
            }
            if (System.nanoTime() - until >= 0) {
                return;
            }
            Thread.sleep(options.retryInterval());
        }
    }

    private byte[] applyConfig() throws IOException {
        Path file = options.configFile();
        if (file == null) {
            return new byte[0];
        }
        byte[] content = content(file);
        MessageDigest sha = sha();
        sha.update(content);
        Path out = options.outputFile();
        if (out != null) {
            byte[] plain = content;
            if (plain.length > 2 && plain[0] == 0x1f && plain[1] == (byte) 0x8b) {
                try (GZIPInputStream gzip = new GZIPInputStream(new ByteArrayInputStream(plain))) {
                    plain = gzip.readNBytes(MAX_FILE_BYTES + 1);
                }
                if (plain.length > MAX_FILE_BYTES) {
                    throw new IOException(file + " is larger than " + MAX_FILE_BYTES + " bytes when it is unpacked");
                }
            }
            byte[] expanded;
            try {
                expanded = PathOrContent.expand(new String(plain, StandardCharsets.UTF_8), System::getenv).getBytes(StandardCharsets.UTF_8);
                expansionErrors.set(0);
            } catch (FlagException e) {
                expansionErrors.set(1);
                throw e;
            }
            // Only where it changes: beside the configuration, writing it is an event that makes us look again.
            if (!Files.exists(out) || !Arrays.equals(Files.readAllBytes(out), expanded)) {
                Path tmp = out.resolveSibling(out.getFileName() + ".tmp");
                Files.write(tmp, expanded);
                Files.move(tmp, out, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            }
        }
        return sha.digest();
    }

    private byte[] hashRules() throws IOException {
        MessageDigest sha = sha();
        for (Path dir : options.ruleDirs()) {
            List<Path> files;
            try (Stream<Path> walk = Files.walk(dir, FileVisitOption.FOLLOW_LINKS)) {
                files = walk.filter(Files::isRegularFile).sorted().toList();
            } catch (java.io.UncheckedIOException e) {
                throw e.getCause();
            }
            for (Path f : files) {
                sha.update(f.toString().getBytes(StandardCharsets.UTF_8));
                sha.update((byte) 0);
                sha.update(content(f));
            }
        }
        return sha.digest();
    }

    private static byte[] content(Path file) throws IOException {
        if (Files.size(file) > MAX_FILE_BYTES) {
            throw new IOException(file + " is larger than " + MAX_FILE_BYTES + " bytes");
        }
        return Files.readAllBytes(file);
    }

    private static MessageDigest sha() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    private void reload() {
        if (!options.bySignal()) {
            try (QueryContext context = new QueryContext(30_000, io.varve.model.MemoryBudget.UNLIMITED)) {
                prometheus.post(context, "/-/reload");
            }
            return;
        }
        List<ProcessHandle> found = ProcessHandle.allProcesses().filter(p -> p.info().command()
                .map(c -> Path.of(c).getFileName()).map(Object::toString).orElse("").equals(options.processName())).toList();
        if (found.isEmpty()) {
            throw new UnavailableException("no process is called " + options.processName());
        }
        for (ProcessHandle p : found) {
            Signals.hangUp(p.pid());
        }
    }

    @Override
    public void close() {
        stopped = true;
        thread.interrupt();
        try {
            if (thread.isAlive()) {
                thread.join(Duration.ofSeconds(5));
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}

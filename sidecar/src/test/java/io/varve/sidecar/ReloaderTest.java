package io.varve.sidecar;

import static org.assertj.core.api.Assertions.assertThat;

import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.runtime.http.HttpServer;
import io.varve.runtime.http.Routes;
import java.io.IOException;
import java.io.OutputStream;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.zip.GZIPOutputStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What makes Prometheus reload, and what is written out before. */
class ReloaderTest {
    @TempDir
    Path dir;
    private final Semaphore reloads = new Semaphore(0);
    private final HttpServer server = HttpServer.start("127.0.0.1:0", Duration.ofSeconds(1),
            Routes.builder().post(null, "/-/reload", (q, a) -> {
                reloads.release();
                a.sendText(200, "");
            }).build(), new PrometheusRegistry());

    private @Nullable Reloader reloader;

    @AfterEach
    void close() {
        if (reloader != null) {
            reloader.close();
        }
        server.close();
    }

    /** Reads everything at start and when the file system says so, and otherwise not while a test runs. */
    private void start(@Nullable Path config, @Nullable Path output, List<Path> rules) {
        Prometheus prometheus = new Prometheus(URI.create("http://" + server.address()), HttpClientConfig.NONE);
        reloader = new Reloader(new Reloader.Options(config, output, rules, Duration.ofHours(1), Duration.ofMillis(50), false, ""),
                prometheus, new PrometheusRegistry());
        reloader.start();
    }

    private void awaitReload() throws InterruptedException {
        assertThat(reloads.tryAcquire(1, TimeUnit.MINUTES)).as("reloaded").isTrue();
        reloads.drainPermits();
    }

    @Test
    void variablesAreReplacedAndPackedFilesUnpacked() throws Exception {
        Path config = dir.resolve("in.yaml.gz");
        Path output = dir.resolve("out.yaml");
        try (OutputStream out = new GZIPOutputStream(Files.newOutputStream(config))) {
            out.write("path: $(PATH)".getBytes(StandardCharsets.UTF_8));
        }
        start(config, output, List.of());
        awaitReload();
        assertThat(output).hasContent("path: " + System.getenv("PATH"));
    }

    @Test
    void aDirectoryThatIsMadeAnewIsStillWatched() throws Exception {
        Path rules = Files.createDirectory(dir.resolve("rules"));
        Path below = Files.createDirectory(rules.resolve("below"));
        rule(below, "1");
        start(null, null, List.of(rules));
        awaitReload();
        Files.delete(below.resolve("a.yaml"));
        Files.delete(below);
        awaitReload();
        Files.createDirectory(below);
        rule(below, "2");
        awaitReload();
        rule(below, "3");
        awaitReload();
    }

    /** All at once, so that it is one change. */
    private void rule(Path rules, String text) throws IOException {
        Files.move(Files.writeString(dir.resolve("new"), text), rules.resolve("a.yaml"), StandardCopyOption.ATOMIC_MOVE,
                StandardCopyOption.REPLACE_EXISTING);
    }
}

package io.varve.demo;

import com.fasterxml.jackson.databind.JsonNode;
import io.varve.demo.Shop.ShopSeries;
import io.varve.model.Histogram;
import io.varve.model.InvalidRequestException;
import io.varve.model.UnavailableException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The running demo, also what the integration tests start. {@link #launch} starts everything in order and returns when every process is
 * ready; {@link #close} ends every process that was started. One thread starts; close may come from a shutdown hook. Processes are
 * called {@code prometheus-a}, {@code prometheus-b}, {@code sidecar-a}, {@code sidecar-b}, {@code store}, {@code compact}, {@code query}
 * and {@code s3}.
 */
public final class Demo implements AutoCloseable {
    private static final Duration READY = Duration.ofSeconds(120);
    private static final int LIVE_STEP_MILLIS = 15_000;

    /**
     * How the demo runs.
     *
     * @param dir everything is written below it
     * @param basePort first of 12 ports in a row
     * @param s3 whether the bucket is behind the embedded S3 server instead of in a directory
     * @param bucketYaml the configuration of an object store that runs already; "" for one of the demo's own
     * @param days how much history
     * @param prometheus the program
     * @param home the distribution: {@code bin/varve} is in it
     */
    public record Config(Path dir, int basePort, boolean s3, String bucketYaml, int days, Path prometheus, Path home) {
    }

    private final Config config;
    private final Children children;
    private final Http http = new Http();
    private final List<ShopSeries> shop = Shop.series();
    private final Thread live;
    private long historyFrom;
    private long historyTo;

    private Demo(Config config) {
        this.config = config;
        this.children = new Children(config.dir().resolve("logs"));
        this.live = Thread.ofVirtual().name("demo-live").unstarted(this::writeLive);
    }

    /** Starts everything; where something does not start, ends the rest and throws. */
    public static Demo launch(Config config) throws IOException, InterruptedException {
        Demo demo = new Demo(config);
        Runtime.getRuntime().addShutdownHook(new Thread(demo::close, "demo-shutdown"));
        try {
            demo.start();
        } catch (IOException | InterruptedException | RuntimeException e) {
            demo.close();
            throw e;
        }
        return demo;
    }

    private void start() throws IOException, InterruptedException {
        checkPorts();
        Path bucketYaml = config.dir().resolve("bucket.yaml");
        if (!config.bucketYaml().isEmpty()) {
            Files.writeString(bucketYaml, config.bucketYaml());
        } else if (config.s3()) {
            startS3();
            Files.writeString(bucketYaml, S3Server.yaml(port("s3")));
        } else {
            Path bucket = Files.createDirectories(config.dir().resolve("bucket"));
            Files.writeString(bucketYaml, "type: FILESYSTEM\nconfig:\n  directory: " + bucket + "\n");
        }
        long now = System.currentTimeMillis();
        long boundary = now - now % History.BLOCK_MILLIS;
        historyFrom = boundary - config.days() * 86_400_000L;
        historyTo = boundary;
        Map<Replica, Integer> inData = new LinkedHashMap<>();
        for (Replica replica : List.of(Replica.A, Replica.B)) {
            History history = new History(shop, replica);
            say("writing " + config.days() + " days of history of replica " + replica.name() + " ...");
            Path data = Files.createDirectories(dataDir(replica));
            // The last day goes to the Prometheus itself, for its sidecar to upload; the rest is uploaded as a sidecar would have.
            // And a block more: right after a block's end, windows at the start of the last day reach into the one before.
            long inPrometheus = boundary - 86_400_000L - History.BLOCK_MILLIS;
            int uploaded = history.upload(bucketYaml, config.dir().resolve("work"), historyFrom, inPrometheus);
            int local = history.write(data, inPrometheus, boundary);
            say("  " + uploaded + " blocks in the bucket, " + local + " in its Prometheus");
            inData.put(replica, local);
            startPrometheus(replica);
        }
        for (Replica replica : List.of(Replica.A, Replica.B)) {
            awaitReady("prometheus-" + replica.name());
            // What happened since the last block ended is still in Prometheus' memory.
            writeTo(replica, boundary, System.currentTimeMillis(), 60_000);
            // Only now it scrapes: once it has a sample of this minute it takes none that are an hour older.
            Files.writeString(prometheusYaml(replica), scrapeConfigs(), StandardOpenOption.APPEND);
            http.post(url("prometheus-" + replica.name()) + "/-/reload");
        }
        live.start();
        String objstore = "--objstore.config-file=" + bucketYaml;
        for (Replica replica : List.of(Replica.A, Replica.B)) {
            String name = "sidecar-" + replica.name();
            varve(name, "sidecar", "--prometheus.url=" + url("prometheus-" + replica.name()), "--tsdb.path=" + dataDir(replica), objstore,
                    http(name), grpc(name));
        }
        varve("store", "store", "--data-dir=" + config.dir().resolve("store"), objstore, "--sync-block-duration=30s", http("store"),
                grpc("store"));
        varve("query", "query", "--endpoint=127.0.0.1:" + port("sidecar-a-grpc"), "--endpoint=127.0.0.1:" + port("sidecar-b-grpc"),
                "--endpoint=127.0.0.1:" + port("store-grpc"), "--query.replica-label=replica", "--query.auto-downsampling", http("query"),
                grpc("query"));
        for (Map.Entry<Replica, Integer> e : inData.entrySet()) {
            awaitShipped("sidecar-" + e.getKey().name(), e.getValue());
        }
        // Last, so that its first round finds everything there is to merge.
        varve("compact", "compact", "--data-dir=" + config.dir().resolve("compact"), objstore, "--wait", "--wait-interval=1m",
                "--consistency-delay=0s",
                http("compact"));
        for (String name : List.of("sidecar-a", "sidecar-b", "store", "compact", "query")) {
            awaitReady(name);
        }
        awaitStores();
    }

    /** Says what is still missing, "" once nothing is. */
    interface Missing {
        String text() throws IOException, InterruptedException;
    }

    /** Waits until nothing is missing any more; fails as soon as a process has ended, and after so long with what is missing and whose log says more. */
    void await(String process, Duration atMost, Missing missing) throws IOException, InterruptedException {
        long deadline = System.nanoTime() + atMost.toNanos();
        while (true) {
            String text = missing.text();
            if (text.isEmpty()) {
                return;
            }
            check();
            if (System.nanoTime() > deadline) {
                throw new UnavailableException(text + " after " + atMost.toSeconds() + " s; its log: " + children.log(process));
            }
            Thread.sleep(100);
        }
    }

    /** Waits until a process says it is ready. */
    public void awaitReady(String name) throws IOException, InterruptedException {
        await(name, READY, () -> http.ok(url(name) + "/-/ready") ? "" : name + " is not ready");
    }

    /** Waits until a sidecar has uploaded so many blocks. */
    private void awaitShipped(String sidecar, int blocks) throws IOException, InterruptedException {
        awaitReady(sidecar);
        await(sidecar, READY, () -> {
            double shipped = http.metrics(url(sidecar)).sum("thanos_shipper_uploads_total");
            return shipped >= blocks ? "" : sidecar + " has uploaded " + Math.round(shipped) + " of " + blocks + " blocks";
        });
    }

    /** Waits until the querier has heard from both sidecars and the store gateway: it asks them every few seconds. */
    private void awaitStores() throws IOException, InterruptedException {
        await("query", READY, () -> {
            int healthy = 0;
            for (JsonNode component : http.query(url("query"), "/api/v1/stores").path("data")) {
                for (JsonNode store : component) {
                    healthy += store.path("lastError").isNull() ? 1 : 0;
                }
            }
            return healthy == 3 ? "" : "the querier sees " + healthy + " of its three stores";
        });
    }

    /** Ends every process; may be called at any time, any number of times. */
    @Override
    public void close() {
        live.interrupt();
        children.close();
    }

    /** Fails as soon as a process has ended by itself. */
    void check() throws IOException {
        String dead = children.dead();
        if (!dead.isEmpty()) {
            throw ended(dead);
        }
    }

    /** Where a process serves HTTP. */
    public String url(String process) {
        return "http://127.0.0.1:" + port(process.startsWith("prometheus-") ? process : process + "-http");
    }

    /** Ends one process, with SIGTERM or with SIGKILL, and returns its exit code. */
    public int stop(String process, boolean kill) throws InterruptedException {
        return children.stop(process, kill);
    }

    /** Starts a process again that was stopped and waits until it is ready. */
    public void restart(String process) throws IOException, InterruptedException {
        children.restart(process);
        awaitReady(process);
    }

    /** The operating system's number of a running process. */
    public long pid(String process) {
        return children.pid(process);
    }

    Http http() {
        return http;
    }

    /** When the history begins, in milliseconds. */
    public long historyFrom() {
        return historyFrom;
    }

    /** When the last whole block of the history ends, in milliseconds. */
    long historyTo() {
        return historyTo;
    }

    /** Where everything is written. */
    public Path dir() {
        return config.dir();
    }

    /** Every port by what listens on it, in order. */
    Map<String, Integer> ports() {
        Map<String, Integer> ports = new LinkedHashMap<>();
        int p = config.basePort();
        for (String name : List.of("query-http", "query-grpc", "prometheus-a", "prometheus-b", "sidecar-a-http", "sidecar-a-grpc",
                "sidecar-b-http",
                "sidecar-b-grpc", "store-http", "store-grpc", "compact-http", "s3")) {
            ports.put(name, p++);
        }
        return ports;
    }

    private int port(String name) {
        Integer port = ports().get(name);
        if (port == null) {
            throw new IllegalArgumentException(name);
        }
        return port;
    }

    private void checkPorts() {
        List<String> taken = new ArrayList<>();
        ports().forEach((name, port) -> {
            try (ServerSocket s = new ServerSocket(port, 1, InetAddress.getLoopbackAddress())) {
                s.setReuseAddress(true);
            } catch (IOException e) {
                taken.add(port + " (" + name + ")");
            }
        });
        if (!taken.isEmpty()) {
            throw new InvalidRequestException(
                    "taken already: port " + String.join(", port ", taken) + "; choose other ports with --base-port (now "
                            + config.basePort() + ")");
        }
    }

    private String http(String name) {
        return "--http-address=127.0.0.1:" + port(name + "-http");
    }

    private String grpc(String name) {
        return "--grpc-address=127.0.0.1:" + port(name + "-grpc");
    }

    private Path dataDir(Replica replica) {
        return config.dir().resolve("prometheus-" + replica.name());
    }

    private void varve(String name, String... args) throws IOException {
        List<String> command = new ArrayList<>();
        command.add(config.home().resolve("bin/varve").toString());
        command.addAll(List.of(args));
        children.start(name, command);
    }

    private void startS3() throws IOException, InterruptedException {
        say("starting an S3 server on port " + port("s3") + " ...");
        Path data = Files.createDirectories(config.dir().resolve("s3"));
        children.start("s3", S3Server.command(S3Server.lib(config.home()), data, port("s3")));
        await("s3", READY, () -> S3Server.answers(port("s3")) ? "" : "the S3 server is not ready");
    }

    private void startPrometheus(Replica replica) throws IOException {
        StringBuilder yaml = new StringBuilder();
        yaml.append("global:\n  scrape_interval: 15s\n  external_labels:\n");
        replica.externalLabels().forEach((n, v) -> yaml.append("    ").append(n).append(": ").append(v).append('\n'));
        Path file = prometheusYaml(replica);
        Files.writeString(file, yaml);
        children.start("prometheus-" + replica.name(),
                List.of(config.prometheus().toString(), "--config.file=" + file, "--storage.tsdb.path=" + dataDir(replica),
                        "--storage.tsdb.min-block-duration=2h", "--storage.tsdb.max-block-duration=2h", "--storage.tsdb.retention.time=30d",
                        "--web.listen-address=127.0.0.1:" + port("prometheus-" + replica.name()), "--web.enable-remote-write-receiver",
                        "--web.enable-lifecycle", "--enable-feature=native-histograms", "--log.level=warn"));
    }

    private Path prometheusYaml(Replica replica) {
        return config.dir().resolve("prometheus-" + replica.name() + ".yaml");
    }

    /** What both replicas scrape: themselves and the varve processes. */
    private String scrapeConfigs() {
        StringBuilder yaml = new StringBuilder();
        yaml.append("scrape_configs:\n  - job_name: prometheus\n    static_configs:\n      - targets: ['127.0.0.1:")
                .append(port("prometheus-a"))
                .append("', '127.0.0.1:").append(port("prometheus-b")).append("']\n");
        yaml.append("  - job_name: varve\n    static_configs:\n");
        for (String name : List.of("sidecar-a", "sidecar-b", "store", "compact", "query")) {
            yaml.append("      - targets: ['127.0.0.1:").append(port(name + "-http")).append("']\n        labels: {component: ")
                    .append(name).append("}\n");
        }
        return yaml.toString();
    }

    private IOException ended(String name) throws IOException {
        List<String> lines = Files.exists(children.log(name)) ? Files.readAllLines(children.log(name)) : List.of();
        String tail = String.join("\n    ", lines.subList(Math.max(0, lines.size() - 5), lines.size()));
        return new IOException(name + " has ended; the last lines of " + children.log(name) + ":\n    " + tail);
    }

    /** Goes on where the history ends: both replicas get the shop's values of the moment, each at its own offset. */
    private void writeLive() {
        try {
            while (true) {
                long next = System.currentTimeMillis() / LIVE_STEP_MILLIS * LIVE_STEP_MILLIS + LIVE_STEP_MILLIS;
                Thread.sleep(Math.max(1, next - System.currentTimeMillis()));
                for (Replica replica : List.of(Replica.A, Replica.B)) {
                    try {
                        writeTo(replica, next - LIVE_STEP_MILLIS, next, LIVE_STEP_MILLIS);
                    } catch (IOException e) {
                        // A replica that is stopped misses its samples, as it would have missed its scrapes.
                    }
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Gives a Prometheus the replica's samples of {@code [from, to)}, which lie after the history. */
    private void writeTo(Replica replica, long from, long to, int step) throws IOException, InterruptedException {
        List<Long> times = new ArrayList<>();
        for (long t = from + replica.offsetMillis(); t < to; t += step) {
            if (!replica.missedLive(t)) {
                times.add(t);
            }
        }
        if (times.isEmpty()) {
            return;
        }
        long[] ts = times.stream().mapToLong(Long::longValue).toArray();
        RemoteWrite write = new RemoteWrite();
        for (ShopSeries s : shop) {
            Shop.FloatAt floatAt = s.floatAt();
            Shop.HistogramAt histogramAt = s.histogramAt();
            if (floatAt != null) {
                double[] vs = new double[ts.length];
                for (int i = 0; i < vs.length; i++) {
                    vs[i] = floatAt.at(ts[i] / 1000.0);
                }
                write.floats(s.labels(), ts, vs);
            } else if (histogramAt != null) {
                List<Histogram> hs = new ArrayList<>();
                for (long t : ts) {
                    hs.add(histogramAt.at(t / 1000.0));
                }
                write.histograms(s.labels(), ts, hs);
            }
        }
        http.write(url("prometheus-" + replica.name()) + "/api/v1/write", write.body());
    }

    private static void say(String line) {
        System.out.println("varve demo: " + line);
    }
}

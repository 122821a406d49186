package io.varve.demo;

import io.varve.model.ErrorText;
import io.varve.model.InvalidRequestException;
import io.varve.model.UnavailableException;
import java.io.IOException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code varve demo}: runs the whole system on this machine until Ctrl-C, or with {@code --check} until it has proved itself. */
@Command(name = "demo", mixinStandardHelpOptions = true, sortOptions = false, description = {
        "Runs the main job on this machine: two replicas of a real Prometheus, a sidecar beside each, a bucket, a store gateway, a compactor "
                + "and a querier, with some weeks of history. Ctrl-C stops everything."})
public final class DemoCommand implements Callable<Integer> {
    /** What the object store is. */
    enum Store {
        filesystem, s3
    }

    @Option(names = "--dir", paramLabel = "DIR", description = "where everything is written; emptied first (default: ${DEFAULT-VALUE})")
    private Path dir = Path.of("varve-demo");

    @Option(names = "--base-port", paramLabel = "PORT", description = "the first of 12 ports in a row (default: ${DEFAULT-VALUE})")
    private int basePort = 19090;

    @Option(names = "--object-store", paramLabel = "KIND", description = "filesystem, or s3: an S3 server over HTTP (default: ${DEFAULT-VALUE})")
    private Store objectStore = Store.filesystem;

    @Option(names = "--history-days", paramLabel = "N", description = "how many days of history are written (default: ${DEFAULT-VALUE})")
    private int historyDays = 21;

    @Option(names = "--prometheus", paramLabel = "PATH", description = "the prometheus program (default: found or installed)")
    private String prometheus = "";

    @Option(names = "--check", description = "run the example queries, compare with Prometheus, stop, exit 0 or 1")
    private boolean check;

    @Override
    public Integer call() throws InterruptedException {
        try {
            return run();
        } catch (InvalidRequestException | UnavailableException e) {
            System.err.println("varve demo: " + e.getMessage());
            return 1;
        } catch (IOException e) {
            System.err.println("varve demo: " + ErrorText.of(e));
            return 1;
        }
    }

    private int run() throws IOException, InterruptedException {
        if (historyDays < 1 || historyDays > 365) {
            throw new InvalidRequestException("--history-days must be between 1 and 365, got " + historyDays);
        }
        if (basePort < 1024 || basePort > 65_000) {
            throw new InvalidRequestException("--base-port must be between 1024 and 65000, got " + basePort);
        }
        Path home = Path.of(System.getProperty("varve.home", "."));
        Path root = dir.toAbsolutePath().normalize();
        clean(root);
        Demo.Config config = new Demo.Config(root, basePort, objectStore == Store.s3, "", historyDays, PrometheusBinary.find(prometheus),
                home);
        long begin = System.nanoTime();
        try (Demo demo = Demo.launch(config)) {
            System.out.printf("varve demo: everything is ready after %.0f s%n", (System.nanoTime() - begin) / 1e9);
            if (check) {
                boolean good = new DemoCheck(demo).run();
                System.out.println(good
                        ? "varve demo: all as expected"
                        : "varve demo: some answers are NOT as expected; logs: " + root.resolve("logs"));
                return good ? 0 : 1;
            }
            introduce(demo);
            while (true) {
                demo.check();
                Thread.sleep(500);
            }
        }
    }

    /** Removes what an earlier demo left; refuses a directory that is something else. */
    private static void clean(Path root) throws IOException {
        Path mark = root.resolve(".varve-demo");
        if (Files.exists(root)) {
            try (var entries = Files.list(root)) {
                if (!Files.exists(mark) && entries.findAny().isPresent()) {
                    throw new InvalidRequestException("--dir: " + root + " is not empty and no earlier demo made it");
                }
            }
            Files.walkFileTree(root, new SimpleFileVisitor<>() {
                @Override
                public FileVisitResult visitFile(Path file, BasicFileAttributes attrs) throws IOException {
                    Files.delete(file);
                    return FileVisitResult.CONTINUE;
                }

                @Override
                public FileVisitResult postVisitDirectory(Path d, @Nullable IOException e) throws IOException {
                    if (!d.equals(root)) {
                        Files.delete(d);
                    }
                    return FileVisitResult.CONTINUE;
                }
            });
        }
        Files.createDirectories(root);
        Files.createFile(mark);
    }

    private static void introduce(Demo demo) {
        String url = demo.url("query");
        long end = System.currentTimeMillis() / 1000;
        long start = demo.historyFrom() / 1000;
        System.out.println();
        System.out.println("  Querier (HTTP API; a Grafana data source of type Prometheus can point here):  " + url);
        System.out.println();
        System.out.println("  Three queries that work:");
        for (String query : DemoCheck.EXAMPLES) {
            System.out.println("    " + query);
            System.out.println("      curl '" + url + "/api/v1/query_range?start=" + start + "&end=" + end + "&step=3600&query="
                    + URLEncoder.encode(query, StandardCharsets.UTF_8) + "'");
        }
        System.out.println();
        System.out.println("  What runs:");
        demo.ports().forEach((name, port) -> {
            if (!name.endsWith("-grpc") && !name.equals("s3")) {
                System.out.printf("    %-14s http://127.0.0.1:%d  %s%n", name.replace("-http", ""), port, what(name));
            }
        });
        System.out.println("    logs           " + demo.dir().resolve("logs"));
        System.out.println();
        System.out.println("  Ctrl-C stops everything.");
    }

    private static String what(String name) {
        return switch (name) {
            case "query-http" -> "asks both sidecars and the store gateway, merges, deduplicates";
            case "prometheus-a", "prometheus-b" -> "a real Prometheus, one of two replicas; scrapes itself, its twin and varve";
            case "sidecar-a-http", "sidecar-b-http" -> "serves its Prometheus' recent data, uploads its blocks";
            case "store-http" -> "serves the history in the bucket";
            case "compact-http" -> "merges and downsamples the blocks in the bucket";
            default -> "";
        };
    }
}

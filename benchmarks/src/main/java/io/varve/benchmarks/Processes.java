package io.varve.benchmarks;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** Processes that are measured from outside, each with a log in {@code directory}; ended when this is closed. One thread. Linux alone. */
final class Processes implements AutoCloseable {
    /** What the kernel counts processor time in (USER_HZ), on every platform that Java 25 runs on. */
    private static final double TICKS_PER_SECOND = 100;

    private final Path directory;
    private final HttpClient http;
    private final List<Process> all = new ArrayList<>();

    Processes(Path directory, HttpClient http) {
        this.directory = directory;
        this.http = http;
    }

    /** A port of the loopback address that nobody listens on now. */
    static int freePort() throws IOException {
        try (ServerSocket s = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return s.getLocalPort();
        }
    }

    /** Starts a command; what it prints goes to {@code NAME.log}. */
    Process start(String name, List<String> command) throws IOException {
        Process p = new ProcessBuilder(command).redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.appendTo(directory.resolve(name + ".log").toFile())).start();
        all.add(p);
        return p;
    }

    /** Starts a server and waits until it is ready; its address over HTTP is {@code url}. */
    Process startServer(String name, List<String> command, String url) throws IOException, InterruptedException {
        Process p = start(name, command);
        long until = System.nanoTime() + TimeUnit.MINUTES.toNanos(3);
        while (System.nanoTime() < until) {
            if (!p.isAlive()) {
                throw new IOException(name + " ended with " + p.exitValue() + "; its log is " + directory.resolve(name + ".log"));
            }
            try {
                if (send(url + "/-/ready").statusCode() == 200) {
                    return p;
                }
            } catch (IOException e) {
                // Not listening yet.
            }
            TimeUnit.MILLISECONDS.sleep(20);
        }
        throw new IOException(name + " does not become ready; its log is " + directory.resolve(name + ".log"));
    }

    /** The body of an answer. */
    String get(String url) throws IOException, InterruptedException {
        return send(url).body();
    }

    private HttpResponse<String> send(String url) throws IOException, InterruptedException {
        return http.send(HttpRequest.newBuilder(URI.create(url)).timeout(Duration.ofMinutes(2)).build(),
                HttpResponse.BodyHandlers.ofString());
    }

    /** Processor seconds that the process has taken. */
    static double cpuSeconds(Process p) throws IOException {
        String stat = Files.readString(Path.of("/proc/" + p.pid() + "/stat"));
        // The name, which may hold spaces, is in parentheses.
        String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
        return (Long.parseLong(fields[11]) + Long.parseLong(fields[12])) / TICKS_PER_SECOND;
    }

    /** Bytes of memory that were resident at most since {@link #forgetPeak}. */
    static long peakBytes(Process p) throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc/" + p.pid() + "/status"))) {
            if (line.startsWith("VmHWM:")) {
                return 1024 * Long.parseLong(line.replaceAll("\\D", ""));
            }
        }
        throw new IOException("/proc/" + p.pid() + "/status has no VmHWM");
    }

    /** Begins a new peak. */
    static void forgetPeak(Process p) throws IOException {
        Files.writeString(Path.of("/proc/" + p.pid() + "/clear_refs"), "5");
    }

    /** Ends all, in the order they were started. */
    @Override
    public void close() {
        for (Process p : all) {
            p.destroy();
        }
        for (Process p : all) {
            try {
                if (p.waitFor(20, TimeUnit.SECONDS)) {
                    continue;
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            p.destroyForcibly();
        }
        all.clear();
    }

    /** Removes a directory and all below. */
    static void delete(Path tree) throws IOException {
        if (!Files.exists(tree)) {
            return;
        }
        try (Stream<Path> walk = Files.walk(tree)) {
            for (Path p : walk.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(p);
            }
        }
    }
}

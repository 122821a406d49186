package io.varve.it;

import io.varve.demo.Demo;
import io.varve.demo.PrometheusBinary;
import io.varve.model.InvalidRequestException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Assumptions;

/** What the tests know of the machine: the distribution, free ports, a Prometheus, how to run a command. */
final class Machine {
    /** What a command printed and its exit code. */
    record Outcome(int code, String out) {
    }

    private Machine() {
    }

    /** The distribution, as the build packaged it. */
    static Path home() {
        Path home = Path.of(System.getProperty("varve.root", "."), "dist", "target", "varve");
        Assumptions.assumeTrue(Files.isExecutable(home.resolve("bin/varve")), "skipped: no distribution in " + home + " (run mvn verify)");
        return home;
    }

    /** A real Prometheus; where there is none the test is skipped with one line. */
    static Path prometheus() throws InterruptedException {
        try {
            return PrometheusBinary.find("");
        } catch (InvalidRequestException e) {
            System.out.println("skipped: " + e.getMessage());
            Assumptions.abort(e.getMessage());
            throw e;
        }
    }

    /** The first of {@code count} free ports in a row. */
    static int freePorts(int count) throws IOException {
        for (int base = 21_000; base < 60_000; base += count) {
            if (allFree(base, count)) {
                return base;
            }
        }
        throw new IOException("no " + count + " free ports in a row");
    }

    private static boolean allFree(int base, int count) {
        List<ServerSocket> held = new ArrayList<>();
        try {
            for (int p = base; p < base + count; p++) {
                held.add(new ServerSocket(p, 1, InetAddress.getLoopbackAddress()));
            }
            return true;
        } catch (IOException e) {
            return false;
        } finally {
            for (ServerSocket s : held) {
                try {
                    s.close();
                } catch (IOException e) {
                    throw new IllegalStateException(e);
                }
            }
        }
    }

    /** Starts the system below {@code dir}. */
    static Demo launch(Path dir, boolean s3, String bucketYaml, int days) throws IOException, InterruptedException {
        return Demo.launch(new Demo.Config(dir, freePorts(12), s3, bucketYaml, days, prometheus(), home()));
    }

    /** Runs {@code bin/varve} to its end. */
    static Outcome varve(String... args) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>();
        command.add(home().resolve("bin/varve").toString());
        command.addAll(List.of(args));
        return run(command);
    }

    /** Runs a command to its end, at most two minutes. */
    static Outcome run(List<String> command) throws IOException, InterruptedException {
        Path out = Files.createTempFile("varve-it", ".out");
        try {
            Process p = new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(out.toFile()).start();
            if (!p.waitFor(2, TimeUnit.MINUTES)) {
                p.destroyForcibly().waitFor();
                throw new IOException("still running after 2 minutes: " + command);
            }
            return new Outcome(p.exitValue(), Files.readString(out));
        } finally {
            Files.deleteIfExists(out);
        }
    }
}

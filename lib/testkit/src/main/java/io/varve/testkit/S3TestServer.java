package io.varve.testkit;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A real S3 server in a process of its own, on a directory: {@code s3-server/} of the checkout, which the build has compiled before the
 * modules that test with it. Ends when it is closed, and with the JVM that started it.
 */
public final class S3TestServer implements AutoCloseable {
    /** What requests are signed with. */
    public static final String ACCESS_KEY = "varve-test";
    /** What requests are signed with. */
    public static final String SECRET_KEY = "varve-test-secret";

    private static final Pattern OTHER_STARTED = Pattern.compile("started on ports .*?(\\d+) \\(http\\)");

    private final Process process;
    private final String endpoint;
    private final String bucket;

    private S3TestServer(Process process, String endpoint, String bucket) {
        this.process = process;
        this.endpoint = endpoint;
        this.bucket = bucket;
    }

    /** Starts it with one bucket in {@code directory}; empty, with one line that says so, where {@code s3-server/} is not built. */
    public static Optional<S3TestServer> start(Path directory, String bucket) {
        Path target = Path.of(System.getProperty("varve.root", "."), "s3-server", "target");
        if (!Files.isDirectory(target.resolve("lib")) || !Files.isDirectory(target.resolve("classes"))) {
            System.out.println("skipped: no S3 server at " + target + " (build it: mvn process-classes -pl s3-server)");
            return Optional.empty();
        }
        try {
            Process process = new ProcessBuilder(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-Xmx256m",
                    "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp",
                    target.resolve("classes") + File.pathSeparator + target.resolve("lib") + "/*",
                    "io.varve.s3server.S3Server", "--listen=127.0.0.1:0", "--directory=" + directory, "--bucket=" + bucket,
                    "--access-key=" + ACCESS_KEY,
                    "--secret-key=" + SECRET_KEY, "--exit-on-eof")).redirectError(ProcessBuilder.Redirect.INHERIT).start();
            BufferedReader out = new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
            String line = out.readLine();
            if (line == null || !line.startsWith("ready endpoint=")) {
                process.destroyForcibly();
                throw new IOException("S3 server did not start: " + line);
            }
            return Optional.of(new S3TestServer(process, line.substring("ready endpoint=".length(), line.indexOf(" bucket=")), bucket));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /**
     * Starts S3Mock, another implementation of the protocol, which checks no signatures, with one bucket in {@code directory}; empty, with
     * one line that says so, where {@code s3-server/} is not built.
     */
    public static Optional<S3TestServer> startOther(Path directory, String bucket) {
        Path jar = Path.of(System.getProperty("varve.root", "."), "s3-server", "target", "other", "s3mock-exec.jar");
        if (!Files.isRegularFile(jar)) {
            System.out.println("skipped: no S3 server at " + jar + " (build it: mvn process-classes -pl s3-server)");
            return Optional.empty();
        }
        try {
            Process process = new ProcessBuilder(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-Xmx256m",
                    "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-jar", jar.toString(), "--server.address=127.0.0.1", "--server.port=0",
                    "--http.port=0", "--com.adobe.testing.s3mock.store.root=" + directory,
                    "--com.adobe.testing.s3mock.store.initialBuckets=" + bucket)).redirectErrorStream(true).start();
            Runtime.getRuntime().addShutdownHook(new Thread(process::destroyForcibly));
            BufferedReader out = new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
            StringBuilder said = new StringBuilder();
            for (String line = out.readLine(); line != null; line = out.readLine()) {
                Matcher started = OTHER_STARTED.matcher(line);
                if (started.find()) {
                    Thread.ofVirtual().start(() -> out.lines().forEach(ignored -> {
                    }));
                    return Optional.of(new S3TestServer(process, "127.0.0.1:" + started.group(1), bucket));
                }
                said.append(line).append('\n');
            }
            throw new IOException("S3Mock did not start: " + said);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** {@code host:port}. */
    public String endpoint() {
        return endpoint;
    }

    /** The object storage configuration of its bucket; {@code more} are further lines of the section {@code config}. */
    public String yaml(String... more) {
        StringBuilder yaml = new StringBuilder(
                "type: S3\nconfig:\n  bucket: " + bucket + "\n  endpoint: " + endpoint + "\n  insecure: true\n  access_key: "
                        + ACCESS_KEY + "\n  secret_key: " + SECRET_KEY + "\n");
        for (String line : more) {
            yaml.append("  ").append(line).append('\n');
        }
        return yaml.toString();
    }

    @Override
    public void close() {
        process.destroyForcibly().onExit().join();
    }
}

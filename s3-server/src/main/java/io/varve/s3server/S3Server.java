package io.varve.s3server;

import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import org.gaul.s3proxy.BlobStores;
import org.gaul.s3proxy.S3Proxy;
import org.gaul.s3proxy.auth.AuthenticationType;

/**
 * Serves a directory over S3's protocol:
 *
 * <pre>
 * java -cp 's3-server/target/classes:s3-server/target/lib/*' io.varve.s3server.S3Server --listen=127.0.0.1:0 --directory=DIR --bucket=NAME
 *      --access-key=KEY --secret-key=SECRET [--exit-on-eof]
 * </pre>
 *
 * Creates the bucket where it is missing, then prints one line, {@code ready endpoint=127.0.0.1:PORT bucket=NAME}, on standard output. With
 * {@code --exit-on-eof} it ends when its standard input does, so that it does not outlive who started it. Signatures are checked.
 */
public final class S3Server {
    private static final Set<String> FLAGS = Set.of("--listen", "--directory", "--bucket", "--access-key", "--secret-key", "--exit-on-eof");

    private S3Server() {
    }

    /** Runs until it is killed, or its standard input ends; exits 1 with one line where it cannot start. */
    public static void main(String[] args) throws Exception {
        Map<String, String> flags = new HashMap<>();
        for (String arg : args) {
            int eq = arg.indexOf('=');
            String name = eq < 0 ? arg : arg.substring(0, eq);
            if (!FLAGS.contains(name) || eq < 0 != name.equals("--exit-on-eof")) {
                fail("unexpected argument " + arg);
            }
            flags.put(name, arg.substring(eq + 1));
        }
        for (String name : FLAGS) {
            if (!flags.containsKey(name) && !name.equals("--exit-on-eof")) {
                fail("missing " + name + "=");
            }
        }
        Path directory = Path.of(flags.getOrDefault("--directory", "")).toAbsolutePath();
        String bucket = flags.getOrDefault("--bucket", "");
        S3Proxy server;
        try {
            Files.createDirectories(directory.resolve(bucket));
            server = start(flags, directory);
        } catch (Exception e) {
            fail(e.toString());
            return;
        }
        System.out.println("ready endpoint=127.0.0.1:" + server.getPort() + " bucket=" + bucket);
        System.out.flush();
        if (flags.containsKey("--exit-on-eof")) {
            drain();
            System.exit(0);
        }
    }

    private static S3Proxy start(Map<String, String> flags, Path directory) throws Exception {
        Properties properties = new Properties();
        properties.setProperty("jclouds.provider", "filesystem-nio2");
        properties.setProperty("jclouds.filesystem.basedir", directory.toString());
        S3Proxy server = S3Proxy.builder().blobStore(BlobStores.create("filesystem-nio2", properties))
                .endpoint(URI.create("http://" + flags.getOrDefault("--listen", "")))
                .awsAuthentication(AuthenticationType.AWS_V4, flags.getOrDefault("--access-key", ""),
                        flags.getOrDefault("--secret-key", ""))
                // A part of 64 MiB, the default, arrives as one signed request.
                .v4MaxNonChunkedRequestSize(256L << 20).ignoreUnknownHeaders(true).stopTimeout(0).build();
        server.start();
        while (!"STARTED".equals(server.getState())) {
            Thread.sleep(1);
        }
        return server;
    }

    private static void drain() throws IOException {
        byte[] ignored = new byte[64];
        while (System.in.read(ignored) >= 0) {
            // Waits for the end.
        }
    }

    private static void fail(String why) {
        System.err.println("s3-server: " + why);
        System.exit(1);
    }
}

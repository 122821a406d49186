package io.varve.demo;

import io.varve.model.InvalidRequestException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** The demo's S3 server: S3Proxy over a directory, in a JVM of its own because its class path and ours do not mix. */
final class S3Server {
    /** The bucket. */
    static final String BUCKET = "varve-demo";
    private static final String KEY = "demo-access-key";
    private static final String SECRET = "demo-secret-key";

    private S3Server() {
    }

    /** Where its jars are in a distribution. */
    static Path lib(Path home) {
        return home.resolve("s3");
    }

    /** The command that runs it on a port of the loopback address. */
    static List<String> command(Path lib, Path data, int port) {
        if (!Files.isDirectory(lib)) {
            throw new InvalidRequestException(
                    "--object-store s3 needs the S3 server of the distribution in " + lib + ", which is not there");
        }
        return List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-Xmx256m", "-XX:+UseSerialGC", "-cp",
                lib + "/*",
                "io.varve.s3server.S3Server", "--listen=127.0.0.1:" + port, "--directory=" + data, "--bucket=" + BUCKET,
                "--access-key=" + KEY,
                "--secret-key=" + SECRET);
    }

    /** The object-store configuration of its bucket. */
    static String yaml(int port) {
        return """
                type: S3
                config:
                  bucket: %s
                  endpoint: 127.0.0.1:%d
                  region: us-east-1
                  insecure: true
                  access_key: %s
                  secret_key: %s
                  bucket_lookup_type: path
                """.formatted(BUCKET, port, KEY, SECRET);
    }

    /** Whether somebody listens on the port. */
    static boolean answers(int port) {
        try (Socket s = new Socket(InetAddress.getLoopbackAddress(), port)) {
            return s.isConnected();
        } catch (IOException e) {
            return false;
        }
    }
}

package io.varve.objstore;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.varve.testkit.S3TestServer;
import io.varve.testkit.TempTree;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.TestInstance;

/** The contract against an S3 server, each test below a prefix of its own. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class S3Contract extends BucketContract {
    final TempTree directory = TempTree.create();
    private @Nullable S3TestServer started;
    private int tests;

    /** Starts the server with a bucket of that name; empty where there is none on this machine. */
    abstract Optional<S3TestServer> start(Path root, String bucketName);

    @BeforeAll
    void startServer() {
        started = start(directory.root(), "contract").orElse(null);
        assumeTrue(started != null);
    }

    @AfterAll
    void stopServer() {
        S3TestServer server = started;
        if (server != null) {
            server.close();
        }
        directory.close();
    }

    S3TestServer server() {
        S3TestServer server = started;
        if (server == null) {
            throw new IllegalStateException("no S3 server");
        }
        return server;
    }

    String yaml() {
        return server().yaml("part_size: 5242880");
    }

    @Override
    Bucket empty() {
        return PrefixedBucket.of(BucketFactory.open(yaml(), Map.of()), "test-" + tests++);
    }

    @Override
    boolean aboveTheBasicPlane() {
        return false;
    }
}

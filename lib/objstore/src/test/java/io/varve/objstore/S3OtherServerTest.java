package io.varve.objstore;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.varve.testkit.S3TestServer;
import io.varve.testkit.TempTree;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;

/** The contract against a second implementation of S3, which lists, checks and refuses in ways of its own. */
class S3OtherServerTest extends BucketContract {
    private static TempTree directory = TempTree.create();
    private static @Nullable S3TestServer started;
    private static int tests;

    @BeforeAll
    static void start() {
        directory = TempTree.create();
        started = S3TestServer.startOther(directory.root(), "contract").orElse(null);
        assumeTrue(started != null);
    }

    @AfterAll
    static void stop() {
        S3TestServer server = started;
        if (server != null) {
            server.close();
        }
        directory.close();
    }

    @Override
    Bucket empty() {
        S3TestServer server = started;
        if (server == null) {
            throw new IllegalStateException("no S3 server");
        }
        return PrefixedBucket.of(BucketFactory.open(server.yaml("part_size: 5242880"), Map.of()), "test-" + tests++);
    }

    @Override
    boolean aboveTheBasicPlane() {
        return false;
    }
}

package io.varve.objstore;

import io.varve.testkit.S3TestServer;
import java.nio.file.Path;
import java.util.Optional;

/** With every request logged all of them go through the AWS client, those too that are sent without it otherwise. */
class S3TracedTest extends S3Contract {
    @Override
    Optional<S3TestServer> start(Path root, String bucketName) {
        return S3TestServer.start(root, bucketName);
    }

    @Override
    String yaml() {
        return server().yaml("part_size: 5242880", "trace:", "  enable: true");
    }
}

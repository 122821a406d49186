package io.varve.objstore;

import io.varve.testkit.S3TestServer;
import java.nio.file.Path;
import java.util.Optional;

/** The contract against a second implementation of S3, which lists, checks and refuses in ways of its own. */
class S3OtherServerTest extends S3Contract {
    @Override
    Optional<S3TestServer> start(Path root, String bucketName) {
        return S3TestServer.startOther(root, bucketName);
    }
}

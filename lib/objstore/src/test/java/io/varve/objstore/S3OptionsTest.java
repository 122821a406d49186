package io.varve.objstore;

import io.varve.testkit.S3TestServer;
import java.nio.file.Path;
import java.util.Optional;

/** The first listing version, multi-part off, and hedged reads are other ways to the same answers. */
class S3OptionsTest extends S3Contract {
    @Override
    Optional<S3TestServer> start(Path root, String bucketName) {
        return S3TestServer.start(root, bucketName);
    }

    @Override
    String yaml() {
        return server().yaml("list_objects_version: v1", "disable_multipart: true", "send_content_md5: false", "put_user_metadata:",
                "  X-Amz-Meta-Team: a", "  owner: b", "  Content-Type: application/x-varve", "max_retries: 2")
                + "hedging_config:\n  enabled: true\n  up_to: 2\n  quantile: 0.5\n";
    }
}

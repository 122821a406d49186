package io.varve.it;

import static org.assertj.core.api.Assertions.assertThat;

import io.varve.demo.Demo;
import io.varve.demo.DemoCheck;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.testcontainers.DockerClientFactory;
import org.testcontainers.containers.MinIOContainer;
import org.testcontainers.utility.DockerImageName;

/** The same system over S3: MinIO where a Docker engine answers, the embedded S3 server otherwise. */
final class S3IT {
    @TempDir
    Path dir;

    @Test
    void answersEqualPrometheusOverS3() throws IOException, InterruptedException {
        Machine.home();
        if (dockerAnswers()) {
            System.out.println("S3 server of this test: MinIO in a container");
            String image = System.getProperty("varve.minio.image", "quay.io/minio/minio:RELEASE.2025-09-07T16-13-09Z");
            try (MinIOContainer minio = new MinIOContainer(DockerImageName.parse(image).asCompatibleSubstituteFor("minio/minio"))) {
                minio.start();
                minio.execInContainer("sh", "-c", "mkdir -p /data/varve");
                check(false, """
                        type: S3
                        config:
                          bucket: varve
                          endpoint: %s
                          region: us-east-1
                          insecure: true
                          access_key: %s
                          secret_key: %s
                          bucket_lookup_type: path
                        """.formatted(minio.getS3URL().replace("http://", ""), minio.getUserName(), minio.getPassword()));
            }
        } else {
            System.out.println("S3 server of this test: the embedded one, since no Docker engine answers");
            check(true, "");
        }
    }

    private void check(boolean embedded, String yaml) throws IOException, InterruptedException {
        try (Demo demo = Machine.launch(dir, embedded, yaml, 5)) {
            DemoCheck check = new DemoCheck(demo);
            boolean good = check.run();
            assertThat(good).as("%s", check.differences()).isTrue();
        }
    }

    private static boolean dockerAnswers() {
        try {
            return DockerClientFactory.instance().isDockerAvailable();
        } catch (IllegalStateException e) {
            return false;
        }
    }
}

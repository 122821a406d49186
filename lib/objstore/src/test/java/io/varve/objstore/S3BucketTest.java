package io.varve.objstore;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.varve.model.UnavailableException;
import io.varve.testkit.S3TestServer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** The contract against a real S3 server, and what only such a server shows. */
class S3BucketTest extends S3Contract {
    @Override
    Optional<S3TestServer> start(Path root, String bucketName) {
        return S3TestServer.start(root, bucketName);
    }

    @Test
    void aWrongSecretIsSaid() {
        String wrong = server().yaml("max_retries: 1").replace(S3TestServer.SECRET_KEY, "guess");
        try (Bucket b = BucketFactory.open(wrong, Map.of())) {
            assertThatThrownBy(() -> b.upload("x", ObjectBody.of("x".getBytes(UTF_8)))).isInstanceOf(UnavailableException.class)
                    .hasMessageContaining("upload x").hasMessageContaining("access denied");
        }
    }

    @Test
    void aMissingBucketIsNotAMissingObject() {
        try (Bucket b = BucketFactory.open(server().yaml().replace("bucket: contract", "bucket: nothing-here"), Map.of())) {
            assertThatThrownBy(() -> b.open("x")).isInstanceOf(UnavailableException.class).hasMessageContaining("NoSuchBucket");
        }
    }

    @Test
    void aServerThatIsGoneIsUnavailable() {
        String gone = server().yaml("max_retries: 1").replace(server().endpoint(), "127.0.0.1:1");
        try (Bucket b = BucketFactory.open(gone, Map.of())) {
            assertThatThrownBy(() -> b.find("x")).isInstanceOf(UnavailableException.class).hasMessageContaining("find x");
        }
    }

    @Test
    void credentialsComeFromTheSharedFileToo() throws Exception {
        Path file = directory.root().resolve("credentials");
        Files.writeString(file,
                "[default]\naws_access_key_id = " + S3TestServer.ACCESS_KEY + "\naws_secret_access_key = " + S3TestServer.SECRET_KEY
                        + "\n");
        System.setProperty("aws.sharedCredentialsFile", file.toString());
        try (Bucket b = BucketFactory.open(server().yaml().replaceAll("  (access|secret)_key: .*\n", "") + "prefix: env\n", Map.of())) {
            b.upload("x", ObjectBody.of("x".getBytes(UTF_8)));
            assertThat(b.find("x")).isPresent();
        } finally {
            System.clearProperty("aws.sharedCredentialsFile");
        }
    }

    @Test
    void objectsAreReadWithoutTheClientAndWhatIsNoObjectIsLeftToIt() throws Exception {
        S3Config config = S3Config.parse(StrictYaml.parse(server().yaml()).child("config"));
        S3Clients.Client client = S3Clients.open(config, Map.of());
        try (Bucket b = new S3Bucket(config, client)) {
            String key = "direct/a b+c=ü&(1)~'*.txt";
            b.upload(key, ObjectBody.of("0123456789".getBytes(UTF_8)));
            S3Reads reads = client.reads().orElseThrow();
            try (var whole = java.util.Objects.requireNonNull(reads.get(key, null, null));
                    var part = java.util.Objects.requireNonNull(reads.get(key, "bytes=2-4", null))) {
                assertThat(whole.readAllBytes()).asString().isEqualTo("0123456789");
                assertThat(part.readAllBytes()).asString().isEqualTo("234");
                assertThat(part.response().contentRange()).startsWith("bytes 2-4/10");
                try (var same = java.util.Objects.requireNonNull(reads.get(key, "bytes=5-", whole.response().eTag()))) {
                    assertThat(same.readAllBytes()).asString().isEqualTo("56789");
                }
                assertThat(reads.get(key, "bytes=5-", "\"other\"")).isNull();
            }
            assertThat(reads.get("direct/missing", null, null)).isNull();
            assertThatThrownBy(() -> b.open("direct/missing")).isInstanceOf(NoSuchObjectException.class);
            assertThat(b.readRange(key, 8, 10)).asString().isEqualTo("89");
            assertThat(b.readRange(key, 10, 10)).isEmpty();
        }
    }

    @Test
    void aServerThatRefusesTheSignatureIsLeftToTheClient() throws Exception {
        S3Config config = S3Config
                .parse(StrictYaml.parse(server().yaml("max_retries: 1").replace(S3TestServer.SECRET_KEY, "guess")).child("config"));
        S3Clients.Client client = S3Clients.open(config, Map.of());
        try (Bucket b = new S3Bucket(config, client)) {
            assertThat(client.reads().orElseThrow().get("x", null, null)).isNull();
            assertThatThrownBy(() -> b.open("x")).isInstanceOf(UnavailableException.class).hasMessageContaining("access denied");
        }
    }
}

package io.varve.objstore;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.varve.model.InvalidRequestException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The contract on a directory. */
class FilesystemBucketTest extends BucketContract {
    @TempDir
    Path dir;

    @Override
    Bucket empty() {
        return new FilesystemBucket(dir.resolve("not/yet/there"));
    }

    @Test
    void directoriesWithoutObjectsAreNotListed() throws Exception {
        Files.createDirectories(dir.resolve("b/empty"));
        Files.createDirectories(dir.resolve("b/full"));
        Files.writeString(dir.resolve("b/full/x"), "x");
        try (Bucket b = new FilesystemBucket(dir.resolve("b"))) {
            bucket.close();
            bucket = b;
            assertThat(list("")).containsExactly("full/");
        }
    }

    @Test
    void anUploadNeverShowsHalf() throws Exception {
        put("x", "old");
        ObjectBody watching = new ObjectBody() {
            @Override
            public long size() {
                return 3;
            }

            @Override
            public java.io.InputStream open() {
                return new java.io.InputStream() {
                    private int n;

                    @Override
                    public int read() {
                        try {
                            assertThat(content("x")).isEqualTo("old");
                            assertThat(recursive("")).containsExactly("x");
                        } catch (Exception e) {
                            throw new AssertionError(e);
                        }
                        return n++ < 3 ? 'n' : -1;
                    }
                };
            }
        };
        bucket.upload("x", watching);
        assertThat(content("x")).isEqualTo("nnn");
        try (var files = Files.walk(dir.resolve("not/yet/there"))) {
            assertThat(files.filter(Files::isRegularFile)).hasSize(1);
        }
    }

    @Test
    void whatKilledProcessesLeftIsRemovedAfterADay() throws Exception {
        Path uploads = Files.createDirectories(dir.resolve("left/" + FilesystemBucket.TEMPORARY));
        var old = java.nio.file.attribute.FileTime.from(java.time.Instant.now().minus(java.time.Duration.ofHours(25)));
        for (String name : new String[]{"123-abc9", "not ours", "77-new"}) {
            Files.writeString(uploads.resolve(name), "x");
            if (!name.endsWith("new")) {
                Files.setLastModifiedTime(uploads.resolve(name), old);
            }
        }
        try (Bucket b = new FilesystemBucket(dir.resolve("left"))) {
            b.list("", name -> {
            });
            assertThat(uploads.resolve("123-abc9")).exists();
            b.upload("x", ObjectBody.of("x".getBytes(UTF_8)));
        }
        assertThat(uploads.resolve("123-abc9")).doesNotExist();
        assertThat(uploads.resolve("not ours")).exists();
        assertThat(uploads.resolve("77-new")).exists();
    }

    @Test
    void aFileIsNoBucket() throws Exception {
        Files.write(dir.resolve("file"), "x".getBytes(UTF_8));
        assertThatThrownBy(() -> new FilesystemBucket(dir.resolve("file"))).isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("is not a directory");
    }
}

package io.varve.objstore;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.varve.model.InvalidRequestException;
import io.varve.model.UnavailableException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
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
    void namesAreMadeDurableOnceTheyAreThere() throws Exception {
        List<String> synced = new ArrayList<>();
        Path root = dir.resolve("new/bucket");
        try (Bucket b = new FilesystemBucket(root, d -> {
            try (Stream<Path> all = Files.walk(root)) {
                assertThat(all.filter(Files::isRegularFile).toList()).isNotEmpty();
            }
            synced.add(dir.relativize(d).toString());
        })) {
            b.upload("block/chunks/000001", ObjectBody.of(new byte[]{1}));
            assertThat(synced).containsExactly("new/bucket/block/chunks", "new/bucket/block", "new/bucket", "new", "");
            synced.clear();
            b.upload("block/index", ObjectBody.of(new byte[]{1}));
            assertThat(synced).containsExactly("new/bucket/block");
            b.upload("block/index", ObjectBody.of(new byte[]{2}));
            b.upload("other/meta.json", ObjectBody.of(new byte[]{3}));
            assertThat(synced).containsExactly("new/bucket/block", "new/bucket/block", "new/bucket/other", "new/bucket");
        }
        try (Bucket b = new FilesystemBucket(root, d -> {
            throw new IOException("disk on fire");
        })) {
            assertThatThrownBy(() -> b.upload("x", ObjectBody.of(new byte[]{1}))).isInstanceOf(UnavailableException.class)
                    .hasMessageContaining("disk on fire");
        }
        try (Bucket b = new FilesystemBucket(root, d -> {
            throw new NoSuchFileException("deleted beside");
        })) {
            b.upload("y", ObjectBody.of(new byte[]{1}));
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
            public InputStream open() {
                return new InputStream() {
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
    void aFileIsCopiedAndOneThatIsHandedOverKept() throws Exception {
        Path file = Files.writeString(dir.resolve("file"), "some bytes");
        Files.setLastModifiedTime(file, FileTime.from(Instant.now().minus(Duration.ofDays(3))));
        bucket.upload("d/copy", ObjectBody.of(file));
        bucket.upload("d/kept", ObjectBody.handOver(file));
        // Replaces what was there, also what is the same file already.
        bucket.upload("d/kept", ObjectBody.handOver(file));
        Path root = dir.resolve("not/yet/there/d");
        assertThat(Files.isSameFile(root.resolve("copy"), file)).isFalse();
        assertThat(Files.getAttribute(root.resolve("kept"), "unix:ino")).isEqualTo(Files.getAttribute(file, "unix:ino"));
        assertThat(bucket.find("d/kept").orElseThrow().lastModifiedMillis()).isGreaterThan(
                Instant.now().minus(Duration.ofHours(1)).toEpochMilli());
        Files.delete(file);
        assertThat(content("d/copy")).isEqualTo("some bytes");
        assertThat(content("d/kept")).isEqualTo("some bytes");
        assertThat(recursive("")).containsExactly("d/copy", "d/kept");
    }

    @Test
    void aFileThatChangedItsLengthIsNotUploaded() throws Exception {
        Path file = Files.writeString(dir.resolve("file"), "some bytes");
        for (ObjectBody body : List.of(ObjectBody.of(file), ObjectBody.handOver(file))) {
            for (String other : List.of("some", "some bytes and more")) {
                Files.writeString(file, other);
                assertThatThrownBy(() -> bucket.upload("x", body)).isInstanceOf(UnavailableException.class)
                        .hasMessageContaining("expected 10");
                assertThat(recursive("")).isEmpty();
            }
        }
        Files.delete(file);
        assertThatThrownBy(() -> bucket.upload("x", new ObjectBody() {
            @Override
            public long size() {
                return 10;
            }

            @Override
            public InputStream open() {
                throw new AssertionError("is there as a file");
            }

            @Override
            public Path file() {
                return file;
            }

            @Override
            public boolean handedOver() {
                return true;
            }
        })).isInstanceOf(UnavailableException.class);
    }

    @Test
    void whatKilledProcessesLeftIsRemovedAfterADay() throws Exception {
        Path uploads = Files.createDirectories(dir.resolve("left/" + FilesystemBucket.TEMPORARY));
        var old = FileTime.from(Instant.now().minus(Duration.ofHours(25)));
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

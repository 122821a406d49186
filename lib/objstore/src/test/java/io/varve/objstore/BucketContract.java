package io.varve.objstore;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.varve.model.InvalidRequestException;
import io.varve.model.UnavailableException;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What every bucket does. Each test begins with an empty one. */
abstract class BucketContract {
    Bucket bucket = new MemoryBucket("none");

    /** A bucket without objects. */
    abstract Bucket empty() throws Exception;

    @BeforeEach
    void open() throws Exception {
        bucket = empty();
    }

    @AfterEach
    void close() {
        bucket.close();
    }

    void put(String key, String content) {
        bucket.upload(key, ObjectBody.of(content.getBytes(UTF_8)));
    }

    String content(String key) throws Exception {
        try (InputStream in = bucket.open(key)) {
            return new String(in.readAllBytes(), UTF_8);
        }
    }

    List<String> list(String prefix) {
        List<String> keys = new ArrayList<>();
        bucket.list(prefix, keys::add);
        return keys;
    }

    List<String> recursive(String prefix) {
        List<String> keys = new ArrayList<>();
        bucket.listRecursive(prefix, object -> keys.add(object.key()));
        return keys;
    }

    private List<String> recursive(String prefix, List<String> cuts) {
        List<String> keys = new ArrayList<>();
        bucket.listRecursive(prefix, cuts, object -> keys.add(object.key()));
        return keys;
    }

    @Test
    void whatIsUploadedIsRead() throws Exception {
        put("01ABC/meta.json", "{}");
        assertThat(content("01ABC/meta.json")).isEqualTo("{}");
        assertThat(bucket.find("01ABC/meta.json")).hasValueSatisfying(a -> {
            assertThat(a.key()).isEqualTo("01ABC/meta.json");
            assertThat(a.size()).isEqualTo(2);
            assertThat(a.lastModifiedMillis()).isBetween(System.currentTimeMillis() - 120_000, System.currentTimeMillis() + 120_000);
        });
    }

    @Test
    void anUploadReplacesTheObject() throws Exception {
        put("a/b", "long first content");
        put("a/b", "second");
        assertThat(content("a/b")).isEqualTo("second");
        assertThat(bucket.find("a/b")).hasValueSatisfying(a -> assertThat(a.size()).isEqualTo(6));
    }

    @Test
    void anEmptyObjectIsAnObject() throws Exception {
        put("empty", "");
        assertThat(content("empty")).isEmpty();
        assertThat(bucket.readRange("empty", 0, 10)).isEmpty();
        assertThat(list("")).containsExactly("empty");
    }

    @Test
    void absenceIsSaid() {
        put("dir/file", "x");
        assertThat(bucket.find("missing")).isEmpty();
        assertThat(bucket.find("dir")).isEmpty();
        assertThat(bucket.find("dir/file/below")).isEmpty();
        for (String key : List.of("missing", "dir", "dir/missing", "dir/file/below")) {
            assertThatThrownBy(() -> bucket.open(key).close()).isInstanceOf(NoSuchObjectException.class).hasMessageContaining(key);
            assertThatThrownBy(() -> bucket.readRange(key, 0, 1)).isInstanceOf(NoSuchObjectException.class);
            assertThatThrownBy(() -> bucket.readRange(key, 0, 0)).isInstanceOf(NoSuchObjectException.class);
        }
        assertThat(list("missing")).isEmpty();
        assertThat(recursive("missing")).isEmpty();
    }

    @Test
    void aRangeEndsWhereTheObjectEnds() throws Exception {
        put("r", "0123456789");
        assertThat(new String(bucket.readRange("r", 0, 4), UTF_8)).isEqualTo("0123");
        assertThat(new String(bucket.readRange("r", 3, 4), UTF_8)).isEqualTo("3456");
        assertThat(new String(bucket.readRange("r", 8, 100), UTF_8)).isEqualTo("89");
        assertThat(new String(bucket.readRange("r", 0, 10), UTF_8)).isEqualTo("0123456789");
        assertThat(bucket.readRange("r", 10, 5)).isEmpty();
        assertThat(bucket.readRange("r", 1L << 40, 5)).isEmpty();
        assertThat(bucket.readRange("r", 3, 0)).isEmpty();
        assertThatThrownBy(() -> bucket.readRange("r", -1, 5)).isInstanceOf(InvalidRequestException.class);
        assertThatThrownBy(() -> bucket.readRange("r", 0, -5)).isInstanceOf(InvalidRequestException.class);
    }

    @Test
    void aListingHasObjectsAndDirectoriesInByteOrder() {
        // Servers that sort by UTF-16 units have these two the other way round.
        String last = aboveTheBasicPlane() ? "😀" : "\uFFFD";
        for (String key : List.of("b/2", "b/1", "b-c", "b.d/x/y", "a", "bb/1", "ä/1", last, "\uFF5E", "B")) {
            put(key, key);
        }
        assertThat(list("")).containsExactly("B", "a", "b-c", "b.d/", "b/", "bb/", "ä/", "\uFF5E", last);
        assertThat(list("b")).containsExactly("b/1", "b/2");
        assertThat(list("b.d")).containsExactly("b.d/x/");
        assertThat(list("b.d/x")).containsExactly("b.d/x/y");
        assertThat(recursive("")).containsExactly("B", "a", "b-c", "b.d/x/y", "b/1", "b/2", "bb/1", "ä/1", "\uFF5E", last);
        assertThat(recursive("b")).containsExactly("b/1", "b/2");
        for (List<String> cuts : List.of(List.of("0/"), List.of("b/"), List.of("b-c"), List.of("B", "a", "b.d/", "b/"),
                List.of("b.d/x/", "zz/"), List.of("b-", "b.", "b/", "c"), List.of("B", "b", "c"), List.of("a~", "b0", "bb"),
                List.of("b/1", "ä"))) {
            assertThat(recursive("", cuts)).as("cut at %s", cuts).isEqualTo(recursive(""));
        }
        assertThat(recursive("b", List.of("b/2", "b/3"))).containsExactly("b/1", "b/2");
        assertThat(recursive("nowhere", List.of("nowhere/x/"))).isEmpty();
    }

    @Test
    void listingsGoOnPastAPage() {
        List<String> keys = new ArrayList<>();
        List<String> names = new ArrayList<>();
        for (int i = 0; i < many(); i++) {
            String name = String.format("many/%04d", i);
            if (i % 50 == 7) {
                keys.add(name + "-beside");
                names.add(name + "-beside");
            }
            keys.add(name + "/x");
            if (i % 100 == 3) {
                keys.add(name + "/y/z");
            }
            names.add(name + "/");
        }
        keys.parallelStream().forEach(key -> put(key, ""));
        assertThat(recursive("many")).isEqualTo(keys);
        assertThat(recursive("many", List.of("many/0030/", "many/0031-beside/x/"))).as("much after the last cut").isEqualTo(keys);
        assertThat(recursive("many", List.of("many/0990/", "many/1050/"))).as("much before the first").isEqualTo(keys);
        assertThat(list("many")).isEqualTo(names);
    }

    /** Whether keys beyond the basic plane sort by code point. */
    boolean aboveTheBasicPlane() {
        return true;
    }

    /** More than one page of a listing. */
    int many() {
        return 1100;
    }

    @Test
    void deletionTakesEmptyDirectoriesAlong() {
        put("d/e/f", "1");
        put("d/g", "2");
        bucket.delete("d/e/f");
        assertThat(list("d")).containsExactly("d/g");
        bucket.delete("d/g");
        assertThat(list("")).isEmpty();
        assertThat(bucket.find("d/g")).isEmpty();
    }

    @Test
    void deletingWhatIsMissingSucceeds() {
        put("d/x", "1");
        bucket.delete("missing");
        bucket.delete("d");
        assertThat(recursive("")).containsExactly("d/x");
    }

    @Test
    void keysThatCouldLeadElsewhereAreRefused() {
        for (String key : List.of("", "/a", "a/", "a//b", "..", "a/../b", "./a", "a\0b")) {
            assertThatThrownBy(() -> put(key, "x")).as(key).isInstanceOf(InvalidRequestException.class);
            assertThatThrownBy(() -> bucket.open(key)).as(key).isInstanceOf(InvalidRequestException.class);
            assertThatThrownBy(() -> bucket.readRange(key, 0, 1)).as(key).isInstanceOf(InvalidRequestException.class);
            assertThatThrownBy(() -> bucket.find(key)).as(key).isInstanceOf(InvalidRequestException.class);
            assertThatThrownBy(() -> bucket.delete(key)).as(key).isInstanceOf(InvalidRequestException.class);
        }
        assertThatThrownBy(() -> list("../x")).isInstanceOf(InvalidRequestException.class);
        assertThat(recursive("")).isEmpty();
    }

    @Test
    void aBodyThatFailsLeavesNothing() {
        ObjectBody broken = new ObjectBody() {
            @Override
            public long size() {
                return 10;
            }

            @Override
            public InputStream open() {
                return new InputStream() {
                    private boolean begun;

                    @Override
                    public int read() throws IOException {
                        throw new IOException("disk gone");
                    }

                    @Override
                    public int read(byte[] b, int off, int len) throws IOException {
                        if (begun) {
                            throw new IOException("disk gone");
                        }
                        begun = true;
                        return Math.min(len, 5);
                    }
                };
            }
        };
        assertThatThrownBy(() -> bucket.upload("dir/broken", broken)).isInstanceOf(UnavailableException.class)
                .hasMessageContaining("dir/broken");
        ObjectBody shorter = new ObjectBody() {
            @Override
            public long size() {
                return 10;
            }

            @Override
            public InputStream open() {
                return ObjectBodyStreams.of("12345");
            }
        };
        assertThatThrownBy(() -> bucket.upload("dir/shorter", shorter)).isInstanceOf(UnavailableException.class)
                .hasMessageContaining("dir/shorter");
        // A server over files shows the one it was writing until it has noticed that the connection is gone.
        // It may also begin to show it late, so the listing that ends the wait is the one that counts.
        List<String> left = recursive("");
        for (long end = System.nanoTime() + 10_000_000_000L; !left.isEmpty() && System.nanoTime() < end; left = recursive("")) {
            LockSupport.parkNanos(10_000_000);
        }
        assertThat(left).isEmpty();
        assertThat(bucket.find("dir/broken")).isEmpty();
        assertThat(bucket.find("dir/shorter")).isEmpty();
    }

    @Test
    void largeObjectsKeepEveryByte() throws Exception {
        byte[] bytes = new byte[11 << 20];
        new Random(7).nextBytes(bytes);
        bucket.upload("large", ObjectBody.of(bytes));
        assertThat(bucket.find("large")).hasValueSatisfying(a -> assertThat(a.size()).isEqualTo(bytes.length));
        try (InputStream in = bucket.open("large")) {
            assertThat(Arrays.equals(in.readAllBytes(), bytes)).isTrue();
        }
        int at = (5 << 20) - 100;
        assertThat(bucket.readRange("large", at, 200)).isEqualTo(Arrays.copyOfRange(bytes, at, at + 200));
        try (InputStream in = bucket.open("large")) {
            assertThat(in.readNBytes(1000)).isEqualTo(Arrays.copyOf(bytes, 1000));
        }
    }

    @Test
    void manyThreadsShareIt() throws Exception {
        put("shared", "0123456789");
        List<Future<?>> running = new ArrayList<>();
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            for (int t = 0; t < 16; t++) {
                int thread = t;
                running.add(threads.submit(() -> {
                    for (int i = 0; i < 10; i++) {
                        String key = "t/" + thread % 4 + "/" + thread + "/" + i;
                        put(key, key);
                        assertThat(content(key)).isEqualTo(key);
                        assertThat(new String(bucket.readRange("shared", i, 1), UTF_8)).isEqualTo("" + i);
                        bucket.delete(key);
                    }
                    return null;
                }));
            }
            for (Future<?> f : running) {
                f.get();
            }
        }
        assertThat(recursive("")).containsExactly("shared");
    }

    @Test
    void aPrefixIsABucketOfItsOwn() throws Exception {
        put("outside", "x");
        put("pre/fixed", "y");
        Bucket inner = PrefixedBucket.of(bucket, "/pre/fix/");
        inner.upload("01/meta.json", ObjectBody.of("{}".getBytes(UTF_8)));
        List<String> keys = new ArrayList<>();
        inner.list("", keys::add);
        inner.list("01", keys::add);
        inner.listRecursive("", object -> keys.add(object.key()));
        assertThat(keys).containsExactly("01/", "01/meta.json", "01/meta.json");
        assertThat(inner.find("01/meta.json")).hasValueSatisfying(a -> assertThat(a.key()).isEqualTo("01/meta.json"));
        assertThat(content("pre/fix/01/meta.json")).isEqualTo("{}");
        assertThat(inner.find("fixed")).isEmpty();
        assertThatThrownBy(() -> inner.open("../fixed")).isInstanceOf(InvalidRequestException.class);
        inner.delete("01/meta.json");
        assertThat(recursive("")).containsExactly("outside", "pre/fixed");
    }
}

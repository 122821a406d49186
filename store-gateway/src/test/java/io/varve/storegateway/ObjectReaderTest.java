package io.varve.storegateway;

import static org.assertj.core.api.Assertions.assertThat;

import io.varve.objstore.MemoryBucket;
import io.varve.objstore.ObjectBody;
import io.varve.testkit.Seeds;
import io.varve.testkit.TempTree;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

class ObjectReaderTest {
    private static final String KEY = "01HF7YAT01GVHE4CDT7V2MYEKP/index";

    private static Ranges ranges(RandomGenerator random, int size) {
        Ranges out = new Ranges();
        int most = 1 + random.nextInt(random.nextBoolean() ? 500 : 20_000);
        for (int at = random.nextInt(most); at < size; at += 1 + random.nextInt(most)) {
            int start = at;
            at += 1 + random.nextInt(200);
            // Some reach beyond the object.
            out.add(start, at);
        }
        return out;
    }

    private static void check(byte[] object, Ranges wanted, List<ObjectReader.Slice> slices) {
        long before = 0;
        for (ObjectReader.Slice s : slices) {
            assertThat(s.offset()).as("sorted, none over another").isGreaterThanOrEqualTo(before);
            before = s.end();
            // All of it, not only what was asked for: entries may be longer than was thought.
            assertThat(Arrays.equals(s.data(), 0, s.data().length, object, (int) s.offset(), (int) s.end())).as("bytes from %d to %d",
                    s.offset(), s.end()).isTrue();
        }
        Ranges joined = wanted.joined(0);
        for (int i = 0; i < joined.size(); i++) {
            if (joined.start(i) < object.length) {
                ObjectReader.Slice s = ObjectReader.find(slices, joined.start(i));
                assertThat(s).as("slice at %d", joined.start(i)).isNotNull();
                assertThat(s.end()).isGreaterThanOrEqualTo(Math.min(object.length, joined.end(i)));
            }
        }
    }

    /** What lies between ranges is there or is not: it never has other bytes than the object's, however little the cache holds. */
    @Test
    void slicesHaveTheBytesOfTheObjectEverywhere() {
        Seeds.forEach(30, random -> {
            byte[] object = new byte[20_000 + random.nextInt(200_000)];
            random.nextBytes(object);
            MemoryBucket bucket = new MemoryBucket("random");
            bucket.upload(KEY, ObjectBody.of(object));
            try (TempTree tmp = TempTree.create()) {
                List<PageCache> caches = new ArrayList<>();
                caches.add(null); // none
                for (long bytes : new long[]{100, 10_000, 1 << 20}) {
                    caches.add(new PageCache(tmp.resolve("of" + bytes), bytes));
                }
                for (PageCache pages : caches) {
                    ObjectReader reader = new ObjectReader(bucket, pages, 16, 64 << 20);
                    for (int i = 0; i < 10; i++) {
                        Ranges wanted = ranges(random, object.length);
                        check(object, wanted, reader.readAll(KEY, wanted, object.length, new ReadStats(), ReadStats.Kind.SERIES));
                    }
                }
            }
        });
    }

    @Test
    void slicesHaveTheBytesOfTheObjectWhileTheCacheIsEmptied() throws Exception {
        byte[] object = new byte[300_000];
        SplittableRandom random = new SplittableRandom(7);
        random.nextBytes(object);
        MemoryBucket bucket = new MemoryBucket("random");
        bucket.upload(KEY, ObjectBody.of(object));
        try (TempTree tmp = TempTree.create()) {
            PageCache pages = new PageCache(tmp.root(), 1 << 20);
            ObjectReader reader = new ObjectReader(bucket, pages, 16, 64 << 20);
            AtomicBoolean done = new AtomicBoolean();
            Thread other = Thread.ofPlatform().start(() -> {
                while (!done.get()) {
                    pages.drop(KEY);
                    Thread.onSpinWait();
                }
            });
            try {
                for (int i = 0; i < 500; i++) {
                    Ranges wanted = ranges(random, object.length);
                    check(object, wanted, reader.readAll(KEY, wanted, object.length, new ReadStats(), ReadStats.Kind.SERIES));
                }
            } finally {
                done.set(true);
                other.join();
            }
        }
    }

    /** A disk that takes nothing costs each range once more, not a request for each of them. */
    @Test
    void whatTheCacheHasNoRoomForIsReadInFewRequests() {
        byte[] object = new byte[200_000];
        new SplittableRandom(1).nextBytes(object);
        MemoryBucket bucket = new MemoryBucket("full");
        bucket.upload(KEY, ObjectBody.of(object));
        try (TempTree tmp = TempTree.create()) {
            ObjectReader reader = new ObjectReader(bucket, new PageCache(tmp.root(), 100), 16, 64 << 20);
            Ranges wanted = new Ranges();
            for (int at = 0; at < object.length; at += 1_000) {
                wanted.add(at, at + 300);
            }
            ReadStats stats = new ReadStats();
            check(object, wanted, reader.readAll(KEY, wanted, object.length, stats, ReadStats.Kind.SERIES));
            assertThat(stats.fetches(ReadStats.Kind.SERIES)).isLessThanOrEqualTo(2);
        }
    }
}

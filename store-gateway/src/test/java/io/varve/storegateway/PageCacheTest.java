package io.varve.storegateway;

import static org.assertj.core.api.Assertions.assertThat;

import io.varve.testkit.Seeds;
import io.varve.testkit.TempTree;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class PageCacheTest {
    private static final String BLOCK = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
    private static final String INDEX = BLOCK + "/index";

    /** The byte of an object at a place. */
    private static byte at(String object, long place) {
        return (byte) (object.hashCode() + place * 31 + (place >> 11));
    }

    private static byte[] bytes(String object, long start, int length) {
        byte[] out = new byte[length];
        for (int i = 0; i < length; i++) {
            out[i] = at(object, start + i);
        }
        return out;
    }

    private static void reads(PageCache pages, String object, long start, int length) {
        byte[] got = new byte[length];
        assertThat(pages.read(object, start, got, 0, length)).isTrue();
        assertThat(got).isEqualTo(bytes(object, start, length));
    }

    private static List<Path> files(Path directory) throws IOException {
        try (Stream<Path> walk = Files.walk(directory)) {
            return walk.filter(Files::isRegularFile).toList();
        }
    }

    @Test
    void hasWhatWasPutWhereverItLiesAndSoHasTheNextProcess() {
        Seeds.forEach(8, random -> {
            try (TempTree tmp = TempTree.create()) {
                PageCache pages = new PageCache(tmp.root(), 1 << 30);
                // A window around the border of two extents.
                long base = PageCache.EXTENT - 3000;
                boolean[] there = new boolean[6000];
                for (int round = 0; round < 60; round++) {
                    int from = random.nextInt(6000);
                    int length = 1 + random.nextInt(Math.min(700, 6000 - from));
                    switch (random.nextInt(6)) {
                        case 0 -> pages = new PageCache(tmp.root(), 1 << 30);
                        case 1, 2, 3 -> {
                            pages.put(INDEX, base + from, bytes(INDEX, base + from, length));
                            Arrays.fill(there, from, from + length, true);
                        }
                        default -> {
                            boolean all = true;
                            Ranges missing = new Ranges();
                            pages.missing(INDEX, base + from, base + from + length, missing);
                            for (int i = from; i < from + length; i++) {
                                all &= there[i];
                                boolean named = missing.find(base + i) >= 0;
                                assertThat(named).as("place %d", i).isEqualTo(!there[i]);
                            }
                            assertThat(pages.has(INDEX, base + from, base + from + length)).isEqualTo(all);
                            if (all) {
                                reads(pages, INDEX, base + from, length);
                            } else {
                                assertThat(pages.read(INDEX, base + from, new byte[length], 0, length)).isFalse();
                            }
                        }
                    }
                }
            }
        });
    }

    @Test
    void staysBelowItsCapOverRestartsAndLetsGoOfWhatIsOldest() throws IOException {
        try (TempTree tmp = TempTree.create()) {
            PageCache pages = new PageCache(tmp.root(), 1 << 20);
            List<String> objects = new ArrayList<>();
            for (int i = 0; i < 8; i++) {
                String object = BLOCK + "/chunks/00000" + i;
                objects.add(object);
                pages.put(object, 500, bytes(object, 500, 200_000));
                assertThat(pages.used()).isLessThanOrEqualTo(1 << 20);
            }
            assertThat(pages.evictions()).isEqualTo(3);
            assertThat(pages.has(objects.getFirst(), 500, 1000)).isFalse();
            long used = pages.used();
            PageCache next = new PageCache(tmp.root(), 1 << 20);
            assertThat(next.used()).isEqualTo(used);
            reads(next, objects.getLast(), 500, 200_000);
            PageCache smaller = new PageCache(tmp.root(), 300_000);
            assertThat(smaller.used()).isBetween(200_000L, 300_000L);
            assertThat(files(tmp.root())).hasSize(1);
        }
    }

    @Test
    void takesUpNoFilesThatLackWhatTheyListOrAreNotItsOwn() throws IOException {
        try (TempTree tmp = TempTree.create()) {
            PageCache pages = new PageCache(tmp.root(), 1 << 30);
            pages.put(INDEX, 10, bytes(INDEX, 10, 100));
            pages.put(INDEX, 200, bytes(INDEX, 200, 100));
            Path file = files(tmp.root()).getFirst();
            byte[] whole = Files.readAllBytes(file);
            assertThat(whole).hasSizeLessThan(5000);
            reads(new PageCache(tmp.root(), 1 << 30), INDEX, 200, 100);
            refuses(tmp.root(), file, Arrays.copyOf(whole, whole.length - 3));
            refuses(tmp.root(), file, Arrays.copyOf(whole, 4095));
            for (int at : new int[]{0, 7, 8, 16}) {
                byte[] changed = whole.clone();
                changed[at] = -1;
                refuses(tmp.root(), file, changed);
            }
            Files.write(file.resolveSibling("something.else"), new byte[10]);
            refuses(tmp.root(), file.resolveSibling(BLOCK + "+index.7"), new byte[10]);
        }
    }

    private static void refuses(Path root, Path file, byte[] bytes) throws IOException {
        Files.write(file, bytes);
        PageCache none = new PageCache(root, 1 << 30);
        assertThat(none.used()).isZero();
        assertThat(files(root)).isEmpty();
    }

    @Test
    void whatTheListHasNoRoomForIsThereUntilTheProcessEndsAndLaterWhereRangesMeet() throws IOException {
        try (TempTree tmp = TempTree.create()) {
            PageCache pages = new PageCache(tmp.root(), 1 << 30);
            int last = PageCache.MOST_LISTED;
            for (int i = 0; i <= last; i++) {
                pages.put(INDEX, 20 * i, bytes(INDEX, 20 * i, 10));
            }
            reads(pages, INDEX, 20 * last, 10);
            PageCache next = new PageCache(tmp.root(), 1 << 30);
            reads(next, INDEX, 20 * (last - 1), 10);
            assertThat(next.has(INDEX, 20 * last, 20 * last + 1)).isFalse();
            pages.put(INDEX, 5, bytes(INDEX, 5, 30));
            pages.put(INDEX, 45, bytes(INDEX, 45, 20 * last));
            PageCache after = new PageCache(tmp.root(), 1 << 30);
            reads(after, INDEX, 0, 35);
            reads(after, INDEX, 40, 20 * last + 5);
            assertThat(after.has(INDEX, 35, 36)).isFalse();
            assertThat(after.used()).isEqualTo(pages.used());
        }
    }

    @Test
    void forgetsObjectsAndBlocksWithTheirFiles() throws IOException {
        try (TempTree tmp = TempTree.create()) {
            PageCache pages = new PageCache(tmp.root(), 1 << 30);
            pages.put(INDEX, 0, bytes(INDEX, 0, 10));
            pages.put(BLOCK + "/chunks/000001", 0, new byte[10]);
            assertThat(pages.blocks()).containsExactly(BLOCK);
            assertThat(pages.drop(INDEX)).isTrue();
            assertThat(pages.drop(INDEX)).isFalse();
            assertThat(pages.has(INDEX, 0, 1)).isFalse();
            pages.dropBlock(BLOCK);
            assertThat(pages.used()).isZero();
            assertThat(files(tmp.root())).isEmpty();
        }
    }

    @Test
    void leavesTheDiskRoomAndGivesWay() {
        try (TempTree tmp = TempTree.create()) {
            long size = 100 << 20;
            PageCache[] made = new PageCache[1];
            long[] others = {0};
            PageCache pages = new PageCache(tmp.root(), 1L << 40,
                    new PageCache.Disk(() -> size - others[0] - (made[0] == null ? 0 : made[0].used()), 20 << 20));
            made[0] = pages;
            byte[] mib = new byte[1 << 20];
            for (int i = 0; i < 10; i++) {
                for (int k = 0; k < 16; k++) {
                    pages.put(INDEX, (16L * i + k) << 20, mib);
                }
                assertThat(pages.used()).isLessThanOrEqualTo(80 << 20);
            }
            // The newest stay.
            assertThat(pages.has(INDEX, 159L << 20, 160L << 20)).isTrue();
            assertThat(pages.has(INDEX, 0, 1 << 20)).isFalse();
            assertThat(pages.failedWrites()).isZero();
            assertThat(pages.room()).isBetween(60L << 20, 80L << 20);

            assertThat(pages.makeRoom(20 << 20)).isFalse();
            long before = pages.used();
            assertThat(pages.makeRoom(60 << 20)).isTrue();
            assertThat(pages.used()).isPositive().isLessThan(before).isLessThanOrEqualTo(40 << 20);

            // Others fill the disk: nothing is kept, nothing fails.
            others[0] = size - (10 << 20);
            pages.put(INDEX, 0, mib);
            assertThat(pages.used()).isZero();
            others[0] = size;
            pages.put(INDEX, 0, mib);
            assertThat(pages.used()).isZero();
            assertThat(pages.room()).isZero();
            assertThat(pages.failedWrites()).isPositive();
            assertThat(pages.makeRoom(1)).isFalse();
            others[0] = 0;
            pages.put(INDEX, 0, mib);
            assertThat(pages.has(INDEX, 0, 1 << 20)).isTrue();
        }
    }

    /** An extent that goes while it is read may be there again at once, in a file of the same name that holds other ranges. */
    @Test
    void whatIsReadIsRightWhileExtentsComeAndGo() throws Exception {
        try (TempTree tmp = TempTree.create()) {
            PageCache pages = new PageCache(tmp.root(), 64 << 10);
            AtomicInteger wrong = new AtomicInteger();
            List<Thread> threads = new ArrayList<>();
            for (int seed = 0; seed < 4; seed++) {
                SplittableRandom random = new SplittableRandom(seed);
                threads.add(Thread.ofPlatform().start(() -> {
                    for (int i = 0; i < 3_000; i++) {
                        String object = BLOCK + "/" + random.nextInt(4);
                        int from = random.nextInt(30_000);
                        byte[] bytes = new byte[1 + random.nextInt(3_000)];
                        if (!pages.read(object, from, bytes, 0, bytes.length)) {
                            pages.put(object, from, bytes(object, from, bytes.length));
                        } else if (!Arrays.equals(bytes, bytes(object, from, bytes.length))) {
                            wrong.incrementAndGet();
                        }
                    }
                }));
            }
            for (Thread t : threads) {
                t.join();
            }
            assertThat(wrong).hasValue(0);
            pages.dropBlock(BLOCK);
            assertThat(pages.used()).as("bytes when nothing is left").isZero();
            assertThat(files(tmp.root())).isEmpty();
        }
    }
}

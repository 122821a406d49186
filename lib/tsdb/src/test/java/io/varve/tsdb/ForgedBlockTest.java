package io.varve.tsdb;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import io.varve.model.CorruptDataException;
import io.varve.model.InvalidRequestException;
import io.varve.model.Matcher;
import io.varve.testkit.Seeds;
import io.varve.testkit.Shared;
import io.varve.testkit.TempTree;
import io.varve.tsdb.index.IndexHeader;
import io.varve.tsdb.index.Postings;
import io.varve.tsdb.index.PostingsRange;
import io.varve.tsdb.index.RangeReader;
import io.varve.tsdb.index.SeriesEntry;
import io.varve.tsdb.index.Toc;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.random.RandomGenerator;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;

/**
 * Blocks that are wrong behind correct checksums, as a bug of a writer or somebody who means harm makes them: all that reads a block refuses it as
 * damaged, in bounded time and memory, or agrees that it is sound.
 */
class ForgedBlockTest {
    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    private static final long MAX_BYTES = 400L << 20;
    private static final long MAX_NANOS = 20_000_000_000L;

    /** What a checksum covers, with the length before it: {@code lengthBytes} of a fixed number, 0 for a varint. */
    private record Part(String file, int at, int lengthBytes) {
    }

    /** A block to damage. */
    private record Subject(Path source, Map<String, byte[]> files, List<Part> parts, Ulid id) {
    }

    @FunctionalInterface
    private interface Work {
        void run() throws IOException;
    }

    private final Map<String, String> wrong = new TreeMap<>();
    private final Map<String, Integer> refused = new TreeMap<>();

    private static Subject subject(Path block) throws IOException {
        Map<String, byte[]> files = new TreeMap<>();
        List<Part> parts = new ArrayList<>();
        try (BlockReader b = BlockReader.open(block)) {
            Toc toc = b.index().toc();
            parts.add(new Part("index", (int) toc.symbols(), 4));
            parts.add(new Part("index", (int) toc.postingsTable(), 4));
            SeriesEntry e = new SeriesEntry();
            Postings all = b.index().allPostings();
            for (long id = all.next(); id != Postings.NO_MORE; id = all.next()) {
                parts.add(new Part("index", (int) b.index().seriesOffset(id), 0));
                b.index().series(id, e);
                for (int i = 0; i < e.chunkCount; i++) {
                    parts.add(new Part("chunks/" + ChunkEntry.segmentName(ChunkEntry.segment(e.refs[i])),
                            (int) ChunkEntry.offset(e.refs[i]), -1));
                }
            }
            for (String name : b.index().labelNames()) {
                b.index().table().visit(name, "", (value, start, end) -> parts.add(new Part("index", (int) start - 4, 4)));
            }
            PostingsRange range = b.index().table().allPostings();
            if (range != null) {
                parts.add(new Part("index", (int) range.start() - 4, 4));
            }
            for (Part p : parts) {
                files.computeIfAbsent(p.file, f -> Shared.bytes(block.resolve(f)));
            }
            return new Subject(block, files, parts, b.meta().ulid());
        }
    }

    private static void damage(byte[] bytes, int from, int to, RandomGenerator random) {
        ByteBuffer b = ByteBuffer.wrap(bytes);
        int at = random.nextInt(4) == 0 ? from : from + random.nextInt(Math.max(1, to - from));
        int left = bytes.length - at;
        switch (random.nextInt(7)) {
            case 0 -> {
                for (int i = random.nextInt(6); i >= 0; i--) {
                    bytes[Math.min(bytes.length - 1, at + i)] = (byte) random.nextInt(256);
                }
            }
            case 1 -> Arrays.fill(bytes, at, at + Math.min(left, 1 + random.nextInt(12)), (byte) 0xFF);
            case 2 -> Arrays.fill(bytes, at, at + Math.min(left, 1 + random.nextInt(12)), (byte) 0);
            case 3 -> {
                if (left >= 4) {
                    int[] extremes = {Integer.MAX_VALUE, Integer.MIN_VALUE, -1, -8, bytes.length, bytes.length - at, 1 << 28, 0};
                    b.putInt(at, extremes[random.nextInt(extremes.length)]);
                }
            }
            case 4 -> {
                // Varints of the greatest numbers of 32, 63 and 64 bits.
                int[][] greatest = {{4, 0x0F}, {4, 0x07}, {8, 0x7F}, {9, 0x01}};
                int[] g = greatest[random.nextInt(greatest.length)];
                if (left > g[0]) {
                    Arrays.fill(bytes, at, at + g[0], (byte) 0xFF);
                    bytes[at + g[0]] = (byte) g[1];
                }
            }
            case 5 -> bytes[at] += (byte) (random.nextBoolean() ? 1 : -1);
            default -> {
                int n = Math.min(left, 1 + random.nextInt(30));
                System.arraycopy(bytes.clone(), random.nextInt(bytes.length - n + 1), bytes, at, n);
            }
        }
    }

    /** Where the covered bytes begin and end, null where the length leads out of the file. */
    private static int[] covered(byte[] bytes, Part p) {
        ByteBuffer b = ByteBuffer.wrap(bytes).position(p.at);
        long length;
        if (p.lengthBytes == 4) {
            length = b.getInt() & 0xFFFFFFFFL;
        } else {
            length = 0;
            for (int shift = 0; shift < 63; shift += 7) {
                if (!b.hasRemaining()) {
                    return null;
                }
                byte x = b.get();
                length |= (x & 0x7FL) << shift;
                if (x >= 0) {
                    break;
                }
            }
        }
        // A chunk's length does not count the byte of its encoding.
        long end = b.position() + length + (p.lengthBytes < 0 ? 1 : 0);
        return length < 0 || length > bytes.length || end > bytes.length - 4 ? null : new int[]{b.position(), (int) end};
    }

    private static void correct(byte[] bytes, Part p) {
        int[] range = covered(bytes, p);
        if (range != null) {
            CRC32C crc = new CRC32C();
            crc.update(bytes, range[0], range[1] - range[0]);
            ByteBuffer.wrap(bytes).putInt(range[1], (int) crc.getValue());
        }
    }

    private static void forge(Subject s, Path into, RandomGenerator random) throws IOException {
        Map<String, byte[]> files = new TreeMap<>();
        s.files.forEach((f, b) -> files.put(f, b.clone()));
        for (int k = 1 + random.nextInt(3); k > 0; k--) {
            Part p = s.parts.get(random.nextInt(3) == 0 ? random.nextInt(2) : random.nextInt(s.parts.size()));
            byte[] bytes = files.get(p.file);
            int[] range = covered(s.files.get(p.file), p);
            damage(bytes, p.at, range[1], random);
            correct(bytes, p);
        }
        byte[] index = files.get("index");
        if (random.nextInt(5) == 0) {
            damage(index, index.length - Toc.SIZE, index.length - 4, random);
        }
        CRC32C crc = new CRC32C();
        crc.update(index, index.length - Toc.SIZE, Toc.SIZE - 4);
        ByteBuffer.wrap(index).putInt(index.length - 4, (int) crc.getValue());
        if (random.nextInt(6) == 0) {
            // A segment that is cut off, or goes on, behind a header that is right.
            files.computeIfPresent("chunks/000001",
                    (f, b) -> Arrays.copyOf(b, random.nextBoolean() ? 8 + random.nextInt(b.length - 8) : b.length + random.nextInt(100)));
        }
        for (var f : files.entrySet()) {
            Files.write(into.resolve(f.getKey()), f.getValue());
        }
        if (random.nextInt(8) == 0) {
            BlockMeta m = BlockMeta.read(s.source);
            long[] times = {Long.MIN_VALUE, Long.MAX_VALUE, -1, 0, m.minTime() - 1, m.maxTime() + 1};
            Files.write(into.resolve(BlockMeta.FILE), new BlockMeta(m.ulid(), times[random.nextInt(times.length)],
                    times[random.nextInt(times.length)], m.stats(), m.compaction()).toJson());
        }
    }

    /** What the overlap merger or a tombstone cannot do is no damage. */
    private static void rewrite(Work work) throws IOException {
        try {
            work.run();
        } catch (InvalidRequestException e) {
            throw new CorruptDataException("", -1, String.valueOf(e.getMessage()), e);
        }
    }

    /** Runs what must do no more than refuse the block. */
    private boolean does(String what, Work work) {
        long bytes = THREADS.getCurrentThreadAllocatedBytes();
        long begin = System.nanoTime();
        boolean done = false;
        try {
            work.run();
            done = true;
        } catch (CorruptDataException e) {
            refused.merge(what, 1, Integer::sum);
        } catch (Throwable e) {
            StackTraceElement at = e.getStackTrace().length == 0 ? null : e.getStackTrace()[0];
            wrong.putIfAbsent(what + " " + e.getClass().getSimpleName() + " at " + at,
                    String.valueOf(e.getMessage()) + Arrays.asList(e.getStackTrace()).subList(0, Math.min(8, e.getStackTrace().length)));
        }
        long allocated = THREADS.getCurrentThreadAllocatedBytes() - bytes;
        if (allocated > MAX_BYTES || System.nanoTime() - begin > MAX_NANOS) {
            wrong.putIfAbsent(what + " takes too much", allocated + " bytes, " + (System.nanoTime() - begin) / 1_000_000 + " ms");
        }
        return done;
    }

    private static void ask(BlockReader b) {
        SeriesEntry e = new SeriesEntry();
        Postings all = b.index().allPostings();
        for (long id = all.next(); id != Postings.NO_MORE; id = all.next()) {
            b.index().series(id, e);
            b.chunkBytes(e);
            for (int i = 0; i < e.chunkCount; i++) {
                b.encoding(e.refs[i]);
            }
        }
        for (long[] range : new long[][]{{Long.MIN_VALUE, Long.MAX_VALUE}, {0, 1_000_000}, {Long.MAX_VALUE, Long.MAX_VALUE}}) {
            for (List<Matcher> matchers : List.of(List.of(Matcher.of(Matcher.Type.REGEX, "__name__", "m.*")),
                    List.of(Matcher.of(Matcher.Type.NOT_EQUAL, "job", "x"), Matcher.of(Matcher.Type.EQUAL, "a", "")))) {
                try (var set = b.select(matchers, range[0], range[1], true)) {
                    while (set.next() != null) {
                        // Reading is the test.
                    }
                }
            }
        }
    }

    private static void header(Path index, Path header) throws IOException {
        byte[] bytes = Files.readAllBytes(index);
        IndexHeader.build(new RangeReader() {
            @Override
            public byte[] read(long offset, int length) {
                return Arrays.copyOfRange(bytes, (int) offset, (int) offset + length);
            }

            @Override
            public long size() {
                return bytes.length;
            }
        }, "index", header);
        try (IndexHeader h = IndexHeader.open(header)) {
            for (String name : h.postings().names()) {
                List<String> values = h.postings().values(name);
                h.postings().findAll(name, values);
                h.symbols().find(name);
            }
            for (int i = 0; i < h.symbols().size() && h.indexVersion() > 1; i++) {
                h.symbols().text(i);
            }
        }
    }

    private void check(Subject s, Subject other, Path block, Path out, RandomGenerator random) throws IOException {
        forge(s, block, random);
        boolean sound = does("verify", () -> BlockVerifier.verify(block));
        boolean all = does("header", () -> header(block.resolve("index"), out.resolve("header")));
        boolean open = does("open", () -> BlockReader.open(block).close());
        all &= open;
        if (open) {
            try (BlockReader b = BlockReader.open(block); BlockReader o = BlockReader.open(other.source)) {
                all &= does("read", () -> BlockContent.digest(b));
                all &= does("ask", () -> ask(b));
                all &= does("health", () -> IndexHealth.of(b));
                Ulid id = new Ulid(9, random.nextLong());
                all &= does("repair",
                        () -> BlockRepair.repair(b, out, id, "x").ifPresent(m -> BlockVerifier.verify(out.resolve(id.toString()))));
                Ulid clean = new Ulid(9, random.nextLong());
                all &= does("clean", () -> rewrite(() -> BlockMerger.clean(b, out, clean, BlockMerger.Options.DEFAULT)));
                Ulid merged = new Ulid(9, random.nextLong());
                all &= does("merge", () -> rewrite(() -> BlockMerger.merge(List.of(b, o), out, merged, BlockMerger.Options.DEFAULT)));
                for (Ulid made : List.of(clean, merged)) {
                    if (sound && Files.exists(out.resolve(made.toString()))) {
                        does("result", () -> BlockVerifier.verify(out.resolve(made.toString())));
                    }
                }
            }
        }
        if (sound && !all) {
            wrong.putIfAbsent("sound, but refused", refused.toString());
        }
        Durable.deleteTree(out);
        Files.createDirectories(out);
    }

    @Test
    void blocksThatAreWrongBehindCorrectChecksumsAreRefused() throws IOException {
        try (TempTree tmp = TempTree.create()) {
            RandomGenerator random = Seeds.random(5);
            List<Subject> subjects = new ArrayList<>();
            subjects.add(subject(RandomBlocks.write(RandomBlocks.content(random, 8, 1_000, 2_000_000), tmp.resolve("a"), new Ulid(1, 1))));
            subjects.add(subject(
                    RandomBlocks.write(RandomBlocks.content(random, 3, 1_000, 2_000_000), tmp.resolve("b"), new Ulid(1, 2), 5, 300)));
            for (GoldenBlocks.Case c : GoldenBlocks.all()) {
                if (c.name().matches("(indexv1|histograms|startts|tombstones)/block")) {
                    subjects.add(subject(c.directory()));
                }
            }
            Path out = Files.createDirectories(tmp.resolve("out"));
            int[] runs = new int[1];
            Seeds.forMillis(Long.getLong("varve.fuzz.millis", 4000), r -> {
                Subject s = subjects.get(r.nextInt(subjects.size()));
                Path block = tmp.resolve("f").resolve(s.id.toString());
                TempTree.copy(s.source, block);
                check(s, subjects.get(r.nextInt(2)), block, out, r);
                TempTree.delete(block);
                runs[0]++;
            });
            System.out.println("forged blocks: " + runs[0] + ", refused: " + refused);
        }
        wrong.forEach((k, v) -> System.out.println("WRONG " + k + ": " + v));
        assertThat(wrong).isEmpty();
    }
}

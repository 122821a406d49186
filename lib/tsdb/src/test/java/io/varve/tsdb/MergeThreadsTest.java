package io.varve.tsdb;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.varve.chunk.Chunk;
import io.varve.chunk.ChunkSeries;
import io.varve.chunk.ChunkSeriesSet;
import io.varve.model.CancelledException;
import io.varve.model.CorruptDataException;
import io.varve.model.Labels;
import io.varve.model.LimitExceededException;
import io.varve.model.MemoryBudget;
import io.varve.testkit.Seeds;
import io.varve.testkit.TempTree;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.random.RandomGenerator;
import java.util.stream.Stream;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Chunks copied from file to file, entries written as series come, stages on several threads: the bytes and the failures are those of the plain way. */
@Timeout(120)
class MergeThreadsTest {
    private static final Ulid RESULT = new Ulid(99, 99);
    private static final long SPAN = 1_000_000;

    /** Blocks that follow each other, or overlap, of mostly the same series. */
    private static List<BlockReader> blocks(RandomGenerator random, Path parent, int count, boolean overlapping) {
        List<BlockReader> out = new ArrayList<>();
        TreeMap<Labels, TreeMap<Long, Double>> common = RandomBlocks.content(random, 300, 0, SPAN);
        for (int b = 0; b < count; b++) {
            long from = overlapping ? b * SPAN / 3 : b * SPAN;
            TreeMap<Labels, TreeMap<Long, Double>> content = RandomBlocks.content(random, 40, from, from + SPAN);
            common.forEach((labels, samples) -> {
                if (random.nextInt(10) > 0) {
                    TreeMap<Long, Double> moved = new TreeMap<>();
                    samples.forEach((t, v) -> moved.put(t + from, v));
                    content.put(labels, moved);
                }
            });
            out.add(BlockReader.open(RandomBlocks.write(content, parent, new Ulid(b + 1, 0), 1 + random.nextInt(120),
                    random.nextBoolean() ? 20_000 : BlockWriter.SEGMENT_BYTES)));
        }
        return out;
    }

    private static Map<String, ByteBuffer> files(Path directory) {
        Map<String, ByteBuffer> out = new HashMap<>();
        try (Stream<Path> walk = Files.walk(directory)) {
            for (Path p : walk.filter(Files::isRegularFile).toList()) {
                out.put(directory.relativize(p).toString(), ByteBuffer.wrap(Files.readAllBytes(p)));
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return out;
    }

    /** Chunks read as objects, series added one by one, entries spooled. */
    private static Map<String, ByteBuffer> plainly(List<BlockReader> blocks, Path parent, BlockMeta meta, long segmentBytes) {
        List<ChunkSeriesSet> sets = new ArrayList<>();
        for (BlockReader b : blocks) {
            sets.add(b.select(List.of(), meta.minTime(), meta.maxTime() - 1, true));
        }
        try (BlockWriter writer = BlockWriter.create(parent, meta.ulid(), segmentBytes);
                MergedChunkSeriesSet merged = new MergedChunkSeriesSet(sets, OverlapMerger.chain())) {
            blocks.forEach(b -> b.index().symbols().forEach(writer::addSymbol));
            for (ChunkSeries s = merged.next(); s != null; s = merged.next()) {
                if (!s.chunks().isEmpty()) {
                    writer.add(s);
                }
            }
            writer.commit(stats -> meta.withStats(stats));
        }
        return files(parent.resolve(meta.ulid().toString()));
    }

    @Test
    void bytesAreThoseOfThePlainWay() {
        Seeds.forEach(12, random -> {
            try (TempTree tmp = TempTree.create()) {
                List<BlockReader> blocks = blocks(random, tmp.resolve("in"), 1 + random.nextInt(5), random.nextInt(3) == 0);
                long segmentBytes = random.nextBoolean() ? 10_000 : BlockWriter.SEGMENT_BYTES;
                BlockMeta meta = BlockMerger.resultMeta(RESULT, blocks.stream().map(BlockReader::meta).toList());
                if (random.nextBoolean()) {
                    // Chunks at both ends are cut.
                    meta = meta.withRange(meta.minTime() + SPAN / 7, meta.maxTime() - SPAN / 9);
                }
                Map<String, ByteBuffer> want = plainly(blocks, tmp.resolve("want"), meta, segmentBytes);
                for (int threads : new int[]{1, 2, 4}) {
                    Path parent = tmp.resolve("got" + threads);
                    BlockMerger.write(blocks, parent, meta,
                            new BlockMerger.Options(OverlapMerger::chain, segmentBytes, threads, MemoryBudget.UNLIMITED, n -> {
                            }));
                    assertThat(files(parent.resolve(RESULT.toString()))).as("%s threads", threads).isEqualTo(want);
                }
                blocks.forEach(BlockReader::close);
            }
        });
    }

    /** A length that takes a byte more than it needs is read, but not written so. */
    @Test
    void aLengthWrittenTooLongIsNotCopied() throws IOException {
        try (TempTree tmp = TempTree.create()) {
            TreeMap<Labels, TreeMap<Long, Double>> content = new TreeMap<>(
                    Map.of(Labels.of("__name__", "m"), new TreeMap<>(Map.of(1L, 2.0, 3L, 4.0))));
            Path block = RandomBlocks.write(content, tmp.resolve("in"), new Ulid(1, 0));
            Path file = block.resolve("chunks/000001");
            byte[] old = Files.readAllBytes(file);
            ByteBuffer longer = ByteBuffer.allocate(old.length + 1).put(old, 0, 8).put((byte) (old[8] | 0x80)).put((byte) 0).put(old, 9,
                    old.length - 9);
            Files.write(file, longer.array());
            try (BlockReader reader = BlockReader.open(block)) {
                BlockMerger.write(List.of(reader), tmp.root(), reader.meta().withUlid(RESULT), BlockMerger.Options.DEFAULT);
            }
            assertThat(Files.readAllBytes(tmp.resolve(RESULT + "/chunks/000001"))).isEqualTo(old);
        }
    }

    /** Writes a block's chunks anew: in any order, with gaps, some with a length that takes more bytes than it needs. */
    private static Path strew(RandomGenerator random, Path block) throws IOException {
        List<ChunkSeries> all = new ArrayList<>();
        List<int[]> order = new ArrayList<>();
        try (BlockReader reader = BlockReader.open(block); ChunkSeriesSet set = reader.stored()) {
            for (ChunkSeries s = set.next(); s != null; s = set.next()) {
                for (int i = 0; i < s.chunks().size(); i++) {
                    order.add(new int[]{all.size(), i});
                }
                all.add(s);
            }
        }
        if (random.nextBoolean()) {
            // Few are moved: most are still neighbours.
            for (int i = random.nextInt(1 + order.size() / 10); i > 0; i--) {
                Collections.swap(order, random.nextInt(order.size()), random.nextInt(order.size()));
            }
        }
        ByteWriter w = new ByteWriter(1024);
        w.i32(ChunkEntry.MAGIC);
        w.i32(ChunkEntry.VERSION << 24);
        List<long[]> refs = new ArrayList<>();
        all.forEach(s -> refs.add(new long[s.chunks().size()]));
        for (int[] o : order) {
            Chunk c = all.get(o[0]).chunks().get(o[1]);
            for (int gap = random.nextInt(20) == 0 ? random.nextInt(40) : 0; gap > 0; gap--) {
                w.u8(random.nextInt(256));
            }
            refs.get(o[0])[o[1]] = w.size();
            w.uvarint(c.length());
            if (random.nextInt(20) == 0) {
                w.array()[w.size() - 1] |= (byte) 0x80;
                w.u8(0);
            }
            byte[] sum = new byte[1 + c.length()];
            sum[0] = (byte) c.encoding().code();
            System.arraycopy(c.data(), c.offset(), sum, 1, c.length());
            w.bytes(sum, 0, sum.length);
            CRC32C crc = new CRC32C();
            crc.update(sum);
            w.i32((int) crc.getValue());
        }
        try (Stream<Path> list = Files.list(block.resolve("chunks"))) {
            for (Path p : list.toList()) {
                Files.delete(p);
            }
        }
        Files.write(block.resolve("chunks/000001"), Arrays.copyOf(w.array(), w.size()));
        Files.delete(block.resolve("index"));
        try (IndexSpool spool = new IndexSpool(block.resolve("index"), MemoryBudget.UNLIMITED)) {
            for (int i = 0; i < all.size(); i++) {
                spool.add(all.get(i).labels(), all.get(i).chunks(), refs.get(i));
            }
            spool.write();
        }
        return block;
    }

    @Test
    void chunksThatAreNoNeighboursAreWrittenAsThoseThatAre() {
        Seeds.forEach(20, random -> {
            try (TempTree tmp = TempTree.create()) {
                List<BlockReader> blocks = new ArrayList<>();
                for (BlockReader b : blocks(random, tmp.resolve("in"), 1 + random.nextInt(3), false)) {
                    b.close();
                    blocks.add(BlockReader.open(strew(random, b.directory())));
                }
                long segmentBytes = random.nextBoolean() ? 1000 + random.nextInt(10_000) : BlockWriter.SEGMENT_BYTES;
                BlockMeta meta = BlockMerger.resultMeta(RESULT, blocks.stream().map(BlockReader::meta).toList());
                Map<String, ByteBuffer> want = plainly(blocks, tmp.resolve("want"), meta, segmentBytes);
                BlockMerger.write(blocks, tmp.resolve("got"), meta,
                        new BlockMerger.Options(OverlapMerger::chain, segmentBytes, 1, MemoryBudget.UNLIMITED, n -> {
                        }));
                assertThat(files(tmp.resolve("got/" + RESULT))).isEqualTo(want);
                blocks.forEach(BlockReader::close);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
    }

    /** Chunks larger than any buffer, between small ones. */
    @Test
    void largeChunksAreCopied() throws IOException {
        try (TempTree tmp = TempTree.create()) {
            List<BlockReader> blocks = new ArrayList<>();
            for (int b = 0; b < 2; b++) {
                Ulid ulid = new Ulid(b + 1, 0);
                try (BlockWriter w = BlockWriter.create(tmp.resolve("in"), ulid)) {
                    for (int s = 0; s < 40; s++) {
                        TreeMap<Long, Double> samples = new TreeMap<>();
                        for (int i = 0; i < (s % 5 == 0 ? 40_000 : 30 * s); i++) {
                            samples.put(b * SPAN + i, Math.sqrt(i * (s + 1)));
                        }
                        w.add(Labels.of("i", String.format("%03d", s)), RandomBlocks.chunks(samples, s % 5 == 0 ? 60_000 : 500));
                    }
                    w.commit(new BlockMeta(ulid, w.minTime(), w.maxTime() + 1, BlockMeta.Stats.EMPTY, BlockMeta.Compaction.fresh(ulid)));
                }
                blocks.add(BlockReader.open(tmp.resolve("in/" + ulid)));
            }
            BlockMeta meta = BlockMerger.resultMeta(RESULT, blocks.stream().map(BlockReader::meta).toList());
            Map<String, ByteBuffer> want = plainly(blocks, tmp.resolve("want"), meta, BlockWriter.SEGMENT_BYTES);
            BlockMerger.write(blocks, tmp.resolve("got"), meta, BlockMerger.Options.DEFAULT.withThreads(2));
            assertThat(files(tmp.resolve("got/" + RESULT))).isEqualTo(want);
            blocks.forEach(BlockReader::close);
        }
    }

    /** Two symbols that no series has, the wrong way round: numbers of symbols say nothing then, and series are merged by their labels. */
    @Test
    void symbolsOutOfOrderAreMergedByLabels() throws IOException {
        try (TempTree tmp = TempTree.create()) {
            List<BlockReader> blocks = new ArrayList<>();
            for (int b = 0; b < 2; b++) {
                Ulid ulid = new Ulid(b + 1, 0);
                try (BlockWriter w = BlockWriter.create(tmp.resolve("in"), ulid)) {
                    w.addSymbol("zz1");
                    w.addSymbol("zz2");
                    for (int s = 0; s < 300; s++) {
                        w.add(Labels.of("i", String.format("%03d", s)), RandomBlocks.chunks(Map.of(b * SPAN + s, 1.0), 120));
                    }
                    w.commit(new BlockMeta(ulid, w.minTime(), w.maxTime() + 1, BlockMeta.Stats.EMPTY, BlockMeta.Compaction.fresh(ulid)));
                }
                Path index = tmp.resolve("in/" + ulid + "/index");
                if (b == 1) {
                    ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(index));
                    int length = bytes.getInt(5);
                    bytes.put(9 + length - 5, (byte) '2').put(9 + length - 1, (byte) '1');
                    CRC32C crc = new CRC32C();
                    crc.update(bytes.array(), 9, length);
                    bytes.putInt(9 + length, (int) crc.getValue());
                    Files.write(index, bytes.array());
                }
                blocks.add(BlockReader.open(tmp.resolve("in/" + ulid)));
            }
            assertThat(blocks.get(1).index().symbols().isSorted()).isFalse();
            BlockMeta meta = BlockMerger.resultMeta(RESULT, blocks.stream().map(BlockReader::meta).toList());
            Map<String, ByteBuffer> want = plainly(blocks, tmp.resolve("want"), meta, BlockWriter.SEGMENT_BYTES);
            for (int threads : new int[]{1, 2}) {
                BlockMerger.write(blocks, tmp.resolve("got" + threads), meta, BlockMerger.Options.DEFAULT.withThreads(threads));
                assertThat(files(tmp.resolve("got" + threads + "/" + RESULT))).isEqualTo(want);
            }
            blocks.forEach(BlockReader::close);
        }
    }

    /** Names that an old writer left out of order are sorted; what is out of order then is damage. */
    @Test
    void namesOutOfOrderAreSorted() throws IOException {
        for (String second : List.of("1", "0")) {
            try (TempTree tmp = TempTree.create()) {
                Ulid ulid = new Ulid(1, 0);
                try (BlockWriter w = BlockWriter.create(tmp.resolve("in"), ulid)) {
                    w.add(Labels.ofSorted(new String[]{"b", "2", "a", "1"}), RandomBlocks.chunks(Map.of(1L, 1.0), 120));
                    w.add(Labels.ofSorted(new String[]{"c", "1", "a", second}), RandomBlocks.chunks(Map.of(1L, 1.0), 120));
                    w.add(Labels.of("d", "1"), RandomBlocks.chunks(Map.of(1L, 1.0), 120));
                    w.commit(new BlockMeta(ulid, 0, 10, BlockMeta.Stats.EMPTY, BlockMeta.Compaction.fresh(ulid)));
                }
                try (BlockReader block = BlockReader.open(tmp.resolve("in/" + ulid))) {
                    BlockMeta meta = block.meta().withUlid(RESULT);
                    if (second.equals("1")) {
                        BlockMerger.write(List.of(block), tmp.resolve("got"), meta, BlockMerger.Options.DEFAULT);
                        assertThat(files(tmp.resolve("got/" + RESULT)))
                                .isEqualTo(plainly(List.of(block), tmp.resolve("want"), meta, BlockWriter.SEGMENT_BYTES));
                    } else {
                        assertThatThrownBy(() -> BlockMerger.write(List.of(block), tmp.resolve("got"), meta, BlockMerger.Options.DEFAULT))
                                .isInstanceOf(CorruptDataException.class)
                                .hasMessageContaining("series {a=\"0\", c=\"1\"} comes after {a=\"1\", b=\"2\"}");
                    }
                }
            }
        }
    }

    private static void assertNothingLeft(Path parent) throws IOException {
        try (Stream<Path> list = Files.list(parent)) {
            assertThat(list.toList()).isEmpty();
        }
        String mine = Thread.currentThread().getName() + "-";
        assertThat(Thread.getAllStackTraces().keySet())
                .noneMatch(t -> t.isAlive() && (t.getName().startsWith(mine) || t.getName().startsWith("sync")));
    }

    @Test
    void aDamagedChunkEndsTheMergeInTheSameWayAndLeavesNothing() throws IOException {
        for (int at : new int[]{30, 200, 300}) {
            try (TempTree tmp = TempTree.create()) {
                List<BlockReader> blocks = blocks(new SplittableRandom(5), tmp.resolve("in"), 3, false);
                BlockReader second = blocks.get(1);
                Path file = second.directory().resolve("chunks/000001");
                flip(file, Files.size(file) * at / 400);
                List<String> said = new ArrayList<>();
                for (int threads : new int[]{1, 2, 4}) {
                    Path parent = Files.createDirectories(tmp.resolve("out"));
                    assertThatThrownBy(() -> BlockMerger.merge(blocks, parent, RESULT, BlockMerger.Options.DEFAULT.withThreads(threads)))
                            .isInstanceOf(CorruptDataException.class).satisfies(e -> said.add(e.getMessage()));
                    assertNothingLeft(parent);
                }
                assertThat(said.stream().distinct()).hasSize(1);
                assertThat(said.getFirst()).contains("chunks/000001");
                blocks.forEach(BlockReader::close);
            }
        }
    }

    private static void flip(Path file, long at) throws IOException {
        try (FileChannel f = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            ByteBuffer b = ByteBuffer.allocate(1);
            f.read(b, at);
            f.write(b.put(0, (byte) (b.get(0) ^ 0x10)).flip(), at);
        }
    }

    @Test
    void whatEndsAMergeLeavesNothing() throws IOException {
        try (TempTree tmp = TempTree.create()) {
            List<BlockReader> blocks = new ArrayList<>();
            for (int b = 0; b < 2; b++) {
                TreeMap<Labels, TreeMap<Long, Double>> content = new TreeMap<>();
                for (int i = 0; i < 5000; i++) {
                    content.put(Labels.of("__name__", "m", "i", Integer.toString(i)), new TreeMap<>(Map.of(b * SPAN + i, 1.0)));
                }
                blocks.add(BlockReader.open(RandomBlocks.write(content, tmp.resolve("in"), new Ulid(b + 1, 0))));
            }
            for (int threads : new int[]{1, 2, 4}) {
                BlockMerger.Options options = BlockMerger.Options.DEFAULT.withThreads(threads);
                Path parent = Files.createDirectories(tmp.resolve("out"));
                // The observer.
                assertThatThrownBy(() -> BlockMerger.merge(blocks, parent, RESULT, options.withProgress(n -> {
                    throw new CancelledException(CancelledException.Reason.CANCELED, "enough");
                }))).isInstanceOf(CancelledException.class);
                assertNothingLeft(parent);
                // Memory, for symbols or for series under way; all is given back.
                for (long most : new long[]{100_000, 300_000, 700_000}) {
                    Bounded budget = new Bounded(most);
                    assertThatThrownBy(() -> BlockMerger.merge(blocks, parent, RESULT, options.withMemory(budget)))
                            .isInstanceOf(LimitExceededException.class);
                    assertThat(budget.reserved()).isZero();
                    assertNothingLeft(parent);
                }
            }
            // An interrupt, where the thread waits for another.
            Path parent = Files.createDirectories(tmp.resolve("out"));
            Thread.currentThread().interrupt();
            assertThatThrownBy(() -> BlockMerger.merge(blocks, parent, RESULT, BlockMerger.Options.DEFAULT.withThreads(2)));
            assertThat(Thread.interrupted()).isTrue();
            assertNothingLeft(parent);
            blocks.forEach(BlockReader::close);
        }
    }

    /** A set that gives series and then fails, as a disk may: the failure is that of the set, wherever it ran. */
    @Test
    void aFailureOfTheSetComesThrough() throws IOException {
        for (int threads : new int[]{1, 2}) {
            try (TempTree tmp = TempTree.create()) {
                int[] n = new int[1];
                ChunkSeriesSet set = new ChunkSeriesSet() {
                    @Override
                    public ChunkSeries next() {
                        if (n[0] == 777) {
                            throw new CorruptDataException("f", 777, "no more");
                        }
                        Labels labels = Labels.of("i", String.format("%06d", n[0]++));
                        return new ChunkSeries(labels, RandomBlocks.chunks(Map.of(1L, 1.0), 120));
                    }

                    @Override
                    public void close() {
                    }
                };
                try (BlockWriter writer = BlockWriter.create(tmp.root(), RESULT)) {
                    assertThatThrownBy(() -> writer.addAll(set, threads, MemoryBudget.UNLIMITED, x -> {
                    })).isInstanceOf(CorruptDataException.class).hasMessageContaining("no more");
                    assertThat(writer.stats().series()).isEqualTo(777);
                }
                assertNothingLeft(tmp.root());
            }
        }
    }

    @Test
    void whatTheDiskDoesNotTakeIsSaidAtTheNextStepOrAtTheEnd() throws IOException {
        try (TempTree tmp = TempTree.create()) {
            for (boolean again : new boolean[]{false, true}) {
                FileChannel channel = FileChannel.open(tmp.resolve("f" + again), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
                SyncedFile file = new SyncedFile(channel, 100);
                file.write(ByteBuffer.allocate(50));
                channel.close();
                // Its background finds the channel closed.
                file.push();
                assertThatThrownBy(() -> {
                    for (int i = 0; again && i < 10_000; i++) {
                        file.push();
                        Thread.sleep(1);
                    }
                    file.sync();
                }).isInstanceOf(ClosedChannelException.class);
                file.close();
            }
            Path path = tmp.resolve("g");
            try (SyncedFile file = new SyncedFile(FileChannel.open(path, StandardOpenOption.CREATE, StandardOpenOption.WRITE), 10)) {
                byte[] want = new byte[10_000];
                new SplittableRandom(1).nextBytes(want);
                for (int i = 0; i < want.length; i += 8) {
                    file.write(ByteBuffer.wrap(want, i, 8));
                }
                file.patch(ByteBuffer.wrap(want, 0, 4), 0);
                file.sync();
                assertThat(Files.readAllBytes(path)).isEqualTo(want);
            }
        }
    }

    @Test
    void sealedSymbolsAreAllThereAre() throws IOException {
        try (TempTree tmp = TempTree.create(); BlockWriter writer = BlockWriter.create(tmp.root(), RESULT)) {
            List.of("b", "a", "c").forEach(writer::addSymbol);
            writer.sealSymbols();
            writer.add(Labels.of("a", "b"), RandomBlocks.chunks(Map.of(1L, 1.0), 120));
            assertThatThrownBy(() -> writer.add(Labels.of("a", "b"), List.of())).isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("label order");
            assertThatThrownBy(() -> writer.add(Labels.of("a", "d"), List.of())).isInstanceOf(IllegalStateException.class);
            assertThatThrownBy(writer::sealSymbols).isInstanceOf(IllegalStateException.class);
        }
    }

    private static final class Bounded implements MemoryBudget {
        private final long capacity;
        private long used;

        Bounded(long capacity) {
            this.capacity = capacity;
        }

        @Override
        public synchronized void reserve(long bytes, String what) {
            if (used + bytes > capacity) {
                throw new LimitExceededException("test", "memory for " + what);
            }
            used += bytes;
        }

        @Override
        public synchronized void release(long bytes) {
            used -= bytes;
        }

        @Override
        public synchronized long reserved() {
            return used;
        }
    }
}

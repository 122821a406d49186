package io.varve.tsdb;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.varve.model.CorruptDataException;
import io.varve.model.Labels;
import io.varve.model.VarveException;
import io.varve.testkit.Seeds;
import io.varve.testkit.Shared;
import io.varve.testkit.TempTree;
import io.varve.tsdb.index.ByteRegion;
import io.varve.tsdb.index.IndexReader;
import io.varve.tsdb.index.Postings;
import io.varve.tsdb.index.PostingsList;
import io.varve.tsdb.index.SeriesEntry;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.random.RandomGenerator;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;

/** Damaged bytes give the right answer or a {@link CorruptDataException} that names file and offset; nothing else. */
class DamageTest {
    private static void overwrite(Path file, byte[] content, int length) throws IOException {
        try (RandomAccessFile f = new RandomAccessFile(file.toFile(), "rw")) {
            f.setLength(length);
            f.write(content, 0, length);
        }
    }

    private static long read(Path block) {
        try (BlockReader b = BlockReader.open(block)) {
            return BlockContent.digest(b);
        }
    }

    /** Returns whether the damage was noticed. */
    private static boolean check(Path block, Path file, long good, String what) {
        try {
            long got = read(block);
            if (!file.endsWith(BlockMeta.FILE)) {
                assertThat(got).as("content after " + what).isEqualTo(good);
            }
            return false;
        } catch (CorruptDataException e) {
            assertThat(e.file()).as(what).isNotEmpty();
            if (!file.endsWith(BlockMeta.FILE)) {
                assertThat(e.offset()).as(what + ": " + e.getMessage()).isNotNegative();
            }
            return true;
        } catch (RuntimeException | Error e) {
            throw new AssertionError(what + " gave " + e, e);
        }
    }

    /** Changes every byte in turn and cuts at every length, or at every {@code cutStep}th away from the ends. */
    private static void everyByte(Path source, int cutStep, String... files) throws IOException {
        try (TempTree tmp = TempTree.create()) {
            Path block = tmp.resolve(source.getFileName().toString());
            TempTree.copy(source, block);
            long good = read(block);
            for (String name : files) {
                Path file = block.resolve(name);
                byte[] content = Files.readAllBytes(file);
                int noticed = 0;
                for (int i = 0; i < content.length; i++) {
                    byte[] bad = content.clone();
                    bad[i] ^= (byte) (i % 3 == 0 ? 0xFF : 1 << i % 8);
                    overwrite(file, bad, bad.length);
                    noticed += check(block, file, good, name + " byte " + i) ? 1 : 0;
                    if (i % cutStep == 0 || i < 80 || i > content.length - 80) {
                        overwrite(file, content, i);
                        check(block, file, good, name + " cut to " + i);
                    }
                }
                overwrite(file, content, content.length);
                assertThat(read(block)).isEqualTo(good);
                System.out.println(source.getParent().getParent().getFileName() + " " + name + ": " + noticed + " of " + content.length
                        + " changed bytes noticed, the others harmless");
            }
        }
    }

    @Test
    void everyByteOfAGoldenBlockOfVersion1() throws IOException {
        assumeTrue(Shared.golden("blocks").isPresent());
        everyByte(GoldenBlocks.get("indexv1/block").directory(), 7, "index", "chunks/000001", "tombstones", "meta.json");
    }

    @Test
    void everyByteOfTheIndexOfGoldenBlocksWithStartTimesAndDeletions() throws IOException {
        assumeTrue(Shared.golden("blocks").isPresent());
        everyByte(GoldenBlocks.get("startts/block").directory(), 97, "index", "tombstones", "meta.json");
        everyByte(GoldenBlocks.get("tombstones/block").directory(), 997, "tombstones", "meta.json");
    }

    @Test
    void everyByteOfABlockOfOurs() throws IOException {
        try (TempTree tmp = TempTree.create()) {
            RandomGenerator random = Seeds.random(3);
            var content = RandomBlocks.content(random, 6, 1_000, 2_000_000);
            content.values().forEach(samples -> samples.keySet().removeIf(t -> samples.headMap(t).size() >= 12));
            Path block = RandomBlocks.write(content, tmp.resolve("ours/block"), new Ulid(1, 1), 5, BlockWriter.SEGMENT_BYTES);
            everyByte(block, 1, "index", "chunks/000001", "tombstones", "meta.json");
        }
    }

    @Test
    void bytesOfLargerGoldenBlocksAtRandom() {
        List<GoldenBlocks.Case> cases = GoldenBlocks.all();
        assumeTrue(!cases.isEmpty());
        for (String name : List.of("floats/block", "histograms/block", "startts/block", "tombstones/block")) {
            try (TempTree tmp = TempTree.create()) {
                Path source = GoldenBlocks.get(name).directory();
                Path block = tmp.resolve(source.getFileName().toString());
                TempTree.copy(source, block);
                long good = read(block);
                Seeds.forEach(40, random -> {
                    Path file = block.resolve(List.of("index", "chunks/000001", "tombstones").get(random.nextInt(3)));
                    byte[] content = Files.readAllBytes(file);
                    byte[] bad = content.clone();
                    int at = random.nextInt(bad.length);
                    bad[at] ^= (byte) (1 + random.nextInt(255));
                    boolean cut = random.nextInt(4) == 0;
                    overwrite(file, bad, cut ? at : bad.length);
                    check(block, file, good, name + " " + file.getFileName() + (cut ? " cut to " : " byte ") + at);
                    overwrite(file, content, content.length);
                });
            }
        }
    }

    /** Damage behind correct checksums: no right answer to compare with, but the same exceptions and bounded time and memory. */
    @Test
    void fuzzedBytesNeverEscapeTheDecoders() {
        List<byte[]> indexes = new java.util.ArrayList<>();
        try (TempTree tmp = TempTree.create()) {
            RandomGenerator random = Seeds.random(5);
            indexes.add(Shared.bytes(RandomBlocks
                    .write(RandomBlocks.content(random, 30, 1_000, 2_000_000), tmp.resolve("f"), new Ulid(1, 1)).resolve("index")));
        }
        GoldenBlocks.all().stream().filter(c -> c.name().matches("(indexv1|floats|startts)/block")).forEach(
                c -> indexes.add(Shared.bytes(c.directory().resolve("index"))));
        long[] runs = new long[4];
        Seeds.forMillis(Long.getLong("varve.fuzz.millis", 3000), random -> {
            switch (random.nextInt(4)) {
                case 0 -> {
                    runs[0]++;
                    fuzzIndex(indexes.get(random.nextInt(indexes.size())), random);
                }
                case 1 -> {
                    runs[1]++;
                    byte[] bytes = bytes(random, 200);
                    quietly(() -> new SeriesEntry().decodeBody(bytes, 0, bytes.length));
                    quietly(() -> new SeriesEntry().decode(bytes, 0, bytes.length));
                    quietly(() -> drain(PostingsList.decode(bytes, 0, bytes.length)));
                    quietly(() -> ChunkEntry.decode(bytes, 0, bytes.length, 0, 0, false));
                }
                case 2 -> {
                    runs[2]++;
                    byte[] stones = bytes(random, 60);
                    ByteBuffer b = ByteBuffer.allocate(stones.length + 9).putInt(0x0130BA30).put((byte) 1).put(stones);
                    CRC32C crc = new CRC32C();
                    crc.update(stones);
                    quietly(() -> Tombstones.parse(b.putInt((int) crc.getValue()).array(), "tombstones"));
                }
                default -> {
                    runs[3]++;
                    byte[] json = """
                            {"ulid":"01HF8B9V807K1AN4E40XT9XYP5","minTime":1,"maxTime":2,"stats":{"numSeries":3},"compaction":{"level":1,"sources":[\
                            "01HF8B9V807K1AN4E40XT9XYP5"]},"version":1,"thanos":{"labels":{"a":"b"},"downsample":{"resolution":0},"source":"x",\
                            "files":[{"rel_path":"index","size_bytes":5}],"index_stats":{},"upload_time":"2026-11-21T00:36:43Z"}}"""
                            .getBytes(
                                    java.nio.charset.StandardCharsets.UTF_8);
                    for (int k = 1 + random.nextInt(4); k > 0; k--) {
                        json[random.nextInt(json.length)] = (byte) random.nextInt(random.nextBoolean() ? 128 : 256);
                    }
                    quietly(() -> BlockMeta.parse(json, "meta.json").toJson());
                }
            }
        });
        System.out.println("fuzzed: " + Arrays.toString(runs) + " indexes, entries, tombstones, metas");
    }

    private static byte[] bytes(RandomGenerator random, int bound) {
        byte[] out = new byte[random.nextInt(bound)];
        random.nextBytes(out);
        // Small numbers reach further than random ones.
        for (int i = 0; i < out.length; i++) {
            if (random.nextInt(3) > 0) {
                out[i] = (byte) random.nextInt(8);
            }
        }
        return out;
    }

    private static void drain(Postings p) {
        while (p.next() != Postings.NO_MORE) {
            // Moving is the test.
        }
    }

    private static void quietly(Runnable r) {
        try {
            r.run();
        } catch (VarveException e) {
            assertThat(e).isInstanceOf(CorruptDataException.class);
        }
    }

    private static void fuzzIndex(byte[] good, RandomGenerator random) {
        byte[] bad = good.clone();
        int from = random.nextInt(bad.length);
        for (int k = 1 + random.nextInt(6); k > 0; k--) {
            bad[random.nextBoolean() ? random.nextInt(bad.length) : Math.min(bad.length - 1, from + random.nextInt(8))] = (byte) random
                    .nextInt(256);
        }
        ByteBuffer b = ByteBuffer.wrap(bad);
        int toc = bad.length - 52;
        long symbols = b.getLong(toc);
        long table = b.getLong(toc + 40);
        fixCrc(b, symbols);
        fixCrc(b, table);
        CRC32C crc = new CRC32C();
        crc.update(bad, toc, 48);
        b.putInt(bad.length - 4, (int) crc.getValue());
        quietly(() -> {
            IndexReader r = IndexReader.open(ByteRegion.of(bad, "index", 0));
            for (String name : r.labelNames()) {
                for (String value : r.labelValues(name)) {
                    quietly(() -> drain(r.postings(name, value)));
                    quietly(() -> r.table().find(name, value));
                }
            }
            SeriesEntry e = new SeriesEntry();
            for (long id = r.toc().series() / 16; id < r.toc().series() / 16 + 40; id++) {
                long series = id;
                quietly(() -> {
                    r.series(series, e);
                    r.labels(e);
                });
            }
            r.symbols().find("x" + random.nextInt());
            quietly(() -> r.postings(List.of(io.varve.model.Matcher.of(io.varve.model.Matcher.Type.REGEX, "job", "a.*"))).toArray());
        });
    }

    private static void fixCrc(ByteBuffer b, long section) {
        if (section < 0 || section > b.capacity() - 8) {
            return;
        }
        long length = b.getInt((int) section) & 0xFFFFFFFFL;
        if (length > b.capacity() - 8 - section) {
            return;
        }
        CRC32C crc = new CRC32C();
        crc.update(b.array(), (int) section + 4, (int) length);
        b.putInt((int) (section + 4 + length), (int) crc.getValue());
    }

    @Test
    void aChunkThatEndsBeforeItBeginsIsDamage() {
        ByteWriter w = new ByteWriter(64);
        for (int v : new int[]{1, 1, 1, 1}) {
            w.uvarint(v);
        }
        w.varint(5);
        w.uvarint(-1);
        w.uvarint(8);
        assertThatThrownBy(() -> new SeriesEntry().decodeBody(w.array(), 0, w.size())).isInstanceOf(CorruptDataException.class)
                .hasMessageContaining("series entry: chunk 0 ends at 4 before it begins at 5");
    }

    @Test
    void labelsOutOfOrderAreStillRead() {
        // Series entries with names in the wrong order exist in old buckets: they are sorted, not refused.
        ByteWriter w = new ByteWriter(64);
        for (int v : new int[]{2, 3, 1, 0, 1, 0}) {
            w.uvarint(v);
        }
        SeriesEntry e = new SeriesEntry();
        e.decodeBody(w.array(), 0, w.size());
        byte[] table = new byte[0];
        ByteWriter s = new ByteWriter(64);
        s.i32(4 + 8);
        s.i32(4);
        for (String t : List.of("a", "b", "c", "d")) {
            s.text(t);
        }
        CRC32C crc = new CRC32C();
        crc.update(s.array(), 4, s.size() - 4);
        s.i32((int) crc.getValue());
        table = Arrays.copyOf(s.array(), s.size());
        var symbols = io.varve.tsdb.index.Symbols.open(ByteRegion.of(table, "index", 5), 2, 16);
        assertThat(e.labels(symbols)).isEqualTo(Labels.of("a", "b", "d", "b"));
    }
}

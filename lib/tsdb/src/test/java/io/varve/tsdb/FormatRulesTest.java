package io.varve.tsdb;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.varve.chunk.Chunk;
import io.varve.chunk.ChunkAppender;
import io.varve.model.CorruptDataException;
import io.varve.model.GoQuote;
import io.varve.model.Labels;
import io.varve.testkit.TempTree;
import io.varve.tsdb.index.Toc;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;

/** Rules of the block format one by one, on bytes of our own: what must be written so, what may be found, what must be refused. */
class FormatRulesTest {
    private static final Ulid ID = new Ulid(1, 1);

    private static TreeMap<Labels, TreeMap<Long, Double>> content(int series, int samples) {
        TreeMap<Labels, TreeMap<Long, Double>> out = new TreeMap<>();
        for (int s = 0; s < series; s++) {
            TreeMap<Long, Double> values = new TreeMap<>();
            for (int i = 0; i < samples; i++) {
                values.put(i * 1000L, Double.longBitsToDouble(0x3ff0000000000000L + (s * 31L + i) * 0x123456789abL));
            }
            out.put(Labels.of("__name__", "m", "s", String.format("%03d", s)), values);
        }
        return out;
    }

    private static Path block(TempTree tmp) {
        return RandomBlocks.write(content(40, 20), tmp.root(), ID);
    }

    private static ByteBuffer index(Path block) throws IOException {
        return ByteBuffer.wrap(Files.readAllBytes(block.resolve("index")));
    }

    private static void checksum(ByteBuffer b, int from, int length) {
        CRC32C crc = new CRC32C();
        crc.update(b.array(), from, length);
        b.putInt(from + length, (int) crc.getValue());
    }

    private static long uvarint(ByteBuffer b) {
        long v = 0;
        for (int shift = 0;; shift += 7) {
            byte x = b.get();
            v |= (x & 0x7fL) << shift;
            if (x >= 0) {
                return v;
            }
        }
    }

    private static String text(ByteBuffer b) {
        byte[] bytes = new byte[(int) uvarint(b)];
        b.get(bytes);
        return new String(bytes, java.nio.charset.StandardCharsets.UTF_8);
    }

    @Test
    void tableOfContentsSaysWhereSeriesEndAndLeavesOutLabelIndices() throws IOException {
        try (TempTree tmp = TempTree.create()) {
            ByteBuffer b = index(block(tmp));
            int toc = b.capacity() - 52;
            long series = b.getLong(toc + 8);
            long seriesEnd = b.getLong(toc + 16);
            assertThat(b.getInt(0)).isEqualTo(0xBAAAD700);
            assertThat(b.get(4)).isEqualTo((byte) 2);
            assertThat(b.getLong(toc)).as("symbols").isEqualTo(5);
            assertThat(seriesEnd).isGreaterThan(series);
            assertThat(b.getLong(toc + 24)).as("label indices table is the postings table").isEqualTo(b.getLong(toc + 40));
            assertThat(b.getLong(toc + 32)).as("postings behind series").isGreaterThanOrEqualTo(seriesEnd);
            assertThat(b.getLong(toc + 40)).as("the table behind the lists").isGreaterThan(b.getLong(toc + 32));
        }
    }

    @Test
    void entriesAndListsAreAlignedAndTheTableIsInOrder() throws IOException {
        try (TempTree tmp = TempTree.create()) {
            Path block = block(tmp);
            ByteBuffer b = index(block);
            try (BlockReader r = BlockReader.open(block)) {
                for (long id : r.index().allPostings().toArray()) {
                    assertThat(r.index().seriesOffset(id)).isEqualTo(id * 16);
                }
            }
            b.position((int) b.getLong(b.capacity() - 12));
            b.getInt();
            int count = b.getInt();
            List<String> entries = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                assertThat(uvarint(b)).isEqualTo(2);
                entries.add(text(b) + '\u0000' + text(b));
                assertThat(uvarint(b) % 4).as("alignment of the list of " + entries.getLast()).isZero();
            }
            assertThat(entries.getFirst()).isEqualTo("\u0000");
            assertThat(entries).isSorted().doesNotHaveDuplicates().hasSize(1 + 1 + 40);
        }
    }

    @Test
    void aTableOutOfOrderIsNamed() throws IOException {
        try (TempTree tmp = TempTree.create()) {
            Path block = block(tmp);
            ByteBuffer b = index(block);
            int table = (int) b.getLong(b.capacity() - 12);
            // The last entry's value becomes the least of its name.
            byte[] last = "\u0003039".getBytes(java.nio.charset.StandardCharsets.UTF_8);
            int at = lastIndexOf(b.array(), last);
            b.put(at + 2, (byte) '0');
            b.put(at + 3, (byte) '!');
            checksum(b, table + 4, b.getInt(table));
            Files.write(block.resolve("index"), b.array());
            assertThatThrownBy(() -> BlockVerifier.verify(block)).isInstanceOf(CorruptDataException.class).hasMessageContaining("index");
        }
    }

    private static int lastIndexOf(byte[] in, byte[] what) {
        for (int i = in.length - what.length; i >= 0; i--) {
            if (Arrays.equals(in, i, i + what.length, what, 0, what.length)) {
                return i;
            }
        }
        throw new AssertionError("not found");
    }

    @Test
    void version3ReadsAsVersion2AndOthersAreRefused() throws IOException {
        try (TempTree tmp = TempTree.create()) {
            Path block = block(tmp);
            byte[] bytes = index(block).array();
            bytes[4] = 3;
            Files.write(block.resolve("index"), bytes);
            try (BlockReader r = BlockReader.open(block)) {
                assertThat(BlockContent.samples(r)).isEqualTo(content(40, 20));
            }
            for (int version : new int[]{0, 4, 255}) {
                bytes[4] = (byte) version;
                Files.write(block.resolve("index"), bytes);
                assertThatThrownBy(() -> BlockReader.open(block)).isInstanceOf(CorruptDataException.class).hasMessageContaining("index");
            }
        }
    }

    @Test
    void theEmptySymbolMayBeUnused() throws IOException {
        try (TempTree tmp = TempTree.create()) {
            try (BlockWriter w = BlockWriter.create(tmp.root(), ID)) {
                w.addSymbol("");
                content(3, 5).forEach((l, s) -> w.add(l, RandomBlocks.chunks(s, 120)));
                w.commit(new BlockMeta(ID, 0, 5000, BlockMeta.Stats.EMPTY, BlockMeta.Compaction.fresh(ID)));
            }
            Path block = tmp.resolve(ID.toString());
            assertThat(BlockVerifier.verify(block).stats().series()).isEqualTo(3);
            ByteBuffer b = index(block);
            assertThat(b.getInt(9)).as("symbols: \"\" __name__ 000 001 002 m s").isEqualTo(7);
            assertThat(b.get(13)).isZero();
        }
    }

    @Test
    void chunksAreSpreadOverSegmentFilesThatNeverExceedTheLimit() throws IOException {
        try (TempTree tmp = TempTree.create()) {
            for (int limit : new int[]{64, 200, 1000, 1001, 4096, 100_000}) {
                Ulid id = new Ulid(1, limit);
                TreeMap<Labels, TreeMap<Long, Double>> content = content(30, 50);
                Path block = RandomBlocks.write(content, tmp.root(), id, 7, limit);
                List<Path> files = GoldenBlocks.list(block.resolve("chunks"));
                for (int i = 0; i < files.size(); i++) {
                    assertThat(files.get(i).getFileName()).hasToString(String.format("%06d", i + 1));
                    ByteBuffer b = ByteBuffer.wrap(Files.readAllBytes(files.get(i)));
                    assertThat(b.getInt()).isEqualTo(0x85BD40DD);
                    assertThat(b.getInt()).isEqualTo(1 << 24);
                    assertThat(b.hasRemaining()).as("no empty file").isTrue();
                    int chunks = 0;
                    while (b.hasRemaining()) {
                        long length = uvarint(b);
                        b.position(b.position() + 1 + (int) length + 4);
                        chunks++;
                    }
                    assertThat(b.capacity() <= limit || chunks == 1).as(limit + " " + files.get(i) + ": " + b.capacity()).isTrue();
                }
                assertThat(files.size() > 1).isEqualTo(limit < 100_000);
                try (BlockReader r = BlockReader.open(block)) {
                    assertThat(r.segmentCount()).isEqualTo(files.size());
                    assertThat(BlockContent.samples(r)).isEqualTo(content);
                }
                assertThat(BlockVerifier.verify(block).stats().chunks()).isEqualTo(30 * 8);
            }
        }
    }

    @Test
    void aMissingSegmentFileIsNamed() throws IOException {
        try (TempTree tmp = TempTree.create()) {
            Path block = RandomBlocks.write(content(30, 50), tmp.root(), ID, 7, 1000);
            Files.delete(block.resolve("chunks/000002"));
            assertThatThrownBy(() -> BlockVerifier.verify(block)).hasMessageContaining("00000");
        }
    }

    @Test
    void bytesBehindTheLastChunkAndInThePaddingOfTheHeaderMeanNothing() throws IOException {
        try (TempTree tmp = TempTree.create()) {
            Path block = block(tmp);
            Path file = block.resolve("chunks/000001");
            byte[] bytes = Files.readAllBytes(file);
            bytes[6] = 1;
            Files.write(file, bytes);
            Files.write(file, new byte[4096], StandardOpenOption.APPEND);
            try (BlockReader r = BlockReader.open(block)) {
                assertThat(BlockContent.samples(r)).isEqualTo(content(40, 20));
            }
        }
    }

    @Test
    void chunksThatGoBackInTimeAreNotWritten() {
        try (TempTree tmp = TempTree.create(); BlockWriter w = BlockWriter.create(tmp.root(), ID)) {
            List<Chunk> chunks = new ArrayList<>();
            for (long from : new long[]{10, 5}) {
                ChunkAppender a = ChunkAppender.plain(120, chunks::add);
                a.append(from, 1);
                a.append(from + 2, 1);
                a.cut();
            }
            assertThatThrownBy(() -> w.add(Labels.of("a", "b"), chunks)).isInstanceOf(IllegalArgumentException.class);
        }
    }

    @Test
    void tombstonesAreNineBytesWhenEmptyAndMergeWhatTouches() {
        assertThat(Tombstones.NONE.encode()).hasSize(9);
        assertThat(Tombstones.parse(Tombstones.NONE.encode(), "tombstones").isEmpty()).isTrue();
        for (int size = 0; size < 9; size++) {
            byte[] cut = Arrays.copyOf(Tombstones.NONE.encode(), size);
            assertThatThrownBy(() -> Tombstones.parse(cut, "tombstones")).isInstanceOf(CorruptDataException.class)
                    .hasMessageContaining("tombstones");
        }
        // In any order, series by series; closed intervals that overlap or are neighbours become one.
        long[][] stones = {{7, 10, 20}, {3, -5, 5}, {7, 21, 30}, {7, 100, 200}, {3, 0, 9}, {7, 5, 12}};
        ByteBuffer b = ByteBuffer.allocate(100);
        b.putInt(0x0130BA30).put((byte) 1);
        for (long[] s : stones) {
            b.put((byte) s[0]);
            varint(b, s[1]);
            varint(b, s[2]);
        }
        int end = b.position();
        CRC32C crc = new CRC32C();
        crc.update(b.array(), 5, end - 5);
        b.putInt((int) crc.getValue());
        Tombstones t = Tombstones.parse(Arrays.copyOf(b.array(), b.position()), "tombstones");
        assertThat(t.intervals()).isEqualTo(3);
        assertThat(t.of(3).toString()).contains("-5").contains("9");
        assertThat(t.of(7).toString()).contains("5").contains("30").contains("100").contains("200");
        assertThat(t.bySeries()).containsOnlyKeys(3L, 7L);
        assertThat(Tombstones.parse(t.encode(), "tombstones").bySeries()).isEqualTo(t.bySeries());
    }

    private static void varint(ByteBuffer b, long v) {
        long u = v << 1 ^ v >> 63;
        for (; u >= 0x80; u >>>= 7) {
            b.put((byte) (u | 0x80));
        }
        b.put((byte) u);
    }

    /** Readers of today have no need of these offsets, others go by them. */
    @Test
    void offsetsOfSectionsThatAreNotReadAreChecked() throws IOException {
        try (TempTree tmp = TempTree.create()) {
            Path block = block(tmp);
            byte[] sound = index(block).array();
            int toc = sound.length - 52;
            ByteBuffer b = ByteBuffer.wrap(sound.clone());
            long postings = b.getLong(toc + 32);
            long table = b.getLong(toc + 40);
            long[][] wrong = {{16, 1}, {24, 1}, {24, table - 1}, {24, table + 1}, {32, 0}, {32, 1}, {32, postings + 16}, {32, table}};
            for (long[] w : wrong) {
                b = ByteBuffer.wrap(sound.clone());
                b.putLong(toc + (int) w[0], w[1]);
                checksum(b, toc, 48);
                Files.write(block.resolve("index"), b.array());
                assertThatThrownBy(() -> BlockVerifier.verify(block)).as(Arrays.toString(w)).isInstanceOf(CorruptDataException.class)
                        .hasMessageContaining("index: offset " + (toc + w[0]) + ": table of contents: ");
            }
            for (int at : new int[]{16, 24}) {
                b = ByteBuffer.wrap(sound.clone());
                b.putLong(toc + at, 0);
                checksum(b, toc, 48);
                Files.write(block.resolve("index"), b.array());
                assertThat(BlockVerifier.verify(block).stats().series()).as("no label indices").isEqualTo(40);
            }
        }
    }

    @Test
    void bytesBehindTheEntriesOfTheTableAreNamed() throws IOException {
        try (TempTree tmp = TempTree.create()) {
            Path block = block(tmp);
            byte[] sound = index(block).array();
            int table = (int) ByteBuffer.wrap(sound).getLong(sound.length - 12);
            ByteBuffer b = ByteBuffer.allocate(sound.length + 3);
            int end = sound.length - 52 - 4;
            b.put(sound, 0, end).put(new byte[3]).position(end + 3 + 4).put(sound, sound.length - 52, 52);
            b.putInt(table, end + 3 - table - 4);
            checksum(b, table + 4, b.getInt(table));
            Files.write(block.resolve("index"), b.array());
            assertThatThrownBy(() -> BlockVerifier.verify(block)).isInstanceOf(CorruptDataException.class)
                    .hasMessageContaining("index: offset " + end + ": postings offset table: 3 bytes after the last entry");
        }
    }

    /** The series then begin and end where the lists begin. */
    @Test
    void aBlockWithoutSeriesIsSound() {
        try (TempTree tmp = TempTree.create()) {
            try (BlockWriter w = BlockWriter.create(tmp.root(), ID)) {
                w.commit(new BlockMeta(ID, 0, 5000, BlockMeta.Stats.EMPTY, BlockMeta.Compaction.fresh(ID)));
            }
            assertThat(BlockVerifier.verify(tmp.resolve(ID.toString())).stats()).isEqualTo(BlockMeta.Stats.EMPTY);
        }
    }

    @Test
    void tombstonesOfNoSeriesAreNamedWithTheirPlace() throws IOException {
        try (TempTree tmp = TempTree.create()) {
            Path block = block(tmp);
            long first;
            try (BlockReader r = BlockReader.open(block)) {
                first = r.index().allPostings().toArray()[0];
            }
            for (long id : new long[]{0, 1, Long.MAX_VALUE, Long.MIN_VALUE, -1}) {
                Files.write(block.resolve("tombstones"),
                        Tombstones.of(java.util.Map.of(first, Intervals.NONE.with(1, 2), id, Intervals.NONE.with(1, 2))).encode());
                assertThatThrownBy(() -> BlockVerifier.verify(block)).isInstanceOf(CorruptDataException.class)
                        .hasMessageContaining("tombstones: no series has the id " + Long.toUnsignedString(id))
                        .extracting(e -> ((CorruptDataException) e).offset() >= 5).isEqualTo(true);
            }
        }
    }

    @Test
    void wrongFieldsOfTheMetaAreNamedWithTheirPlace() throws IOException {
        try (TempTree tmp = TempTree.create()) {
            Path meta = block(tmp).resolve(BlockMeta.FILE);
            String json = Files.readString(meta);
            String[][] wrong = {{"\"numSamples\": 800", "\"numSamples\": 801"}, {"\"numSeries\": 40", "\"numSeries\": \"x\""},
                    {"\"level\": 1", "\"level\": 0"}, {"\"version\": 1", "\"version\": 2"}};
            for (String[] w : wrong) {
                assertThat(json).contains(w[0]);
                Files.writeString(meta, json.replace(w[0], w[1]));
                String field = w[0].substring(0, w[0].indexOf(':'));
                assertThatThrownBy(() -> BlockVerifier.verify(meta.getParent())).as(w[1]).isInstanceOf(CorruptDataException.class)
                        .hasMessageContaining("meta.json: offset " + json.indexOf(field) + ": ");
            }
            Files.writeString(meta, '\uFEFF' + json);
            assertThatThrownBy(() -> BlockVerifier.verify(meta.getParent()))
                    .hasMessageContaining("offset 0: not valid JSON: it begins with");
            Files.writeString(meta, json, java.nio.charset.StandardCharsets.UTF_16LE);
            assertThatThrownBy(() -> BlockVerifier.verify(meta.getParent()))
                    .hasMessageContaining("offset 0: not valid JSON: it begins with");
            Files.writeString(meta, json + "{}");
            assertThatThrownBy(() -> BlockVerifier.verify(meta.getParent())).hasMessageEndingWith(": not valid JSON: text after its end");
        }
    }

    @Test
    void textsThatAreNotUtf8AreNamed() throws IOException {
        try (TempTree tmp = TempTree.create()) {
            for (byte[] bad : List.of(new byte[]{'0', '3', (byte) 0xff}, new byte[]{(byte) 0xc0, (byte) 0x80, '9'},
                    new byte[]{(byte) 0xed, (byte) 0xa0, (byte) 0x80})) {
                Path block = block(tmp);
                ByteBuffer b = index(block);
                int series = (int) b.getLong(b.capacity() - 52 + 8);
                int at = lastIndexOf(Arrays.copyOf(b.array(), series), "039".getBytes(java.nio.charset.StandardCharsets.UTF_8));
                b.put(at, bad);
                checksum(b, 9, b.getInt(5));
                Files.write(block.resolve("index"), b.array());
                assertThatThrownBy(() -> BlockVerifier.verify(block)).isInstanceOf(CorruptDataException.class)
                        .hasMessageContaining("index: offset " + at + ": symbol table: \"").hasMessageEndingWith("\" is not UTF-8");
                io.varve.tsdb.Durable.deleteTree(block);
            }
        }
    }

    @Test
    void filesThatThanosSectionListsMustBeAsItSays() throws IOException {
        try (TempTree tmp = TempTree.create()) {
            Path block = block(tmp);
            BlockMeta meta = BlockMeta.read(block);
            BlockMeta.FileEntry index = new BlockMeta.FileEntry("index", Files.size(block.resolve("index")));
            BlockMeta.FileEntry self = new BlockMeta.FileEntry("meta.json", 0);
            BlockMeta.Thanos none = BlockMeta.Thanos.of(Labels.of("a", "b"), 0, "sidecar");
            for (BlockMeta.Thanos sound : List.of(none, none.withFiles(List.of("000001"), List.of(index, self)))) {
                Files.write(block.resolve("meta.json"), meta.withThanos(sound).toJson());
                BlockVerifier.verify(block);
            }
            BlockMeta.FileEntry longer = new BlockMeta.FileEntry("index", index.sizeBytes() + 1);
            BlockMeta.FileEntry missing = new BlockMeta.FileEntry("chunks/000002", 0);
            TreeMap<String, BlockMeta.Thanos> wrong = new TreeMap<>();
            wrong.put("/index: has " + index.sizeBytes() + " bytes, meta.json says " + longer.sizeBytes(),
                    none.withFiles(List.of(), List.of(longer)));
            wrong.put("/chunks/000002: is missing", none.withFiles(List.of(), List.of(index, missing)));
            wrong.put("/chunks/000003: is missing", none.withFiles(List.of("000001", "000003"), List.of(index)));
            Files.write(tmp.resolve("outside"), new byte[3]);
            Map<String, String> rules = Map.ofEntries(Map.entry("../outside", "has the element .."),
                    Map.entry("chunks/../index", "has the element .."), Map.entry("./index", "has the element ."),
                    Map.entry(tmp.resolve("outside").toString(), "is absolute"), Map.entry("C:\\index", "has a backslash"),
                    Map.entry("chunks\\000001", "has a backslash"), Map.entry("index\0", "has a NUL"),
                    Map.entry("", "has an empty element"), Map.entry("chunks//000001", "has an empty element"),
                    Map.entry("index/", "has an empty element"));
            int at = new String(meta.withThanos(none.withFiles(List.of(), List.of(longer))).toJson(),
                    java.nio.charset.StandardCharsets.UTF_8).indexOf("\"files\"");
            rules.forEach((path, rule) -> wrong.put(
                    block + "/meta.json: offset " + at + ": thanos.files names " + GoQuote.quote(path) + ", which " + rule
                            + " and is no path of a file in the block",
                    none.withFiles(List.of(), List.of(new BlockMeta.FileEntry(path, 3)))));
            wrong.put("thanos.segment_files names \"chunks/../index\", which", none.withFiles(List.of("../index"), List.of(index)));
            for (var w : wrong.entrySet()) {
                Files.write(block.resolve("meta.json"), meta.withThanos(w.getValue()).toJson());
                assertThatThrownBy(() -> BlockVerifier.verify(block)).isInstanceOf(CorruptDataException.class)
                        .hasMessageContaining(w.getKey());
            }
        }
    }

    @Test
    void directoriesInPlaceOfFilesAreNamedAsSuch() throws IOException {
        for (String name : List.of("index", "meta.json", "tombstones", "chunks/000002")) {
            try (TempTree tmp = TempTree.create()) {
                Path block = block(tmp);
                Files.deleteIfExists(block.resolve(name));
                Files.createDirectory(block.resolve(name));
                assertThatThrownBy(() -> BlockReader.open(block)).hasMessageContaining(name).message()
                        .endsWithIgnoringCase(": is a directory");
            }
        }
    }

    @Test
    void aBlockWithoutTombstonesHasNone() throws IOException {
        try (TempTree tmp = TempTree.create()) {
            Path block = block(tmp);
            Files.delete(block.resolve("tombstones"));
            try (BlockReader r = BlockReader.open(block)) {
                assertThat(r.tombstones().isEmpty()).isTrue();
                assertThat(r.index().toc().seriesEnd()).isGreaterThan(Toc.SIZE);
            }
            assertThat(BlockVerifier.verify(block).stats().series()).isEqualTo(40);
        }
    }
}

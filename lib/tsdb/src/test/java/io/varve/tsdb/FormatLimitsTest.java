package io.varve.tsdb;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.varve.chunk.Chunk;
import io.varve.chunk.ChunkAppender;
import io.varve.chunk.ChunkSeries;
import io.varve.chunk.ChunkSeriesSet;
import io.varve.model.Labels;
import io.varve.model.LimitExceededException;
import io.varve.model.MemoryBudget;
import io.varve.testkit.TempTree;
import io.varve.tsdb.index.ByteRegion;
import io.varve.tsdb.index.IndexReader;
import io.varve.tsdb.index.Postings;
import io.varve.tsdb.index.SeriesEntry;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;

/** What the widths of the format's fields allow: places above 2 and 4 GiB are read, what does not fit is refused in Prometheus' words. */
class FormatLimitsTest {
    private static final long SECTION = IndexSpool.Limits.FORMAT.sectionBytes();
    private static final long FILE = IndexSpool.Limits.FORMAT.fileBytes();

    private static Chunk chunk(long from) {
        List<Chunk> out = new ArrayList<>();
        ChunkAppender appender = ChunkAppender.plain(ChunkAppender.USUAL_SAMPLES, out::add);
        appender.append(from, 1.5);
        appender.append(from + 1000, 2.5);
        appender.cut();
        return out.getFirst();
    }

    /** An index of a thousand series with three pairs of labels each. */
    private static Path write(Path directory, IndexSpool.Limits limits) throws IOException {
        Path file = directory.resolve("index");
        try (IndexSpool spool = new IndexSpool(file, MemoryBudget.UNLIMITED, limits)) {
            for (int i = 0; i < 1000; i++) {
                spool.add(Labels.of("__name__", "m", "i", String.format("%06d", i), "job", "j"), List.of(chunk(0)), new long[]{8});
            }
            spool.write();
        }
        return file;
    }

    @Test
    void anIndexThatFitsToTheByteIsWritten() throws IOException {
        try (TempTree tmp = TempTree.create()) {
            long size = Files.size(write(tmp.root(), IndexSpool.Limits.FORMAT));
            assertThat(Files.size(write(tmp.root(), new IndexSpool.Limits(size, SECTION)))).isEqualTo(size);
            assertThatThrownBy(() -> write(tmp.root(), new IndexSpool.Limits(size - 1, SECTION))).isInstanceOf(LimitExceededException.class)
                    .hasMessageContaining("\"" + tmp.resolve("index") + "\" exceeding max size of 64GiB");
            // Also when it is the series alone that are too many.
            assertThatThrownBy(() -> write(tmp.root(), new IndexSpool.Limits(20_000, SECTION)))
                    .hasMessageContaining("exceeding max size of 64GiB");
        }
    }

    @Test
    void sectionsThatDoNotFitTheirLengthAreRefused() throws IOException {
        try (TempTree tmp = TempTree.create()) {
            // A list of all thousand series has 4,004 bytes, the symbols some 7,000, the table more.
            assertThatThrownBy(() -> write(tmp.root(), new IndexSpool.Limits(FILE, 4003))).isInstanceOf(LimitExceededException.class)
                    .hasMessageContaining("posting size exceeds 4 bytes: 4004");
            assertThatThrownBy(() -> write(tmp.root(), new IndexSpool.Limits(FILE, 4004))).isInstanceOf(LimitExceededException.class)
                    .hasMessageContaining("symbol table size exceeds 4004 bytes: ");
            assertThatThrownBy(() -> write(tmp.root(), new IndexSpool.Limits(FILE, 9000))).isInstanceOf(LimitExceededException.class)
                    .hasMessageContaining("length size exceeds 4 bytes: ");
        }
    }

    @Test
    void chunksBeyondTwoGibibytesOfASegmentAreRead() throws IOException {
        for (long at : new long[]{0x7FFF_FFF0L, 0x8000_0000L, 0xFFFF_FF00L}) {
            try (TempTree tmp = TempTree.create()) {
                Chunk chunk = chunk(1000);
                Labels labels = Labels.of("__name__", "m");
                Ulid id = new Ulid(1, 1);
                Path block = tmp.resolve(id.toString());
                try (BlockWriter writer = BlockWriter.create(tmp.root(), id)) {
                    writer.add(labels, List.of(chunk));
                    writer.commit(new BlockMeta(id, 0, 5000, BlockMeta.Stats.EMPTY, BlockMeta.Compaction.fresh(id)));
                }
                byte[] small = Files.readAllBytes(block.resolve("chunks/000001"));
                try (RandomAccessFile f = new RandomAccessFile(block.resolve("chunks/000001").toFile(), "rw")) {
                    // The rest of the file is a hole that takes no space.
                    f.seek(at);
                    f.write(small, ChunkEntry.SEGMENT_HEADER, small.length - ChunkEntry.SEGMENT_HEADER);
                }
                Path index = block.resolve("index");
                Files.delete(index);
                try (IndexSpool spool = new IndexSpool(index, MemoryBudget.UNLIMITED)) {
                    spool.add(labels, List.of(chunk), new long[]{at});
                    spool.write();
                }
                try (BlockReader reader = BlockReader.open(block); ChunkSeriesSet all = reader.stored()) {
                    ChunkSeries series = all.next();
                    assertThat(series).isNotNull();
                    Chunk got = series.chunks().getFirst();
                    assertThat(ByteBuffer.wrap(got.data(), got.offset(), got.length()))
                            .isEqualTo(ByteBuffer.wrap(chunk.data(), chunk.offset(), chunk.length()));
                }
            }
        }
    }

    /** The index of one series, its entry, postings and table moved to a place; what lies between is a hole. */
    private static void moved(Path file, Path to, long by) throws IOException {
        byte[] b = Files.readAllBytes(file);
        ByteBuffer toc = ByteBuffer.wrap(b, b.length - 52, 52);
        long series = toc.getLong(b.length - 52 + 8);
        long seriesEnd = toc.getLong(b.length - 52 + 16);
        long postings = toc.getLong(b.length - 52 + 32);
        long table = toc.getLong(b.length - 52 + 40);
        CRC32C crc = new CRC32C();
        try (FileChannel out = FileChannel.open(to, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            out.write(ByteBuffer.wrap(b, 0, (int) series), 0);
            // Entries, and lists of one id each with the id moved.
            ByteBuffer body = ByteBuffer.wrap(b, (int) series, (int) (table - series)).slice();
            long first = (series + 15) / 16 * 16;
            for (int p = (int) ((seriesEnd + 3) / 4 * 4 - series); p < body.capacity(); p += 16) {
                body.putInt(p + 8, (int) ((first + by) / 16));
                crc.reset();
                crc.update(body.array(), (int) series + p + 4, 8);
                body.putInt(p + 12, (int) crc.getValue());
            }
            out.write(body, series + by);
            ByteWriter w = new ByteWriter(256);
            w.i32(2);
            String[][] keys = {{"", ""}, {"__name__", "m"}};
            for (int i = 0; i < 2; i++) {
                w.uvarint(2);
                w.text(keys[i][0]);
                w.text(keys[i][1]);
                w.uvarint((seriesEnd + 3) / 4 * 4 + by + 16L * i);
            }
            crc.reset();
            crc.update(w.array(), 0, w.size());
            ByteBuffer tail = ByteBuffer.allocate(4 + w.size() + 4 + 52).putInt(w.size()).put(w.array(), 0, w.size())
                    .putInt((int) crc.getValue());
            int tocAt = tail.position();
            tail.putLong(5).putLong(series + by).putLong(seriesEnd + by).putLong(table + by).putLong(postings + by).putLong(table + by);
            crc.reset();
            crc.update(tail.array(), tocAt, 48);
            tail.putInt((int) crc.getValue());
            out.write(tail.flip(), table + by);
        }
    }

    @Test
    void seriesAndPostingsBeyondFourGibibytesOfAnIndexAreRead() throws IOException {
        for (long by : new long[]{1L << 31, 1L << 32, 63L << 30}) {
            try (TempTree tmp = TempTree.create(); Arena arena = Arena.ofShared()) {
                Path small = tmp.resolve("small");
                try (IndexSpool spool = new IndexSpool(small, MemoryBudget.UNLIMITED)) {
                    spool.add(Labels.of("__name__", "m"), List.of(chunk(1000)), new long[]{77});
                    spool.write();
                }
                Path large = tmp.resolve("large");
                moved(small, large, by);
                assertThat(Files.size(large)).isGreaterThan(by);
                IndexReader index = IndexReader.open(ByteRegion.map(large, "large", arena));
                SeriesEntry entry = new SeriesEntry();
                for (Postings p : List.of(index.allPostings(), index.postings("__name__", "m"))) {
                    long id = p.next();
                    assertThat(index.seriesOffset(id)).isBetween(by, by + 1000);
                    index.series(id, entry);
                    assertThat(index.labels(entry)).isEqualTo(Labels.of("__name__", "m"));
                    assertThat(entry.refs[0]).isEqualTo(77);
                    assertThat(p.next()).isEqualTo(Postings.NO_MORE);
                }
            }
        }
    }
}

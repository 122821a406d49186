package io.varve.tsdb;

import io.varve.chunk.Chunk;
import io.varve.chunk.ChunkDecoder;
import io.varve.model.LimitExceededException;
import java.io.IOException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/** Writes chunks to segment files, a new one where the next chunk would not fit, as Prometheus cuts them. One thread. */
final class SegmentWriter implements AutoCloseable {
    private static final VarHandle INT = MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.BIG_ENDIAN);
    /** Small enough to stay in a processor's cache until the kernel has it. */
    private static final int BUFFER = 64 << 10;

    private final Path directory;
    private final long segmentBytes;
    private final byte[] buffer = new byte[BUFFER];
    private final CRC32C crc = new CRC32C();
    private int buffered;
    private @Nullable SyncedFile out;
    private int segment = -1;
    /** Bytes of the segment so far. */
    private long size;
    private long maxEntry;
    private long samples;
    private long floats;
    private long histograms;
    private long chunkCount;

    SegmentWriter(Path directory, long segmentBytes) {
        this.directory = directory;
        this.segmentBytes = segmentBytes;
    }

    /** The largest entry written. */
    long maxEntryBytes() {
        return maxEntry;
    }

    /** Samples written, not to be asked while another thread writes. */
    long samples() {
        return samples;
    }

    /** Those of them that are floats. */
    long floats() {
        return floats;
    }

    /** Those of them that are histograms. */
    long histograms() {
        return histograms;
    }

    /** Chunks written. */
    long chunkCount() {
        return chunkCount;
    }

    private static long estimate(int length) {
        // The length field is counted at its longest: where files are cut must not depend on how it is written.
        return ChunkEntry.MAX_LENGTH_FIELD + 1L + length + 4;
    }

    private static int headLength(int length) {
        return 1 + (31 - Integer.numberOfLeadingZeros(Math.max(1, length))) / 7;
    }

    private void count(Chunk c) {
        int n = ChunkDecoder.sampleCount(c);
        samples += n;
        switch (c.encoding()) {
            case XOR, XOR2 -> floats += n;
            case HISTOGRAM, FLOAT_HISTOGRAM, HISTOGRAM_ST, FLOAT_HISTOGRAM_ST -> histograms += n;
            case AGGREGATE -> {
            }
        }
        chunkCount++;
    }

    /** Writes one series' chunks; their references go to {@code refs} from index 0. */
    void write(List<Chunk> chunks, long[] refs) throws IOException {
        if (out == null) {
            cut();
        }
        // A batch is what goes into one file together; a chunk that is alone in its file may be larger than a segment.
        long batch = 0;
        boolean first = true;
        long before = size;
        StoredChunks stored = chunks instanceof StoredChunks s ? s : null;
        for (int i = 0; i < chunks.size(); i++) {
            int whole = stored != null ? stored.entryLength(i) : 0;
            long bytes = estimate(stored != null ? whole - stored.headLength(i) - ChunkEntry.AROUND_DATA : chunks.get(i).length());
            batch += bytes;
            boolean full;
            if (first && before > ChunkEntry.SEGMENT_HEADER) {
                full = batch + before > segmentBytes;
                first = !full;
            } else {
                full = i != 0 && batch + ChunkEntry.SEGMENT_HEADER > segmentBytes;
            }
            if (full) {
                batch = bytes;
                cut();
            }
            refs[i] = stored != null ? copy(stored, i, whole) : write(chunks.get(i));
        }
    }

    /** Writes a chunk straight from another block's file, where it is written as here. */
    private long copy(StoredChunks stored, int index, int length) throws IOException {
        if (length > BUFFER) {
            return write(stored.get(index));
        }
        if (buffered + length > BUFFER) {
            flush();
        }
        Chunk c = stored.copy(index, buffer, buffered, length);
        if (c.offset() - buffered != headLength(c.length()) + 1) {
            // A length field longer than need be.
            return write(stored.get(index));
        }
        count(c);
        buffered += length;
        return place(length);
    }

    /** The reference of an entry of so many bytes that comes next. */
    private long place(long length) {
        if (size > 0xFFFFFFFFL) {
            throw new LimitExceededException("chunk reference", "segment " + ChunkEntry.segmentName(segment) + " is larger than 4 GiB");
        }
        long ref = (long) segment << 32 | size;
        size += length;
        maxEntry = Math.max(maxEntry, length);
        return ref;
    }

    private long write(Chunk c) throws IOException {
        int length = c.length();
        long ref = place(headLength(length) + 1L + length + 4);
        count(c);
        if (buffered + length + 10 > BUFFER) {
            flush();
        }
        int start = buffered;
        int p = start;
        int v = length;
        while (v >= 0x80) {
            buffer[p++] = (byte) (v | 0x80);
            v >>>= 7;
        }
        buffer[p++] = (byte) v;
        crc.reset();
        buffer[p] = (byte) c.encoding().code();
        if (p + 1 + length + 4 <= BUFFER) {
            System.arraycopy(c.data(), c.offset(), buffer, p + 1, length);
            crc.update(buffer, p, 1 + length);
            p += 1 + length;
        } else {
            crc.update(buffer, p, 1);
            crc.update(c.data(), c.offset(), length);
            buffered = p + 1;
            flush();
            put(ByteBuffer.wrap(c.data(), c.offset(), length));
            p = 0;
        }
        INT.set(buffer, p, (int) crc.getValue());
        buffered = p + 4;
        return ref;
    }

    private void cut() throws IOException {
        finish();
        segment++;
        out = new SyncedFile(
                FileChannel.open(directory.resolve(ChunkEntry.segmentName(segment)), StandardOpenOption.CREATE_NEW,
                        StandardOpenOption.WRITE),
                SyncedFile.STEP);
        INT.set(buffer, 0, ChunkEntry.MAGIC);
        INT.set(buffer, 4, ChunkEntry.VERSION << 24);
        buffered = ChunkEntry.SEGMENT_HEADER;
        size = ChunkEntry.SEGMENT_HEADER;
    }

    private void flush() throws IOException {
        put(ByteBuffer.wrap(buffer, 0, buffered));
        buffered = 0;
    }

    private void put(ByteBuffer bytes) throws IOException {
        SyncedFile file = out;
        if (file != null) {
            file.write(bytes);
        }
    }

    /** Writes what is buffered and makes the file durable. */
    void finish() throws IOException {
        SyncedFile file = out;
        if (file != null) {
            flush();
            file.sync();
            file.close();
            out = null;
        }
    }

    /** How many files were begun. */
    int segments() {
        return segment + 1;
    }

    static SegmentWriter create(Path block, long segmentBytes) throws IOException {
        Path directory = block.resolve(ChunkSegments.DIRECTORY);
        Files.createDirectories(directory);
        return new SegmentWriter(directory, segmentBytes);
    }

    @Override
    public void close() throws IOException {
        SyncedFile file = out;
        out = null;
        if (file != null) {
            file.close();
        }
    }
}

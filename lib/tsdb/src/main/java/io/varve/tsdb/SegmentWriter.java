package io.varve.tsdb;

import io.varve.chunk.Chunk;
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
    private static final int BUFFER = 1 << 20;

    private final Path directory;
    private final long segmentBytes;
    private final byte[] buffer = new byte[BUFFER];
    private final CRC32C crc = new CRC32C();
    private int buffered;
    private @Nullable FileChannel out;
    private int segment = -1;
    /** Bytes of the segment so far. */
    private long size;
    private long maxEntry;

    SegmentWriter(Path directory, long segmentBytes) {
        this.directory = directory;
        this.segmentBytes = segmentBytes;
    }

    /** The largest entry written. */
    long maxEntryBytes() {
        return maxEntry;
    }

    private static long estimate(Chunk c) {
        // The length field is counted at its longest: where files are cut must not depend on how it is written.
        return ChunkEntry.MAX_LENGTH_FIELD + 1L + c.length() + 4;
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
        for (int i = 0; i < chunks.size(); i++) {
            long bytes = estimate(chunks.get(i));
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
            refs[i] = write(chunks.get(i));
        }
    }

    private long write(Chunk c) throws IOException {
        long ref = (long) segment << 32 | size;
        int length = c.length();
        if (size > 0xFFFFFFFFL) {
            throw new LimitExceededException("chunk reference", "segment " + ChunkEntry.segmentName(segment) + " is larger than 4 GiB");
        }
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
        int head = 1 + (31 - Integer.numberOfLeadingZeros(Math.max(1, length))) / 7;
        long entry = head + 1L + length + 4;
        size += entry;
        maxEntry = Math.max(maxEntry, entry);
        return ref;
    }

    private void cut() throws IOException {
        finish();
        segment++;
        out = FileChannel.open(directory.resolve(ChunkEntry.segmentName(segment)), StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
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
        FileChannel channel = out;
        while (channel != null && bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }

    /** Writes what is buffered and makes the file durable. */
    void finish() throws IOException {
        FileChannel channel = out;
        if (channel != null) {
            flush();
            channel.force(true);
            channel.close();
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
        FileChannel channel = out;
        out = null;
        if (channel != null) {
            channel.close();
        }
    }
}

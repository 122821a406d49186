package io.varve.tsdb;

import io.varve.chunk.Chunk;
import io.varve.chunk.ChunkDecoder;
import io.varve.chunk.Encoding;
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
    /** Small enough to stay in a processor's cache until the kernel has it; a quarter of it took the kernel a third longer. */
    private static final int BUFFER = 256 << 10;

    private final Path directory;
    private final long segmentBytes;
    /** With room behind, so that a length field may be looked at wherever it begins. */
    private final byte[] buffer = new byte[BUFFER + 16];
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
    /** Of the series being written: what goes into one file together, whether that is the first, and what the file had before. */
    private long batch;
    private boolean isFirstBatch;
    private long before;
    /** Of the entry looked at last. */
    private int payload;

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

    private void count(Encoding encoding, int n) {
        samples += n;
        switch (encoding) {
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
        batch = 0;
        isFirstBatch = true;
        before = size;
        if (chunks instanceof StoredChunks stored) {
            copy(stored, refs);
            return;
        }
        for (int i = 0; i < chunks.size(); i++) {
            Chunk c = chunks.get(i);
            if (isFull(i, c.length())) {
                cut();
            }
            refs[i] = write(c);
        }
    }

    /**
     * Whether a chunk of the series goes to a new file, asked once for each. A batch is what goes into one file together; a chunk that is alone in its file may
     * be larger than a segment.
     */
    private boolean isFull(int index, int length) {
        long bytes = estimate(length);
        batch += bytes;
        boolean full;
        if (isFirstBatch && before > ChunkEntry.SEGMENT_HEADER) {
            full = batch + before > segmentBytes;
            isFirstBatch = !full;
        } else {
            full = index != 0 && batch + ChunkEntry.SEGMENT_HEADER > segmentBytes;
        }
        if (full) {
            batch = bytes;
        }
        return full;
    }

    /** Writes chunks straight from other blocks' files, where they are written as here: neighbours are copied together and looked at in the buffer. */
    private void copy(StoredChunks stored, long[] refs) throws IOException {
        // The first that was not asked yet whether it goes to a new file.
        int notAsked = 0;
        int i = 0;
        while (i < refs.length) {
            long loaded = stored.load(i, buffer, buffered, BUFFER - buffered);
            if (loaded == 0 && buffered > 0) {
                flush();
                loaded = stored.load(i, buffer, 0, BUFFER);
            }
            int limit = buffered + StoredChunks.bytes(loaded);
            int end = i + StoredChunks.entries(loaded);
            int total = 0;
            for (; i < end; i++) {
                total = check(limit);
                if (total == 0 || i + 1 < end && total != stored.distance(i)) {
                    total = 0;
                    break;
                }
                if (i == notAsked) {
                    notAsked++;
                    if (isFull(i, payload)) {
                        // The buffer goes to the old file: what was copied into it is copied again.
                        cut();
                        break;
                    }
                }
                int data = buffered + total - 4 - payload;
                Encoding encoding = Encoding.ofCode(buffer[data - 1]);
                count(encoding, ChunkDecoder.sampleCount(encoding, buffer, data, payload));
                buffered += total;
                refs[i] = place(total);
            }
            if (total == 0) {
                // Too large for the buffer, or not as it is written here, or damaged, which this says.
                Chunk c = stored.get(i);
                if (i == notAsked) {
                    notAsked++;
                    if (isFull(i, c.length())) {
                        cut();
                    }
                }
                refs[i++] = write(c);
            }
        }
    }

    /**
     * Looks at an entry that was copied to the end of the buffer; the bytes of its payload go to {@link #payload}.
     *
     * @param limit where what was copied ends
     * @return bytes of the whole, 0 where it is not to be left as it is
     */
    private int check(int limit) {
        int p = buffered;
        int length = buffer[p++];
        if (length < 0) {
            length &= 0x7F;
            int b;
            int shift = 7;
            do {
                b = buffer[p++];
                length |= (b & 0x7F) << shift;
                shift += 7;
            } while (b < 0 && shift < 7 * ChunkEntry.MAX_LENGTH_FIELD);
            if (b <= 0) {
                // No number, or longer than need be.
                return 0;
            }
        }
        if (length < 0 || length > limit - p - ChunkEntry.AROUND_DATA) {
            return 0;
        }
        int end = p + 1 + length;
        crc.reset();
        crc.update(buffer, p, 1 + length);
        if ((int) crc.getValue() != (int) INT.get(buffer, end) || !Encoding.isCode(buffer[p])) {
            return 0;
        }
        payload = length;
        return end + 4 - buffered;
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
        count(c.encoding(), ChunkDecoder.sampleCount(c));
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

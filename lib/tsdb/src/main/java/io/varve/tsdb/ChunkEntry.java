package io.varve.tsdb;

import io.varve.chunk.Chunk;
import io.varve.chunk.Encoding;
import io.varve.model.CorruptDataException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.zip.CRC32C;

/**
 * A chunk as it lies in a segment file: {@code uvarint length of data | encoding byte | data | CRC-32C of encoding and data}. For
 * bytes that came from anywhere.
 *
 * <p>
 * A chunk reference is the number of the segment file from 0 in its upper 32 bits and the offset of the length in the lower.
 * Segment file: magic {@code 85BD40DD}, version 1, three bytes that mean nothing, chunks.
 */
public final class ChunkEntry {
    /** First bytes of a segment file. */
    static final int MAGIC = 0x85BD40DD;
    /** Its version. */
    static final int VERSION = 1;
    /** Bytes before the first chunk. */
    public static final int SEGMENT_HEADER = 8;
    /** The longest length field. */
    static final int MAX_LENGTH_FIELD = 5;
    /** Bytes of an entry besides the length field and the data: encoding and checksum. */
    static final int AROUND_DATA = 1 + 4;
    /** The rule that a length field longer than any breaks. */
    static final String NO_LENGTH = "chunk: length is no number";
    private static final VarHandle INT = MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.BIG_ENDIAN);

    private ChunkEntry() {
    }

    /** Number of the segment file, from 0: 0 is {@code 000001}. */
    public static int segment(long ref) {
        return (int) (ref >>> 32);
    }

    /** Offset in the segment file. */
    public static long offset(long ref) {
        return ref & 0xFFFFFFFFL;
    }

    /** Name of a segment file, from 0. */
    public static String segmentName(int segment) {
        return String.format("%06d", segment + 1);
    }

    /**
     * Bytes of the whole entry that starts at {@code offset}; −1 where even its length is cut off by {@code limit}. The entry may
     * reach beyond {@code limit}.
     *
     * @throws CorruptDataException where the length is no number; offset within {@code data}
     */
    public static long totalLength(byte[] data, int offset, int limit) {
        long value = 0;
        for (int i = 0; i < MAX_LENGTH_FIELD; i++) {
            if (offset + i >= limit) {
                return -1;
            }
            int b = data[offset + i];
            value |= (long) (b & 0x7F) << 7 * i;
            if (b >= 0) {
                return i + 1 + value + AROUND_DATA;
            }
        }
        throw new CorruptDataException("", offset, NO_LENGTH);
    }

    /**
     * The chunk at {@code offset}; its payload is a slice of {@code data}, which is not copied.
     *
     * @param minTime as the index says
     * @param maxTime as the index says
     * @param verify whether to compute the checksum; without it damage goes unnoticed
     * @throws CorruptDataException where it is cut off, its encoding unknown or its checksum wrong; offset within {@code data}
     */
    public static Chunk decode(byte[] data, int offset, int limit, long minTime, long maxTime, boolean verify) {
        long total = totalLength(data, offset, limit);
        if (total < 0 || total > limit - offset) {
            throw new CorruptDataException("", offset,
                    "chunk of " + (total < 0 ? "unknown length" : total + " bytes") + " cut off after " + (limit - offset) + " bytes");
        }
        int p = offset;
        while (data[p] < 0) {
            p++;
        }
        p++;
        int end = offset + (int) total - 4;
        if (verify) {
            CRC32C crc = new CRC32C();
            crc.update(data, p, end - p);
            int stored = (int) INT.get(data, end);
            if (stored != (int) crc.getValue()) {
                throw new CorruptDataException("", offset,
                        String.format("chunk: checksum mismatch, is %08x, stored %08x", (int) crc.getValue(), stored));
            }
        }
        Encoding encoding;
        try {
            encoding = Encoding.ofCode(data[p]);
        } catch (CorruptDataException e) {
            throw e.in("", p);
        }
        return new Chunk(minTime, maxTime, encoding, data, p + 1, end - p - 1);
    }
}

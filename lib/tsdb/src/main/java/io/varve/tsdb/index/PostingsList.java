package io.varve.tsdb.index;

import io.varve.model.CorruptDataException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.zip.CRC32C;

/**
 * The stored form of a postings list: {@code length BE32 | count BE32 | count × series id BE32, rising | CRC-32C of count and
 * ids}.
 */
public final class PostingsList {
    private static final VarHandle INT = MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.BIG_ENDIAN);

    private PostingsList() {
    }

    /**
     * A list of what a {@link PostingsRange} covers: count and ids, without length and checksum. The array is not copied.
     *
     * @throws CorruptDataException where the count does not fit; offset within {@code data}
     */
    public static Postings decode(byte[] data, int offset, int length) {
        if (length < 4) {
            throw new CorruptDataException("", offset, "postings list of " + length + " bytes has no count");
        }
        long count = (int) INT.get(data, offset) & 0xFFFFFFFFL;
        if (count > (length - 4) / 4) {
            throw new CorruptDataException("", offset, "postings list: " + count + " ids in " + (length - 4) + " bytes");
        }
        return Postings.ofBigEndian(data, offset + 4, (int) count);
    }

    /**
     * As {@link #decode}, of bytes that begin with the length and hold the checksum, which is checked.
     *
     * @throws CorruptDataException where length, count or checksum is wrong
     */
    public static Postings decodeChecked(byte[] data, int offset, int end) {
        if (end - offset < 12) {
            throw new CorruptDataException("", offset, "postings list cut off after " + (end - offset) + " bytes");
        }
        long length = (int) INT.get(data, offset) & 0xFFFFFFFFL;
        if (length > end - offset - 8 || length < 4) {
            throw new CorruptDataException("", offset, "postings list of " + length + " bytes where " + (end - offset - 8) + " are there");
        }
        int n = (int) length;
        CRC32C crc = new CRC32C();
        crc.update(data, offset + 4, n);
        int stored = (int) INT.get(data, offset + 4 + n);
        if (stored != (int) crc.getValue()) {
            throw new CorruptDataException("", offset,
                    "postings list: checksum is " + Toc.hex((int) crc.getValue()) + ", stored " + Toc.hex(stored));
        }
        long count = (int) INT.get(data, offset + 4) & 0xFFFFFFFFL;
        if (count * 4 + 4 != length) {
            throw new CorruptDataException("", offset, "postings list: " + count + " ids in " + (length - 4) + " bytes");
        }
        return Postings.ofBigEndian(data, offset + 8, (int) count);
    }
}

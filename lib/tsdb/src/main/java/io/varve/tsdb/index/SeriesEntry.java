package io.varve.tsdb.index;

import io.varve.model.CorruptDataException;
import io.varve.model.Labels;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.function.LongFunction;
import java.util.zip.CRC32C;

/**
 * One decoded entry of the series section: symbol references of its labels, times and references of its chunks. Reused from
 * entry to entry; fields are public for loops and replaced when they grow. One thread.
 *
 * <p>
 * Entry: {@code uvarint length | body | CRC-32C of the body}; body: {@code uvarint labels, (uvarint name, uvarint value)*,
 * uvarint chunks}, then for the first chunk {@code varint minTime, uvarint maxTime−minTime, uvarint ref}, for each further one
 * {@code uvarint minTime−previous maxTime, uvarint maxTime−minTime, varint ref−previous ref}. An entry in a version 2 index begins at a
 * multiple of 16, and its id in postings is its offset divided by 16; in version 1 the id is the offset.
 */
public final class SeriesEntry {
    private static final byte[] NOTHING = new byte[0];
    private static final VarHandle INT = MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.BIG_ENDIAN);

    /** How many labels there are. */
    public int labelCount;
    /** Symbol references of the names, unsigned 32 bit. */
    public int[] names = new int[16];
    /** Symbol references of the values, unsigned 32 bit. */
    public int[] values = new int[16];
    /** How many chunks there are. */
    public int chunkCount;
    /** First times in milliseconds. */
    public long[] minTimes = new long[16];
    /** Last times in milliseconds, included. */
    public long[] maxTimes = new long[16];
    /** Chunk references: segment number from 0 in the upper 32 bits, offset in the segment file in the lower. */
    public long[] refs = new long[16];

    private byte[] data = NOTHING;
    private byte[] scratch = new byte[0];
    private final CRC32C crc = new CRC32C();
    private int position;
    private int limit;

    /**
     * Bytes of the whole entry (length, body, checksum) that starts at {@code offset}; −1 where even its length is cut off by
     * {@code limit}. The entry may reach beyond {@code limit}.
     *
     * @throws CorruptDataException where the length is no number or above 2^31; offset within {@code data}
     */
    public static long totalLength(byte[] data, int offset, int limit) {
        long value = 0;
        for (int i = 0; i < 5; i++) {
            if (offset + i >= limit) {
                return -1;
            }
            int b = data[offset + i];
            value |= (long) (b & 0x7F) << 7 * i;
            if (b >= 0) {
                if (value > Integer.MAX_VALUE - 16) {
                    break;
                }
                return i + 1 + value + 4;
            }
        }
        throw new CorruptDataException("", offset, "series entry: length is out of bounds");
    }

    /**
     * Decodes the entry at {@code offset}, checking its checksum.
     *
     * @return the entry's bytes in all
     * @throws CorruptDataException with the offset within {@code bytes}
     */
    public int decode(byte[] bytes, int offset, int end) {
        int total = wholeLength(bytes, offset, end);
        int head = 1;
        while (bytes[offset + head - 1] < 0) {
            head++;
        }
        int body = offset + head;
        int bodyEnd = offset + total - 4;
        crc.reset();
        crc.update(bytes, body, bodyEnd - body);
        int stored = (int) INT.get(bytes, bodyEnd);
        if (stored != (int) crc.getValue()) {
            throw new CorruptDataException("", offset,
                    "series entry: checksum is " + Toc.hex((int) crc.getValue()) + ", stored " + Toc.hex(stored));
        }
        decodeBody(bytes, body, bodyEnd);
        return total;
    }

    /** {@link #totalLength} of an entry that must be there whole. */
    private static int wholeLength(byte[] bytes, int offset, int end) {
        long total = totalLength(bytes, offset, end);
        if (total < 0 || total > end - offset) {
            throw new CorruptDataException("", offset, "series entry: " + (total < 0 ? "length" : total + " bytes") + " cut off after "
                    + (end - offset) + " bytes");
        }
        return (int) total;
    }

    /** Decodes a body without length and checksum. */
    public void decodeBody(byte[] bytes, int offset, int end) {
        data = bytes;
        position = offset;
        limit = end;
        try {
            decodeLabels();
            decodeChunks();
            if (position != limit) {
                throw corrupt("series entry: " + (limit - position) + " bytes after the last chunk");
            }
        } finally {
            data = NOTHING;
        }
    }

    /**
     * Reference of the first chunk of the entry at {@code offset}, −1 where it has none. Looks at no checksum and leaves this entry as it is:
     * for who only wants to know where that chunk lies.
     *
     * @throws CorruptDataException with the offset within {@code bytes}
     */
    public long firstReference(byte[] bytes, int offset, int end) {
        int total = wholeLength(bytes, offset, end);
        data = bytes;
        position = offset;
        limit = offset + total - 4;
        try {
            uvarint();
            for (long n = 2 * uvarint(); n > 0; n--) {
                uvarint();
            }
            if (uvarint() == 0) {
                return -1;
            }
            varint();
            uvarint();
            return uvarint();
        } finally {
            data = NOTHING;
        }
    }

    /** Room for the bytes of an entry, from entry to entry the same. */
    byte[] scratch(int length) {
        if (scratch.length < length) {
            scratch = new byte[Math.max(length, 2 * scratch.length)];
        }
        return scratch;
    }

    private void decodeLabels() {
        long n = uvarint();
        if (n < 0 || n > (limit - position) / 2) {
            throw corrupt("series entry: " + Long.toUnsignedString(n) + " labels in " + (limit - position) + " bytes");
        }
        labelCount = (int) n;
        if (labelCount > names.length) {
            names = new int[labelCount];
            values = new int[labelCount];
        }
        for (int i = 0; i < labelCount; i++) {
            names[i] = symbol();
            values[i] = symbol();
        }
    }

    private int symbol() {
        byte[] d = data;
        int p = position;
        if (p + 1 < limit) {
            int low = d[p];
            if (low >= 0) {
                position = p + 1;
                return low;
            }
            int high = d[p + 1];
            if (high >= 0) {
                position = p + 2;
                return low & 0x7F | high << 7;
            }
        }
        return longSymbol();
    }

    private int longSymbol() {
        long ref = uvarint();
        if (ref < 0 || ref > 0xFFFFFFFFL) {
            throw corrupt("series entry: symbol " + Long.toUnsignedString(ref) + " is above 32 bits");
        }
        return (int) ref;
    }

    private void decodeChunks() {
        long n = uvarint();
        if (n < 0 || n > (limit - position) / 3) {
            throw corrupt("series entry: " + Long.toUnsignedString(n) + " chunks in " + (limit - position) + " bytes");
        }
        chunkCount = (int) n;
        if (chunkCount > minTimes.length) {
            int capacity = Math.max(chunkCount, minTimes.length * 2);
            minTimes = new long[capacity];
            maxTimes = new long[capacity];
            refs = new long[capacity];
        }
        long time = 0;
        long ref = 0;
        for (int i = 0; i < chunkCount; i++) {
            // Differences wrap around as in Prometheus: out-of-order chunks are written as huge unsigned numbers.
            time = i == 0 ? varint() : time + uvarint();
            minTimes[i] = time;
            time += uvarint();
            maxTimes[i] = time;
            if (time < minTimes[i]) {
                throw corrupt("series entry: chunk " + i + " ends at " + time + " before it begins at " + minTimes[i]);
            }
            ref = i == 0 ? uvarint() : ref + varint();
            refs[i] = ref;
        }
    }

    private long uvarint() {
        int p = position;
        if (p < limit && data[p] >= 0) {
            position = p + 1;
            return data[p];
        }
        return longUvarint();
    }

    private long longUvarint() {
        byte[] d = data;
        int p = position;
        int end = limit;
        long value = 0;
        for (int shift = 0; shift < 64; shift += 7) {
            if (p >= end) {
                position = p;
                throw corrupt("series entry: number is cut off");
            }
            int b = d[p++];
            value |= (long) (b & 0x7F) << shift;
            if (b >= 0) {
                if (shift == 63 && b > 1) {
                    break;
                }
                position = p;
                return value;
            }
        }
        position = p;
        throw corrupt("series entry: number is longer than 64 bits");
    }

    private long varint() {
        long u = uvarint();
        return u >>> 1 ^ -(u & 1);
    }

    private CorruptDataException corrupt(String rule) {
        return new CorruptDataException("", position, rule);
    }

    /**
     * The labels as texts. Names that are out of order are sorted.
     *
     * @throws CorruptDataException where a symbol does not exist
     */
    public Labels labels(Symbols symbols) {
        return labels(symbols::text);
    }

    /** The labels, with texts from elsewhere than the symbol table itself: a cache before it. */
    public Labels labels(LongFunction<String> texts) {
        String[] pairs = new String[labelCount * 2];
        boolean sorted = true;
        for (int i = 0; i < labelCount; i++) {
            pairs[2 * i] = texts.apply(names[i] & 0xFFFFFFFFL);
            pairs[2 * i + 1] = texts.apply(values[i] & 0xFFFFFFFFL);
            sorted &= i == 0 || Integer.compareUnsigned(names[i - 1], names[i]) < 0;
        }
        return sorted ? Labels.ofSorted(pairs) : Labels.of(pairs);
    }

    /**
     * The labels as texts, by an array of all symbols' texts; what it does not have is asked of the table.
     *
     * @param texts by reference, for an index whose references are ordinals
     */
    public Labels labels(Symbols symbols, String[] texts) {
        String[] pairs = new String[labelCount * 2];
        for (int i = 0; i < labelCount; i++) {
            int name = names[i];
            int value = values[i];
            if (name < 0 || value < 0 || name >= texts.length || value >= texts.length || i > 0 && names[i - 1] >= name) {
                return labels(symbols);
            }
            pairs[2 * i] = texts[name];
            pairs[2 * i + 1] = texts[value];
        }
        return Labels.ofSorted(pairs);
    }

    /**
     * Whether the references say that this one's labels come after another's: they do where symbols are in byte order and so are the names of both. False
     * where that is not so or the references do not say it.
     */
    public boolean follows(SeriesEntry before) {
        if (!hasNamesInOrder() || !before.hasNamesInOrder()) {
            return false;
        }
        int n = Math.min(labelCount, before.labelCount);
        for (int i = 0; i < n; i++) {
            if (names[i] != before.names[i]) {
                return Integer.compareUnsigned(names[i], before.names[i]) > 0;
            }
            if (values[i] != before.values[i]) {
                return Integer.compareUnsigned(values[i], before.values[i]) > 0;
            }
        }
        return labelCount > before.labelCount;
    }

    private boolean hasNamesInOrder() {
        for (int i = 1; i < labelCount; i++) {
            if (Integer.compareUnsigned(names[i - 1], names[i]) >= 0) {
                return false;
            }
        }
        return true;
    }
}

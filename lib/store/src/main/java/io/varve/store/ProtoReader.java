package io.varve.store;

import io.varve.model.CorruptDataException;
import java.nio.charset.StandardCharsets;

/**
 * Reads protobuf fields from an array, in place. Any bytes give fields or {@link CorruptDataException}. One thread.
 *
 * <p>
 * Use: {@code while (r.next()) switch (r.field()) { case 1 -> r.readLong(); default -> r.skip(); }}. A nested message is read by moving the end:
 * {@code int end = r.enter(); while (r.next()) …; r.leave(end);}
 */
public final class ProtoReader {
    /** Wire type of numbers of any length. */
    public static final int VARINT = 0;
    /** Wire type of eight bytes. */
    public static final int FIXED64 = 1;
    /** Wire type of what says its length. */
    public static final int BYTES = 2;
    /** Wire type of four bytes. */
    public static final int FIXED32 = 5;

    private static final int MAX_DEPTH = 64;

    private final byte[] data;
    private int pos;
    private int end;
    private int tag;
    private int depth;

    /** Over {@code length} bytes from {@code offset}. */
    public ProtoReader(byte[] data, int offset, int length) {
        this.data = data;
        this.pos = offset;
        this.end = offset + length;
    }

    /** The array that is read. */
    public byte[] array() {
        return data;
    }

    /** Moves to the next field; false at the end of the message. */
    public boolean next() {
        if (pos == end) {
            return false;
        }
        long t = varint();
        tag = (int) t;
        if (t >>> 32 != 0 || tag >>> 3 == 0) {
            throw illegalTag(t);
        }
        return true;
    }

    // Faults have methods of their own, so that what is called for each field is small enough to be compiled into its callers.

    private CorruptDataException illegalTag(long t) {
        return corrupt("illegal field tag " + Long.toUnsignedString(t));
    }

    /** Whether anything of the message, or of a packed field that was entered, is left. */
    public boolean more() {
        return pos < end;
    }

    /** The field's number. */
    public int field() {
        return tag >>> 3;
    }

    /** The field's wire type. */
    public int wireType() {
        return tag & 7;
    }

    /** A varint. */
    public long readLong() {
        expect(VARINT);
        return varint();
    }

    /** A varint of which the low 32 bits count. */
    public int readInt() {
        return (int) readLong();
    }

    /** A truth value. */
    public boolean readBool() {
        return readLong() != 0;
    }

    /** A zigzag varint. */
    public long readSigned() {
        long v = readLong();
        return v >>> 1 ^ -(v & 1);
    }

    /** A double. */
    public double readDouble() {
        expect(FIXED64);
        return Double.longBitsToDouble(fixed64());
    }

    /** UTF-8 text; malformed sequences become U+FFFD. */
    public String readString() {
        int length = length();
        String s = new String(data, pos, length, StandardCharsets.UTF_8);
        pos += length;
        return s;
    }

    /** The length of a bytes field; its start is {@link #position} and the caller passes over it with {@link #advance}. */
    public int length() {
        expect(BYTES);
        long n = varint();
        if (n < 0 || n > end - pos) {
            throw tooLong(n);
        }
        return (int) n;
    }

    private CorruptDataException tooLong(long n) {
        return corrupt("field " + field() + " says " + Long.toUnsignedString(n) + " bytes, " + (end - pos) + " are left");
    }

    /** Where reading goes on. */
    public int position() {
        return pos;
    }

    /** Passes over bytes that {@link #length} announced. */
    public void advance(int bytes) {
        pos += bytes;
    }

    /** Enters a nested message; the result goes to {@link #leave}. */
    public int enter() {
        return enter(length());
    }

    /** Enters a nested message of which {@link #length} was read already. */
    int enter(int length) {
        if (++depth > MAX_DEPTH) {
            throw corrupt("messages nested deeper than " + MAX_DEPTH);
        }
        int outer = end;
        end = pos + length;
        return outer;
    }

    /** Leaves a nested message that was read to its end. */
    public void leave(int outer) {
        pos = end;
        end = outer;
        depth--;
    }

    /** Passes over the field. */
    public void skip() {
        switch (wireType()) {
            case VARINT -> varint();
            case FIXED64 -> need(8);
            case BYTES -> advance(length());
            case FIXED32 -> need(4);
            default -> throw corrupt("wire type " + wireType() + " of field " + field());
        }
    }

    /** A fixed64 within a packed field. */
    public long fixed64() {
        int p = pos;
        need(8);
        long v = 0;
        for (int i = 7; i >= 0; i--) {
            v = v << 8 | data[p + i] & 0xFF;
        }
        return v;
    }

    /** A varint within a packed field. */
    public long varint() {
        int p = pos;
        if (p < end && data[p] >= 0) {
            pos = p + 1;
            return data[p];
        }
        return longVarint();
    }

    private long longVarint() {
        int p = pos;
        long v = 0;
        for (int shift = 0; shift < 70; shift += 7) {
            if (p >= end) {
                throw corrupt("number cut off");
            }
            byte b = data[p++];
            v |= (long) (b & 0x7F) << shift;
            if (b >= 0) {
                pos = p;
                return v;
            }
        }
        throw corrupt("number longer than ten bytes");
    }

    /** The fault at this place. */
    public CorruptDataException corrupt(String rule) {
        return new CorruptDataException("", pos, "protobuf: " + rule);
    }

    private void need(int bytes) {
        if (end - pos < bytes) {
            throw corrupt("field " + field() + " cut off");
        }
        pos += bytes;
    }

    private void expect(int type) {
        if ((tag & 7) != type) {
            throw unexpected(type);
        }
    }

    private CorruptDataException unexpected(int type) {
        return corrupt("field " + field() + " has wire type " + (tag & 7) + ", expected " + type);
    }
}

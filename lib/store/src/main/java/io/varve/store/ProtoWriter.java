package io.varve.store;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * Writes protobuf messages <b>from the end to the start</b>: a nested message's length is known when it is written, so nothing is measured
 * first. Fields are given in falling order, repeated ones last element first. Reused from message to message; one thread.
 */
public final class ProtoWriter {
    /** Arrays below grow faster. */
    private static final int SMALL = 1 << 16;
    private static final int MAX_ROOM = 1 << 24;
    /** The bit of a byte that is followed by another, for eight. */
    private static final long CONTINUED = 0x8080_8080_8080_8080L;
    private static final VarHandle LONG = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

    private byte[] data;
    private int pos;

    /** With room for {@code capacity} bytes, growing. */
    public ProtoWriter(int capacity) {
        data = new byte[Math.max(64, capacity)];
        pos = data.length;
    }

    /** Forgets what was written. */
    public void clear() {
        pos = data.length;
    }

    /** Makes room for so many more bytes at once, as far as an array can. */
    void room(long more) {
        ensure((int) Math.min(more, MAX_ROOM));
    }

    /** The longest message that can be written without growing. */
    int capacity() {
        return data.length;
    }

    /** Bytes written so far; a mark for {@link #message}. */
    public int size() {
        return data.length - pos;
    }

    /** The array whose tail, from {@link #offset}, is the message; valid until the next write. */
    public byte[] array() {
        return data;
    }

    /** Where the message starts in {@link #array}. */
    public int offset() {
        return pos;
    }

    /** Leaves the array to who has it, and goes on with another. */
    void giveAway() {
        data = new byte[data.length];
        pos = data.length;
    }

    /** A copy of the message. */
    public byte[] toByteArray() {
        return Arrays.copyOfRange(data, pos, data.length);
    }

    /** Closes a nested message: everything written since {@code mark} ({@link #size} then) becomes field {@code field}. */
    public void message(int field, int mark) {
        varint(size() - mark);
        tag(field, ProtoReader.BYTES);
    }

    /** A number field; nothing where it is 0. */
    public void integer(int field, long value) {
        if (value != 0) {
            varint(value);
            tag(field, ProtoReader.VARINT);
        }
    }

    /** A truth field; nothing where it is false. */
    public void bool(int field, boolean value) {
        integer(field, value ? 1 : 0);
    }

    /** A double field; nothing where it is positive zero. */
    public void real(int field, double value) {
        long bits = Double.doubleToRawLongBits(value);
        if (bits != 0) {
            fixed64(bits);
            tag(field, ProtoReader.FIXED64);
        }
    }

    /** A text field, "" too where {@code evenEmpty}. */
    public void string(int field, String value, boolean evenEmpty) {
        if (value.isEmpty() && !evenEmpty) {
            return;
        }
        int mark = size();
        utf8(value);
        message(field, mark);
    }

    /** A bytes field; nothing where it is empty. */
    public void bytes(int field, byte[] value, int offset, int length) {
        if (length == 0) {
            return;
        }
        raw(value, offset, length);
        varint(length);
        tag(field, ProtoReader.BYTES);
    }

    /** Bytes as they are. */
    public void raw(byte[] value, int offset, int length) {
        ensure(length);
        pos -= length;
        System.arraycopy(value, offset, data, pos, length);
    }

    /** Eight bytes. */
    public void fixed64(long v) {
        ensure(8);
        pos -= 8;
        LONG.set(data, pos, v);
    }

    /** A number of one to ten bytes. */
    public void varint(long v) {
        if ((v & ~0x7F) == 0) {
            ensure(1);
            data[--pos] = (byte) v;
        } else {
            longVarint(v);
        }
    }

    private void longVarint(long v) {
        ensure(10);
        if (v >>> 56 == 0) {
            // Seven bits to a byte, then all bytes at once: what stands before the first of them is still to be written.
            long x = v & 0xFFF_FFFFL | (v & 0xFF_FFFF_F000_0000L) << 4;
            x = x & 0x3FFF_0000_3FFFL | (x & 0xFFF_C000_0FFF_C000L) << 2;
            x = x & 0x7F_007F_007F_007FL | (x & 0x3F80_3F80_3F80_3F80L) << 1;
            int n = (70 - Long.numberOfLeadingZeros(v)) / 7;
            int free = Long.SIZE - 8 * n;
            LONG.set(data, pos - 8, (x | CONTINUED >>> free + 8) << free);
            pos -= n;
            return;
        }
        int n = (70 - Long.numberOfLeadingZeros(v)) / 7;
        pos -= n;
        int p = pos;
        long rest = v;
        for (int i = 1; i < n; i++) {
            data[p++] = (byte) (rest | 0x80);
            rest >>>= 7;
        }
        data[p] = (byte) rest;
    }

    /** A field's tag. */
    public void tag(int field, int wireType) {
        varint((long) field << 3 | wireType);
    }

    private void utf8(String s) {
        int n = s.length();
        ensure(n);
        int p = pos;
        byte[] d = data;
        for (int i = n - 1; i >= 0; i--) {
            char c = s.charAt(i);
            if (c >= 0x80) {
                byte[] all = s.getBytes(java.nio.charset.StandardCharsets.UTF_8);
                raw(all, 0, all.length);
                return;
            }
            d[--p] = (byte) c;
        }
        pos = p;
    }

    private void ensure(int more) {
        if (pos < more) {
            int used = size();
            byte[] grown = new byte[Math.max(data.length * (data.length < SMALL ? 4 : 2), Math.addExact(used, more) + 64)];
            System.arraycopy(data, pos, grown, grown.length - used, used);
            data = grown;
            pos = grown.length - used;
        }
    }
}

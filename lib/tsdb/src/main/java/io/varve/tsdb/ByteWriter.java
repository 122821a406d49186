package io.varve.tsdb;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Bytes that grow at the end. One thread. */
final class ByteWriter {
    private static final VarHandle INT = MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.BIG_ENDIAN);
    private static final VarHandle LONG = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);

    private byte[] array;
    private int size;

    ByteWriter(int capacity) {
        array = new byte[Math.max(16, capacity)];
    }

    byte[] array() {
        return array;
    }

    int size() {
        return size;
    }

    void clear() {
        size = 0;
    }

    private void ensure(int more) {
        if (size + more > array.length) {
            array = Arrays.copyOf(array, Math.max(size + more, array.length * 2));
        }
    }

    void u8(int v) {
        ensure(1);
        array[size++] = (byte) v;
    }

    void i32(int v) {
        ensure(4);
        INT.set(array, size, v);
        size += 4;
    }

    void i64(long v) {
        ensure(8);
        LONG.set(array, size, v);
        size += 8;
    }

    void uvarint(long value) {
        ensure(10);
        long v = value;
        while ((v & ~0x7FL) != 0) {
            array[size++] = (byte) (v | 0x80);
            v >>>= 7;
        }
        array[size++] = (byte) v;
    }

    void varint(long v) {
        uvarint(v << 1 ^ v >> 63);
    }

    void bytes(byte[] from, int offset, int length) {
        ensure(length);
        System.arraycopy(from, offset, array, size, length);
        size += length;
    }

    /** Takes bytes at the end that the caller fills in; gives where they begin in {@link #array}, which is asked for afterwards. */
    int room(int length) {
        ensure(length);
        size += length;
        return size - length;
    }

    /** Length and UTF-8. */
    void text(String s) {
        byte[] utf8 = s.getBytes(StandardCharsets.UTF_8);
        uvarint(utf8.length);
        bytes(utf8, 0, utf8.length);
    }
}

package io.varve.chunk;

import io.varve.model.CorruptDataException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * Reads Prometheus' bit stream, most significant bit first. Reading beyond the end gives arbitrary bits and no exception: who
 * reads calls {@link #check} before believing anything, at least once per sample, and bounds every count by {@link #remaining}.
 */
final class BitReader {
    static final VarHandle LONG = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);
    /** How many bits of a {@link #word} are the stream's at least. */
    static final int WORD_BITS = 57;
    /** Payload bits of a variable number by the count of ones before it. */
    private static final int[] VARBIT_WIDTH = {0, 3, 6, 9, 12, 18, 25, 56, 64};
    /** With fewer ones before it, a variable number and they come from one load. */
    private static final int ONE_WORD = 7;

    final byte[] data;
    /** Where bit 0 is. */
    final int offset;
    /** First bit that is not part of the stream. */
    final long end;
    /** Last index at which eight bytes can be loaded. */
    private final int lastWord;
    /** The next bit. */
    long pos;

    BitReader(byte[] data, int offset, int length) {
        this.data = data;
        this.offset = offset;
        this.end = (long) length << 3;
        this.lastWord = data.length - 8;
    }

    /** The next bits, left-aligned; at least 57 of them are the stream's. */
    long word() {
        return word(pos);
    }

    long word(long at) {
        // Beyond 2^31 bytes `i` turns negative or small; such positions are beyond the end and never believed.
        int i = offset + (int) (at >>> 3);
        return (i <= lastWord && i >= 0 ? (long) LONG.get(data, i) : tail(i)) << (at & 7);
    }

    /** Eight bytes near the end of the array, zeros for what is missing. */
    private long tail(int i) {
        long w = 0;
        for (int k = 0; k < 8; k++) {
            int b = i + k >= 0 && i + k < data.length ? data[i + k] & 0xFF : 0;
            w = w << 8 | b;
        }
        return w;
    }

    /** The next {@code n} bits, 0 to 64, unsigned. */
    long bits(int n) {
        long p = pos;
        pos = p + n;
        if (n <= 57) {
            return n == 0 ? 0 : word(p) >>> 64 - n;
        }
        int low = n - 32;
        return word(p) >>> 32 << low | word(p + 32) >>> 64 - low;
    }

    /** {@code n} bits, 1 to 63, of which values above the middle are negative: Prometheus' asymmetric range. */
    long ranged(int n) {
        long v = bits(n);
        return v > 1L << n - 1 ? v - (1L << n) : v;
    }

    /** {@code n} bits, 1 to 63, in two's complement. */
    long signed(int n) {
        return bits(n) << 64 - n >> 64 - n;
    }

    /** A signed number with one of nine widths. */
    long varbitInt() {
        long p = pos;
        long w = word(p);
        int ones = Long.numberOfLeadingZeros(~w);
        if (ones < ONE_WORD) {
            int width = VARBIT_WIDTH[ones];
            pos = p + ones + 1 + width;
            // In two steps, as the width may be 0.
            long v = w << ones + 1 >>> 1 >>> 63 - width;
            return v > 1L << width >> 1 ? v - (1L << width) : v;
        }
        pos = p + 8;
        return ones == ONE_WORD ? ranged(VARBIT_WIDTH[ONE_WORD]) : bits(64);
    }

    /** An unsigned number with one of nine widths. */
    long varbitUint() {
        long p = pos;
        long w = word(p);
        int ones = Math.min(8, Long.numberOfLeadingZeros(~w));
        int width = VARBIT_WIDTH[ones];
        pos = p + Math.min(8, ones + 1);
        return bits(width);
    }

    /** LEB128, its bytes at any bit position. */
    long uvarint() {
        long v = 0;
        for (int shift = 0; shift < 70; shift += 7) {
            long b = bits(8);
            if (shift == 63 && b > 1) {
                break;
            }
            v |= (b & 0x7F) << shift;
            if (b < 0x80) {
                return v;
            }
        }
        throw corrupt("a varint of at most 64 bits was expected, found a longer one");
    }

    /** Zig-zag LEB128. */
    long varint() {
        long v = uvarint();
        return v >>> 1 ^ -(v & 1);
    }

    /**
     * A float as its difference to the one before.
     *
     * @param previous bits of the float before
     * @param window leading and trailing zeros at {@code 2 * index}, changed where the stream says so
     */
    long xor(long previous, byte[] window, int index) {
        long w = word();
        if (w >= 0) {
            pos++;
            return previous;
        }
        if (w << 1 >= 0) {
            pos += 2;
        } else {
            pos += 2;
            newWindow(window, index);
        }
        return xorInWindow(previous, window, index);
    }

    /** 5 bits of leading zeros and 6 of the count of significant bits (0 is 64). */
    void newWindow(byte[] window, int index) {
        int w = (int) bits(11);
        int leading = w >>> 6;
        int significant = w & 63;
        if (significant == 0) {
            significant = 64;
        }
        if (leading + significant > 64) {
            throw corrupt("a float has " + leading + " leading zeros and " + significant + " significant bits, more than 64 together");
        }
        window[2 * index] = (byte) leading;
        window[2 * index + 1] = (byte) (64 - leading - significant);
    }

    /** The significant bits of the current window. */
    long xorInWindow(long previous, byte[] window, int index) {
        int trailing = window[2 * index + 1];
        return previous ^ bits(64 - window[2 * index] - trailing) << trailing;
    }

    /** Bits that are left, negative once the reader is beyond the end. */
    long remaining() {
        return end - pos;
    }

    /** @throws CorruptDataException where more was read than there is */
    void check() {
        if (pos > end) {
            throw beyondEnd();
        }
    }

    CorruptDataException beyondEnd() {
        return new CorruptDataException("", end >>> 3, "chunk ends in the middle of a sample");
    }

    CorruptDataException corrupt(String rule) {
        return pos > end ? beyondEnd() : new CorruptDataException("", pos >>> 3, rule);
    }
}

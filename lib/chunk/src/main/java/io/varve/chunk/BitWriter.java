package io.varve.chunk;

import java.util.Arrays;

/** Writes Prometheus' bit stream, most significant bit first, behind a header of whole bytes that is set at the end. */
final class BitWriter {
    /** More leading zeros than any number has: nothing fits. */
    static final byte NO_WINDOW = 127;

    byte[] data;
    /** The byte that holds the next bit. */
    int at;
    /** The bits of that byte that are written already, left-aligned; they are in {@link #data} too. */
    long pending;
    /** How many bits are pending, 0 to 7. */
    int used;

    /**
     * Leaves {@code headerBytes} bytes in front, to be set at the end.
     *
     * @param buffer what to write to while it is large enough; anything may be in it
     */
    BitWriter(int headerBytes, byte[] buffer) {
        data = buffer;
        at = headerBytes;
    }

    /** What is written to, for the next writer; this one must not be used any more. */
    byte[] buffer() {
        return data;
    }

    /** The low {@code n} bits of {@code v}, 1 to 64; what is above them does not matter. */
    void bits(long v, int n) {
        if (n > 56) {
            bits(v >>> 32, n - 32);
            bits(v, 32);
            return;
        }
        // Eight bytes are stored each time and the whole ones kept: no branch that depends on the number of bits.
        long word = pending | v << 64 - n >>> used;
        if (at + 8 > data.length) {
            data = Arrays.copyOf(data, data.length * 2 + 16);
        }
        BitReader.LONG.set(data, at, word);
        int sum = used + n;
        at += sum >>> 3;
        pending = word << (sum & 0x38);
        used = sum & 7;
    }

    /** Makes room for {@code bytes} more, and for what is stored behind them. */
    void ensure(int bytes) {
        if (at + bytes + 8 > data.length) {
            data = Arrays.copyOf(data, Math.max(data.length * 2, at + bytes + 8));
        }
    }

    /** The low {@code n} bits of {@code v}, then the low {@code m} of {@code u}, which has no others. */
    void bits(long v, int n, long u, int m) {
        if (n + m <= 56) {
            bits(v << m | u, n + m);
        } else {
            bits(v, n);
            bits(u, m);
        }
    }

    /** Prometheus' asymmetric range of {@code n} bits, 1 to 63. */
    static boolean inRange(long v, int n) {
        return v >= -((1L << n - 1) - 1) && v <= 1L << n - 1;
    }

    /** A signed number with one of nine widths. */
    void varbitInt(long v) {
        if (v == 0) {
            bits(0, 1);
        } else if (inRange(v, 3)) {
            bits(0b10 << 3 | v & 0x7, 5);
        } else if (inRange(v, 6)) {
            bits(0b110 << 6 | v & 0x3F, 9);
        } else if (inRange(v, 9)) {
            bits(0b1110 << 9 | v & 0x1FF, 13);
        } else if (inRange(v, 12)) {
            bits(0b11110 << 12 | v & 0xFFF, 17);
        } else if (inRange(v, 18)) {
            bits(0b111110 << 18 | v & 0x3FFFF, 24);
        } else if (inRange(v, 25)) {
            bits(0b1111110L << 25 | v & 0x1FFFFFF, 32);
        } else if (inRange(v, 56)) {
            bits(0b11111110L << 56 | v & 0xFFFFFFFFFFFFFFL, 64);
        } else {
            bits(0xFF, 8);
            bits(v, 64);
        }
    }

    /** An unsigned number with one of nine widths. */
    void varbitUint(long v) {
        int width = 64 - Long.numberOfLeadingZeros(v);
        if (width == 0) {
            bits(0, 1);
        } else if (width <= 3) {
            bits(0b10 << 3 | v, 5);
        } else if (width <= 6) {
            bits(0b110 << 6 | v, 9);
        } else if (width <= 9) {
            bits(0b1110 << 9 | v, 13);
        } else if (width <= 12) {
            bits(0b11110 << 12 | v, 17);
        } else if (width <= 18) {
            bits(0b111110 << 18 | v, 24);
        } else if (width <= 25) {
            bits(0b1111110L << 25 | v, 32);
        } else if (width <= 56) {
            bits(0b11111110L << 56 | v, 64);
        } else {
            bits(0xFF, 8);
            bits(v, 64);
        }
    }

    /** LEB128, its bytes at any bit position. */
    void uvarint(long v) {
        while ((v & ~0x7FL) != 0) {
            bits(v & 0x7F | 0x80, 8);
            v >>>= 7;
        }
        bits(v, 8);
    }

    /** Zig-zag LEB128. */
    void varint(long v) {
        uvarint(v << 1 ^ v >> 63);
    }

    /**
     * A float as its difference to the one before: {@code 0} where equal, else {@code 10} within the window before or {@code 11}
     * with a new one.
     *
     * @param window leading and trailing zeros at {@code 2 * index}; leading {@link #NO_WINDOW} while there is none
     */
    void xor(long value, long previous, byte[] window, int index) {
        long delta = value ^ previous;
        if (delta == 0) {
            bits(0, 1);
        } else {
            changed(delta, window, index, 0b10, 2, 0b11, 2);
        }
    }

    /**
     * The significant bits of a difference that is not 0, within the window before where they fit, else with a new one: in one or two writes
     * and without a branch on whether they fit, which is as good as random.
     *
     * @param reuse control bits for the window before
     * @param fresh control bits for a new window
     */
    void changed(long delta, byte[] window, int index, int reuse, int reuseBits, int fresh, int freshBits) {
        int oldLeading = window[2 * index];
        int oldTrailing = window[2 * index + 1];
        int leading = Math.min(31, Long.numberOfLeadingZeros(delta));
        int trailing = Long.numberOfTrailingZeros(delta);
        // All ones for a new window, 0 for the old one.
        int isNew = leading - oldLeading >> 31 | trailing - oldTrailing >> 31;
        leading = oldLeading + (leading - oldLeading & isNew);
        trailing = oldTrailing + (trailing - oldTrailing & isNew);
        window[2 * index] = (byte) leading;
        window[2 * index + 1] = (byte) trailing;
        int n = 64 - leading - trailing;
        // 64 significant bits are written as 0: six bits hold no 64.
        int control = reuse + ((fresh << 11 | leading << 6 | n & 63) - reuse & isNew);
        int controlBits = reuseBits + (freshBits + 11 - reuseBits & isNew);
        bits(control, controlBits, delta >>> trailing, n);
    }

    /** Bytes so far, the last one perhaps begun. */
    int size() {
        return at + (used + 7 >>> 3);
    }

    /** A copy of all bytes so far; the rest of the last one is zero. Writing may go on. */
    byte[] toBytes() {
        return Arrays.copyOf(data, size());
    }
}

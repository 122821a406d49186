package io.varve.benchmarks;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * What decoding XOR chunks is compared with, as absolute times say little on a shared machine: a plain decoder as the one that the targets were measured with. A whole chunk
 * at a time from a byte array to two arrays, one unaligned 64-bit load for a sample, the size of a time's change by counting ones, branches for the rest, eight bytes of slack behind
 * the payload. It trusts its input and knows no range of time.
 */
final class PlainXor {
    private static final VarHandle LONG = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);

    private PlainXor() {
    }

    /**
     * Decodes the chunk at {@code offset} to the beginning of the arrays.
     *
     * @return how many samples it has
     */
    static int decode(byte[] d, int offset, long[] times, double[] values) {
        int n = (d[offset] & 0xFF) << 8 | d[offset + 1] & 0xFF;
        int at = offset + 2;
        // Zig-zag LEB128, then 64 bits; the second time is a LEB128 difference.
        long u = 0;
        for (int shift = 0;; shift += 7) {
            byte b = d[at++];
            u |= (b & 0x7FL) << shift;
            if (b >= 0) {
                break;
            }
        }
        long t = u >>> 1 ^ -(u & 1);
        long v = (long) LONG.get(d, at);
        at += 8;
        times[0] = t;
        values[0] = Double.longBitsToDouble(v);
        long delta = 0;
        if (n > 1) {
            for (int shift = 0;; shift += 7) {
                byte b = d[at++];
                delta |= (b & 0x7FL) << shift;
                if (b >= 0) {
                    break;
                }
            }
        }
        int pos = at << 3;
        int significant = 64;
        int trailing = 0;
        for (int i = 1; i < n; i++) {
            long w = (long) LONG.get(d, pos >>> 3) << (pos & 7);
            int used = 0;
            if (i > 1) {
                int ones = Long.numberOfLeadingZeros(~w);
                if (ones == 0) {
                    used = 1;
                } else if (ones < 4) {
                    int width = 11 + 3 * ones;
                    long x = w << ones + 1 >>> 64 - width;
                    delta += x > 1L << width - 1 ? x - (1L << width) : x;
                    used = ones + 1 + width;
                } else {
                    delta += bits(d, pos + 4, 64);
                    pos += 68;
                    w = (long) LONG.get(d, pos >>> 3) << (pos & 7);
                }
                w <<= used;
            }
            t += delta;
            if (w >= 0) {
                pos += used + 1;
            } else {
                if (w << 1 >= 0) {
                    used += 2;
                    w <<= 2;
                } else {
                    int leading = (int) (w << 2 >>> 59);
                    significant = ((int) (w << 7 >>> 58) - 1 & 63) + 1;
                    trailing = 64 - leading - significant;
                    used += 13;
                    w <<= 13;
                }
                pos += used;
                long x = used + significant <= 57 ? w >>> 64 - significant : bits(d, pos, significant);
                v ^= x << trailing;
                pos += significant;
            }
            times[i] = t;
            values[i] = Double.longBitsToDouble(v);
        }
        return n;
    }

    private static long bits(byte[] d, int pos, int n) {
        long w = (long) LONG.get(d, pos >>> 3) << (pos & 7);
        if (n > 57) {
            w |= (d[(pos >>> 3) + 8] & 0xFF) >>> 8 - (pos & 7);
        }
        return w >>> 64 - n;
    }
}

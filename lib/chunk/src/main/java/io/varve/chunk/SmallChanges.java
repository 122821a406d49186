package io.varve.chunk;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * Reads variable numbers of which most have up to nine bits, several with each look into a table: what waits for what is then the table, once for
 * some three numbers, and not the size of each of them. Static and without state.
 */
final class SmallChanges {
    /** An array that is read into needs so much more room than there are numbers. */
    static final int SLACK = 32;
    /** So many bits are looked up at a time. */
    private static final int BITS = 12;
    /** At most so many numbers from one look: each is a byte. */
    private static final int MOST = 6;
    /** So many looks from one load, whose first 57 bits are the stream's. */
    private static final int LOOKS = 4;
    private static final VarHandle EIGHT = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

    /**
     * By the next bits: the numbers that begin and end in them, from the lowest byte on, the bits that they take in the seventh byte and how many
     * they are in the eighth. 0 where the first is longer.
     */
    private static final long[] NUMBERS = new long[1 << BITS];
    /** By the same: where the first, second, … number ends, from the lowest byte on. */
    private static final long[] ENDS = new long[1 << BITS];
    static {
        for (int i = 0; i < NUMBERS.length; i++) {
            long numbers = 0;
            long ends = 0;
            int n = 0;
            int used = 0;
            while (n < MOST) {
                int left = i << 32 - BITS + used;
                int ones = Integer.numberOfLeadingZeros(~left);
                int width = 3 * ones;
                if (ones > 2 || used + ones + 1 + width > BITS) {
                    break;
                }
                // In two steps, as the width may be 0.
                int number = left << ones + 1 >>> 1 >>> 31 - width;
                if (number > 1 << width >> 1) {
                    number -= 1 << width;
                }
                used += ones + 1 + width;
                numbers |= (number & 0xFFL) << 8 * n;
                ends |= (long) used << 8 * n;
                n++;
            }
            NUMBERS[i] = numbers | (long) used << 48 | (long) n << 56;
            ENDS[i] = ends;
        }
    }

    private SmallChanges() {
    }

    /**
     * Reads the numbers {@code from} to {@code to} (excluded).
     *
     * @param into what fits a byte; arbitrary behind {@code to}
     * @param sums what does not is added here, and 0 is put into {@code into}
     * @return how many did not
     */
    static int read(BitReader r, byte[] into, long[] sums, int from, int to) {
        long pos = r.pos;
        int i = from;
        int wide = 0;
        while (i < to) {
            long w = r.word(pos);
            long a = NUMBERS[(int) (w >>> 64 - BITS)];
            int ia = i + (int) (a >>> 56);
            long wb = w << (int) (a >>> 48);
            long b = NUMBERS[(int) (wb >>> 64 - BITS)];
            int ib = ia + (int) (b >>> 56);
            long wc = wb << (int) (b >>> 48);
            long c = NUMBERS[(int) (wc >>> 64 - BITS)];
            int ic = ib + (int) (c >>> 56);
            long wd = wc << (int) (c >>> 48);
            long d = NUMBERS[(int) (wd >>> 64 - BITS)];
            int id = ic + (int) (d >>> 56);
            EIGHT.set(into, i, a);
            EIGHT.set(into, ia, b);
            EIGHT.set(into, ib, c);
            EIGHT.set(into, ic, d);
            int abc = used(a) + used(b) + used(c);
            if (id <= to && d != 0) {
                i = id;
                pos += abc + used(d);
                continue;
            }
            if (id < to) {
                // One that is too long is what is left of the load, or behind its end: 0 numbers are found there again and again.
                r.pos = pos + abc;
                sums[id] += r.varbitInt();
                into[id] = 0;
                pos = r.pos;
                i = id + 1;
                wide++;
                continue;
            }
            if (ia >= to) {
                pos += end(w, to - i);
            } else if (ib >= to) {
                pos += used(a) + end(wb, to - ia);
            } else if (ic >= to) {
                pos += used(a) + used(b) + end(wc, to - ib);
            } else {
                pos += abc + end(wd, to - ic);
            }
            i = to;
        }
        r.pos = pos;
        return wide;
    }

    private static int used(long numbers) {
        return (int) (numbers >>> 48) & 0xFF;
    }

    /** Where the number of this number ends, from 1 on. */
    private static int end(long w, int number) {
        return (int) (ENDS[(int) (w >>> 64 - BITS)] >>> 8 * (number - 1)) & 0xFF;
    }
}

package io.varve.chunk;

import io.varve.model.CorruptDataException;
import io.varve.model.SampleBuffer;
import java.lang.invoke.VarHandle;
import java.util.Arrays;

/**
 * XOR chunks to arrays: the hot loop of every query. Everything of one sample that fits comes from one unaligned 64-bit load, of
 * which at least 57 bits are valid; the branches stay, because their prediction takes the bit position off the critical path.
 * Measured in {@code docs/performance/chunk.md}.
 */
final class XorDecoder {
    private static final VarHandle LONG = BitReader.LONG;

    private XorDecoder() {
    }

    /**
     * Appends the samples up to the first one after {@code maxTime}.
     *
     * @return how many samples were appended
     */
    static int decode(byte[] data, int offset, int length, long maxTime, SampleBuffer into) {
        int n = ChunkDecoder.header(Encoding.XOR, data, offset, length);
        // A sample has two bits at least, the first one 72: a count beyond that is damage and must not allocate.
        if (n > 0 && (n - 1) * 2L + 72 > (length - 2) * 8L) {
            throw new CorruptDataException("", 0, "chunk of " + length + " bytes cannot hold the " + n + " samples it claims");
        }
        into.ensure(n);
        // Loads take eight bytes from any byte of the payload or the first one after it.
        byte[] d = data;
        int base = offset;
        if (offset + length + 8 > data.length) {
            d = new byte[length + 8];
            System.arraycopy(data, offset, d, 0, length);
            base = 0;
        }
        if (into.histograms != null) {
            Arrays.fill(into.histograms, into.size, into.size + n, null);
        }
        if (into.startTimestamps != null) {
            Arrays.fill(into.startTimestamps, into.size, into.size + n, 0);
        }
        try {
            return samples(d, base, length, n, maxTime, into.timestamps, into.values, into.size);
        } catch (IndexOutOfBoundsException e) {
            // Only loads can go out of bounds, and only once the position is beyond the payload: room for samples was made above.
            throw beyondEnd(length);
        }
    }

    private static CorruptDataException beyondEnd(int length) {
        return new CorruptDataException("", length, "chunk ends in the middle of a sample");
    }

    private static int samples(byte[] d, int base, int length, int n, long maxTime, long[] ts, double[] vs, int at) {
        if (n == 0) {
            return 0;
        }
        long end = length * 8L;
        BitReader head = new BitReader(d, base, length);
        head.pos = 16;
        long t = head.varint();
        long v = head.bits(64);
        head.check();
        if (t > maxTime) {
            return 0;
        }
        int o = at;
        ts[o] = t;
        vs[o++] = Double.longBitsToDouble(v);
        if (n == 1) {
            return 1;
        }
        byte[] window = new byte[2];
        long delta = head.uvarint();
        t += delta;
        v = head.xor(v, window, 0);
        head.check();
        if (t > maxTime) {
            return 1;
        }
        ts[o] = t;
        vs[o++] = Double.longBitsToDouble(v);

        int trailing = window[1];
        int significant = 64 - window[0] - trailing;
        int pos = (int) head.pos;
        int last = at + n;
        while (o < last) {
            long w = (long) LONG.get(d, base + (pos >>> 3)) << (pos & 7);
            int used = 1;
            if (w < 0) {
                if (w << 1 >= 0) {
                    long x = w << 2 >>> 50;
                    delta += x > 1 << 13 ? x - (1 << 14) : x;
                    used = 16;
                } else if (w << 2 >= 0) {
                    long x = w << 3 >>> 47;
                    delta += x > 1 << 16 ? x - (1 << 17) : x;
                    used = 20;
                } else if (w << 3 >= 0) {
                    long x = w << 4 >>> 44;
                    delta += x > 1 << 19 ? x - (1 << 20) : x;
                    used = 24;
                } else {
                    delta += bits64(d, base, pos + 4);
                    pos += 68;
                    used = 0;
                    w = (long) LONG.get(d, base + (pos >>> 3)) << (pos & 7);
                }
            }
            t += delta;
            w <<= used;
            if (w >= 0) {
                pos += used + 1;
            } else {
                if (w << 1 >= 0) {
                    used += 2;
                    w <<= 2;
                } else {
                    int leading = (int) (w << 2 >>> 59);
                    significant = (int) (w << 7 >>> 58);
                    if (significant == 0) {
                        significant = 64;
                    }
                    trailing = 64 - leading - significant;
                    if (trailing < 0) {
                        throw new CorruptDataException("", pos >>> 3, "a float has " + leading + " leading zeros and " + significant
                                + " significant bits, more than 64 together");
                    }
                    used += 13;
                    w <<= 13;
                }
                pos += used;
                if (used + significant <= 57) {
                    v ^= w >>> 64 - significant << trailing;
                } else if (significant <= 57) {
                    v ^= (long) LONG.get(d, base + (pos >>> 3)) << (pos & 7) >>> 64 - significant << trailing;
                } else {
                    v ^= bits64(d, base, pos) >>> 64 - significant << trailing;
                }
                pos += significant;
            }
            if (t > maxTime) {
                break;
            }
            ts[o] = t;
            vs[o++] = Double.longBitsToDouble(v);
        }
        if (pos > end) {
            throw beyondEnd(length);
        }
        return o - at;
    }

    /** All of 64 bits at any position. */
    private static long bits64(byte[] d, int base, int pos) {
        int i = base + (pos >>> 3);
        int shift = pos & 7;
        long w = (long) LONG.get(d, i) << shift;
        return shift == 0 ? w : w | (d[i + 8] & 0xFF) >>> 8 - shift;
    }
}

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
    /** Bit positions count from the beginning of the array and are ints: payloads that begin behind this byte are copied first. */
    private static final int MAX_BASE = 1 << 27;
    /** The last of the bits of a load that are certain to be the stream's. */
    private static final long VALID = 1 << 7;
    /** Room behind the last sample for what is stored although the run is shorter: 28 samples at most come from one load. */
    private static final int SLACK = 28;

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
        into.ensure(length < n ? n + SLACK : n);
        // Loads take eight bytes from any byte of the payload or the first one after it.
        byte[] d = data;
        int base = offset;
        if (offset + length + 8 > data.length || offset > MAX_BASE) {
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

        if (length < n) {
            return 2 + sparse(head, window, delta, t, v, maxTime, ts, vs, o, at + n);
        }
        int trailing = window[1];
        int significant = 64 - window[0] - trailing;
        // From the beginning of the array: one addition less for every load.
        int pos = (base << 3) + (int) head.pos;
        int last = at + n;
        while (o < last) {
            long w = (long) LONG.get(d, pos >>> 3) << (pos & 7);
            int used = 1;
            if (w < 0) {
                if (w << 1 >= 0) {
                    long x = w << 2 >>> 50;
                    delta += (x - 1 << 50 >> 50) + 1;
                    used = 16;
                } else if (w << 2 >= 0) {
                    long x = w << 3 >>> 47;
                    delta += (x - 1 << 47 >> 47) + 1;
                    used = 20;
                } else if (w << 3 >= 0) {
                    long x = w << 4 >>> 44;
                    delta += (x - 1 << 44 >> 44) + 1;
                    used = 24;
                } else {
                    delta += bits64(d, pos + 4);
                    pos += 68;
                    used = 0;
                    w = (long) LONG.get(d, pos >>> 3) << (pos & 7);
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
                        throw new CorruptDataException("", (pos >>> 3) - base,
                                "a float has " + leading + " leading zeros and " + significant
                                        + " significant bits, more than 64 together");
                    }
                    used += 13;
                    w <<= 13;
                }
                pos += used;
                if (used + significant <= 57) {
                    v ^= w >>> 64 - significant << trailing;
                } else if (significant <= 57) {
                    v ^= (long) LONG.get(d, pos >>> 3) << (pos & 7) >>> 64 - significant << trailing;
                } else {
                    v ^= bits64(d, pos) >>> 64 - significant << trailing;
                }
                pos += significant;
            }
            if (t > maxTime) {
                break;
            }
            ts[o] = t;
            vs[o++] = Double.longBitsToDouble(v);
        }
        if (pos > base + (long) length << 3) {
            throw beyondEnd(length);
        }
        return o - at;
    }

    /**
     * The samples from the third on where they take less than a byte: most repeat the value before in time then, two zero bits each. How many do is as good
     * as random, so that it is not asked of each sample whether it does: the zeros are counted and four or eight samples stored whatever their number. Where
     * samples are larger this is half as fast as one by one, as the next load waits for the count.
     *
     * @param in behind the second sample; its array has eight bytes behind the payload; the others have room for {@link #SLACK} samples behind the last one
     * @return how many samples were stored from {@code from} on
     */
    private static int sparse(BitReader in, byte[] window, long secondDelta, long secondTime, long secondValue, long maxTime, long[] ts,
            double[] vs,
            int from, int last) {
        byte[] d = in.data;
        int origin = in.offset << 3;
        int pos = origin + (int) in.pos;
        long delta = secondDelta;
        long t = secondTime;
        long v = secondValue;
        int trailing = window[1];
        int significant = 64 - window[0] - trailing;
        int o = from;
        while (o < last) {
            long w = (long) LONG.get(d, pos >>> 3) << (pos & 7);
            int k = Long.numberOfLeadingZeros(w | VALID) >>> 1;
            long to = t + k * delta;
            double same = Double.longBitsToDouble(v);
            if (delta >>> 56 == 0 && to >= t && to <= maxTime) {
                ts[o] = t + delta;
                ts[o + 1] = t + 2 * delta;
                ts[o + 2] = t + 3 * delta;
                ts[o + 3] = t + 4 * delta;
                vs[o] = same;
                vs[o + 1] = same;
                vs[o + 2] = same;
                vs[o + 3] = same;
                if (k > 4) {
                    ts[o + 4] = t + 5 * delta;
                    ts[o + 5] = t + 6 * delta;
                    ts[o + 6] = t + 7 * delta;
                    ts[o + 7] = t + 8 * delta;
                    vs[o + 4] = same;
                    vs[o + 5] = same;
                    vs[o + 6] = same;
                    vs[o + 7] = same;
                    for (int i = 8; i < k; i++) {
                        ts[o + i] = t + (i + 1) * delta;
                        vs[o + i] = same;
                    }
                }
            } else {
                // The last time may be beyond the range, or any of them where they fall.
                int wanted = Math.min(k, last - o);
                k = upTo(maxTime, t, delta, wanted);
                for (int i = 0; i < k; i++) {
                    ts[o + i] = t + (i + 1) * delta;
                    vs[o + i] = same;
                }
                to = t + k * delta;
                if (k < wanted) {
                    o += k;
                    pos += 2 * (k + 1);
                    break;
                }
            }
            t = to;
            o += k;
            pos += 2 * k;
            if (o >= last) {
                // Zeros behind the last sample are not its.
                pos -= 2 * (o - last);
                o = last;
                break;
            }
            w = (long) LONG.get(d, pos >>> 3) << (pos & 7);
            if (w >>> 62 == 0b01) {
                int used = 3;
                if (w << 2 < 0) {
                    significant = ((int) (w << 8 >>> 58) - 1 & 63) + 1;
                    trailing = 64 - (int) (w << 3 >>> 59) - significant;
                    if (trailing < 0) {
                        in.pos = pos - origin + 3;
                        in.newWindow(window, 0);
                    }
                    used = 14;
                }
                pos += used;
                if (used + significant <= 57) {
                    v ^= w << used >>> 64 - significant << trailing;
                } else {
                    v ^= bits64(d, pos) >>> 64 - significant << trailing;
                }
                pos += significant;
            } else {
                // Another distance in time, which is rare, or a run longer than a load.
                in.pos = pos - origin;
                delta += change(in);
                window[0] = (byte) (64 - significant - trailing);
                window[1] = (byte) trailing;
                v = in.xor(v, window, 0);
                trailing = window[1];
                significant = 64 - window[0] - trailing;
                pos = origin + (int) in.pos;
            }
            t += delta;
            if (t > maxTime) {
                break;
            }
            ts[o] = t;
            vs[o++] = Double.longBitsToDouble(v);
        }
        in.pos = pos - origin;
        in.check();
        return o - from;
    }

    /** How many of the next times come before the first one after {@code maxTime}. */
    private static int upTo(long maxTime, long before, long delta, int samples) {
        int k = 0;
        while (k < samples && before + (k + 1) * delta <= maxTime) {
            k++;
        }
        return k;
    }

    /** By how much a distance in time differs from the one before. */
    private static long change(BitReader in) {
        int ones = Math.min(4, Long.numberOfLeadingZeros(~in.word()));
        in.pos += Math.min(4, ones + 1);
        return switch (ones) {
            case 0 -> 0;
            case 4 -> in.bits(64);
            default -> in.ranged(11 + 3 * ones);
        };
    }

    /** All of 64 bits at any position. */
    private static long bits64(byte[] d, int pos) {
        int i = pos >>> 3;
        int shift = pos & 7;
        long w = (long) LONG.get(d, i) << shift;
        return shift == 0 ? w : w | (d[i + 8] & 0xFF) >>> 8 - shift;
    }
}

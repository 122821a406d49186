package io.varve.chunk;

import io.varve.model.SampleBuffer;

/** XOR2 chunks to arrays: floats with start timestamps, one control prefix for time and value together. */
final class Xor2Decoder {
    private Xor2Decoder() {
    }

    /**
     * Appends the samples up to the first one after {@code maxTime}.
     *
     * @return how many samples were appended
     */
    static int decode(byte[] data, int offset, int length, long maxTime, SampleBuffer into) {
        int n = ChunkDecoder.header(Encoding.XOR2, data, offset, length);
        if (n == 0) {
            return 0;
        }
        BitReader in = new BitReader(data, offset, length);
        in.pos = 24;
        // A sample has a bit at least, the first one 72: a count beyond that is damage and must not allocate.
        if (n - 1 + 72L > in.remaining()) {
            throw in.corrupt("chunk of " + length + " bytes cannot hold the " + n + " samples it claims");
        }
        into.ensure(n);
        StartTimes.Reader starts = new StartTimes.Reader(data[offset + 2]);
        byte[] window = new byte[2];
        long t = 0;
        long delta = 0;
        // What differences are taken from: the last value that is no stale marker.
        long baseline = 0;
        int at = into.size;
        for (int i = 0; i < n; i++) {
            long before = t;
            long v;
            if (i == 0) {
                t = in.varint();
                v = in.bits(64);
                baseline = v == SampleBuffer.STALE_NAN_BITS ? 0 : v;
            } else {
                if (i == 1) {
                    delta = in.uvarint();
                    v = full(in, baseline, window);
                } else {
                    long w = in.word();
                    if (w >= 0) {
                        in.pos++;
                        v = baseline;
                    } else if (w << 1 >= 0) {
                        in.pos += 2;
                        if (in.bits(1) != 0) {
                            in.newWindow(window, 0);
                        }
                        v = in.xorInWindow(baseline, window, 0);
                    } else if (w << 2 >= 0) {
                        in.pos += 3;
                        delta += in.signed(13);
                        v = full(in, baseline, window);
                    } else if (w << 3 >= 0) {
                        in.pos += 4;
                        delta += in.signed(20);
                        v = full(in, baseline, window);
                    } else if (w << 4 >= 0) {
                        in.pos += 5;
                        delta += in.bits(64);
                        v = full(in, baseline, window);
                    } else {
                        in.pos += 5;
                        v = SampleBuffer.STALE_NAN_BITS;
                    }
                }
                t += delta;
                if (v != SampleBuffer.STALE_NAN_BITS) {
                    baseline = v;
                }
            }
            long st = starts.read(in, i, t, before);
            in.check();
            if (t > maxTime) {
                return i;
            }
            into.add(t, Double.longBitsToDouble(v));
            if (st != 0) {
                into.startTimestampArray()[at + i] = st;
            }
        }
        return n;
    }

    /** A value that may also be unchanged or stale. */
    private static long full(BitReader in, long baseline, byte[] window) {
        long w = in.word();
        if (w >= 0) {
            in.pos++;
            return baseline;
        }
        if (w << 1 >= 0) {
            in.pos += 2;
            return in.xorInWindow(baseline, window, 0);
        }
        in.pos += 3;
        if (w << 2 < 0) {
            return SampleBuffer.STALE_NAN_BITS;
        }
        in.newWindow(window, 0);
        return in.xorInWindow(baseline, window, 0);
    }
}

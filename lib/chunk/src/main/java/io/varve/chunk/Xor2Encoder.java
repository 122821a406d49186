package io.varve.chunk;

import io.varve.model.SampleBuffer;

/** Floats with start timestamps. */
final class Xor2Encoder extends ChunkEncoder {
    private final byte[] window = {BitWriter.NO_WINDOW, 0};
    private final StartTimes.Writer starts = new StartTimes.Writer();
    /** The last value that is no stale marker. */
    private long baseline;

    Xor2Encoder(byte[] buffer) {
        super(Encoding.XOR2, buffer);
    }

    @Override
    Encoding encoding() {
        return Encoding.XOR2;
    }

    @Override
    void setHeader(byte[] bytes) {
        bytes[2] = starts.header();
    }

    void append(long startTimestamp, long time, double v) {
        long bits = Double.doubleToRawLongBits(v);
        boolean stale = bits == SampleBuffer.STALE_NAN_BITS;
        long oldDelta = tDelta;
        long oldTime = t;
        step(time);
        switch (count) {
            case 1 -> {
                out.varint(time);
                out.bits(bits, 64);
            }
            case 2 -> {
                out.uvarint(tDelta);
                full(bits, stale);
            }
            default -> {
                long dod = tDelta - oldDelta;
                if (dod == 0) {
                    if (stale) {
                        out.bits(0b11111, 5);
                    } else if (bits == baseline) {
                        out.bits(0, 1);
                    } else {
                        out.bits(0b10, 2);
                        out.changed(bits ^ baseline, window, 0, 0, 1, 1, 1);
                    }
                } else {
                    if (dod >= -(1 << 12) && dod < 1 << 12) {
                        out.bits(0b110 << 13 | dod & 0x1FFF, 16);
                    } else if (dod >= -(1 << 19) && dod < 1 << 19) {
                        out.bits(0b1110 << 20 | dod & 0xFFFFF, 24);
                    } else {
                        out.bits(0b11110, 5);
                        out.bits(dod, 64);
                    }
                    full(bits, stale);
                }
            }
        }
        if (!stale) {
            baseline = bits;
        }
        starts.write(out, count - 1, time, oldTime, startTimestamp);
    }

    /** A value that may also be unchanged or stale. */
    private void full(long bits, boolean stale) {
        if (stale) {
            out.bits(0b111, 3);
        } else if (bits == baseline) {
            out.bits(0, 1);
        } else {
            out.changed(bits ^ baseline, window, 0, 0b10, 2, 0b110, 3);
        }
    }
}

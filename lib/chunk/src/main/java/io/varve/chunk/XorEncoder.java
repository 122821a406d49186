package io.varve.chunk;

/** Floats without start timestamps. */
final class XorEncoder extends ChunkEncoder {
    private final byte[] window = {-1, 0};
    private long value;

    XorEncoder() {
        super(Encoding.XOR);
    }

    @Override
    Encoding encoding() {
        return Encoding.XOR;
    }

    @Override
    void setHeader(byte[] bytes) {
        // The count is all of it.
    }

    void append(long time, double v) {
        long bits = Double.doubleToRawLongBits(v);
        long oldDelta = tDelta;
        step(time);
        switch (count) {
            case 1 -> {
                out.varint(time);
                out.bits(bits, 64);
            }
            case 2 -> {
                out.uvarint(tDelta);
                out.xor(bits, value, window, 0);
            }
            default -> {
                long dod = tDelta - oldDelta;
                if (dod == 0) {
                    out.bits(0, 1);
                } else if (BitWriter.inRange(dod, 14)) {
                    out.bits(0b10 << 14 | dod & 0x3FFF, 16);
                } else if (BitWriter.inRange(dod, 17)) {
                    out.bits(0b110 << 17 | dod & 0x1FFFF, 20);
                } else if (BitWriter.inRange(dod, 20)) {
                    out.bits(0b1110 << 20 | dod & 0xFFFFF, 24);
                } else {
                    out.bits(0b1111, 4);
                    out.bits(dod, 64);
                }
                out.xor(bits, value, window, 0);
            }
        }
        value = bits;
    }
}

package io.varve.chunk;

/** Floats without start timestamps. */
final class XorEncoder extends ChunkEncoder {
    private final byte[] window = {BitWriter.NO_WINDOW, 0};
    private long value;

    XorEncoder(byte[] buffer) {
        super(Encoding.XOR, buffer);
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
            default -> next(tDelta - oldDelta, bits ^ value);
        }
        value = bits;
    }

    /** One sample behind the second, in as few writes as 64 bits allow: mostly one. */
    private void next(long dod, long delta) {
        long head;
        int n;
        if (dod == 0) {
            head = 0;
            n = 1;
        } else if (BitWriter.inRange(dod, 14)) {
            head = 0b10 << 14 | dod & 0x3FFF;
            n = 16;
        } else if (BitWriter.inRange(dod, 17)) {
            head = 0b110 << 17 | dod & 0x1FFFF;
            n = 20;
        } else if (BitWriter.inRange(dod, 20)) {
            head = 0b1110 << 20 | dod & 0xFFFFF;
            n = 24;
        } else {
            out.bits(0b1111, 4);
            out.bits(dod, 64);
            head = 0;
            n = 0;
        }
        if (delta == 0) {
            out.bits(head << 1, n + 1);
            return;
        }
        out.changed(head, n, delta, window, 0, 0b10, 2, 0b11, 2);
    }
}

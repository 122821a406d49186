package io.varve.chunk;

/** XOR as its description says, a sample after the other: what the encoder from arrays is compared with. */
final class PlainXorEncoder {
    private final BitWriter out = new BitWriter(2, new byte[16]);
    private int count;
    private long time;
    private long delta;
    private long bits;
    private int leading = -1;
    private int trailing;

    void append(long t, double v) {
        long now = Double.doubleToRawLongBits(v);
        if (count == 0) {
            out.varint(t);
            out.bits(now, 64);
        } else {
            long newDelta = t - time;
            if (count == 1) {
                out.uvarint(newDelta);
            } else {
                time(newDelta - delta);
            }
            delta = newDelta;
            value(now ^ bits);
        }
        time = t;
        bits = now;
        count++;
    }

    private void time(long dod) {
        if (dod == 0) {
            out.bits(0, 1);
        } else if (BitWriter.inRange(dod, 14)) {
            out.bits(0b10, 2);
            out.bits(dod, 14);
        } else if (BitWriter.inRange(dod, 17)) {
            out.bits(0b110, 3);
            out.bits(dod, 17);
        } else if (BitWriter.inRange(dod, 20)) {
            out.bits(0b1110, 4);
            out.bits(dod, 20);
        } else {
            out.bits(0b1111, 4);
            out.bits(dod, 64);
        }
    }

    private void value(long xor) {
        if (xor == 0) {
            out.bits(0, 1);
            return;
        }
        int l = Math.min(31, Long.numberOfLeadingZeros(xor));
        int t = Long.numberOfTrailingZeros(xor);
        if (leading >= 0 && l >= leading && t >= trailing) {
            out.bits(0b10, 2);
        } else {
            leading = l;
            trailing = t;
            out.bits(0b11, 2);
            out.bits(l, 5);
            out.bits(64 - l - t & 63, 6);
        }
        out.bits(xor >>> trailing, 64 - leading - trailing);
    }

    byte[] toBytes() {
        byte[] all = out.toBytes();
        all[0] = (byte) (count >>> 8);
        all[1] = (byte) count;
        return all;
    }
}

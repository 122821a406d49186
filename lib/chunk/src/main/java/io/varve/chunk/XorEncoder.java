package io.varve.chunk;

/** Floats without start timestamps. */
final class XorEncoder extends ChunkEncoder {
    /** 4 + 64 bits for the time, 13 + 64 for the value. */
    private static final int MAX_SAMPLE_BYTES = 19;

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

    /** The first two samples are written in another way than all that follow. */
    private void begin(long time, double v) {
        long bits = Double.doubleToRawLongBits(v);
        step(time);
        if (count == 1) {
            out.varint(time);
            out.bits(bits, 64);
        } else {
            out.uvarint(tDelta);
            out.xor(bits, value, window, 0);
        }
        value = bits;
    }

    /** Appends samples: a loop with all state in local variables. */
    void append(long[] times, double[] values, int from, int to) {
        int i = from;
        while (i < to && count < 2) {
            begin(times[i], values[i]);
            i++;
        }
        int left = to - i;
        if (left <= 0) {
            return;
        }
        out.ensure(left * MAX_SAMPLE_BYTES);
        byte[] d = out.data;
        int at = out.at;
        long pending = out.pending;
        int used = out.used;
        int leading = window[0];
        int trailing = window[1];
        long time = t;
        long step = tDelta;
        long bits = value;
        for (; i < to; i++) {
            long newStep = times[i] - time;
            long dod = newStep - step;
            time = times[i];
            step = newStep;
            long now = Double.doubleToRawLongBits(values[i]);
            long delta = now ^ bits;
            bits = now;
            // What is written first: the time and the control bits of the value, at most 32 + 13 bits.
            long head = 0;
            int n = 1;
            if (dod != 0) {
                if (BitWriter.inRange(dod, 14)) {
                    head = 0b10 << 14 | dod & 0x3FFF;
                    n = 16;
                } else if (BitWriter.inRange(dod, 17)) {
                    head = 0b110 << 17 | dod & 0x1FFFF;
                    n = 20;
                } else if (BitWriter.inRange(dod, 20)) {
                    head = 0b1110 << 20 | dod & 0xFFFFF;
                    n = 24;
                } else {
                    long word = pending | (0b1111L << 32 | dod >>> 32) << 28 >>> used;
                    BitReader.LONG.set(d, at, word);
                    int sum = used + 36;
                    at += sum >>> 3;
                    pending = word << (sum & 0x38);
                    used = sum & 7;
                    head = dod & 0xFFFFFFFFL;
                    n = 32;
                }
            }
            int significant = 0;
            if (delta == 0) {
                head <<= 1;
                n++;
            } else {
                int newLeading = Math.min(31, Long.numberOfLeadingZeros(delta));
                int newTrailing = Long.numberOfTrailingZeros(delta);
                // All ones for a new window, 0 for the old one: whether it fits is as good as random.
                int isNew = newLeading - leading >> 31 | newTrailing - trailing >> 31;
                leading += newLeading - leading & isNew;
                trailing += newTrailing - trailing & isNew;
                significant = 64 - leading - trailing;
                int controlBits = 2 + (11 & isNew);
                head = head << controlBits | 0b10 + ((0b11 << 11 | leading << 6 | significant & 63) - 0b10 & isNew);
                n += controlBits;
                delta >>>= trailing;
            }
            if (n + significant <= 56) {
                head = head << significant | delta;
                n += significant;
            } else {
                // Seven whole bytes first, which leave the place in a byte as it is: at most 45 and 64 bits are two such writes.
                long word = pending | (head << 64 - n | delta << 64 - significant >>> n) >>> 8 << 8 >>> used;
                BitReader.LONG.set(d, at, word);
                at += 7;
                pending = word << 56;
                // Of the value the last bits: those before are shifted out.
                head = delta;
                n += significant - 56;
            }
            long word = pending | head << 64 - n >>> used;
            BitReader.LONG.set(d, at, word);
            int sum = used + n;
            at += sum >>> 3;
            pending = word << (sum & 0x38);
            used = sum & 7;
        }
        out.at = at;
        out.pending = pending;
        out.used = used;
        window[0] = (byte) leading;
        window[1] = (byte) trailing;
        t = time;
        tDelta = step;
        value = bits;
        count += left;
    }
}

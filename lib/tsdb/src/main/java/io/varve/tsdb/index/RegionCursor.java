package io.varve.tsdb.index;

/** Reads a {@link ByteRegion} forward. One thread. */
final class RegionCursor {
    private final ByteRegion region;
    private final long limit;
    long position;

    RegionCursor(ByteRegion region, long position, long limit) {
        this.region = region;
        this.position = position;
        this.limit = limit;
    }

    long remaining() {
        return limit - position;
    }

    /** A little-endian base-128 number, unsigned. */
    long uvarint() {
        long value = 0;
        for (int shift = 0; shift < 64; shift += 7) {
            if (position >= limit) {
                throw region.corrupt(position, "number is cut off");
            }
            int b = region.u8(position++);
            if (b < 0x80) {
                if (shift == 63 && b > 1) {
                    throw region.corrupt(position, "number is longer than 64 bits");
                }
                return value | (long) b << shift;
            }
            value |= (long) (b & 0x7F) << shift;
        }
        throw region.corrupt(position, "number is longer than 64 bits");
    }

    /** A length prefix, checked against what remains. */
    int length() {
        long at = position;
        long n = uvarint();
        if (n < 0 || n > remaining() || n > Integer.MAX_VALUE - 8) {
            throw region.corrupt(at, "text of " + Long.toUnsignedString(n) + " bytes where " + remaining() + " remain");
        }
        return (int) n;
    }
}

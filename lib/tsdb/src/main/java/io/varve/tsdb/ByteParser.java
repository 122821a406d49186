package io.varve.tsdb;

import io.varve.model.CorruptDataException;

/** Reads an array forward. One thread. */
final class ByteParser {
    private final byte[] data;
    private final int limit;
    private final String file;
    private int position;

    ByteParser(byte[] data, int position, int limit, String file) {
        this.data = data;
        this.position = position;
        this.limit = limit;
        this.file = file;
    }

    int position() {
        return position;
    }

    long uvarint() {
        long value = 0;
        for (int shift = 0; shift < 64; shift += 7) {
            if (position >= limit) {
                throw new CorruptDataException(file, position, "number is cut off");
            }
            int b = data[position++];
            value |= (long) (b & 0x7F) << shift;
            if (b >= 0) {
                if (shift == 63 && b > 1) {
                    break;
                }
                return value;
            }
        }
        throw new CorruptDataException(file, position, "number is longer than 64 bits");
    }

    long varint() {
        long u = uvarint();
        return u >>> 1 ^ -(u & 1);
    }
}

package io.varve.chunk;

/**
 * An encoded chunk: its time range as the index says, and a slice of an array that is shared and never changed. {@code data}
 * is the payload without length, encoding byte and checksum.
 *
 * @param minTime first sample's time in milliseconds
 * @param maxTime last sample's time, included
 * @param encoding how the payload is written
 * @param data the array that holds the payload
 * @param offset where the payload starts
 * @param length bytes of the payload
 */
public record Chunk(long minTime, long maxTime, Encoding encoding, byte[] data, int offset, int length) {
    /** Of a whole array. */
    public static Chunk of(long minTime, long maxTime, Encoding encoding, byte[] data) {
        return new Chunk(minTime, maxTime, encoding, data, 0, data.length);
    }

    /** A copy of the payload. */
    public byte[] copyData() {
        return java.util.Arrays.copyOfRange(data, offset, offset + length);
    }

    /** Whether payload, encoding and times are equal. */
    public boolean sameContent(Chunk o) {
        return minTime == o.minTime && maxTime == o.maxTime && encoding == o.encoding
                && java.util.Arrays.equals(data, offset, offset + length, o.data, o.offset, o.offset + o.length);
    }
}

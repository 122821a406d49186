package io.varve.chunk;

/** One chunk being written. Knows its encoding, not the rules of when to begin another one. */
abstract sealed class ChunkEncoder permits XorEncoder, Xor2Encoder, HistogramEncoder {
    /** Histograms with start timestamps have 14 bits for their count, all others 16. */
    static final int MAX_SAMPLES = 0xFFFF;

    final BitWriter out;
    int count;
    long minTime;
    /** Time of the last sample. */
    long t;
    long tDelta;

    ChunkEncoder(Encoding encoding, byte[] buffer) {
        out = new BitWriter(ChunkDecoder.headerLength(encoding), buffer);
    }

    abstract Encoding encoding();

    /** How many samples the format has room for. */
    int maxSamples() {
        return MAX_SAMPLES;
    }

    /** Steps to the time of the next sample. */
    final void step(long time) {
        if (count == 0) {
            minTime = time;
        } else {
            tDelta = time - t;
        }
        t = time;
        count++;
    }

    /** Sets the header of {@code bytes}, whose bit stream is complete. */
    abstract void setHeader(byte[] bytes);

    byte[] toBytes() {
        byte[] bytes = out.toBytes();
        bytes[0] = (byte) (count >>> 8);
        bytes[1] = (byte) count;
        setHeader(bytes);
        return bytes;
    }

    Chunk toChunk() {
        return Chunk.of(minTime, t, encoding(), toBytes());
    }
}

package io.varve.chunk;

import io.varve.model.CorruptDataException;

/** How the samples of a chunk are written; the byte before a chunk's data in a segment file. */
public enum Encoding {
    /** Floats. */
    XOR(1),
    /** Integer histograms. */
    HISTOGRAM(2),
    /** Float histograms. */
    FLOAT_HISTOGRAM(3),
    /** Floats with start timestamps. */
    XOR2(4),
    /** Integer histograms with start timestamps. */
    HISTOGRAM_ST(5),
    /** Float histograms with start timestamps. */
    FLOAT_HISTOGRAM_ST(6),
    /** Up to five chunks of downsampled data (count, sum, min, max, counter), as Thanos writes them. */
    AGGREGATE(0xFF);

    private static final Encoding[] BY_CODE = new Encoding[256];
    static {
        for (Encoding e : values()) {
            BY_CODE[e.code] = e;
        }
    }

    private final int code;

    Encoding(int code) {
        this.code = code;
    }

    /** The byte on disk, 0 to 255. */
    public int code() {
        return code;
    }

    /** Whether an encoding has that byte. */
    public static boolean isCode(int code) {
        return BY_CODE[code & 0xFF] != null;
    }

    /** @throws CorruptDataException where no encoding has that byte; the exception's offset is −1 */
    public static Encoding ofCode(int code) {
        Encoding e = BY_CODE[code & 0xFF];
        if (e == null) {
            throw new CorruptDataException("", -1, "invalid chunk encoding \"<unknown>\" (" + (code & 0xFF) + ")");
        }
        return e;
    }
}

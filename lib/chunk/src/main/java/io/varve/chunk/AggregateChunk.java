package io.varve.chunk;

import io.varve.model.CorruptDataException;
import java.io.ByteArrayOutputStream;
import org.jspecify.annotations.Nullable;

/**
 * A chunk of downsampled data: up to five chunks, one per aggregate, each present or absent. The format is Thanos': for each
 * aggregate in the order of {@link Part} a uvarint with the length of its payload, 0 for an absent one, and where present the
 * encoding byte and the payload. Floats have XOR chunks throughout; histograms have an XOR chunk for the count, float histogram
 * chunks for sum and counter, and neither min nor max. The last sample of a float counter chunk repeats the time before it and
 * holds the last raw value.
 *
 * <p>
 * Immutable; the parts share the array they were read from.
 */
public final class AggregateChunk {
    /** The aggregates, in the order of the format. */
    public enum Part {
        /** Samples in each window. */
        COUNT,
        /** Their sum. */
        SUM,
        /** The smallest. */
        MIN,
        /** The largest. */
        MAX,
        /** The counter with resets taken out. */
        COUNTER
    }

    private static final Part[] PARTS = Part.values();

    private final @Nullable Chunk[] parts;

    private AggregateChunk(@Nullable Chunk[] parts) {
        this.parts = parts;
    }

    /** Takes a chunk apart; the parts have its times. */
    public static AggregateChunk parse(Chunk chunk) {
        return parse(chunk.data(), chunk.offset(), chunk.length(), chunk.minTime(), chunk.maxTime());
    }

    static AggregateChunk parse(byte[] data, int offset, int length) {
        return parse(data, offset, length, 0, 0);
    }

    /** @throws CorruptDataException where lengths or encodings are wrong, or bytes follow the last part */
    private static AggregateChunk parse(byte[] data, int offset, int length, long minTime, long maxTime) {
        @Nullable
        Chunk[] parts = new Chunk[PARTS.length];
        int end = offset + length;
        int p = offset;
        for (Part part : PARTS) {
            int start = p;
            long n = 0;
            for (int shift = 0;; shift += 7) {
                if (p == end) {
                    throw new CorruptDataException("", length, "aggregate chunk ends before its " + name(part));
                }
                byte b = data[p++];
                n |= (long) (b & 0x7F) << shift;
                if (b >= 0) {
                    break;
                }
                if (shift == 28) {
                    throw new CorruptDataException("", start - offset, "the length of the " + name(part) + " does not fit 32 bits");
                }
            }
            if (n == 0) {
                continue;
            }
            // The encoding byte is not part of the length.
            if (n >= end - p) {
                throw new CorruptDataException("", start - offset,
                        "aggregate chunk has " + (end - p) + " bytes left for a " + name(part) + " of " + n + " bytes and its encoding");
            }
            int code = data[p] & 0xFF;
            if (code < Encoding.XOR.code() || code > Encoding.FLOAT_HISTOGRAM_ST.code()) {
                throw new CorruptDataException("", p - offset, "the " + name(part) + " has the unknown encoding " + code);
            }
            parts[part.ordinal()] = new Chunk(minTime, maxTime, Encoding.ofCode(code), data, p + 1, (int) n);
            p += 1 + (int) n;
        }
        if (p != end) {
            throw new CorruptDataException("", p - offset, "aggregate chunk has " + (end - p) + " bytes behind its last part");
        }
        return new AggregateChunk(parts);
    }

    private static String name(Part part) {
        return switch (part) {
            case COUNT -> "count";
            case SUM -> "sum";
            case MIN -> "min";
            case MAX -> "max";
            case COUNTER -> "counter";
        };
    }

    /** Puts a chunk together. Null is absent; an empty payload cannot be told from an absent one and is not allowed. */
    public static AggregateChunk of(@Nullable Chunk count, @Nullable Chunk sum, @Nullable Chunk min, @Nullable Chunk max,
            @Nullable Chunk counter) {
        @Nullable
        Chunk[] parts = {count, sum, min, max, counter};
        for (Chunk c : parts) {
            if (c != null && (c.length() == 0 || c.encoding() == Encoding.AGGREGATE)) {
                throw new IllegalArgumentException("an aggregate needs samples, got " + c.length() + " bytes of " + c.encoding());
            }
        }
        return new AggregateChunk(parts);
    }

    /** One aggregate, null where absent. */
    public @Nullable Chunk part(Part part) {
        return parts[part.ordinal()];
    }

    /** The payload. */
    public byte[] encode() {
        int size = 0;
        for (Chunk c : parts) {
            size += c == null ? 1 : c.length() + 6;
        }
        ByteArrayOutputStream out = new ByteArrayOutputStream(size);
        for (Chunk c : parts) {
            int n = c == null ? 0 : c.length();
            while (n >= 0x80) {
                out.write(n & 0x7F | 0x80);
                n >>>= 7;
            }
            out.write(n);
            if (c != null) {
                out.write(c.encoding().code());
                out.write(c.data(), c.offset(), c.length());
            }
        }
        return out.toByteArray();
    }

    /** The payload as a chunk. */
    public Chunk toChunk(long minTime, long maxTime) {
        return Chunk.of(minTime, maxTime, Encoding.AGGREGATE, encode());
    }
}

package io.varve.chunk;

import io.varve.model.CorruptDataException;
import io.varve.model.CounterResetHint;
import io.varve.model.FloatHistogram;
import io.varve.model.Histogram;
import io.varve.model.SampleBuffer;
import io.varve.model.SampleCursor;
import io.varve.model.WindowEnds;
import java.util.Arrays;

/**
 * Chunks to samples. Any bytes give samples or {@link CorruptDataException} whose offset counts from the start of the payload
 * ({@link CorruptDataException#in} moves it to the file); memory stays within a small multiple of the payload. Bytes behind the
 * last sample are ignored, as Prometheus does. Static and without state, safe for many threads.
 *
 * <p>
 * Aggregate chunks are no sequence of samples: take them apart with {@link AggregateChunk} first; here they are corrupt data.
 */
public final class ChunkDecoder {
    private static final CounterResetHint[] BY_HEADER = {CounterResetHint.UNKNOWN, CounterResetHint.NOT_RESET, CounterResetHint.RESET,
            CounterResetHint.GAUGE};

    private ChunkDecoder() {
    }

    /** Appends all samples of the chunk; see {@link #decode(Encoding, byte[], int, int, SampleBuffer)}. */
    public static int decode(Chunk chunk, SampleBuffer into) {
        return decode(chunk.encoding(), chunk.data(), chunk.offset(), chunk.length(), into);
    }

    /** Appends those samples of the chunk that lie in the range, both ends included, and stops reading behind it. */
    public static int decode(Chunk chunk, long minTime, long maxTime, SampleBuffer into) {
        return decode(chunk.encoding(), chunk.data(), chunk.offset(), chunk.length(), minTime, maxTime, into);
    }

    /**
     * Appends all samples, in the order of the chunk. Integer histograms become float histograms. Start timestamps are kept where
     * the encoding has them.
     *
     * @param data holds the payload (without length, encoding byte and checksum) in {@code length} bytes from {@code offset};
     *            faster where eight more bytes follow in the array, whatever they are
     * @return how many samples were appended; on an exception the buffer is as before
     */
    public static int decode(Encoding encoding, byte[] data, int offset, int length, SampleBuffer into) {
        return decode(encoding, data, offset, length, Long.MIN_VALUE, Long.MAX_VALUE, into);
    }

    /** Appends the samples of a range, both ends included; the bytes behind the first sample after it are not looked at. */
    public static int decode(Encoding encoding, byte[] data, int offset, int length, long minTime, long maxTime, SampleBuffer into) {
        int from = into.size;
        int n;
        try {
            n = samples(encoding, data, offset, length, minTime, maxTime, into);
        } finally {
            into.size = from;
        }
        into.size = from + n;
        return minTime == Long.MIN_VALUE ? n : dropBefore(into, from, minTime);
    }

    private static int samples(Encoding encoding, byte[] data, int offset, int length, long minTime, long maxTime, SampleBuffer into) {
        return switch (encoding) {
            case XOR -> XorDecoder.decode(data, offset, length, maxTime, into);
            case XOR2 -> Xor2Decoder.decode(data, offset, length, maxTime, into);
            case HISTOGRAM, FLOAT_HISTOGRAM, HISTOGRAM_ST, FLOAT_HISTOGRAM_ST -> {
                HistogramReader reader = new HistogramReader(encoding, data, offset, length);
                WindowEnds ends = into.windowEnds;
                yield ends == null ? histograms(reader, minTime, maxTime, into) : atEnds(reader, ends, minTime, maxTime, into);
            }
            case AGGREGATE -> throw aggregate();
        };
    }

    private static CorruptDataException aggregate() {
        return new CorruptDataException("", 0, "samples were expected, found an aggregate chunk");
    }

    private static int histograms(HistogramReader reader, long minTime, long maxTime, SampleBuffer into) {
        int from = into.size;
        boolean more = nextFrom(reader, minTime);
        while (more && reader.t <= maxTime) {
            into.announce(reader.bytes());
            add(reader.t, reader.st, reader.floatHistogram(), into);
            more = reader.next();
        }
        return into.size - from;
    }

    /**
     * The same for a reader that looks at the ends of its windows: what lies between is not built. Besides those ends, the neighbours of
     * whatever may tell of a reset are: of other chunks, of stale markers, of start timestamps, and gauges, of which nothing is known.
     */
    private static int atEnds(HistogramReader reader, WindowEnds ends, long minTime, long maxTime, SampleBuffer into) {
        int from = into.size;
        boolean more = nextFrom(reader, minTime) && reader.t <= maxTime;
        FloatHistogram last = FloatHistogram.STALE;
        long before = Long.MIN_VALUE;
        long end = Long.MIN_VALUE;
        long start = Long.MIN_VALUE;
        while (more) {
            long t = reader.t;
            long st = reader.st;
            boolean needed = reader.hint() != CounterResetHint.NOT_RESET || last.hint() != CounterResetHint.NOT_RESET || reader.stale()
                    || st != 0;
            boolean follows = reader.nextHead();
            more = follows && reader.t <= maxTime;
            if (!needed) {
                if (end < t) {
                    end = ends.endFrom(t);
                }
                if (start < before) {
                    start = ends.startFrom(before);
                }
                needed = !more || reader.stale() || end < reader.t || start < t;
            }
            if (needed) {
                into.announce(reader.bytes());
                last = follows ? reader.before() : reader.floatHistogram();
            }
            add(t, st, last, into);
            before = t;
            if (follows) {
                reader.nextBuckets();
            }
        }
        return into.size - from;
    }

    private static boolean nextFrom(HistogramReader reader, long minTime) {
        boolean more = reader.next();
        while (more && reader.t < minTime) {
            more = reader.next();
        }
        return more;
    }

    private static void add(long t, long st, FloatHistogram h, SampleBuffer into) {
        into.add(t, h);
        if (st != 0) {
            into.startTimestampArray()[into.size - 1] = st;
        }
    }

    private static int dropBefore(SampleBuffer b, int from, long minTime) {
        int keep = from;
        while (keep < b.size && b.timestamps[keep] < minTime) {
            keep++;
        }
        int n = b.size - keep;
        if (keep > from) {
            System.arraycopy(b.timestamps, keep, b.timestamps, from, n);
            System.arraycopy(b.values, keep, b.values, from, n);
            if (b.histograms != null) {
                System.arraycopy(b.histograms, keep, b.histograms, from, n);
            }
            if (b.startTimestamps != null) {
                System.arraycopy(b.startTimestamps, keep, b.startTimestamps, from, n);
            }
            b.size = from + n;
        }
        return n;
    }

    /**
     * A cursor over all samples of the chunk, exact in kind. The whole chunk is read here: the cursor itself does not fail.
     */
    public static SampleCursor cursor(Chunk chunk) {
        Encoding encoding = chunk.encoding();
        return switch (encoding) {
            case XOR, XOR2, FLOAT_HISTOGRAM, FLOAT_HISTOGRAM_ST -> {
                SampleBuffer buffer = new SampleBuffer(Math.min(sampleCount(chunk), 256));
                decode(chunk, buffer);
                yield new BufferCursor(buffer);
            }
            case HISTOGRAM, HISTOGRAM_ST -> histogramCursor(encoding, chunk);
            case AGGREGATE -> throw aggregate();
        };
    }

    private static SampleCursor histogramCursor(Encoding encoding, Chunk chunk) {
        HistogramReader reader = new HistogramReader(encoding, chunk.data(), chunk.offset(), chunk.length());
        int n = 0;
        long[] times = new long[Math.min(reader.size(), 256)];
        long[] starts = new long[times.length];
        Histogram[] histograms = new Histogram[times.length];
        while (reader.next()) {
            if (n == times.length) {
                times = Arrays.copyOf(times, 2 * n);
                starts = Arrays.copyOf(starts, 2 * n);
                histograms = Arrays.copyOf(histograms, 2 * n);
            }
            times[n] = reader.t;
            starts[n] = reader.st;
            histograms[n++] = reader.histogram();
        }
        return new HistogramCursor(times, starts, histograms, n);
    }

    /** How many samples the chunk says it has, without decoding it. For aggregates that of the count chunk. */
    public static int sampleCount(Chunk chunk) {
        return sampleCount(chunk.encoding(), chunk.data(), chunk.offset(), chunk.length());
    }

    /** How many samples the payload says it has, without decoding it. For aggregates that of the count chunk, 0 without one. */
    public static int sampleCount(Encoding encoding, byte[] data, int offset, int length) {
        if (encoding == Encoding.AGGREGATE) {
            Chunk count = AggregateChunk.parse(data, offset, length).part(AggregateChunk.Part.COUNT);
            return count == null ? 0 : sampleCount(count);
        }
        return header(encoding, data, offset, length);
    }

    /** What the header of a histogram chunk says of a counter reset before its first sample; UNKNOWN for all other encodings. */
    public static CounterResetHint counterReset(Chunk chunk) {
        return counterReset(chunk.encoding(), chunk.data(), chunk.offset(), chunk.length());
    }

    static CounterResetHint counterReset(Encoding encoding, byte[] data, int offset, int length) {
        return switch (encoding) {
            case HISTOGRAM, FLOAT_HISTOGRAM -> {
                header(encoding, data, offset, length);
                yield BY_HEADER[(data[offset + 2] & 0xFF) >>> 6];
            }
            case HISTOGRAM_ST, FLOAT_HISTOGRAM_ST -> {
                header(encoding, data, offset, length);
                yield BY_HEADER[(data[offset] & 0xFF) >>> 6];
            }
            case XOR, XOR2, AGGREGATE -> CounterResetHint.UNKNOWN;
        };
    }

    /** The two bits of a header. */
    static int counterResetBits(CounterResetHint hint) {
        return switch (hint) {
            case UNKNOWN -> 0;
            case NOT_RESET -> 1;
            case RESET -> 2;
            case GAUGE -> 3;
        };
    }

    /** How many bytes stand before the bit stream. */
    static int headerLength(Encoding encoding) {
        return encoding == Encoding.XOR ? 2 : 3;
    }

    /** Checks that the header is there and gives the sample count. */
    static int header(Encoding encoding, byte[] data, int offset, int length) {
        int need = headerLength(encoding);
        if (length < need) {
            throw new CorruptDataException("", length, "a chunk header of " + need + " bytes was expected, found " + length + " bytes");
        }
        int n = (data[offset] & 0xFF) << 8 | data[offset + 1] & 0xFF;
        return encoding == Encoding.HISTOGRAM_ST || encoding == Encoding.FLOAT_HISTOGRAM_ST ? n & 0x3FFF : n;
    }
}

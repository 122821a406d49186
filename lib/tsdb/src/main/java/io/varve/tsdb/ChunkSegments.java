package io.varve.tsdb;

import io.varve.chunk.Chunk;
import io.varve.chunk.Encoding;
import io.varve.model.CorruptDataException;
import io.varve.model.UnavailableException;
import io.varve.tsdb.index.ByteRegion;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** The segment files of a block, mapped. Safe for many threads. */
final class ChunkSegments {
    /** The directory's name. */
    static final String DIRECTORY = "chunks";
    /** Decoders are faster where some bytes follow the payload. */
    private static final int SLACK = 8;
    /** Chunks of a series are mostly neighbours: gaps up to this are read along. */
    private static final int GAP = 512;
    private static final int MAX_RUN = 4 << 20;

    private final Path directory;
    private final List<ByteRegion> segments;

    private ChunkSegments(Path directory, List<ByteRegion> segments) {
        this.directory = directory;
        this.segments = segments;
    }

    static ChunkSegments open(Path block, Arena arena) {
        Path directory = block.resolve(DIRECTORY);
        List<Path> files;
        try (Stream<Path> list = Files.list(directory)) {
            files = list.filter(p -> p.getFileName().toString().chars().allMatch(c -> c >= '0' && c <= '9')).sorted().toList();
        } catch (NoSuchFileException e) {
            files = List.of();
        } catch (IOException e) {
            throw UnavailableException.of("list " + directory, e);
        }
        List<ByteRegion> segments = new ArrayList<>();
        for (Path f : files) {
            ByteRegion r = ByteRegion.map(f, f.toString(), arena);
            String expected = ChunkEntry.segmentName(segments.size());
            if (!f.getFileName().toString().equals(expected)) {
                // Chunks are found by the number of their file: with a gap others would be read.
                throw r.corrupt(0, "segment files are not numbered without gaps: expected " + expected);
            }
            if (r.size() < ChunkEntry.SEGMENT_HEADER) {
                throw r.corrupt(0, "segment header: file has " + r.size() + " bytes");
            }
            if (r.i32(0) != ChunkEntry.MAGIC) {
                throw r.corrupt(0, "segment header: invalid magic number " + Integer.toHexString(r.i32(0)));
            }
            if (r.u8(4) != ChunkEntry.VERSION) {
                throw r.corrupt(4, "segment header: invalid chunk format version " + r.u8(4));
            }
            segments.add(r);
        }
        return new ChunkSegments(directory, List.copyOf(segments));
    }

    int count() {
        return segments.size();
    }

    ByteRegion segment(int index) {
        return segments.get(index);
    }

    private ByteRegion of(long ref) {
        int s = ChunkEntry.segment(ref);
        if (s < 0 || s >= segments.size()) {
            throw new CorruptDataException(directory.resolve(ChunkEntry.segmentName(Math.max(0, s))).toString(), ChunkEntry.offset(ref),
                    "chunk reference names a segment that does not exist, " + segments.size() + " are there");
        }
        return segments.get(s);
    }

    /** How the chunk's data are encoded, nothing of which is read or checked. */
    Encoding encoding(long ref) {
        ByteRegion r = of(ref);
        long at = ChunkEntry.offset(ref);
        long total = entryLength(ref);
        int head = headLength(ref);
        if (total < head + ChunkEntry.AROUND_DATA) {
            throw r.corrupt(at, "chunk of " + total + " bytes has no encoding");
        }
        try {
            return Encoding.ofCode((byte) r.u8(at + head));
        } catch (CorruptDataException e) {
            throw e.in(r.file(), at + head);
        }
    }

    /** Bytes of the length field of an entry of which {@link #entryLength} was checked. */
    int headLength(long ref) {
        ByteRegion r = of(ref);
        long at = ChunkEntry.offset(ref);
        int head = 1;
        while (r.u8(at + head - 1) >= 0x80) {
            head++;
        }
        return head;
    }

    /** Bytes of the whole entry. */
    long entryLength(long ref) {
        ByteRegion r = of(ref);
        long at = ChunkEntry.offset(ref);
        if (at < ChunkEntry.SEGMENT_HEADER || at + ChunkEntry.MAX_LENGTH_FIELD > r.size()) {
            throw r.corrupt(at, "chunk begins outside the " + r.size() + " bytes of the segment");
        }
        long total = 0;
        int head = 0;
        int b;
        do {
            if (head == ChunkEntry.MAX_LENGTH_FIELD) {
                throw r.corrupt(at, ChunkEntry.NO_LENGTH);
            }
            b = r.u8(at + head);
            total |= (b & 0x7FL) << 7 * head;
            head++;
        } while (b >= 0x80);
        total += head + ChunkEntry.AROUND_DATA;
        if (total > r.size() - at || total > Integer.MAX_VALUE - 64) {
            throw r.corrupt(at, "chunk of " + total + " bytes ends outside the " + r.size() + " bytes of the segment");
        }
        return total;
    }

    Chunk chunk(long ref, long minTime, long maxTime) {
        int length = (int) entryLength(ref);
        ByteRegion r = of(ref);
        long at = ChunkEntry.offset(ref);
        byte[] bytes = new byte[length + SLACK];
        r.copy(at, bytes, 0, length);
        return decode(r, bytes, 0, length, at, minTime, maxTime);
    }

    private static Chunk decode(ByteRegion r, byte[] bytes, int offset, int limit, long base, long minTime, long maxTime) {
        try {
            return ChunkEntry.decode(bytes, offset, limit, minTime, maxTime, true);
        } catch (CorruptDataException e) {
            throw e.in(r.file(), base);
        }
    }

    /** Several chunks in the order given; neighbours share one array. */
    List<Chunk> chunks(long[] refs, long[] minTimes, long[] maxTimes, int from, int to) {
        List<Chunk> out = new ArrayList<>(to - from);
        int i = from;
        while (i < to) {
            long start = refs[i];
            long end = start + entryLength(start);
            int j = i + 1;
            while (j < to && refs[j] >= end && refs[j] - end <= GAP && ChunkEntry.segment(refs[j]) == ChunkEntry.segment(start)) {
                long next = refs[j] + entryLength(refs[j]);
                if (next - start > MAX_RUN) {
                    break;
                }
                end = next;
                j++;
            }
            ByteRegion r = of(start);
            int length = (int) (end - start);
            byte[] bytes = new byte[length + SLACK];
            long base = ChunkEntry.offset(start);
            r.copy(base, bytes, 0, length);
            for (; i < j; i++) {
                out.add(decode(r, bytes, (int) (refs[i] - start), length, base, minTimes[i], maxTimes[i]));
            }
        }
        return out;
    }
}

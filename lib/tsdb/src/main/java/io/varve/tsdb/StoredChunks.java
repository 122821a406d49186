package io.varve.tsdb;

import io.varve.chunk.Chunk;
import io.varve.tsdb.index.ByteRegion;
import io.varve.tsdb.index.SeriesEntry;
import java.util.AbstractList;
import java.util.List;

/**
 * Chunks that still lie in their blocks' files, of which only times and places are known: who writes them into another block copies them from file to file
 * without making objects of them. Whoever asks for a chunk reads it. The blocks must stay open.
 */
final class StoredChunks extends AbstractList<Chunk> {
    /** References so far apart may be of neighbours. */
    private static final int NEAR = 16 << 10;
    /** What is copied together is soon looked at, from a processor's first cache. */
    private static final int MOST_TOGETHER = 32;

    /** Of each chunk, or one of all. */
    private final Pass[] passes;
    /** Of each chunk reference, first and last time. */
    private final long[] places;

    /** One going over all chunks of a block. */
    static final class Pass {
        private final ChunkSegments segments;
        /** Of those that are copied, and of those that are read, which another thread may do. */
        private final Trail copied = new Trail();
        private final Trail read = new Trail();
        private final Pass[] alone = {this};

        Pass(ChunkSegments segments) {
            this.segments = segments;
        }
    }

    private StoredChunks(Pass[] passes, long[] places) {
        this.passes = passes;
        this.places = places;
    }

    /** The first chunks of a decoded entry. */
    static StoredChunks of(Pass pass, SeriesEntry entry, int count) {
        long[] places = new long[3 * count];
        for (int i = 0; i < count; i++) {
            places[3 * i] = entry.refs[i];
            places[3 * i + 1] = entry.minTimes[i];
            places[3 * i + 2] = entry.maxTimes[i];
        }
        return new StoredChunks(pass.alone, places);
    }

    /** Those of several entries, one after the other. */
    static StoredChunks join(List<StoredChunks> parts) {
        int n = 0;
        for (int i = 0; i < parts.size(); i++) {
            n += parts.get(i).places.length;
        }
        Pass[] passes = new Pass[n / 3];
        long[] places = new long[n];
        int at = 0;
        for (int i = 0; i < parts.size(); i++) {
            StoredChunks p = parts.get(i);
            System.arraycopy(p.places, 0, places, at, p.places.length);
            for (int k = 0; k < p.size(); k++) {
                passes[at / 3 + k] = p.pass(k);
            }
            at += p.places.length;
        }
        return new StoredChunks(passes, places);
    }

    /** Collects the chunks of a series of several blocks. */
    static final class Builder {
        private final Pass[] passes;
        private final long[] places;
        private int size;
        private long end;

        /** @param count of chunks that come */
        Builder(int count) {
            passes = new Pass[count];
            places = new long[3 * count];
        }

        /** Adds the first chunks of an entry; false at one that does not lie behind the one before. */
        boolean add(Pass pass, SeriesEntry entry, int count) {
            long[] refs = entry.refs;
            long[] minTimes = entry.minTimes;
            long[] maxTimes = entry.maxTimes;
            for (int i = 0; i < count; i++) {
                long min = minTimes[i];
                if (size > 0 && min <= end) {
                    return false;
                }
                end = maxTimes[i];
                passes[size] = pass;
                places[3 * size] = refs[i];
                places[3 * size + 1] = min;
                places[3 * size + 2] = end;
                size++;
            }
            return true;
        }

        /** All that were added. */
        StoredChunks build() {
            return new StoredChunks(passes, places);
        }
    }

    private Pass pass(int index) {
        return passes.length == 1 ? passes[0] : passes[index];
    }

    private long reference(int index) {
        return places[3 * index];
    }

    /** A chunk's first time, which is not read for it. */
    static long minTime(List<Chunk> chunks, int index) {
        return chunks instanceof StoredChunks stored ? stored.places[3 * index + 1] : chunks.get(index).minTime();
    }

    /** A chunk's last time, which is not read for it. */
    static long maxTime(List<Chunk> chunks, int index) {
        return chunks instanceof StoredChunks stored ? stored.places[3 * index + 2] : chunks.get(index).maxTime();
    }

    @Override
    public int size() {
        return places.length / 3;
    }

    @Override
    public Chunk get(int index) {
        return pass(index).segments.chunk(reference(index), places[3 * index + 1], places[3 * index + 2]);
    }

    /** The chunks of one entry, read where they are not yet: neighbours with one copy. */
    static List<Chunk> read(List<Chunk> chunks) {
        if (!(chunks instanceof StoredChunks stored) || stored.isEmpty()) {
            return chunks;
        }
        int n = stored.size();
        long[] refs = new long[n];
        long[] mins = new long[n];
        long[] maxs = new long[n];
        for (int i = 0; i < n; i++) {
            refs[i] = stored.reference(i);
            mins[i] = stored.places[3 * i + 1];
            maxs[i] = stored.places[3 * i + 2];
        }
        Pass pass = stored.passes[0];
        List<Chunk> out = pass.segments.chunks(refs, mins, maxs, 0, n);
        pass.read.at(pass.segments.segment(ChunkEntry.segment(refs[0])), ChunkEntry.offset(refs[0]));
        return out;
    }

    /** What lies between the references of a chunk and the next. */
    long distance(int index) {
        return reference(index + 1) - reference(index);
    }

    /**
     * Copies entries to a place in an array: one, and those after it that by their references follow in the same file not far away. Whether they are neighbours
     * indeed, and whole, is for the caller to see.
     *
     * @param room how many bytes may be copied
     * @return {@link #entries} and {@link #bytes} that were copied, 0 where the first does not fit
     */
    long load(int index, byte[] into, int offset, int room) {
        Pass pass = pass(index);
        long ref = reference(index);
        int segment = ChunkEntry.segment(ref);
        int last = index;
        int end = Math.min(size(), index + MOST_TOGETHER);
        while (last + 1 < end && pass(last + 1) == pass && ChunkEntry.segment(reference(last + 1)) == segment && distance(last) > 0
                && distance(last) <= NEAR && ChunkEntry.offset(ref) >= ChunkEntry.SEGMENT_HEADER) {
            last++;
        }
        long length = reference(last) - ref + pass.segments.entryLength(reference(last));
        while (length > room && last > index) {
            last--;
            length = reference(last + 1) - ref;
        }
        if (length > room) {
            return 0;
        }
        ByteRegion region = pass.segments.segment(segment);
        long at = ChunkEntry.offset(ref);
        pass.copied.at(region, at);
        region.copy(at, into, offset, (int) length);
        return (long) (last - index + 1) << 32 | length;
    }

    /** How many entries {@link #load} copied. */
    static int entries(long loaded) {
        return (int) (loaded >>> 32);
    }

    /** How many bytes it did. */
    static int bytes(long loaded) {
        return (int) loaded;
    }
}

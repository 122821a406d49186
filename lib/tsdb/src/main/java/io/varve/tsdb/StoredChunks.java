package io.varve.tsdb;

import io.varve.chunk.Chunk;
import io.varve.model.CorruptDataException;
import io.varve.tsdb.index.ByteRegion;
import io.varve.tsdb.index.SeriesEntry;
import java.util.AbstractList;
import java.util.List;

/**
 * Chunks that still lie in their blocks' files, of which only times and places are known: who writes them into another block copies them from file to file
 * without making objects of them. Whoever asks for a chunk reads it. The blocks must stay open.
 */
final class StoredChunks extends AbstractList<Chunk> {
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

    /** Bytes of a chunk's whole entry in its file. */
    int entryLength(int index) {
        return (int) pass(index).segments.entryLength(reference(index));
    }

    /** Bytes of its length field, where {@link #entryLength} was asked for before. */
    int headLength(int index) {
        return pass(index).segments.headLength(reference(index));
    }

    /**
     * Copies a whole entry, {@link #entryLength} bytes, to a place in an array.
     *
     * @return the chunk as it lies there, its checksum checked
     */
    Chunk copy(int index, byte[] into, int offset, int length) {
        Pass pass = pass(index);
        long ref = reference(index);
        ByteRegion region = pass.segments.segment(ChunkEntry.segment(ref));
        long at = ChunkEntry.offset(ref);
        pass.copied.at(region, at);
        region.copy(at, into, offset, length);
        try {
            return ChunkEntry.decode(into, offset, offset + length, places[3 * index + 1], places[3 * index + 2], true);
        } catch (CorruptDataException e) {
            throw e.in(region.file(), at - offset);
        }
    }
}

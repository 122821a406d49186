package io.varve.tsdb;

import io.varve.chunk.Chunk;
import io.varve.chunk.ChunkDecoder;
import io.varve.chunk.ChunkSeries;
import io.varve.chunk.ChunkSeriesSet;
import io.varve.model.MemoryBudget;
import java.util.List;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/** Series as something makes of them, made by several threads, in their order. Memory is bounded by some batches for each thread. */
public final class ParallelSeriesSet implements ChunkSeriesSet {
    /** Time, value and place of a sample, once read and once written. */
    private static final long BYTES_PER_SAMPLE = 40;
    /** Place and times of a chunk that is not read. */
    private static final long STORED_CHUNK = 32;
    private final ChunkSeriesSet source;
    private final OrderedWork<ChunkSeries, ChunkSeries> work;

    /**
     * @param source closed when this is; asked by one thread at a time
     * @param operator makes one function for each thread
     * @param threads with 1 the work is done by the thread that asks
     * @param budget where memory for the series under way is reserved
     */
    public ParallelSeriesSet(ChunkSeriesSet source, Supplier<UnaryOperator<ChunkSeries>> operator, int threads, MemoryBudget budget) {
        this.source = source;
        this.work = new OrderedWork<>(source::next, s -> bytes(s.chunks()), s -> memory(s.chunks()), budget,
                (Supplier<Function<ChunkSeries, ChunkSeries>>) () -> operator.get(), threads > 1 ? threads : 0);
    }

    /** About the memory of chunks. */
    static long bytes(List<Chunk> chunks) {
        if (chunks instanceof StoredChunks) {
            return 256 + STORED_CHUNK * chunks.size();
        }
        long sum = 256;
        for (Chunk c : chunks) {
            sum += 64 + c.length();
        }
        return sum;
    }

    /** About the memory of chunks and of what is made of them while they are worked on: samples as arrays, and encoded anew. */
    static long memory(List<Chunk> chunks) {
        if (chunks instanceof StoredChunks) {
            // Copied, not decoded.
            return 2 * bytes(chunks);
        }
        long samples = 0;
        for (Chunk c : chunks) {
            samples += ChunkDecoder.sampleCount(c);
        }
        return 2 * bytes(chunks) + BYTES_PER_SAMPLE * samples;
    }

    @Override
    public @Nullable ChunkSeries next() {
        return work.next();
    }

    @Override
    public void close() {
        work.close();
        source.close();
    }
}

package io.varve.store;

import io.varve.chunk.Chunk;
import org.jspecify.annotations.Nullable;

/**
 * A chunk on the wire: either {@code raw}, or those of the five aggregates that were asked for. The parts' own times equal
 * {@code minTime} and {@code maxTime}.
 */
public record StoreChunk(long minTime, long maxTime, @Nullable Chunk raw, @Nullable Chunk count, @Nullable Chunk sum, @Nullable Chunk min,
        @Nullable Chunk max, @Nullable Chunk counter) {
    /** A raw chunk. */
    public static StoreChunk raw(Chunk chunk) {
        return new StoreChunk(chunk.minTime(), chunk.maxTime(), chunk, null, null, null, null, null);
    }

    /** Bytes of all payloads. */
    public long bytes() {
        return length(raw) + length(count) + length(sum) + length(min) + length(max) + length(counter);
    }

    private static long length(@Nullable Chunk chunk) {
        return chunk == null ? 0 : chunk.length();
    }
}

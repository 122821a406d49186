package io.varve.tsdb;

import io.varve.chunk.AggregateChunk;
import io.varve.chunk.Chunk;
import io.varve.chunk.ChunkAppender;
import io.varve.chunk.ChunkDecoder;
import io.varve.chunk.Encoding;
import io.varve.model.InvalidRequestException;
import io.varve.model.SampleBuffer;
import io.varve.model.SampleCursor;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Takes deleted samples out of a chunk. */
final class ChunkCut {
    private ChunkCut() {
    }

    static boolean keepsStartTimestamps(Encoding encoding) {
        return switch (encoding) {
            case XOR2, HISTOGRAM_ST, FLOAT_HISTOGRAM_ST -> true;
            case XOR, HISTOGRAM, FLOAT_HISTOGRAM, AGGREGATE -> false;
        };
    }

    /** What is left of the chunk: itself where nothing of it is deleted, nothing where all of it is, else chunks encoded anew. */
    static List<Chunk> without(Chunk chunk, Intervals deleted) {
        if (!deleted.overlaps(chunk.minTime(), chunk.maxTime())) {
            return List.of(chunk);
        }
        if (deleted.covers(chunk.minTime(), chunk.maxTime())) {
            return List.of();
        }
        if (chunk.encoding() == Encoding.AGGREGATE) {
            Chunk left = aggregate(chunk, deleted);
            return left == null ? List.of() : List.of(left);
        }
        return samples(chunk, deleted);
    }

    private static List<Chunk> samples(Chunk chunk, Intervals deleted) {
        List<Chunk> out = new ArrayList<>(1);
        ChunkAppender appender = keepsStartTimestamps(chunk.encoding())
                ? ChunkAppender.withStartTimestamps(Integer.MAX_VALUE, out::add)
                : ChunkAppender.plain(Integer.MAX_VALUE, out::add);
        if (chunk.encoding() == Encoding.XOR) {
            appender.append(floats(chunk, deleted));
            appender.cut();
            return out;
        }
        SampleCursor cursor = ChunkDecoder.cursor(chunk);
        for (SampleCursor.Kind kind = cursor.next(); kind != SampleCursor.Kind.END; kind = cursor.next()) {
            if (!deleted.contains(cursor.timestamp())) {
                appender.append(cursor, kind);
            }
        }
        appender.cut();
        return out;
    }

    private static SampleBuffer floats(Chunk chunk, Intervals deleted) {
        SampleBuffer b = new SampleBuffer(ChunkAppender.USUAL_SAMPLES);
        ChunkDecoder.decode(chunk, b);
        int n = 0;
        for (int i = 0; i < b.size; i++) {
            if (!deleted.contains(b.timestamps[i])) {
                b.timestamps[n] = b.timestamps[i];
                b.values[n] = b.values[i];
                n++;
            }
        }
        b.size = n;
        return b;
    }

    private static @Nullable Chunk aggregate(Chunk chunk, Intervals deleted) {
        AggregateChunk parts = AggregateChunk.parse(chunk);
        @Nullable
        Chunk[] left = new Chunk[5];
        long min = Long.MAX_VALUE;
        long max = Long.MIN_VALUE;
        for (AggregateChunk.Part part : AggregateChunk.Part.values()) {
            Chunk c = parts.part(part);
            if (c == null) {
                continue;
            }
            List<Chunk> samples = samples(c, deleted);
            if (samples.size() > 1) {
                throw new InvalidRequestException("samples of a downsampled chunk cannot be deleted where its histograms reset inside it");
            }
            if (!samples.isEmpty()) {
                Chunk kept = samples.getFirst();
                left[part.ordinal()] = kept;
                // A counter begins one raw sample early and repeats its last time: the windows are those of the other parts.
                if (part != AggregateChunk.Part.COUNTER || parts.part(AggregateChunk.Part.COUNT) == null) {
                    min = Math.min(min, kept.minTime());
                    max = Math.max(max, kept.maxTime());
                }
            }
        }
        return max < min ? null : AggregateChunk.of(left[0], left[1], left[2], left[3], left[4]).toChunk(min, max);
    }
}

package io.varve.store;

import io.grpc.Metadata;
import io.varve.chunk.Chunk;
import io.varve.chunk.ChunkAppender;
import io.varve.chunk.ChunkDecoder;
import io.varve.chunk.Encoding;
import io.varve.model.CorruptDataException;
import io.varve.model.SampleBuffer;
import io.varve.model.SampleCursor;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Whether the chunks of a Series call may have the encodings that keep start timestamps. The StoreAPI has no numbers for them: Thanos' queriers
 * fail on such a chunk, and leave its samples out without a word where they look for counter resets. varve's read them and say so in the metadata of their
 * calls, which peers that do not know it ignore; whoever does not say so is given the samples without their start timestamps, as plain chunks.
 */
final class ChunkEncodings {
    private static final Metadata.Key<String> READS = Metadata.Key.of("varve-start-timestamps", Metadata.ASCII_STRING_MARSHALLER);

    private ChunkEncodings() {
    }

    /** Notes in a call's headers that every encoding is read. */
    static void acceptAll(Metadata headers) {
        headers.put(READS, "1");
    }

    static boolean allAccepted(Metadata headers) {
        return headers.containsKey(READS);
    }

    /**
     * The series as every peer reads it: itself where no chunk keeps start timestamps.
     *
     * @throws CorruptDataException where a chunk that must be written anew cannot be read
     */
    static StoreSeries plain(StoreSeries series) {
        List<StoreChunk> chunks = series.chunks();
        for (int i = 0; i < chunks.size(); i++) {
            if (keepsStartTimestamps(chunks.get(i).raw())) {
                List<StoreChunk> out = new ArrayList<>(chunks.size() + 1);
                for (StoreChunk c : chunks) {
                    Chunk raw = c.raw();
                    if (raw != null && keepsStartTimestamps(raw)) {
                        plain(raw, out);
                    } else {
                        out.add(c);
                    }
                }
                return series.withChunks(out);
            }
        }
        return series;
    }

    private static boolean keepsStartTimestamps(@Nullable Chunk chunk) {
        return chunk != null && switch (chunk.encoding()) {
            case XOR2, HISTOGRAM_ST, FLOAT_HISTOGRAM_ST -> true;
            case XOR, HISTOGRAM, FLOAT_HISTOGRAM, AGGREGATE -> false;
        };
    }

    private static void plain(Chunk chunk, List<StoreChunk> out) {
        ChunkAppender appender = ChunkAppender.plain(Integer.MAX_VALUE, c -> out.add(StoreChunk.raw(c)));
        if (chunk.encoding() == Encoding.XOR2) {
            SampleBuffer floats = new SampleBuffer(ChunkAppender.USUAL_SAMPLES);
            ChunkDecoder.decode(chunk, floats);
            appender.append(floats);
        } else {
            SampleCursor cursor = ChunkDecoder.cursor(chunk);
            for (SampleCursor.Kind kind = cursor.next(); kind != SampleCursor.Kind.END; kind = cursor.next()) {
                appender.append(cursor, kind);
            }
        }
        appender.cut();
    }
}

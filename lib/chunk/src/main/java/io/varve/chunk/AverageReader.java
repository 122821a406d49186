package io.varve.chunk;

import io.varve.chunk.AggregateChunk.Part;
import io.varve.model.CorruptDataException;
import io.varve.model.FloatHistogram;
import io.varve.model.SampleBuffer;
import org.jspecify.annotations.Nullable;

/** Reads the averages of a downsampled chunk: sum through count, window by window. */
public final class AverageReader {
    private AverageReader() {
    }

    /**
     * Appends one sample per window.
     *
     * @throws CorruptDataException where an aggregate is missing, or count and sum have different times
     */
    public static void append(AggregateChunk chunk, SampleBuffer into) {
        @Nullable
        Chunk count = chunk.part(Part.COUNT);
        @Nullable
        Chunk sum = chunk.part(Part.SUM);
        if (count == null || sum == null) {
            throw new CorruptDataException("", -1,
                    "an average needs the aggregates count and sum, the chunk lacks " + (count == null ? "count" : "sum"));
        }
        SampleBuffer counts = new SampleBuffer(160);
        SampleBuffer sums = new SampleBuffer(160);
        ChunkDecoder.decode(count, counts);
        ChunkDecoder.decode(sum, sums);
        if (counts.size != sums.size) {
            throw new CorruptDataException("", -1,
                    "sum and count timestamps not aligned: " + sums.size + " sums, " + counts.size + " counts");
        }
        into.ensure(counts.size);
        for (int i = 0; i < counts.size; i++) {
            if (counts.timestamps[i] != sums.timestamps[i]) {
                throw new CorruptDataException("", -1,
                        "sum and count timestamps not aligned: " + sums.timestamps[i] + " and " + counts.timestamps[i]);
            }
            @Nullable
            FloatHistogram h = sums.histogram(i);
            if (h == null) {
                into.add(counts.timestamps[i], sums.values[i] / counts.values[i]);
            } else {
                into.add(counts.timestamps[i], h.dividedBy(counts.values[i]));
            }
        }
    }
}

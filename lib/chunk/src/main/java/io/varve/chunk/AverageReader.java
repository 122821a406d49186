package io.varve.chunk;

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
     * @param count the chunk's aggregate of that name
     * @param sum the chunk's aggregate of that name
     * @throws CorruptDataException where one of them cannot be read, or they have different times
     */
    public static void append(Chunk count, Chunk sum, SampleBuffer into) {
        SampleBuffer counts = new SampleBuffer(160);
        ChunkDecoder.decode(count, counts);
        int from = into.size;
        ChunkDecoder.decode(sum, into);
        if (into.size - from != counts.size) {
            throw new CorruptDataException("", -1,
                    "sum and count timestamps not aligned: " + (into.size - from) + " sums, " + counts.size + " counts");
        }
        for (int i = 0; i < counts.size; i++) {
            if (counts.timestamps[i] != into.timestamps[from + i]) {
                throw new CorruptDataException("", -1, "sum and count timestamps not aligned: " + into.timestamps[from + i] + " and "
                        + counts.timestamps[i]);
            }
            @Nullable
            FloatHistogram h = into.histogram(from + i);
            if (h == null) {
                into.values[from + i] /= counts.values[i];
            } else {
                into.histogramArray()[from + i] = h.dividedBy(counts.values[i]);
            }
        }
    }
}

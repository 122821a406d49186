package io.varve.chunk;

import io.varve.chunk.AggregateChunk.Part;
import io.varve.model.CorruptDataException;
import io.varve.model.FloatHistogram;
import io.varve.model.SampleBuffer;
import org.jspecify.annotations.Nullable;

/**
 * Reads a counter from chunks in order of time, raw ones and the counter aggregates of downsampled ones, so that it never falls: each sample is
 * the total since the first. A float counter aggregate begins with the first raw value and repeats, at its last time, the last raw value; so a
 * reset between two chunks is seen although each aggregate runs on over the resets inside it. Histograms pass as they are. Floats that are not
 * numbers, and samples that do not come after the one before, are left out. One thread, one series.
 */
public final class CounterReader {
    private final SampleBuffer scratch = new SampleBuffer(256);
    private boolean begun;
    private long lastTime;
    private double lastRaw;
    private double total;

    /** Before the first sample. */
    public CounterReader() {
    }

    /** The last raw value that is known, which is not the last total. */
    public double lastRaw() {
        return lastRaw;
    }

    /**
     * Appends a chunk's samples: of a downsampled one its counter aggregate, none where it has no such.
     *
     * @return how many
     * @throws CorruptDataException where the chunk cannot be read
     */
    public int append(Chunk chunk, SampleBuffer into) {
        Chunk samples = chunk;
        if (chunk.encoding() == Encoding.AGGREGATE) {
            @Nullable
            Chunk counter = AggregateChunk.parse(chunk).part(Part.COUNTER);
            if (counter == null) {
                return 0;
            }
            samples = counter;
        }
        scratch.clear();
        ChunkDecoder.decode(samples, scratch);
        int from = into.size;
        into.ensure(scratch.size);
        for (int i = 0; i < scratch.size; i++) {
            @Nullable
            FloatHistogram h = scratch.histogram(i);
            long t = scratch.timestamps[i];
            if (h != null) {
                if (!begun || t > lastTime) {
                    begun = true;
                    lastTime = t;
                    into.add(t, h);
                }
                continue;
            }
            double v = scratch.values[i];
            if (Double.isNaN(v)) {
                continue;
            }
            if (!begun) {
                begun = true;
                total = v;
            } else if (t > lastTime) {
                total += lastRaw <= v ? v - lastRaw : v;
            } else {
                if (t == lastTime) {
                    lastRaw = v;
                }
                continue;
            }
            lastTime = t;
            lastRaw = v;
            into.add(t, total);
        }
        return into.size - from;
    }
}

package io.varve.tsdb;

import io.varve.chunk.Chunk;
import io.varve.chunk.ChunkDecoder;
import io.varve.chunk.ChunkSeries;
import io.varve.chunk.ChunkSeriesSet;
import io.varve.chunk.Encoding;
import io.varve.model.FloatHistogram;
import io.varve.model.Labels;
import io.varve.model.SampleBuffer;
import java.util.Arrays;
import java.util.TreeMap;

/** Reads all that a block says, for comparison. */
final class BlockContent {
    private BlockContent() {
    }

    /** A digest of series, samples, label values and their postings, everything a reader can ask for. */
    static long digest(BlockReader block) {
        long h = 7;
        SampleBuffer b = new SampleBuffer(200);
        try (ChunkSeriesSet set = block.select(java.util.List.of(), Long.MIN_VALUE, Long.MAX_VALUE, false)) {
            for (ChunkSeries s = set.next(); s != null; s = set.next()) {
                h = h * 31 + s.labels().hashCode();
                for (Chunk c : s.chunks()) {
                    if (c.encoding() == Encoding.AGGREGATE) {
                        h = h * 31 + Arrays.hashCode(c.copyData());
                        continue;
                    }
                    b.clear();
                    ChunkDecoder.decode(c, b);
                    for (int i = 0; i < b.size; i++) {
                        h = h * 31 + b.timestamps[i];
                        FloatHistogram histogram = b.histogram(i);
                        h = h * 31 + (histogram == null ? Double.doubleToRawLongBits(b.values[i]) : digest(histogram));
                        h = h * 31 + (b.startTimestamps == null ? 0 : b.startTimestamps[i]);
                    }
                }
            }
        }
        for (String name : block.index().labelNames()) {
            for (String value : block.index().labelValues(name)) {
                h = h * 31 + (name + '\u0000' + value).hashCode();
                for (long id : block.index().postings(name, value).toArray()) {
                    h = h * 31 + id;
                }
            }
        }
        return h;
    }

    private static long digest(FloatHistogram f) {
        long h = f.hint().name().hashCode();
        h = h * 31 + f.schema();
        h = h * 31 + Double.doubleToRawLongBits(f.zeroThreshold());
        h = h * 31 + Double.doubleToRawLongBits(f.zeroCount());
        h = h * 31 + Double.doubleToRawLongBits(f.count());
        h = h * 31 + Double.doubleToRawLongBits(f.sum());
        h = h * 31 + f.positiveSpans().hashCode();
        h = h * 31 + Arrays.hashCode(f.positiveBuckets());
        h = h * 31 + f.negativeSpans().hashCode();
        h = h * 31 + Arrays.hashCode(f.negativeBuckets());
        return h * 31 + Arrays.hashCode(f.customValues());
    }

    /** Float samples by series and time. */
    static TreeMap<Labels, TreeMap<Long, Double>> samples(BlockReader block) {
        TreeMap<Labels, TreeMap<Long, Double>> out = new TreeMap<>();
        SampleBuffer b = new SampleBuffer(200);
        try (ChunkSeriesSet set = block.select(java.util.List.of(), Long.MIN_VALUE, Long.MAX_VALUE, false)) {
            for (ChunkSeries s = set.next(); s != null; s = set.next()) {
                TreeMap<Long, Double> series = new TreeMap<>();
                b.clear();
                s.chunks().forEach(c -> ChunkDecoder.decode(c, b));
                for (int i = 0; i < b.size; i++) {
                    series.put(b.timestamps[i], b.values[i]);
                }
                out.put(s.labels(), series);
            }
        }
        return out;
    }
}

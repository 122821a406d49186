package io.varve.tsdb;

import io.varve.chunk.Chunk;
import io.varve.chunk.ChunkDecoder;
import io.varve.chunk.ChunkSeries;
import io.varve.chunk.ChunkSeriesSet;
import io.varve.model.FloatHistogram;
import io.varve.model.Labels;
import io.varve.model.Matcher;
import io.varve.model.QueryContext;
import io.varve.model.SampleBuffer;
import io.varve.model.SelectHints;
import io.varve.model.Series;
import io.varve.model.SeriesSet;
import io.varve.model.SeriesSource;
import io.varve.model.TimeRange;
import io.varve.model.WindowEnds;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Open blocks as a source of series, for tools and tests of the engine: raw blocks, equal series merged, of several samples at one
 * time that of the earlier chunk. Does not own the blocks. Safe for many threads.
 */
public final class LocalBlocks implements SeriesSource {
    private final List<BlockReader> blocks;

    /** Over these blocks, which must stay open. */
    public LocalBlocks(List<BlockReader> blocks) {
        this.blocks = List.copyOf(blocks);
    }

    @Override
    public SeriesSet select(QueryContext context, SelectHints hints, List<Matcher> matchers) {
        TimeRange range = hints.range();
        List<ChunkSeriesSet> sets = new ArrayList<>();
        for (BlockReader b : blocks) {
            if (b.meta().overlaps(range.min(), range.max())) {
                sets.add(b.select(matchers, range.min(), range.max(), false));
            }
        }
        // Chunks are only gathered here: samples are merged once they are decoded.
        MergedChunkSeriesSet merged = new MergedChunkSeriesSet(sets, (labels, chunks) -> chunks);
        return new SeriesSet() {
            @Override
            public @Nullable Series next() {
                context.check();
                ChunkSeries s = merged.next();
                return s == null ? null : new Encoded(s, range, hints.labels().of(s.labels()));
            }

            @Override
            public void close() {
                merged.close();
            }
        };
    }

    /** A series that decodes when it is asked. */
    private record Encoded(ChunkSeries series, TimeRange range, Labels labels) implements Series {
        @Override
        public void read(SampleBuffer into) {
            int start = into.size;
            List<Chunk> chunks = new ArrayList<>(series.chunks());
            chunks.sort(Comparator.comparingLong(Chunk::minTime));
            WindowEnds ends = into.windowEnds;
            if (overlap(chunks)) {
                // Samples get other neighbours than they have in their chunks.
                into.windowEnds = null;
            }
            try {
                for (Chunk c : chunks) {
                    int from = into.size;
                    ChunkDecoder.decode(c, range.min(), range.max(), into);
                    if (from > start && into.size > from && into.timestamps[from] <= into.timestamps[from - 1]) {
                        mergeRuns(into, start, from);
                    }
                }
            } finally {
                into.windowEnds = ends;
            }
        }

        private static boolean overlap(List<Chunk> chunks) {
            long end = Long.MIN_VALUE;
            for (Chunk c : chunks) {
                if (c.minTime() <= end) {
                    return true;
                }
                end = Math.max(end, c.maxTime());
            }
            return false;
        }

        @Override
        public long encodedBytes() {
            return series.chunks().stream().mapToLong(Chunk::length).sum();
        }
    }

    /** Two runs of rising times become one; at equal times the first run's sample stays. */
    private static void mergeRuns(SampleBuffer b, int start, int middle) {
        int end = b.size;
        long[] times = Arrays.copyOfRange(b.timestamps, start, end);
        double[] values = Arrays.copyOfRange(b.values, start, end);
        @Nullable
        FloatHistogram[] histograms = b.histograms == null ? null : Arrays.copyOfRange(b.histograms, start, end);
        long[] starts = b.startTimestamps == null ? null : Arrays.copyOfRange(b.startTimestamps, start, end);
        int split = middle - start;
        int i = 0;
        int j = split;
        int o = start;
        while (i < split || j < times.length) {
            boolean first = j >= times.length || i < split && times[i] <= times[j];
            int k = first ? i++ : j++;
            if (first && j < times.length && times[j] == times[k]) {
                j++;
            }
            b.timestamps[o] = times[k];
            b.values[o] = values[k];
            if (histograms != null) {
                b.histogramArray()[o] = histograms[k];
            }
            if (starts != null) {
                b.startTimestampArray()[o] = starts[k];
            }
            o++;
        }
        b.size = o;
    }
}

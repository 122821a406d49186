package io.varve.tsdb;

import io.varve.model.Labels;
import io.varve.tsdb.index.IndexReader;
import io.varve.tsdb.index.Postings;
import io.varve.tsdb.index.SeriesEntry;
import org.jspecify.annotations.Nullable;

/**
 * What an index says of its chunks, without reading one: what a compactor looks at before it trusts a block, counted as Thanos
 * counts it.
 *
 * @param series all series
 * @param chunks all chunks
 * @param outOfOrderSeries series with chunks that are out of order
 * @param outOfOrderChunks chunks that begin before the one before has ended, without being its duplicate
 * @param duplicatedChunks chunks with the same times as the one before
 * @param outsideChunks chunks that are partly or wholly outside the block's range, its end counted as inside
 * @param completeOutsideChunks those that are wholly outside
 * @param issue347OutsideChunks those of {@code outsideChunks} that begin exactly at the end of the range: an old fault of Prometheus
 * @param outOfOrderLabels labels that sort before the one before
 * @param unsortedSeries series that do not sort after the one before
 * @param emptySeries series without labels or without chunks
 * @param sizes greatest sizes, as far as the index alone tells
 */
public record IndexHealth(long series, long chunks, long outOfOrderSeries, long outOfOrderChunks, long duplicatedChunks, long outsideChunks,
        long completeOutsideChunks, long issue347OutsideChunks, long outOfOrderLabels, long unsortedSeries, long emptySeries,
        BlockMeta.IndexStats sizes) {

    /** Reads all series of the block's index. */
    public static IndexHealth of(BlockReader block) {
        return of(block.index(), block.meta().minTime(), block.meta().maxTime());
    }

    /** Reads all series of an index whose block has the range {@code [minTime, maxTime)}. */
    public static IndexHealth of(IndexReader index, long minTime, long maxTime) {
        Scan s = new Scan(index, minTime, maxTime);
        Postings all = index.allPostings();
        for (long id = all.next(); id != Postings.NO_MORE; id = all.next()) {
            s.series(id);
        }
        return new IndexHealth(s.series, s.chunks, s.outOfOrderSeries, s.outOfOrderChunks, s.duplicated, s.outside, s.completeOutside,
                s.issue347, s.outOfOrderLabels, s.unsorted, s.empty, new BlockMeta.IndexStats(s.maxSeries, s.maxChunk));
    }

    private static final class Scan {
        private final IndexReader index;
        private final long minTime;
        private final long maxTime;
        private final SeriesEntry e = new SeriesEntry();
        private final boolean byReference;
        private final int symbols;
        private @Nullable Labels previousTexts;
        /** Of the series before: references of names and values in turn. */
        private int[] previous = new int[32];
        private int previousLabels;
        private long previousId = -1;
        long series;
        long chunks;
        long outOfOrderSeries;
        long outOfOrderChunks;
        long duplicated;
        long outside;
        long completeOutside;
        long issue347;
        long outOfOrderLabels;
        long unsorted;
        long empty;
        long maxSeries;
        long maxChunk;

        Scan(IndexReader index, long minTime, long maxTime) {
            this.index = index;
            this.minTime = minTime;
            this.maxTime = maxTime;
            this.symbols = index.symbols().size();
            this.byReference = index.version() != 1 && index.symbols().isSorted();
        }

        void series(long id) {
            index.series(id, e);
            series++;
            if (previousId >= 0) {
                maxSeries = Math.max(maxSeries, index.seriesOffset(id) - index.seriesOffset(previousId));
            }
            previousId = id;
            checkOrder();
            for (int i = 1; i < e.labelCount; i++) {
                if (Integer.compareUnsigned(e.names[i], e.names[i - 1]) < 0) {
                    outOfOrderLabels++;
                }
            }
            if (e.labelCount == 0 || e.chunkCount == 0) {
                empty++;
            }
            chunks();
        }

        private void checkOrder() {
            boolean known = byReference;
            for (int i = 0; known && i < e.labelCount; i++) {
                known = (e.names[i] & 0xFFFFFFFFL) < symbols && (e.values[i] & 0xFFFFFFFFL) < symbols;
            }
            if (known) {
                if (series > 1 && compareToPrevious() <= 0) {
                    unsorted++;
                }
                remember();
                return;
            }
            // An unknown symbol is a fault of its own; texts are needed where references are not in their order.
            Labels labels = index.labels(e);
            if (previousTexts != null && previousTexts.compareTo(labels) >= 0) {
                unsorted++;
            }
            previousTexts = labels;
        }

        private int compareToPrevious() {
            int n = Math.min(previousLabels, e.labelCount);
            for (int i = 0; i < n; i++) {
                if (e.names[i] != previous[2 * i]) {
                    return Integer.compareUnsigned(e.names[i], previous[2 * i]);
                }
                if (e.values[i] != previous[2 * i + 1]) {
                    return Integer.compareUnsigned(e.values[i], previous[2 * i + 1]);
                }
            }
            return e.labelCount - previousLabels;
        }

        private void remember() {
            if (previous.length < 2 * e.labelCount) {
                previous = new int[2 * e.labelCount];
            }
            for (int i = 0; i < e.labelCount; i++) {
                previous[2 * i] = e.names[i];
                previous[2 * i + 1] = e.values[i];
            }
            previousLabels = e.labelCount;
        }

        private void chunks() {
            long disordered = 0;
            for (int i = 0; i < e.chunkCount; i++) {
                chunks++;
                long min = e.minTimes[i];
                long max = e.maxTimes[i];
                if (i + 1 < e.chunkCount && ChunkEntry.segment(e.refs[i]) == ChunkEntry.segment(e.refs[i + 1])) {
                    maxChunk = Math.max(maxChunk, e.refs[i + 1] - e.refs[i]);
                }
                if (min < minTime || max > maxTime) {
                    outside++;
                    if (min > maxTime || max < minTime) {
                        completeOutside++;
                    } else if (min == maxTime) {
                        issue347++;
                    }
                }
                if (i == 0 || min > e.maxTimes[i - 1]) {
                    continue;
                }
                if (min == e.minTimes[i - 1] && max == e.maxTimes[i - 1]) {
                    duplicated++;
                } else {
                    disordered++;
                }
            }
            if (disordered > 0) {
                outOfOrderSeries++;
                outOfOrderChunks += disordered;
            }
        }
    }
}

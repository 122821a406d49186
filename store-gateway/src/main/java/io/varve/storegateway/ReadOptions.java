package io.varve.storegateway;

/**
 * How reads are sized; all from flags.
 *
 * @param keptSeries a block with at most so many series keeps them decoded
 * @param seriesBatch series that a block decodes at a time at most
 * @param estimatedSeriesBytes how long a series entry is taken to be where the block does not say
 * @param estimatedChunkBytes how long a chunk is taken to be where nothing says
 * @param lazyPostings whether large postings lists are left out where looking at the series is cheaper
 * @param keySeriesRatio lists per matched series above which a group is left out, 0 = no bound
 * @param batchShare bytes that all batches of one request hold together, roughly
 */
record ReadOptions(int keptSeries, int seriesBatch, int estimatedSeriesBytes, int estimatedChunkBytes, boolean lazyPostings,
        double keySeriesRatio,
        long batchShare) {
    /** Blocks with so few series keep them decoded. */
    static final int KEPT = 2048;
    static final ReadOptions DEFAULT = new ReadOptions(KEPT, 10_000, 64 << 10, 16_000, false, 100, 32 << 20);
}

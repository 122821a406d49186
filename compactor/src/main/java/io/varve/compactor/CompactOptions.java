package io.varve.compactor;

import io.varve.block.BlockUploader;
import java.nio.file.Path;
import java.time.Duration;

/**
 * What the compactor is told; the flags of the same names say more.
 *
 * @param dataDirectory for downloads and results
 * @param consistencyDelay how old uploads must be
 * @param deleteDelay how old deletion marks must be
 * @param retention how long blocks are kept
 * @param downsampling whether to downsample
 * @param compactionConcurrency groups at a time
 * @param fetchConcurrency blocks of one compaction downloaded at a time
 * @param filesConcurrency files of one block at a time
 * @param downsampleConcurrency blocks at a time
 * @param maxLevel steps of the ladder
 * @param maxIndexBytes the greatest index that is wanted
 * @param vertical whether blocks may overlap
 * @param penalty whether overlaps are merged as the querier merges replicas
 * @param skipOutOfOrder whether blocks with chunks out of order are marked and left out
 * @param acceptMalformedIndex whether labels may be out of order
 * @param hash what is recorded of uploaded files
 */
record CompactOptions(Path dataDirectory, Duration consistencyDelay, Duration deleteDelay, RetentionRules retention, boolean downsampling,
        int compactionConcurrency, int fetchConcurrency, int filesConcurrency, int downsampleConcurrency, int maxLevel, long maxIndexBytes,
        boolean vertical,
        boolean penalty, boolean skipOutOfOrder, boolean acceptMalformedIndex, BlockUploader.Hash hash) {
    /** Thanos' defaults. */
    static CompactOptions defaults(Path dataDirectory) {
        return new CompactOptions(dataDirectory, Duration.ofMinutes(30), Duration.ofHours(48),
                new RetentionRules(Duration.ZERO, Duration.ZERO, Duration.ZERO), true, 1, 1, 1, 1, 4, 64L << 30, false, false, false, false,
                BlockUploader.Hash.NONE);
    }

    CompactOptions withDelays(Duration consistency, Duration delete) {
        return new CompactOptions(dataDirectory, consistency, delete, retention, downsampling, compactionConcurrency, fetchConcurrency,
                filesConcurrency,
                downsampleConcurrency, maxLevel, maxIndexBytes, vertical, penalty, skipOutOfOrder, acceptMalformedIndex, hash);
    }

    CompactOptions withVertical(boolean overlaps, boolean byPenalty) {
        return new CompactOptions(dataDirectory, consistencyDelay, deleteDelay, retention, downsampling, compactionConcurrency,
                fetchConcurrency,
                filesConcurrency, downsampleConcurrency, maxLevel, maxIndexBytes, overlaps, byPenalty, skipOutOfOrder, acceptMalformedIndex,
                hash);
    }

    CompactOptions withRetention(RetentionRules rules) {
        return new CompactOptions(dataDirectory, consistencyDelay, deleteDelay, rules, downsampling, compactionConcurrency,
                fetchConcurrency,
                filesConcurrency, downsampleConcurrency, maxLevel, maxIndexBytes, vertical, penalty, skipOutOfOrder, acceptMalformedIndex,
                hash);
    }

    /**
     * How many threads work on the series of one block, so that all processors are busy.
     *
     * @param blocks how many blocks are worked on at a time
     */
    int seriesThreads(int blocks) {
        return Math.max(1, (Runtime.getRuntime().availableProcessors() + blocks - 1) / blocks);
    }
}

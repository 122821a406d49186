package io.varve.compactor;

import io.varve.tsdb.BlockMeta;
import java.time.Duration;

/**
 * How long blocks of each resolution are kept, zero for ever.
 *
 * @param raw of raw data
 * @param fiveMinutes of 5 minutes
 * @param oneHour of an hour
 */
public record RetentionRules(Duration raw, Duration fiveMinutes, Duration oneHour) {
    /** The rule for a block, zero where it is kept for ever. */
    Duration of(BlockMeta meta) {
        long resolution = meta.resolutionMillis();
        return resolution == 0
                ? raw
                : resolution == DownsamplingPlanner.FIVE_MINUTES
                        ? fiveMinutes
                        : resolution == DownsamplingPlanner.ONE_HOUR ? oneHour : Duration.ZERO;
    }

    /** Whether the block has outlived its rule; its end counts in whole seconds. */
    public boolean exceeded(BlockMeta meta, long nowMillis) {
        Duration keep = of(meta);
        return !keep.isZero() && nowMillis > Math.floorDiv(meta.maxTime(), 1000) * 1000 + keep.toMillis();
    }

    /** A duration as Go prints it: {@code 528h0m0s}. */
    static String go(Duration d) {
        return d.toHours() + "h" + d.toMinutesPart() + "m" + d.toSecondsPart() + "s";
    }
}

package io.varve.compactor;

import io.varve.tsdb.BlockMeta;
import io.varve.tsdb.Ulid;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** Chooses the blocks to downsample: raw ones of 40 h or more to 5 minutes, those of 10 days or more to an hour. A pure function of the metas. */
public final class DownsamplingPlanner {
    /** The resolution of the first level. */
    public static final long FIVE_MINUTES = 300_000;
    /** The resolution of the second level. */
    public static final long ONE_HOUR = 3_600_000;
    /** Shorter raw blocks are not downsampled: they would give less than two chunks per series. */
    public static final long MIN_RAW_RANGE_MILLIS = 40 * 3_600_000L;
    /** Shorter blocks of 5 minutes are not downsampled. */
    public static final long MIN_FIVE_MINUTES_RANGE_MILLIS = 10 * 86_400_000L;

    private DownsamplingPlanner() {
    }

    /**
     * A block to downsample.
     *
     * @param block which
     * @param resolutionMillis to which resolution
     */
    public record Task(BlockMeta block, long resolutionMillis) {
    }

    /** Tasks by minTime. A block whose sources are all at the next resolution already, in whichever blocks, is done. */
    public static List<Task> plan(Collection<BlockMeta> metas, Set<Ulid> excluded) {
        Set<Ulid> fiveMinutes = new HashSet<>();
        Set<Ulid> oneHour = new HashSet<>();
        for (BlockMeta m : metas) {
            if (m.resolutionMillis() == FIVE_MINUTES) {
                fiveMinutes.addAll(m.compaction().sources());
            } else if (m.resolutionMillis() == ONE_HOUR) {
                oneHour.addAll(m.compaction().sources());
            }
        }
        List<Task> tasks = new ArrayList<>();
        for (BlockMeta m : metas.stream().sorted(CompactionPlanner.BY_MIN_TIME).toList()) {
            long range = m.maxTime() - m.minTime();
            if (excluded.contains(m.ulid())) {
                continue;
            }
            if (m.resolutionMillis() == 0 && range >= MIN_RAW_RANGE_MILLIS && !fiveMinutes.containsAll(m.compaction().sources())) {
                tasks.add(new Task(m, FIVE_MINUTES));
            } else if (m.resolutionMillis() == FIVE_MINUTES && range >= MIN_FIVE_MINUTES_RANGE_MILLIS
                    && !oneHour.containsAll(m.compaction().sources())) {
                tasks.add(new Task(m, ONE_HOUR));
            }
        }
        return tasks;
    }
}

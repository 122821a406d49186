package io.varve.compactor;

import io.varve.tsdb.BlockMeta;
import io.varve.tsdb.Ulid;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.ToLongFunction;

/**
 * Chooses the blocks of one stream and resolution that are compacted next, as Thanos does: overlapping ones first; else the first aligned
 * window of the smallest range (2 h, 8 h, 2 d, 14 d) that is full or lies in the past; else one large block with many tombstones. The newest
 * block is left alone, because more of its window may still come.
 *
 * <p>
 * A pure function of the metas: the same bucket gives the same plan.
 */
public final class CompactionPlanner {
    /** Milliseconds; the first is never compacted into, it is the size that is taken for granted. */
    public static final List<Long> RANGES_MILLIS = List.of(3_600_000L, 7_200_000L, 28_800_000L, 172_800_000L, 1_209_600_000L);
    /** The reason of a marker for blocks whose indexes together would be too large. */
    static final String INDEX_SIZE_EXCEEDING = "index-size-exceeding";
    /** The reason of a marker for downsampled blocks that overlap. */
    static final String DOWNSAMPLE_VERTICAL = "downsample-vertical-compaction";
    /** Order of planning. */
    static final Comparator<BlockMeta> BY_MIN_TIME = Comparator.comparingLong(BlockMeta::minTime).thenComparing(BlockMeta::ulid);
    private static final double INDEX_HEADROOM = 0.85;
    private static final double MANY_TOMBSTONES = 0.05;

    /**
     * A block that the planner found must be left out of compaction, to be marked so.
     *
     * @param block which
     * @param reason for the marker
     * @param details in words
     */
    public record Exclusion(BlockMeta block, String reason, String details) {
    }

    /**
     * What to do next with a stream.
     *
     * @param blocks to be compacted into one, by minTime; none: nothing to do
     * @param exclusions blocks to be marked first
     */
    public record Plan(List<BlockMeta> blocks, List<Exclusion> exclusions) {
        /** Copies the lists. */
        public Plan {
            blocks = List.copyOf(blocks);
            exclusions = List.copyOf(exclusions);
        }
    }

    private final List<Long> ranges;

    /** @param maxLevel how many steps of the ladder are used, 0 to 4 */
    public CompactionPlanner(int maxLevel) {
        if (maxLevel < 0 || maxLevel >= RANGES_MILLIS.size()) {
            throw new IllegalArgumentException("compaction level must be between 0 and " + (RANGES_MILLIS.size() - 1) + ", is " + maxLevel);
        }
        this.ranges = RANGES_MILLIS.subList(0, maxLevel + 1);
    }

    /**
     * Plans without looking at sizes or resolutions.
     *
     * @param metas of one stream and resolution; of those that begin together the order is kept
     * @param excluded marked not to be compacted
     */
    public List<BlockMeta> plan(Collection<BlockMeta> metas, Set<Ulid> excluded) {
        List<BlockMeta> sorted = metas.stream().sorted(Comparator.comparingLong(BlockMeta::minTime)).toList();
        List<BlockMeta> included = sorted.stream().filter(m -> !excluded.contains(m.ulid())).toList();
        List<BlockMeta> overlapping = overlapping(included);
        if (!overlapping.isEmpty() || sorted.isEmpty()) {
            return overlapping;
        }
        if (!excluded.contains(sorted.getLast().ulid())) {
            included = included.subList(0, included.size() - 1);
        }
        List<BlockMeta> window = window(sorted.subList(0, sorted.size() - 1), excluded);
        return window.isEmpty() ? tombstones(included) : window;
    }

    /**
     * Plans so that the indexes of the planned blocks together stay below a limit, with headroom.
     *
     * @param indexSize bytes of a block's index
     * @param limitBytes the greatest index that is wanted
     * @param vertical whether blocks may overlap: downsampled blocks that do are then excluded, as they cannot be merged
     */
    public Plan plan(Collection<BlockMeta> metas, Set<Ulid> excluded, ToLongFunction<BlockMeta> indexSize, long limitBytes,
            boolean vertical) {
        Set<Ulid> out = new HashSet<>(excluded);
        List<Exclusion> exclusions = new ArrayList<>();
        while (true) {
            List<BlockMeta> plan = plan(metas, out);
            List<Exclusion> more = new ArrayList<>();
            if (vertical && !overlapping(plan).isEmpty()) {
                for (BlockMeta m : plan) {
                    if (m.resolutionMillis() != 0) {
                        more.add(new Exclusion(m, DOWNSAMPLE_VERTICAL,
                                "downsampled block overlaps others and cannot be part of a vertical compaction"));
                    }
                }
            }
            if (more.isEmpty()) {
                more.addAll(tooLarge(plan, indexSize, limitBytes));
            }
            if (more.isEmpty()) {
                return new Plan(plan, exclusions);
            }
            more.forEach(e -> out.add(e.block.ulid()));
            exclusions.addAll(more);
        }
    }

    private static List<Exclusion> tooLarge(List<BlockMeta> plan, ToLongFunction<BlockMeta> indexSize, long limitBytes) {
        long total = 0;
        long biggest = Long.MIN_VALUE;
        BlockMeta biggestBlock = null;
        for (BlockMeta m : plan) {
            long size = indexSize.applyAsLong(m);
            if (size > biggest) {
                biggest = size;
                biggestBlock = m;
            }
            total += size;
            if (total >= (long) (limitBytes * INDEX_HEADROOM) && biggestBlock != null) {
                return List.of(new Exclusion(biggestBlock, INDEX_SIZE_EXCEEDING,
                        "total compacted block's index size could exceed " + limitBytes + " bytes; its index has " + biggest));
            }
        }
        return List.of();
    }

    /** The first run of blocks each of which begins before all before it have ended; none where no two overlap. */
    static List<BlockMeta> overlapping(List<BlockMeta> byMinTime) {
        List<BlockMeta> run = new ArrayList<>();
        long end = Long.MIN_VALUE;
        for (int i = 1; i < byMinTime.size(); i++) {
            end = Math.max(end, byMinTime.get(i - 1).maxTime());
            if (byMinTime.get(i).minTime() < end) {
                if (run.isEmpty()) {
                    run.add(byMinTime.get(i - 1));
                }
                run.add(byMinTime.get(i));
            } else if (!run.isEmpty()) {
                break;
            }
        }
        return run;
    }

    private List<BlockMeta> window(List<BlockMeta> metas, Set<Ulid> excluded) {
        if (ranges.size() < 2 || metas.isEmpty()) {
            return List.of();
        }
        long newest = metas.getLast().minTime();
        for (long range : ranges.subList(1, ranges.size())) {
            for (List<BlockMeta> part : windows(metas, range)) {
                if (part.size() < 2 || part.stream().anyMatch(m -> m.compaction().failed())) {
                    continue;
                }
                long end = part.getLast().maxTime();
                // Full, perhaps with gaps; or no block of this window can come any more.
                if (end - part.getFirst().minTime() != range && end > newest) {
                    continue;
                }
                List<BlockMeta> piece = firstPiece(part, excluded);
                if (!piece.isEmpty()) {
                    return piece;
                }
            }
        }
        return List.of();
    }

    /** Excluded blocks divide a window, so that no block is made that spans one of them. */
    private static List<BlockMeta> firstPiece(List<BlockMeta> part, Set<Ulid> excluded) {
        int from = 0;
        for (int i = 0; i <= part.size(); i++) {
            if (i == part.size() || excluded.contains(part.get(i).ulid())) {
                if (i - from > 1) {
                    return part.subList(from, i);
                }
                from = i + 1;
            }
        }
        return List.of();
    }

    /** Blocks by the aligned windows that they lie in; those that lie in none are left out. */
    static List<List<BlockMeta>> windows(List<BlockMeta> byMinTime, long range) {
        List<List<BlockMeta>> windows = new ArrayList<>();
        int i = 0;
        while (i < byMinTime.size()) {
            long end = Math.floorDiv(byMinTime.get(i).minTime(), range) * range + range;
            if (byMinTime.get(i).maxTime() > end) {
                i++;
                continue;
            }
            int from = i;
            while (i < byMinTime.size() && byMinTime.get(i).maxTime() <= end) {
                i++;
            }
            windows.add(byMinTime.subList(from, i));
        }
        return windows;
    }

    private List<BlockMeta> tombstones(List<BlockMeta> byMinTime) {
        for (BlockMeta m : byMinTime.reversed()) {
            if (m.maxTime() - m.minTime() < ranges.get(ranges.size() / 2)) {
                break;
            }
            if ((double) m.stats().tombstones() / (m.stats().series() + 1) > MANY_TOMBSTONES) {
                return List.of(m);
            }
        }
        return List.of();
    }
}

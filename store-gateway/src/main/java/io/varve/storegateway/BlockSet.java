package io.varve.storegateway;

import io.varve.model.Labels;
import io.varve.model.Matcher;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Predicate;

/** The blocks of one stream, by resolution and time. Immutable. */
final class BlockSet {
    private final Labels labels;
    /** Coarsest first. */
    private final List<Level> levels;

    private record Level(long resolution, List<GatewayBlock> blocks) {
    }

    BlockSet(Labels labels, List<GatewayBlock> blocks) {
        this.labels = labels;
        TreeMap<Long, List<GatewayBlock>> byResolution = new TreeMap<>(Comparator.reverseOrder());
        blocks.forEach(b -> byResolution.computeIfAbsent(b.meta().resolutionMillis(), k -> new ArrayList<>()).add(b));
        List<Level> out = new ArrayList<>();
        byResolution.forEach((resolution, list) -> {
            list.sort(Comparator.comparingLong((GatewayBlock b) -> b.meta().minTime()).thenComparing(b -> b.meta().maxTime())
                    .thenComparing(GatewayBlock::id));
            out.add(new Level(resolution, List.copyOf(list)));
        });
        this.levels = List.copyOf(out);
    }

    /** The stream's external labels. */
    Labels labels() {
        return labels;
    }

    /** All blocks. */
    List<GatewayBlock> all() {
        return levels.stream().flatMap(l -> l.blocks.stream()).toList();
    }

    /** The matchers that are left for series of this stream, empty where its external labels do not match. */
    Optional<List<Matcher>> remaining(List<Matcher> matchers) {
        List<Matcher> out = new ArrayList<>();
        for (Matcher m : matchers) {
            if (!labels.has(m.name())) {
                out.add(m);
            } else if (!m.matches(labels.get(m.name()))) {
                return Optional.empty();
            }
        }
        return Optional.of(out);
    }

    /**
     * The blocks for a span of time: the coarsest resolution that is allowed, and where it has a gap the next finer one.
     *
     * @param minTime first millisecond
     * @param maxTime last
     * @param maxResolution coarsest resolution allowed
     * @param wanted which blocks may be used; others count as covering their time all the same
     */
    List<GatewayBlock> select(long minTime, long maxTime, long maxResolution, Predicate<GatewayBlock> wanted) {
        Set<GatewayBlock> out = new LinkedHashSet<>();
        int first = 0;
        while (first < levels.size() && levels.get(first).resolution > maxResolution) {
            first++;
        }
        fill(levels, first, minTime, maxTime, wanted, out);
        return List.copyOf(out);
    }

    /**
     * The blocks that names and values are asked of: the finest resolution, and where it has a gap the next coarser one, so that what only
     * downsampled blocks still have is named too. Where the span ends before it begins: those that hold both ends, as Thanos has it.
     *
     * @param minTime first millisecond
     * @param maxTime last
     * @param wanted which blocks may be used; others do not cover their time
     */
    List<GatewayBlock> finest(long minTime, long maxTime, Predicate<GatewayBlock> wanted) {
        if (minTime > maxTime) {
            return all().stream().filter(b -> b.meta().minTime() <= maxTime && minTime < b.meta().maxTime()).filter(wanted).toList();
        }
        List<Level> left = new ArrayList<>();
        for (Level l : levels.reversed()) {
            left.add(new Level(l.resolution, l.blocks.stream().filter(wanted).toList()));
        }
        Set<GatewayBlock> out = new LinkedHashSet<>();
        fill(left, 0, minTime, maxTime, b -> true, out);
        return List.copyOf(out);
    }

    /** Takes the blocks of a level, and where they leave a gap those of the levels after it. */
    private static void fill(List<Level> levels, int level, long minTime, long maxTime, Predicate<GatewayBlock> wanted,
            Set<GatewayBlock> out) {
        if (minTime > maxTime || level >= levels.size()) {
            return;
        }
        long start = minTime;
        for (GatewayBlock b : levels.get(level).blocks) {
            if (b.meta().maxTime() <= minTime) {
                continue;
            }
            if (b.meta().minTime() > maxTime) {
                break;
            }
            if (start < b.meta().minTime()) {
                fill(levels, level + 1, start, b.meta().minTime() - 1, wanted, out);
            }
            if (wanted.test(b)) {
                out.add(b);
            }
            start = Math.max(start, b.meta().maxTime());
        }
        fill(levels, level + 1, start, maxTime, wanted, out);
    }
}

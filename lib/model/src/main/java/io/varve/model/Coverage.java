package io.varve.model;

import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * What went into an answer and what is missing: which stores were expected to have data and what became of each, and which blocks this
 * process read itself. A store that says what its own answer is made of ({@link #below}) is shown with it, so that the report of a querier over
 * queriers reaches down to the blocks. Safe for many threads.
 */
public final class Coverage {
    /** How it went with one store, from good to bad. */
    public enum Outcome {
        /** Answered in full. */
        ANSWERED,
        /** Answered with warnings or in part. */
        PARTIAL,
        /** Was asked and did not answer. */
        FAILED,
        /** Should be there and was not even asked, since it does not say what it has. */
        MISSING
    }

    /**
     * One call's part; a store may be called more than once for an answer.
     *
     * @param store its address or name
     * @param outcome how it went
     * @param minTime first millisecond it says it has
     * @param maxTime last millisecond it says it has
     * @param series series it sent
     * @param detail why it failed or what it warned, "" for nothing
     * @param replicas values of the replica labels in what it sent, where these are known
     * @param resolutions resolutions (ms, 0 = raw) of the chunks it sent
     */
    public record Part(String store, Outcome outcome, long minTime, long maxTime, long series, String detail, Collection<String> replicas,
            Collection<Long> resolutions) {
        /** A part without samples. */
        public Part(String store, Outcome outcome, long minTime, long maxTime, long series, String detail) {
            this(store, outcome, minTime, maxTime, series, detail, List.of(), List.of());
        }
    }

    /** A block that was read, and its resolution in milliseconds (0 = raw). */
    public record Block(String id, long resolutionMillis) {
    }

    /**
     * All parts of one store as one.
     *
     * @param outcome the worst of its parts; PARTIAL at least where its own report is not complete
     * @param below what it says of its own answer; {@link Report#EMPTY} where it says nothing
     */
    public record Store(String address, Outcome outcome, long minTime, long maxTime, long series, List<String> replicas,
            List<Long> resolutions, String detail, Report below) {
    }

    /**
     * The whole report at one moment.
     *
     * @param complete whether nothing is known to be missing, here or further down
     * @param blocks blocks that the reporting process read itself
     * @param leftOut how many blocks or details did not fit where the report was cut to travel
     */
    public record Report(boolean complete, List<Store> stores, List<Block> blocks, long leftOut) {
        /** Says nothing. */
        public static final Report EMPTY = new Report(true, List.of(), List.of(), 0);

        /** Whether it says nothing. */
        public boolean isEmpty() {
            return stores.isEmpty() && blocks.isEmpty() && complete && leftOut == 0;
        }

        /** The distinct blocks that were read, here or further down. */
        public Set<Block> allBlocks() {
            Set<Block> out = new TreeSet<>(
                    java.util.Comparator.comparing(Block::id).thenComparingLong(Block::resolutionMillis));
            out.addAll(blocks);
            stores.forEach(s -> out.addAll(s.below.allBlocks()));
            return out;
        }
    }

    private final List<Part> parts = new ArrayList<>();
    private final Map<String, Long> blocks = new TreeMap<>();
    private final Map<String, List<Report>> below = new LinkedHashMap<>();

    /** Adds one call's part. */
    public synchronized void add(Part part) {
        parts.add(part);
    }

    /** Adds a block that this process read. */
    public synchronized void block(Block block) {
        blocks.put(block.id, block.resolutionMillis);
    }

    /** Adds what a store says of its own answer. */
    public synchronized void below(String store, Report report) {
        if (!report.isEmpty()) {
            below.computeIfAbsent(store, k -> new ArrayList<>()).add(report);
        }
    }

    /** Adds everything of another answer that went into this one. */
    public void addAll(Coverage other) {
        List<Part> otherParts;
        Map<String, Long> otherBlocks;
        Map<String, List<Report>> otherBelow = new LinkedHashMap<>();
        synchronized (other) {
            otherParts = List.copyOf(other.parts);
            otherBlocks = Map.copyOf(other.blocks);
            other.below.forEach((s, r) -> otherBelow.put(s, List.copyOf(r)));
        }
        synchronized (this) {
            parts.addAll(otherParts);
            blocks.putAll(otherBlocks);
        }
        otherBelow.forEach((s, all) -> all.forEach(r -> below(s, r)));
    }

    /** All parts so far. */
    public synchronized List<Part> parts() {
        return List.copyOf(parts);
    }

    /** Whether nothing is known to be missing. */
    public boolean complete() {
        return report().complete;
    }

    /** The report so far: each store once, in the order in which they were first heard of. */
    public synchronized Report report() {
        Map<String, Joined> joined = new LinkedHashMap<>();
        for (Part p : parts) {
            joined.computeIfAbsent(p.store, k -> new Joined()).add(p);
        }
        List<Store> stores = new ArrayList<>();
        boolean complete = true;
        for (Map.Entry<String, Joined> e : joined.entrySet()) {
            Store s = e.getValue().store(e.getKey(), joined(below.getOrDefault(e.getKey(), List.of())));
            complete &= s.outcome == Outcome.ANSWERED;
            stores.add(s);
        }
        List<Block> read = new ArrayList<>();
        blocks.forEach((id, resolution) -> read.add(new Block(id, resolution)));
        return new Report(complete, List.copyOf(stores), List.copyOf(read), 0);
    }

    /** Several reports of one store, which was called more than once. */
    private static Report joined(List<Report> reports) {
        if (reports.isEmpty()) {
            return Report.EMPTY;
        }
        if (reports.size() == 1) {
            return reports.getFirst();
        }
        Map<String, Joined> stores = new LinkedHashMap<>();
        Map<String, List<Report>> deeper = new LinkedHashMap<>();
        Map<String, Long> blocks = new TreeMap<>();
        boolean complete = true;
        long leftOut = 0;
        for (Report r : reports) {
            complete &= r.complete;
            leftOut += r.leftOut;
            r.blocks.forEach(b -> blocks.put(b.id, b.resolutionMillis));
            for (Store s : r.stores) {
                stores.computeIfAbsent(s.address, k -> new Joined()).add(
                        new Part(s.address, s.outcome, s.minTime, s.maxTime, s.series, s.detail, s.replicas, s.resolutions));
                deeper.computeIfAbsent(s.address, k -> new ArrayList<>()).add(s.below);
            }
        }
        List<Store> all = new ArrayList<>();
        stores.forEach((address, j) -> all.add(j.store(address, joined(deeper.getOrDefault(address, List.of())))));
        List<Block> read = new ArrayList<>();
        blocks.forEach((id, resolution) -> read.add(new Block(id, resolution)));
        return new Report(complete, List.copyOf(all), List.copyOf(read), leftOut);
    }

    /** Parts of one store on their way to become one. */
    private static final class Joined {
        private Outcome outcome = Outcome.ANSWERED;
        private long min = Long.MAX_VALUE;
        private long max = Long.MIN_VALUE;
        private long series;
        private final Set<String> replicas = new TreeSet<>();
        private final Set<Long> resolutions = new TreeSet<>();
        private final Set<String> details = new java.util.LinkedHashSet<>();

        void add(Part p) {
            outcome = outcome.compareTo(p.outcome) >= 0 ? outcome : p.outcome;
            min = Math.min(min, p.minTime);
            max = Math.max(max, p.maxTime);
            series += p.series;
            replicas.addAll(p.replicas);
            resolutions.addAll(p.resolutions);
            if (!p.detail.isEmpty()) {
                details.add(p.detail);
            }
        }

        Store store(String address, Report below) {
            Outcome shown = below.complete || outcome.compareTo(Outcome.PARTIAL) >= 0 ? outcome : Outcome.PARTIAL;
            return new Store(address, shown, min, max, series, List.copyOf(replicas), List.copyOf(resolutions), String.join("; ", details),
                    below);
        }
    }
}

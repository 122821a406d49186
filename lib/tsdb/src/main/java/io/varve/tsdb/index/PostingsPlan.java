package io.varve.tsdb.index;

import io.varve.model.LabelRegex;
import io.varve.model.Matcher;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * From matchers to postings lists, without reading one: which lists to intersect and which to take away, so that a caller can
 * fetch them in as few reads as it likes. Semantics are Prometheus': a missing label is "".
 *
 * <p>
 * A label must be set where any matcher on it rejects "". On such a label a matcher selects the lists of the values it accepts, or
 * takes away those it rejects where it accepts "" ({@code !=}, {@code !~}). On a label that may be missing, the lists of all values
 * that do not match are taken away, and series without the label survive. Where nothing is left to intersect, all series are.
 */
public final class PostingsPlan {
    /**
     * Lists to unite: those of some values of one label.
     *
     * @param name the label; "" for all series
     * @param starts as {@link PostingsRange#start}, in the order of the values
     * @param ends as {@link PostingsRange#end}
     */
    public record Group(String name, long[] starts, long[] ends) {
        /** How many lists. */
        public int size() {
            return starts.length;
        }

        /** The list at {@code index}. */
        public PostingsRange range(int index) {
            return new PostingsRange(starts[index], ends[index]);
        }

        /** Bytes of all lists. */
        public long bytes() {
            long sum = 0;
            for (int i = 0; i < starts.length; i++) {
                sum += ends[i] - starts[i];
            }
            return sum;
        }

        /** At most so many ids. */
        public long maxIds() {
            return Math.max(0, bytes() / 4 - size());
        }
    }

    /** Gives the list that lies at a place. */
    @FunctionalInterface
    public interface Fetch {
        /** A list of its own for every call, not moved yet. */
        Postings list(PostingsRange range);
    }

    private static final PostingsPlan NOTHING = new PostingsPlan(true, List.of(), List.of());

    private final boolean empty;
    private final List<Group> include;
    private final List<Group> exclude;

    private PostingsPlan(boolean empty, List<Group> include, List<Group> exclude) {
        this.empty = empty;
        this.include = include;
        this.exclude = exclude;
    }

    /** Plans. Without matchers all series are selected. */
    public static PostingsPlan of(PostingsOffsetTable table, List<Matcher> matchers) {
        Set<String> mustBeSet = new HashSet<>();
        for (Matcher m : matchers) {
            if (!m.matchesEmpty()) {
                mustBeSet.add(m.name());
            }
        }
        List<Group> include = new ArrayList<>();
        List<Group> exclude = new ArrayList<>();
        for (Matcher m : matchers) {
            boolean negative = m.type() == Matcher.Type.NOT_EQUAL || m.type() == Matcher.Type.NOT_REGEX;
            if (isPattern(m, Matcher.Type.REGEX, ".*")) {
                continue;
            }
            if (isPattern(m, Matcher.Type.NOT_REGEX, ".*")) {
                return NOTHING;
            }
            if (!mustBeSet.contains(m.name())) {
                // What does not match is taken away; series without the label stay.
                addIfAny(exclude, negative ? accepted(table, m.inverse()) : rejected(table, m));
            } else if (negative && m.matchesEmpty()) {
                addIfAny(exclude, accepted(table, m.inverse()));
            } else {
                Group g = negative ? rejected(table, m.inverse()) : accepted(table, m);
                if (g.size() == 0) {
                    return NOTHING;
                }
                include.add(g);
            }
        }
        if (include.isEmpty()) {
            PostingsRange all = table.allPostings();
            if (all == null) {
                return NOTHING;
            }
            include.add(new Group("", new long[]{all.start()}, new long[]{all.end()}));
        }
        return new PostingsPlan(false, List.copyOf(include), List.copyOf(exclude));
    }

    private static void addIfAny(List<Group> groups, Group g) {
        if (g.size() > 0) {
            groups.add(g);
        }
    }

    private static boolean isPattern(Matcher m, Matcher.Type type, String pattern) {
        return m.type() == type && m.value().equals(pattern);
    }

    /** The lists of the values that a positive matcher accepts. */
    private static Group accepted(PostingsOffsetTable table, Matcher m) {
        if (m.type() == Matcher.Type.EQUAL) {
            PostingsRange r = table.find(m.name(), m.value());
            return r == null
                    ? new Group(m.name(), new long[0], new long[0])
                    : new Group(m.name(), new long[]{r.start()}, new long[]{r.end()});
        }
        LabelRegex regex = m.regex();
        List<String> set = regex.setMatches();
        Collector out = new Collector();
        if (!set.isEmpty()) {
            for (@Nullable
            PostingsRange r : table.findAll(m.name(), set)) {
                if (r != null) {
                    out.add(r.start(), r.end());
                }
            }
        } else if (m.value().equals(".+")) {
            table.visit(m.name(), "", (value, start, end) -> value.isEmpty() || out.add(start, end));
        } else {
            table.visit(m.name(), regex.prefix(), (value, start, end) -> !m.matches(value) || out.add(start, end));
        }
        return out.group(m.name());
    }

    /** The lists of the values that a positive matcher rejects. */
    private static Group rejected(PostingsOffsetTable table, Matcher m) {
        Collector out = new Collector();
        table.visit(m.name(), "", (value, start, end) -> m.matches(value) || out.add(start, end));
        return out.group(m.name());
    }

    /** Grows two arrays side by side. */
    private static final class Collector {
        private long[] starts = new long[8];
        private long[] ends = new long[8];
        private int size;

        /** Always true, for visitors. */
        boolean add(long start, long end) {
            if (size == starts.length) {
                starts = Arrays.copyOf(starts, size * 2);
                ends = Arrays.copyOf(ends, size * 2);
            }
            starts[size] = start;
            ends[size++] = end;
            return true;
        }

        Group group(String name) {
            return new Group(name, Arrays.copyOf(starts, size), Arrays.copyOf(ends, size));
        }
    }

    /** Whether nothing can match; no list needs to be read then. */
    public boolean isEmpty() {
        return empty;
    }

    /** Groups to intersect; at least one unless the plan is empty. */
    public List<Group> include() {
        return include;
    }

    /** Groups to take away. */
    public List<Group> exclude() {
        return exclude;
    }

    /** Bytes of all lists. */
    public long bytes() {
        return include.stream().mapToLong(Group::bytes).sum() + exclude.stream().mapToLong(Group::bytes).sum();
    }

    /** The ids that the plan selects, as a stream over the lists. */
    public Postings evaluate(Fetch fetch) {
        if (empty) {
            return Postings.empty();
        }
        List<Postings> all = new ArrayList<>();
        for (Group g : include) {
            all.add(unite(g, fetch));
        }
        Postings p = Postings.intersect(all);
        for (Group g : exclude) {
            p = Postings.subtract(p, unite(g, fetch));
        }
        return p;
    }

    private static Postings unite(Group g, Fetch fetch) {
        List<Postings> any = new ArrayList<>(g.size());
        for (int i = 0; i < g.size(); i++) {
            any.add(fetch.list(g.range(i)));
        }
        return Postings.union(any);
    }
}

package io.varve.model;

import java.util.List;

/**
 * What a select's reader is going to do. All times in milliseconds.
 *
 * @param range first and last instant that can matter, both included (left-open windows are already taken off)
 * @param step distance between evaluation steps, 0 for an instant query
 * @param window length of the range selector or lookback: a sample matters only within {@code (t−window, t]} of some step t
 *        starting at {@code range.min − 1 + window}; 0 where everything in the range matters
 * @param rangeMillis the range selector's length, 0 where there is none
 * @param function the innermost function or aggregation over the selector, "" for none; as Prometheus' hints
 * @param by whether {@code grouping} is {@code by} (else {@code without})
 * @param grouping labels of the aggregation directly above
 * @param limit how many series are wanted at most, 0 for all
 * @param labelsOnly whether samples are not needed
 * @param from where the select of the query's text begins: {@code range.min}, or up to a step before it in a subquery, whose first step lies
 *        after its own start. No sample before {@code range.min} matters; merges whose outcome depends on where they begin, begin here or at
 *        {@code earliest}
 * @param earliest where the query's selects begin
 * @param labels the labels that are looked at. Sources may leave out the others, and need not
 */
public record SelectHints(TimeRange range, long step, long window, long rangeMillis, String function, boolean by, List<String> grouping,
        int limit,
        boolean labelsOnly, long from, Earliest earliest, LabelProjection labels) {
    /** A select that begins with its range. */
    public SelectHints(TimeRange range, long step, long window, long rangeMillis, String function, boolean by, List<String> grouping,
            int limit, boolean labelsOnly) {
        this(range, step, window, rangeMillis, function, by, grouping, limit, labelsOnly, range.min(),
                Earliest.NONE.and(range.min(), rangeMillis), LabelProjection.ALL);
    }

    /** The same in a query whose selects begin there. */
    public SelectHints in(Earliest all) {
        return new SelectHints(range, step, window, rangeMillis, function, by, grouping, limit, labelsOnly, from, all, labels);
    }

    /**
     * The least {@code from} of a query's selects.
     *
     * @param any of all of them
     * @param range of those of range selectors
     */
    public record Earliest(long any, long range) {
        /** Of no select. */
        public static final Earliest NONE = new Earliest(Long.MAX_VALUE, Long.MAX_VALUE);

        /** With a further select; {@code rangeMillis} as in its hints. */
        public Earliest and(long from, long rangeMillis) {
            return new Earliest(Math.min(any, from), rangeMillis > 0 ? Math.min(range, from) : range);
        }
    }

    /** Everything in a range, no hints. */
    public static SelectHints of(long minMillis, long maxMillis) {
        return new SelectHints(new TimeRange(minMillis, maxMillis), 0, 0, 0, "", false, List.of(), 0, false);
    }
}

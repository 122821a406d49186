package io.varve.promql;

import io.varve.model.JsonText;
import java.util.List;

/**
 * A plan as it is shown: EXPLAIN, and EXPLAIN ANALYZE where {@code counters} are there.
 *
 * @param operator what the node does, in one or two words
 * @param detail with what: matchers, labels, ranges; may be empty
 * @param counters what it cost, {@link Counters#NONE} where nothing was run
 * @param children its inputs
 */
public record PlanTree(String operator, String detail, Counters counters, List<PlanTree> children) {
    /**
     * What an operator cost.
     *
     * @param nanos time inside it and its inputs, 0 where it was not measured; work on other threads is counted by the thread that waits for it
     * @param rows series it gave
     * @param samples points it gave
     * @param peakBytes most memory it had reserved at once, its inputs not counted
     */
    public record Counters(long nanos, long rows, long samples, long peakBytes) {
        /** Nothing was run. */
        public static final Counters NONE = new Counters(-1, -1, -1, -1);
    }

    /** Copies the list. */
    public PlanTree {
        children = List.copyOf(children);
    }

    /** Indented text, one line per node. */
    public String text() {
        StringBuilder sb = new StringBuilder();
        text(sb, 0);
        return sb.toString();
    }

    private void text(StringBuilder sb, int depth) {
        sb.append("  ".repeat(depth)).append(operator);
        if (!detail.isEmpty()) {
            sb.append(' ').append(detail);
        }
        if (!counters.equals(Counters.NONE)) {
            sb.append("  (");
            if (counters.nanos > 0) { // not measured otherwise
                sb.append(String.format("%.3f", counters.nanos / 1e6)).append(" ms, ");
            }
            sb.append(counters.rows).append(" rows, ").append(counters.samples).append(" samples, peak ").append(counters.peakBytes)
                    .append(" bytes)");
        }
        sb.append('\n');
        for (PlanTree child : children) {
            child.text(sb, depth + 1);
        }
    }

    /** JSON: {@code operator}, {@code detail}, after a run {@code nanos}, {@code rows}, {@code samples}, {@code peakBytes}, then {@code children}. */
    public String json() {
        StringBuilder sb = new StringBuilder();
        json(sb);
        return sb.toString();
    }

    private void json(StringBuilder sb) {
        sb.append("{\"operator\":");
        JsonText.appendPlainString(sb, operator);
        sb.append(",\"detail\":");
        JsonText.appendPlainString(sb, detail);
        if (!counters.equals(Counters.NONE)) {
            sb.append(",\"nanos\":").append(counters.nanos).append(",\"rows\":").append(counters.rows).append(",\"samples\":")
                    .append(counters.samples).append(",\"peakBytes\":").append(counters.peakBytes);
        }
        sb.append(",\"children\":[");
        for (int i = 0; i < children.size(); i++) {
            if (i > 0) {
                sb.append(',');
            }
            children.get(i).json(sb);
        }
        sb.append("]}");
    }
}

package io.varve.promql;

import java.util.ArrayList;
import java.util.List;

/**
 * The answer to a query. Holds memory of the query's budget until closed; closing twice is harmless. What the stores warned of is in
 * the query's context and not here.
 */
public final class QueryResult implements AutoCloseable {
    private final QueryValue value;
    private final List<String> warnings;
    private final List<String> infos;
    private final QueryStats stats;
    private final PlanTree analysis;
    private final Runnable onClose;
    private boolean closed;

    /** Made by the engine.
     *
     * @param onClose gives the memory back */
    public QueryResult(QueryValue value, List<String> warnings, List<String> infos, QueryStats stats, PlanTree analysis, Runnable onClose) {
        this.value = value;
        this.warnings = List.copyOf(warnings);
        this.infos = List.copyOf(infos);
        this.stats = stats;
        this.analysis = analysis;
        this.onClose = onClose;
    }

    /** What the query evaluates to. */
    public QueryValue value() {
        return value;
    }

    /** All warnings with their positions in the text, sorted. */
    public List<String> warnings() {
        return warnings;
    }

    /** All infos with their positions in the text, sorted. */
    public List<String> infos() {
        return infos;
    }

    /** As the HTTP API shows them: at most {@code max}, then one line that says how many were left out; 0 for no bound. */
    public List<String> warnings(int max) {
        return capped(warnings, max, "warning");
    }

    /** As {@link #warnings(int)}, for infos. */
    public List<String> infos(int max) {
        return capped(infos, max, "info");
    }

    private static List<String> capped(List<String> all, int max, String kind) {
        if (max <= 0 || all.size() <= max) {
            return all;
        }
        List<String> out = new ArrayList<>(all.subList(0, max));
        out.add((all.size() - max) + " more " + kind + " annotations omitted");
        return out;
    }

    /** What it cost. */
    public QueryStats stats() {
        return stats;
    }

    /** The plan with what each operator cost; times are there only where they were asked for. */
    public PlanTree analysis() {
        return analysis;
    }

    /** Gives the result's memory back to the budget. */
    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            onClose.run();
        }
    }
}

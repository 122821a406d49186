package io.varve.model;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * Everything of one query that outlives a call: deadline, cancellation, memory budget, warnings of stores and coverage. It is passed,
 * never ambient. Safe for many threads. PromQL annotations (with positions) are the engine's own and not kept here.
 */
public final class QueryContext implements AutoCloseable {
    /** The tenant of calls that name none. */
    public static final String DEFAULT_TENANT = "default-tenant";

    private final long deadlineNanos;
    private final MemoryBudget budget;
    private final Coverage coverage = new Coverage();
    private final AtomicReference<@Nullable CancelledException> cancelled = new AtomicReference<>();
    private final Set<String> warnings = new LinkedHashSet<>();
    private volatile String tenant = DEFAULT_TENANT;
    private final Turns turns = new Turns();
    private final Set<Action> onCancel = ConcurrentHashMap.newKeySet();

    /** What is to run at the query's end, until it is removed. */
    public interface Registration {
        /** Forgets the action, and with it all that it holds; nothing happens where it ran already. */
        void remove();
    }

    private final class Action implements Registration {
        private final Runnable run;

        Action(Runnable run) {
            this.run = run;
        }

        /** Runs it unless somebody else did, or it was removed. */
        void run() {
            if (onCancel.remove(this)) {
                run.run();
            }
        }

        @Override
        public void remove() {
            onCancel.remove(this);
        }
    }

    /**
     * @param timeoutMillis from now; 0 or less means none
     */
    public QueryContext(long timeoutMillis, MemoryBudget budget) {
        this.deadlineNanos = timeoutMillis <= 0 ? Long.MAX_VALUE : System.nanoTime() + timeoutMillis * 1_000_000;
        this.budget = budget;
    }

    /** Without deadline or limits; for tools and tests. */
    public static QueryContext unlimited() {
        return new QueryContext(0, MemoryBudget.UNLIMITED);
    }

    /** On whose behalf the query runs; passed on to the stores. */
    public String tenant() {
        return tenant;
    }

    /** Says on whose behalf the query runs; once, before work starts. */
    public QueryContext tenant(String name) {
        tenant = name;
        return this;
    }

    /** Where memory is reserved. */
    public MemoryBudget budget() {
        return budget;
    }

    /** What was asked, what answered, what is missing. */
    public Coverage coverage() {
        return coverage;
    }

    /** Milliseconds left, at least 0; {@link Long#MAX_VALUE} without deadline. */
    public long remainingMillis() {
        return deadlineNanos == Long.MAX_VALUE ? Long.MAX_VALUE : Math.max(0, (deadlineNanos - System.nanoTime()) / 1_000_000);
    }

    /**
     * Throws once the query is cancelled or past its deadline. Long loops call it at least every few milliseconds; as virtual threads run until
     * they wait for something, this is also where one that computes lets others run; one of a query that has computed for long may be kept waiting
     * for up to 50 ms while many other queries compute.
     *
     * @throws CancelledException with Prometheus' text
     */
    public void check() {
        CancelledException c = cancelled.get();
        long now = turns.next(System.nanoTime());
        if (c == null && deadlineNanos != Long.MAX_VALUE && now - deadlineNanos >= 0) {
            cancel(new CancelledException(CancelledException.Reason.TIMEOUT, "query timed out in expression evaluation"));
            c = cancelled.get();
        }
        if (c != null) {
            throw new CancelledException(c.reason(), c.getMessage());
        }
    }

    /** How often it has made way for others. */
    int turns() {
        return turns.had();
    }

    /** Ends the query from outside: running work stops at its next check, streams are closed. Only the first call counts. */
    public void cancel(CancelledException why) {
        if (cancelled.compareAndSet(null, why)) {
            onCancel.forEach(Action::run);
        }
    }

    /** Whether it was cancelled or is past its deadline: the next {@link #check} throws. */
    public boolean isOver() {
        return cancelled.get() != null || deadlineNanos != Long.MAX_VALUE && System.nanoTime() - deadlineNanos >= 0;
    }

    /** Whether the query was cancelled. */
    public boolean isCancelled() {
        return cancelled.get() != null;
    }

    /** Whether its deadline ended it. */
    public boolean isTimedOut() {
        CancelledException c = cancelled.get();
        return c != null && c.reason() == CancelledException.Reason.TIMEOUT;
    }

    /**
     * Runs {@code action} once when the query is cancelled or over, at once if it already is. Must not throw or block.
     *
     * @return for whatever ends before the query does and shall not be kept until then
     */
    public Registration onCancel(Runnable action) {
        Action a = new Action(action);
        onCancel.add(a);
        if (cancelled.get() != null) {
            a.run();
        }
        return a;
    }

    /** How many actions wait for the end. */
    int waitingForTheEnd() {
        return onCancel.size();
    }

    /** Adds a warning, once per text. */
    public void warn(String text) {
        synchronized (warnings) {
            warnings.add(text);
        }
    }

    /** The warnings so far, in order of arrival. */
    public List<String> warnings() {
        synchronized (warnings) {
            return new ArrayList<>(warnings);
        }
    }

    /** Ends the query; runs what {@link #onCancel} collected unless it ran already. */
    @Override
    public void close() {
        cancel(new CancelledException(CancelledException.Reason.CANCELED, "query is over"));
    }
}

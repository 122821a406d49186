package io.varve.promql.exec;

import io.varve.model.InvalidRequestException;
import io.varve.model.LimitExceededException;
import io.varve.model.Matcher;
import io.varve.model.QueryContext;
import io.varve.model.SelectHints;
import io.varve.model.SeriesSet;
import io.varve.model.SeriesSource;
import io.varve.promql.EngineOptions;
import io.varve.promql.Feature;
import io.varve.promql.function.Grid;
import io.varve.promql.function.Notes;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/** What the operators of one query share. */
public final class QueryRun {
    /** Deadline, cancellation, memory. */
    final QueryContext context;
    private final SeriesSource source;
    /** How the engine behaves. */
    final EngineOptions options;
    /** How far instant selectors look back. */
    final long lookback;
    /** The steps of the whole query. */
    final Grid grid;
    /** Whether the query asks for one instant. */
    final boolean instant;
    /** Whether the query asks for more than one instant, be it that only one step falls into its range. */
    final boolean spans;
    /** Whether time is taken. */
    final boolean timed;
    /** Warnings and infos; only the thread that pulls writes to it. */
    final Notes notes = new Notes();
    /** Where batches run beside the pulling thread, null where it does all. */
    final @Nullable Executor workers;
    /** Whether names are dropped at the end. */
    final boolean delayedNames;
    /** Whether sums of histograms may be made of whole rows; tests compare with what comes out without. */
    boolean flatRows = true;
    private SelectHints.Earliest earliest = SelectHints.Earliest.NONE;
    private final AtomicLong held = new AtomicLong();
    private final AtomicLong peak = new AtomicLong();
    /** Samples in all windows of all steps; only the thread that pulls writes to this and to those below. */
    long totalSamples;
    /** Samples read, each once. */
    long samplesRead;
    /** {@link #totalSamples} by step, null where not wanted. */
    final long @Nullable [] totalPerStep;
    /** {@link #samplesRead} by step, null where not wanted. */
    final long @Nullable [] readPerStep;

    /** One query. */
    public QueryRun(QueryContext context, SeriesSource source, EngineOptions options, long lookback, Grid grid, boolean instant,
            boolean spans, boolean perStep, boolean timed, @Nullable Executor workers) {
        this.context = context;
        this.source = source;
        this.options = options;
        this.lookback = lookback;
        this.grid = grid;
        this.instant = instant;
        this.spans = spans;
        this.timed = timed;
        this.workers = workers;
        this.delayedNames = options.has(Feature.DELAYED_NAME_REMOVAL);
        this.totalPerStep = perStep ? new long[grid.count()] : null;
        this.readPerStep = perStep ? new long[grid.count()] : null;
    }

    /** Says, before any is opened, that there will be a select that begins at {@code from}. */
    void expectSelect(long from, long rangeMillis) {
        earliest = earliest.and(from, rangeMillis);
    }

    /** Opens a select. */
    SeriesSet select(SelectHints hints, List<Matcher> matchers) {
        return source.select(context, hints.in(earliest.and(hints.from(), hints.rangeMillis())), matchers);
    }

    /** Most samples held at once. */
    public long peakSamples() {
        return peak.get();
    }

    /** Counts samples as held. */
    void hold(long samples) {
        long now = held.addAndGet(samples);
        if (now > peak.get()) {
            peak.accumulateAndGet(now, Math::max);
        }
        if (options.maxSamples() > 0 && now > options.maxSamples()) {
            held.addAndGet(-samples);
            throw new LimitExceededException("query.max-samples",
                    "query processing would load too many samples into memory in query execution");
        }
    }

    /** Counts samples as let go. */
    void drop(long samples) {
        held.addAndGet(-samples);
    }

    static InvalidRequestException failure(String text) {
        return new InvalidRequestException(InvalidRequestException.Kind.EXECUTION, text);
    }

    static InvalidRequestException sameLabels() {
        return failure("vector cannot contain metrics with the same labelset");
    }
}

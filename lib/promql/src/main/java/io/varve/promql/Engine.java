package io.varve.promql;

import io.varve.model.QueryContext;
import io.varve.model.SeriesSource;

/**
 * Evaluates PromQL over any {@link SeriesSource}. Safe for many threads; queries do not share anything but the threads that decode
 * and compute.
 *
 * <p>
 * Errors, and what the HTTP API makes of them:
 * <ul>
 * <li>{@link io.varve.model.InvalidRequestException} of kind {@code REQUEST}: the text does not parse or the parameters are wrong
 * (bad_data, 400); of kind {@code EXECUTION}: the query is well formed but has no answer over this data, as in many-to-many matching
 * (execution, 422);
 * <li>{@link io.varve.model.LimitExceededException}: too many samples or bytes (execution, 422);
 * <li>{@link io.varve.model.CancelledException}: timeout (503) or canceled (499);
 * <li>{@link io.varve.model.UnavailableException}, {@link io.varve.model.CorruptDataException}: the source failed (internal, 500).
 * </ul>
 */
public final class Engine implements AutoCloseable {
    private final EngineOptions options;

    /** Starts the threads lazily; {@link #close} ends them. */
    public Engine(EngineOptions options) {
        this.options = options;
    }

    /** How it behaves. */
    public EngineOptions options() {
        return options;
    }

    /**
     * Runs a query to its end. The caller closes the result, and the context after it.
     *
     * @throws io.varve.model.VarveException as the class says; nothing stays reserved then
     */
    public QueryResult execute(QueryContext context, SeriesSource source, QueryRequest request) {
        throw new UnsupportedOperationException("evaluation of " + request.text());
    }

    /**
     * The plan without running it.
     *
     * @throws io.varve.model.InvalidRequestException where the text does not parse
     */
    public PlanTree explain(QueryRequest request) {
        throw new UnsupportedOperationException("explanation of " + request.text());
    }

    /** Ends the threads; queries that still run fail. */
    @Override
    public void close() {
    }
}

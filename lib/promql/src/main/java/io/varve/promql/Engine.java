package io.varve.promql;

import io.varve.model.InvalidRequestException;
import io.varve.model.LimitExceededException;
import io.varve.model.QueryContext;
import io.varve.model.SeriesSource;
import io.varve.promql.exec.Execution;
import io.varve.promql.function.Grid;
import io.varve.promql.parser.Expr;
import io.varve.promql.parser.Parser;
import io.varve.promql.parser.ParserOptions;
import io.varve.promql.parser.Preprocessor;
import io.varve.promql.parser.ValueType;
import io.varve.promql.plan.PlanNode;
import io.varve.promql.plan.PlanPrinter;
import io.varve.promql.plan.PlanRule;
import io.varve.promql.plan.Planner;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * Evaluates PromQL over any {@link SeriesSource}. Safe for many threads; queries do not share anything but the threads that decode
 * and compute.
 *
 * <p>
 * Errors, and what the HTTP API makes of them:
 * <ul>
 * <li>{@link InvalidRequestException} of kind {@code REQUEST}: the text does not parse or the parameters are wrong (bad_data, 400); of
 * kind {@code EXECUTION}: the query is well formed but has no answer over this data, as in many-to-many matching (execution, 422);
 * <li>{@link LimitExceededException}: too many samples or bytes (execution, 422);
 * <li>{@link io.varve.model.CancelledException}: timeout (503) or canceled (499);
 * <li>{@link io.varve.model.UnavailableException}, {@link io.varve.model.CorruptDataException}: the source failed (internal, 500).
 * </ul>
 */
public final class Engine implements AutoCloseable {
    private final EngineOptions options;
    private final List<PlanRule> rules;
    private final @Nullable ThreadPoolExecutor workers;

    /** Starts its threads as they are needed; {@link #close} ends them. */
    public Engine(EngineOptions options) {
        this(options, PlanRule.ALL);
    }

    /** With some rules only; no answer depends on them. */
    Engine(EngineOptions options, List<PlanRule> rules) {
        this.options = options;
        this.rules = rules;
        this.workers = options.threads() > 1 ? pool(options.threads() - 1) : null;
    }

    private static ThreadPoolExecutor pool(int threads) {
        AtomicInteger number = new AtomicInteger();
        ThreadPoolExecutor pool = new ThreadPoolExecutor(threads, threads, 30, TimeUnit.SECONDS, new LinkedBlockingQueue<>(1024), r -> {
            Thread t = new Thread(r, "promql-" + number.incrementAndGet());
            t.setDaemon(true);
            return t;
        });
        pool.allowCoreThreadTimeOut(true);
        return pool;
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
        long begin = System.nanoTime();
        Expr expr = parse(request);
        Grid grid = Grid.of(request.startMillis(), request.endMillis(), request.stepMillis());
        PlanNode plan = plan(expr, request);
        long lookback = request.lookbackMillis() > 0 ? request.lookbackMillis() : options.lookbackMillis();
        Executor pool = workers;
        boolean perStep = request.perStepStats() && options.has(Feature.PER_STEP_STATS);
        Execution execution = new Execution(context, source, options, lookback, grid, request.isInstant(),
                request.startMillis() != request.endMillis(), perStep, request.analyze(),
                pool);
        return execution.run(plan, expr.type(), request.text(), System.nanoTime() - begin);
    }

    /**
     * The plan without running it.
     *
     * @throws InvalidRequestException where the text does not parse
     */
    public PlanTree explain(QueryRequest request) {
        return PlanPrinter.print(plan(parse(request), request));
    }

    private Expr parse(QueryRequest request) {
        ParserOptions parserOptions = new ParserOptions(options.has(Feature.EXPERIMENTAL_FUNCTIONS),
                options.has(Feature.EXTENDED_RANGE_SELECTORS), options.has(Feature.BINOP_FILL_MODIFIERS), true);
        Expr expr = Parser.parse(request.text(), parserOptions);
        if (!request.isInstant() && expr.type() != ValueType.VECTOR && expr.type() != ValueType.SCALAR) {
            throw new InvalidRequestException("invalid expression type \"" + expr.type().described()
                    + "\" for range query, must be Scalar or instant Vector");
        }
        return expr;
    }

    private PlanNode plan(Expr expr, QueryRequest request) {
        Expr prepared = Preprocessor.preprocess(expr, request.startMillis(), request.endMillis(), request.stepMillis());
        return new Planner(options.subqueryStepMillis(), rules).plan(prepared);
    }

    /** Ends the threads; queries that still run go on without them. */
    @Override
    public void close() {
        ThreadPoolExecutor pool = workers;
        if (pool != null) {
            pool.shutdown();
        }
    }
}

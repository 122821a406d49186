package io.varve.querier.api;

import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.CounterWithCallback;
import io.prometheus.metrics.core.metrics.Gauge;
import io.prometheus.metrics.core.metrics.GaugeWithCallback;
import io.prometheus.metrics.core.metrics.Histogram;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.model.CancelledException;
import io.varve.model.QueryContext;
import io.varve.model.VarveException;
import io.varve.promql.Engine;
import io.varve.promql.QueryRequest;
import io.varve.promql.QueryResult;
import io.varve.querier.fanout.Fanout;
import io.varve.querier.fanout.ResolutionProbe;
import io.varve.querier.fanout.SelectGate;
import io.varve.querier.fanout.SourceOptions;
import io.varve.querier.fanout.StoreSource;
import io.varve.runtime.http.Request;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Runs queries within their limits: the gate, the deadline, memory, logs and metrics. For HTTP and gRPC alike. Safe for many threads. */
public final class QueryService implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(QueryService.class);

    /**
     * Limits and defaults.
     *
     * @param timeoutMillis longest a query may take
     * @param lookbackMillis how far selectors look back where a query does not say
     * @param dynamicLookback whether coarse data is looked back for further
     * @param maxConcurrent queries at once
     * @param maxConcurrentSelects selects of one query at once
     * @param slowMillis from when on a query is logged with its plan, 0 = never
     * @param logQueries whether every query is logged
     */
    public record Config(long timeoutMillis, long lookbackMillis, boolean dynamicLookback, int maxConcurrent, int maxConcurrentSelects,
            long slowMillis, boolean logQueries) {
    }

    private final Engine engine;
    private final Fanout fanout;
    private final ResolutionProbe probe = new ResolutionProbe();
    private final Config config;
    private final Budgets budgets;
    private final ActiveQueries active;
    private volatile boolean asked;
    private final QueryGate gate;
    private final Counter total;
    private final Histogram waited;
    private final Gauge selectsInFlight;
    private final Counter selectsTotal;
    private final SelectMetrics selectMetrics;
    private final EngineMetrics engineMetrics;
    private final Histogram selectsWaited;

    /** Owns {@code engine} and {@code active} from now on. */
    public QueryService(Engine engine, Fanout fanout, Config config, Budgets budgets, ActiveQueries active, SelectMetrics selectMetrics,
            PrometheusRegistry registry) {
        this.engine = engine;
        this.fanout = fanout;
        this.config = config;
        this.budgets = budgets;
        this.active = active;
        this.selectMetrics = selectMetrics;
        engineMetrics = new EngineMetrics(config.maxConcurrent, config.logQueries, registry);
        selectsWaited = Histogram.builder().name("thanos_query_concurrent_selects_gate_selects_duration_seconds")
                .help("How many seconds it took for selects to get a turn.").classicOnly()
                .classicUpperBounds(0.01, 0.05, 0.1, 0.25, 0.6, 1, 2, 3.5, 5, 10).register(registry);
        gate = new QueryGate(config.maxConcurrent, QueryGate.LONG_MILLIS);
        Gauge max = Gauge.builder().name("thanos_query_concurrent_gate_queries_max").help("Maximum number of concurrent queries.")
                .register(registry);
        max.set(config.maxConcurrent);
        GaugeWithCallback.builder().name("thanos_query_concurrent_gate_queries_in_flight")
                .help("Number of queries that are currently in flight.").callback(c -> c.call(gate.running())).register(registry);
        GaugeWithCallback.builder().name("varve_query_concurrent_gate_queries_waiting")
                .help("Number of queries that wait for their turn: new ones, and those that turned out to read much.")
                .callback(c -> c.call(gate.waiting())).register(registry);
        CounterWithCallback.builder().name("varve_query_concurrent_gate_queries_refused_total")
                .help("Total number of queries that were refused because too many were waiting for their turn.")
                .callback(c -> c.call(gate.refused())).register(registry);
        total = Counter.builder().name("thanos_query_concurrent_gate_queries_total").help("Total number of queries.").register(registry);
        waited = Histogram.builder().name("thanos_query_concurrent_gate_queries_duration_seconds")
                .help("How many seconds it took for queries to wait at the gate.").classicOnly()
                .classicUpperBounds(0.01, 0.05, 0.1, 0.25, 0.6, 1, 2, 3.5, 5, 10).register(registry);
        Gauge selectsMax = Gauge.builder().name("thanos_query_concurrent_selects_gate_selects_max")
                .help("Maximum number of concurrent selects of a query.").register(registry);
        selectsMax.set(config.maxConcurrentSelects);
        selectsInFlight = Gauge.builder().name("thanos_query_concurrent_selects_gate_selects_in_flight")
                .help("Number of selects that are currently in flight.").register(registry);
        selectsTotal = Counter.builder().name("thanos_query_concurrent_selects_gate_selects_total").help("Total number of selects.")
                .register(registry);
        GaugeWithCallback.builder().name("varve_query_memory_used_bytes")
                .help("Memory that running queries hold of their budget.").callback(c -> c.call(budgets.used())).register(registry);
    }

    Engine engine() {
        return engine;
    }

    Fanout fanout() {
        return fanout;
    }

    /** Whether anybody has asked anything. */
    public boolean wasAsked() {
        return asked;
    }

    /** A context with the deadline that the caller may have; closing it ends everything it started. */
    Call open(long timeoutMillis, String tenant) {
        asked = true;
        long t = timeoutMillis > 0 ? Math.min(timeoutMillis, config.timeoutMillis) : config.timeoutMillis;
        Budgets.QueryBudget budget = budgets.open();
        return new Call(new QueryContext(t, budget).tenant(tenant), budget);
    }

    /** The same without a deadline of its own for an HTTP request; it is cancelled when who sent that leaves. */
    Call open(Request request, String tenant) {
        Call call = open(0, tenant);
        request.onClientGone(
                () -> call.context().cancel(new CancelledException(CancelledException.Reason.CANCELED, "request was canceled")));
        return call;
    }

    /** A context and its budget. */
    record Call(QueryContext context, Budgets.QueryBudget budget) implements AutoCloseable {
        @Override
        public void close() {
            context.close();
            budget.close();
        }
    }

    /**
     * A source that reads series as asked, on behalf of a tenant.
     *
     * @param turn the place of the query that reads, null where it needs none
     */
    StoreSource source(SourceOptions options, String tenant, QueryGate.@Nullable Turn turn) {
        return new StoreSource(fanout, probe, options, new SelectGate(config.maxConcurrentSelects), new StoreSource.Observer() {
            @Override
            public void selectStarted(long waitedNanos) {
                selectsWaited.observe(waitedNanos / 1e9);
                selectsInFlight.inc();
                selectsTotal.inc();
            }

            @Override
            public void read(long bytes) {
                if (turn != null) {
                    turn.read(bytes);
                }
            }

            @Override
            public void selectEnded(long nanos, long series, long samples) {
                selectsInFlight.dec();
                selectMetrics.observe(tenant, nanos, series, samples);
            }
        });
    }

    /** What a query gave, until it is closed. */
    record Outcome(Call call, StoreSource source, QueryResult result, long queuedNanos) {
    }

    /** How far instant selectors look back when data may be that coarse. */
    long lookback(long asked, long maxResolutionMillis) {
        if (asked > 0) {
            return asked;
        }
        long configured = config.lookbackMillis;
        if (!config.dynamicLookback || maxResolutionMillis <= 0) {
            return configured;
        }
        if (maxResolutionMillis > Math.max(300_000, configured) && configured < 3_600_000) {
            return 3_600_000;
        }
        return maxResolutionMillis > configured ? 300_000 : configured;
    }

    /**
     * Runs a query and hands its result on; afterwards everything is given back.
     *
     * @param opened takes the query's context at once: to cancel it when the caller leaves, and to read its coverage where it fails
     */
    void run(QuerySpec spec, Consumer<QueryContext> opened, IoConsumer<Outcome> then) throws java.io.IOException {
        long start = System.nanoTime();
        try (Call call = open(spec.timeoutMillis(), spec.tenant())) {
            QueryContext context = call.context();
            opened.accept(context);
            engineMetrics.started(spec.engine());
            if (spec.stepMillis() > 0) {
                engineMetrics.timespan(spec.endMillis() - spec.startMillis());
            }
            QueryGate.Turn turn;
            try {
                turn = enter(call, spec.text().length());
            } catch (RuntimeException e) {
                engineMetrics.ended(spec.engine());
                throw e;
            }
            long queued = System.nanoTime() - start;
            String failure = "";
            String plan = "";
            ActiveQueries.Entry entry = active.enter(spec.text(), System.currentTimeMillis());
            try {
                QueryRequest request = new QueryRequest(spec.text(), spec.startMillis(), spec.endMillis(), spec.stepMillis(),
                        lookback(spec.lookbackMillis(), spec.source().maxResolutionMillis()), spec.perStepStats(), spec.analyze());
                StoreSource source = source(spec.source(), spec.tenant(), turn);
                try (QueryResult result = engine.execute(context, source, request)) {
                    plan = result.analysis().text();
                    engineMetrics.evaluated(spec.engine(), queued, result.stats());
                    then.accept(new Outcome(call, source, result, queued));
                }
            } catch (RuntimeException | java.io.IOException e) {
                failure = e instanceof VarveException v ? v.getMessage() : e.toString();
                throw e;
            } finally {
                entry.close();
                turn.close();
                engineMetrics.ended(spec.engine());
                log(spec, call, (System.nanoTime() - start) / 1_000_000, queued / 1_000_000, failure, plan);
            }
        }
    }

    /** What runs in a query's place. */
    interface IoWork {
        void run(QueryGate.Turn turn) throws java.io.IOException;
    }

    /**
     * Runs something that counts as a query: it waits for its turn.
     *
     * @param requestBytes what of the request is held while it waits
     */
    void gated(Call call, long requestBytes, IoWork work) throws java.io.IOException {
        try (QueryGate.Turn turn = enter(call, requestBytes)) {
            work.run(turn);
        }
    }

    /** Waits for a turn, at most until the query's deadline. */
    private QueryGate.Turn enter(Call call, long requestBytes) {
        long start = System.nanoTime();
        QueryGate.Turn turn = gate.enter(call.context(), requestBytes, call.budget()::large);
        waited.observe((System.nanoTime() - start) / 1e9);
        total.inc();
        return turn;
    }

    private void log(QuerySpec spec, Call call, long millis, long queuedMillis, String failure, String plan) {
        boolean slow = config.slowMillis > 0 && millis >= config.slowMillis;
        if (!slow && !config.logQueries) {
            return;
        }
        var event = slow ? LOG.atWarn() : LOG.atInfo();
        event = event.addKeyValue("query", spec.text()).addKeyValue("start", spec.startMillis()).addKeyValue("end", spec.endMillis())
                .addKeyValue("step", spec.stepMillis()).addKeyValue("tenant", spec.tenant()).addKeyValue("origin", spec.origin())
                .addKeyValue("millis", millis).addKeyValue("queuedMillis", queuedMillis).addKeyValue("peakBytes", call.budget().peak())
                .addKeyValue("coverage", Envelope.compact(call.context().coverage().report()));
        if (!failure.isEmpty()) {
            event = event.addKeyValue("err", failure);
        }
        if (slow && !plan.isEmpty()) {
            event = event.addKeyValue("plan", plan);
        }
        event.log(slow ? "slow query" : "query");
    }

    /** What to do with an outcome; may write to a client. */
    interface IoConsumer<T> {
        void accept(T t) throws java.io.IOException;
    }

    @Override
    public void close() throws java.io.IOException {
        engine.close();
        active.close();
    }
}

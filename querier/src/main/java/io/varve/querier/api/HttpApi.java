package io.varve.querier.api;

import io.varve.model.CancelledException;
import io.varve.model.GoQuote;
import io.varve.model.InvalidRequestException;
import io.varve.model.Labels;
import io.varve.model.Matcher;
import io.varve.model.QueryContext;
import io.varve.model.SelectHints;
import io.varve.model.Series;
import io.varve.model.SeriesSet;
import io.varve.model.Utf8Order;
import io.varve.model.VarveException;
import io.varve.promql.Feature;
import io.varve.promql.PlanTree;
import io.varve.promql.QueryRequest;
import io.varve.promql.QueryStats;
import io.varve.promql.QueryValue;
import io.varve.promql.parser.AstJson;
import io.varve.promql.parser.Expr;
import io.varve.promql.parser.Parser;
import io.varve.promql.parser.ParserOptions;
import io.varve.promql.parser.Prettifier;
import io.varve.promql.parser.ValueType;
import io.varve.querier.dedup.DedupFunction;
import io.varve.querier.dedup.Trace;
import io.varve.querier.fanout.EndpointSet;
import io.varve.querier.fanout.SourceOptions;
import io.varve.querier.fanout.StoreFilter;
import io.varve.querier.fanout.StoreSource;
import io.varve.runtime.flags.Durations;
import io.varve.runtime.http.HttpHandler;
import io.varve.runtime.http.HttpStatusException;
import io.varve.runtime.http.Request;
import io.varve.runtime.http.Response;
import io.varve.runtime.http.Routes;
import io.varve.store.LabelNamesRequest;
import io.varve.store.LabelValuesRequest;
import io.varve.store.ShardInfo;
import io.varve.store.StringsResponse;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.LongSupplier;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Everything under {@code /api/v1}. Safe for many threads. */
public final class HttpApi {
    private static final Logger LOG = LoggerFactory.getLogger(HttpApi.class);
    private static final int MAX_POINTS = 11_000;
    private static final int MAX_ANNOTATIONS = 10;
    private static final String TRUNCATED = "results truncated due to limit";
    private static final String STORES = "proxy Series(): ";
    /** As Prometheus reads it: of six digits it takes none, although there are such code points. */
    private static final Pattern CODE_POINT = Pattern.compile("[0-9A-Fa-f]{1,5}");

    /**
     * What the flags say.
     *
     * @param defaultStepMillis step where a range query names none and its range is short
     * @param autoDownsampling whether range queries may use data as coarse as a fifth of their step
     * @param instantResolutionMillis coarsest data of instant queries that say {@code auto}
     * @param metadataRangeMillis how far label and series calls without times look back, 0 = everywhere
     * @param partialResponse default of the parameter
     * @param maxReturnedSeries series at most in one answer, 0 = all
     * @param maxSelectSeries series at most that one selector may match, 0 = all
     * @param thanosEngine whether the default engine is called {@code thanos}
     * @param maxReadSamples samples at most in one remote read, 0 = all
     */
    public record Config(List<String> replicaLabels, DedupFunction dedup, long defaultStepMillis, boolean autoDownsampling,
            long instantResolutionMillis, long metadataRangeMillis, boolean partialResponse, boolean rulePartialResponse,
            boolean targetPartialResponse, boolean metadataPartialResponse, boolean exemplarPartialResponse, boolean statusPartialResponse,
            int maxReturnedSeries, long maxSelectSeries, boolean thanosEngine, Map<String, String> flags, long maxReadSamples) {
        /** Copies. */
        public Config {
            replicaLabels = List.copyOf(replicaLabels);
            flags = new TreeMap<>(flags);
        }
    }

    private final QueryService queries;
    private final Config config;
    private final Tenancy tenancy;
    private final ParserOptions language;
    private final Set<Feature> features;
    private final SideApis sides;
    private final ReadApi remoteRead;
    private final ServerStatus status;

    /** @param tenantHeader the header that names the tenant */
    public HttpApi(QueryService queries, EndpointSet endpoints, Config config, String tenantHeader, String defaultTenant,
            boolean enforceTenancy,
            String tenantLabel, ParserOptions language, SideApis sides) {
        this.queries = queries;
        this.config = config;
        this.language = language;
        this.features = queries.engine().options().features();
        this.tenancy = new Tenancy(tenantHeader, defaultTenant, enforceTenancy, tenantLabel, language);
        this.sides = sides;
        this.remoteRead = new ReadApi(queries, config, tenancy);
        this.status = new ServerStatus(endpoints, config.flags, language, features);
    }

    /** The tenant of a request, for metrics; "" where the name is not valid. */
    public String tenantOf(Request request) {
        try {
            return tenancy.of(request);
        } catch (ApiException e) {
            return "";
        }
    }

    /** Adds the paths. */
    public Routes.Builder routes(Routes.Builder b) {
        both(b, "query", "/api/v1/query", this::query);
        both(b, "query_range", "/api/v1/query_range", this::queryRange);
        both(b, "query_explain", "/api/v1/query_explain", (q, r) -> explain(q, r, false));
        both(b, "query_range_explain", "/api/v1/query_range_explain", (q, r) -> explain(q, r, true));
        both(b, "format_query", "/api/v1/format_query", this::format);
        both(b, "parse_query", "/api/v1/parse_query", this::parse);
        both(b, "label_names", "/api/v1/labels", this::labelNames);
        both(b, "series", "/api/v1/series", this::series);
        get(b, "label_values", "/api/v1/label/{name}/values", this::labelValues);
        get(b, "stores", "/api/v1/stores", status::stores);
        get(b, "rules", "/api/v1/rules", (q, r) -> sides.rules(caller(q), params(q), r, config.rulePartialResponse));
        get(b, "alerts", "/api/v1/alerts", (q, r) -> sides.alerts(caller(q), r, config.rulePartialResponse));
        get(b, "targets", "/api/v1/targets", (q, r) -> sides.targets(caller(q), params(q), r, config.targetPartialResponse));
        get(b, "metadata", "/api/v1/metadata",
                (q, r) -> sides.metadata(caller(q), params(q), r, config.metadataPartialResponse, !asPrometheus()));
        both(b, "exemplars", "/api/v1/query_exemplars", (q, r) -> {
            Params p = params(q);
            String tenant = tenancy.nameOf(q);
            sides.exemplars(caller(q), p, r, config.exemplarPartialResponse, query -> tenancy.rewrite(tenant, query));
        });
        get(b, "tsdb_status", "/api/v1/status/tsdb",
                (q, r) -> sides.tsdb(caller(q), params(q), r, config.statusPartialResponse, tenancy.enforced(q)));
        get(b, "status_flags", "/api/v1/status/flags", status::statusFlags);
        get(b, "status_runtimeinfo", "/api/v1/status/runtimeinfo", status::runtimeInfo);
        get(b, "status_buildinfo", "/api/v1/status/buildinfo", status::buildInfo);
        get(b, "features", "/api/v1/features", status::features);
        b.post("remote_read", "/api/v1/read", (q, r) -> {
            try {
                remoteRead.handle(q, r);
            } catch (ApiException e) {
                r.sendText(e.status(), e.getMessage() + "\n");
            }
        });
        return b;
    }

    private void both(Routes.Builder b, String name, String path, HttpHandler handler) {
        b.getOrPost(name, path, guarded(handler));
    }

    private void get(Routes.Builder b, String name, String path, HttpHandler handler) {
        b.get(name, path, guarded(handler));
    }

    private HttpHandler guarded(HttpHandler handler) {
        return (request, response) -> {
            try {
                handler.handle(request, response);
            } catch (ApiException e) {
                fail(response, e);
            } catch (HttpStatusException e) {
                throw e;
            } catch (VarveException e) {
                fail(response, ApiException.of(e, ""));
            } catch (IOException e) {
                throw e; // the client is gone
            } catch (RuntimeException e) {
                LOG.atError().addKeyValue("path", request.path()).setCause(e).log("request failed");
                fail(response, new ApiException(ApiException.Kind.INTERNAL, "internal error: " + e, e));
            }
        };
    }

    private static void fail(Response response, ApiException e) throws IOException {
        if (response.isCommitted()) {
            throw new IOException(e.getMessage(), e);
        }
        Envelope.error(response, e);
    }

    private SideApis.Caller caller(Request request) {
        return new SideApis.Caller(request, tenancy.nameOf(request), params(request).text("coverage").equals("true"));
    }

    private Params params(Request request) {
        return asPrometheus() ? Params.strict(request) : Params.lenient(request);
    }

    // --- queries ----------------------------------------------------------------------------------------------------------------

    private SourceOptions sourceOptions(Params p, long resolution) {
        return new SourceOptions(p.bool("dedup", true), p.replicaLabels(config.replicaLabels), config.dedup, partial(p), resolution,
                p.storeFilter(), p.shard(), config.maxSelectSeries, p.text("debug").equals("true"), thanosEngine(p), "");
    }

    private boolean partial(Params p) {
        return p.bool("partial_response", config.partialResponse);
    }

    /** The coarsest data that the request allows. */
    private long resolution(Params p, long auto) {
        String v = p.text("max_source_resolution");
        if (v.isEmpty()) {
            return config.autoDownsampling ? auto : config.dedup == DedupFunction.VARVE ? SourceOptions.FINEST : 0;
        }
        if (v.equals("auto")) {
            return auto;
        }
        long ms = p.duration("max_source_resolution", 0);
        if (ms < 0) {
            throw ApiException.badData("negative 'max_source_resolution' is not accepted. Try a positive integer");
        }
        return ms;
    }

    private boolean thanosEngine(Params p) {
        return switch (p.text("engine")) {
            case "" -> config.thanosEngine;
            case "prometheus" -> false;
            case "thanos" -> true;
            default -> throw ApiException.badData("'" + p.text("engine") + "' bad engine");
        };
    }

    /** In milliseconds, 0 where none is given, below 0 where it is over before it begins. */
    private long timeout(Params p) {
        String v = p.text("timeout");
        return v.isEmpty() ? 0 : named("timeout", () -> Params.parseTimeout(v));
    }

    private void query(Request request, Response response) throws IOException {
        Params p = params(request);
        long now = System.currentTimeMillis();
        long time = instant(p, now);
        long timeout = timeout(p);
        p.bool("dedup", true);
        p.replicaLabels(config.replicaLabels);
        p.storeFilter();
        partial(p);
        SourceOptions source = sourceOptions(p, resolution(p, config.instantResolutionMillis));
        boolean thanos = thanosEngine(p);
        long lookback = lookback(p);
        int limit = limit(p);
        String tenant = tenancy.of(request);
        execute(request, response, p,
                new QuerySpec(text(tenant, p), time, time, 0, timeout, lookback, source, p.analyze(),
                        p.text("stats").equals("all"), thanos ? "thanos" : "prometheus", tenant, origin(request)),
                thanos, limit);
    }

    private void queryRange(Request request, Response response) throws IOException {
        Params p = params(request);
        long start = named("start", () -> Params.parseTime(p.text("start")));
        long end = named("end", () -> Params.parseTime(p.text("end")));
        if (end < start) {
            throw named("end", ApiException.badData("end timestamp must not be before start time"));
        }
        long step = step(p, start, end);
        checkPoints(start, end, step);
        long timeout = timeout(p);
        // Of several bad parameters Thanos names the first in its order.
        p.bool("dedup", true);
        p.replicaLabels(config.replicaLabels);
        p.storeFilter();
        SourceOptions source = sourceOptions(p, resolution(p, step / 5));
        boolean thanos = thanosEngine(p);
        long lookback = lookback(p);
        int limit = limit(p);
        String tenant = tenancy.of(request);
        String text = text(tenant, p);
        checkRangeType(text);
        execute(request, response, p, new QuerySpec(text, start, end, step, timeout, lookback, source, p.analyze(),
                p.text("stats").equals("all"), thanos ? "thanos" : "prometheus", tenant, origin(request)), thanos, limit);
    }

    /** With varve's own merge the API's complaints are Prometheus'; with Thanos' functions they are Thanos', as everything else is. */
    private boolean asPrometheus() {
        return config.dedup == DedupFunction.VARVE;
    }

    private ApiException named(String parameter, ApiException e) {
        return asPrometheus()
                ? new ApiException(ApiException.Kind.BAD_DATA, "invalid parameter \"" + parameter + "\": " + e.getMessage(), e)
                : e;
    }

    private long named(String parameter, LongSupplier value) {
        try {
            return value.getAsLong();
        } catch (ApiException e) {
            throw named(parameter, e);
        }
    }

    private long instant(Params p, long now) {
        if (!asPrometheus() || p.text("time").isEmpty()) {
            return p.time("time", now);
        }
        return named("time", () -> {
            try {
                return Params.parseTime(p.text("time"));
            } catch (ApiException e) {
                throw new ApiException(ApiException.Kind.BAD_DATA, "invalid time value for 'time': " + e.getMessage(), e);
            }
        });
    }

    private long step(Params p, long start, long end) {
        String given = p.text("step");
        if (given.isEmpty()) {
            return Math.max(config.defaultStepMillis, (end - start) / 250 / 1000 * 1000);
        }
        long step = asPrometheus() ? named("step", () -> Params.parseDuration(given)) : p.duration("step", 0);
        if (step <= 0) {
            if (step == 0 && Params.parseTimeout(given) > 0) {
                // Less than a millisecond is a step, of which all but the shortest ranges have too many.
                checkPoints(start, end, 1);
            }
            throw named("step",
                    ApiException.badData("zero or negative query resolution step widths are not accepted. Try a positive integer"));
        }
        return step;
    }

    private static void checkPoints(long start, long end, long step) {
        // Unsigned: the whole of time does not fit into a signed number.
        if (Long.divideUnsigned(end - start, step) > MAX_POINTS) {
            throw ApiException.badData(
                    "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)");
        }
    }

    private long lookback(Params p) {
        if (!asPrometheus() || p.text("lookback_delta").isEmpty()) {
            return p.duration("lookback_delta", 0);
        }
        try {
            return Params.parseDuration(p.text("lookback_delta"));
        } catch (ApiException e) {
            throw new ApiException(ApiException.Kind.BAD_DATA, "error parsing lookback delta duration: " + e.getMessage(), e);
        }
    }

    /** Thanos' query endpoints know no limit. */
    private int limit(Params p) {
        return asPrometheus() ? (int) named("limit", p::limit) : 0;
    }

    private String text(String tenant, Params p) {
        try {
            return tenancy.rewrite(tenant, p.text("query"));
        } catch (InvalidRequestException e) {
            throw new ApiException(ApiException.Kind.BAD_DATA, e.getMessage(), e);
        }
    }

    private void checkRangeType(String text) {
        Expr e = parsed(text);
        ValueType t = e.type();
        if (t != ValueType.SCALAR && t != ValueType.VECTOR) {
            throw ApiException.badData("invalid expression type \"" + (t == ValueType.MATRIX ? "range vector" : "string")
                    + "\" for range query, must be Scalar or instant Vector");
        }
    }

    private Expr parsed(String text) {
        try {
            return Parser.parse(text, language);
        } catch (InvalidRequestException e) {
            throw new ApiException(ApiException.Kind.BAD_DATA, e.getMessage(), e);
        }
    }

    private static String origin(Request request) {
        StringBuilder sb = new StringBuilder(request.remoteAddress());
        for (String h : List.of("X-Dashboard-Uid", "X-Panel-Id", "X-Grafana-User", "FromAlert")) {
            String v = request.header(h);
            if (v != null && v.length() < 200) {
                sb.append(' ').append(h).append('=').append(v);
            }
        }
        return sb.toString();
    }

    private void execute(Request request, Response response, Params p, QuerySpec spec, boolean thanos, int limit) throws IOException {
        if (spec.timeoutMillis() < 0) {
            parsed(spec.text());
            // Peers say one of three things by chance; this is one of them.
            throw new ApiException(ApiException.Kind.TIMEOUT, "query timed out in query execution");
        }
        AtomicReference<QueryContext> context = new AtomicReference<>();
        request.onClientGone(() -> {
            QueryContext c = context.get();
            if (c != null) {
                c.cancel(new CancelledException(CancelledException.Reason.CANCELED, "query was canceled"));
            }
        });
        try {
            queries.run(spec, context::set, outcome -> answer(response, p, spec, outcome, thanos, limit));
        } catch (VarveException e) {
            QueryContext c = context.get();
            if (c != null && !response.isCommitted()) {
                Envelope.coverageHeader(response, c.coverage());
            }
            throw ApiException.of(e, e instanceof CancelledException || e instanceof InvalidRequestException
                    ? ""
                    : "expanding series: " + STORES);
        }
    }

    private void answer(Response response, Params p, QuerySpec spec, QueryService.Outcome o, boolean thanos, int limit) throws IOException {
        QueryContext context = o.call().context();
        QueryValue value = o.result().value();
        int size = switch (value) {
            case QueryValue.Vector v -> v.samples().size();
            case QueryValue.Matrix m -> m.rows().size();
            case QueryValue.Scalar s -> 1;
            case QueryValue.Text t -> 1;
        };
        if (config.maxReturnedSeries > 0 && size > config.maxReturnedSeries && (limit == 0 || limit > config.maxReturnedSeries)) {
            throw new ApiException(ApiException.Kind.EXECUTION, "the answer has " + size + " series, more than " + config.maxReturnedSeries
                    + " (limit --query.max-returned-series); aggregate, narrow the selector or ask with a limit");
        }
        List<String> stores = context.warnings();
        Set<String> warnings = new LinkedHashSet<>(o.result().warnings(MAX_ANNOTATIONS));
        warnings.addAll(stores);
        boolean analyzeRefused = spec.analyze() && !thanos;
        if (analyzeRefused) {
            warnings.add("Query not analyzable; change engine to 'thanos'.");
        }
        // As in Prometheus' results a cut by the caller's own limit is no warning; the header says it.
        int keep = limit > 0 && size > limit ? limit : size;
        if (keep < size) {
            response.header("X-Varve-Truncated", keep + " of " + size + " series");
        }
        boolean wantsCoverage = p.text("coverage").equals("true") || spec.source().debug();
        Envelope.success(response, context, List.copyOf(warnings), o.result().infos(MAX_ANNOTATIONS), !stores.isEmpty() || analyzeRefused,
                wantsCoverage, out -> {
                    out.open('{').name("resultType").string(value.type()).name("result");
                    value(out, value, keep);
                    if (!p.text("stats").isEmpty()) {
                        out.name("stats");
                        stats(out, o.result().stats(), spec, o.queuedNanos());
                    }
                    out.name("analysis");
                    if (spec.analyze() && thanos) {
                        tree(out, o.result().analysis(), true);
                    } else {
                        out.open('{').close('}');
                    }
                    if (spec.source().debug()) {
                        out.name("replicas");
                        traces(out, o.source().traces());
                    }
                    out.close('}');
                });
    }

    static void value(JsonOut out, QueryValue value, int keep) throws IOException {
        switch (value) {
            case QueryValue.Scalar s -> {
                StringBuilder sb = new StringBuilder();
                io.varve.model.GoFloat.appendPlain(sb, s.value());
                out.point(s.timestampMillis(), sb.toString());
            }
            case QueryValue.Text t -> out.point(t.timestampMillis(), t.value());
            case QueryValue.Vector v -> {
                out.open('[');
                for (QueryValue.Sample s : v.samples().subList(0, keep)) {
                    out.open('{').name("metric").labels(s.labels());
                    if (s.histogram() != null) {
                        out.name("histogram").point(s.timestampMillis(), s.histogram());
                    } else {
                        out.name("value").point(s.timestampMillis(), s.value());
                    }
                    out.close('}');
                }
                out.close(']');
            }
            case QueryValue.Matrix m -> {
                out.open('[');
                for (QueryValue.Row r : m.rows().subList(0, keep)) {
                    out.open('{').name("metric").labels(r.labels());
                    if (r.floats().length > 0 || r.histograms().length == 0) {
                        out.name("values").open('[');
                        for (int i = 0; i < r.floats().length; i++) {
                            out.point(r.floatTimes()[i], r.floats()[i]);
                        }
                        out.close(']');
                    }
                    if (r.histograms().length > 0) {
                        out.name("histograms").open('[');
                        for (int i = 0; i < r.histograms().length; i++) {
                            out.point(r.histogramTimes()[i], r.histograms()[i]);
                        }
                        out.close(']');
                    }
                    out.close('}');
                }
                out.close(']');
            }
        }
    }

    private void stats(JsonOut out, QueryStats s, QuerySpec spec, long queuedNanos) throws IOException {
        double inner = s.evaluationNanos() / 1e9;
        double prepare = s.preparationNanos() / 1e9;
        double sort = s.sortNanos() / 1e9;
        double total = inner + prepare + sort;
        out.open('{').name("timings").open('{').name("evalTotalTime").number(total).name("resultSortTime").number(sort)
                .name("queryPreparationTime").number(prepare).name("innerEvalTime").number(inner).name("execQueueTime")
                .number(queuedNanos / 1e9).name("execTotalTime").number(total + queuedNanos / 1e9).close('}');
        out.name("samples").open('{');
        boolean perStep = spec.perStepStats() && features.contains(Feature.PER_STEP_STATS);
        if (perStep) {
            perStep(out.name("totalQueryableSamplesPerStep"), s.stepMillis(), s.totalSamplesPerStep());
        }
        out.name("totalQueryableSamples").number(s.totalSamples());
        if (perStep) {
            perStep(out.name("samplesReadPerStep"), s.stepMillis(), s.samplesReadPerStep());
        }
        if (config.dedup == DedupFunction.VARVE) {
            out.name("samplesRead").number(s.samplesRead());
        }
        out.name("peakSamples").number(s.peakSamples()).close('}').close('}');
    }

    private static void perStep(JsonOut out, long[] times, long[] counts) throws IOException {
        out.open('[');
        for (int i = 0; i < Math.min(times.length, counts.length); i++) {
            out.open('[').time(times[i]).number(counts[i]).close(']');
        }
        out.close(']');
    }

    private static void tree(JsonOut out, PlanTree t, boolean costs) throws IOException {
        out.open('{').name("name").string(t.detail().isEmpty() ? "[" + t.operator() + "]" : "[" + t.operator() + "] " + t.detail());
        if (costs && !t.counters().equals(PlanTree.Counters.NONE)) {
            out.name("executionTime").string(Durations.formatGo(Duration.ofNanos(t.counters().nanos()))).name("peakSamples")
                    .number(t.counters().samples())
                    .name("totalSamples").number(t.counters().samples()).name("series").number(t.counters().rows()).name("peakBytes")
                    .number(t.counters().peakBytes());
        }
        if (!t.children().isEmpty()) {
            out.name("children").open('[');
            for (PlanTree c : t.children()) {
                tree(out, c, costs);
            }
            out.close(']');
        }
        out.close('}');
    }

    private static void traces(JsonOut out, List<StoreSource.SeriesTrace> traces) throws IOException {
        out.open('[');
        for (StoreSource.SeriesTrace t : traces) {
            out.open('{').name("metric").labels(t.labels()).name("spans").open('[');
            for (Trace.Part s : t.parts()) {
                out.open('{').name("from").time(s.from()).name("to").time(s.to()).name("samples").number(s.samples()).name("replica")
                        .string(s.replica()).name("why").string(s.why()).close('}');
            }
            out.close(']').close('}');
        }
        out.close(']');
    }

    private void explain(Request request, Response response, boolean range) throws IOException {
        Params p = params(request);
        if (!thanosEngine(p)) {
            throw ApiException.badData("engine type must be 'thanos'");
        }
        long start = range ? Params.parseTime(p.text("start")) : p.time("time", System.currentTimeMillis());
        long end = range ? Params.parseTime(p.text("end")) : start;
        if (end < start) {
            throw ApiException.badData("end timestamp must not be before start time");
        }
        long step = range ? step(p, start, end) : 0;
        String text = text(tenancy.of(request), p);
        if (range) {
            checkRangeType(text);
        } else {
            parsed(text);
        }
        PlanTree plan = queries.engine().explain(new QueryRequest(text, start, end, step, lookback(p), false, false));
        Envelope.success(response, null, List.of(), List.of(), false, false, out -> {
            if (!plan.children().isEmpty()) {
                tree(out, plan, false);
                return;
            }
            // A tree has a root above its leaves, as viewers of Thanos' trees expect.
            out.open('{').name("name").string("[result]").name("children").open('[');
            tree(out, plan, false);
            out.close(']').close('}');
        });
    }

    private void format(Request request, Response response) throws IOException {
        String text = Prettifier.format(parsedParameter(params(request)));
        Envelope.success(response, null, List.of(), List.of(), false, false, out -> out.string(text));
    }

    private void parse(Request request, Response response) throws IOException {
        String json = AstJson.write(parsedParameter(params(request)));
        Envelope.success(response, null, List.of(), List.of(), false, false, out -> out.json(json));
    }

    private Expr parsedParameter(Params p) {
        try {
            return Parser.parse(p.text("query"), language);
        } catch (InvalidRequestException e) {
            throw new ApiException(ApiException.Kind.BAD_DATA, "invalid parameter \"query\": " + e.getMessage(), e);
        }
    }

    // --- labels and series ------------------------------------------------------------------------------------------------------

    private interface Strings {
        StringsResponse ask(QueryContext context, List<Matcher> matchers);
    }

    private void strings(Request request, Response response, Params p, List<List<Matcher>> selectors, int limit, String error, Strings call)
            throws IOException {
        try (QueryService.Call c = queries.open(request, tenancy.of(request))) {
            Set<String> values = new LinkedHashSet<>();
            Set<String> warnings = new LinkedHashSet<>();
            try {
                for (List<Matcher> matchers : selectors.isEmpty() ? List.of(List.<Matcher>of()) : selectors) {
                    StringsResponse r = call.ask(c.context(), matchers);
                    values.addAll(r.values());
                    warnings.addAll(r.warnings());
                }
            } catch (VarveException e) {
                throw e instanceof InvalidRequestException || e instanceof CancelledException
                        ? ApiException.of(e, error)
                        : new ApiException(ApiException.Kind.EXECUTION, error + e.getMessage(), e);
            }
            List<String> shown = new ArrayList<>(values);
            shown.sort(Utf8Order::compare);
            if (limit > 0 && shown.size() > limit) {
                shown = shown.subList(0, limit);
                warnings.add(TRUNCATED);
            }
            List<String> all = shown;
            Envelope.success(response, c.context(), List.copyOf(warnings), List.of(), !warnings.isEmpty(),
                    p.text("coverage").equals("true"), out -> out.strings(all));
        }
    }

    private void labelNames(Request request, Response response) throws IOException {
        Params p = params(request);
        long[] range = p.range(config.metadataRangeMillis, System.currentTimeMillis());
        boolean partial = partial(p);
        StoreFilter filter = p.storeFilter();
        int limit = p.metadataLimit();
        List<List<Matcher>> selectors = tenancy.bindAll(tenancy.of(request), p.matchers(false));
        strings(request, response, p, selectors, limit, "proxy LabelNames(): ", (c, m) -> queries.fanout().labelNames(c,
                new LabelNamesRequest(range[0], range[1], m, partial, List.of(), List.of(), oneMore(limit)), filter));
    }

    private void labelValues(Request request, Response response) throws IOException {
        Params p = params(request);
        String name = labelName(request);
        long[] range = p.range(config.metadataRangeMillis, System.currentTimeMillis());
        boolean partial = partial(p);
        StoreFilter filter = p.storeFilter();
        int limit = p.metadataLimit();
        List<List<Matcher>> selectors = tenancy.bindAll(tenancy.of(request), p.matchers(false));
        if (name.isEmpty()) {
            Envelope.success(response, null, List.of(), List.of(), false, false, out -> out.strings(List.of()));
            return;
        }
        strings(request, response, p, selectors, limit, "proxy LabelValues(): ", (c, m) -> queries.fanout().labelValues(c,
                new LabelValuesRequest(name, range[0], range[1], m, partial, List.of(), List.of(), oneMore(limit)), filter));
    }

    /** How many stores are asked for: one more than the limit, so that it shows whether there are more; 0 for all. */
    private static int oneMore(int limit) {
        return limit == 0 || limit == Integer.MAX_VALUE ? 0 : limit + 1;
    }

    /** Any name that is UTF-8 can be a label's. */
    private static String labelName(Request request) {
        String name = request.pathParameter("name");
        if (name.indexOf('\uFFFD') >= 0) {
            String bytes = GoQuote.text(request.pathParameterBytes("name"));
            if (!bytes.equals(name)) {
                throw ApiException.badData("invalid label name: " + GoQuote.quote(bytes));
            }
        }
        return unescape(name);
    }

    /** {@code U__…}: any name spelled with letters, digits and underscores; what is not spelled right stays as it is. */
    static String unescape(String s) {
        if (!s.startsWith("U__")) {
            return s;
        }
        StringBuilder sb = new StringBuilder();
        int i = 3;
        while (i < s.length()) {
            char c = s.charAt(i);
            if (c != '_') {
                sb.append(c);
                i++;
                continue;
            }
            if (i + 1 < s.length() && s.charAt(i + 1) == '_') {
                sb.append('_');
                i += 2;
                continue;
            }
            int end = s.indexOf('_', i + 1);
            String code = end < 0 ? "" : s.substring(i + 1, end);
            if (!CODE_POINT.matcher(code).matches()) {
                return s;
            }
            int rune = Integer.parseInt(code, 16);
            if (rune >= Character.MIN_SURROGATE && rune <= Character.MAX_SURROGATE) {
                return s;
            }
            sb.appendCodePoint(rune);
            i = end + 1;
        }
        return sb.toString();
    }

    private void series(Request request, Response response) throws IOException {
        Params p = Params.withoutMultipart(request);
        if (p.all("match[]").isEmpty()) {
            throw ApiException.badData("no match[] parameter provided");
        }
        long[] range = p.range(config.metadataRangeMillis, System.currentTimeMillis());
        String tenant = tenancy.of(request);
        List<List<Matcher>> selectors = tenancy.bindAll(tenant, p.matchers(true));
        boolean dedup = p.bool("dedup", true);
        List<String> replicaLabels = p.replicaLabels(config.replicaLabels);
        StoreFilter filter = p.storeFilter();
        int limit = p.metadataLimit();
        boolean partial = partial(p);
        SourceOptions options = new SourceOptions(dedup, replicaLabels, config.dedup, partial, Long.MAX_VALUE, filter, ShardInfo.NONE,
                config.maxSelectSeries, false, false, "");
        try (QueryService.Call c = queries.open(request, tenant)) {
            SelectHints hints = new SelectHints(new io.varve.model.TimeRange(range[0], range[1]), 0, 0, 0, "series", false, List.of(),
                    oneMore(limit), true);
            List<Labels> found;
            try {
                found = seriesOf(c.context(), queries.source(options, tenant, null), hints, selectors, limit);
            } catch (VarveException e) {
                throw ApiException.of(e, STORES);
            }
            List<String> stores = new ArrayList<>(c.context().warnings());
            List<Labels> shown = found;
            if (limit > 0 && found.size() > limit) {
                shown = found.subList(0, limit);
                stores.add(TRUNCATED);
            }
            List<Labels> all = shown;
            Envelope.success(response, c.context(), stores, List.of(), !stores.isEmpty(), p.text("coverage").equals("true"),
                    out -> labelSets(out, all));
        }
    }

    static void labelSets(JsonOut out, List<Labels> all) throws IOException {
        out.open('[');
        for (Labels l : all) {
            out.labels(l);
        }
        out.close(']');
    }

    /** The series of all selectors, in label order, each once. Their memory stays reserved until the call is over. */
    private static List<Labels> seriesOf(QueryContext context, StoreSource source, SelectHints hints, List<List<Matcher>> selectors,
            int limit) {
        List<Labels> all = List.of();
        for (List<Matcher> matchers : selectors) {
            // What comes is in order, as is what is there.
            List<Labels> before = all;
            int at = 0;
            all = new ArrayList<>();
            try (SeriesSet set = source.select(context, hints, matchers)) {
                Series s;
                long n = 0;
                while ((s = set.next()) != null) {
                    Labels labels = s.labels();
                    int order = -1;
                    while (at < before.size() && (order = before.get(at).compareTo(labels)) < 0) {
                        all.add(before.get(at++));
                    }
                    if (at == before.size() || order != 0) {
                        context.budget().reserve(100 + 60L * labels.size(), "label sets of the answer");
                        all.add(labels);
                    }
                    if (limit > 0 && ++n > limit) {
                        break;
                    }
                }
            }
            all.addAll(before.subList(at, before.size()));
        }
        return all;
    }
}

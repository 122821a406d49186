package io.varve.querier.api;

import io.varve.model.Labels;
import io.varve.model.Matcher;
import io.varve.promql.Feature;
import io.varve.promql.parser.AggregateOp;
import io.varve.promql.parser.BinaryOp;
import io.varve.promql.parser.FunctionSignature;
import io.varve.promql.parser.Functions;
import io.varve.promql.parser.ParserOptions;
import io.varve.querier.fanout.EndpointSet;
import io.varve.runtime.BuildInfo;
import io.varve.runtime.http.Request;
import io.varve.runtime.http.Response;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.time.Instant;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/** Which stores there are, and what this process is: paths under {@code /api/v1} that ask no store. Safe for many threads. */
final class ServerStatus {
    /** Go's zero time. */
    private static final String NEVER = "0001-01-01T00:00:00Z";

    private final EndpointSet endpoints;
    private final Map<String, String> flags;
    private final ParserOptions language;
    private final Set<Feature> features;
    private final Instant started = Instant.now();

    /** @param flags values of all flags by name, in order */
    ServerStatus(EndpointSet endpoints, Map<String, String> flags, ParserOptions language, Set<Feature> features) {
        this.endpoints = endpoints;
        this.flags = flags;
        this.language = language;
        this.features = features;
    }

    void stores(Request request, Response response) throws IOException {
        Map<String, List<EndpointSet.Status>> byType = new TreeMap<>();
        for (EndpointSet.Status s : endpoints.now().statuses()) {
            byType.computeIfAbsent(s.component(), k -> new ArrayList<>()).add(s);
        }
        Envelope.success(response, null, List.of(), List.of(), false, false, out -> {
            out.open('{');
            for (Map.Entry<String, List<EndpointSet.Status>> e : byType.entrySet()) {
                out.name(e.getKey()).open('[');
                List<EndpointSet.Status> all = new ArrayList<>(e.getValue());
                all.sort(Comparator.comparing(EndpointSet.Status::address));
                for (EndpointSet.Status s : all) {
                    out.open('{').name("name").string(s.address()).name("lastCheck")
                            .string(s.lastCheckMillis() == Long.MIN_VALUE
                                    ? NEVER
                                    : DateTimeFormatter.ISO_INSTANT.format(Instant.ofEpochMilli(s.lastCheckMillis())))
                            .name("lastError");
                    String error = s.lastError();
                    if (error == null) {
                        out.json("null");
                    } else {
                        out.string(error);
                    }
                    out.name("labelSets").open('[');
                    for (Labels l : new TreeSet<>(s.labelSets())) {
                        out.labels(l);
                    }
                    out.close(']').name("minTime").number(s.minTime()).name("maxTime").number(s.maxTime()).close('}');
                }
                out.close(']');
            }
            out.close('}');
        });
    }

    void statusFlags(Request request, Response response) throws IOException {
        Envelope.success(response, null, List.of(), List.of(), false, false, out -> {
            out.open('{');
            for (Map.Entry<String, String> e : flags.entrySet()) {
                out.name(e.getKey()).string(e.getValue());
            }
            out.close('}');
        });
    }

    void runtimeInfo(Request request, Response response) throws IOException {
        Envelope.success(response, null, List.of(), List.of(), false, false, out -> out.open('{').name("startTime")
                .string(started.toString())
                .name("CWD").string(System.getProperty("user.dir", "")).name("hostname").string(hostname()).name("serverTime")
                .string(Instant.now().toString()).name("reloadConfigSuccess").bool(true).name("lastConfigTime").string(started.toString())
                .name("corruptionCount").number(0).name("goroutineCount")
                // Not Thread.activeCount(): that is of the caller's group, which of a virtual thread is empty.
                .number(ManagementFactory.getThreadMXBean().getThreadCount()).name("GOMAXPROCS")
                .number(Runtime.getRuntime().availableProcessors()).name("GOMEMLIMIT").number(Runtime.getRuntime().maxMemory()).name("GOGC")
                .string("").name("GODEBUG").string("").name("storageRetention").string("").close('}'));
    }

    private static String hostname() {
        try {
            return InetAddress.getLocalHost().getHostName();
        } catch (UnknownHostException e) {
            return "";
        }
    }

    void buildInfo(Request request, Response response) throws IOException {
        BuildInfo b = BuildInfo.current();
        // No member "features": Grafana would take the server for another product.
        Envelope.success(response, null, List.of(), List.of(), false, false, out -> out.open('{').name("version").string(b.version())
                .name("revision").string(b.revision()).name("branch").string(b.branch()).name("buildUser").string("").name("buildDate")
                .string("").name("goVersion").string("java" + Runtime.version().feature()).close('}'));
    }

    void features(Request request, Response response) throws IOException {
        Map<String, Map<String, Boolean>> all = new TreeMap<>();
        Map<String, Boolean> api = new TreeMap<>();
        for (String f : List.of("exclude_alerts", "label_values_match", "lifecycle", "query_stats", "query_warnings", "time_range_labels",
                "time_range_series", "remote_read", "format_query", "parse_query", "coverage")) {
            api.put(f, true);
        }
        all.put("api", api);
        Map<String, Boolean> promql = new LinkedHashMap<>();
        for (String f : List.of("at_modifier", "bool", "by", "duration_expr", "group_left", "group_right", "ignoring", "negative_offset",
                "offset",
                "on", "per_query_lookback_delta", "subqueries", "without")) {
            promql.put(f, true);
        }
        promql.put("anchored", features.contains(Feature.EXTENDED_RANGE_SELECTORS));
        promql.put("smoothed", features.contains(Feature.EXTENDED_RANGE_SELECTORS));
        promql.put("delayed_name_removal", features.contains(Feature.DELAYED_NAME_REMOVAL));
        for (String f : List.of("fill", "fill_left", "fill_right")) {
            promql.put(f, features.contains(Feature.BINOP_FILL_MODIFIERS));
        }
        promql.put("per_step_stats", features.contains(Feature.PER_STEP_STATS));
        promql.put("type_and_unit_labels", features.contains(Feature.TYPE_AND_UNIT_LABELS));
        all.put("promql", new TreeMap<>(promql));
        Map<String, Boolean> functions = new TreeMap<>();
        for (FunctionSignature f : Functions.all()) {
            functions.put(f.name(), !f.experimental() || language.experimentalFunctions());
        }
        all.put("promql_functions", functions);
        Map<String, Boolean> operators = new TreeMap<>();
        for (AggregateOp op : AggregateOp.values()) {
            operators.put(op.toString(), true);
        }
        for (BinaryOp op : BinaryOp.values()) {
            operators.put(op.toString(), true);
        }
        for (Matcher.Type t : Matcher.Type.values()) {
            operators.put(t.symbol(), true);
        }
        all.put("promql_operators", operators);
        Envelope.success(response, null, List.of(), List.of(), false, false, out -> {
            out.open('{');
            for (Map.Entry<String, Map<String, Boolean>> c : all.entrySet()) {
                out.name(c.getKey()).open('{');
                for (Map.Entry<String, Boolean> f : c.getValue().entrySet()) {
                    out.name(f.getKey()).bool(f.getValue());
                }
                out.close('}');
            }
            out.close('}');
        });
    }
}

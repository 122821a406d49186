package io.varve.querier.api;

import io.varve.model.GoFloat;
import io.varve.model.InvalidRequestException;
import io.varve.model.Labels;
import io.varve.model.LimitExceededException;
import io.varve.model.Matcher;
import io.varve.model.QueryContext;
import io.varve.model.Utf8Order;
import io.varve.model.VarveException;
import io.varve.querier.fanout.SideFanout;
import io.varve.runtime.http.Request;
import io.varve.runtime.http.Response;
import io.varve.store.Answers;
import io.varve.store.ExemplarsApi;
import io.varve.store.MetadataApi;
import io.varve.store.RulesApi;
import io.varve.store.StatusApi;
import io.varve.store.TargetsApi;
import java.io.IOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.ToLongFunction;
import java.util.function.UnaryOperator;

/** Rules, alerts, targets, metadata, exemplars and TSDB statistics over HTTP: gathered, replicas made one, written. Safe for many threads. */
public final class SideApis {
    private static final Comparator<ExemplarsApi.Exemplar> EXEMPLAR_ORDER = Comparator.comparingLong(ExemplarsApi.Exemplar::timestamp)
            .thenComparing(ExemplarsApi.Exemplar::labels).thenComparingDouble(ExemplarsApi.Exemplar::value);

    private final QueryService queries;
    private final SideFanout fanout;
    private final List<String> replicaLabels;

    /** @param replicaLabels labels that are taken out of rules, targets and exemplars before equal ones become one */
    public SideApis(QueryService queries, SideFanout fanout, List<String> replicaLabels) {
        this.queries = queries;
        this.fanout = fanout;
        this.replicaLabels = List.copyOf(replicaLabels);
    }

    /** Who asks, and whether the whole coverage report is wanted. */
    record Caller(Request request, String tenant, boolean coverage) {
    }

    private interface Ask<T> {
        void run(QueryContext context, Answers<T> answers);
    }

    private static <T> List<T> gather(QueryContext context, String error, Ask<T> ask) {
        List<T> items = new ArrayList<>();
        try {
            ask.run(context, new Answers<>() {
                @Override
                public void item(T item) {
                    items.add(item);
                }

                @Override
                public void warning(String text) {
                    context.warn(text);
                }
            });
        } catch (InvalidRequestException e) {
            throw new ApiException(ApiException.Kind.BAD_DATA, error + e.getMessage(), e);
        } catch (LimitExceededException e) {
            throw new ApiException(ApiException.Kind.EXECUTION, error + e.getMessage(), e);
        } catch (VarveException e) {
            throw new ApiException(ApiException.Kind.INTERNAL, error + e.getMessage(), e);
        }
        return items;
    }

    private static void send(Caller caller, Response response, QueryContext context, Envelope.Data data) throws IOException {
        List<String> warnings = context.warnings();
        Envelope.success(response, context, warnings, List.of(), !warnings.isEmpty(), caller.coverage(), data);
    }

    // --- rules ------------------------------------------------------------------------------------------------------------------

    void rules(Caller caller, Params p, Response response, boolean defaultPartial) throws IOException {
        RulesApi.Kind kind = switch (p.text("type").toLowerCase(Locale.ROOT)) {
            case "", "all" -> RulesApi.Kind.ALL;
            case "alert" -> RulesApi.Kind.ALERT;
            case "record" -> RulesApi.Kind.RECORD;
            default -> throw ApiException.badData("invalid rules parameter type='" + p.text("type") + "'");
        };
        RulesApi.Request request = new RulesApi.Request(kind, p.bool("partial_response", defaultPartial), p.all("match[]"),
                p.all("rule_name[]"), p.all("rule_group[]"), p.all("file[]"));
        try (QueryService.Call call = queries.open(caller.request(), caller.tenant())) {
            List<RulesApi.Group> groups = groups(call.context(), request);
            send(caller, response, call.context(), out -> {
                out.open('{').name("groups").open('[');
                for (RulesApi.Group g : groups) {
                    group(out, g);
                }
                out.close(']').close('}');
            });
        }
    }

    void alerts(Caller caller, Response response, boolean defaultPartial) throws IOException {
        RulesApi.Request request = new RulesApi.Request(RulesApi.Kind.ALERT, defaultPartial, List.of(), List.of(), List.of(), List.of());
        try (QueryService.Call call = queries.open(caller.request(), caller.tenant())) {
            List<RulesApi.Alert> alerts = new ArrayList<>();
            for (RulesApi.Group g : groups(call.context(), request)) {
                for (RulesApi.Rule r : g.rules()) {
                    if (r instanceof RulesApi.Alerting a) {
                        alerts.addAll(a.alerts());
                    }
                }
            }
            send(caller, response, call.context(), out -> {
                out.open('{').name("alerts");
                if (alerts.isEmpty()) {
                    out.json("null");
                } else {
                    out.open('[');
                    for (RulesApi.Alert a : alerts) {
                        alert(out, a);
                    }
                    out.close(']');
                }
                out.close('}');
            });
        }
    }

    private List<RulesApi.Group> groups(QueryContext context, RulesApi.Request request) {
        List<List<Matcher>> matchers = new ArrayList<>();
        for (String m : request.matchers()) {
            try {
                matchers.add(Params.selector(m));
            } catch (ApiException e) {
                throw new ApiException(ApiException.Kind.BAD_DATA, "error retrieving rules: parser ParseMetricSelector: " + e.getMessage(),
                        e);
            }
        }
        boolean unfiltered = matchers.isEmpty() && request.names().isEmpty() && request.groups().isEmpty() && request.files().isEmpty();
        Map<String, RulesApi.Group> byKey = new TreeMap<>(Utf8Order::compare);
        Map<String, List<RulesApi.Rule>> rules = new HashMap<>();
        for (RulesApi.Group g : gather(context, "error retrieving rules: ",
                (QueryContext c, Answers<RulesApi.Group> a) -> fanout.rules(c, request, a))) {
            if (!request.groups().isEmpty() && !request.groups().contains(g.name())
                    || !request.files().isEmpty() && !request.files().contains(g.file())) {
                continue;
            }
            String key = g.file() + ";" + g.name();
            byKey.putIfAbsent(key, g);
            rules.computeIfAbsent(key, k -> new ArrayList<>()).addAll(g.rules());
        }
        List<RulesApi.Group> out = new ArrayList<>();
        byKey.forEach((key, g) -> {
            List<RulesApi.Rule> kept = new ArrayList<>();
            for (RulesApi.Rule r : rules.getOrDefault(key, List.of())) {
                boolean named = request.names().isEmpty() || request.names().contains(r.name());
                boolean ofKind = switch (request.kind()) {
                    case ALL -> true;
                    case ALERT -> r instanceof RulesApi.Alerting;
                    case RECORD -> r instanceof RulesApi.Recording;
                };
                if (named && ofKind && (matchers.stream().allMatch(m -> matches(r.labels(), m)))) {
                    kept.add(withoutReplica(r));
                }
            }
            List<RulesApi.Rule> unique = distinct(kept);
            if (!unique.isEmpty() || unfiltered && g.rules().isEmpty()) {
                out.add(new RulesApi.Group(g.name(), g.file(), unique, g.intervalSeconds(), g.evaluationSeconds(), g.lastEvaluation(),
                        g.abortsOnPartialResponse(), g.limit()));
            }
        });
        return out;
    }

    /** A templated value is not known before the rule fires: the label counts as absent, as in Thanos. */
    private static boolean matches(Labels labels, List<Matcher> matchers) {
        for (Matcher m : matchers) {
            String v = labels.get(m.name());
            if (!m.matches(v.contains("{{") ? "" : v)) {
                return false;
            }
        }
        return true;
    }

    /** The alerts of a rule keep their labels, as in Thanos: they tell which replica saw them. */
    private RulesApi.Rule withoutReplica(RulesApi.Rule r) {
        return switch (r) {
            case RulesApi.Recording x -> new RulesApi.Recording(x.name(), x.query(), x.labels().without(replicaLabels), x.health(),
                    x.lastError(), x.evaluationSeconds(), x.lastEvaluation());
            case RulesApi.Alerting x -> new RulesApi.Alerting(x.state(), x.name(), x.query(), x.durationSeconds(), x.keepFiringForSeconds(),
                    x.labels().without(replicaLabels), x.annotations(), x.alerts(), x.health(), x.lastError(), x.evaluationSeconds(),
                    x.lastEvaluation());
        };
    }

    private static List<RulesApi.Rule> distinct(List<RulesApi.Rule> rules) {
        Comparator<RulesApi.Rule> same = Comparator.<RulesApi.Rule>comparingInt(r -> r instanceof RulesApi.Alerting ? 0 : 1)
                .thenComparing(RulesApi.Rule::name, Utf8Order::compare).thenComparing(RulesApi.Rule::labels)
                .thenComparing(RulesApi.Rule::query, Utf8Order::compare)
                .thenComparingDouble(r -> r instanceof RulesApi.Alerting a ? a.durationSeconds() : 0);
        // Of equal rules the more critical state, then the youngest evaluation.
        Comparator<RulesApi.Rule> better = same.thenComparing(r -> r instanceof RulesApi.Alerting a ? a.state() : RulesApi.State.UNKNOWN,
                Comparator.reverseOrder()).thenComparing(SideApis::evaluated, Comparator.reverseOrder());
        List<RulesApi.Rule> sorted = new ArrayList<>(rules);
        sorted.sort(better);
        List<RulesApi.Rule> out = new ArrayList<>();
        for (RulesApi.Rule r : sorted) {
            if (out.isEmpty() || same.compare(out.getLast(), r) != 0) {
                out.add(r);
            }
        }
        return out;
    }

    private static Instant evaluated(RulesApi.Rule r) {
        return switch (r) {
            case RulesApi.Recording x -> x.lastEvaluation();
            case RulesApi.Alerting x -> x.lastEvaluation();
        };
    }

    private static void group(JsonOut out, RulesApi.Group g) throws IOException {
        out.open('{').name("name").string(g.name()).name("file").string(g.file()).name("rules").open('[');
        for (RulesApi.Rule r : g.rules()) {
            rule(out, r);
        }
        out.close(']').name("interval").number(g.intervalSeconds()).name("evaluationTime").number(g.evaluationSeconds())
                .name("lastEvaluation").string(time(g.lastEvaluation())).name("limit").number(g.limit()).name("partialResponseStrategy")
                .string(g.abortsOnPartialResponse() ? "ABORT" : "WARN").close('}');
    }

    private static void rule(JsonOut out, RulesApi.Rule r) throws IOException {
        out.open('{');
        switch (r) {
            case RulesApi.Recording x -> {
                out.name("name").string(x.name()).name("query").string(x.query()).name("labels").labels(x.labels());
                tail(out, x.health(), x.lastError(), x.evaluationSeconds(), x.lastEvaluation());
                out.name("type").string("recording");
            }
            case RulesApi.Alerting x -> {
                out.name("state").string(x.state().name().toLowerCase(Locale.ROOT)).name("name").string(x.name()).name("query")
                        .string(x.query()).name("duration").number(x.durationSeconds()).name("labels").labels(x.labels())
                        .name("annotations").labels(x.annotations()).name("alerts").open('[');
                for (RulesApi.Alert a : x.alerts()) {
                    alert(out, a);
                }
                out.close(']');
                tail(out, x.health(), x.lastError(), x.evaluationSeconds(), x.lastEvaluation());
                out.name("keepFiringFor").number(x.keepFiringForSeconds()).name("type").string("alerting");
            }
        }
        out.close('}');
    }

    private static void tail(JsonOut out, String health, String lastError, double seconds, Instant last) {
        out.name("health").string(health);
        if (!lastError.isEmpty()) {
            out.name("lastError").string(lastError);
        }
        out.name("evaluationTime").number(seconds).name("lastEvaluation").string(time(last));
    }

    private static void alert(JsonOut out, RulesApi.Alert a) throws IOException {
        out.open('{').name("labels").labels(a.labels()).name("annotations").labels(a.annotations()).name("state")
                .string(a.state().name().toLowerCase(Locale.ROOT));
        Instant since = a.activeAt();
        if (since != null) {
            out.name("activeAt").string(time(since));
        }
        out.name("value").string(a.value()).name("partialResponseStrategy").string(a.abortsOnPartialResponse() ? "ABORT" : "WARN")
                .close('}');
    }

    /** As Go writes it: a fraction without zeros at its end. */
    static String time(Instant t) {
        String s = t.toString();
        int end = s.length() - 1;
        if (s.indexOf('.') < 0) {
            return s;
        }
        while (s.charAt(end - 1) == '0') {
            end--;
        }
        return s.substring(0, end) + 'Z';
    }

    // --- targets ----------------------------------------------------------------------------------------------------------------

    void targets(Caller caller, Params p, Response response, boolean defaultPartial) throws IOException {
        TargetsApi.Kind kind = switch (p.text("state").toLowerCase(Locale.ROOT)) {
            case "", "any" -> TargetsApi.Kind.ANY;
            case "active" -> TargetsApi.Kind.ACTIVE;
            case "dropped" -> TargetsApi.Kind.DROPPED;
            default -> throw ApiException.badData("invalid targets parameter state='" + p.text("state") + "'");
        };
        TargetsApi.Request request = new TargetsApi.Request(kind, p.bool("partial_response", defaultPartial));
        try (QueryService.Call call = queries.open(caller.request(), caller.tenant())) {
            // The address as the outside sees it is not compared: of a target on its own host each replica has another one.
            Map<TargetsApi.Active, TargetsApi.Active> active = new TreeMap<>(
                    Comparator.comparing(TargetsApi.Active::scrapeUrl, Utf8Order::compare)
                            .thenComparing(TargetsApi.Active::scrapePool, Utf8Order::compare)
                            .thenComparing(TargetsApi.Active::discoveredLabels).thenComparing(TargetsApi.Active::labels));
            Set<Labels> dropped = new TreeSet<>();
            for (TargetsApi.Discovery d : gather(call.context(), "retrieving targets: ",
                    (QueryContext c, Answers<TargetsApi.Discovery> a) -> fanout.targets(c, request, a))) {
                for (TargetsApi.Active t : d.active()) {
                    TargetsApi.Active one = new TargetsApi.Active(t.discoveredLabels().without(replicaLabels),
                            t.labels().without(replicaLabels), t.scrapePool(), t.scrapeUrl(), t.globalUrl(), t.lastError(), t.lastScrape(),
                            t.lastScrapeSeconds(), t.health());
                    active.merge(one, one, SideApis::better);
                }
                d.dropped().forEach(t -> dropped.add(t.discoveredLabels().without(replicaLabels)));
            }
            send(caller, response, call.context(), out -> {
                out.open('{').name("activeTargets").open('[');
                for (TargetsApi.Active t : kind == TargetsApi.Kind.DROPPED ? List.<TargetsApi.Active>of() : active.values()) {
                    out.open('{').name("discoveredLabels").labels(t.discoveredLabels()).name("labels").labels(t.labels()).name("scrapePool")
                            .string(t.scrapePool()).name("scrapeUrl").string(t.scrapeUrl()).name("globalUrl").string(t.globalUrl())
                            .name("lastError").string(t.lastError()).name("lastScrape").string(time(t.lastScrape()))
                            .name("lastScrapeDuration").number(t.lastScrapeSeconds()).name("health")
                            .string(t.health().name().toLowerCase(Locale.ROOT)).close('}');
                }
                out.close(']').name("droppedTargets").open('[');
                for (Labels l : kind == TargetsApi.Kind.ACTIVE ? Set.<Labels>of() : dropped) {
                    out.open('{').name("discoveredLabels").labels(l).close('}');
                }
                out.close(']').close('}');
            });
        }
    }

    /** Of one target scraped by two replicas the sicker word, then the younger. */
    private static TargetsApi.Active better(TargetsApi.Active a, TargetsApi.Active b) {
        if (a.health() != b.health()) {
            return a.health() == TargetsApi.Health.DOWN || b.health() == TargetsApi.Health.UNKNOWN ? a : b;
        }
        return a.lastScrape().isBefore(b.lastScrape()) ? b : a;
    }

    // --- metadata ---------------------------------------------------------------------------------------------------------------

    /** @param asThanos whether what does not fit into 32 bits is an error, and the error shows the number that Go made of the limit */
    void metadata(Caller caller, Params p, Response response, boolean defaultPartial, boolean asThanos) throws IOException {
        String l = p.text("limit");
        int limit = l.isEmpty() ? -1 : metadataLimit(l, asThanos);
        int most = limit;
        int perMetric = perMetric(p);
        MetadataApi.Request request = new MetadataApi.Request(p.text("metric"), most, p.bool("partial_response", defaultPartial));
        try (QueryService.Call call = queries.open(caller.request(), caller.tenant())) {
            Map<String, Set<MetadataApi.Meta>> all = new TreeMap<>(Utf8Order::compare);
            for (Map<String, List<MetadataApi.Meta>> m : gather(call.context(), "retrieving metadata: ",
                    (QueryContext c, Answers<Map<String, List<MetadataApi.Meta>>> a) -> fanout.metadata(c, request, a))) {
                m.forEach((name, metas) -> all.computeIfAbsent(name, k -> new LinkedHashSet<>()).addAll(metas));
            }
            send(caller, response, call.context(), out -> {
                out.open('{');
                int n = 0;
                for (Map.Entry<String, Set<MetadataApi.Meta>> e : all.entrySet()) {
                    if (most >= 0 && n++ >= most) {
                        break;
                    }
                    out.name(e.getKey()).open('[');
                    int k = 0;
                    for (MetadataApi.Meta m : e.getValue()) {
                        if (perMetric > 0 && k++ >= perMetric) {
                            break;
                        }
                        out.open('{').name("type").string(m.type()).name("help").string(m.help()).name("unit").string(m.unit()).close('}');
                    }
                    out.close(']');
                }
                out.close('}');
            });
        }
    }

    static int metadataLimit(String text, boolean asThanos) {
        long n;
        try {
            n = Params.parseLong(text);
        } catch (NumberFormatException e) {
            throw new ApiException(ApiException.Kind.BAD_DATA, "invalid metric metadata limit='" + (asThanos ? "0" : text) + "'", e);
        }
        int fitting = Math.clamp(n, Integer.MIN_VALUE, Integer.MAX_VALUE);
        if (asThanos && n != fitting) {
            throw ApiException.badData("invalid metric metadata limit='" + fitting + "'");
        }
        return fitting;
    }

    private static int perMetric(Params p) {
        String v = p.text("limit_per_metric");
        try {
            return v.isEmpty() ? 0 : Params.parseInt(v);
        } catch (NumberFormatException e) {
            throw new ApiException(ApiException.Kind.BAD_DATA, "limit_per_metric must be a number", e);
        }
    }

    // --- exemplars --------------------------------------------------------------------------------------------------------------

    void exemplars(Caller caller, Params p, Response response, boolean defaultPartial, UnaryOperator<String> rewrite) throws IOException {
        long start = p.time("start", Params.MIN_TIME);
        long end = p.time("end", Params.MAX_TIME);
        boolean partial = p.bool("partial_response", defaultPartial);
        String query;
        try {
            query = rewrite.apply(p.text("query"));
        } catch (InvalidRequestException e) {
            throw new ApiException(ApiException.Kind.BAD_DATA, "retrieving exemplars: proxy Exemplars: " + e.getMessage(), e);
        }
        ExemplarsApi.Request request = new ExemplarsApi.Request(query, start, end, partial);
        try (QueryService.Call call = queries.open(caller.request(), caller.tenant())) {
            Map<Labels, Set<ExemplarsApi.Exemplar>> all = new TreeMap<>();
            for (ExemplarsApi.ExemplarSeries s : gather(call.context(), "retrieving exemplars: proxy Exemplars: ",
                    (QueryContext c, Answers<ExemplarsApi.ExemplarSeries> a) -> fanout.exemplars(c, request, a))) {
                if (!s.exemplars().isEmpty()) {
                    all.computeIfAbsent(s.series().without(replicaLabels), k -> new TreeSet<>(EXEMPLAR_ORDER)).addAll(s.exemplars());
                }
            }
            send(caller, response, call.context(), out -> {
                out.open('[');
                for (Map.Entry<Labels, Set<ExemplarsApi.Exemplar>> e : all.entrySet()) {
                    out.open('{').name("seriesLabels").labels(e.getKey()).name("exemplars").open('[');
                    for (ExemplarsApi.Exemplar x : e.getValue()) {
                        out.open('{').name("labels").labels(x.labels()).name("value").string(GoFloat.plain(x.value())).name("timestamp")
                                .time(x.timestamp()).close('}');
                    }
                    out.close(']').close('}');
                }
                out.close(']');
            });
        }
    }

    // --- TSDB statistics --------------------------------------------------------------------------------------------------------

    /** @param tenant whose statistics alone are wanted, as a matcher on its label; none where everybody's are */
    void tsdb(Caller caller, Params p, Response response, boolean defaultPartial, Optional<Matcher> tenant) throws IOException {
        int asked = p.metadataLimit();
        int most = asked == 0 ? 10 : asked;
        List<Matcher> matchers = new ArrayList<>();
        p.matchers(false).forEach(matchers::addAll);
        tenant.ifPresent(matchers::add);
        StatusApi.Request request = new StatusApi.Request("", most, p.bool("partial_response", defaultPartial), matchers);
        try (QueryService.Call call = queries.open(caller.request(), caller.tenant())) {
            long[] head = new long[5];
            Map<String, Long> metrics = new TreeMap<>(Utf8Order::compare);
            Map<String, Long> values = new TreeMap<>(Utf8Order::compare);
            Map<String, Long> bytes = new TreeMap<>(Utf8Order::compare);
            Map<String, Long> pairs = new TreeMap<>(Utf8Order::compare);
            for (Map<String, StatusApi.TsdbStatistics> m : gather(call.context(), "retrieving tsdb statistics: ",
                    (QueryContext c, Answers<Map<String, StatusApi.TsdbStatistics>> a) -> fanout.tsdbStatistics(c, request, a))) {
                for (Map.Entry<String, StatusApi.TsdbStatistics> e : m.entrySet()) {
                    // A source without tenants answered because its external labels name this one.
                    if (tenant.isPresent() && !e.getKey().isEmpty() && !tenant.get().value().equals(e.getKey())) {
                        continue;
                    }
                    StatusApi.TsdbStatistics s = e.getValue();
                    StatusApi.Head h = s.head();
                    head[0] += h.numSeries();
                    head[1] += h.numLabelPairs();
                    head[2] += h.chunkCount();
                    // 0 says that there are no samples.
                    head[3] = head[3] <= 0 || h.minTime() > 0 && h.minTime() < head[3] ? h.minTime() : head[3];
                    head[4] = Math.max(head[4], h.maxTime());
                    s.seriesCountByMetricName().forEach(x -> metrics.merge(x.name(), x.value(), Long::sum));
                    s.labelValueCountByLabelName().forEach(x -> values.merge(x.name(), x.value(), Math::max));
                    s.memoryInBytesByLabelName().forEach(x -> bytes.merge(x.name(), x.value(), Long::sum));
                    s.seriesCountByLabelValuePair().forEach(x -> pairs.merge(x.name(), x.value(), Long::sum));
                }
            }
            send(caller, response, call.context(), out -> {
                out.open('{').name("headStats").open('{').name("numSeries").number(head[0]).name("numLabelPairs").number(head[1])
                        .name("chunkCount").number(head[2]).name("minTime").number(head[3]).name("maxTime").number(head[4]).close('}');
                statistics(out.name("seriesCountByMetricName"), metrics, most);
                statistics(out.name("labelValueCountByLabelName"), values, most);
                statistics(out.name("memoryInBytesByLabelName"), bytes, most);
                statistics(out.name("seriesCountByLabelValuePair"), pairs, most);
                out.close('}');
            });
        }
    }

    private static void statistics(JsonOut out, Map<String, Long> counts, int limit) throws IOException {
        List<Map.Entry<String, Long>> sorted = new ArrayList<>(counts.entrySet());
        ToLongFunction<Map.Entry<String, Long>> value = Map.Entry::getValue;
        sorted.sort(Comparator.comparingLong(value).reversed().thenComparing(Map.Entry::getKey, Utf8Order::compare));
        out.open('[');
        for (Map.Entry<String, Long> e : sorted.subList(0, Math.min(limit, sorted.size()))) {
            out.open('{').name("name").string(e.getKey()).name("value").number(e.getValue()).close('}');
        }
        out.close(']');
    }
}

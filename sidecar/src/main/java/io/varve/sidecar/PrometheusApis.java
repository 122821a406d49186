package io.varve.sidecar;

import com.fasterxml.jackson.databind.JsonNode;
import io.varve.model.Labels;
import io.varve.model.QueryContext;
import io.varve.model.Utf8Order;
import io.varve.store.Answers;
import io.varve.store.ExemplarsApi;
import io.varve.store.MetadataApi;
import io.varve.store.RulesApi;
import io.varve.store.StatusApi;
import io.varve.store.TargetsApi;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Rules, targets, metadata, exemplars and statistics of the Prometheus beside us, with its external labels. Safe for many threads. */
final class PrometheusApis implements RulesApi, TargetsApi, MetadataApi, ExemplarsApi, StatusApi {
    private final Prometheus prometheus;
    private final Supplier<Labels> external;

    PrometheusApis(Prometheus prometheus, Supplier<Labels> external) {
        this.prometheus = prometheus;
        this.external = external;
    }

    @Override
    public void rules(QueryContext context, RulesApi.Request request, Answers<RulesApi.Group> answers) {
        Prometheus.Parameters p = new Prometheus.Parameters();
        switch (request.kind()) {
            case ALL -> {
                // Both kinds come without asking.
            }
            case ALERT -> p.add("type", "alert");
            case RECORD -> p.add("type", "record");
        }
        Prometheus.Answer answer = prometheus.get(context, "/api/v1/rules", p);
        answer.warnings().forEach(answers::warning);
        Labels ext = external.get();
        for (JsonNode g : answer.data().path("groups")) {
            List<RulesApi.Rule> rules = new ArrayList<>();
            for (JsonNode r : g.path("rules")) {
                rules.add(rule(r, ext));
            }
            answers.item(new RulesApi.Group(text(g, "name"), text(g, "file"), rules, g.path("interval").asDouble(),
                    g.path("evaluationTime").asDouble(), time(g.path("lastEvaluation")), true, g.path("limit").asLong()));
        }
    }

    private static RulesApi.Rule rule(JsonNode r, Labels ext) {
        Labels labels = labels(r.path("labels")).overriddenBy(ext);
        if (!text(r, "type").equals("alerting")) {
            return new RulesApi.Recording(text(r, "name"), text(r, "query"), labels, text(r, "health"), text(r, "lastError"),
                    r.path("evaluationTime").asDouble(), time(r.path("lastEvaluation")));
        }
        List<RulesApi.Alert> alerts = new ArrayList<>();
        for (JsonNode a : r.path("alerts")) {
            alerts.add(new RulesApi.Alert(labels(a.path("labels")), labels(a.path("annotations")), state(text(a, "state")),
                    a.hasNonNull("activeAt") ? time(a.path("activeAt")) : null, text(a, "value"), false));
        }
        return new RulesApi.Alerting(state(text(r, "state")), text(r, "name"), text(r, "query"), r.path("duration").asDouble(),
                r.path("keepFiringFor").asDouble(), labels, labels(r.path("annotations")), alerts, text(r, "health"), text(r, "lastError"),
                r.path("evaluationTime").asDouble(), time(r.path("lastEvaluation")));
    }

    private static RulesApi.State state(String text) {
        return switch (text) {
            case "firing" -> RulesApi.State.FIRING;
            case "pending" -> RulesApi.State.PENDING;
            case "inactive" -> RulesApi.State.INACTIVE;
            default -> RulesApi.State.UNKNOWN;
        };
    }

    @Override
    public void targets(QueryContext context, TargetsApi.Request request, Answers<TargetsApi.Discovery> answers) {
        Prometheus.Parameters p = new Prometheus.Parameters().add("state", request.kind().name().toLowerCase(Locale.ROOT));
        Prometheus.Answer answer = prometheus.get(context, "/api/v1/targets", p);
        answer.warnings().forEach(answers::warning);
        Labels ext = external.get();
        List<TargetsApi.Active> active = new ArrayList<>();
        for (JsonNode t : answer.data().path("activeTargets")) {
            active.add(new TargetsApi.Active(labels(t.path("discoveredLabels")).overriddenBy(ext),
                    labels(t.path("labels")).overriddenBy(ext),
                    text(t, "scrapePool"), text(t, "scrapeUrl"), text(t, "globalUrl"), text(t, "lastError"), time(t.path("lastScrape")),
                    t.path("lastScrapeDuration").asDouble(), switch (text(t, "health")) {
                        case "up" -> TargetsApi.Health.UP;
                        case "down" -> TargetsApi.Health.DOWN;
                        default -> TargetsApi.Health.UNKNOWN;
                    }));
        }
        List<TargetsApi.Dropped> dropped = new ArrayList<>();
        for (JsonNode t : answer.data().path("droppedTargets")) {
            dropped.add(new TargetsApi.Dropped(labels(t.path("discoveredLabels")).overriddenBy(ext)));
        }
        answers.item(new TargetsApi.Discovery(active, dropped));
    }

    @Override
    public void metadata(QueryContext context, MetadataApi.Request request, Answers<Map<String, List<MetadataApi.Meta>>> answers) {
        Prometheus.Parameters p = new Prometheus.Parameters();
        if (!request.metric().isEmpty()) {
            p.add("metric", request.metric());
        }
        p.add("limit", Integer.toString(request.limit()));
        Prometheus.Answer answer = prometheus.get(context, "/api/v1/metadata", p);
        answer.warnings().forEach(answers::warning);
        Map<String, List<MetadataApi.Meta>> out = new LinkedHashMap<>();
        for (Map.Entry<String, JsonNode> e : answer.data().properties()) {
            List<MetadataApi.Meta> metas = new ArrayList<>();
            e.getValue().forEach(m -> metas.add(new MetadataApi.Meta(text(m, "type"), text(m, "help"), text(m, "unit"))));
            out.put(e.getKey(), metas);
        }
        answers.item(out);
    }

    @Override
    public void exemplars(QueryContext context, ExemplarsApi.Request request, Answers<ExemplarsApi.ExemplarSeries> answers) {
        Prometheus.Parameters p = new Prometheus.Parameters().add("query", request.query()).time("start", request.start()).time("end",
                request.end());
        Prometheus.Answer answer = prometheus.post(context, "/api/v1/query_exemplars", p);
        answer.warnings().forEach(answers::warning);
        Labels ext = external.get();
        for (JsonNode s : answer.data()) {
            List<ExemplarsApi.Exemplar> exemplars = new ArrayList<>();
            for (JsonNode e : s.path("exemplars")) {
                exemplars.add(new ExemplarsApi.Exemplar(labels(e.path("labels")), real(text(e, "value")),
                        Math.round(e.path("timestamp").asDouble() * 1000)));
            }
            answers.item(new ExemplarsApi.ExemplarSeries(labels(s.path("seriesLabels")).overriddenBy(ext), exemplars));
        }
    }

    @Override
    public void tsdbStatistics(QueryContext context, StatusApi.Request request, Answers<Map<String, StatusApi.TsdbStatistics>> answers) {
        Labels ext = external.get();
        if (!request.matchers().stream().allMatch(m -> m.matches(ext.get(m.name())))) {
            answers.item(Map.of());
            return;
        }
        Prometheus.Parameters p = new Prometheus.Parameters();
        if (request.limit() > 0) {
            p.add("limit", Integer.toString(request.limit()));
        }
        Prometheus.Answer answer = prometheus.get(context, "/api/v1/status/tsdb", p);
        answer.warnings().forEach(answers::warning);
        JsonNode d = answer.data();
        JsonNode h = d.path("headStats");
        answers.item(Map.of("", new StatusApi.TsdbStatistics(
                new StatusApi.Head(h.path("numSeries").asLong(), h.path("numLabelPairs").asLong(), h.path("chunkCount").asLong(),
                        h.path("minTime").asLong(), h.path("maxTime").asLong()),
                statistics(d.path("seriesCountByMetricName")), statistics(d.path("labelValueCountByLabelName")),
                statistics(d.path("memoryInBytesByLabelName")), statistics(d.path("seriesCountByLabelValuePair")))));
    }

    private static List<StatusApi.Statistic> statistics(JsonNode list) {
        List<StatusApi.Statistic> out = new ArrayList<>();
        list.forEach(s -> out.add(new StatusApi.Statistic(text(s, "name"), s.path("value").asLong())));
        return out;
    }

    private static String text(JsonNode node, String field) {
        return node.path(field).asText("");
    }

    private static double real(String text) {
        return switch (text) {
            case "+Inf", "Inf" -> Double.POSITIVE_INFINITY;
            case "-Inf" -> Double.NEGATIVE_INFINITY;
            case "NaN" -> Double.NaN;
            default -> {
                try {
                    yield Double.parseDouble(text);
                } catch (NumberFormatException e) {
                    yield Double.NaN;
                }
            }
        };
    }

    /** With empty values too: a rule may take a label away with one, and an annotation may be empty. */
    static Labels labels(JsonNode object) {
        TreeMap<String, String> sorted = new TreeMap<>(Utf8Order::compare);
        object.properties().forEach(e -> sorted.put(e.getKey(), e.getValue().asText()));
        String[] pairs = new String[sorted.size() * 2];
        int i = 0;
        for (Map.Entry<String, String> e : sorted.entrySet()) {
            pairs[i++] = e.getKey();
            pairs[i++] = e.getValue();
        }
        return Labels.ofSorted(pairs);
    }

    private static Instant time(@Nullable JsonNode node) {
        try {
            return node == null || !node.isTextual() ? RulesApi.NEVER : OffsetDateTime.parse(node.asText()).toInstant();
        } catch (DateTimeException e) {
            return RulesApi.NEVER;
        }
    }
}

package io.varve.promql;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.varve.model.CounterResetHint;
import io.varve.model.FloatHistogram;
import io.varve.model.Labels;
import io.varve.model.QueryContext;
import io.varve.model.Span;
import io.varve.model.VarveException;
import io.varve.testkit.Shared;
import io.varve.tsdb.BlockReader;
import io.varve.tsdb.LocalBlocks;
import java.io.IOException;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** What Prometheus 3.14 answered to queries over golden blocks: values, warnings, infos, errors. */
class GoldenEvalTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final double TOLERANCE = 1e-9;

    private final List<BlockReader> open = new ArrayList<>();
    private final Map<Set<Feature>, Engine> engines = new HashMap<>();

    @Test
    void answersAsPrometheusDoes() throws IOException {
        run(2, Integer.MAX_VALUE);
    }

    @Test
    void answersTheSameOnOneThread() throws IOException {
        run(1, 300);
    }

    private void run(int threads, int most) throws IOException {
        Path queries = Shared.golden("promql-eval/queries.jsonl.gz").orElse(null);
        if (queries == null) {
            return;
        }
        List<String> failures = new ArrayList<>();
        int asked = 0;
        try {
            LocalBlocks main = new LocalBlocks(List.of(block("blocks/floats"), block("blocks/histograms"), block("promql-eval/day/block")));
            LocalBlocks starts = new LocalBlocks(List.of(block("blocks/startts")));
            try (Stream<JsonNode> lines = Shared.jsonLines(queries)) {
                for (JsonNode q : (Iterable<JsonNode>) lines::iterator) {
                    if (asked >= most) {
                        break;
                    }
                    String failure;
                    try {
                        failure = ask(q, q.get("data").asText().equals("main") ? main : starts, threads);
                    } catch (RuntimeException e) {
                        failure = "threw " + e + " at " + (e.getStackTrace().length > 0 ? e.getStackTrace()[0] : "");
                    }
                    if (failure != null && failure.equals(NOT_OURS)) {
                        continue;
                    }
                    asked++;
                    if (failure != null) {
                        failures.add(q.get("id") + " " + q.get("flags") + " " + q.get("params") + ": " + failure);
                    }
                }
            }
        } finally {
            engines.values().forEach(Engine::close);
            for (BlockReader b : open) {
                b.close();
            }
        }
        System.out.println("golden queries: " + asked + " asked, " + failures.size() + " failed");
        failures.stream().limit(Integer.getInteger("golden.show", 20))
                .forEach(f -> System.out.println("  " + f.substring(0, Math.min(700, f.length()))));
        assertThat(failures).isEmpty();
        assertThat(asked).isGreaterThan(200);
    }

    private BlockReader block(String name) throws IOException {
        Path dir = Shared.golden(name).orElseThrow();
        try (Stream<Path> children = Files.walk(dir)) {
            Path meta = children.filter(p -> p.getFileName().toString().equals("meta.json")).findFirst().orElseThrow();
            Path parent = meta.getParent();
            BlockReader reader = BlockReader.open(parent == null ? meta : parent);
            open.add(reader);
            return reader;
        }
    }

    private static final String NOT_OURS = "not the engine's";

    private @Nullable String ask(JsonNode q, LocalBlocks source, int threads) throws JsonProcessingException {
        Map<String, String> params = new HashMap<>();
        q.get("params").forEach(p -> params.put(p.get(0).asText(), p.get(1).asText()));
        boolean success = q.get("status").asText().equals("success");
        String error = success ? "" : q.get("error").asText();
        boolean about = error.startsWith("invalid parameter \"query\": ");
        if (!success && q.get("http_status").asInt() == 400 && !about || params.containsKey("limit") || params.containsKey("timeout")) {
            return NOT_OURS;
        }
        QueryRequest request;
        String query = params.getOrDefault("query", "");
        try {
            if (q.get("endpoint").asText().equals("/query")) {
                request = QueryRequest.instant(query, millis(params.get("time")));
            } else {
                request = QueryRequest.range(query, millis(params.get("start")), millis(params.get("end")), step(params.get("step")));
            }
            if (params.containsKey("lookback_delta")) {
                request = request.withLookback(duration(params.get("lookback_delta")));
            }
        } catch (NumberFormatException | NullPointerException | ArithmeticException e) {
            return NOT_OURS;
        }
        Set<Feature> features = new HashSet<>();
        q.get("flags").forEach(f -> features.addAll(Feature.parse(f.asText())));
        Engine engine = engines.computeIfAbsent(features,
                f -> new Engine(EngineOptions.DEFAULT.withFeatures(f).withThreads(threads)));
        QueryContext context = QueryContext.unlimited();
        try (QueryResult r = engine.execute(context, source, request)) {
            if (!success) {
                return "expected the error " + error;
            }
            String wrong = value(r.value(), JSON.readTree(q.get("data_json").asText()), q.get("bits"), q.get("ordered"));
            if (wrong != null) {
                return wrong;
            }
            List<String> warnings = strings(q.get("warnings"));
            List<String> infos = strings(q.get("infos"));
            if (!r.warnings().equals(warnings)) {
                return "warnings " + r.warnings() + ", expected " + warnings;
            }
            return r.infos().equals(infos) ? null : "infos " + r.infos() + ", expected " + infos;
        } catch (VarveException e) {
            if (success) {
                return "failed: " + e.getMessage();
            }
            String expected = about ? error.substring("invalid parameter \"query\": ".length()) : error;
            return e.getMessage().equals(expected) ? null : "failed with " + e.getMessage() + ", expected " + expected;
        }
    }

    /** Seconds become nanoseconds as floats, and those whole milliseconds. */
    private static long step(@Nullable String seconds) {
        return (long) (Double.parseDouble(seconds) * 1e9) / 1_000_000;
    }

    private static long millis(@Nullable String seconds) {
        return new BigDecimal(seconds).multiply(BigDecimal.valueOf(1000)).setScale(0, RoundingMode.HALF_EVEN).longValueExact();
    }

    private static long duration(String text) {
        if (text.endsWith("m")) {
            return Long.parseLong(text.substring(0, text.length() - 1)) * 60_000;
        }
        if (text.endsWith("s")) {
            return Long.parseLong(text.substring(0, text.length() - 1)) * 1000;
        }
        return text.endsWith("h") ? Long.parseLong(text.substring(0, text.length() - 1)) * 3_600_000 : millis(text);
    }

    private static List<String> strings(@Nullable JsonNode list) {
        List<String> out = new ArrayList<>();
        if (list != null) {
            list.forEach(s -> out.add(s.asText()));
        }
        out.sort(null);
        return out;
    }

    private @Nullable String value(QueryValue v, JsonNode data, JsonNode bits, @Nullable JsonNode ordered) {
        String type = data.get("resultType").asText();
        if (!type.equals(v.type())) {
            return "type " + v.type() + ", expected " + type;
        }
        JsonNode result = data.get("result");
        return switch (v) {
            case QueryValue.Scalar s -> number(s.value(), bits.asText());
            case QueryValue.Text t -> t.value().equals(result.get(1).asText()) ? null : "text " + t.value();
            case QueryValue.Vector vec -> vector(vec, result, bits, ordered != null && ordered.asBoolean());
            case QueryValue.Matrix m -> matrix(m, result, bits);
        };
    }

    /** What is not UTF-8 is U+FFFD in the golden texts. */
    private static Labels readable(Labels labels) {
        Labels.Builder b = new Labels.Builder();
        labels.forEach((n, v) -> b.set(n.replaceAll("[\\x{D800}-\\x{DFFF}]", "\uFFFD"), v));
        return b.build();
    }

    private static Labels labels(JsonNode metric) {
        Map<String, String> map = new HashMap<>();
        metric.properties().forEach(e -> map.put(e.getKey(), e.getValue().asText()));
        return Labels.of(map);
    }

    private @Nullable String vector(QueryValue.Vector v, JsonNode result, JsonNode bits, boolean ordered) {
        if (v.samples().size() != result.size()) {
            return v.samples().size() + " elements, expected " + result.size() + ": " + v.samples();
        }
        Map<Labels, QueryValue.Sample> byLabels = new HashMap<>();
        v.samples().forEach(s -> byLabels.put(readable(s.labels()), s));
        for (int i = 0; i < result.size(); i++) {
            Labels labels = labels(result.get(i).get("metric"));
            QueryValue.Sample s = ordered ? v.samples().get(i) : byLabels.get(labels);
            if (ordered && s != null && !s.labels().equals(labels)) {
                // Which of equal values comes first is left to chance by an unstable sort there; here it is the order of labels.
                QueryValue.Sample other = byLabels.get(labels);
                if (other != null && other.histogram() == null && close(other.value(), s.value())) {
                    s = other;
                }
            }
            if (s == null || !readable(s.labels()).equals(labels)) {
                return "no " + labels + (s == null ? "" : " at " + i + " but " + s.labels());
            }
            JsonNode b = bits.get(i);
            FloatHistogram h = s.histogram();
            String wrong;
            if (b.has("value")) {
                wrong = h != null ? "histogram " + h : number(s.value(), b.get("value").asText());
            } else {
                wrong = h == null ? "float " + s.value() : histogram(h, b.get("histogram"));
            }
            if (wrong != null) {
                return labels + ": " + wrong;
            }
        }
        return null;
    }

    private @Nullable String matrix(QueryValue.Matrix m, JsonNode result, JsonNode bits) {
        if (m.rows().size() != result.size()) {
            return m.rows().size() + " rows, expected " + result.size();
        }
        for (int i = 0; i < result.size(); i++) {
            Labels labels = labels(result.get(i).get("metric"));
            QueryValue.Row r = m.rows().get(i);
            if (!readable(r.labels()).equals(labels)) {
                return "row " + i + " is " + r.labels() + ", expected " + labels;
            }
            JsonNode values = result.get(i).get("values");
            JsonNode histograms = result.get(i).get("histograms");
            int floats = values == null ? 0 : values.size();
            int hists = histograms == null ? 0 : histograms.size();
            if (r.floats().length != floats || r.histograms().length != hists) {
                return labels + ": " + r.floats().length + " floats and " + r.histograms().length + " histograms, expected " + floats
                        + " and " + hists;
            }
            for (int j = 0; j < floats; j++) {
                if (r.floatTimes()[j] != millis(values.get(j).get(0).asText())) {
                    return labels + ": time " + r.floatTimes()[j] + ", expected " + values.get(j).get(0).asText();
                }
                String wrong = number(r.floats()[j], bits.get(i).get("values").get(j).asText());
                if (wrong != null) {
                    return labels + " at " + r.floatTimes()[j] + ": " + wrong;
                }
            }
            for (int j = 0; j < hists; j++) {
                if (r.histogramTimes()[j] != millis(histograms.get(j).get(0).asText())) {
                    return labels + ": time " + r.histogramTimes()[j];
                }
                String wrong = histogram(r.histograms()[j], bits.get(i).get("histograms").get(j));
                if (wrong != null) {
                    return labels + " at " + r.histogramTimes()[j] + ": " + wrong;
                }
            }
        }
        return null;
    }

    private static double fromBits(String hex) {
        return Double.longBitsToDouble(Long.parseUnsignedLong(hex, 16));
    }

    private static @Nullable String number(double got, String hex) {
        double expected = fromBits(hex);
        if (close(got, expected)) {
            return null;
        }
        return got + ", expected " + expected;
    }

    private static boolean close(double a, double b) {
        if (Double.isNaN(a) || Double.isNaN(b)) {
            return Double.isNaN(a) && Double.isNaN(b);
        }
        return a == b || Math.abs(a - b) <= TOLERANCE * Math.max(Math.abs(a), Math.abs(b)) || Math.abs(a - b) < 1e-300;
    }

    private static @Nullable String histogram(FloatHistogram got, JsonNode h) {
        FloatHistogram expected = new FloatHistogram(CounterResetHint.valueOf(h.get("hint").asText().toUpperCase(Locale.ROOT)),
                h.get("schema").asInt(), fromBits(h.get("zero_threshold").asText()), fromBits(h.get("zero_count").asText()),
                fromBits(h.get("count").asText()), fromBits(h.get("sum").asText()), spans(h.get("pos_spans")), doubles(h.get("pos_counts")),
                spans(h.get("neg_spans")), doubles(h.get("neg_counts")), doubles(h.get("custom")));
        FloatHistogram a = got.compact();
        FloatHistogram b = expected.compact();
        boolean same = a.schema() == b.schema() && a.zeroThreshold() == b.zeroThreshold() && close(a.zeroCount(), b.zeroCount())
                && close(a.count(), b.count()) && close(a.sum(), b.sum()) && a.positiveSpans().equals(b.positiveSpans())
                && a.negativeSpans().equals(b.negativeSpans()) && close(a.positiveBuckets(), b.positiveBuckets())
                && close(a.negativeBuckets(), b.negativeBuckets()) && close(a.customValues(), b.customValues()) && a.hint() == b.hint();
        return same ? null : "histogram " + a.hint() + " " + a + ", expected " + b.hint() + " " + b;
    }

    private static boolean close(double[] a, double[] b) {
        if (a.length != b.length) {
            return false;
        }
        for (int i = 0; i < a.length; i++) {
            if (!close(a[i], b[i])) {
                return false;
            }
        }
        return true;
    }

    private static List<Span> spans(@Nullable JsonNode list) {
        List<Span> out = new ArrayList<>();
        if (list != null) {
            list.forEach(s -> out.add(new Span(s.get(0).asInt(), s.get(1).asInt())));
        }
        return out;
    }

    private static double[] doubles(@Nullable JsonNode list) {
        if (list == null) {
            return new double[0];
        }
        double[] out = new double[list.size()];
        for (int i = 0; i < out.length; i++) {
            JsonNode n = list.get(i);
            out[i] = n.isTextual() ? fromBits(n.asText()) : n.asDouble();
        }
        return out;
    }
}

package io.varve.querier.dedup;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.varve.model.CounterResetHint;
import io.varve.model.FloatHistogram;
import io.varve.model.Histogram;
import io.varve.model.SampleBuffer;
import io.varve.model.Span;
import io.varve.testkit.Shared;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** What Thanos' own package answered, for replicas with every kind of fault. */
class GoldenDedupTest {
    @Test
    void penaltyAndChainAnswerAsThanos() {
        Optional<Path> golden = Shared.golden("thanos/dedup.jsonl.gz");
        if (golden.isEmpty()) {
            return;
        }
        List<String> wrong = new ArrayList<>();
        int[] checked = new int[1];
        try (Stream<JsonNode> cases = Shared.jsonLines(golden.get())) {
            cases.forEach(c -> {
                List<SampleBuffer> replicas = new ArrayList<>();
                c.get("replicas").forEach(r -> replicas.add(runs(r)));
                Map<String, JsonNode> byName = new HashMap<>();
                for (JsonNode result : c.get("results")) {
                    byName.put(result.get("algorithm").asText() + "/" + result.get("func").asText(), result);
                }
                for (JsonNode result : c.get("results")) {
                    JsonNode want = original(result, byName);
                    if (want.has("error")) {
                        continue;
                    }
                    boolean counter = DedupFunction.isCounterFunction(result.get("func").asText());
                    SampleBuffer got = new SampleBuffer(0);
                    if (result.get("algorithm").asText().equals("chain")) {
                        Chain.merge(replicas, got);
                    } else {
                        Penalty.merge(replicas, counter, got);
                    }
                    checked[0]++;
                    // Who takes what a histogram says of resets, and who takes it back, is part of the merge.
                    String difference = difference(runs(want.get("out")), got, result.get("algorithm").asText().equals("chain"));
                    if (!difference.isEmpty()) {
                        wrong.add(
                                "case " + c.get("case") + " " + c.get("fault") + " " + c.get("kind") + " replicas " + replicas.size() + " "
                                        + result.get("algorithm") + "/" + result.get("func") + ": " + difference);
                    }
                }
            });
        }
        assertThat(wrong).as(checked[0] + " checked, " + wrong.size() + " wrong").isEmpty();
        assertThat(checked[0]).isGreaterThan(100);
    }

    @Test
    void jumpsAsThanos() throws Exception {
        Optional<Path> golden = Shared.golden("thanos/dedup.jsonl.gz");
        if (golden.isEmpty()) {
            return;
        }
        List<String> wrong = new ArrayList<>();
        int[] checked = new int[1];
        try (Stream<JsonNode> cases = Shared.jsonLines(golden.get())) {
            cases.forEach(c -> {
                List<SampleBuffer> replicas = new ArrayList<>();
                c.get("replicas").forEach(r -> replicas.add(runs(r)));
                for (JsonNode jumps : c.path("seeks")) {
                    if (jumps.get("algorithm").asText().equals("chain")) {
                        Chain chain = new Chain(replicas);
                        for (int i = 0; i < jumps.get("seek").size(); i++) {
                            checked[0]++;
                            SampleBuffer got = new SampleBuffer(2);
                            if (chain.seek(jumps.get("seek").get(i).asLong())) {
                                chain.append(got);
                                if (chain.next()) {
                                    chain.append(got);
                                }
                            }
                            JsonNode want = jumps.get("got").get(i);
                            String difference = difference(want.isNull() ? new SampleBuffer(0) : runs(want), got, true);
                            if (!difference.isEmpty()) {
                                wrong.add("case " + c.get("case") + " jump " + i + ": " + difference);
                            }
                        }
                    }
                }
            });
        }
        assertThat(wrong).as(checked[0] + " checked, " + wrong.size() + " wrong").isEmpty();
        assertThat(checked[0]).isGreaterThan(20);
    }

    private static JsonNode original(JsonNode result, Map<String, JsonNode> byName) {
        return result.has("same_as") ? original(Objects.requireNonNull(byName.get(result.get("same_as").asText())), byName) : result;
    }

    private static String difference(SampleBuffer want, SampleBuffer got, boolean hints) {
        for (int i = 0; i < Math.min(want.size, got.size); i++) {
            if (want.timestamps[i] != got.timestamps[i]) {
                return "sample " + i + " at " + got.timestamps[i] + " instead of " + want.timestamps[i];
            }
            FloatHistogram w = want.histogram(i);
            FloatHistogram g = got.histogram(i);
            if (w == null != (g == null)) {
                return "sample " + i + " of another kind";
            }
            boolean same = w == null || g == null
                    ? Double.doubleToLongBits(want.values[i]) == Double.doubleToLongBits(got.values[i])
                            && SampleBuffer.isStale(want.values[i]) == SampleBuffer.isStale(got.values[i])
                    : w.count() == g.count() && w.schema() == g.schema() && w.positiveSpans().equals(g.positiveSpans())
                            && (!hints || w.hint() == g.hint());
            if (!same) {
                return "sample " + i + " is " + got.values[i] + " instead of " + want.values[i];
            }
        }
        return want.size == got.size ? "" : got.size + " samples instead of " + want.size;
    }

    static SampleBuffer runs(JsonNode runs) {
        SampleBuffer b = new SampleBuffer(16);
        for (JsonNode run : runs) {
            long t = 0;
            JsonNode times = run.get("t");
            for (int i = 0; i < times.size(); i++) {
                t += times.get(i).asLong();
                if (run.has("v")) {
                    b.add(t, number(run.get("v").get(i)));
                } else {
                    b.add(t, histogram(run.get("h").get(i)));
                }
            }
        }
        return b;
    }

    private static double number(JsonNode n) {
        return switch (n.asText()) {
            case "NaN" -> Double.NaN;
            case "stale" -> SampleBuffer.STALE_NAN;
            case "+Inf" -> Double.POSITIVE_INFINITY;
            case "-Inf" -> Double.NEGATIVE_INFINITY;
            case "-0" -> -0.0;
            default -> n.asDouble();
        };
    }

    private static FloatHistogram histogram(JsonNode h) {
        CounterResetHint hint = CounterResetHint.values()[h.path("hint").asInt()];
        double[] custom = h.has("cv") ? doubles(h.get("cv")) : FloatHistogram.NO_BUCKETS;
        if (h.path("float").asBoolean()) {
            return new FloatHistogram(hint, h.path("schema").asInt(), h.path("zt").asDouble(), h.path("zc").asDouble(),
                    h.path("count").asDouble(), number(h.path("sum")), spans(h.path("ps")), doubles(h.path("pb")), spans(h.path("ns")),
                    doubles(h.path("nb")), custom);
        }
        return new Histogram(hint, h.path("schema").asInt(), h.path("zt").asDouble(), h.path("zc").asLong(), h.path("count").asLong(),
                number(h.path("sum")), spans(h.path("ps")), longs(h.path("pd")), spans(h.path("ns")), longs(h.path("nd")), custom)
                .toFloat();
    }

    private static List<Span> spans(JsonNode n) {
        List<Span> out = new ArrayList<>();
        n.forEach(s -> out.add(new Span(s.get(0).asInt(), s.get(1).asInt())));
        return out;
    }

    private static double[] doubles(JsonNode n) {
        double[] out = new double[n.size()];
        for (int i = 0; i < out.length; i++) {
            out[i] = number(n.get(i));
        }
        return out;
    }

    private static long[] longs(JsonNode n) {
        long[] out = new long[n.size()];
        for (int i = 0; i < out.length; i++) {
            out[i] = n.get(i).asLong();
        }
        return out;
    }
}

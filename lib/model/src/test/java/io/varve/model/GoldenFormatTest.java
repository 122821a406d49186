package io.varve.model;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.varve.testkit.Shared;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Numbers, times, durations and labels against what Prometheus 3.14 wrote. */
class GoldenFormatTest {
    @Test
    void formatsAsPrometheus() {
        Shared.golden("json-format.jsonl.gz").ifPresent(path -> {
            List<String> wrong = new ArrayList<>();
            int[] count = new int[1];
            try (Stream<JsonNode> lines = Shared.jsonLines(path)) {
                lines.forEach(n -> {
                    count[0]++;
                    check(n, wrong);
                });
            }
            assertThat(wrong).isEmpty();
            assertThat(count[0]).isGreaterThan(1000);
        });
    }

    private static void check(JsonNode n, List<String> wrong) {
        switch (n.get("kind").asText()) {
            case "float" -> {
                double v = Shared.bits(n.get("bits"));
                StringBuilder sb = new StringBuilder();
                JsonText.appendSample(sb, v);
                equal(wrong, n, sb.toString(), n.get("json").asText());
                equal(wrong, n, GoFloat.plain(v), n.get("label_value").asText());
            }
            case "timestamp" -> {
                StringBuilder sb = new StringBuilder();
                JsonText.appendTimestamp(sb, n.get("ms").asLong());
                equal(wrong, n, sb.toString(), n.get("json").asText());
            }
            case "duration-print" -> equal(wrong, n, PromDuration.print(n.get("ms").asLong()), n.get("printed").asText());
            case "duration-parse" -> {
                String text = Shared.text(n.get("text"));
                String got;
                try {
                    long ms = PromDuration.parse(text);
                    got = Long.toString(ms);
                    equal(wrong, n, PromDuration.print(ms), n.path("printed").asText());
                } catch (InvalidRequestException e) {
                    got = e.getMessage();
                }
                equal(wrong, n, got, n.has("ms") ? n.get("ms").asText() : n.get("error").asText());
                try {
                    got = Long.toString(PromDuration.parseSigned(text));
                } catch (InvalidRequestException e) {
                    got = e.getMessage();
                }
                equal(wrong, n, got, n.has("ms_negative_allowed")
                        ? n.get("ms_negative_allowed").asText()
                        : n.get("error_negative_allowed").asText());
            }
            case "labels" -> {
                if (n.get("json").isTextual()) {
                    labels(n, wrong);
                }
            }
            default -> wrong.add("unknown kind: " + n);
        }
    }

    private static void labels(JsonNode n, List<String> wrong) {
        List<String> pairs = new ArrayList<>();
        StringBuilder values = new StringBuilder();
        for (JsonNode pair : n.get("pairs")) {
            pairs.add(pair.get(0).asText());
            pairs.add(pair.get(1).asText());
            values.append(values.isEmpty() ? "[" : ",");
            JsonText.appendString(values, pair.get(1).asText());
        }
        Labels labels = Labels.ofSorted(pairs.toArray(String[]::new));
        StringBuilder sb = new StringBuilder();
        JsonText.appendLabels(sb, labels);
        equal(wrong, n, sb.toString(), n.get("json").asText());
        equal(wrong, n, labels.toString(), n.get("string").asText());
        if (!n.get("json_of_values").asText().isEmpty()) {
            equal(wrong, n, values + "]", n.get("json_of_values").asText());
        }
    }

    private static void equal(List<String> wrong, JsonNode n, String got, String want) {
        if (!got.equals(want)) {
            wrong.add(n + " gave " + got);
        }
    }
}

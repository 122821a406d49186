package io.varve.promql.parser;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.varve.testkit.Shared;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Thousands of expressions against what Prometheus' parser made of them: type, printed and pretty form, tree, places, errors. */
class GoldenParseTest {
    @Test
    void parsesPrintsAndRefusesAsPrometheus() {
        Shared.golden("promql-parse.jsonl.gz").ifPresent(path -> {
            List<String> wrong = new ArrayList<>();
            int[] count = new int[1];
            try (Stream<JsonNode> lines = Shared.jsonLines(path)) {
                lines.forEach(n -> {
                    count[0]++;
                    byte[] query = n.get("expr").isTextual()
                            ? n.get("expr").asText().getBytes(StandardCharsets.UTF_8)
                            : Shared.hex(n.get("expr").get("hex").asText());
                    check(query, n.get("default"), ParserOptions.DEFAULT, wrong);
                    JsonNode all = n.get("all_flags");
                    check(query, all == null ? n.get("default") : all, ParserOptions.ALL, wrong);
                });
            }
            assertThat(wrong.stream().limit(Integer.getInteger("varve.show", 20)).toList()).as("%d wrong", wrong.size()).isEmpty();
            assertThat(count[0]).isGreaterThan(5000);
        });
    }

    private static void check(byte[] query, JsonNode want, ParserOptions options, List<String> wrong) {
        String shown = Utf8.text(query, 0, query.length);
        Expr expr;
        try {
            expr = Parser.parse(query, options);
        } catch (ParseException e) {
            if (want.get("ok").asBoolean()) {
                wrong.add("refused: " + shown + "\n    " + e.getMessage());
                return;
            }
            JsonNode first = want.get("all_errors").get(0);
            String place = " [" + e.position().start() + "," + e.position().end() + ")";
            String expected = want.get("parse_error").asText() + " [" + first.get("start").asInt() + "," + first.get("end").asInt() + ")";
            if (!(e.getMessage() + place).equals(expected)) {
                wrong.add("error: " + shown + "\n  got " + e.getMessage() + place + "\n want " + expected);
            }
            return;
        } catch (RuntimeException e) {
            wrong.add("threw: " + shown + "\n    " + e);
            return;
        }
        if (!want.get("ok").asBoolean()) {
            wrong.add("accepted: " + shown + "\n    " + want.get("parse_error").asText());
            return;
        }
        String context = "of: " + shown;
        same(wrong, "type " + context, expr.type().text(), want.get("type").asText());
        same(wrong, "printed " + context, Printer.print(expr), Shared.text(want.get("string")));
        same(wrong, "pretty " + context, Prettifier.format(expr), Shared.text(want.get("pretty")));
        if (want.has("ast") && !want.has("parse_query_status")) {
            JsonNode tree = Shared.parse(AstJson.write(expr));
            if (!tree.equals(want.get("ast"))) {
                wrong.add("tree " + context + "\n  got " + tree + "\n want " + want.get("ast"));
            }
        }
        StringBuilder nodes = new StringBuilder();
        walk(nodes, expr);
        StringBuilder wantNodes = new StringBuilder();
        for (JsonNode n : want.get("nodes")) {
            wantNodes.append(n.get(0).asText()).append(' ').append(n.get(1).asInt()).append(' ').append(n.get(2).asInt()).append('\n');
        }
        same(wrong, "nodes " + context, nodes.toString(), wantNodes.toString());
    }

    private static void walk(StringBuilder sb, Expr e) {
        sb.append(e.getClass().getSimpleName()).append(' ').append(e.position().start()).append(' ').append(e.position().end())
                .append('\n');
        e.children().forEach(c -> walk(sb, c));
    }

    private static void same(List<String> wrong, String what, String got, String want) {
        if (!got.equals(want)) {
            wrong.add(what + "\n  got " + got + "\n want " + want);
        }
    }
}

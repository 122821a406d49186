package io.varve.tsdb;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Iterator;
import java.util.Map;

/** JSON as Go's encoder writes it with tabs: its escapes, its empty objects. */
final class GoJson {
    private GoJson() {
    }

    static void append(StringBuilder out, JsonNode n, int depth) {
        if (n.isObject()) {
            Iterator<Map.Entry<String, JsonNode>> fields = n.properties().iterator();
            out.append('{');
            boolean any = false;
            while (fields.hasNext()) {
                Map.Entry<String, JsonNode> e = fields.next();
                line(out, any, depth + 1);
                any = true;
                text(out, e.getKey());
                out.append(": ");
                append(out, e.getValue(), depth + 1);
            }
            end(out, any, depth, '}');
        } else if (n.isArray()) {
            out.append('[');
            boolean any = false;
            for (JsonNode e : n) {
                line(out, any, depth + 1);
                any = true;
                append(out, e, depth + 1);
            }
            end(out, any, depth, ']');
        } else if (n.isTextual()) {
            text(out, n.textValue());
        } else {
            out.append(n.asText());
        }
    }

    private static void line(StringBuilder out, boolean comma, int depth) {
        out.append(comma ? ",\n" : "\n").append("\t".repeat(depth));
    }

    private static void end(StringBuilder out, boolean any, int depth, char bracket) {
        if (any) {
            out.append('\n').append("\t".repeat(depth));
        }
        out.append(bracket);
    }

    private static void text(StringBuilder out, String s) {
        out.append('"');
        for (int i = 0; i < s.length(); i++) {
            char c = s.charAt(i);
            switch (c) {
                case '"' -> out.append("\\\"");
                case '\\' -> out.append("\\\\");
                case '\n' -> out.append("\\n");
                case '\r' -> out.append("\\r");
                case '\t' -> out.append("\\t");
                case '\b' -> out.append("\\b");
                case '\f' -> out.append("\\f");
                case '<', '>', '&', '\u2028', '\u2029' -> out.append(String.format("\\u%04x", (int) c));
                default -> {
                    if (c < 0x20) {
                        out.append(String.format("\\u%04x", (int) c));
                    } else {
                        out.append(c);
                    }
                }
            }
        }
        out.append('"');
    }
}

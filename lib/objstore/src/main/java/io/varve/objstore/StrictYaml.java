package io.varve.objstore;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import io.varve.model.InvalidRequestException;
import java.time.Duration;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A mapping of a YAML document whose every key must be asked for: {@link #done} refuses, by its path, what nobody asked for. Values of the
 * wrong kind are refused likewise. An absent key and one without a value are the same.
 */
final class StrictYaml {
    private static final Pattern DURATION = Pattern.compile(
            "(?:(\\d+)y)?(?:(\\d+)w)?(?:(\\d+)d)?(?:(\\d+)h)?(?:(\\d+)m(?!s))?(?:(\\d+)s)?(?:(\\d+)ms)?");
    private static final long[] UNIT_MILLIS = {365L * 86_400_000, 7L * 86_400_000, 86_400_000, 3_600_000, 60_000, 1000, 1};

    private final String path;
    private final @Nullable JsonNode node;
    private final Set<String> asked = new TreeSet<>();

    private StrictYaml(String path, @Nullable JsonNode node) {
        this.path = path;
        this.node = node;
    }

    /** The mapping that a document is. */
    static StrictYaml parse(String yaml) {
        JsonNode root;
        try {
            root = YAMLMapper.builder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION).build().readTree(yaml);
        } catch (JsonProcessingException e) {
            String where = e.getLocation() == null ? "" : " at line " + e.getLocation().getLineNr();
            throw new InvalidRequestException("object storage configuration: not YAML" + where + ": " + e.getOriginalMessage(), e);
        }
        return of("", root);
    }

    private static StrictYaml of(String path, @Nullable JsonNode node) {
        if (node == null || node.isNull() || node.isMissingNode()) {
            return new StrictYaml(path, null);
        }
        if (!node.isObject()) {
            throw new InvalidRequestException(
                    "object storage configuration: " + (path.isEmpty() ? "expected a mapping" : "key \"" + path + "\": expected a mapping")
                            + ", found "
                            + node.getNodeType().name().toLowerCase(Locale.ROOT));
        }
        return new StrictYaml(path, node);
    }

    /** Says that a key has an unusable value, and why. */
    InvalidRequestException refused(String key, String why) {
        return new InvalidRequestException("object storage configuration: key \"" + name(key) + "\": " + why);
    }

    private String name(String key) {
        return path.isEmpty() ? key : path + "." + key;
    }

    private @Nullable JsonNode value(String key) {
        asked.add(key);
        JsonNode value = node == null ? null : node.get(key);
        return value == null || value.isNull() ? null : value;
    }

    /** The mapping below a key, empty where there is none. */
    StrictYaml child(String key) {
        return of(name(key), value(key));
    }

    String text(String key, String fallback) {
        JsonNode value = value(key);
        if (value == null) {
            return fallback;
        }
        if (!value.isValueNode()) {
            throw refused(key, "expected a text");
        }
        return value.asText();
    }

    boolean flag(String key, boolean fallback) {
        JsonNode value = value(key);
        if (value == null) {
            return fallback;
        }
        // As the YAML of Go has it.
        return switch (value.asText().toLowerCase(Locale.ROOT)) {
            case "true", "yes", "on", "y" -> true;
            case "false", "no", "off", "n" -> false;
            default -> throw refused(key, "expected true or false, found " + value);
        };
    }

    long number(String key, long fallback, long min, long max) {
        JsonNode value = value(key);
        if (value == null) {
            return fallback;
        }
        try {
            long n = Long.parseLong(value.asText());
            if (value.isValueNode() && n >= min && n <= max) {
                return n;
            }
        } catch (NumberFormatException e) {
            // Refused below.
        }
        throw refused(key, "expected a whole number from " + min + " to " + max + ", found " + value);
    }

    double fraction(String key, double fallback) {
        JsonNode value = value(key);
        if (value == null) {
            return fallback;
        }
        double d = value.asDouble(Double.NaN);
        if (d > 0 && d <= 1) {
            return d;
        }
        throw refused(key, "expected a number above 0, at most 1, found " + value);
    }

    /** A duration as Prometheus writes it: {@code 1m30s}. */
    Duration duration(String key, Duration fallback) {
        JsonNode value = value(key);
        if (value == null) {
            return fallback;
        }
        String text = value.asText();
        if (text.equals("0")) {
            return Duration.ZERO;
        }
        Matcher m = DURATION.matcher(text);
        if (text.isEmpty() || !m.matches()) {
            throw refused(key, "expected a duration such as 1m30s, found " + value);
        }
        try {
            long millis = 0;
            for (int i = 0; i < UNIT_MILLIS.length; i++) {
                String digits = m.group(i + 1);
                if (digits != null) {
                    millis = Math.addExact(millis, Math.multiplyExact(Long.parseLong(digits), UNIT_MILLIS[i]));
                }
            }
            return Duration.ofMillis(millis);
        } catch (ArithmeticException | NumberFormatException e) {
            throw refused(key, "duration " + text + " is out of range");
        }
    }

    /** A mapping of texts, in the order of the document. */
    Map<String, String> texts(String key) {
        JsonNode value = value(key);
        Map<String, String> texts = new LinkedHashMap<>();
        if (value == null) {
            return texts;
        }
        if (!value.isObject()) {
            throw refused(key, "expected a mapping of texts");
        }
        for (Map.Entry<String, JsonNode> e : value.properties()) {
            if (!e.getValue().isValueNode()) {
                throw refused(key + "." + e.getKey(), "expected a text");
            }
            texts.put(e.getKey(), e.getValue().isNull() ? "" : e.getValue().asText());
        }
        return texts;
    }

    /** Refuses keys that were not asked for. */
    void done() {
        if (node == null) {
            return;
        }
        for (Iterator<String> names = node.fieldNames(); names.hasNext();) {
            String key = names.next();
            if (!asked.contains(key)) {
                throw new InvalidRequestException("object storage configuration: unknown key \"" + name(key) + "\"");
            }
        }
    }
}

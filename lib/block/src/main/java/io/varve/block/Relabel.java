package io.varve.block;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import com.google.re2j.Matcher;
import com.google.re2j.Pattern;
import com.google.re2j.PatternSyntaxException;
import io.varve.model.InvalidRequestException;
import io.varve.model.LabelRegex;
import io.varve.model.Labels;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Prometheus' relabel rules over a label set: all actions, in order, as {@code --selector.relabel-config} has them. Immutable, safe for
 * many threads. Source: Prometheus {@code model/relabel}, Thanos' flag {@code --selector.relabel-config}.
 */
public final class Relabel {
    /** What a rule does. */
    public enum Action {
        /** Sets a label from a template. */
        REPLACE,
        /** Drops what does not match. */
        KEEP,
        /** Drops what matches. */
        DROP,
        /** Drops where the joined source labels differ from the target label. */
        KEEPEQUAL,
        /** Drops where the joined source labels equal the target label. */
        DROPEQUAL,
        /** Sets a label to the hash of the source labels modulo a number. */
        HASHMOD,
        /** Copies labels whose names match to names made from them. */
        LABELMAP,
        /** Removes labels whose names match. */
        LABELDROP,
        /** Removes labels whose names do not match. */
        LABELKEEP,
        /** Sets a label to the source labels in lower case. */
        LOWERCASE,
        /** Sets a label to the source labels in upper case. */
        UPPERCASE;

        String text() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /** What selects blocks and stores: keep, drop and hashmod. */
    public static final Set<Action> SELECTOR_ACTIONS = Set.of(Action.KEEP, Action.DROP, Action.HASHMOD);
    /** No rules: keeps everything as it is. */
    public static final Relabel NONE = new Relabel(List.of());

    private static final Logger LOG = LoggerFactory.getLogger(Relabel.class);
    private static final ObjectMapper YAML = new ObjectMapper(new YAMLFactory());
    private static final Set<String> KEYS = Set.of("source_labels", "separator", "regex", "modulus", "target_label", "replacement",
            "action");

    private record Rule(Action action, List<String> sources, String separator, Pattern regex, long modulus, String target,
            String replacement) {
    }

    private final List<Rule> rules;

    private Relabel(List<Rule> rules) {
        this.rules = rules;
    }

    /**
     * Reads a YAML list of rules; nothing at all is no rule.
     *
     * @param allowed the actions that may be used
     * @throws InvalidRequestException saying what is wrong with which rule
     */
    public static Relabel parse(String yaml, Set<Action> allowed) {
        JsonNode root;
        try {
            root = YAML.readTree(yaml);
        } catch (JsonProcessingException e) {
            String place = e.getLocation() == null ? "" : "line " + e.getLocation().getLineNr() + ": ";
            throw new InvalidRequestException("parsing relabel configuration: yaml: " + place
                    + e.getOriginalMessage().lines().findFirst().orElse("malformed"), e);
        }
        if (root == null || root.isNull() || root.isMissingNode()) {
            return NONE;
        }
        if (!root.isArray()) {
            throw new InvalidRequestException("parsing relabel configuration: a list of rules was expected, not " + root.getNodeType());
        }
        List<Rule> rules = new ArrayList<>();
        for (JsonNode n : root) {
            rules.add(rule(n));
        }
        for (Rule r : rules) {
            validate(r);
        }
        Set<Action> set = allowed.isEmpty() ? EnumSet.allOf(Action.class) : allowed;
        for (Rule r : rules) {
            if (!set.contains(r.action)) {
                throw new InvalidRequestException("unsupported relabel action: " + r.action.text());
            }
        }
        return rules.isEmpty() ? NONE : new Relabel(List.copyOf(rules));
    }

    private static Rule rule(JsonNode n) {
        if (!n.isObject()) {
            throw new InvalidRequestException("parsing relabel configuration: a rule is a mapping, found " + n.getNodeType());
        }
        n.fieldNames().forEachRemaining(k -> {
            if (!KEYS.contains(k)) {
                LOG.atWarn().addKeyValue("key", k).log("relabel rule has a key that means nothing");
            }
        });
        String actionText = text(n, "action", "replace").toLowerCase(Locale.ROOT);
        Action action = null;
        for (Action a : Action.values()) {
            if (a.text().equals(actionText)) {
                action = a;
            }
        }
        if (action == null) {
            throw new InvalidRequestException("parsing relabel configuration: unknown relabel action \"" + text(n, "action", "") + '"');
        }
        List<String> sources = new ArrayList<>();
        JsonNode s = n.get("source_labels");
        if (s != null && !s.isNull()) {
            if (!s.isArray()) {
                throw new InvalidRequestException("parsing relabel configuration: source_labels must be a list");
            }
            for (JsonNode e : s) {
                if (e.asText().isEmpty()) {
                    throw new InvalidRequestException("parsing relabel configuration: \"\" is not a valid label name");
                }
                sources.add(e.asText());
            }
        }
        String regex = text(n, "regex", "(.*)");
        String whole = "^(?s:" + regex + ")$";
        Pattern pattern;
        try {
            LabelRegex.checkForRe2j(whole);
            pattern = Pattern.compile(whole);
        } catch (InvalidRequestException e) {
            throw new InvalidRequestException("parsing relabel configuration: " + e.getMessage(), e);
        } catch (PatternSyntaxException e) {
            throw new InvalidRequestException(
                    "parsing relabel configuration: error parsing regexp: " + e.getDescription() + ": `" + whole + "`",
                    e);
        }
        JsonNode m = n.get("modulus");
        long modulus = 0;
        if (m != null && !m.isNull()) {
            try {
                modulus = Long.parseUnsignedLong(m.asText());
            } catch (NumberFormatException e) {
                throw new InvalidRequestException(
                        "parsing relabel configuration: modulus \"" + m.asText() + "\" is no whole number of at least 0",
                        e);
            }
        }
        return new Rule(action, List.copyOf(sources), text(n, "separator", ";"), pattern, modulus, text(n, "target_label", ""),
                text(n, "replacement", "$1"));
    }

    private static String text(JsonNode n, String key, String otherwise) {
        JsonNode v = n.get(key);
        if (v == null || v.isNull()) {
            return otherwise;
        }
        if (v.isContainerNode()) {
            throw new InvalidRequestException("parsing relabel configuration: " + key + " must be a text");
        }
        return v.asText();
    }

    private static void validate(Rule r) {
        String prefix = "validate relabel config: relabel configuration for ";
        if (r.modulus == 0 && r.action == Action.HASHMOD) {
            throw new InvalidRequestException(prefix + "hashmod requires non-zero modulus");
        }
        boolean needsTarget = switch (r.action) {
            case REPLACE, HASHMOD, LOWERCASE, UPPERCASE, KEEPEQUAL, DROPEQUAL -> true;
            case KEEP, DROP, LABELMAP, LABELDROP, LABELKEEP -> false;
        };
        if (needsTarget && r.target.isEmpty()) {
            throw new InvalidRequestException(prefix + r.action.text() + " action requires 'target_label' value");
        }
        if ((r.action == Action.LABELDROP || r.action == Action.LABELKEEP)
                && (!r.sources.isEmpty() || !r.target.isEmpty() || r.modulus != 0 || !r.separator.equals(";")
                        || !r.replacement.equals("$1"))) {
            throw new InvalidRequestException(
                    "validate relabel config: " + r.action.text() + " action requires only 'regex', and no other fields");
        }
    }

    /** Whether there are no rules. */
    public boolean isEmpty() {
        return rules.isEmpty();
    }

    /** The labels after all rules, empty where a rule dropped them. */
    public Optional<Labels> apply(Labels labels) {
        Labels now = labels;
        for (Rule r : rules) {
            Labels next = apply(r, now);
            if (next == null) {
                return Optional.empty();
            }
            now = next;
        }
        return Optional.of(now);
    }

    private static @org.jspecify.annotations.Nullable Labels apply(Rule r, Labels labels) {
        String joined = join(r, labels);
        return switch (r.action) {
            case KEEP -> r.regex.matcher(joined).find() ? labels : null;
            case DROP -> r.regex.matcher(joined).find() ? null : labels;
            case KEEPEQUAL -> joined.equals(labels.get(r.target)) ? labels : null;
            case DROPEQUAL -> joined.equals(labels.get(r.target)) ? null : labels;
            case HASHMOD ->
                labels.toBuilder().set(r.target, Long.toUnsignedString(Long.remainderUnsigned(hash(joined), r.modulus))).build();
            case LOWERCASE -> labels.toBuilder().set(r.target, joined.toLowerCase(Locale.ROOT)).build();
            case UPPERCASE -> labels.toBuilder().set(r.target, joined.toUpperCase(Locale.ROOT)).build();
            case REPLACE -> replace(r, joined, labels);
            case LABELMAP -> {
                Labels.Builder b = labels.toBuilder();
                labels.forEach((name, value) -> {
                    Matcher m = r.regex.matcher(name);
                    if (m.find()) {
                        b.set(expand(r.replacement, m), value);
                    }
                });
                yield b.build();
            }
            case LABELDROP, LABELKEEP -> {
                Labels.Builder b = labels.toBuilder();
                labels.forEach((name, value) -> {
                    if (r.regex.matcher(name).find() == (r.action == Action.LABELDROP)) {
                        b.remove(name);
                    }
                });
                yield b.build();
            }
        };
    }

    private static Labels replace(Rule r, String joined, Labels labels) {
        Matcher m = r.regex.matcher(joined);
        if (!m.find()) {
            return labels;
        }
        String target = expand(r.target, m);
        return target.isEmpty() ? labels : labels.toBuilder().set(target, expand(r.replacement, m)).build();
    }

    private static String join(Rule r, Labels labels) {
        if (r.sources.size() == 1) {
            return labels.get(r.sources.get(0));
        }
        StringBuilder sb = new StringBuilder();
        for (int i = 0; i < r.sources.size(); i++) {
            if (i > 0) {
                sb.append(r.separator);
            }
            sb.append(labels.get(r.sources.get(i)));
        }
        return sb.toString();
    }

    /** The last eight bytes of the MD5, big-endian. */
    private static long hash(String text) {
        byte[] sum;
        try {
            sum = MessageDigest.getInstance("MD5").digest(text.getBytes(StandardCharsets.UTF_8));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java runtime has MD5", e);
        }
        return java.nio.ByteBuffer.wrap(sum).getLong(8);
    }

    /** Go's template: {@code $1}, {@code $name}, <code>${name}</code>, {@code $$}; what names no group is nothing. */
    private static String expand(String template, Matcher m) {
        if (template.indexOf('$') < 0) {
            return template;
        }
        StringBuilder out = new StringBuilder();
        int i = 0;
        while (i < template.length()) {
            char c = template.charAt(i);
            if (c != '$' || i + 1 >= template.length()) {
                out.append(c);
                i++;
                continue;
            }
            char d = template.charAt(i + 1);
            if (d == '$') {
                out.append('$');
                i += 2;
                continue;
            }
            int start = d == '{' ? i + 2 : i + 1;
            int end = start;
            while (end < template.length() && (Character.isLetterOrDigit(template.charAt(end)) || template.charAt(end) == '_')) {
                end++;
            }
            boolean closed = d != '{' || end < template.length() && template.charAt(end) == '}';
            if (end == start || !closed) {
                out.append(c);
                i++;
                continue;
            }
            out.append(group(m, template.substring(start, end)));
            i = d == '{' ? end + 1 : end;
        }
        return out.toString();
    }

    private static String group(Matcher m, String name) {
        boolean number = name.chars().allMatch(ch -> ch >= '0' && ch <= '9');
        String value;
        if (number) {
            int n = name.length() > 6 ? Integer.MAX_VALUE : Integer.parseInt(name);
            value = n <= m.groupCount() ? m.group(n) : "";
        } else {
            try {
                value = m.group(name);
            } catch (IllegalArgumentException e) {
                value = "";
            }
        }
        return value == null ? "" : value;
    }
}

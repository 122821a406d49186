package io.varve.promql.exec;

import com.google.re2j.Matcher;
import com.google.re2j.Pattern;
import com.google.re2j.PatternSyntaxException;
import io.varve.model.InvalidRequestException;
import io.varve.model.LabelRegex;
import io.varve.model.Labels;
import io.varve.promql.function.Row;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** {@code label_replace} and {@code label_join}. */
final class LabelFunctions {
    private LabelFunctions() {
    }

    static RowMap.Change replace(String target, String replacement, String source, String regex) {
        String whole = "^(?s:" + regex + ")$";
        Pattern pattern;
        try {
            LabelRegex.checkForRe2j(whole);
            pattern = Pattern.compile(whole);
        } catch (PatternSyntaxException | InvalidRequestException e) {
            throw QueryRun.failure("invalid regular expression in label_replace(): " + regex);
        }
        if (!isValidName(target)) {
            throw QueryRun.failure("invalid destination label name in label_replace(): " + target);
        }
        return row -> {
            Matcher m = pattern.matcher(row.labels.get(source));
            if (m.find()) {
                set(row, target, expand(replacement, m, pattern));
            }
        };
    }

    static RowMap.Change join(String target, String separator, List<String> sources) {
        for (String s : sources) {
            if (!isValidName(s)) {
                throw QueryRun.failure("invalid source label name in label_join(): " + s);
            }
        }
        if (!isValidName(target)) {
            throw QueryRun.failure("invalid destination label name in label_join(): " + target);
        }
        return row -> {
            List<String> values = new ArrayList<>(sources.size());
            for (String s : sources) {
                values.add(row.labels.get(s));
            }
            set(row, target, String.join(separator, values));
        };
    }

    private static void set(Row row, String target, String value) {
        row.labels = row.labels.toBuilder().set(target, value).build();
        if (target.equals(Labels.METRIC_NAME)) {
            row.dropName = false;
        }
    }

    /** Any UTF-8 that is not empty; texts that were not UTF-8 hold unpaired surrogates. */
    static boolean isValidName(String name) {
        return !name.isEmpty() && StandardCharsets.UTF_8.newEncoder().canEncode(name);
    }

    /** Go's {@code Regexp.Expand}: {@code $1}, {@code ${1}}, {@code $name}, {@code ${name}}, {@code $$}; the longest name counts. */
    private static String expand(String template, Matcher m, Pattern pattern) {
        StringBuilder out = new StringBuilder();
        int i = 0;
        while (i < template.length()) {
            char c = template.charAt(i);
            if (c != '$') {
                out.append(c);
                i++;
                continue;
            }
            if (i + 1 < template.length() && template.charAt(i + 1) == '$') {
                out.append('$');
                i += 2;
                continue;
            }
            boolean brace = i + 1 < template.length() && template.charAt(i + 1) == '{';
            int from = brace ? i + 2 : i + 1;
            int to = from;
            while (to < template.length() && (Character.isLetterOrDigit(template.charAt(to)) || template.charAt(to) == '_')) {
                to++;
            }
            boolean malformed = to == from || brace && (to >= template.length() || template.charAt(to) != '}');
            if (malformed) {
                out.append('$');
                i++;
                continue;
            }
            String name = template.substring(from, to);
            i = brace ? to + 1 : to;
            String group = group(m, pattern, name);
            if (group != null) {
                out.append(group);
            }
        }
        return out.toString();
    }

    private static @Nullable String group(Matcher m, Pattern pattern, String name) {
        boolean number = name.chars().allMatch(ch -> ch >= '0' && ch <= '9');
        if (number && !(name.length() > 1 && name.charAt(0) == '0')) {
            if (name.length() > 8) {
                return null;
            }
            int n = Integer.parseInt(name);
            return n <= m.groupCount() ? m.group(n) : null;
        }
        Integer index = pattern.namedGroups().get(name);
        return index == null ? null : m.group(index);
    }
}

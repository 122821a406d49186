package io.varve.promql.test;

import io.varve.model.CounterResetHint;
import io.varve.model.FloatHistogram;
import io.varve.model.HistogramSum;
import io.varve.model.InvalidRequestException;
import io.varve.model.Labels;
import io.varve.model.Matcher;
import io.varve.model.PromDuration;
import io.varve.model.SampleBuffer;
import io.varve.model.Span;
import io.varve.promql.parser.Parser;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Reads lines such as {@code metric{a="b"} 1 2 _ 3+4x5 {{count:1 sum:2}}x3}. */
final class SeriesReader {
    /** More values than any script needs; a line must not be able to fill the memory. */
    private static final int MAX_VALUES = 1_000_000;
    private static final int CUSTOM = FloatHistogram.CUSTOM_BUCKETS_SCHEMA;

    private final String text;
    private final int line;
    private int pos;

    private SeriesReader(String text, int line) {
        this.text = text;
        this.line = line;
    }

    static SeriesLine read(String text, int line) {
        return new SeriesReader(text, line).read();
    }

    private SeriesLine read() {
        Labels labels = labels();
        boolean startTimes = false;
        if (text.startsWith("@st", pos)) {
            startTimes = true;
            pos += 3;
        }
        List<Value> values = new ArrayList<>();
        while (pos < text.length()) {
            if (!isSpace(text.charAt(pos))) {
                throw error("expected a space");
            }
            while (pos < text.length() && isSpace(text.charAt(pos))) {
                pos++;
            }
            if (pos < text.length()) {
                if (startTimes) {
                    startTimeItem(values);
                } else {
                    item(values);
                }
                if (values.size() > MAX_VALUES) {
                    throw error("more than " + MAX_VALUES + " values");
                }
            }
        }
        return new SeriesLine(line, labels, startTimes, values);
    }

    private Labels labels() {
        int end = 0;
        while (end < text.length() && isNameChar(text.charAt(end))) {
            end++;
        }
        String name = text.substring(0, end);
        if (end < text.length() && text.charAt(end) == '{') {
            end = afterBraces(end);
        }
        if (end == 0) {
            throw error("expected a metric");
        }
        pos = end;
        List<Matcher> matchers;
        try {
            // A name before the braces comes before one within them, which a selector would not take.
            String braces = text.substring(name.length(), end);
            matchers = Parser.parseSelector(braces.isEmpty() ? name : braces);
            if (!braces.isEmpty() && !name.isEmpty()) {
                Parser.parseSelector(name);
            }
        } catch (InvalidRequestException e) {
            throw new ScriptException(line, e.getMessage());
        }
        Labels.Builder b = Labels.EMPTY.toBuilder();
        Set<String> names = new HashSet<>();
        for (Matcher m : matchers) {
            if (m.type() != Matcher.Type.EQUAL) {
                throw new ScriptException(line, "a series has labels and no conditions: " + m);
            }
            b.set(m.name(), m.value());
            if (!names.add(m.name())) {
                throw new ScriptException(line, "label name \"" + m.name() + "\" is not unique");
            }
        }
        if (!name.isEmpty()) {
            b.set(Labels.METRIC_NAME, name);
        }
        return b.build();
    }

    private int afterBraces(int from) {
        char quote = 0;
        for (int i = from; i < text.length(); i++) {
            char c = text.charAt(i);
            if (quote != 0) {
                if (c == '\\' && quote != '`') {
                    i++;
                } else if (c == quote) {
                    quote = 0;
                }
            } else if (c == '"' || c == '\'' || c == '`') {
                quote = c;
            } else if (c == '}') {
                return i + 1;
            }
        }
        throw error("unclosed brace");
    }

    // ---- values

    private void item(List<Value> out) {
        if (peek() == '_') {
            pos++;
            int n = takeTimes() ? count() : 1;
            for (int i = 0; i < n; i++) {
                out.add(Value.OMITTED);
            }
            return;
        }
        if (text.startsWith("{{", pos)) {
            histogramItem(out);
            return;
        }
        double v = seriesValue();
        if (takeTimes()) {
            int n = count();
            for (int i = 0; i <= n; i++) {
                out.add(Value.of(v));
            }
            return;
        }
        if (peek() == '+' || peek() == '-') {
            double step = signedNumber();
            requireTimes();
            int n = count();
            for (int i = 0; i <= n; i++) {
                out.add(Value.of(v));
                v += step;
            }
            return;
        }
        out.add(Value.of(v));
    }

    private void startTimeItem(List<Value> out) {
        if (peek() == '_') {
            pos++;
            int n = takeTimes() ? count() : 1;
            if (n < 1) {
                throw error("expected a count of at least 1");
            }
            for (int i = 0; i < n; i++) {
                out.add(Value.OMITTED);
            }
            return;
        }
        long offset = signedMillis();
        long step = 0;
        int n = 0;
        if (peek() == '+' || peek() == '-') {
            step = signedMillis();
            requireTimes();
            n = count();
        } else if (takeTimes()) {
            n = count();
        }
        for (int i = 0; i <= n; i++) {
            out.add(Value.of(offset));
            offset += step;
        }
    }

    private void histogramItem(List<Value> out) {
        Value first = histogram();
        if (takeTimes()) {
            int n = count();
            for (int i = 0; i <= n; i++) {
                out.add(first);
            }
            return;
        }
        char sign = peek();
        if (sign != '+' && sign != '-') {
            out.add(first);
            return;
        }
        pos++;
        Value step = histogram();
        requireTimes();
        int n = count();
        FloatHistogram by = step.histogram();
        FloatHistogram current = first.histogram();
        if (by == null || current == null) {
            throw error("expected a histogram");
        }
        out.add(new Value(false, 0, current, step.hintMatters()));
        for (int i = 0; i < n; i++) {
            if (current.schema() > by.schema()) {
                throw error("error combining histograms: cannot merge from schema " + by.schema() + " to " + current.schema());
            }
            HistogramSum sum = new HistogramSum(current);
            boolean fits = sign == '+' ? sum.add(by) : sum.subtract(by);
            if (!fits) {
                throw error("these histograms cannot be combined");
            }
            current = sum.result();
            out.add(new Value(false, 0, current, step.hintMatters()));
        }
    }

    private char peek() {
        return pos < text.length() ? text.charAt(pos) : 0;
    }

    private boolean takeTimes() {
        if (peek() == 'x') {
            pos++;
            return true;
        }
        return false;
    }

    private void requireTimes() {
        if (!takeTimes()) {
            throw error("expected \"x\" and a count");
        }
    }

    private int count() {
        int from = pos;
        while (isDigit(peek())) {
            pos++;
        }
        try {
            int n = Integer.parseInt(text.substring(from, pos));
            if (n <= MAX_VALUES) {
                return n;
            }
        } catch (NumberFormatException e) {
            // Said below.
        }
        throw error("expected a count of at most " + MAX_VALUES);
    }

    private double signedNumber() {
        if (peek() == '+') {
            pos++;
            return number();
        }
        return unsignedOrMinus();
    }

    /** A number in a histogram, where no plus may stand. */
    private double unsignedOrMinus() {
        boolean negative = peek() == '-';
        if (negative) {
            pos++;
        }
        // Only negated where it must be: arithmetic could change the bits of a stale marker.
        return negative ? -number() : number();
    }

    /** A number or {@code stale}, which is written so and has no sign. */
    private double seriesValue() {
        if (text.startsWith("stale", pos) && (pos + 5 == text.length() || !isNameChar(text.charAt(pos + 5)))) {
            pos += 5;
            return SampleBuffer.STALE_NAN;
        }
        return signedNumber();
    }

    /** A number, {@code Inf} or {@code NaN}. There are no hexadecimal ones here, for {@code x} repeats, and no durations. */
    private double number() {
        int from = pos;
        if (isDigit(peek()) || peek() == '.') {
            while (isDigit(peek()) || peek() == '.' || peek() == '_') {
                pos++;
            }
            if (peek() == 'e' || peek() == 'E') {
                pos++;
                if (peek() == '+' || peek() == '-') {
                    pos++;
                }
                while (isDigit(peek())) {
                    pos++;
                }
            }
            if (isNameChar(peek()) && peek() != 'x' && peek() != ':') {
                throw error("bad number syntax: \"" + text.substring(from, pos) + "\"");
            }
            try {
                return Parser.number(text.substring(from, pos));
            } catch (NumberFormatException e) {
                throw error("bad number");
            }
        }
        while (isNameChar(peek())) {
            pos++;
        }
        String word = text.substring(from, pos).toLowerCase(Locale.ROOT);
        return switch (word) {
            case "inf" -> Double.POSITIVE_INFINITY;
            case "nan" -> Double.NaN;
            default -> {
                pos = from;
                throw error("expected a value");
            }
        };
    }

    private long duration() {
        int from = pos;
        while (isDigit(peek()) || "smhdwy".indexOf(peek()) >= 0 && peek() != 0) {
            pos++;
        }
        try {
            return PromDuration.parse(text.substring(from, pos));
        } catch (InvalidRequestException e) {
            throw error(e.getMessage());
        }
    }

    private long signedMillis() {
        int sign = 1;
        if (peek() == '+' || peek() == '-') {
            sign = peek() == '-' ? -1 : 1;
            pos++;
        }
        return sign * duration();
    }

    // ---- histograms

    private Value histogram() {
        if (!text.startsWith("{{", pos)) {
            throw error("expected \"{{\"");
        }
        int end = text.indexOf("}}", pos);
        if (end < 0) {
            throw error("histogram description incomplete");
        }
        int close = end + 2;
        pos += 2;
        int schema = 0;
        double sum = 0;
        double count = 0;
        double zeroCount = 0;
        double zeroThreshold = 0;
        int offset = 0;
        int negativeOffset = 0;
        double[] buckets = FloatHistogram.NO_BUCKETS;
        double[] negativeBuckets = FloatHistogram.NO_BUCKETS;
        double[] custom = FloatHistogram.NO_BUCKETS;
        @Nullable
        CounterResetHint hint = null;
        Set<String> seen = new HashSet<>();
        while (true) {
            int from = pos;
            while (pos < end && isSpace(peek())) {
                pos++;
            }
            if (pos >= end) {
                break;
            }
            if (seen.isEmpty() && pos > from) {
                throw error("a space may stand behind descriptors only");
            }
            int colon = text.indexOf(':', pos);
            if (colon < 0 || colon > end) {
                throw error("missing `:` for histogram descriptor");
            }
            String key = text.substring(pos, colon).toLowerCase(Locale.ROOT);
            if (!seen.add(key)) {
                throw error("duplicate key \"" + key + "\" in histogram");
            }
            pos = colon + 1;
            switch (key) {
                case "schema" -> schema = integer();
                case "sum" -> sum = unsignedOrMinus();
                case "count" -> count = unsignedOrMinus();
                case "z_bucket" -> zeroCount = unsignedOrMinus();
                case "z_bucket_w" -> zeroThreshold = number();
                case "offset" -> offset = integer();
                case "n_offset" -> negativeOffset = integer();
                case "buckets" -> buckets = list();
                case "n_buckets" -> negativeBuckets = list();
                case "custom_values" -> custom = list();
                case "counter_reset_hint" -> hint = hint();
                default -> throw error("bad histogram descriptor found: \"" + key + "\"");
            }
            if (pos < end && !isSpace(peek())) {
                throw error("expected a space between histogram descriptors");
            }
        }
        pos = close;
        FloatHistogram h = new FloatHistogram(hint == null ? CounterResetHint.UNKNOWN : hint, schema, zeroThreshold, zeroCount, count, sum,
                spans(offset, buckets), buckets, spans(negativeOffset, negativeBuckets), negativeBuckets,
                schema == CUSTOM || custom.length > 0 ? custom : FloatHistogram.NO_BUCKETS);
        return new Value(false, 0, h, hint != null);
    }

    private static List<Span> spans(int offset, double[] buckets) {
        return buckets.length == 0 ? List.of() : List.of(new Span(offset, buckets.length));
    }

    private int integer() {
        int from = pos;
        double v = unsignedOrMinus();
        if (text.substring(from, pos).indexOf('.') >= 0 || v != Math.rint(v) || Math.abs(v) > Integer.MAX_VALUE) {
            throw error("expected an integer");
        }
        return (int) v;
    }

    private double[] list() {
        if (peek() != '[') {
            throw error("expected \"[\"");
        }
        pos++;
        List<Double> out = new ArrayList<>();
        do {
            out.add(unsignedOrMinus());
            while (isSpace(peek())) {
                pos++;
            }
        } while (peek() != ']');
        pos++;
        return out.stream().mapToDouble(Double::doubleValue).toArray();
    }

    private CounterResetHint hint() {
        int from = pos;
        while (Character.isLetter(peek()) || peek() == '_') {
            pos++;
        }
        return switch (text.substring(from, pos).toLowerCase(Locale.ROOT)) {
            case "unknown" -> CounterResetHint.UNKNOWN;
            case "reset" -> CounterResetHint.RESET;
            case "not_reset" -> CounterResetHint.NOT_RESET;
            case "gauge" -> CounterResetHint.GAUGE;
            default -> throw error("unknown counter reset hint");
        };
    }

    private ScriptException error(String message) {
        String rest = text.substring(Math.min(pos, text.length()));
        return new ScriptException(line, message + " at column " + (pos + 1) + ", found "
                + (rest.isEmpty() ? "the end of the line" : "\"" + rest.substring(0, Math.min(20, rest.length())) + "\""));
    }

    private static boolean isSpace(char c) {
        return c == ' ' || c == '\t' || c == '\r';
    }

    private static boolean isDigit(char c) {
        return c >= '0' && c <= '9';
    }

    private static boolean isNameChar(char c) {
        return c == '_' || c == ':' || isDigit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z';
    }
}

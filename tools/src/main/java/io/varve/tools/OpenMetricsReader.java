package io.varve.tools;

import io.varve.model.GoFloat;
import io.varve.model.InvalidRequestException;
import io.varve.model.LabelNames;
import io.varve.model.Labels;
import java.io.IOException;
import java.io.InputStream;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * Reads OpenMetrics text as a stream of samples with times, line by line. Types, help, units and exemplars are checked for form
 * and passed over: blocks do not hold them. Label values and names may be any UTF-8; names that are not of the old form stand in
 * quotes.
 */
final class OpenMetricsReader {
    /** So many texts of labels are the same objects wherever they occur. */
    private static final int SHARED_TEXTS = 1 << 16;
    /** No line is longer. */
    private static final int MAX_LINE = 16 << 20;
    /** Up to here a double tells each millisecond from the next. */
    private static final double EXACT_MILLIS = 1L << 53;
    /** A little less than the 64 bits of a time, as the end of a block lies behind its last sample. */
    private static final double MAX_MILLIS = 9.2e18;
    private static final Set<String> TYPES = Set.of("counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset",
            "unknown");

    /** Receives samples. */
    @FunctionalInterface
    interface Sink {
        void sample(Labels labels, long timeMillis, double value, long line) throws IOException;
    }

    private final InputStream in;
    private final String file;
    private final Map<String, String> added;
    private final byte[] buffer = new byte[1 << 18];
    private byte[] text = new byte[1 << 12];
    private int position;
    private int limit;
    private long bytes;
    private long line;
    private boolean ended;
    private final Map<String, String> texts = new HashMap<>();
    /** The label whose values are numbers, after the last TYPE: {@code le} of histograms, {@code quantile} of summaries, "" otherwise. */
    private String boundLabel = "";
    private String lastKey = "";
    private Labels lastLabels = Labels.EMPTY;

    /** @param added labels of every series, instead of its own of these names; an empty value takes the label away */
    OpenMetricsReader(InputStream in, String file, Map<String, String> added) {
        this.in = in;
        this.file = file;
        this.added = added;
    }

    /** Bytes read so far. */
    long bytes() {
        return bytes;
    }

    /**
     * Reads the next sample line into the sink; false at the end.
     *
     * @throws InvalidRequestException where a line is not OpenMetrics, naming it
     */
    boolean next(Sink sink) throws IOException {
        while (true) {
            String s = readLine();
            if (s == null) {
                if (!ended) {
                    throw wrong("expected \"# EOF\" at the end");
                }
                return false;
            }
            if (ended) {
                throw wrong("text after \"# EOF\"");
            }
            if (s.isEmpty()) {
                throw wrong("empty line");
            }
            if (s.charAt(0) == '#') {
                comment(s);
            } else {
                sample(s, sink);
                return true;
            }
        }
    }

    private void comment(String s) {
        if (s.equals("# EOF")) {
            ended = true;
            return;
        }
        boolean type = s.startsWith("# TYPE ");
        boolean unit = s.startsWith("# UNIT ");
        if (!type && !unit && !s.startsWith("# HELP ")) {
            throw wrong("a line that begins with # must be TYPE, HELP, UNIT or EOF");
        }
        String rest = s.substring(7);
        int end = nameEnd(rest);
        if (end == rest.length()) {
            throw wrong("expected a text after the name");
        }
        if (rest.charAt(end) != ' ') {
            throw wrong("expected a space after the name");
        }
        String name = rest.startsWith("\"") ? new Pairs(rest, 0).string() : rest.substring(0, end);
        if (!rest.startsWith("\"") && !LabelNames.isLegacyMetric(name)) {
            throw wrong("\"" + name + "\" is no metric name; other names stand in quotes");
        }
        String text = rest.substring(end + 1);
        if (type && !TYPES.contains(text)) {
            throw wrong("\"" + text + "\" is no type of a metric");
        }
        if (type) {
            String bound = text.equals("histogram") ? "le" : text.equals("summary") ? "quantile" : "";
            if (!bound.equals(boundLabel)) {
                boundLabel = bound;
                lastKey = "";
            }
        }
        if (unit && !text.isEmpty() && !name.endsWith("_" + text)) {
            throw wrong("the unit \"" + text + "\" is no suffix of the name " + name);
        }
    }

    /** Where the name ends that a text begins with, in quotes or not. */
    private static int nameEnd(String s) {
        boolean quoted = s.startsWith("\"");
        int i = quoted ? 1 : 0;
        while (i < s.length() && s.charAt(i) != (quoted ? '"' : ' ')) {
            i += quoted && s.charAt(i) == '\\' ? 2 : 1;
        }
        return Math.min(s.length(), quoted ? i + 1 : i);
    }

    private void sample(String s, Sink sink) throws IOException {
        int end = seriesEnd(s);
        String key = s.substring(0, end);
        if (!key.equals(lastKey)) {
            lastLabels = series(key);
            lastKey = key;
        }
        int valueEnd = tokenEnd(s, end, "a value after the series");
        double value = number(s, end + 1, valueEnd, "number");
        int timeEnd = tokenEnd(s, valueEnd, "a time after the value");
        long time = time(s, valueEnd + 1, timeEnd);
        if (timeEnd < s.length()) {
            exemplar(s, timeEnd);
        }
        // Any NaN is written as the one that means "not a number", never as the stale marker.
        sink.sample(lastLabels, time, Double.isNaN(value) ? Double.longBitsToDouble(0x7ff8000000000001L) : value, line);
    }

    /** The end of the word that follows one space at {@code at}. */
    private int tokenEnd(String s, int at, String what) {
        int end = at < s.length() && s.charAt(at) == ' ' ? s.indexOf(' ', at + 1) : at + 1;
        if (end < 0) {
            end = s.length();
        }
        if (end <= at + 1 || s.charAt(at + 1) == '#') {
            throw wrong("expected one space and " + what + ", found \"" + s.substring(at) + "\"");
        }
        return end;
    }

    private double number(String s, int from, int to, String what) {
        String word = s.substring(from, to);
        try {
            // Go reads hexadecimal floats and _ between digits, OpenMetrics does not.
            if (word.indexOf('_') < 0 && word.indexOf('p') < 0 && word.indexOf('P') < 0) {
                return GoFloat.parse(word);
            }
            throw new NumberFormatException();
        } catch (NumberFormatException e) {
            throw wrong("\"" + word + "\" is no " + what);
        }
    }

    private long time(String s, int from, int to) {
        double millis = number(s, from, to, "time") * 1000;
        if (Math.abs(millis) < EXACT_MILLIS) {
            // Parts of milliseconds are cut off as promtool does, but not what only the conversion to binary and the product took from a whole one.
            long nearest = Math.round(millis);
            return Math.abs(millis - nearest) <= 2 * Math.ulp(millis) ? nearest : (long) millis;
        }
        if (!(Math.abs(millis) < MAX_MILLIS)) {
            throw wrong("time " + s.substring(from, to) + " is out of bounds");
        }
        return new BigDecimal(s.substring(from, to)).movePointRight(3).setScale(0, RoundingMode.DOWN).longValueExact();
    }

    /** Checks what stands behind the time: {@code # {labels} value} and perhaps another time. */
    private void exemplar(String s, int at) {
        if (!s.startsWith(" # {", at)) {
            throw wrong("text after the time: \"" + s.substring(at + 1) + "\"");
        }
        String e = s.substring(at + 3);
        int end = seriesEnd(e);
        new Pairs(e, 1).readExemplar();
        int valueEnd = tokenEnd(e, end, "a value after the labels of the exemplar");
        number(e, end + 1, valueEnd, "number");
        if (valueEnd < e.length()) {
            int timeEnd = tokenEnd(e, valueEnd, "a time after the value of the exemplar");
            if (!Double.isFinite(number(e, valueEnd + 1, timeEnd, "time"))) {
                throw wrong("time of the exemplar is out of bounds");
            }
            if (timeEnd < e.length()) {
                throw wrong("text after the exemplar: \"" + e.substring(timeEnd + 1) + "\"");
            }
        }
    }

    /** Where the series ends and the value begins. */
    private int seriesEnd(String s) {
        boolean quoted = false;
        boolean inBraces = false;
        for (int i = 0; i < s.length(); i++) {
            char c = s.charAt(i);
            if (quoted) {
                if (c == '\\') {
                    i++;
                } else if (c == '"') {
                    quoted = false;
                }
            } else if (c == '"') {
                quoted = true;
            } else if (c == '{') {
                inBraces = true;
            } else if (c == '}') {
                return i + 1;
            } else if (c == ' ' && !inBraces) {
                return i;
            }
        }
        throw wrong(inBraces ? "labels do not end" : "expected a value after the name");
    }

    private Labels series(String key) {
        TreeMap<String, String> labels = new TreeMap<>();
        int brace = key.indexOf('{');
        String name = brace < 0 ? key : key.substring(0, brace).stripTrailing();
        if (!name.isEmpty()) {
            if (!LabelNames.isLegacyMetric(name)) {
                throw wrong("\"" + name + "\" is no metric name; other names stand in quotes inside the braces");
            }
            labels.put(Labels.METRIC_NAME, name);
        }
        if (brace >= 0) {
            new Pairs(key, brace + 1).read(labels);
        }
        String bound = boundLabel.isEmpty() ? null : labels.get(boundLabel);
        if (bound != null) {
            labels.put(boundLabel, canonical(bound));
        }
        labels.replaceAll((n, value) -> shared(value));
        Labels series = Labels.of(labels);
        if (series.isEmpty()) {
            throw wrong("series without a name or label");
        }
        if (!added.isEmpty()) {
            labels.putAll(added);
            series = Labels.of(labels);
            if (series.isEmpty()) {
                throw wrong("series without a name or label, once the labels of the command line are set");
            }
        }
        return series;
    }

    /** A bound as Prometheus 3 stores what it scrapes: {@code 1} and {@code 1e0} are {@code 1.0}; what is no number stays. */
    private static String canonical(String bound) {
        try {
            return GoFloat.openMetrics(GoFloat.parse(bound));
        } catch (NumberFormatException e) {
            return bound;
        }
    }

    /** The text object that stands for all equal ones, as far as they fit. */
    private String shared(String s) {
        String known = texts.get(s);
        if (known == null && texts.size() < SHARED_TEXTS) {
            texts.put(s, s);
        }
        return known == null ? s : known;
    }

    /** The inside of the braces. */
    private final class Pairs {
        private final String s;
        private int at;
        private boolean exemplar;

        Pairs(String s, int at) {
            this.s = s;
            this.at = at;
        }

        /** Labels that blocks do not hold: no name of a metric among them, and any may be there twice. */
        void readExemplar() {
            exemplar = true;
            read(new TreeMap<>());
        }

        void read(TreeMap<String, String> labels) {
            skip();
            while (s.charAt(at) != '}') {
                String name;
                boolean quoted = s.charAt(at) == '"';
                if (quoted) {
                    name = string();
                } else {
                    int from = at;
                    while (s.charAt(at) != '=' && s.charAt(at) != '}' && s.charAt(at) != ',' && s.charAt(at) != ' ') {
                        at++;
                    }
                    name = s.substring(from, at);
                    if (!LabelNames.isLegacy(name)) {
                        throw wrong("\"" + name + "\" is no label name");
                    }
                }
                skip();
                String before;
                if (s.charAt(at) == '=') {
                    at++;
                    skip();
                    if (s.charAt(at) != '"') {
                        throw wrong("label " + name + ": expected a value in quotes");
                    }
                    if (name.isEmpty() && !exemplar) {
                        throw wrong("label without a name");
                    }
                    before = labels.put(shared(name), string());
                } else if (quoted && !exemplar) {
                    before = labels.put(Labels.METRIC_NAME, name);
                } else {
                    throw wrong("label " + name + " has no value");
                }
                if (before != null && !exemplar) {
                    throw wrong("label " + name + " is there twice");
                }
                skip();
                if (s.charAt(at) == ',') {
                    at++;
                    skip();
                } else if (s.charAt(at) != '}') {
                    throw wrong("expected , or } after a label");
                }
            }
        }

        private void skip() {
            while (s.charAt(at) == ' ') {
                at++;
            }
        }

        private String string() {
            StringBuilder sb = new StringBuilder();
            for (at++; s.charAt(at) != '"'; at++) {
                char c = s.charAt(at);
                if (c != '\\') {
                    sb.append(c);
                    continue;
                }
                char e = s.charAt(++at);
                switch (e) {
                    case 'n' -> sb.append('\n');
                    case '"', '\\' -> sb.append(e);
                    default -> sb.append('\\').append(e);
                }
            }
            at++;
            return sb.toString();
        }
    }

    private InvalidRequestException wrong(String rule) {
        return new InvalidRequestException(file + ": line " + line + ": " + rule);
    }

    /** The next line without its end, null at the end. */
    private @org.jspecify.annotations.Nullable String readLine() throws IOException {
        line++;
        int n = 0;
        while (true) {
            if (position == limit) {
                limit = in.read(buffer);
                position = 0;
                if (limit <= 0) {
                    limit = 0;
                    return n == 0 ? null : decode(n);
                }
                bytes += limit;
            }
            int from = position;
            while (position < limit && buffer[position] != '\n') {
                position++;
            }
            int length = position - from;
            if (n + length > MAX_LINE) {
                throw wrong("line is longer than " + MAX_LINE + " bytes");
            }
            if (n + length > text.length) {
                text = Arrays.copyOf(text, Math.max(n + length, text.length * 2));
            }
            System.arraycopy(buffer, from, text, n, length);
            n += length;
            if (position < limit) {
                position++;
                return decode(n);
            }
        }
    }

    private String decode(int n) {
        int length = n > 0 && text[n - 1] == '\r' ? n - 1 : n;
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(text, 0, length)).toString();
        } catch (CharacterCodingException e) {
            throw wrong("not UTF-8");
        }
    }
}

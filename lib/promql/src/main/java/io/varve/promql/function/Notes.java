package io.varve.promql.function;

import io.varve.model.GoFloat;
import io.varve.model.GoQuote;
import io.varve.promql.parser.Position;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Warnings and infos of an evaluation, once per text. One thread; what other threads collected is added with {@link #addAll} in the order of
 * the series.
 *
 * <p>
 * The position of a note begins at what is shown and ends where the call or operation ends that noted it, so that positions tell the order
 * in which Prometheus evaluates: of several places of one text it shows the last, of buckets that had to rise the first, whichever side is
 * read first here.
 */
public final class Notes {
    private static final String WARNING = "PromQL warning: ";
    private static final String INFO = "PromQL info: ";
    private static final DateTimeFormatter RFC3339 = DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH:mm:ss'Z'").withZone(ZoneOffset.UTC);

    private final Map<String, Note> notes = new LinkedHashMap<>();

    private static class Note {
        final boolean warning;
        Position position;
        final String text;
        /** How often it occurred, for texts that tell. */
        long occurrences;

        Note(boolean warning, Position position, String text, long occurrences) {
            this.warning = warning;
            this.position = position;
            this.text = text;
            this.occurrences = occurrences;
        }

        void merge(Note other) {
            occurrences += other.occurrences;
            if (isBefore(position, other.position) != keepsFirst()) {
                position = other.position;
            }
        }

        /** Whether the first place of several is shown, and not the last. */
        boolean keepsFirst() {
            return false;
        }

        /** Whether what ends at the first position is evaluated before what ends at the second: operands come before what they are part of. */
        private static boolean isBefore(Position a, Position b) {
            return a.end() != b.end() ? a.end() < b.end() : a.start() > b.start();
        }

        String render() {
            return occurrences > 1 ? text + " (" + occurrences + " occurrences)" : text;
        }
    }

    private static final class Monotonicity extends Note {
        private double minBucket;
        private double maxBucket;
        private double maxDiff;
        private long minTime;
        private long maxTime;

        Monotonicity(Position position, String text, long occurrences, long minTime, long maxTime, double minBucket,
                double maxBucket, double maxDiff) {
            super(false, position, text, occurrences);
            this.minTime = minTime;
            this.maxTime = maxTime;
            this.minBucket = minBucket;
            this.maxBucket = maxBucket;
            this.maxDiff = maxDiff;
        }

        @Override
        void merge(Note other) {
            super.merge(other);
            if (other instanceof Monotonicity m) {
                minBucket = Math.min(minBucket, m.minBucket);
                maxBucket = Math.max(maxBucket, m.maxBucket);
                maxDiff = Math.max(maxDiff, m.maxDiff);
                minTime = Math.min(minTime, m.minTime);
                maxTime = Math.max(maxTime, m.maxTime);
            }
        }

        @Override
        boolean keepsFirst() {
            return true;
        }

        @Override
        String render() {
            return text + ", from buckets " + GoFloat.general(minBucket) + " to " + GoFloat.general(maxBucket) + ", with a max diff of "
                    + GoFloat.general(maxDiff, 2) + ", over " + occurrences + " samples from "
                    + RFC3339.format(Instant.ofEpochSecond(Math.floorDiv(minTime, 1000))) + " to "
                    + RFC3339.format(Instant.ofEpochSecond(Math.floorDiv(maxTime, 1000)));
        }
    }

    /** Adds a warning. */
    public void warn(Position position, String text) {
        add(new Note(true, position, WARNING + text, 0));
    }

    /** Adds a warning that tells how often it occurred. */
    public void warnCounted(Position position, String text, long occurrences) {
        add(new Note(true, position, WARNING + text, occurrences));
    }

    /** Adds an info. */
    public void info(Position position, String text) {
        add(new Note(false, position, INFO + text, 0));
    }

    /**
     * Adds the info that buckets of a classic histogram had to be made to rise.
     *
     * @param metric the metric's name, "" where it is not known
     */
    public void forcedMonotonicity(Position position, String metric, long occurrences, long minTime, long maxTime, double minBucket,
            double maxBucket, double maxDiff) {
        add(new Monotonicity(position, INFO + "input to histogram_quantile needed to be fixed for monotonicity (see "
                + "https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)" + forMetric(metric), occurrences,
                minTime, maxTime, minBucket, maxBucket, maxDiff));
    }

    /** {@code  for metric name "x"}, nothing where the name is not known. */
    public static String forMetric(String metric) {
        return metric.isEmpty() ? "" : " for metric name " + GoQuote.quote(metric);
    }

    private void add(Note note) {
        Note old = notes.putIfAbsent(note.text, note);
        if (old != null) {
            old.merge(note);
        }
    }

    /** Adds what others collected. */
    public void addAll(Notes others) {
        others.notes.values().forEach(this::add);
    }

    /** The warnings or the infos, sorted, each with its line and column in the query. */
    public List<String> render(boolean warnings, String query) {
        List<String> out = new ArrayList<>();
        byte[] bytes = query.getBytes(StandardCharsets.UTF_8);
        for (Note n : notes.values()) {
            if (n.warning == warnings) {
                int line = 1;
                int column = 1;
                for (int i = 0; i < n.position.start() && i < bytes.length; i++) {
                    if (bytes[i] == '\n') {
                        line++;
                        column = 1;
                    } else {
                        column++;
                    }
                }
                out.add(n.render() + " (" + line + ":" + column + ")");
            }
        }
        Collections.sort(out);
        return out;
    }
}

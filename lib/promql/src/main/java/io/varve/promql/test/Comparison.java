package io.varve.promql.test;

import io.varve.model.FloatHistogram;
import io.varve.model.GoFloat;
import io.varve.model.Labels;
import io.varve.model.Span;
import io.varve.promql.QueryValue;
import io.varve.promql.QueryValue.Row;
import io.varve.promql.QueryValue.Sample;
import io.varve.promql.test.Command.Eval;
import io.varve.promql.test.Command.Window;
import io.varve.promql.test.PromqlTest.Mismatch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Compares results with what a script expects. */
final class Comparison {
    private Comparison() {
    }

    static void instant(Eval e, QueryValue got) {
        switch (got) {
            case QueryValue.Vector v -> vector(e, v.samples());
            case QueryValue.Matrix m -> {
                Window window = e.expected().window();
                // Without one there is place for one value at the evaluation's time.
                matrix(e, m, window == null ? new Window(e.startMillis(), e.startMillis(), 0) : window);
            }
            case QueryValue.Scalar s -> scalar(e, s.value());
            case QueryValue.Text text -> {
                String want = e.expected().text() == null ? "" : e.expected().text();
                if (!text.value().equals(want)) {
                    throw new Mismatch("expected the string \"" + want + "\", got \"" + text.value() + "\"");
                }
            }
        }
    }

    private static void scalar(Eval e, double got) {
        Double want = e.expected().scalar();
        if (want == null) {
            throw new Mismatch("expected series, got the scalar " + GoFloat.general(got));
        }
        if (!PromqlTest.same(want, got)) {
            throw new Mismatch("expected the scalar " + GoFloat.general(want) + ", got " + GoFloat.general(got));
        }
    }

    /** The points at one time of a range query, as the result of the instant query. */
    static void middle(Eval e, QueryValue.Matrix m, long time) {
        List<Sample> samples = new ArrayList<>();
        for (Row row : m.rows()) {
            int f = Arrays.binarySearch(row.floatTimes(), time);
            if (f >= 0) {
                samples.add(new Sample(row.labels(), time, row.floats()[f], null));
            }
            int h = Arrays.binarySearch(row.histogramTimes(), time);
            if (h >= 0) {
                samples.add(new Sample(row.labels(), time, 0, row.histograms()[h]));
            }
        }
        Double scalar = e.expected().scalar();
        if (scalar == null) {
            vector(e, samples);
        } else if (samples.isEmpty()) {
            throw new Mismatch("expected the scalar " + GoFloat.general(scalar) + ", got nothing");
        } else {
            scalar(e, samples.get(0).value());
        }
    }

    private static Map<Labels, SeriesLine> expected(Eval e, String got) {
        if (e.expected().scalar() != null) {
            throw new Mismatch("expected the scalar " + GoFloat.general(e.expected().scalar()) + ", got a " + got);
        }
        Map<Labels, SeriesLine> out = new LinkedHashMap<>();
        for (SeriesLine line : e.expected().series()) {
            out.put(line.labels(), line);
        }
        return out;
    }

    private static void vector(Eval e, List<Sample> got) {
        List<SeriesLine> lines = e.expected().series();
        Map<Labels, SeriesLine> expected = expected(e, "vector");
        Set<Labels> seen = new HashSet<>();
        for (int i = 0; i < got.size(); i++) {
            Sample sample = got.get(i);
            SeriesLine want = expected.get(sample.labels());
            if (want == null) {
                throw new Mismatch("unexpected " + sample.labels() + " = " + show(sample) + inAll(got));
            }
            if (e.ordered() && (i >= lines.size() || lines.get(i) != want)) {
                // A series that stands there twice belongs where it stands last.
                throw new Mismatch(
                        "expected " + (i >= lines.size() ? "nothing" : lines.get(i).labels()) + " at position " + (i + 1)
                                + ", got " + sample.labels() + inAll(got));
            }
            if (!seen.add(sample.labels())) {
                throw new Mismatch(sample.labels() + " occurs twice");
            }
            if (want.values().isEmpty()) {
                throw new Mismatch("expected no value for " + sample.labels() + ", got " + show(sample));
            }
            Value value = want.values().get(0);
            // A gap cannot be expected of one moment: it counts as 0.
            compare(sample.labels() + "", value.omitted() ? Value.of(0) : value, sample.value(), sample.histogram());
        }
        for (Labels labels : expected.keySet()) {
            if (!seen.contains(labels)) {
                throw new Mismatch(
                        "expected " + labels + " = " + expected.get(labels).values() + ", which is not there" + inAll(got));
            }
        }
    }

    private static String inAll(List<Sample> got) {
        StringBuilder sb = new StringBuilder("; all of the result:");
        for (Sample s : got.subList(0, Math.min(10, got.size()))) {
            sb.append(' ').append(s.labels()).append(" = ").append(show(s)).append(',');
        }
        return got.isEmpty() ? "; the result is empty" : sb.substring(0, sb.length() - 1) + (got.size() > 10 ? " …" : "");
    }

    private static void compare(String what, Value want, double got, @Nullable FloatHistogram histogram) {
        FloatHistogram wantHistogram = want.histogram();
        if (wantHistogram == null) {
            if (histogram != null) {
                throw new Mismatch("expected the float " + want + " for " + what + ", got the histogram " + histogram);
            }
            if (want.omitted() || !PromqlTest.same(want.number(), got)) {
                throw new Mismatch("expected " + want + " for " + what + ", got " + GoFloat.general(got));
            }
            return;
        }
        if (histogram == null) {
            throw new Mismatch("expected the histogram " + wantHistogram + " for " + what + ", got the float " + GoFloat.general(got));
        }
        if (!same(wantHistogram.compact(), histogram.compact())) {
            throw new Mismatch("expected the histogram " + wantHistogram + " for " + what + ", got " + histogram);
        }
        if (want.hintMatters() && wantHistogram.hint() != histogram.hint()) {
            throw new Mismatch("expected the counter reset hint " + wantHistogram.hint() + " for " + what + ", got " + histogram.hint());
        }
    }

    private static boolean same(FloatHistogram a, FloatHistogram b) {
        return a.schema() == b.schema() && PromqlTest.same(a.count(), b.count()) && PromqlTest.same(a.sum(), b.sum())
                && (!a.usesCustomBuckets() || Arrays.equals(a.customValues(), b.customValues())) && a.zeroThreshold() == b.zeroThreshold()
                && PromqlTest.same(a.zeroCount(), b.zeroCount()) && merged(a.positiveSpans()).equals(merged(b.positiveSpans()))
                && merged(a.negativeSpans()).equals(merged(b.negativeSpans())) && same(a.positiveBuckets(), b.positiveBuckets())
                && same(a.negativeBuckets(), b.negativeBuckets());
    }

    private static boolean same(double[] a, double[] b) {
        if (a.length != b.length) {
            return false;
        }
        for (int i = 0; i < a.length; i++) {
            if (!PromqlTest.same(a[i], b[i])) {
                return false;
            }
        }
        return true;
    }

    /** Spans without empty ones and without neighbours that touch. */
    private static List<Span> merged(List<Span> spans) {
        List<Span> out = new ArrayList<>();
        int gap = 0;
        for (Span s : spans) {
            gap += s.offset();
            if (s.length() == 0) {
                continue;
            }
            if (gap == 0 && !out.isEmpty()) {
                Span last = out.removeLast();
                out.add(new Span(last.offset(), last.length() + s.length()));
            } else {
                out.add(new Span(gap, s.length()));
            }
            gap = 0;
        }
        return out;
    }

    /** That the rows are in the order of their labels. */
    static void sorted(QueryValue.Matrix m) {
        for (int i = 1; i < m.rows().size(); i++) {
            if (m.rows().get(i - 1).labels().compareTo(m.rows().get(i).labels()) > 0) {
                throw new Mismatch("the matrix is not sorted by labels: " + m.rows().get(i - 1).labels() + " before "
                        + m.rows().get(i).labels());
            }
        }
    }

    static void matrix(Eval e, QueryValue.Matrix m, Window window) {
        if (e.ordered()) {
            throw new Mismatch("the result of a range query has no order");
        }
        Map<Labels, SeriesLine> expected = expected(e, "range vector");
        Set<Labels> seen = new HashSet<>();
        for (Row row : m.rows()) {
            SeriesLine want = expected.get(row.labels());
            if (want == null) {
                throw new Mismatch("unexpected " + row.labels() + " = " + show(row));
            }
            seen.add(row.labels());
            row(want, row, window.startMillis(), window.endMillis(), window.stepMillis());
        }
        for (SeriesLine line : expected.values()) {
            if (!seen.contains(line.labels())) {
                throw new Mismatch("expected " + line.labels() + " = " + line.values() + ", which is not there; the result has "
                        + m.rows().stream().map(r -> r.labels().toString()).toList());
            }
        }
    }

    private static void row(SeriesLine want, Row row, long start, long end, long step) {
        int floats = 0;
        int histograms = 0;
        for (int i = 0; i < want.values().size(); i++) {
            long time = start + i * step;
            Value v = want.values().get(i);
            if (time > end) {
                throw new Mismatch("expected " + want.values().size() + " points for " + want.labels() + ", more than the range has");
            }
            if (v.omitted()) {
                continue;
            }
            if (v.histogram() != null) {
                histograms++;
            } else {
                floats++;
            }
        }
        if (floats != row.floats().length || histograms != row.histograms().length) {
            throw new Mismatch("expected " + floats + " floats and " + histograms + " histograms for " + want.labels() + " " + want.values()
                    + ", got " + row.floats().length + " and " + row.histograms().length + ": " + show(row));
        }
        int f = 0;
        int h = 0;
        for (int i = 0; i < want.values().size(); i++) {
            long time = start + i * step;
            Value v = want.values().get(i);
            if (v.omitted()) {
                continue;
            }
            boolean histogram = v.histogram() != null;
            long at = histogram ? row.histogramTimes()[h] : row.floatTimes()[f];
            if (at != time) {
                throw new Mismatch("expected a point of " + want.labels() + " at " + time + " ms, got one at " + at + " ms: " + show(row));
            }
            compare(want.labels() + " at " + time + " ms (of " + show(row) + ")", v, histogram ? 0 : row.floats()[f],
                    histogram ? row.histograms()[h] : null);
            if (histogram) {
                h++;
            } else {
                f++;
            }
        }
    }

    // ---- for messages

    private static String show(Sample s) {
        return s.histogram() != null ? s.histogram().toString() : GoFloat.general(s.value());
    }

    private static String show(Row row) {
        StringBuilder sb = new StringBuilder("[");
        for (int i = 0; i < Math.min(20, row.floats().length); i++) {
            sb.append(sb.length() > 1 ? " " : "").append(GoFloat.general(row.floats()[i])).append('@').append(row.floatTimes()[i]);
        }
        for (int i = 0; i < Math.min(5, row.histograms().length); i++) {
            sb.append(sb.length() > 1 ? " " : "").append(row.histograms()[i]).append('@').append(row.histogramTimes()[i]);
        }
        return sb.append(']').toString();
    }

    static String show(QueryValue v) {
        return switch (v) {
            case QueryValue.Scalar s -> GoFloat.general(s.value());
            case QueryValue.Text t -> "\"" + t.value() + "\"";
            case QueryValue.Vector vector -> vector.samples().stream().limit(5).map(s -> s.labels() + " = " + show(s)).toList().toString();
            case QueryValue.Matrix m -> m.rows().stream().limit(5).map(r -> r.labels() + " = " + show(r)).toList().toString();
        };
    }
}

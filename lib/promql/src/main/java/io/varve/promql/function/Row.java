package io.varve.promql.function;

import io.varve.model.FloatHistogram;
import io.varve.model.HistogramRow;
import io.varve.model.Labels;
import io.varve.model.SampleBuffer;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * One series with its values over all steps: what operators pass on. Owned by whoever holds it last, who may change it.
 *
 * <p>
 * At a step there is a histogram, a float or nothing. Nothing is told from a float by the stale marker's bits: stale samples are
 * dropped where series are read, and no arithmetic makes a marker, so that it is free to mean absence.
 */
public final class Row {
    /** Bits of a value that says that there is none. */
    public static final long ABSENT_BITS = SampleBuffer.STALE_NAN_BITS;
    /** The value that says that there is none. */
    public static final double ABSENT = SampleBuffer.STALE_NAN;

    /** The labels. */
    public Labels labels;
    /** Whether the metric's name is to be dropped at the end of the query. */
    public boolean dropName;
    /** Floats by step, {@link #ABSENT} where there is none. */
    public double[] values;
    /** Histograms by step, or null where there is none at all. */
    public @Nullable FloatHistogram @Nullable [] histograms;
    /**
     * In place of these, only where the reader allows it: all histograms, while there is no float; valid until the row's maker makes the next one.
     */
    public @Nullable HistogramRow flat;

    /** Nobody has looked yet whether this is a span. */
    private static final int UNKNOWN = -1;
    /** Somebody has, and it is none. */
    private static final int NO_SPAN = -2;
    private int from = UNKNOWN;
    private int to;

    /** Takes ownership of the values. */
    public Row(Labels labels, boolean dropName, double[] values) {
        this.labels = labels;
        this.dropName = dropName;
        this.values = values;
    }

    /** A row without any value. */
    public static Row empty(Labels labels, boolean dropName, int steps) {
        double[] v = new double[steps];
        Arrays.fill(v, ABSENT);
        return new Row(labels, dropName, v);
    }

    /** Whether the value says that there is none. */
    public static boolean isAbsent(double v) {
        return Double.doubleToRawLongBits(v) == ABSENT_BITS;
    }

    /** Whether there is a float at every step. */
    public static boolean isComplete(double[] values) {
        return presentTo(values, 0) == values.length;
    }

    /** The first step at which there is a float; the number of steps where there is none. */
    public static int presentFrom(double[] values) {
        return presentFrom(values, 0);
    }

    /** The first step from {@code from} on at which there is a float; the number of steps where there is none. */
    public static int presentFrom(double[] values, int from) {
        int i = from;
        while (i < values.length && isAbsent(values[i])) {
            i++;
        }
        return i;
    }

    /** The first step from {@code from} on at which there is no float; the number of steps where there is none. */
    public static int presentTo(double[] values, int from) {
        int i = from;
        while (i < values.length && !isAbsent(values[i])) {
            i++;
        }
        return i;
    }

    /**
     * Whether there are floats from one step to another, none before and none behind, and no histograms; a row without anything is one, too. It is
     * looked once, best by the thread that made the values, as they are near it; until {@link #changed}.
     */
    public boolean isSpan() {
        if (from == UNKNOWN) {
            int first = presentFrom(values);
            int end = presentTo(values, first);
            from = histograms == null && flat == null && presentFrom(values, end) == values.length ? first : NO_SPAN;
            to = end;
        }
        return from >= 0;
    }

    /** The first step of a span; the number of steps where there is nothing. To be asked after {@link #isSpan}. */
    public int from() {
        return from;
    }

    /** Behind the last step of a span. */
    public int to() {
        return to;
    }

    /** Says where the floats are, for whoever knows: from one step to another, none elsewhere, and no histograms. */
    public void span(int first, int end) {
        from = first;
        to = end;
    }

    /** To be called by whoever changes in {@link #values} which steps have something, in a row that others have seen. */
    public void changed() {
        from = UNKNOWN;
    }

    /** Whether there is a float at the step. */
    public boolean hasFloat(int step) {
        return Double.doubleToRawLongBits(values[step]) != ABSENT_BITS;
    }

    /** The histogram at the step, null where there is none. */
    public @Nullable FloatHistogram histogram(int step) {
        return histograms == null ? null : histograms[step];
    }

    /** Whether there is anything at the step. */
    public boolean has(int step) {
        return hasFloat(step) || histogram(step) != null || flat != null && flat.has(step);
    }

    /** Makes histograms of those in {@link #flat}. */
    public void unfold() {
        HistogramRow from = flat;
        if (from != null) {
            flat = null;
            for (int i = 0; i < values.length; i++) {
                if (from.has(i)) {
                    setHistogram(i, from.at(i));
                }
            }
        }
    }

    /** Sets a histogram. */
    public void setHistogram(int step, @Nullable FloatHistogram h) {
        @Nullable
        FloatHistogram[] hs = histograms;
        if (hs == null) {
            if (h == null) {
                return;
            }
            hs = new FloatHistogram[values.length];
            histograms = hs;
        }
        hs[step] = h;
        changed();
        if (h != null) {
            values[step] = ABSENT;
        }
    }

    /** Removes what is at the step. */
    public void clear(int step) {
        values[step] = ABSENT;
        changed();
        if (histograms != null) {
            histograms[step] = null;
        }
    }

    /** Whether there is nothing at any step. */
    public boolean isEmpty() {
        if (from >= 0) {
            return from == to;
        }
        for (int i = 0; i < values.length; i++) {
            if (has(i)) {
                return false;
            }
        }
        return true;
    }

    /** How many steps have something. */
    public int points() {
        if (from >= 0) {
            return to - from;
        }
        int n = 0;
        for (int i = 0; i < values.length; i++) {
            if (has(i)) {
                n++;
            }
        }
        return n;
    }

    /** Bytes of memory; an estimate for budgets. */
    public long bytes() {
        long b = 96 + 8L * values.length + 32L * labels.size();
        @Nullable
        FloatHistogram[] hs = histograms;
        if (hs != null) {
            b += 4L * hs.length;
            FloatHistogram last = null;
            for (FloatHistogram h : hs) {
                if (h != null && h != last) {
                    b += h.bytes();
                    last = h;
                }
            }
        }
        return b;
    }

    /** A copy that shares nothing that may change. */
    public Row copy() {
        Row r = new Row(labels, dropName, values.clone());
        if (histograms != null) {
            r.histograms = histograms.clone();
        }
        r.from = from;
        r.to = to;
        return r;
    }
}

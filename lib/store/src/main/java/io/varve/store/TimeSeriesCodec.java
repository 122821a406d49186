package io.varve.store;

import io.varve.model.CounterResetHint;
import io.varve.model.FloatHistogram;
import io.varve.model.Histogram;
import io.varve.model.Labels;
import io.varve.model.SampleBuffer;
import io.varve.model.Span;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Prometheus' {@code TimeSeries} messages by hand: labels, floats and native histograms, as remote read and Thanos' Query service carry
 * them. Field numbers: Prometheus {@code prompb/types.proto}.
 */
public final class TimeSeriesCodec {
    private TimeSeriesCodec() {
    }

    /** Takes a series' histograms with integer counts as they are on the wire. */
    public interface HistogramSink {
        /** An integer histogram at that time (ms). */
        void integer(long timestamp, Histogram histogram);

        /** A float histogram at that time (ms). */
        void real(long timestamp, FloatHistogram histogram);
    }

    /** Writes the fields of a TimeSeries; the caller wraps them with {@link ProtoWriter#message}. */
    public static void write(ProtoWriter out, Labels labels, SampleBuffer samples) {
        for (int i = samples.size - 1; i >= 0; i--) {
            FloatHistogram h = samples.histogram(i);
            if (h != null) {
                int mark = out.size();
                histogram(out, h, samples.timestamps[i]);
                out.message(4, mark);
            }
        }
        for (int i = samples.size - 1; i >= 0; i--) {
            if (samples.histogram(i) == null) {
                int mark = out.size();
                out.integer(2, samples.timestamps[i]);
                out.real(1, samples.values[i]);
                out.message(2, mark);
            }
        }
        SeriesFrames.labels(out, 1, labels);
    }

    private static void histogram(ProtoWriter out, FloatHistogram h, long timestamp) {
        reals(out, 16, h.customValues());
        out.integer(15, timestamp);
        out.integer(14, h.hint().ordinal());
        reals(out, 13, h.positiveBuckets());
        spans(out, 11, h.positiveSpans());
        reals(out, 10, h.negativeBuckets());
        spans(out, 8, h.negativeSpans());
        // Members of a oneof are written even where they are 0.
        out.fixed64(Double.doubleToRawLongBits(h.zeroCount()));
        out.tag(7, ProtoReader.FIXED64);
        out.real(5, h.zeroThreshold());
        out.integer(4, zigzag(h.schema()));
        out.real(3, h.sum());
        out.fixed64(Double.doubleToRawLongBits(h.count()));
        out.tag(2, ProtoReader.FIXED64);
    }

    private static long zigzag(int v) {
        return (v << 1 ^ v >> 31) & 0xFFFFFFFFL;
    }

    private static void spans(ProtoWriter out, int field, List<Span> spans) {
        for (int i = spans.size() - 1; i >= 0; i--) {
            int mark = out.size();
            out.integer(2, spans.get(i).length());
            out.integer(1, zigzag(spans.get(i).offset()));
            out.message(field, mark);
        }
    }

    private static void reals(ProtoWriter out, int field, double[] values) {
        if (values.length > 0) {
            int mark = out.size();
            for (int i = values.length - 1; i >= 0; i--) {
                out.fixed64(Double.doubleToRawLongBits(values[i]));
            }
            out.message(field, mark);
        }
    }

    /** Reads a TimeSeries, entered already, into {@code samples} (cleared first), histograms with float counts; its labels. */
    public static Labels read(ProtoReader r, SampleBuffer samples) {
        samples.clear();
        List<FloatHistogram> histograms = new ArrayList<>();
        List<Long> times = new ArrayList<>();
        Labels labels = read(r, samples, new HistogramSink() {
            @Override
            public void integer(long timestamp, Histogram histogram) {
                real(timestamp, histogram.toFloat());
            }

            @Override
            public void real(long timestamp, FloatHistogram histogram) {
                times.add(timestamp);
                histograms.add(histogram);
            }
        });
        if (!histograms.isEmpty()) {
            merge(samples, times, histograms);
        }
        return labels;
    }

    private static void merge(SampleBuffer samples, List<Long> times, List<FloatHistogram> histograms) {
        int floats = samples.size;
        long[] t = Arrays.copyOf(samples.timestamps, floats);
        double[] v = Arrays.copyOf(samples.values, floats);
        samples.clear();
        int i = 0;
        int j = 0;
        while (i < floats || j < histograms.size()) {
            if (j >= histograms.size() || i < floats && t[i] <= times.get(j)) {
                samples.add(t[i], v[i]);
                i++;
            } else {
                samples.add(times.get(j), histograms.get(j));
                j++;
            }
        }
    }

    /** Reads a TimeSeries, entered already: floats are appended to {@code samples}, histograms go to {@code histograms}; its labels. */
    public static Labels read(ProtoReader r, SampleBuffer samples, HistogramSink histograms) {
        String[] pairs = new String[16];
        int n = 0;
        while (r.next()) {
            switch (r.field()) {
                case 1 -> {
                    if (n == pairs.length) {
                        pairs = Arrays.copyOf(pairs, n * 2);
                    }
                    readLabel(r, pairs, n);
                    n += 2;
                }
                case 2 -> {
                    int outer = r.enter();
                    double value = 0;
                    long timestamp = 0;
                    while (r.next()) {
                        switch (r.field()) {
                            case 1 -> value = r.readDouble();
                            case 2 -> timestamp = r.readLong();
                            default -> r.skip();
                        }
                    }
                    samples.add(timestamp, value);
                    r.leave(outer);
                }
                case 4 -> {
                    int outer = r.enter();
                    readHistogram(r, histograms);
                    r.leave(outer);
                }
                default -> r.skip();
            }
        }
        return SeriesFrames.sorted(Arrays.copyOf(pairs, n));
    }

    static void readLabel(ProtoReader r, String[] pairs, int at) {
        int outer = r.enter();
        pairs[at] = "";
        pairs[at + 1] = "";
        while (r.next()) {
            switch (r.field()) {
                case 1 -> pairs[at] = r.readString();
                case 2 -> pairs[at + 1] = r.readString();
                default -> r.skip();
            }
        }
        r.leave(outer);
    }

    private static void readHistogram(ProtoReader r, HistogramSink sink) {
        boolean floats = false;
        long countInt = 0;
        double count = 0;
        double sum = 0;
        int schema = 0;
        double zeroThreshold = 0;
        long zeroInt = 0;
        double zero = 0;
        List<Span> negativeSpans = new ArrayList<>(2);
        List<Span> positiveSpans = new ArrayList<>(2);
        long[] negativeDeltas = {};
        long[] positiveDeltas = {};
        double[] negative = FloatHistogram.NO_BUCKETS;
        double[] positive = FloatHistogram.NO_BUCKETS;
        double[] custom = FloatHistogram.NO_BUCKETS;
        int hint = 0;
        long timestamp = 0;
        while (r.next()) {
            switch (r.field()) {
                case 1 -> countInt = r.readLong();
                case 2 -> {
                    count = r.readDouble();
                    floats = true;
                }
                case 3 -> sum = r.readDouble();
                case 4 -> schema = (int) r.readSigned();
                case 5 -> zeroThreshold = r.readDouble();
                case 6 -> zeroInt = r.readLong();
                case 7 -> zero = r.readDouble();
                case 8 -> negativeSpans.add(span(r));
                case 9 -> negativeDeltas = signed(r, negativeDeltas);
                case 10 -> negative = reals(r, negative);
                case 11 -> positiveSpans.add(span(r));
                case 12 -> positiveDeltas = signed(r, positiveDeltas);
                case 13 -> positive = reals(r, positive);
                case 14 -> hint = r.readInt();
                case 15 -> timestamp = r.readLong();
                case 16 -> custom = reals(r, custom);
                default -> r.skip();
            }
        }
        CounterResetHint h = hint >= 0 && hint < 4 ? CounterResetHint.values()[hint] : CounterResetHint.UNKNOWN;
        checkSpans(r, positiveSpans, floats ? positive.length : positiveDeltas.length);
        checkSpans(r, negativeSpans, floats ? negative.length : negativeDeltas.length);
        if (floats) {
            sink.real(timestamp, new FloatHistogram(h, schema, zeroThreshold, zero, count, sum, positiveSpans, positive, negativeSpans,
                    negative, custom));
        } else {
            sink.integer(timestamp, new Histogram(h, schema, zeroThreshold, zeroInt, countInt, sum, positiveSpans, positiveDeltas,
                    negativeSpans, negativeDeltas, custom));
        }
    }

    private static void checkSpans(ProtoReader r, List<Span> spans, int buckets) {
        long covered = 0;
        for (Span s : spans) {
            if (s.length() < 0) {
                throw r.corrupt("histogram span of length " + Integer.toUnsignedString(s.length()));
            }
            covered += s.length();
        }
        if (!Span.areInOrder(spans)) {
            throw r.corrupt("spans of a histogram overlap or end beyond 32 bits");
        }
        if (covered != buckets) {
            throw r.corrupt("histogram spans cover " + covered + " buckets, " + buckets + " are there");
        }
    }

    private static Span span(ProtoReader r) {
        int outer = r.enter();
        int offset = 0;
        int length = 0;
        while (r.next()) {
            switch (r.field()) {
                case 1 -> offset = (int) r.readSigned();
                case 2 -> length = r.readInt();
                default -> r.skip();
            }
        }
        r.leave(outer);
        return new Span(offset, length);
    }

    /** Numbers of a repeated field, packed or one by one. */
    private static double[] reals(ProtoReader r, double[] before) {
        if (r.wireType() == ProtoReader.FIXED64) {
            double[] out = Arrays.copyOf(before, before.length + 1);
            out[before.length] = r.readDouble();
            return out;
        }
        int outer = r.enter();
        int n = before.length;
        double[] out = before;
        while (r.more()) {
            if (n == out.length) {
                out = Arrays.copyOf(out, Math.max(8, n * 2));
            }
            out[n++] = Double.longBitsToDouble(r.fixed64());
        }
        r.leave(outer);
        return Arrays.copyOf(out, n);
    }

    private static long[] signed(ProtoReader r, long[] before) {
        if (r.wireType() == ProtoReader.VARINT) {
            long[] out = Arrays.copyOf(before, before.length + 1);
            out[before.length] = r.readSigned();
            return out;
        }
        int outer = r.enter();
        int n = before.length;
        long[] out = before;
        while (r.more()) {
            if (n == out.length) {
                out = Arrays.copyOf(out, Math.max(8, n * 2));
            }
            long v = r.varint();
            out[n++] = v >>> 1 ^ -(v & 1);
        }
        r.leave(outer);
        return Arrays.copyOf(out, n);
    }
}

package io.varve.chunk;

import io.varve.model.FloatHistogram;
import io.varve.model.Span;
import java.util.ArrayList;
import java.util.List;

/**
 * What all histograms of a chunk have in common; written once, after the header.
 *
 * @param schema −4…8 exponential, −53 custom bounds; others are read as they are
 * @param zeroThreshold half width of the zero bucket
 * @param positiveSpans where the positive buckets lie
 * @param negativeSpans where the negative buckets lie
 * @param customValues upper bounds, for schema −53 only
 * @param positiveCount buckets in the positive spans
 * @param negativeCount buckets in the negative spans
 */
record HistogramLayout(int schema, double zeroThreshold, List<Span> positiveSpans, List<Span> negativeSpans, double[] customValues,
        int positiveCount, int negativeCount) {
    /** A bound of up to this many thousandths, if it is whole in them, is written as a small number. */
    private static final double MAX_THOUSANDTHS = 33_554_430;

    static HistogramLayout of(int schema, double zeroThreshold, List<Span> positiveSpans, List<Span> negativeSpans, double[] customValues) {
        return new HistogramLayout(schema, zeroThreshold, positiveSpans, negativeSpans, customValues, count(positiveSpans),
                count(negativeSpans));
    }

    /** How many buckets spans have. */
    static int count(List<Span> spans) {
        int n = 0;
        for (Span s : spans) {
            if (s.length() < 0) {
                throw new IllegalArgumentException("a span needs a length of 0 or more, found " + s.length());
            }
            n = Math.addExact(n, s.length());
        }
        return n;
    }

    void write(BitWriter out) {
        writeZeroThreshold(out, zeroThreshold);
        out.varbitInt(schema);
        writeSpans(out, positiveSpans);
        writeSpans(out, negativeSpans);
        if (schema == FloatHistogram.CUSTOM_BUCKETS_SCHEMA) {
            out.varbitUint(customValues.length);
            for (double v : customValues) {
                writeBound(out, v);
            }
        }
    }

    /**
     * @param minBitsPerBucket what the first sample needs for each bucket at least; layouts with more buckets than can follow
     *            are refused before anything is allocated for them
     */
    static HistogramLayout read(BitReader in, int minBitsPerBucket) {
        double zeroThreshold = readZeroThreshold(in);
        int schema = (int) in.varbitInt();
        List<Span> positive = readSpans(in);
        List<Span> negative = readSpans(in);
        double[] custom = FloatHistogram.NO_BUCKETS;
        if (schema == FloatHistogram.CUSTOM_BUCKETS_SCHEMA) {
            long n = in.varbitUint();
            // The shortest bound has five bits.
            if (n < 0 || n > in.remaining() / 5) {
                throw in.corrupt("chunk cannot hold the " + Long.toUnsignedString(n) + " custom bounds it claims");
            }
            custom = new double[(int) n];
            for (int i = 0; i < custom.length; i++) {
                custom[i] = readBound(in);
            }
        }
        in.check();
        long buckets = total(positive) + total(negative);
        if (buckets > in.remaining() / minBitsPerBucket) {
            throw in.corrupt("chunk cannot hold the " + buckets + " buckets its spans claim");
        }
        return of(schema, zeroThreshold, positive, negative, custom);
    }

    private static long total(List<Span> spans) {
        long n = 0;
        for (Span s : spans) {
            n += s.length();
        }
        return n;
    }

    private static void writeZeroThreshold(BitWriter out, double threshold) {
        int exponent = Math.getExponent(threshold);
        if (threshold == 0) {
            out.bits(0, 8);
        } else if (exponent >= -243 && exponent <= 10 && threshold == Math.scalb(1.0, exponent)) {
            out.bits(exponent + 244, 8);
        } else {
            out.bits(255, 8);
            out.bits(Double.doubleToRawLongBits(threshold), 64);
        }
    }

    private static double readZeroThreshold(BitReader in) {
        int b = (int) in.bits(8);
        return b == 0 ? 0 : b == 255 ? Double.longBitsToDouble(in.bits(64)) : Math.scalb(1.0, b - 244);
    }

    private static void writeSpans(BitWriter out, List<Span> spans) {
        out.varbitUint(spans.size());
        for (Span s : spans) {
            out.varbitUint(s.length());
            out.varbitInt(s.offset());
        }
    }

    private static List<Span> readSpans(BitReader in) {
        long n = in.varbitUint();
        // The shortest span has two bits.
        if (n < 0 || n > in.remaining() / 2) {
            throw in.corrupt("chunk cannot hold the " + Long.toUnsignedString(n) + " spans it claims");
        }
        if (n == 0) {
            return List.of();
        }
        List<Span> spans = new ArrayList<>((int) Math.min(n, 64));
        for (int i = 0; i < n; i++) {
            long length = in.varbitUint();
            long offset = in.varbitInt();
            if (length < 0 || length > Integer.MAX_VALUE || offset != (int) offset) {
                throw in.corrupt("a span of " + Long.toUnsignedString(length) + " buckets at offset " + offset + " does not fit 32 bits");
            }
            in.check();
            spans.add(new Span((int) offset, (int) length));
        }
        if (!Span.areInOrder(spans)) {
            throw in.corrupt("spans of a histogram overlap or end beyond 32 bits");
        }
        // Without a view in between: who computes with histograms asks them for their spans all the time.
        return List.copyOf(spans);
    }

    private static void writeBound(BitWriter out, double bound) {
        double thousandths = bound * 1000;
        long whole = Math.round(thousandths);
        if (thousandths >= 0 && thousandths <= MAX_THOUSANDTHS && whole / 1000.0 == bound) {
            out.varbitUint(whole + 1);
        } else {
            out.bits(0, 1);
            out.bits(Double.doubleToRawLongBits(bound), 64);
        }
    }

    private static double readBound(BitReader in) {
        long v = in.varbitUint();
        return v == 0 ? Double.longBitsToDouble(in.bits(64)) : unsigned(v - 1) / 1000;
    }

    static double unsigned(long v) {
        return v >= 0 ? v : (v >>> 1 | v & 1) * 2.0;
    }
}

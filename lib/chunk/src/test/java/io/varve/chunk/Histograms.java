package io.varve.chunk;

import static org.assertj.core.api.Assertions.assertThat;

import io.varve.model.FloatHistogram;
import io.varve.model.Histogram;
import io.varve.model.Span;
import java.util.Arrays;
import java.util.List;

/** Equality of histograms by bits: records compare arrays by identity. */
final class Histograms {
    private Histograms() {
    }

    static void assertSame(String what, FloatHistogram a, FloatHistogram b) {
        if (!text(a).equals(text(b))) {
            assertThat(text(a)).as(what).isEqualTo(text(b));
        }
    }

    static void assertSame(String what, Histogram a, Histogram b) {
        if (!text(a).equals(text(b))) {
            assertThat(text(a)).as(what).isEqualTo(text(b));
        }
    }

    /** Equality of what histograms say: spans may be written in another way and buckets may be spelled out as zero. */
    static void assertSameContent(FloatHistogram a, FloatHistogram b) {
        assertThat(content(a)).isEqualTo(content(b));
    }

    private static String content(FloatHistogram h) {
        if (h.isStale()) {
            return "stale";
        }
        return h.schema() + " " + bits(h.zeroThreshold(), h.zeroCount(), h.count(), h.sum())
                + buckets(h.positiveSpans(), h.positiveBuckets())
                + buckets(h.negativeSpans(), h.negativeBuckets()) + bits(h.customValues());
    }

    private static String buckets(List<Span> spans, double[] counts) {
        StringBuilder sb = new StringBuilder("{");
        int index = 0;
        int i = 0;
        for (Span s : spans) {
            index += s.offset();
            for (int k = 0; k < s.length(); k++) {
                long bits = Double.doubleToRawLongBits(counts[i++]);
                if (bits != 0) {
                    sb.append(index).append('=').append(Long.toHexString(bits)).append(' ');
                }
                index++;
            }
        }
        return sb.append('}').toString();
    }

    static String text(FloatHistogram h) {
        return h.hint() + " " + h.schema() + " " + bits(h.zeroThreshold(), h.zeroCount(), h.count(), h.sum()) + h.positiveSpans()
                + bits(h.positiveBuckets()) + h.negativeSpans() + bits(h.negativeBuckets()) + bits(h.customValues());
    }

    static String text(Histogram h) {
        return h.hint() + " " + h.schema() + " " + bits(h.zeroThreshold(), h.sum()) + h.zeroCount() + " " + h.count() + h.positiveSpans()
                + Arrays.toString(h.positiveDeltas()) + h.negativeSpans() + Arrays.toString(h.negativeDeltas()) + bits(h.customValues());
    }

    private static String bits(double... values) {
        StringBuilder sb = new StringBuilder("[");
        for (double v : values) {
            sb.append(Long.toHexString(Double.doubleToRawLongBits(v))).append(' ');
        }
        return sb.append(']').toString();
    }
}

package io.varve.chunk;

import static org.assertj.core.api.Assertions.assertThat;

import io.varve.model.FloatHistogram;
import io.varve.model.Histogram;
import java.util.Arrays;

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

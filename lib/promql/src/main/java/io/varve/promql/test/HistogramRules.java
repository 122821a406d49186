package io.varve.promql.test;

import io.varve.model.FloatHistogram;
import io.varve.model.GoFloat;
import io.varve.model.Span;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What a database asks of a histogram before it stores it. */
final class HistogramRules {
    private static final int COARSEST = -4;
    private static final int FINEST = 8;

    private HistogramRules() {
    }

    /** The rule that is broken, null where all hold. */
    static @Nullable String broken(FloatHistogram h) {
        if (h.schema() != FloatHistogram.CUSTOM_BUCKETS_SCHEMA && (h.schema() < COARSEST || h.schema() > FINEST)) {
            return "histogram has the invalid schema " + h.schema();
        }
        if (h.count() < 0) {
            return "histogram has the observation count " + GoFloat.general(h.count());
        }
        if (h.usesCustomBuckets()) {
            if (h.zeroCount() != 0 || h.zeroThreshold() != 0) {
                return "histogram with custom buckets must not have a zero bucket";
            }
            if (h.negativeBuckets().length > 0) {
                return "histogram with custom buckets must not have negative ones";
            }
            String bounds = bounds(h.customValues());
            if (bounds != null) {
                return bounds;
            }
            if (reach(h.positiveSpans()) > h.customValues().length + 1L) {
                return "histogram has more buckets than its " + h.customValues().length + " bounds make";
            }
        } else {
            if (h.customValues().length > 0) {
                return "histogram with an exponential schema must not have custom bounds";
            }
            if (h.zeroCount() < 0) {
                return "histogram has a zero bucket with the observation count " + GoFloat.general(h.zeroCount());
            }
        }
        String negative = counts(h.negativeBuckets());
        return negative != null ? negative : counts(h.positiveBuckets());
    }

    private static @Nullable String bounds(double[] bounds) {
        for (int i = 0; i < bounds.length; i++) {
            if (Double.isNaN(bounds[i]) || bounds[i] == Double.POSITIVE_INFINITY) {
                return "histogram has the custom bound " + GoFloat.general(bounds[i]);
            }
            if (i > 0 && bounds[i] <= bounds[i - 1]) {
                return "histogram has custom bounds that do not rise: " + GoFloat.general(bounds[i]) + " after "
                        + GoFloat.general(bounds[i - 1]);
            }
        }
        return null;
    }

    private static long reach(List<Span> spans) {
        return spans.stream().mapToLong(s -> (long) s.offset() + s.length()).sum();
    }

    private static @Nullable String counts(double[] buckets) {
        for (int i = 0; i < buckets.length; i++) {
            if (buckets[i] < 0) {
                return "histogram has a bucket with the observation count " + GoFloat.general(buckets[i]) + ", number " + (i + 1);
            }
        }
        return null;
    }
}

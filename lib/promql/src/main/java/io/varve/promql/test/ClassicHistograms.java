package io.varve.promql.test;

import io.varve.model.CounterResetHint;
import io.varve.model.FloatHistogram;
import io.varve.model.GoFloat;
import io.varve.model.Labels;
import io.varve.model.Span;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** Collects classic histograms, series by series, and makes native ones with custom bounds of them. */
final class ClassicHistograms {
    private final Map<Labels, TreeMap<Long, Parts>> collected = new LinkedHashMap<>();
    private final int line;

    /** @param line of the script, for errors */
    ClassicHistograms(int line) {
        this.line = line;
    }

    /** What is known of one histogram at one instant. */
    private static final class Parts {
        final TreeMap<Double, Double> buckets = new TreeMap<>();
        @Nullable
        Double count;
        double sum;
    }

    /** Takes a sample where its series is part of a classic histogram. A stale marker is a NaN as any other. */
    void add(Labels labels, long time, Value value) {
        String name = labels.metricName();
        if (value.omitted() || value.histogram() != null) {
            return;
        }
        if (name.endsWith("_bucket")) {
            if (!labels.has("le")) {
                throw new ScriptException(line, labels + " has no label le");
            }
            double bound;
            try {
                bound = GoFloat.parse(labels.get("le"));
            } catch (NumberFormatException e) {
                return;
            }
            if (!Double.isNaN(bound)) {
                parts(labels, name, "_bucket", time).buckets.put(bound, value.number());
            }
        } else if (name.endsWith("_count")) {
            parts(labels, name, "_count", time).count = value.number();
        } else if (name.endsWith("_sum")) {
            parts(labels, name, "_sum", time).sum = value.number();
        }
    }

    private Parts parts(Labels labels, String name, String suffix, long time) {
        Labels base = labels.without(List.of("le")).toBuilder()
                .set(Labels.METRIC_NAME, name.substring(0, name.length() - suffix.length())).build();
        return collected.computeIfAbsent(base, l -> new TreeMap<>()).computeIfAbsent(time, t -> new Parts());
    }

    /**
     * The native histograms of what was collected, by series and time.
     *
     * @throws ScriptException where counts do not rise or do not fit together
     */
    Map<Labels, Map<Long, Value>> histograms() {
        Map<Labels, Map<Long, Value>> out = new LinkedHashMap<>();
        collected.forEach((labels, byTime) -> {
            if (labels.isEmpty()) {
                throw new ScriptException(line, "a histogram without labels");
            }
            Map<Long, Value> values = new TreeMap<>();
            byTime.forEach((time, parts) -> values.put(time, new Value(false, 0, convert(parts, labels), false)));
            out.put(labels, values);
        });
        return out;
    }

    private FloatHistogram convert(Parts parts, Labels labels) {
        TreeMap<Double, Double> buckets = parts.buckets;
        double count = parts.count != null ? parts.count : buckets.isEmpty() ? 0 : buckets.lastEntry().getValue();
        buckets.putIfAbsent(Double.POSITIVE_INFINITY, count);
        double[] counts = new double[buckets.size()];
        double[] bounds = new double[buckets.size() - 1];
        double before = 0;
        int i = 0;
        for (Map.Entry<Double, Double> b : buckets.entrySet()) {
            double n = b.getValue();
            // What is not a number may stand anywhere but at the end, where the count is compared.
            if (n < before) {
                throw new ScriptException(line,
                        "buckets of " + labels + " do not rise: " + GoFloat.general(n) + " after " + GoFloat.general(before));
            }
            if (i < bounds.length) {
                bounds[i] = b.getKey();
            }
            counts[i++] = n - before;
            before = n;
        }
        if (before != count) {
            throw new ScriptException(line, "the count of " + labels + " is " + GoFloat.general(count) + ", that of its last bucket "
                    + GoFloat.general(before));
        }
        return new FloatHistogram(CounterResetHint.UNKNOWN, FloatHistogram.CUSTOM_BUCKETS_SCHEMA, 0, 0, count, parts.sum,
                List.of(new Span(0, counts.length)), counts, List.of(), FloatHistogram.NO_BUCKETS, bounds).compact();
    }
}

package io.varve.promql.test;

import io.varve.model.CounterResetHint;
import io.varve.model.FloatHistogram;
import io.varve.model.Labels;
import io.varve.model.Matcher;
import io.varve.model.QueryContext;
import io.varve.model.SampleBuffer;
import io.varve.model.SelectHints;
import io.varve.model.Series;
import io.varve.model.SeriesSet;
import io.varve.model.SeriesSource;
import io.varve.model.TimeRange;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Samples in memory, as a script loads them. Histograms get the counter reset hints that they would have after a way through
 * chunks: only the first one after a reset says so, those that follow in one chunk say that there was none, all others nothing.
 */
final class TestStorage implements SeriesSource {
    private final TreeMap<Labels, TreeMap<Long, Stored>> series = new TreeMap<>();

    private record Stored(double number, @Nullable FloatHistogram histogram, long startTimestamp) {
        /** Whether a value is this one, bit by bit. */
        boolean holds(Value value) {
            FloatHistogram other = value.histogram();
            if (histogram == null || other == null) {
                return histogram == null && other == null
                        && Double.doubleToRawLongBits(number) == Double.doubleToRawLongBits(value.number());
            }
            return histogram.sameAs(other);
        }
    }

    void clear() {
        series.clear();
    }

    /** Why a database that holds what was stored so far does not take a sample; null where it does. */
    @Nullable
    String refuses(Labels labels, long time, Value value) {
        TreeMap<Long, Stored> samples = series.get(labels);
        if (samples == null || samples.isEmpty() || time > samples.lastKey()) {
            return null;
        }
        Map.Entry<Long, Stored> last = samples.lastEntry();
        if (time < last.getKey()) {
            return "out of order sample";
        }
        return last.getValue().holds(value) && !isStaleHistogram(samples, last) ? null : "duplicate sample for timestamp";
    }

    /** Whether a stale marker follows a histogram: it is stored as a histogram then, which the same marker, a float, does not equal. */
    private static boolean isStaleHistogram(TreeMap<Long, Stored> samples, Map.Entry<Long, Stored> marker) {
        Map.Entry<Long, Stored> e = marker;
        while (e != null && e.getValue().histogram == null && SampleBuffer.isStale(e.getValue().number)) {
            e = samples.lowerEntry(e.getKey());
        }
        return e != null && e != marker && e.getValue().histogram != null;
    }

    /** Adds a sample. One that does not follow the last of its series is left out without a word, as when a database commits. */
    void add(Labels labels, long time, Value value, long startTimestamp) {
        TreeMap<Long, Stored> samples = series.computeIfAbsent(labels, l -> new TreeMap<>());
        if (samples.isEmpty() || time > samples.lastKey()) {
            samples.put(time, new Stored(value.number(), value.histogram(), startTimestamp));
        }
    }

    @Override
    public SeriesSet select(QueryContext context, SelectHints hints, List<Matcher> matchers) {
        List<Series> found = new ArrayList<>();
        for (Map.Entry<Labels, TreeMap<Long, Stored>> e : series.entrySet()) {
            Labels labels = e.getKey();
            if (matchers.stream().allMatch(m -> m.matches(labels.get(m.name())))) {
                SampleBuffer samples = samples(e.getValue(), hints.range());
                if (samples.size > 0) {
                    found.add(new Loaded(labels, samples));
                }
            }
        }
        return SeriesSet.of(found.iterator());
    }

    private static SampleBuffer samples(TreeMap<Long, Stored> all, TimeRange range) {
        SampleBuffer out = new SampleBuffer(Math.max(1, all.size()));
        FloatHistogram last = null;
        boolean gauge = false;
        for (Map.Entry<Long, Stored> e : all.entrySet()) {
            long t = e.getKey();
            Stored s = e.getValue();
            FloatHistogram h = s.histogram;
            boolean inside = t >= range.min() && t <= range.max();
            if (h == null && !(last != null && SampleBuffer.isStale(s.number))) {
                last = null;
                if (inside) {
                    out.add(t, s.number);
                }
            } else {
                FloatHistogram stored = h == null ? FloatHistogram.STALE : h;
                boolean isGauge = stored.hint() == CounterResetHint.GAUGE || h == null && gauge;
                CounterResetHint hint = CounterResetHint.UNKNOWN;
                if (isGauge) {
                    hint = CounterResetHint.GAUGE;
                } else if (stored.hint() != CounterResetHint.RESET && last != null && !gauge && h != null && !last.isStale()) {
                    // A reset or another layout begins a new chunk, and of a chunk's first sample no reader says more than "unknown".
                    hint = !sameLayout(stored, last)
                            || stored.withHint(CounterResetHint.UNKNOWN).isResetAfter(last.withHint(CounterResetHint.UNKNOWN))
                                    ? CounterResetHint.UNKNOWN
                                    : CounterResetHint.NOT_RESET;
                }
                last = stored;
                gauge = isGauge;
                if (inside) {
                    out.add(t, stored.withHint(hint));
                }
            }
            if (inside && s.startTimestamp != 0) {
                out.startTimestampArray()[out.size - 1] = s.startTimestamp;
            }
        }
        return out;
    }

    private static boolean sameLayout(FloatHistogram a, FloatHistogram b) {
        return a.schema() == b.schema() && a.zeroThreshold() == b.zeroThreshold() && Arrays.equals(a.customValues(), b.customValues());
    }

    /** A series with its samples decoded. */
    private record Loaded(Labels labels, SampleBuffer samples) implements Series {
        @Override
        public void read(SampleBuffer into) {
            for (int i = 0; i < samples.size; i++) {
                FloatHistogram h = samples.histogram(i);
                if (h == null) {
                    into.add(samples.timestamps[i], samples.values[i]);
                } else {
                    into.add(samples.timestamps[i], h);
                }
                if (samples.startTimestamps != null && samples.startTimestamps[i] != 0) {
                    into.startTimestampArray()[into.size - 1] = samples.startTimestamps[i];
                }
            }
        }

        @Override
        public long encodedBytes() {
            return 16L * samples.size;
        }
    }
}

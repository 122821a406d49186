package io.varve.querier.fanout;

import static org.assertj.core.api.Assertions.assertThat;

import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.model.CounterResetHint;
import io.varve.model.FloatHistogram;
import io.varve.model.Labels;
import io.varve.model.Matcher;
import io.varve.model.QueryContext;
import io.varve.model.SampleBuffer;
import io.varve.model.SelectHints;
import io.varve.model.Series;
import io.varve.model.SeriesSet;
import io.varve.model.Span;
import io.varve.model.TimeRange;
import io.varve.querier.dedup.DedupFunction;
import io.varve.querier.dedup.Samples;
import io.varve.runtime.Dns;
import io.varve.store.ShardInfo;
import io.varve.testkit.Seeds;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

/** Replicas of a counter of known rate that is raw in the end, then windows of five minutes, then windows of an hour. */
class DownsampledReplicasTest {
    private static final long HOUR = 3_600_000;
    private static final long T0 = 1_780_000_200_000L / HOUR * HOUR;
    private static final long FINE_FROM = T0 + 24 * HOUR;
    private static final long RAW_FROM = T0 + 36 * HOUR;
    private static final long END = T0 + 42 * HOUR;

    private static SampleBuffer scrapes(RandomGenerator rng, double rate, double[] restarts, double[][] down) {
        SampleBuffer b = new SampleBuffer(3000);
        long offset = rng.nextInt(60_000);
        for (long t = T0 + offset; t < END; t += 60_000) {
            double s = (t - T0) / 1000.0;
            boolean missed = rng.nextInt(200) == 0;
            for (double[] d : down) {
                missed |= s >= d[0] && s < d[1];
            }
            double born = -5000;
            for (double r : restarts) {
                born = r <= s ? r : born;
            }
            if (!missed) {
                b.add(t, Math.floor((s - born) * rate));
            }
        }
        return b;
    }

    private static double[][] outages(RandomGenerator rng, int n) {
        double[][] down = new double[n][];
        for (int i = 0; i < n; i++) {
            double a = rng.nextDouble() * (END - T0) / 1000;
            down[i] = new double[]{a, a + new double[]{120, 600, 3600, 3 * 3600}[rng.nextInt(4)]};
        }
        return down;
    }

    private static SampleBuffer read(Map<String, MemoryStore> stores, String function, long from, long to, long window)
            throws InterruptedException {
        return read(stores, new SelectHints(new TimeRange(from, to), 0, window, window, function, false, List.of(), 0, false));
    }

    private static SampleBuffer read(Map<String, MemoryStore> stores, SelectHints hints) throws InterruptedException {
        List<EndpointSet.Spec> specs = new ArrayList<>();
        stores.keySet().forEach(a -> specs.add(new EndpointSet.Spec(a, false, false)));
        SampleBuffer out = new SampleBuffer(256);
        try (EndpointSet set = new EndpointSet(specs, new EndpointSet.Config(5000, 5000, 30_000, 300_000, 120_000, List.of("store_type")),
                Dns.SYSTEM,
                a -> Peer.of(stores.get(a).client(a)), l -> l, new PrometheusRegistry()); QueryContext c = QueryContext.unlimited()) {
            set.awaitFirst(10_000);
            StoreSource source = new StoreSource(new Fanout(set, List.of(), 0, new PrometheusRegistry()), new ResolutionProbe(),
                    new SourceOptions(true, List.of("replica"), DedupFunction.VARVE, false, SourceOptions.FINEST, StoreFilter.ALL,
                            ShardInfo.NONE, 0, false, false, ""),
                    null, StoreSource.Observer.NONE);
            try (SeriesSet found = source.select(c, hints, List.of(Matcher.equal("__name__", "m")))) {
                Series s;
                while ((s = found.next()) != null) {
                    s.read(out);
                }
            }
            assertThat(c.warnings()).isEmpty();
        }
        return out;
    }

    @Test
    void aCounterIsWholeAcrossReplicasAndResolutions() {
        Seeds.forEach(25, rng -> {
            double rate = 1 + rng.nextInt(50);
            double[] restarts = rng.doubles(rng.nextInt(3), 0, (END - T0) / 1000.0).sorted().toArray();
            int replicas = 2 + rng.nextInt(3);
            Map<String, MemoryStore> stores = new LinkedHashMap<>();
            List<SampleBuffer> all = new ArrayList<>();
            for (int r = 0; r < replicas; r++) {
                SampleBuffer b = scrapes(rng, rate, restarts, outages(rng, 2));
                all.add(b);
                stores.put("s" + r + ":1", new MemoryStore(Labels.of("replica", "r" + r), true)
                        .downsampled(Labels.of("__name__", "m"), b, FINE_FROM, RAW_FROM));
            }
            SampleBuffer got;
            try {
                got = read(stores, "rate", T0, END, 0);
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
            assertThat(got.size).isGreaterThan(300);
            for (int i = 1; i < got.size; i++) {
                long t = got.timestamps[i];
                long before = got.timestamps[i - 1];
                assertThat(t).isGreaterThan(before);
                double gain = got.values[i] - got.values[i - 1];
                double seconds = (t - before) / 1000.0;
                assertThat(gain).as("at %s", t).isGreaterThanOrEqualTo(0);
                long wide = t < FINE_FROM + HOUR ? HOUR : t < RAW_FROM + HOUR ? 300_000 : 60_000;
                // A window says what its last sample was, which may lie anywhere in it; nothing is made up.
                double most = rate * (seconds + wide / 1000.0 + 130) + 2;
                assertThat(gain).as("gain of %s s at %s", seconds, t).isLessThan(most);
                if (t - before > 2 * wide + 1) {
                    for (SampleBuffer b : all) {
                        assertThat(between(b, before + wide, t - wide)).as("a hole from %s to %s", before, t).isZero();
                    }
                }
            }
            // Over a day, resets and outages of all but one apart, the gain is the truth's.
            double whole = got.values[got.size - 1] - got.values[0];
            double truth = rate * (got.timestamps[got.size - 1] - got.timestamps[0]) / 1000;
            assertThat(whole).isBetween(truth * 0.8, truth * 1.01 + rate * 200);
        });
    }

    private static int between(SampleBuffer b, long from, long to) {
        int n = 0;
        for (int i = 0; i < b.size; i++) {
            n += b.timestamps[i] > from && b.timestamps[i] < to ? 1 : 0;
        }
        return n;
    }

    @Test
    void equalReplicasAreOne() throws InterruptedException {
        RandomGenerator rng = new java.util.SplittableRandom(7);
        SampleBuffer b = scrapes(rng, 5, new double[]{50_000}, new double[0][]);
        Map<String, MemoryStore> one = new LinkedHashMap<>();
        Map<String, MemoryStore> three = new LinkedHashMap<>();
        for (int r = 0; r < 3; r++) {
            MemoryStore s = new MemoryStore(Labels.of("replica", "r" + r), true).downsampled(Labels.of("__name__", "m"), b, FINE_FROM,
                    RAW_FROM);
            three.put("s" + r + ":1", s);
            if (r == 0) {
                one.put("s0:1", s);
            }
        }
        for (String function : List.of("rate", "", "max_over_time", "count_over_time")) {
            SampleBuffer x = read(one, function, T0, END, 0);
            SampleBuffer y = read(three, function, T0, END, 0);
            assertThat(y.size).as(function).isEqualTo(x.size).isGreaterThan(300);
            for (int i = 0; i < x.size; i++) {
                assertThat(y.timestamps[i]).isEqualTo(x.timestamps[i]);
                assertThat(y.values[i]).as(function + " at " + x.timestamps[i]).isEqualTo(x.values[i]);
            }
        }
    }

    /** Steps that are far apart have only what their windows see sent and read: the same as where everything is. */
    @Test
    void aWindowSeesTheSameHoweverFarApartTheStepsAre() throws InterruptedException {
        long end = T0 + 20 * 24 * HOUR;
        long fine = T0 + 12 * 24 * HOUR;
        long raw = T0 + 17 * 24 * HOUR;
        long window = 300_000;
        Map<String, MemoryStore> stores = new LinkedHashMap<>();
        for (int r = 0; r < 2; r++) {
            SampleBuffer b = new SampleBuffer(10_000);
            for (long t = T0 + 7_000 * r; t < end; t += 60_000) {
                b.add(t, (t - T0) / 1000.0);
            }
            stores.put("s" + r + ":1", new MemoryStore(Labels.of("replica", "r" + r), true).downsampled(Labels.of("__name__", "m"), b, fine,
                    raw));
            for (String function : List.of("", "rate", "sum_over_time", "max_over_time")) {
                boolean counter = function.equals("rate");
                for (long step : List.of(24 * HOUR, 3 * HOUR)) {
                    for (long offset = 0; offset < step; offset += 19 * 60_000) {
                        long first = T0 + 2 * HOUR + offset;
                        long last = first + (end - first - HOUR) / step * step;
                        TimeRange range = new TimeRange(first - window + 1, last);
                        long selector = function.isEmpty() ? 0 : window;
                        SampleBuffer some = read(stores,
                                new SelectHints(range, step, window, selector, function, false, List.of(), 0, false));
                        SampleBuffer all = read(stores,
                                new SelectHints(range, 60_000, window, selector, function, false, List.of(), 0, false));
                        for (long t = first; t <= last; t += step) {
                            String seen = seen(some, counter, t - window, t);
                            assertThat(seen).as("%s at %s h of %s stores, step %s", function, (t - T0) / (double) HOUR, r + 1, step)
                                    .isEqualTo(seen(all, counter, t - window, t));
                            assertThat(between(some, t - window, t + 1)).isGreaterThanOrEqualTo(counter ? 2 : 1);
                        }
                    }
                }
            }
        }
    }

    /** Raw histograms come in chunks of few samples with a scrape between each two; downsampled ones have no totals to be laid on each other. */
    @Test
    void histogramsHaveARateWhereverTheyAreRawOrDownsampled() throws InterruptedException {
        long end = T0 + 4 * 24 * HOUR;
        long window = 300_000;
        SampleBuffer b = new SampleBuffer(6_000);
        for (long t = T0; t < end; t += 60_000) {
            double n = (t - T0) / 1000.0;
            b.add(t, new FloatHistogram(CounterResetHint.UNKNOWN, 0, 0.001, 0, n, n, List.of(new Span(0, 2)),
                    new double[]{n / 2, n - n / 2}, List.of(), FloatHistogram.NO_BUCKETS, FloatHistogram.NO_BUCKETS));
        }
        Labels m = Labels.of("__name__", "m");
        Labels r0 = Labels.of("replica", "r0");
        Labels r1 = Labels.of("replica", "r1");
        MemoryStore fine = new MemoryStore(r0, true).downsampled(m, b, T0, end);
        MemoryStore coarse = new MemoryStore(r0, true).downsampled(m, b, end, end);
        MemoryStore raw = new MemoryStore(r0, true).chunkSamples(8).add(m, b);
        MemoryStore otherFine = new MemoryStore(r1, true).downsampled(m, b, T0, end);
        MemoryStore half = new MemoryStore(r0, true).downsampled(m, b, T0 + 24 * HOUR, T0 + 60 * HOUR);
        List<Map<String, MemoryStore>> cases = List.of(Map.of("fine:1", fine), Map.of("coarse:1", coarse), Map.of("half:1", half),
                Map.of("coarse:1", coarse, "raw:1", raw), Map.of("raw:1", raw, "fine:1", fine, "other:1", otherFine),
                Map.of("half:1", half, "other:1", otherFine), Map.of("coarse:1", coarse, "other:1", otherFine));
        for (Map<String, MemoryStore> stores : cases) {
            for (long step : List.of(11 * HOUR, 1_740_000L)) {
                long first = T0 + 3 * HOUR + 12_345;
                long last = first + (end - first - 2 * HOUR) / step * step;
                SampleBuffer got = read(stores,
                        new SelectHints(new TimeRange(first - window + 1, last), step, window, window, "rate", false,
                                List.of(), 0, false));
                for (long t = first; t <= last; t += step) {
                    int from = Samples.lowerBound(got, 0, t - window + 1);
                    int to = Samples.lowerBound(got, from, t + 1) - 1;
                    assertThat(to - from).as("points at %s h of %s, step %s", (t - T0) / (double) HOUR, stores.keySet(), step)
                            .isGreaterThanOrEqualTo(stores.containsKey("raw:1") ? 4 : 1);
                    double gain = got.histogram(to).count() - got.histogram(from).count();
                    assertThat(gain / (got.timestamps[to] - got.timestamps[from]) * 1000)
                            .as("rate at %s h of %s, step %s", (t - T0) / (double) HOUR, stores.keySet(), step).isBetween(0.7, 1.3);
                }
            }
        }
    }

    /** Raw data may begin within a downsampled chunk, or have nothing for longer than a tenth of it. */
    @Test
    void aChunkIsReadWhereItIsTheOnlyOneAndNotWhereNothingWasScraped() throws InterruptedException {
        long end = T0 + 5 * 24 * HOUR;
        long window = 300_000;
        for (long begin : List.of(T0, T0 + 6 * HOUR, T0 + 70 * HOUR)) {
            SampleBuffer all = new SampleBuffer(10_000);
            SampleBuffer late = new SampleBuffer(10_000);
            for (long t = T0; t < end; t += 60_000) {
                boolean down = t > T0 + 80 * HOUR && t < T0 + 94 * HOUR;
                if (!down) {
                    all.add(t, (t - T0) / 1000.0);
                    if (t >= begin) {
                        late.add(t, (t - T0) / 1000.0);
                    }
                }
            }
            Map<String, MemoryStore> stores = Map.of(
                    "coarse:1", new MemoryStore(Labels.of("replica", "r0"), true).downsampled(Labels.of("__name__", "m"), all, end, end),
                    "raw:1", new MemoryStore(Labels.of("replica", "r0"), true).add(Labels.of("__name__", "m"), late));
            for (long step : List.of(HOUR + 60_000, 13 * HOUR)) {
                long first = T0 + 3 * HOUR;
                long last = first + (end - first - 2 * HOUR) / step * step;
                SampleBuffer got = read(stores,
                        new SelectHints(new TimeRange(first - window + 1, last), step, window, window, "rate", false,
                                List.of(), 0, false));
                for (long t = first; t <= last; t += step) {
                    if (t > T0 + 80 * HOUR - window && t < T0 + 94 * HOUR + window) {
                        continue;
                    }
                    assertThat(between(got, t - window, t + 1)).as("raw from %s h, at %s h", (begin - T0) / HOUR, (t - T0) / (double) HOUR)
                            .isGreaterThanOrEqualTo(begin == T0 ? 4 : 2);
                    int from = Samples.lowerBound(got, 0, t - window + 1);
                    int to = Samples.lowerBound(got, from, t + 1) - 1;
                    assertThat((got.values[to] - got.values[from]) / (got.timestamps[to] - got.timestamps[from]) * 1000)
                            .as("raw from %s h, at %s h", (begin - T0) / HOUR, (t - T0) / (double) HOUR).isBetween(0.75, 1.25);
                }
                for (int i = 1; i < got.size && step < 2 * HOUR; i++) {
                    assertThat(got.values[i] - got.values[i - 1]).as("gain until %s h", (got.timestamps[i] - T0) / (double) HOUR)
                            .isGreaterThanOrEqualTo(0);
                }
            }
        }
    }

    /** The points of a window; of a counter what it gains from one to the next. */
    private static String seen(SampleBuffer b, boolean counter, long after, long until) {
        StringBuilder out = new StringBuilder();
        double last = Double.NaN;
        for (int i = 0; i < b.size; i++) {
            if (b.timestamps[i] > after && b.timestamps[i] <= until) {
                out.append(b.timestamps[i] - T0).append('=').append(String.format("%.6f ", counter ? b.values[i] - last : b.values[i]));
                last = b.values[i];
            }
        }
        return out.toString();
    }
}

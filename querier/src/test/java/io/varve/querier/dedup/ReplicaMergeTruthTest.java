package io.varve.querier.dedup;

import static org.assertj.core.api.Assertions.assertThat;

import io.varve.model.CounterResetHint;
import io.varve.model.FloatHistogram;
import io.varve.model.SampleBuffer;
import io.varve.model.Span;
import io.varve.testkit.Seeds;
import java.util.ArrayList;
import java.util.List;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

/** Noisy replicas of known counters, gauges and native histograms: what the merge says against what was true. */
class ReplicaMergeTruthTest {
    private static final long T0 = 1_780_000_200_000L;
    private static final long STEP = 15_000;
    private static final long SPAN = 4 * 3_600_000L;

    private enum Kind {
        COUNTER, GAUGE, HISTOGRAM
    }

    /** What was true: a counter of constant rate that starts again at each restart; everything else is made of it. */
    private record Truth(double rate, double[] restarts) {
        static Truth random(RandomGenerator rng) {
            double[] restarts = new double[new int[]{0, 0, 1, 2, 3}[rng.nextInt(5)]];
            for (int i = 0; i < restarts.length; i++) {
                restarts[i] = rng.nextDouble() * SPAN / 1000;
            }
            java.util.Arrays.sort(restarts);
            return new Truth(1 + rng.nextDouble() * 199, restarts);
        }

        /** Whether each restart can be seen by whoever scrapes: of two between two scrapes one is lost, and replicas may lose different ones. */
        boolean oneAtATime() {
            for (int i = 1; i < restarts.length; i++) {
                if (restarts[i] - restarts[i - 1] < 60) {
                    return false;
                }
            }
            return true;
        }

        double count(double seconds) {
            double born = -600;
            for (double r : restarts) {
                if (r <= seconds) {
                    born = r;
                }
            }
            return Math.floor(rate * (seconds - born));
        }
    }

    private static void add(SampleBuffer b, Kind kind, Truth truth, long t, double readAt) {
        double n = truth.count(readAt);
        switch (kind) {
            case COUNTER -> b.add(t, n);
            case GAUGE -> b.add(t, 50 + 10 * Math.sin(readAt / 300));
            case HISTOGRAM -> {
                double half = Math.floor(n / 2);
                b.add(t, new FloatHistogram(CounterResetHint.NOT_RESET, 0, 0, 0, n, n, List.of(new Span(0, 2)),
                        new double[]{half, n - half}, List.of(), FloatHistogram.NO_BUCKETS, FloatHistogram.NO_BUCKETS));
            }
        }
    }

    private static SampleBuffer scrapes(RandomGenerator rng, Kind kind, Truth truth) {
        SampleBuffer b = new SampleBuffer(1000);
        double offset = rng.nextDouble() * 15;
        double start = rng.nextInt(4) == 0 ? rng.nextDouble() * 3600 : 0;
        double[][] down = new double[3 + rng.nextInt(6)][];
        for (int i = 0; i < down.length; i++) {
            double a = rng.nextDouble() * SPAN / 1000;
            down[i] = new double[]{a, a + new double[]{20, 45, 90, 300, 900}[rng.nextInt(5)]};
        }
        for (int k = 0;; k++) {
            double t = offset + k * 15 + rng.nextGaussian() * 0.05;
            double missed = rng.nextDouble();
            double delay = Math.min(-Math.log(1 - rng.nextDouble()) / 20, 0.5);
            if (t > SPAN / 1000.0) {
                return b;
            }
            boolean isDown = t < start || missed < 0.01;
            for (double[] d : down) {
                isDown |= t >= d[0] && t < d[1];
            }
            if (!isDown) {
                add(b, kind, truth, T0 + Math.round(t * 1000), t + delay);
            }
        }
    }

    static Replica replica(String name, SampleBuffer all) {
        return new Replica() {
            @Override
            public String name() {
                return name;
            }

            @Override
            public void read(long min, long max, SampleBuffer into) {
                int from = Samples.lowerBound(all, 0, min);
                Samples.append(all, from, max == Long.MAX_VALUE ? all.size : Samples.lowerBound(all, from, max + 1), into);
            }

            @Override
            public long roughIntervalMillis() {
                return all.size < 2 ? 0 : (all.timestamps[all.size - 1] - all.timestamps[0]) / (all.size - 1);
            }
        };
    }

    static SampleBuffer merge(List<SampleBuffer> replicas, boolean counter, long min, long max) {
        List<Replica> list = new ArrayList<>();
        for (SampleBuffer b : replicas) {
            list.add(replica("r" + list.size(), b));
        }
        SampleBuffer out = new SampleBuffer(0);
        ReplicaMerge.merge(list, counter, min, max, out, null);
        return out;
    }

    private static double level(SampleBuffer b, int i) {
        FloatHistogram h = b.histogram(i);
        return h == null ? b.values[i] : h.count();
    }

    private static int resets(SampleBuffer b) {
        int n = 0;
        for (int i = 1; i < b.size; i++) {
            n += level(b, i) < level(b, i - 1) ? 1 : 0;
        }
        return n;
    }

    /** Prometheus' extrapolated rate over {@code (t − window, t]}; NaN without two samples. */
    private static double rate(SampleBuffer b, long t, long window) {
        int from = Samples.lowerBound(b, 0, t - window + 1);
        int to = Samples.lowerBound(b, from, t + 1) - 1;
        if (to <= from) {
            return Double.NaN;
        }
        double gain = level(b, to) - level(b, from);
        for (int i = from + 1; i <= to; i++) {
            gain += level(b, i) < level(b, i - 1) ? level(b, i - 1) : 0;
        }
        double sampled = (b.timestamps[to] - b.timestamps[from]) / 1000.0;
        double average = sampled / (to - from);
        double start = (b.timestamps[from] - (t - window)) / 1000.0;
        double end = (t - b.timestamps[to]) / 1000.0;
        start = start > average * 1.1 ? average / 2 : start;
        if (gain > 0 && level(b, from) >= 0) {
            start = Math.min(start, sampled * (level(b, from) / gain));
        }
        end = end > average * 1.1 ? average / 2 : end;
        return gain * (sampled + start + end) / sampled / (window / 1000.0);
    }

    private static boolean fresh(SampleBuffer b, long t) {
        int i = Samples.lowerBound(b, 0, t - 30_000 + 1);
        return i < b.size && b.timestamps[i] <= t;
    }

    @Test
    void noHolesNoFalseResetsNoSpikesAndABetterRateThanTheBestReplica() {
        for (Kind kind : Kind.values()) {
            for (int k = 1; k <= 5; k++) {
                int replicas = k;
                double[] error = new double[2];
                int[] holes = new int[1];
                Seeds.forEach(40, rng -> {
                    Truth truth = Truth.random(rng);
                    List<SampleBuffer> all = new ArrayList<>();
                    for (int r = 0; r < replicas; r++) {
                        all.add(scrapes(rng, kind, truth));
                    }
                    SampleBuffer one = merge(all, kind != Kind.GAUGE, T0 - 300_000, T0 + SPAN + 120_000);
                    double best = Double.MAX_VALUE;
                    int seen = 0;
                    for (SampleBuffer b : all) {
                        best = Math.min(best, error(b, truth));
                        seen = Math.max(seen, resets(b));
                    }
                    for (long t = T0; t <= T0 + SPAN; t += STEP) {
                        long at = t;
                        if (all.stream().anyMatch(b -> fresh(b, at)) && !fresh(one, t)) {
                            holes[0]++;
                            if (Boolean.getBoolean("varve.show")) {
                                show(all, one, t);
                            }
                        }
                        if (kind != Kind.GAUGE) {
                            double r = rate(one, t, 120_000);
                            assertThat(r > 2 * truth.rate).as("spike at %s: %s, true %s", t, r, truth.rate).isFalse();
                        }
                    }
                    for (int i = 1; i < one.size; i++) {
                        assertThat(one.timestamps[i]).isGreaterThan(one.timestamps[i - 1]);
                    }
                    if (kind != Kind.GAUGE) {
                        assertThat(resets(one)).isBetween(truth.oneAtATime() ? seen : 0, truth.restarts.length);
                        error[0] += error(one, truth);
                        error[1] += best;
                    }
                });
                assertThat(holes[0]).as("%s, %s replicas", kind, k).isZero();
                if (kind != Kind.GAUGE) {
                    assertThat(error[0]).as("%s, %s replicas", kind, k).isLessThanOrEqualTo(error[1] * (k == 1 ? 1 : 0.5));
                }
            }
        }
    }

    private static void show(List<SampleBuffer> all, SampleBuffer one, long t) {
        List<SampleBuffer> both = new ArrayList<>(all);
        both.add(one);
        for (SampleBuffer b : both) {
            StringBuilder line = new StringBuilder("hole at 0:");
            for (int i = Samples.lowerBound(b, 0, t - 90_000); i < b.size && b.timestamps[i] < t + 60_000; i++) {
                line.append(' ').append((b.timestamps[i] - t) / 1000.0);
            }
            System.out.println(line);
        }
    }

    private static double error(SampleBuffer b, Truth truth) {
        double sum = 0;
        int n = 0;
        for (long t = T0; t <= T0 + SPAN; t += STEP) {
            double at = (t - T0) / 1000.0;
            boolean quiet = true;
            for (double r : truth.restarts) {
                quiet &= Math.abs(at - r) >= 150;
            }
            double rate = rate(b, t, 120_000);
            if (quiet && !Double.isNaN(rate)) {
                sum += Math.abs(rate - truth.rate) / truth.rate;
                n++;
            }
        }
        return n == 0 ? 0 : sum / n;
    }

    /**
     * The yardstick: the first replica leads; where its next sample is more than one and a half intervals away the earliest of the others' fills in;
     * what is nearer than half an interval is skipped; a step back of no more than a second's gain is none.
     */
    private static SampleBuffer sketch(List<SampleBuffer> replicas) {
        SampleBuffer out = new SampleBuffer(1000);
        long last = T0 - STEP;
        while (true) {
            SampleBuffer from = null;
            long next = Long.MAX_VALUE;
            for (SampleBuffer b : replicas) {
                int i = Samples.lowerBound(b, 0, last + STEP / 2);
                boolean leads = b == replicas.getFirst();
                if (i < b.size && b.timestamps[i] < next && (leads || next - last > STEP * 3 / 2)) {
                    from = b;
                    next = b.timestamps[i];
                }
            }
            if (from == null) {
                return out;
            }
            double v = from.values[Samples.lowerBound(from, 0, next)];
            int n = out.size - 1;
            int before = n;
            while (before > 0 && out.values[before] == out.values[n]) {
                before--;
            }
            if (n > 0 && v < out.values[n]
                    && out.values[n] - v <= (out.values[n] - out.values[before]) * 1000 / (out.timestamps[n] - out.timestamps[before])) {
                v = out.values[n];
            }
            out.add(next, v);
            last = next;
        }
    }

    @Test
    void ratesAreNoFurtherFromTheTruthThanTheYardsticks() {
        for (int k = 2; k <= 4; k++) {
            int replicas = k;
            double[] error = new double[2];
            Seeds.forEach(60, rng -> {
                Truth truth = Truth.random(rng);
                List<SampleBuffer> all = new ArrayList<>();
                for (int r = 0; r < replicas; r++) {
                    all.add(scrapes(rng, Kind.COUNTER, truth));
                }
                error[0] += error(merge(all, true, T0 - 300_000, T0 + SPAN + 120_000), truth);
                error[1] += error(sketch(all), truth);
            });
            assertThat(error[0]).as("%s replicas", k).isLessThanOrEqualTo(error[1] * 1.01);
        }
    }

    @Test
    void ofTwoScrapesBesideAGapOneSpeaks() {
        // The leader begins 4 s after the other, whose second scrape is missing; the filler stands in for the leader's first.
        SampleBuffer filler = counter(0, 1);
        SampleBuffer one = merge(List.of(counter(4, 100), filler), true, T0 - 300_000, T0 + SPAN);
        assertThat(one.timestamps[0]).isEqualTo(T0);
        assertThat(one.timestamps[1]).isEqualTo(T0 + 19_000);
        // Where the leader has no second one near enough both stay: no instant may be without a value.
        SampleBuffer leader = counter(4, 5);
        Samples.append(counter(64, 100), 0, 3, leader);
        one = merge(List.of(leader, filler), true, T0 - 300_000, T0 + SPAN);
        assertThat(one.timestamps[0]).isEqualTo(T0);
        assertThat(one.timestamps[1]).isEqualTo(T0 + 4_000);
        // And at the end of what the leader saw.
        filler = counter(100, 101);
        one = merge(List.of(counter(5, 99), filler), true, T0 - 300_000, T0 + SPAN);
        assertThat(one.timestamps[one.size - 1]).isEqualTo(T0 + 100_000);
        assertThat(one.timestamps[one.size - 2]).isEqualTo(T0 + 80_000);
    }

    @Test
    void anInstantHasTheSameValueWhateverIsAsked() {
        Seeds.forEach(60, rng -> {
            Truth truth = Truth.random(rng);
            List<SampleBuffer> all = new ArrayList<>();
            for (int r = 0; r < 3; r++) {
                all.add(scrapes(rng, Kind.COUNTER, truth));
            }
            SampleBuffer whole = merge(all, false, T0 - 300_000, T0 + SPAN + 120_000);
            long from = T0 + rng.nextLong(SPAN / 2);
            long to = from + rng.nextLong(SPAN / 4);
            SampleBuffer part = merge(all, false, from - 300_000, to + 120_000);
            int i = Samples.lowerBound(whole, 0, from);
            int j = Samples.lowerBound(part, 0, from);
            while (i < whole.size && whole.timestamps[i] <= to) {
                assertThat(part.timestamps[j]).as("in %s to %s", from, to).isEqualTo(whole.timestamps[i]);
                assertThat(part.values[j]).isEqualTo(whole.values[i]);
                i++;
                j++;
            }
            assertThat(j == part.size || part.timestamps[j] > to).isTrue();
        });
    }

    @Test
    void theOrderOfReplicasChangesNothingButWhoLeads() {
        for (Kind kind : Kind.values()) {
            Seeds.forEach(20, rng -> {
                Truth truth = Truth.random(rng);
                List<SampleBuffer> all = new ArrayList<>();
                for (int r = 0; r < 3; r++) {
                    all.add(scrapes(rng, kind, truth));
                }
                for (int[] order : new int[][]{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}}) {
                    List<Replica> permuted = new ArrayList<>();
                    for (int r : order) {
                        permuted.add(replica("r" + r, all.get(r)));
                    }
                    SampleBuffer one = new SampleBuffer(0);
                    Trace trace = new Trace();
                    ReplicaMerge.merge(permuted, kind != Kind.GAUGE, T0 - 300_000, T0 + SPAN + 120_000, one, trace);
                    for (long t = T0; t <= T0 + SPAN; t += STEP) {
                        long at = t;
                        assertThat(fresh(one, t) || all.stream().noneMatch(b -> fresh(b, at))).as("hole at %s", t).isTrue();
                        assertThat(kind != Kind.GAUGE && rate(one, t, 120_000) > 2 * truth.rate).as("spike at %s", t).isFalse();
                    }
                    if (kind != Kind.GAUGE) {
                        assertThat(resets(one)).isLessThanOrEqualTo(truth.restarts.length);
                    }
                    explains(trace, all, one, order);
                }
            });
        }
    }

    /** The trace names the leader first, and of every sample a replica that has it. */
    private static void explains(Trace trace, List<SampleBuffer> all, SampleBuffer one, int[] order) {
        assertThat(trace.parts().getFirst().replica()).isEqualTo("r" + order[0]);
        assertThat(trace.parts().getFirst().why()).isEqualTo("leads");
        int told = 0;
        for (Trace.Part p : trace.parts()) {
            SampleBuffer b = all.get(Integer.parseInt(p.replica().substring(1)));
            int from = Samples.lowerBound(b, 0, p.from());
            assertThat(b.timestamps[from]).isEqualTo(p.from());
            assertThat(b.timestamps[Samples.lowerBound(b, 0, p.to())]).isEqualTo(p.to());
            assertThat(p.why()).startsWith(told == 0 ? "leads" : "fills a gap of ");
            told += p.samples();
            told -= p.why().contains("in place of the sample before") ? 1 : 0;
            told -= p.why().contains("in place of the sample after") ? 1 : 0;
        }
        assertThat(told).isEqualTo(one.size);
    }

    @Test
    void oneReplicaAndManyEqualOnesComeOutAsTheyWentIn() {
        for (Kind kind : Kind.values()) {
            Seeds.forEach(10, rng -> {
                SampleBuffer one = scrapes(rng, kind, Truth.random(rng));
                for (int i = rng.nextInt(20); i < one.size && kind != Kind.HISTOGRAM; i += 1 + rng.nextInt(50)) {
                    one.values[i] = SampleBuffer.STALE_NAN;
                }
                for (int k = 1; k <= 5; k++) {
                    SampleBuffer got = merge(java.util.Collections.nCopies(k, one), true, T0 - 100_000, T0 + SPAN + 100_000);
                    assertThat(got.size).isEqualTo(one.size);
                    for (int i = 0; i < one.size; i++) {
                        assertThat(got.timestamps[i]).isEqualTo(one.timestamps[i]);
                        assertThat(Double.doubleToRawLongBits(got.values[i])).isEqualTo(Double.doubleToRawLongBits(one.values[i]));
                        assertThat(got.histogram(i)).isSameAs(one.histogram(i));
                    }
                }
            });
        }
    }

    private static SampleBuffer counter(double from, double to, double... restarts) {
        SampleBuffer b = new SampleBuffer(100);
        for (double t = from; t < to; t += 15) {
            double born = -10_000;
            for (double r : restarts) {
                born = r <= t ? r : born;
            }
            b.add(T0 + Math.round(t * 1000), Math.floor(80 * (t - born)));
        }
        return b;
    }

    @Test
    void aRestartThatNobodySawIsNotHeldAgainstTheOneThatComesBack() {
        // The filler is gone before the restart and back only when the counter is higher than it ever was; the leader comes between.
        SampleBuffer filler = counter(0, 300, 320);
        SampleBuffer later = counter(13_000, 13_300, 320);
        Samples.append(later, 0, later.size, filler);
        SampleBuffer one = merge(List.of(counter(607, 800, 320), filler), true, T0, T0 + SPAN);
        int i = Samples.lowerBound(one, 0, T0 + 607_000);
        assertThat(one.values[i]).isEqualTo(80 * 287);
        assertThat(one.values[i]).isLessThan(one.values[i - 1]);
        assertThat(resets(one)).isEqualTo(1);
    }

    @Test
    void aRestartBetweenTheFillersLastWordAndTheLeadersFirstIsOne() {
        // The leader comes first after the restart; the filler speaks once more before it.
        SampleBuffer leader = counter(488.3, 1000, 487.9);
        SampleBuffer filler = counter(7.4, 1000, 487.9);
        SampleBuffer one = merge(List.of(leader, filler), true, T0, T0 + SPAN);
        assertThat(resets(one)).isEqualTo(1);
        assertThat(one.values[Samples.lowerBound(one, 0, T0 + 488_300)]).isEqualTo(32);
    }

    @Test
    void aMarkerOfOneReplicaCountsOnlyWhenNoOtherSeesTheTarget() {
        SampleBuffer a = new SampleBuffer(16);
        SampleBuffer b = new SampleBuffer(16);
        for (int i = 0; i < 40; i++) {
            a.add(T0 + i * STEP, i == 20 || i == 35 ? SampleBuffer.STALE_NAN : i);
            b.add(T0 + i * STEP + 5000, i == 35 ? SampleBuffer.STALE_NAN : i);
            if (i == 35) {
                break;
            }
        }
        SampleBuffer got = merge(List.of(a, b), false, T0, T0 + 60 * STEP);
        int markers = 0;
        for (int i = 0; i < got.size; i++) {
            markers += Samples.isStale(got, i) ? 1 : 0;
        }
        assertThat(markers).isEqualTo(1);
        assertThat(Samples.isStale(got, got.size - 1)).isTrue();
        assertThat(fresh(got, T0 + 20 * STEP + 14_999)).isTrue();
        int at20 = Samples.lowerBound(got, 0, T0 + 20 * STEP);
        assertThat(got.timestamps[at20]).isEqualTo(T0 + 20 * STEP + 5000);
    }
}

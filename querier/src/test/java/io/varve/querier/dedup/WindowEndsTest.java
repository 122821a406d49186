package io.varve.querier.dedup;

import static org.assertj.core.api.Assertions.assertThat;

import io.varve.chunk.Chunk;
import io.varve.chunk.ChunkAppender;
import io.varve.chunk.ChunkDecoder;
import io.varve.model.CounterResetHint;
import io.varve.model.FloatHistogram;
import io.varve.model.Labels;
import io.varve.model.SampleBuffer;
import io.varve.model.Span;
import io.varve.promql.function.CountOverTime;
import io.varve.promql.function.CounterFunction;
import io.varve.promql.function.EndOverTime;
import io.varve.promql.function.Grid;
import io.varve.promql.function.Notes;
import io.varve.promql.function.RangeFunction;
import io.varve.promql.function.Row;
import io.varve.promql.function.Windows;
import io.varve.promql.parser.Position;
import io.varve.promql.parser.VectorSelector.Edges;
import io.varve.testkit.Seeds;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

/** Functions that look at the ends of their windows say the same whether what lies between was built or not, of any number of replicas. */
class WindowEndsTest {
    private static final long SPAN = 4 * 3_600_000L;

    private record Encoded(String name, List<Chunk> chunks, long roughIntervalMillis) implements Replica {
        @Override
        public void read(long min, long max, SampleBuffer into) {
            for (Chunk c : chunks) {
                if (c.maxTime() >= min && c.minTime() <= max) {
                    ChunkDecoder.decode(c, min, max, into);
                }
            }
        }
    }

    private static FloatHistogram histogram(double n, double s, boolean wide, boolean gauge) {
        return new FloatHistogram(gauge ? CounterResetHint.GAUGE : CounterResetHint.UNKNOWN, wide ? 1 : 0, 0, 0, n, s,
                List.of(new Span(0, wide ? 3 : 2)), wide
                        ? new double[]{n - 2 * Math.floor(n / 3), Math.floor(n / 3), Math.floor(n / 3)}
                        : new double[]{n - Math.floor(n / 2), Math.floor(n / 2)},
                List.of(), FloatHistogram.NO_BUCKETS, FloatHistogram.NO_BUCKETS);
    }

    /** One process as one replica scraped it: with gaps, markers, restarts, other layouts, and floats in between at times. */
    private static Encoded replica(RandomGenerator rng, int number, long interval, double[] restarts, boolean gauge, boolean floats) {
        List<Chunk> chunks = new ArrayList<>();
        ChunkAppender to = ChunkAppender.plain(20 + rng.nextInt(100), chunks::add);
        double missed = new double[]{0, 0.01, 0.2}[rng.nextInt(3)];
        long down = -1;
        for (long t = rng.nextLong(interval); t < SPAN; t += interval + (rng.nextBoolean() ? 0 : rng.nextLong(20) - 10)) {
            if (t < down || rng.nextDouble() < missed) {
                continue;
            }
            if (rng.nextInt(150) == 0) {
                to.append(0, t, FloatHistogram.STALE);
                down = t + rng.nextInt(900_000);
                continue;
            }
            double born = -600_000;
            for (double r : restarts) {
                born = r <= t ? r : born;
            }
            double n = Math.floor((t - rng.nextInt(400) - born) / 50);
            n = Math.max(0, gauge ? n * rng.nextDouble() : n);
            if (floats && rng.nextInt(100) == 0) {
                to.append(t, n);
            } else {
                to.append(0, t, histogram(n, n * 3, born > SPAN / 2.0 && rng.nextInt(50) > 0, gauge));
            }
        }
        to.cut();
        return new Encoded("r" + number, chunks, interval);
    }

    private static void assertSame(String what, Windows a, Windows b, RangeFunction f) {
        Row x = Row.empty(a.labels, false, a.grid.count());
        Row y = Row.empty(a.labels, false, a.grid.count());
        Notes n = new Notes();
        Notes m = new Notes();
        f.apply(a, x, n);
        f.apply(b, y, m);
        for (int i = 0; i < x.values.length; i++) {
            FloatHistogram h = x.histogram(i);
            FloatHistogram g = y.histogram(i);
            assertThat((Double) y.values[i]).as("%s, step %d", what, i).isEqualTo((Double) x.values[i]);
            assertThat(g == null).as("%s, step %d", what, i).isEqualTo(h == null);
            if (h != null && g != null && !h.sameAs(g)) {
                assertThat(g.toString()).as("%s, step %d", what, i).isEqualTo(h.toString());
            }
        }
        assertThat(m.render(true, "")).isEqualTo(n.render(true, ""));
    }

    @Test
    void whatIsWantedIsTheSameWhereverReadingEnds() {
        int[] read = new int[2];
        // Nothing of one series is to be found in the next.
        ReplicaMerge.Workspace used = new ReplicaMerge.Workspace();
        Seeds.forEach(400, rng -> {
            long interval = new long[]{15_000, 30_000, 60_000}[rng.nextInt(3)];
            double[] restarts = {rng.nextDouble() * SPAN};
            List<Replica> replicas = new ArrayList<>();
            for (int i = 2 + rng.nextInt(2); i > 0; i--) {
                replicas.add(replica(rng, i, interval, restarts, rng.nextInt(5) == 0, rng.nextBoolean()));
            }
            long wanted = rng.nextInt((int) SPAN);
            long max = wanted + rng.nextInt(300_000);
            boolean counter = rng.nextBoolean();
            SampleBuffer all = new SampleBuffer(16);
            ReplicaMerge.merge(replicas, counter, 0, max, all, null);
            SampleBuffer some = new SampleBuffer(16);
            ReplicaMerge.merge(replicas, counter, 0, max, wanted, some, null, used);
            Samples.cut(all, 0, 0, wanted);
            read[0] += some.size;
            Samples.cut(some, 0, 0, wanted);
            read[1] += some.size;
            assertThat(some.size).isEqualTo(all.size);
            for (int i = 0; i < all.size; i++) {
                assertThat(some.timestamps[i]).isEqualTo(all.timestamps[i]);
                assertThat(Double.doubleToRawLongBits(some.values[i])).isEqualTo(Double.doubleToRawLongBits(all.values[i]));
                FloatHistogram h = all.histogram(i);
                FloatHistogram g = some.histogram(i);
                assertThat(g == null).isEqualTo(h == null);
                assertThat(h == null || g == null || h.sameAs(g)).isTrue();
            }
        });
        assertThat(read[0]).isGreaterThan(read[1]);
    }

    @Test
    void functionsSayTheSame() {
        Seeds.forEach(400, rng -> {
            long interval = new long[]{15_000, 30_000, 60_000}[rng.nextInt(3)];
            double[] restarts = new double[rng.nextInt(4)];
            for (int i = 0; i < restarts.length; i++) {
                restarts[i] = rng.nextDouble() * SPAN;
            }
            java.util.Arrays.sort(restarts);
            boolean gauge = rng.nextInt(5) == 0;
            boolean floats = rng.nextInt(5) == 0;
            List<Replica> replicas = new ArrayList<>();
            for (int i = 1 + rng.nextInt(3); i > 0; i--) {
                replicas.add(replica(rng, i, interval, restarts, gauge, floats));
            }
            long range = interval * (1 + rng.nextInt(50));
            long step = rng.nextInt(4) == 0 ? range : interval / 2 * (1 + rng.nextInt(100));
            Grid grid = new Grid(rng.nextInt((int) SPAN / 2), step, 1 + rng.nextInt((int) (SPAN / step)));
            long min = grid.start() - range + 1;
            boolean counter = rng.nextInt(4) > 0;
            Windows all = windows(grid, range);
            Windows ends = windows(grid, range);
            SampleBuffer a = new SampleBuffer(16);
            ReplicaMerge.merge(replicas, counter, min, grid.end(), a, null);
            SampleBuffer b = new SampleBuffer(16);
            b.windowEnds = ends.ends();
            long[] announced = new long[1];
            b.histogramBytes = n -> announced[0] += n;
            ReplicaMerge.merge(replicas, counter, min, grid.end(), b, null);
            assertThat(b.size).isEqualTo(a.size);
            Labels labels = Labels.of("__name__", "x_total");
            all.load(labels, a);
            ends.load(labels, b);
            assertThat(ends.samplesInWindows(null)).isEqualTo(all.samplesInWindows(null));
            assertThat(ends.samplesRead(null)).isEqualTo(all.samplesRead(null));
            assertSame("rate", all, ends, new CounterFunction(true, true, false));
            assertSame("delta", all, ends, new CounterFunction(false, false, false));
            assertSame("first", all, ends, new EndOverTime(false, false));
            assertSame("last", all, ends, new EndOverTime(true, false));
            assertSame("count", all, ends, new CountOverTime(false));
            Map<double[], Long> held = new IdentityHashMap<>();
            for (int i = 0; i < b.size; i++) {
                FloatHistogram h = b.histogram(i);
                if (h != null && !h.isStale()) {
                    held.put(h.positiveBuckets(), h.bytes());
                }
            }
            assertThat(announced[0]).as("bytes announced").isGreaterThanOrEqualTo(held.values().stream().mapToLong(n -> n).sum());
        });
    }

    private static Windows windows(Grid grid, long range) {
        return new Windows(grid, range, 0, null, Edges.NORMAL, 300_000, new Position(0, 0), false, () -> {
        });
    }
}

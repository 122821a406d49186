package io.varve.querier.dedup;

import static org.assertj.core.api.Assertions.assertThat;

import io.varve.model.FloatHistogram;
import io.varve.model.SampleBuffer;
import io.varve.testkit.Seeds;
import java.util.ArrayList;
import java.util.List;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

/**
 * The leader's samples are passed over a block at a time where they lie evenly and are floats. A histogram far behind them makes the merge look at
 * each: what comes before is to be the same.
 */
class EvenBlocksTest {
    private static final long T0 = 1_780_000_000_000L;
    private static final long INTERVAL = 15_000;

    private record Floats(String name, SampleBuffer all, long roughIntervalMillis) implements Replica {
        @Override
        public void read(long min, long max, SampleBuffer into) {
            for (int i = 0; i < all.size; i++) {
                if (all.timestamps[i] >= min && all.timestamps[i] <= max) {
                    FloatHistogram h = all.histogram(i);
                    if (h == null) {
                        into.add(all.timestamps[i], all.values[i]);
                    } else {
                        into.add(all.timestamps[i], h);
                    }
                }
            }
        }
    }

    private static SampleBuffer scrapes(RandomGenerator random, int most) {
        SampleBuffer out = new SampleBuffer(16);
        int jitter = new int[]{1, 5, 2_000, 6_000}[random.nextInt(4)];
        int missed = new int[]{1 << 20, 100, 20}[random.nextInt(3)];
        int stale = new int[]{1 << 20, 50}[random.nextInt(2)];
        long t = T0 + random.nextLong(INTERVAL);
        for (int i = random.nextInt(20); i < most; i++) {
            t += random.nextInt(200) == 0 ? INTERVAL * random.nextInt(1, 60) : INTERVAL;
            if (random.nextInt(missed) > 0) {
                out.add(t + random.nextInt(jitter), random.nextInt(stale) == 0 ? SampleBuffer.STALE_NAN : 10 * i);
            }
        }
        return out;
    }

    private static SampleBuffer merged(List<Floats> replicas, long min, long max) {
        SampleBuffer out = new SampleBuffer(16);
        ReplicaMerge.merge(replicas, false, min, max, out, null);
        return out;
    }

    @Test
    void comeOutAsOneByOne() {
        Seeds.forEach(500, random -> {
            List<Floats> replicas = new ArrayList<>();
            for (int i = random.nextInt(2, 4); i > 0; i--) {
                replicas.add(new Floats("r" + i, scrapes(random, random.nextInt(700)), random.nextInt(3) == 0 ? 0 : INTERVAL));
            }
            long min = T0 - INTERVAL + random.nextInt(2) * random.nextLong(100 * INTERVAL);
            long end = T0 + 2_000 * INTERVAL;
            SampleBuffer even = merged(replicas, min, end);
            SampleBuffer leader = new SampleBuffer(16);
            replicas.getFirst().read(Long.MIN_VALUE, Long.MAX_VALUE, leader);
            long last = leader.size == 0 ? T0 : leader.timestamps[leader.size - 1];
            leader.add(end, FloatHistogram.STALE);
            List<Floats> single = new ArrayList<>(replicas);
            single.set(0, new Floats("r", leader, replicas.getFirst().roughIntervalMillis()));
            SampleBuffer one = merged(single, min, end);
            // Where the leader ends it goes on otherwise.
            long until = last - 20 * INTERVAL;
            assertThat(text(one, until)).isEqualTo(text(even, until));
        });
    }

    private static String text(SampleBuffer b, long until) {
        StringBuilder out = new StringBuilder();
        for (int i = 0; i < b.size && b.timestamps[i] < until; i++) {
            out.append(b.timestamps[i]).append(' ').append(Double.doubleToRawLongBits(b.values[i])).append('\n');
        }
        return out.toString();
    }
}

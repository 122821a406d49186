package io.varve.querier.fanout;

import static org.assertj.core.api.Assertions.assertThat;

import io.varve.model.Labels;
import io.varve.model.Matcher;
import io.varve.model.QueryContext;
import io.varve.model.SampleBuffer;
import io.varve.store.StoreInfo;
import io.varve.testkit.Seeds;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** What is asked of stores whose raw data is gone up to some time: enough that nothing is missing, and no more than the day takes. */
class ResolutionProbeTest {
    private static final long T0 = 1_700_006_400_000L; // a midnight
    private static final long HOUR = 3_600_000L;
    private static final long DAY = 24 * HOUR;
    private static final Labels STREAM = Labels.of("cluster", "c", "replica", "0");
    private static final List<Matcher> MATCHERS = List.of(Matcher.equal("__name__", "m"));

    private static StoreRef ref(MemoryStore store, long minTime, List<StoreInfo.TsdbInfo> tsdbs) {
        return new StoreRef("a:1", "store", List.of(STREAM), List.of(), minTime, Long.MAX_VALUE, tsdbs, true, true, true, Set.of(), false,
                Peer.of(store.client("a:1")));
    }

    private static int level(ResolutionProbe probe, StoreRef ref, long minTime) {
        try (QueryContext c = QueryContext.unlimited()) {
            int level = probe.levels(c, List.of(ref), MATCHERS, minTime).size() - 1;
            assertThat(c.warnings()).isEmpty();
            return level;
        }
    }

    @Test
    void whatExistsIsAskedForWhereverTheSelectAndTheStreamBegin() {
        assertThat(T0 % DAY).isZero();
        Seeds.forEach(40, random -> {
            long begin = T0 + random.nextInt(240) * 2 * HOUR;
            long fine = begin + (random.nextInt(3) == 0 ? 0 : random.nextInt(120) * 2 * HOUR);
            long raw = fine + (random.nextInt(3) == 0 ? 0 : random.nextInt(120) * 2 * HOUR);
            long end = raw + 2 * DAY;
            SampleBuffer samples = new SampleBuffer(1000);
            for (long t = begin; t < end; t += 150_000) {
                samples.add(t, 1);
            }
            MemoryStore store = new MemoryStore(STREAM, true).downsampled(Labels.of("__name__", "m"), samples, fine, raw);
            StoreRef ref = switch (random.nextInt(4)) {
                case 0 -> ref(store, Long.MIN_VALUE, List.of());
                case 1 -> ref(store, T0 - 10 * DAY, List.of());
                case 2 -> ref(store, begin, List.of());
                default -> ref(store, T0 - 10 * DAY, List.of(new StoreInfo.TsdbInfo(STREAM, begin, end)));
            };
            ResolutionProbe probe = new ResolutionProbe();
            for (int i = 0; i < 20; i++) {
                long minTime = i % 4 == 0
                        ? raw + (random.nextInt(2 * (int) DAY) - DAY)
                        : T0 - 20 * DAY + random.nextInt(70 * 24) * HOUR + random.nextInt((int) HOUR);
                if (minTime >= end) {
                    continue;
                }
                int got = level(probe, ref, minTime);
                assertThat(got).as("level at %s, hours: begin %s fine %s raw %s", hours(minTime), hours(begin), hours(fine), hours(raw))
                        .isBetween(needed(minTime, begin, fine, raw), needed(Math.floorDiv(minTime, DAY) * DAY - HOUR, begin, fine, raw));
            }
        });
    }

    private static double hours(long t) {
        return (t - T0) / (double) HOUR;
    }

    private static int needed(long from, long begin, long fine, long raw) {
        long first = Math.max(from, begin);
        return first < fine ? 2 : first < raw ? 1 : 0;
    }

    @Test
    void oneSmallRequestIsEnoughWhereRawDataIsThere() {
        SampleBuffer samples = new SampleBuffer(1000);
        for (long t = T0; t < T0 + 10 * DAY; t += 150_000) {
            samples.add(t, 1);
        }
        MemoryStore store = new MemoryStore(STREAM, true).downsampled(Labels.of("__name__", "m"), samples, T0, T0);
        ResolutionProbe probe = new ResolutionProbe();
        StoreRef ref = ref(store, T0, List.of());
        assertThat(level(probe, ref, T0 + 5 * DAY + HOUR)).isZero();
        assertThat(level(probe, ref, T0 + 5 * DAY + 2 * HOUR)).isZero();
        assertThat(store.calls()).isEqualTo(1);
        assertThat(level(probe, ref, T0 - 100 * DAY)).as("before its first block").isZero();
        assertThat(store.calls()).isEqualTo(2);
    }

    @Test
    void aStoreThatCannotBeLookedAtIsAskedForEverything() {
        MemoryStore store = new MemoryStore(STREAM, true);
        store.fault(MemoryStore.Fault.REFUSES);
        ResolutionProbe probe = new ResolutionProbe();
        StoreRef ref = ref(store, T0, List.of());
        assertThat(level(probe, ref, T0)).isEqualTo(2);
        store.fault(MemoryStore.Fault.NONE);
        assertThat(level(probe, ref, T0)).as("what went wrong is not remembered").isZero();
    }
}

package io.varve.querier.dedup;

import static org.assertj.core.api.Assertions.assertThat;

import io.varve.model.SampleBuffer;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Totals of a counter that gains one in a second, in windows of an hour. */
class GainMergeTest {
    private static final long HOUR = 3_600_000;

    /** One replica: windows that it has nothing in, and one that it saw the first third of. */
    private static SampleBuffer totals(double base, Set<Integer> nothing, int lagging) {
        SampleBuffer b = new SampleBuffer(24);
        for (int h = 1; h <= 24; h++) {
            if (!nothing.contains(h)) {
                b.add(h * HOUR, base + h * 3600 - (h == lagging ? 2400 : 0));
            }
        }
        return b;
    }

    private static SampleBuffer merged(SampleBuffer... replicas) {
        SampleBuffer out = new SampleBuffer(24);
        GainMerge.merge(List.of("a", "b", "c").subList(0, replicas.length), List.of(replicas), HOUR, 24 * HOUR, out);
        return out;
    }

    private static void assertIsTheTruth(SampleBuffer b) {
        assertThat(b.size).isEqualTo(24);
        for (int i = 0; i < b.size; i++) {
            assertThat(b.values[i] - b.values[0]).as("hour %s", i + 1).isEqualTo(i * 3600.0);
        }
    }

    @Test
    void whatALaggingWindowCatchesUpDoesNotCountTwice() {
        // The second lags where the first is there for the last time before its outage, and where it is there again.
        assertIsTheTruth(merged(totals(0, Set.of(11, 12), 0), totals(5000, Set.of(), 10)));
        assertIsTheTruth(merged(totals(0, Set.of(11, 12), 0), totals(5000, Set.of(), 13)));
    }

    @Test
    void whatTheLeaderLaggedBehindIsNotLost() {
        SampleBuffer b = merged(totals(0, Set.of(11, 12), 10), totals(-700, Set.of(), 0));
        for (int i = 0; i < b.size; i++) {
            assertThat(b.values[i]).isEqualTo((i + 1) * 3600.0 - (i == 9 ? 2400 : 0));
        }
    }

    @Test
    void whatOneMissedWithARestartStaysMissedByItAlone() {
        SampleBuffer second = totals(0, Set.of(4, 5, 6), 3);
        for (int i = 3; i < second.size; i++) {
            second.values[i] -= 8000;
        }
        assertIsTheTruth(merged(totals(0, Set.of(8, 9, 20), 0), second));
    }
}

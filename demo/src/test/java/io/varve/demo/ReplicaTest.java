package io.varve.demo;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

final class ReplicaTest {
    private static final long MINUTE = 60_000;
    private static final long DAY = 86_400_000;
    private static final long LOOKBACK = 5 * MINUTE;

    /** Whether a sample exists at that time, for a demo started at {@code now}. */
    private static boolean scraped(Replica replica, long time, long now) {
        return time < now - now % History.BLOCK_MILLIS ? !replica.missed(time) : !replica.missedLive(time);
    }

    @Test
    void eitherReplicaAloneHasNoHoleInTheLastHourAtAnyTimeOfDay() {
        // 97 minutes and 89 minutes do not divide a day, so several days show more of how hiccups and outages fall together.
        for (Replica replica : List.of(Replica.A, Replica.B)) {
            for (long now = 20_000 * DAY; now < 20_010 * DAY; now += MINUTE) {
                for (long at = now - 61 * MINUTE; at <= now - MINUTE; at += MINUTE) {
                    boolean found = false;
                    for (long t = at - MINUTE + replica.offsetMillis(); t > at - LOOKBACK && !found; t -= MINUTE) {
                        found = scraped(replica, t, now);
                    }
                    assertThat(found).as("%s at %d of a demo started at %d", replica.name(), at, now).isTrue();
                }
            }
        }
    }

    @Test
    void togetherTheyNeverMissMoreThanThreeScrapes() {
        int missed = 0;
        int both = 0;
        for (long time = 20_000 * DAY; time < 20_100 * DAY; time += MINUTE) {
            boolean a = Replica.A.missed(time);
            boolean b = Replica.B.missed(time);
            missed += a || b ? 1 : 0;
            both = a && b ? both + 1 : 0;
            assertThat(both).as("missed by both until %d", time).isLessThanOrEqualTo(3);
        }
        assertThat(missed).as("there is something to fill in").isGreaterThan(100 * 90);
    }
}

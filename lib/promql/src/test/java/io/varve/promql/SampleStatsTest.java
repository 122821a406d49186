package io.varve.promql;

import static org.assertj.core.api.Assertions.assertThat;

import io.varve.model.QueryContext;
import io.varve.model.SampleBuffer;
import java.util.EnumSet;
import org.junit.jupiter.api.Test;

/** Counts of samples per step, as a Prometheus 3.14 with {@code promql-per-step-stats} gives them. */
class SampleStatsTest {
    private static final EngineOptions OPTIONS = EngineOptions.DEFAULT.withFeatures(EnumSet.of(Feature.PER_STEP_STATS));

    private static QueryStats ask(String query, long stepMillis, boolean perStep) {
        MemorySource source = new MemorySource();
        SampleBuffer samples = new SampleBuffer(61);
        for (int i = 0; i <= 60; i++) {
            samples.add(MemorySource.START + i * 10_000L, i);
        }
        source.put(samples, "__name__", "t_total");
        long start = MemorySource.START + 300_000;
        QueryRequest request = new QueryRequest(query, start, start + 4 * stepMillis, stepMillis, 0, perStep, false);
        try (Engine engine = new Engine(OPTIONS);
                QueryResult result = engine.execute(QueryContext.unlimited(), source, request)) {
            return result.stats();
        }
    }

    private static void check(String query, long stepMillis, long[] total, long[] read) {
        QueryStats stats = ask(query, stepMillis, true);
        assertThat(stats.totalSamplesPerStep()).as(query).containsExactly(total);
        assertThat(stats.samplesReadPerStep()).as(query).containsExactly(read);
        long sum = 0;
        for (long n : read) {
            sum += n;
        }
        assertThat(stats.samplesRead()).as(query).isEqualTo(sum);
        assertThat(ask(query, stepMillis, false).samplesRead()).as(query).isEqualTo(sum);
    }

    @Test
    void anInstantSelectorReadsAtEachStep() {
        check("t_total", 5_000, new long[]{1, 1, 1, 1, 1}, new long[]{1, 1, 1, 1, 1});
        check("t_total", 20_000, new long[]{1, 1, 1, 1, 1}, new long[]{1, 1, 1, 1, 1});
        check("timestamp(t_total)", 5_000, new long[]{1, 1, 1, 1, 1}, new long[]{1, 1, 1, 1, 1});
    }

    @Test
    void aWindowReadsWhatThoseBeforeDidNotHold() {
        check("count_over_time(t_total[30s])", 10_000, new long[]{3, 3, 3, 3, 3}, new long[]{3, 1, 1, 1, 1});
        check("count_over_time(t_total[30s])", 5_000, new long[]{3, 3, 3, 3, 3}, new long[]{3, 0, 1, 0, 1});
        check("count_over_time(t_total[20s])", 40_000, new long[]{2, 2, 2, 2, 2}, new long[]{2, 2, 2, 2, 2});
    }
}

package io.varve.promql.function;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import io.varve.model.Labels;
import io.varve.model.SampleBuffer;
import io.varve.promql.parser.Position;
import io.varve.promql.parser.VectorSelector.Edges;
import java.lang.management.ManagementFactory;
import java.util.Map;
import java.util.Random;
import java.util.function.IntFunction;
import org.junit.jupiter.api.Test;

/** What windows keep from series to series, and how often a function over a long one looks whether its query is over. */
class WindowsTest {
    private static final long START = 1_700_000_000_000L;

    private static Windows windows(Grid grid, long range, Runnable check) {
        return new Windows(grid, range * 1_000_000, 0, null, Edges.NORMAL, 60_000, new Position(0, 1), false, check);
    }

    private static SampleBuffer series(Random r) {
        SampleBuffer b = new SampleBuffer(16);
        long distance = r.nextBoolean() ? 15_000 : 30_000;
        long first = START + r.nextInt(3) * 5_000L;
        int n = 100 + r.nextInt(2);
        int kind = r.nextInt(4);
        for (int i = 0; i < n; i++) {
            b.add(first + i * distance + (kind == 0 ? r.nextInt(50) : 0), kind == 1 && i == 40 ? SampleBuffer.STALE_NAN : i);
        }
        return b;
    }

    @Test
    void whatWasFoundForOneSeriesIsTakenForAnotherOnlyWhereItHolds() {
        Runnable never = () -> {
        };
        for (int seed = 0; seed < 50; seed++) {
            Random r = new Random(seed);
            Grid grid = Grid.of(START, START + 3_000_000, r.nextBoolean() ? 30_000 : 45_000);
            long range = 60_000L * (1 + r.nextInt(10));
            Windows reused = windows(grid, range, never);
            for (int i = 0; i < 20; i++) {
                SampleBuffer samples = series(r);
                Windows fresh = windows(grid, range, never);
                fresh.load(Labels.EMPTY, samples);
                reused.load(Labels.EMPTY, samples);
                assertThat(reused.lo).as("seed %d, series %d", seed, i).isEqualTo(fresh.lo);
                assertThat(reused.hi).isEqualTo(fresh.hi);
                assertThat(reused.size).isEqualTo(fresh.size);
                assertThat(reused.rising).isEqualTo(fresh.rising);
                assertThat(new int[]{reused.steadyFrom, reused.steadyTo, reused.steadyEach})
                        .isEqualTo(new int[]{fresh.steadyFrom, fresh.steadyTo, fresh.steadyEach});
                assertThat(new int[]{reused.growFrom, reused.growTo}).isEqualTo(new int[]{fresh.growFrom, fresh.growTo});
                assertThat(reused.floatsInWindows()).isEqualTo(fresh.floatsInWindows());
                assertThat(reused.samplesInWindows(null)).isEqualTo(fresh.samplesInWindows(null));
                assertThat(reused.samplesRead(null)).isEqualTo(fresh.samplesRead(null));
            }
        }
    }

    /** The most that the thread allocated between two looks. */
    private static final class Looks implements Runnable {
        private final ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        private long last = threads.getCurrentThreadAllocatedBytes();
        private long most;

        @Override
        public void run() {
            long now = threads.getCurrentThreadAllocatedBytes();
            most = Math.max(most, now - last);
            last = threads.getCurrentThreadAllocatedBytes();
        }
    }

    @Test
    void noFunctionMakesMoreThanOneLongArrayBetweenTwoLooks() {
        int n = 1 << 17;
        Random r = new Random(1);
        SampleBuffer samples = new SampleBuffer(n);
        for (int i = 0; i < n; i++) {
            samples.add(START + i * 500L + r.nextInt(100), i % 9000 == 0 ? SampleBuffer.STALE_NAN : r.nextGaussian());
        }
        Grid grid = Grid.of(START + n * 400L, START + n * 500L, n * 2L);
        for (Map.Entry<String, IntFunction<RangeFunction>> f : WindowedFunctionsTest.functions(() -> {
        }).entrySet()) {
            Looks looks = new Looks();
            RangeFunction function = WindowedFunctionsTest.functions(looks).get(f.getKey()).apply(grid.count());
            Windows w = windows(grid, n * 400L, looks);
            Row row = Row.empty(Labels.EMPTY, false, grid.count());
            looks.run();
            looks.most = 0;
            w.load(Labels.EMPTY, samples);
            function.apply(w, row, new Notes());
            looks.run();
            assertThat(row.isEmpty()).as(f.getKey()).isFalse();
            // An array of eight bytes a sample, and what else there may be.
            assertThat(looks.most).as(f.getKey()).isBetween(1L, 9L * n);
        }
    }
}

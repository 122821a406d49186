package io.varve.storegateway;

import static org.assertj.core.api.Assertions.assertThat;

import io.varve.chunk.Chunk;
import io.varve.model.Labels;
import io.varve.model.LimitExceededException;
import io.varve.model.Matcher;
import io.varve.objstore.MemoryBucket;
import io.varve.store.Aggregate;
import io.varve.store.SeriesRequest;
import io.varve.store.ShardInfo;
import io.varve.testkit.Seeds;
import io.varve.tsdb.Ulid;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

/** Greedy requests side by side in little memory: nothing dies, each refusal names its limit, ordinary requests beside them finish. */
class HostileTest {
    private static final int STREAMS = 2;
    private static final int BLOCKS = 6;

    private static SeriesRequest request(List<Matcher> matchers, long min, long max) {
        return new SeriesRequest(min, max, matchers, 0, EnumSet.allOf(Aggregate.class), true, false, List.of(), List.of("replica"),
                ShardInfo.NONE, 0, 64,
                SeriesRequest.Spans.ALL);
    }

    private static SeriesRequest hostile(RandomGenerator random) {
        String huge = "(" + "x|".repeat(300) + ".*" + random.nextInt(9) + ".*)";
        String[] patterns = {".*", ".+", huge, ".*1.*|.*2.*", "m.*"};
        Matcher.Type type = random.nextInt(4) == 0 ? Matcher.Type.NOT_REGEX : Matcher.Type.REGEX;
        return request(List.of(Matcher.of(type, random.nextBoolean() ? "i" : "__name__", patterns[random.nextInt(patterns.length)]),
                Matcher.of(Matcher.Type.NOT_EQUAL, "none", "x")), 0, 400L * 24 * 3600_000);
    }

    @Test
    void littleMemoryIsEnoughForOrdinaryRequestsAndNoneIsTakenBeyondIt() throws Exception {
        MemoryBucket bucket = new MemoryBucket("hostile");
        TestBlocks blocks = new TestBlocks(bucket);
        RandomGenerator random = Seeds.random(5);
        for (int s = 0; s < STREAMS; s++) {
            for (int b = 0; b < BLOCKS; b++) {
                TreeMap<Labels, List<Chunk>> series = new TreeMap<>();
                for (int i = 0; i < 2500; i++) {
                    series.put(Labels.of("__name__", "m" + i % 50, "i", "x" + i), TestBlocks.floats(b * 1000_000L, 10_000, 60, 60, random));
                }
                blocks.put(Ulid.of(1_700_000_000_000L + b, random), Labels.of("replica", "r" + s), b * 1000_000L, (b + 1) * 1000_000L,
                        series, 1 << 28,
                        true);
            }
        }
        AtomicInteger refused = new AtomicInteger();
        AtomicLong most = new AtomicLong();
        ConcurrentLinkedQueue<Throwable> faults = new ConcurrentLinkedQueue<>();
        try (TestGateway g = new TestGateway(bucket, TestGateway.Setup.DEFAULT.memory(6 << 20, 10));
                ExecutorService clients = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<?>> running = new ArrayList<>();
            AtomicInteger left = new AtomicInteger(40);
            for (int c = 0; c < 20; c++) {
                RandomGenerator own = Seeds.random(100 + c);
                running.add(clients.submit(() -> {
                    while (left.getAndDecrement() > 0) {
                        try {
                            g.series(hostile(own));
                        } catch (LimitExceededException e) {
                            assertThat(e.getMessage()).contains("--" + e.limit());
                            refused.incrementAndGet();
                        } catch (Throwable t) {
                            faults.add(t);
                        }
                        most.accumulateAndGet(g.broker.used(), Math::max);
                    }
                }));
            }
            SeriesRequest ordinary = request(List.of(Matcher.equal("__name__", "m7"), Matcher.equal("i", "x7")), 0, 900_000);
            running.add(clients.submit(() -> {
                for (int i = 0; i < 10; i++) {
                    assertThat(g.series(ordinary).lines()).hasSize(1);
                }
            }));
            for (Future<?> f : running) {
                f.get(120, TimeUnit.SECONDS);
            }
            assertThat(faults).isEmpty();
            assertThat(refused.get()).isPositive();
            assertThat(most.get()).isLessThanOrEqualTo(g.broker.capacity());
            assertThat(g.broker.used()).isZero();
            assertThat(g.series(ordinary).lines()).hasSize(1);
        }
    }
}

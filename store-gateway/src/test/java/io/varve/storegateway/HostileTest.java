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
import java.nio.file.Files;
import java.nio.file.Path;
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
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

/**
 * A thousand greedy requests side by side in a process of a small, fixed heap: it does not die, each refusal names its limit, ordinary
 * requests beside them finish, and all memory is given back.
 */
class HostileTest {
    private static final int REQUESTS = 1000;
    private static final int CLIENTS = 20;
    private static final int STREAMS = 2;
    private static final int BLOCKS = 3;
    private static final int SERIES = 1500;

    @Test
    void aThousandGreedyRequestsDoNotKillASmallProcess() throws Exception {
        Process process = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-Xmx80m", "-Xms80m",
                "-XX:+UseSerialGC", "-XX:MaxDirectMemorySize=16m", "-XX:+ExitOnOutOfMemoryError", "-XX:TieredStopAtLevel=1", "-cp",
                System.getProperty("java.class.path"), HostileTest.class.getName(), Long.toString(Seeds.random(5).nextLong()))
                .redirectErrorStream(true).start();
        try {
            StringBuilder out = new StringBuilder();
            Thread reader = Thread.ofVirtual().start(() -> {
                try (var lines = process.inputReader()) {
                    lines.lines().forEach(l -> out.append(l).append('\n'));
                } catch (java.io.IOException e) {
                    out.append(e);
                }
            });
            assertThat(process.waitFor(10, TimeUnit.MINUTES)).isTrue();
            reader.join();
            assertThat(process.exitValue()).as("%s", out).isZero();
            assertThat(out).contains("requests=" + REQUESTS + " faults=0 held=0");
            assertThat(Long.parseLong(out.substring(out.indexOf("rss_mb=") + 7).strip())).isLessThan(300);
        } finally {
            process.destroyForcibly();
        }
    }

    private static SeriesRequest request(List<Matcher> matchers, long min, long max) {
        return new SeriesRequest(min, max, matchers, 0, EnumSet.allOf(Aggregate.class), true, false, List.of(), List.of("replica"),
                ShardInfo.NONE, 0, 64, SeriesRequest.Spans.ALL);
    }

    private static SeriesRequest hostile(RandomGenerator random) {
        String huge = "(" + "x|".repeat(300) + ".*" + random.nextInt(9) + ".*)";
        String[] patterns = {".*", ".+", huge, ".*1.*|.*2.*", "m.*"};
        Matcher.Type type = random.nextInt(4) == 0 ? Matcher.Type.NOT_REGEX : Matcher.Type.REGEX;
        return request(List.of(Matcher.of(type, random.nextBoolean() ? "i" : "__name__", patterns[random.nextInt(patterns.length)]),
                Matcher.of(Matcher.Type.NOT_EQUAL, "none", "x")), 0, 400L * 24 * 3600_000);
    }

    /** The small process. */
    public static void main(String[] args) throws Exception {
        RandomGenerator random = new java.util.Random(Long.parseLong(args[0]));
        MemoryBucket bucket = new MemoryBucket("hostile");
        TestBlocks blocks = new TestBlocks(bucket);
        for (int s = 0; s < STREAMS; s++) {
            for (int b = 0; b < BLOCKS; b++) {
                TreeMap<Labels, List<Chunk>> series = new TreeMap<>();
                for (int i = 0; i < SERIES; i++) {
                    series.put(Labels.of("__name__", "m" + i % 50, "i", "x" + i), TestBlocks.floats(b * 1000_000L, 10_000, 60, 60, random));
                }
                blocks.put(Ulid.of(1_700_000_000_000L + b, random), Labels.of("replica", "r" + s), b * 1000_000L, (b + 1) * 1000_000L,
                        series, 1 << 28, true);
            }
        }
        blocks.blocks.clear();
        AtomicInteger refused = new AtomicInteger();
        AtomicInteger done = new AtomicInteger();
        AtomicInteger ordinaryDone = new AtomicInteger();
        ConcurrentLinkedQueue<Throwable> faults = new ConcurrentLinkedQueue<>();
        long held;
        try (TestGateway g = new TestGateway(bucket, TestGateway.Setup.DEFAULT.memory(4 << 20, 10));
                ExecutorService clients = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<?>> running = new ArrayList<>();
            AtomicInteger left = new AtomicInteger(REQUESTS);
            for (int c = 0; c < CLIENTS; c++) {
                RandomGenerator own = new java.util.Random(random.nextLong());
                running.add(clients.submit(() -> {
                    while (left.getAndDecrement() > 0) {
                        try {
                            g.series(hostile(own));
                        } catch (LimitExceededException e) {
                            if (!e.getMessage().contains("--" + e.limit())) {
                                faults.add(e);
                            }
                            refused.incrementAndGet();
                        } catch (Throwable t) {
                            faults.add(t);
                        }
                        if (g.broker.used() > g.broker.capacity()) {
                            faults.add(new AssertionError("more than the capacity is held"));
                        }
                        done.incrementAndGet();
                    }
                }));
            }
            SeriesRequest ordinary = request(List.of(Matcher.equal("__name__", "m7"), Matcher.equal("i", "x7")), 0, 900_000);
            running.add(clients.submit(() -> {
                while (left.get() > 0) {
                    if (g.series(ordinary).lines().size() != 1) {
                        faults.add(new AssertionError("an ordinary request was answered otherwise"));
                    }
                    ordinaryDone.incrementAndGet();
                }
            }));
            for (Future<?> f : running) {
                f.get();
            }
            held = g.broker.used();
        }
        faults.stream().limit(5).forEach(f -> f.printStackTrace(System.out));
        if (refused.get() == 0 || ordinaryDone.get() == 0) {
            faults.add(new AssertionError("too easy"));
        }
        long rss = 0;
        Path status = Path.of("/proc/self/status");
        if (Files.exists(status)) {
            for (String line : Files.readAllLines(status)) {
                if (line.startsWith("VmHWM:")) {
                    rss = Long.parseLong(line.replaceAll("[^0-9]", "")) >> 10;
                }
            }
        }
        System.out.println("refused=" + refused + " ordinary=" + ordinaryDone);
        System.out.println("requests=" + done + " faults=" + faults.size() + " held=" + held);
        System.out.println("rss_mb=" + rss);
    }
}

package io.varve.storegateway;

import static org.assertj.core.api.Assertions.assertThat;

import io.varve.chunk.Chunk;
import io.varve.model.Labels;
import io.varve.model.Matcher;
import io.varve.model.QueryContext;
import io.varve.model.Utf8Order;
import io.varve.objstore.MemoryBucket;
import io.varve.store.Aggregate;
import io.varve.store.LabelNamesRequest;
import io.varve.store.LabelValuesRequest;
import io.varve.store.SeriesRequest;
import io.varve.store.ShardInfo;
import io.varve.testkit.Seeds;
import io.varve.tsdb.BlockWriter;
import io.varve.tsdb.Ulid;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumSet;
import java.util.List;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.DoubleAdder;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

/** Random blocks and requests against the naive reader; whatever is cached where, the answer is the same. */
class RandomBlocksTest {
    private static final TestGateway.Setup NO_CACHE = TestGateway.Setup.DEFAULT.disk(0).cache(r -> IndexCache.NONE);
    private static final List<TestGateway.Setup> SETUPS = List.of(TestGateway.Setup.DEFAULT, NO_CACHE,
            TestGateway.Setup.DEFAULT.disk(0),
            TestGateway.Setup.DEFAULT.disk(1 << 16).options(new ReadOptions(4, 3, 64, 16, true, 2, 1)),
            TestGateway.Setup.DEFAULT.disk(0).options(new ReadOptions(0, 5, 200, 30, true, 100, 1)));

    static SeriesRequest request(RandomGenerator random) {
        List<Matcher> matchers = new ArrayList<>();
        for (int i = 1 + random.nextInt(3); i > 0; i--) {
            matchers.add(TestBlocks.matcher(random));
        }
        long min = random.nextInt(5_000_000) - 200_000L;
        long max = random.nextInt(3) == 0 ? min + random.nextInt(50_000) : min + random.nextInt(5_000_000);
        List<String> drop = random.nextInt(3) == 0
                ? List.of("replica")
                : random.nextInt(4) == 0 ? List.of("instance", "replica", "nope") : List.of();
        ShardInfo shard = random.nextInt(4) == 0
                ? new ShardInfo(random.nextInt(3), 3, random.nextBoolean(), random.nextBoolean() ? List.of("__name__", "job") : List.of())
                : ShardInfo.NONE;
        List<Matcher> blocks = random.nextInt(6) == 0 ? List.of(Matcher.of(Matcher.Type.REGEX, "cluster", "v0|")) : List.of();
        return new SeriesRequest(min, max, matchers, 0, EnumSet.allOf(Aggregate.class), random.nextBoolean(), random.nextInt(4) == 0,
                blocks, drop,
                shard, random.nextInt(6) == 0 ? 1 + random.nextInt(20) : 0, random.nextInt(3), SeriesRequest.Spans.ALL);
    }

    /** Other times and parts of the same series. */
    private static SeriesRequest otherwise(SeriesRequest q, RandomGenerator random) {
        SeriesRequest other = request(random);
        return new SeriesRequest(other.minTime(), other.maxTime(), q.matchers(), 0, q.aggregates(), q.partialResponse(), other.skipChunks(),
                q.blockMatchers(), q.withoutReplicaLabels(), other.shard(), other.limit(), other.batchSize(), SeriesRequest.Spans.ALL);
    }

    @Test
    void theFirstSeriesAreTheFirstOfAll() {
        Seeds.forEach(60, random -> {
            MemoryBucket bucket = new MemoryBucket("first");
            TestBlocks blocks = TestBlocks.random(bucket, random);
            try (TestGateway g = new TestGateway(bucket, TestGateway.Setup.DEFAULT)) {
                for (int i = 0; i < 20; i++) {
                    SeriesRequest any = request(random);
                    SeriesRequest q = new SeriesRequest(any.minTime(), any.maxTime(),
                            List.of(Matcher.of(Matcher.Type.NOT_EQUAL, "none", "x")), 0,
                            any.aggregates(), true, true, any.blockMatchers(), any.withoutReplicaLabels(), any.shard(),
                            1 + random.nextInt(4),
                            0,
                            SeriesRequest.Spans.ALL);
                    assertThat(g.series(q).lines()).extracting(TestGateway.Line::labels)
                            .isEqualTo(blocks.expected(q).stream().map(TestGateway.Line::labels).toList());
                }
            }
        });
    }

    @Test
    void answersAreThoseOfTheNaiveReaderWhateverIsCached() {
        AtomicInteger cases = new AtomicInteger();
        DoubleAdder hits = new DoubleAdder();
        Seeds.forEach(12, random -> {
            cases.incrementAndGet();
            MemoryBucket bucket = new MemoryBucket("random");
            TestBlocks blocks = TestBlocks.random(bucket, random);
            List<SeriesRequest> requests = new ArrayList<>();
            for (int i = 0; i < 30; i++) {
                SeriesRequest q = request(random);
                // What was found once and twice is there for others that look for the same.
                Collections.addAll(requests, q, q, otherwise(q, random), otherwise(q, random), q);
            }
            for (TestGateway.Setup setup : SETUPS) {
                try (TestGateway g = new TestGateway(bucket, setup)) {
                    for (SeriesRequest q : requests) {
                        TestGateway.Answer a = g.series(q);
                        assertThat(a.warnings()).isEmpty();
                        assertThat(sorted(a.lines())).as("%s by %s", q, setup).isEqualTo(blocks.expected(q));
                    }
                    assertThat(g.broker.used()).isZero();
                    if (setup == TestGateway.Setup.DEFAULT) {
                        hits.add(g.metrics.foundHits.get());
                    } else if (setup == NO_CACHE) {
                        assertThat(g.metrics.foundHits.get()).isZero();
                    }
                }
            }
        });
        // One case alone may have requests that find nothing.
        if (cases.get() > 1) {
            assertThat(hits.sum()).as("series found before").isPositive();
        }
    }

    @Test
    void namesAndValuesAreThoseOfTheSeries() {
        Seeds.forEach(12, random -> {
            MemoryBucket bucket = new MemoryBucket("random");
            TestBlocks blocks = TestBlocks.random(bucket, random);
            try (TestGateway g = new TestGateway(bucket, TestGateway.Setup.DEFAULT); QueryContext context = QueryContext.unlimited()) {
                for (int i = 0; i < 20; i++) {
                    SeriesRequest any = request(random);
                    List<Matcher> matchers = List.of(TestBlocks.matcher(random), Matcher.of(Matcher.Type.NOT_EQUAL, "none", "x"));
                    SeriesRequest all = new SeriesRequest(any.minTime(), any.maxTime(), matchers, 0, any.aggregates(), true, true,
                            any.blockMatchers(), any.withoutReplicaLabels(), ShardInfo.NONE, 0, 0, SeriesRequest.Spans.ALL);
                    TreeSet<String> names = new TreeSet<>(Utf8Order::compare);
                    TreeSet<String> values = new TreeSet<>(Utf8Order::compare);
                    String label = TestBlocks.NAMES[random.nextInt(TestBlocks.NAMES.length)];
                    blocks.expected(all).forEach(l -> l.labels().forEach((name, value) -> {
                        names.add(name);
                        if (name.equals(label)) {
                            values.add(value);
                        }
                    }));
                    assertThat(g.store.labelNames(context, new LabelNamesRequest(all.minTime(), all.maxTime(), matchers, true,
                            all.blockMatchers(), all.withoutReplicaLabels(), 0)).values()).isEqualTo(List.copyOf(names));
                    assertThat(g.store.labelValues(context, new LabelValuesRequest(label, all.minTime(), all.maxTime(), matchers, true,
                            all.blockMatchers(), all.withoutReplicaLabels(), 0)).values()).as("%s of %s", label, all)
                            .isEqualTo(List.copyOf(values));
                }
            }
        });
    }

    @Test
    void namesAndValuesComeFromDownsampledBlocksWhereRawOnesAreGone() {
        MemoryBucket bucket = new MemoryBucket("retained");
        TestBlocks blocks = new TestBlocks(bucket);
        Labels external = Labels.of("cluster", "c");
        SplittableRandom random = new SplittableRandom(1);
        long[][] made = {{0, 2_000_000, 3_000_000}, {300_000, 1_000_000, 3_000_000}, {3_600_000, 0, 3_000_000}};
        List<String> ids = new ArrayList<>();
        for (long[] m : made) {
            Ulid id = Ulid.of(1_700_000_000_000L + m[0], random);
            ids.add(id.toString());
            TreeMap<Labels, List<Chunk>> series = new TreeMap<>();
            for (long at = m[1]; at < m[2]; at += 1_000_000) {
                series.put(Labels.of("__name__", "up", "from", "r" + m[0], "at" + at / 1_000_000, "x"),
                        TestBlocks.floats(at, 10_000, 100, 120, random));
            }
            blocks.put(id, external, m[0], m[1], m[2], series, BlockWriter.SEGMENT_BYTES, true);
        }
        Matcher up = Matcher.of(Matcher.Type.EQUAL, "__name__", "up");
        try (TestGateway g = new TestGateway(bucket, TestGateway.Setup.DEFAULT); QueryContext context = QueryContext.unlimited()) {
            for (List<Matcher> matchers : List.of(List.<Matcher>of(), List.of(up))) {
                assertThat(
                        g.store.labelValues(context, new LabelValuesRequest("from", 0, 3_000_000, matchers, true, List.of(), List.of(), 0))
                                .values())
                        .containsExactly("r0", "r300000", "r3600000");
                assertThat(g.store.labelValues(context, new LabelValuesRequest("from", 0, 900_000, matchers, true, List.of(), List.of(), 0))
                        .values()).containsExactly("r3600000");
                assertThat(g.store.labelValues(context,
                        new LabelValuesRequest("from", 2_000_000, 2_900_000, matchers, true, List.of(), List.of(), 0)).values())
                        .containsExactly("r0");
                // A block that is named is asked whatever finer ones there are.
                List<Matcher> coarse = List.of(Matcher.of(Matcher.Type.EQUAL, "__block_id", ids.get(1)));
                assertThat(g.store.labelValues(context,
                        new LabelValuesRequest("from", 2_000_000, 2_900_000, matchers, true, coarse, List.of(), 0)).values())
                        .containsExactly("r300000");
            }
            assertThat(g.store.labelNames(context, new LabelNamesRequest(0, 900_000, List.of(up), true, List.of(), List.of(), 0)).values())
                    .containsExactly("__name__", "at0", "cluster", "from");
        }
    }

    @Test
    void aRequestOfSpansGetsEveryChunkThatAWindowSees() {
        Seeds.forEach(5, random -> {
            MemoryBucket bucket = new MemoryBucket("random");
            TestBlocks blocks = TestBlocks.random(bucket, random);
            try (TestGateway g = new TestGateway(bucket, TestGateway.Setup.DEFAULT)) {
                for (int i = 0; i < 20; i++) {
                    SeriesRequest q = request(random);
                    long step = 1 + random.nextInt(400_000);
                    long window = 1 + random.nextInt(200_000);
                    long first = q.minTime() - 1 + window;
                    SeriesRequest hinted = new SeriesRequest(q.minTime(), q.maxTime(), q.matchers(), 0, q.aggregates(), true, false,
                            q.blockMatchers(),
                            q.withoutReplicaLabels(), q.shard(), 0, 1, new SeriesRequest.Spans(first, step, window));
                    SeriesRequest plain = new SeriesRequest(q.minTime(), q.maxTime(), q.matchers(), 0, q.aggregates(), true, false,
                            q.blockMatchers(),
                            q.withoutReplicaLabels(), q.shard(), 0, 1, SeriesRequest.Spans.ALL);
                    List<String> got = sorted(g.series(hinted).lines()).stream().flatMap(l -> l.chunks().stream().map(c -> l.labels() + c))
                            .toList();
                    for (TestGateway.Line l : blocks.expected(plain)) {
                        for (String c : l.chunks()) {
                            long min = Long.parseLong(c.substring(0, c.indexOf('-', 1)));
                            long max = Long.parseLong(c.substring(c.indexOf('-', 1) + 1, c.indexOf(' ')));
                            boolean seen = false;
                            for (long t = first; t - window < max && !seen; t += step) {
                                seen = t >= min && t - window < max;
                            }
                            assertThat(got.contains(l.labels() + c))
                                    .as("chunk %d-%d first %d step %d window %d", min, max, first, step, window)
                                    .isEqualTo(seen);
                        }
                    }
                }
            }
        });
    }

    private static List<TestGateway.Line> sorted(List<TestGateway.Line> lines) {
        return lines.stream().map(l -> new TestGateway.Line(l.labels(), l.chunks().stream().sorted().toList())).toList();
    }
}

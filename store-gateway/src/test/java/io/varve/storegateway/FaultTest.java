package io.varve.storegateway;

import static org.assertj.core.api.Assertions.assertThat;

import io.varve.model.CorruptDataException;
import io.varve.model.Labels;
import io.varve.model.LimitExceededException;
import io.varve.model.Matcher;
import io.varve.model.UnavailableException;
import io.varve.model.VarveException;
import io.varve.objstore.BucketOperation;
import io.varve.objstore.FaultyBucket;
import io.varve.objstore.MemoryBucket;
import io.varve.objstore.NoSuchObjectException;
import io.varve.objstore.ObjectBody;
import io.varve.store.Aggregate;
import io.varve.store.SeriesRequest;
import io.varve.store.ShardInfo;
import io.varve.testkit.Seeds;
import io.varve.testkit.TempTree;
import io.varve.tsdb.Ulid;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/** Whatever fails, is cut short or damaged: the answer is right, or says which block is missing and why, or the call fails by its kind. */
class FaultTest {
    private static SeriesRequest all(boolean partial) {
        return new SeriesRequest(0, 10_000_000, List.of(Matcher.of(Matcher.Type.REGEX, "__name__", ".+")), 0,
                EnumSet.allOf(Aggregate.class), partial,
                false, List.of(), List.of(), ShardInfo.NONE, 0, 1, SeriesRequest.Spans.ALL);
    }

    private static TestBlocks three(MemoryBucket bucket, int series) {
        var random = Seeds.random(7);
        TestBlocks blocks = new TestBlocks(bucket);
        for (int b = 0; b < 3; b++) {
            TreeMap<Labels, List<io.varve.chunk.Chunk>> s = new TreeMap<>();
            for (int i = 0; i < series; i++) {
                s.put(Labels.of("__name__", "m" + i % 3, "i", "x" + i), TestBlocks.floats(b * 1000_000L, 10_000, 90, 30, random));
            }
            blocks.put(Ulid.of(1_700_000_000_000L + b, random), Labels.of("cluster", "c" + b), b * 1000_000L, (b + 1) * 1000_000L, s,
                    1 << 20, true);
        }
        return blocks;
    }

    private static Map<Labels, List<String>> map(List<TestGateway.Line> lines) {
        Map<Labels, List<String>> out = new HashMap<>();
        lines.forEach(l -> out.put(l.labels(), l.chunks().stream().sorted().toList()));
        return out;
    }

    /** What is there is right; what is missing belongs to a block that a warning names. */
    private static void honest(TestGateway.Answer a, TestBlocks blocks, SeriesRequest q) {
        Map<Labels, List<String>> want = map(blocks.expected(q));
        Map<Labels, List<String>> got = map(a.lines());
        got.forEach((labels, chunks) -> assertThat(want.get(labels)).as("%s", labels).isEqualTo(chunks));
        for (TestBlocks.Made b : blocks.blocks) {
            boolean named = a.warnings().stream().anyMatch(w -> w.contains(b.meta().ulid().toString()));
            if (!named) {
                for (Labels l : b.series().keySet()) {
                    assertThat(got).containsKey(l.overriddenBy(b.meta().externalLabels()));
                }
            }
        }
    }

    @Test
    void everyOperationMayFailBeSlowOrCutShort() {
        MemoryBucket bucket = new MemoryBucket("faults");
        TestBlocks blocks = three(bucket, 12);
        for (TestGateway.Setup setup : List.of(TestGateway.Setup.DEFAULT, TestGateway.Setup.DEFAULT.disk(0).cache(r -> IndexCache.NONE))) {
            FaultyBucket counting = FaultyBucket.counting(bucket);
            long operations;
            try (TestGateway g = new TestGateway(counting, setup)) {
                honest(g.series(all(true)), blocks, all(true));
                operations = counting.operations();
            }
            assertThat(operations).isGreaterThan(8);
            for (FaultyBucket.Fault fault : List.of(new FaultyBucket.Fault.Fail(), new FaultyBucket.Fault.Truncate(0),
                    new FaultyBucket.Fault.Truncate(100), new FaultyBucket.Fault.Delay(20))) {
                // The listing and the metas come first; syncing has its own tests.
                for (long n = 5; n <= operations; n++) {
                    try (TestGateway g = new TestGateway(FaultyBucket.at(bucket, n, fault), setup)) {
                        honest(g.series(all(true)), blocks, all(true));
                        assertThat(g.broker.used()).isZero();
                    }
                    try (TestGateway g = new TestGateway(FaultyBucket.at(bucket, n, fault), setup)) {
                        TestGateway.Answer a = g.series(all(false));
                        assertThat(map(a.lines())).isEqualTo(map(blocks.expected(all(false))));
                        assertThat(a.warnings()).isEmpty();
                    } catch (CorruptDataException | UnavailableException expected) {
                        assertThat(expected.getMessage()).contains("receive series from 01");
                    }
                }
            }
        }
    }

    @Test
    void aFaultThatPassesIsOverWithTheNextRequest() {
        MemoryBucket bucket = new MemoryBucket("faults");
        TestBlocks blocks = three(bucket, 12);
        FaultyBucket faulty = FaultyBucket.counting(bucket);
        try (TestGateway g = new TestGateway(faulty, TestGateway.Setup.DEFAULT)) {
            g.series(all(true));
            // Headers are there; chunks of the last request are cached, so another span is asked for.
            faulty.plan(e -> e.operation() == BucketOperation.GET_RANGE ? new FaultyBucket.Fault.Fail() : new FaultyBucket.Fault.None());
            honest(g.series(all(true)), blocks, all(true));
            faulty.plan(e -> new FaultyBucket.Fault.None());
            TestGateway.Answer a = g.series(all(true));
            assertThat(a.warnings()).isEmpty();
            honest(a, blocks, all(true));
        }
    }

    @Test
    void damagedBytesAreFoundAndTheirBlockIsNamed() throws NoSuchObjectException {
        MemoryBucket bucket = new MemoryBucket("damage");
        TestBlocks blocks = three(bucket, 6);
        String block = blocks.blocks.get(1).meta().ulid().toString();
        for (String object : List.of("index", "chunks/000001")) {
            String key = block + "/" + object;
            byte[] good = bucket.readRange(key, 0, 1 << 20);
            for (int i = 0; i < good.length; i += object.equals("index") ? 29 : 97) {
                byte[] bad = good.clone();
                bad[i] ^= (byte) (1 << i % 8);
                bucket.upload(key, ObjectBody.of(bad));
                try (TestGateway g = new TestGateway(bucket, TestGateway.Setup.DEFAULT)) {
                    honest(g.series(all(true)), blocks, all(true));
                }
            }
            for (int length : new int[]{0, 4, 60, good.length / 2, good.length - 1}) {
                bucket.upload(key, ObjectBody.of(java.util.Arrays.copyOf(good, length)));
                try (TestGateway g = new TestGateway(bucket, TestGateway.Setup.DEFAULT)) {
                    TestGateway.Answer a = g.series(all(true));
                    honest(a, blocks, all(true));
                    assertThat(a.warnings()).as("%s cut to %d", object, length).anyMatch(w -> w.contains(block));
                }
            }
            bucket.delete(key);
            try (TestGateway g = new TestGateway(bucket, TestGateway.Setup.DEFAULT)) {
                TestGateway.Answer a = g.series(all(true));
                honest(a, blocks, all(true));
                assertThat(a.warnings()).anyMatch(w -> w.contains(block) && w.contains("does not exist"));
            }
            bucket.upload(key, ObjectBody.of(good));
        }
    }

    @Test
    void aDamagedCopyOnDiskIsReadAnew() throws Exception {
        MemoryBucket bucket = new MemoryBucket("copy");
        TestBlocks blocks = three(bucket, 20);
        try (TestGateway g = new TestGateway(bucket, TestGateway.Setup.DEFAULT)) {
            g.series(all(true));
            try (var files = java.nio.file.Files.walk(g.gateway.blocks().byId().isEmpty() ? java.nio.file.Path.of(".") : pagesOf(g))) {
                for (java.nio.file.Path p : (Iterable<java.nio.file.Path>) files.filter(java.nio.file.Files::isRegularFile)::iterator) {
                    byte[] b = java.nio.file.Files.readAllBytes(p);
                    for (int i = 10; i < b.length; i += 50) {
                        b[i] ^= 4;
                    }
                    java.nio.file.Files.write(p, b);
                }
            }
            TestGateway.Answer a = g.series(all(true));
            assertThat(a.warnings()).isEmpty();
            honest(a, blocks, all(true));
        }
    }

    private static java.nio.file.Path pagesOf(TestGateway g) {
        return g.pages.orElseThrow().directory();
    }

    @Test
    void blocksDeletedUnderARunningProcessAreNamedUntilTheNextSync() {
        MemoryBucket bucket = new MemoryBucket("deleted");
        TestBlocks blocks = three(bucket, 5);
        try (TestGateway g = new TestGateway(bucket, TestGateway.Setup.DEFAULT)) {
            String id = blocks.blocks.get(2).meta().ulid().toString();
            List<String> keys = new ArrayList<>();
            bucket.listRecursive(id, o -> keys.add(o.key()));
            keys.forEach(bucket::delete);
            TestGateway.Answer a = g.series(all(true));
            honest(a, blocks, all(true));
            assertThat(a.warnings()).singleElement().asString().contains(id).contains("does not exist");
            g.gateway.sync();
            assertThat(g.series(all(true)).warnings()).isEmpty();
            assertThat(g.gateway.blocks().byId()).hasSize(2);
        }
    }

    @Test
    void limitsRefuseInThanosWords() {
        MemoryBucket bucket = new MemoryBucket("limits");
        three(bucket, 20);
        Map<TestGateway.Setup, String> cases = Map.of(TestGateway.Setup.DEFAULT.limits(59, 0, 0),
                "fetch postings for block ID: rpc error: code = ResourceExhausted desc = exceeded series limit: limit 59 violated (got 60)",
                TestGateway.Setup.DEFAULT.limits(0, 479, 0),
                "receive series from ID: rpc error: code = ResourceExhausted desc = exceeded chunks limit: limit 3 violated (got ",
                TestGateway.Setup.DEFAULT.limits(0, 0, 10),
                "receive series from ID: rpc error: code = ResourceExhausted desc = exceeded bytes limit while fetching ",
                TestGateway.Setup.DEFAULT.memory(1000, 1), "exceeded memory limit while ");
        cases.forEach((setup, text) -> {
            FaultyBucket counting = FaultyBucket.counting(bucket);
            try (TestGateway g = new TestGateway(counting, setup)) {
                for (boolean partial : new boolean[]{true, false}) {
                    try {
                        g.series(all(partial));
                        throw new AssertionError("not refused: " + text);
                    } catch (LimitExceededException e) {
                        assertThat(String.valueOf(e.getMessage()).replaceAll("01[0-9A-Z]{24}", "ID")).startsWith(text);
                        assertThat(e.limit()).isNotEmpty();
                    }
                }
                assertThat(g.broker.used()).isZero();
                assertThat(counting.events()).noneMatch(e -> e.key().contains("chunks/") && text.contains("series limit"));
            }
        });
        try (TestGateway g = new TestGateway(bucket, TestGateway.Setup.DEFAULT.limits(60, 180 * 120, 0))) {
            assertThat(g.series(all(true)).lines()).hasSize(60);
        }
    }

    @Test
    void coldAndWarmRequestsCostFewReads() {
        MemoryBucket bucket = new MemoryBucket("cost");
        three(bucket, 50);
        FaultyBucket counting = FaultyBucket.counting(bucket);
        try (TestGateway g = new TestGateway(counting, TestGateway.Setup.DEFAULT)) {
            long before = counting.operations();
            g.series(all(true));
            // One whole index and one run of chunks for each block.
            assertThat(counting.operations() - before).isEqualTo(6);
            g.series(all(true));
            assertThat(counting.operations() - before).as("nothing is fetched twice").isEqualTo(6);
        }
    }

    @Test
    void headersOfAFewOldBlocksAreFetchedBeforeAnybodyAsks() throws InterruptedException {
        MemoryBucket bucket = new MemoryBucket("old");
        var random = Seeds.random(3);
        TestBlocks blocks = new TestBlocks(bucket);
        for (int b = 0; b < 3; b++) {
            long start = b * 30L * 24 * 3600_000;
            TreeMap<Labels, List<io.varve.chunk.Chunk>> s = new TreeMap<>();
            s.put(Labels.of("__name__", "m"), TestBlocks.floats(start, 10_000, 100, 100, random));
            blocks.put(Ulid.of(1_700_000_000_000L + b, random), Labels.of("cluster", "c"), start, start + 1_000_001, s, 4 << 20, true);
        }
        FaultyBucket counting = FaultyBucket.counting(bucket);
        try (TestGateway g = new TestGateway(counting, TestGateway.Setup.DEFAULT)) {
            int before = counting.events().size();
            g.gateway.serving();
            for (int i = 0; i < 1000 && count(counting, before, "/index") < 3; i++) {
                Thread.sleep(10);
            }
            assertThat(count(counting, before, "/index")).as("fetched without being asked for").isEqualTo(3);
            assertThat(g.series(new SeriesRequest(0, Long.MAX_VALUE, List.of(Matcher.of(Matcher.Type.EQUAL, "__name__", "m")), 0,
                    EnumSet.allOf(Aggregate.class), false, false, List.of(), List.of(), ShardInfo.NONE, 0, 1, SeriesRequest.Spans.ALL))
                    .chunks()).isEqualTo(3);
            assertThat(counting.events().size() - before).as("with the chunks of each").isEqualTo(6);
        }
    }

    /** Series whose index is above what is fetched whole, and of whose chunks a short span needs few. */
    private static TestBlocks large(MemoryBucket bucket, int blocks, int series) {
        var random = Seeds.random(11);
        TestBlocks out = new TestBlocks(bucket);
        for (int b = 0; b < blocks; b++) {
            TreeMap<Labels, List<io.varve.chunk.Chunk>> s = new TreeMap<>();
            for (int i = 0; i < series; i++) {
                s.put(Labels.of("__name__", "m" + i % 5, "i", "x" + i), TestBlocks.floats(0, 10_000, 1000, 1, random));
            }
            out.put(Ulid.of(1_700_000_000_000L + b, random), Labels.of("cluster", "c" + b), 0, 10_000_000L, s, 4 << 20, true);
        }
        assertThat(bucket.find(out.blocks.getFirst().meta().ulid() + "/index").orElseThrow().size())
                .isGreaterThan(GatewayBlock.WHOLE_INDEX);
        return out;
    }

    private static long count(FaultyBucket bucket, long after, String object) {
        return bucket.events().stream().skip(after).filter(e -> e.key().contains(object)).count();
    }

    @Test
    void aLargeIndexCostsTwoRoundsWhereItsHeaderIsThereAndChunksThatLieApartFewRequests() {
        MemoryBucket bucket = new MemoryBucket("large");
        TestBlocks blocks = large(bucket, 2, 1200);
        FaultyBucket counting = FaultyBucket.counting(bucket);
        SeriesRequest late = new SeriesRequest(9_900_000, 10_000_000, List.of(Matcher.of(Matcher.Type.EQUAL, "__name__", "m3")), 0,
                EnumSet.allOf(Aggregate.class), false, false, List.of(), List.of(), ShardInfo.NONE, 0, 1, SeriesRequest.Spans.ALL);
        try (TempTree data = TempTree.create()) {
            try (TestGateway g = new TestGateway(counting, TestGateway.Setup.DEFAULT.disk(1 << 30), data, false)) {
                int before = counting.events().size();
                g.gateway.blocks().byId().values().forEach(GatewayBlock::prefetch);
                assertThat(count(counting, before, "/index")).as("end and symbols of each").isEqualTo(4);
                before = counting.events().size();
                assertThat(map(g.series(late).lines())).isEqualTo(map(blocks.expected(late)));
                assertThat(count(counting, before, "/index")).as("entries of the series").isEqualTo(2);
                assertThat(count(counting, before, "/chunks/")).as("16 for each block").isBetween(2L, 32L);
                before = counting.events().size();
                g.series(late);
                assertThat(counting.events().size() - before).as("nothing is fetched twice").isZero();
            }
            try (TestGateway g = new TestGateway(counting, TestGateway.Setup.DEFAULT.disk(1 << 30), data, false)) {
                int before = counting.events().size();
                assertThat(map(g.series(late).lines())).isEqualTo(map(blocks.expected(late)));
                assertThat(counting.events().size() - before).as("nor by the next process").isZero();
            }
        }
    }

    @Test
    void theFirstSeriesOfALargeIndexAreFoundWithoutTheRest() {
        MemoryBucket bucket = new MemoryBucket("first");
        TestBlocks blocks = large(bucket, 2, 1200);
        FaultyBucket counting = FaultyBucket.counting(bucket);
        for (int limit : new int[]{1, 7}) {
            SeriesRequest any = new SeriesRequest(0, 10_000_000, List.of(Matcher.of(Matcher.Type.NOT_EQUAL, "__name__", "")), 0,
                    EnumSet.allOf(Aggregate.class), false, true, List.of(), List.of(), ShardInfo.NONE, limit, 1, SeriesRequest.Spans.ALL);
            try (TestGateway g = new TestGateway(counting, TestGateway.Setup.DEFAULT.disk(1 << 30))) {
                g.gateway.blocks().byId().values().forEach(GatewayBlock::prefetch);
                int before = counting.events().size();
                assertThat(map(g.series(any).lines())).isEqualTo(map(blocks.expected(any)));
                assertThat(counting.events().size() - before).as("one read of each block").isEqualTo(2);
            }
        }
    }

    @Test
    void nothingElseThanTheFiveKindsEscapes() {
        Seeds.forEach(15, random -> {
            MemoryBucket bucket = new MemoryBucket("garbage");
            TestBlocks blocks = TestBlocks.random(bucket, random);
            TestBlocks.Made victim = blocks.blocks.get(random.nextInt(blocks.blocks.size()));
            String key = victim.meta().ulid() + (random.nextBoolean() ? "/index" : "/chunks/000001");
            byte[] bytes = bucket.readRange(key, 0, 1 << 22);
            for (int i = random.nextInt(30); i >= 0; i--) {
                bytes[random.nextInt(bytes.length)] = (byte) random.nextInt(256);
            }
            bucket.upload(key, ObjectBody.of(bytes));
            try (TestGateway g = new TestGateway(bucket, TestGateway.Setup.DEFAULT)) {
                for (int i = 0; i < 10; i++) {
                    try {
                        g.series(RandomBlocksTest.request(random));
                    } catch (VarveException expected) {
                        assertThat(expected).isInstanceOf(CorruptDataException.class);
                    }
                }
                assertThat(g.broker.used()).isZero();
            }
        });
    }
}

package io.varve.compactor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.block.BlockDownloader;
import io.varve.block.BlockMark;
import io.varve.block.BlockMarks;
import io.varve.block.BlockMetrics;
import io.varve.block.BlockUploader;
import io.varve.chunk.Chunk;
import io.varve.chunk.ChunkAppender;
import io.varve.chunk.ChunkDecoder;
import io.varve.chunk.ChunkSeries;
import io.varve.chunk.ChunkSeriesSet;
import io.varve.chunk.Encoding;
import io.varve.model.CorruptDataException;
import io.varve.model.Labels;
import io.varve.model.LimitExceededException;
import io.varve.model.SampleBuffer;
import io.varve.objstore.Bucket;
import io.varve.objstore.BucketOperation;
import io.varve.objstore.FaultyBucket;
import io.varve.objstore.FilesystemBucket;
import io.varve.objstore.MemoryBucket;
import io.varve.objstore.ObjectBody;
import io.varve.runtime.MemoryPool;
import io.varve.tsdb.BlockMeta;
import io.varve.tsdb.BlockReader;
import io.varve.tsdb.BlockVerifier;
import io.varve.tsdb.BlockWriter;
import io.varve.tsdb.Durable;
import io.varve.tsdb.Ulid;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.random.RandomGenerator;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The compactor over a bucket in memory, also killed and failing at every operation of that bucket. */
class CompactorTest {
    private static final long HOUR = 3_600_000;
    /** Aligned to 14 days. */
    private static final long START = 1_209_600_000L * 1400;
    private static final Instant NOW = Instant.ofEpochMilli(START + 60 * 24 * HOUR);
    private static final Labels STREAM = Labels.of("cluster", "eu", "replica", "a");

    @TempDir
    Path dir;
    private int directories;
    private Bucket bucket = new MemoryBucket("test");
    private final RandomGenerator random = RandomGenerator.getDefault();
    private MemoryPool memory = new MemoryPool(1L << 30, "test");

    @BeforeEach
    void newBucket() {
        bucket = new MemoryBucket("test", Clock.fixed(NOW.minusSeconds(7200), ZoneOffset.UTC));
    }

    private CompactOptions options() {
        return CompactOptions.defaults(dir.resolve("work-" + directories++)).withDelays(Duration.ZERO, Duration.ofHours(48));
    }

    private Compactor compactor(Bucket over, CompactOptions options, List<String> replicaLabels, Instant now) {
        PrometheusRegistry registry = new PrometheusRegistry();
        return new Compactor(over, options,
                new Compactor.Selection(n -> Long.MIN_VALUE, n -> Long.MAX_VALUE, io.varve.block.Relabel.NONE, replicaLabels), 4,
                new BlockMetrics(registry),
                new CompactMetrics(registry, 0, 0), InstantSource.fixed(now), random, memory);
    }

    private void compact(Bucket over, CompactOptions options) {
        compactor(over, options, List.of(), NOW).iterate();
    }

    /** A block of two counters with a sample a minute, in the range given in hours from the start. */
    private Ulid block(Labels external, int fromHour, int toHour, double slope) {
        return block(external, fromHour, toHour, slope, List.of());
    }

    /** As the other, where one more series has these chunks. */
    private Ulid block(Labels external, int fromHour, int toHour, double slope, List<Chunk> more) {
        long from = START + fromHour * HOUR;
        long to = START + toHour * HOUR;
        Ulid id = Ulid.of(from, random);
        Path parent = dir.resolve("made");
        try (BlockWriter writer = BlockWriter.create(parent, id)) {
            for (String name : List.of("a_total", "b_total")) {
                List<Chunk> chunks = new ArrayList<>();
                ChunkAppender appender = ChunkAppender.plain(ChunkAppender.USUAL_SAMPLES, chunks::add);
                for (long t = from; t < to; t += 60_000) {
                    appender.append(t, slope * (t - START) / 60_000);
                }
                appender.cut();
                writer.add(Labels.of("__name__", name, "job", "x"), chunks);
            }
            if (!more.isEmpty()) {
                writer.add(Labels.of("__name__", "c_total"), more);
            }
            writer.commit(new BlockMeta(id, from, to, BlockMeta.Stats.EMPTY, BlockMeta.Compaction.fresh(id))
                    .withThanos(BlockMeta.Thanos.of(external, 0, "sidecar")));
        }
        new BlockUploader(bucket, 1, BlockUploader.Hash.NONE, InstantSource.fixed(NOW.minusSeconds(7200)))
                .upload(parent.resolve(id.toString()));
        return id;
    }

    private Map<Ulid, BlockMeta> metas(Bucket of) {
        Map<Ulid, BlockMeta> metas = new TreeMap<>();
        Set<Ulid> marked = new HashSet<>();
        of.listRecursive("", o -> {
            Ulid id = Ulid.of(o.key().substring(0, Ulid.LENGTH));
            if (o.key().endsWith("/deletion-mark.json")) {
                marked.add(id);
            }
            if (o.key().endsWith("/meta.json")) {
                try (var in = of.open(o.key())) {
                    metas.put(id, BlockMeta.parse(in.readAllBytes(), o.key()));
                } catch (Exception e) {
                    throw new IllegalStateException(e);
                }
            }
        });
        metas.keySet().removeAll(marked);
        return metas;
    }

    /** Blocks that have not been deleted, marked or not. */
    private Set<Ulid> present() {
        Set<Ulid> ids = new HashSet<>();
        bucket.listRecursive("", o -> ids.add(Ulid.of(o.key().substring(0, Ulid.LENGTH))));
        return ids;
    }

    /** All raw samples that unmarked blocks hold, by stream and series. */
    private Map<String, TreeMap<Long, Double>> samples(Map<Ulid, BlockMeta> metas) {
        Map<String, TreeMap<Long, Double>> out = new TreeMap<>();
        metas.forEach((id, meta) -> {
            if (meta.resolutionMillis() != 0) {
                return;
            }
            Path local = dir.resolve("read-" + directories++);
            new BlockDownloader(bucket, 1).download(id, local);
            try (BlockReader reader = BlockReader.open(local); ChunkSeriesSet all = reader.stored()) {
                for (ChunkSeries s = all.next(); s != null; s = all.next()) {
                    TreeMap<Long, Double> into = out.computeIfAbsent(meta.externalLabels() + " " + s.labels(), k -> new TreeMap<>());
                    for (Chunk c : s.chunks()) {
                        SampleBuffer b = new SampleBuffer(120);
                        ChunkDecoder.decode(c, b);
                        for (int i = 0; i < b.size; i++) {
                            into.put(b.timestamps[i], b.values[i]);
                        }
                    }
                }
            }
        });
        return out;
    }

    private static List<String> describe(Map<Ulid, BlockMeta> metas) {
        return metas.values().stream().map(m -> m.externalLabels() + " " + m.resolutionMillis() + " " + (m.minTime() - START) / HOUR + "-"
                + (m.maxTime() - START) / HOUR + " L" + m.compaction().level() + " of " + m.compaction().sources().size())
                .sorted(io.varve.model.Utf8Order::compare).toList();
    }

    private void fourDays() {
        for (int h = 0; h < 100; h += 2) {
            block(STREAM, h, h + 2, 1);
        }
    }

    @Test
    void theLadderIsClimbedInOneIteration() {
        fourDays();
        Map<String, TreeMap<Long, Double>> before = samples(metas(bucket));
        compact(bucket, options());
        Map<Ulid, BlockMeta> after = metas(bucket);
        assertThat(describe(after)).containsExactly(STREAM + " 0 0-48 L3 of 24", STREAM + " 0 48-96 L3 of 24", STREAM + " 0 96-98 L1 of 1",
                STREAM + " 0 98-100 L1 of 1", STREAM + " 300000 0-48 L3 of 24", STREAM + " 300000 48-96 L3 of 24");
        assertThat(samples(after)).isEqualTo(before);
        after.values().stream().filter(m -> m.compaction().level() > 1).forEach(m -> {
            BlockMeta.Thanos t = m.thanosSection().orElseThrow();
            assertThat(t.source()).isEqualTo("compactor");
            assertThat(t.segmentFiles()).containsExactly("000001");
            assertThat(t.indexStats().chunkMaxSize()).isPositive();
            assertThat(t.uploadTime()).isEqualTo(NOW);
        });
    }

    @Test
    void aSecondRunFindsNothingToDo() {
        fourDays();
        compact(bucket, options());
        List<String> keys = new ArrayList<>();
        bucket.listRecursive("", o -> keys.add(o.key()));
        FaultyBucket counting = FaultyBucket.counting(bucket);
        compact(counting, options());
        assertThat(counting.counts()).doesNotContainKeys(BucketOperation.UPLOAD, BucketOperation.DELETE);
        List<String> again = new ArrayList<>();
        bucket.listRecursive("", o -> again.add(o.key()));
        assertThat(again).isEqualTo(keys);
    }

    @Test
    void markedSourcesGoAfterTheDelay() {
        fourDays();
        compact(bucket, options());
        compactor(bucket, options(), List.of(), NOW.plus(Duration.ofHours(49))).iterate();
        Set<String> blocks = new TreeSet<>();
        bucket.list("", blocks::add);
        assertThat(blocks).hasSize(6);
    }

    /** Who shares the bucket may keep marked blocks for longer, or may still be uploading. */
    @Test
    void markedBlocksOfOtherStreamsAndTimesAreNotDeleted() {
        Labels other = Labels.of("cluster", "us", "replica", "a");
        Ulid ours = block(STREAM, 8, 10, 1);
        Ulid before = block(STREAM, 0, 2, 1);
        Ulid theirs = block(other, 8, 10, 1);
        for (Ulid id : List.of(ours, before, theirs)) {
            BlockMarks.write(bucket, new BlockMark(BlockMark.Kind.DELETION, id, "", NOW.getEpochSecond() - 200_000, ""));
        }
        PrometheusRegistry registry = new PrometheusRegistry();
        Compactor.Selection eu = new Compactor.Selection(n -> START + 4 * HOUR, n -> Long.MAX_VALUE,
                io.varve.block.Relabel.parse("[{action: keep, source_labels: [cluster], regex: eu}]",
                        io.varve.block.Relabel.SELECTOR_ACTIONS),
                List.of());
        CompactMetrics metrics = new CompactMetrics(registry, 0, 0);
        Compactor compactor = new Compactor(bucket, options(), eu, 4, new BlockMetrics(registry), metrics, InstantSource.fixed(NOW), random,
                memory);
        compactor.iterate();
        compactor.cleanup();
        assertThat(metrics.cleanupLoops.get()).as("once in an iteration, once beside it").isEqualTo(2);
        assertThat(present()).containsExactlyInAnyOrder(before, theirs);
        compactor(bucket, options().withDelays(Duration.ofDays(100), Duration.ofHours(1)), List.of(), NOW).cleanup();
        assertThat(present()).as("too fresh").containsExactlyInAnyOrder(before, theirs);
        compact(bucket, options());
        assertThat(present()).isEmpty();
    }

    @Test
    void killedAtAnyOperationTheBucketStaysWholeAndTheNextRunFinishes() {
        for (int h : new int[]{0, 4, 8, 12}) {
            block(STREAM, h, h + 2, 1);
        }
        Map<String, byte[]> initial = copy();
        Map<String, TreeMap<Long, Double>> whole = samples(metas(bucket));
        compact(bucket, options());
        List<String> want = describe(metas(bucket));
        FaultyBucket counting = FaultyBucket.counting(restore(initial));
        compact(counting, options());
        long operations = counting.operations();
        assertThat(operations).isGreaterThan(10);
        for (long n = 1; n <= operations; n++) {
            for (FaultyBucket.Fault fault : List.of(new FaultyBucket.Fault.Kill(), new FaultyBucket.Fault.FailAfter())) {
                restore(initial);
                FaultyBucket faulty = FaultyBucket.at(bucket, n, fault);
                try {
                    compact(faulty, options());
                } catch (FaultyBucket.Killed | RuntimeException e) {
                    // The run may end here; what counts is what it leaves.
                }
                assertThat(samples(metas(bucket))).as("after %s at operation %s", fault, n).isEqualTo(whole);
                compact(bucket, options());
                assertThat(samples(metas(bucket))).as("finished after %s at operation %s", fault, n).isEqualTo(whole);
                assertThat(describe(metas(bucket))).as("finished after %s at operation %s", fault, n).isEqualTo(want);
            }
        }
    }

    /**
     * The same on a directory that takes the files of the result themselves: the process that comes after works in the directory that the dead one
     * left, whose files may be objects of the bucket by then, and must neither write to them nor miss them when it removes them.
     */
    @Test
    void killedAnywhereWhileItHandsItsFilesOverTheBucketStaysWholeAndTheNextRunFinishes() throws Exception {
        for (int h : new int[]{0, 4, 8, 12}) {
            block(STREAM, h, h + 2, 1);
        }
        Map<String, byte[]> initial = copy();
        Map<String, TreeMap<Long, Double>> whole = samples(metas(bucket));
        DyingBucket immortal = new DyingBucket(directory(initial, "immortal"), 0, DyingBucket.Point.BEFORE);
        compact(immortal, options());
        long operations = immortal.operations();
        List<String> want = describe(metas(immortal));
        assertThat(immortal.linked()).as("files given a second name: chunks and index").isEqualTo(2);
        for (DyingBucket.Point point : DyingBucket.Point.values()) {
            for (long n = 1; n <= operations; n++) {
                String as = point + " operation " + n;
                Path root = directory(initial, point + "-" + n);
                CompactOptions options = options();
                DyingBucket dying = new DyingBucket(root, n, point);
                try {
                    compact(dying, options);
                } catch (DyingBucket.Died | RuntimeException e) {
                    // What counts is what it leaves.
                }
                assertThat(dying.dead()).as(as).isTrue();
                bucket = new FilesystemBucket(root);
                assertThat(samples(metas(bucket))).as("killed %s", as).isEqualTo(whole);
                Map<String, byte[]> left = copy();
                Set<String> complete = metas(bucket).keySet().stream().map(Ulid::toString).collect(Collectors.toSet());
                compact(bucket, options);
                Map<String, byte[]> after = copy();
                left.forEach((key, bytes) -> {
                    if (complete.contains(key.substring(0, Ulid.LENGTH))) {
                        assertThat(after.get(key)).as("%s after a run that followed one killed %s", key, as).isEqualTo(bytes);
                    }
                });
                Durable.deleteTree(options.dataDirectory());
                assertThat(samples(metas(bucket))).as("finished after killed %s", as).isEqualTo(whole);
                assertThat(describe(metas(bucket))).as("finished after killed %s", as).isEqualTo(want);
            }
        }
    }

    /**
     * The rest of an iteration likewise: downsampling to both resolutions, marking by retention, deleting what was marked, and what was never
     * finished. Every block with a {@code meta.json}, marked or not, can be read whole; what is not to go is there with all its samples.
     */
    @Test
    void killedAnywhereWhileItDownsamplesAndDeletesTheBucketStaysWholeAndTheNextRunFinishes() throws Exception {
        block(STREAM, 0, 14 * 24, 1);
        Ulid outlived = block(Labels.of("cluster", "outlived"), 0, 2, 1);
        Ulid marked = block(Labels.of("cluster", "marked"), 8, 10, 1);
        BlockMarks.write(bucket, new BlockMark(BlockMark.Kind.DELETION, marked, "", NOW.getEpochSecond() - 200_000, ""));
        Ulid unfinished = Ulid.of(START, random);
        bucket.upload(unfinished + "/index", ObjectBody.of(new byte[10]));
        Map<String, byte[]> initial = copy();
        Map<String, TreeMap<Long, Double>> whole = samples(metas(bucket));
        Map<String, TreeMap<Long, Double>> kept = new TreeMap<>(whole);
        kept.keySet().removeIf(series -> series.contains("outlived"));
        RetentionRules rules = new RetentionRules(Duration.ofDays(53), Duration.ZERO, Duration.ZERO);
        DyingBucket immortal = new DyingBucket(changed(directory(initial, "immortal"), -3), 0, DyingBucket.Point.BEFORE);
        compact(immortal, options().withRetention(rules));
        assertThat(describe(metas(immortal))).containsExactly(STREAM + " 0 0-336 L1 of 1", STREAM + " 300000 0-336 L1 of 1",
                STREAM + " 3600000 0-336 L1 of 1");
        bucket = immortal;
        assertThat(present()).hasSize(4).contains(outlived).doesNotContain(marked, unfinished);
        List<String> want = describe(metas(immortal));
        long operations = immortal.operations();
        for (DyingBucket.Point point : DyingBucket.Point.values()) {
            for (long n = 1; n <= operations; n++) {
                String as = point + " operation " + n;
                Path root = changed(directory(initial, point + "-" + n), -3);
                CompactOptions options = options().withRetention(rules);
                DyingBucket dying = new DyingBucket(root, n, point);
                try {
                    compact(dying, options);
                } catch (DyingBucket.Died | RuntimeException e) {
                    // What counts is what it leaves.
                }
                bucket = new FilesystemBucket(root);
                assertThat(readable()).as("readable after killed %s", as).isGreaterThan(0);
                assertThat(List.of(whole, kept).contains(samples(metas(bucket)))).as("samples after killed %s", as).isTrue();
                // The next one comes so much later that what was begun by this one is given up, and its marks are due.
                changed(root, 0);
                compactor(bucket, options, List.of(), NOW.plus(Duration.ofDays(3))).iterate();
                assertThat(readable()).as("readable after one that followed one killed %s", as)
                        .isEqualTo(3 + (present().contains(outlived) ? 1 : 0));
                compactor(bucket, options, List.of(), NOW.plus(Duration.ofDays(6))).iterate();
                assertThat(samples(metas(bucket)).equals(kept)).as("samples when finished after killed %s", as).isTrue();
                assertThat(describe(metas(bucket))).as("finished after killed %s", as).isEqualTo(want);
                assertThat(present()).as("nothing else is left after killed %s", as).isEqualTo(metas(bucket).keySet());
                Durable.deleteTree(options.dataDirectory());
                Durable.deleteTree(root);
            }
        }
    }

    /** Checks all blocks that have a {@code meta.json}, marked or not; how many there are. */
    private int readable() {
        Set<Ulid> ids = new TreeSet<>();
        bucket.listRecursive("", o -> {
            if (o.key().endsWith("/" + BlockMeta.FILE)) {
                ids.add(Ulid.of(o.key().substring(0, Ulid.LENGTH)));
            }
        });
        for (Ulid id : ids) {
            Path local = dir.resolve("read-" + directories++);
            new BlockDownloader(bucket, 1).download(id, local);
            BlockVerifier.verify(local);
        }
        return ids.size();
    }

    /** Dates all files of a bucket. */
    private static Path changed(Path root, int days) throws IOException {
        try (Stream<Path> files = Files.walk(root)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                Files.setLastModifiedTime(file, FileTime.from(NOW.plus(Duration.ofDays(days))));
            }
        }
        return root;
    }

    private Path directory(Map<String, byte[]> objects, String name) throws IOException {
        Path root = dir.resolve("bucket-" + name);
        for (Map.Entry<String, byte[]> o : objects.entrySet()) {
            Path file = root.resolve(o.getKey());
            Files.createDirectories(file.getParent());
            Files.write(file, o.getValue());
        }
        return root;
    }

    private Map<String, byte[]> copy() {
        Map<String, byte[]> copy = new HashMap<>();
        bucket.listRecursive("", o -> {
            try (var in = bucket.open(o.key())) {
                copy.put(o.key(), in.readAllBytes());
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
        });
        return copy;
    }

    private Bucket restore(Map<String, byte[]> objects) {
        newBucket();
        objects.forEach((key, bytes) -> bucket.upload(key, ObjectBody.of(bytes)));
        return bucket;
    }

    @Test
    void overlapsHaltUnlessTheyAreWanted() {
        block(STREAM, 0, 2, 1);
        block(STREAM, 1, 3, 1);
        block(STREAM, 4, 6, 1);
        assertThatThrownBy(() -> compact(bucket, options())).isInstanceOf(CorruptDataException.class)
                .hasMessageContaining("pre compaction overlap check");
        Map<String, TreeMap<Long, Double>> before = samples(metas(bucket));
        compact(bucket, options().withVertical(true, false));
        assertThat(describe(metas(bucket))).containsExactly(STREAM + " 0 0-3 L2 of 2", STREAM + " 0 4-6 L1 of 1");
        assertThat(samples(metas(bucket))).isEqualTo(before);
    }

    @Test
    void replicasBecomeOneStream() {
        Labels other = Labels.of("cluster", "eu", "replica", "b");
        block(STREAM, 0, 2, 1);
        block(other, 0, 2, 1);
        block(STREAM, 2, 4, 1);
        compactor(bucket, options().withVertical(true, true), List.of("replica"), NOW).iterate();
        assertThat(describe(metas(bucket))).containsExactly(STREAM + " 0 2-4 L1 of 1", Labels.of("cluster", "eu") + " 0 0-2 L2 of 2");
    }

    @Test
    void retentionMarksByResolution() {
        fourDays();
        compact(bucket, options());
        RetentionRules rules = new RetentionRules(Duration.ofDays(50), Duration.ZERO, Duration.ZERO);
        compact(bucket, options().withRetention(rules));
        assertThat(describe(metas(bucket))).containsExactly(STREAM + " 300000 0-48 L3 of 24", STREAM + " 300000 48-96 L3 of 24");
    }

    @Test
    void uploadsThatWereGivenUpAreDeleted() {
        block(STREAM, 0, 2, 1);
        Ulid old = Ulid.of(START, random);
        bucket.upload(old + "/index", ObjectBody.of(new byte[10]));
        compact(bucket, options());
        assertThat(bucket.find(old + "/index")).isPresent();
        compactor(bucket, options(), List.of(), NOW.plus(Duration.ofDays(3))).iterate();
        assertThat(bucket.find(old + "/index")).isEmpty();
    }

    @Test
    void marksAreRespected() {
        Ulid first = block(STREAM, 0, 2, 1);
        block(STREAM, 2, 4, 1);
        block(STREAM, 4, 6, 1);
        block(STREAM, 8, 10, 1);
        block(STREAM, 10, 12, 1);
        BlockMarks.write(bucket, new BlockMark(BlockMark.Kind.NO_COMPACT, first, "", NOW.getEpochSecond(), "manual"));
        compact(bucket, options());
        assertThat(describe(metas(bucket))).containsExactlyInAnyOrder(STREAM + " 0 0-2 L1 of 1", STREAM + " 0 2-6 L2 of 2",
                STREAM + " 0 8-10 L1 of 1",
                STREAM + " 0 10-12 L1 of 1");
    }

    @Test
    void aBlockWithAMarkerThatCannotBeReadIsLeftAlone() {
        for (BlockMark.Kind kind : BlockMark.Kind.values()) {
            for (String marker : List.of("{\"id\":", "[]", "{\"version\":2}", "{\"version\":1,\"id\":\"x\"}",
                    "{\"version\":1,\"id\":\"01ARZ3NDEKTSV4RRFFQ69G5FAV\",\"" + kind.file().replace("-mark.json", "").replace('-', '_')
                            + "_time\":\"yesterday\",\"deletion_time\":\"\"}")) {
                newBucket();
                Ulid bad = block(STREAM, 0, 2, 1);
                block(STREAM, 2, 4, 1);
                block(STREAM, 4, 6, 1);
                Ulid large = block(STREAM, 8, 56, 1);
                block(STREAM, 56, 58, 1);
                for (Ulid id : List.of(bad, large)) {
                    bucket.upload(BlockMark.key(id, kind), ObjectBody.of(marker.getBytes(java.nio.charset.StandardCharsets.UTF_8)));
                }
                Map<String, byte[]> before = copy();
                RetentionRules rules = new RetentionRules(Duration.ofDays(41), Duration.ZERO, Duration.ZERO);
                for (int days : new int[]{0, 6}) {
                    compactor(bucket, options().withRetention(rules), List.of(), NOW.plus(Duration.ofDays(days))).iterate();
                }
                Map<String, byte[]> after = copy();
                before.keySet().removeIf(key -> !key.startsWith(bad.toString()) && !key.startsWith(large.toString()));
                assertThat(after).as("%s %s", kind, marker).containsAllEntriesOf(before);
                // Nothing was made of them: neither a compacted nor a downsampled block.
                assertThat(after.keySet().stream().map(k -> k.substring(0, Ulid.LENGTH)).distinct()).containsExactlyInAnyOrder(
                        bad.toString(),
                        large.toString());
            }
        }
    }

    @Test
    void memoryThatGrowsWithTheInputIsReservedAndGivenBack() {
        fourDays();
        memory = new MemoryPool(100_000, "limit of this test");
        List<String> before = describe(metas(bucket));
        assertThatThrownBy(() -> compact(bucket, options())).isInstanceOf(LimitExceededException.class)
                .hasMessageContaining("limit of this test");
        assertThat(memory.used()).isZero();
        assertThat(describe(metas(bucket))).isEqualTo(before);
        memory = new MemoryPool(64 << 20, "limit of this test");
        compact(bucket, options());
        assertThat(memory.used()).isZero();
        assertThat(describe(metas(bucket))).hasSize(6);
    }

    @Test
    void aDamagedBlockStopsItsStreamAndNamesIt() {
        block(STREAM, 0, 2, 1);
        Ulid bad = block(STREAM, 2, 4, 1);
        block(STREAM, 4, 6, 1);
        block(STREAM, 8, 10, 1);
        block(STREAM, 10, 12, 1);
        byte[] index = copy().get(bad + "/index");
        bucket.upload(bad + "/index", ObjectBody.of(java.util.Arrays.copyOf(index, index.length)));
        byte[] chunk = copy().get(bad + "/chunks/000001");
        chunk[chunk.length / 2] ^= 1;
        bucket.upload(bad + "/chunks/000001", ObjectBody.of(chunk));
        Map<Ulid, BlockMeta> before = metas(bucket);
        assertThatThrownBy(() -> compact(bucket, options())).isInstanceOf(CorruptDataException.class).hasMessageContaining(bad.toString());
        assertThat(metas(bucket)).isEqualTo(before);
    }

    private static List<Chunk> chunks(long... times) {
        List<Chunk> chunks = new ArrayList<>();
        ChunkAppender appender = ChunkAppender.plain(2, chunks::add);
        for (long t : times) {
            appender.append(t, t);
        }
        appender.cut();
        return chunks;
    }

    /** The fault of old Prometheus versions: a chunk of the next block's samples, which that block has too. */
    @Test
    void aChunkThatBeginsAtItsBlocksEndIsTakenOutAndTheStreamGoesOn() {
        long end = START + 2 * HOUR;
        Ulid broken = block(STREAM, 0, 2, 1, chunks(end - 60_000, end - 30_000, end, end + 30_000));
        for (int h = 2; h < 10; h += 2) {
            block(STREAM, h, h + 2, 1, chunks(START + h * HOUR, START + h * HOUR + 30_000));
        }
        compact(bucket, options());
        Map<Ulid, BlockMeta> metas = metas(bucket);
        assertThat(metas).doesNotContainKey(broken);
        assertThat(describe(metas)).containsExactly(STREAM + " 0 0-8 L2 of 4", STREAM + " 0 8-10 L1 of 1");
        assertThat(samples(metas).get(STREAM + " {__name__=\"c_total\"}")).hasSize(2 + 4 * 2);
        // Wholly outside, or partly, is no known fault.
        for (long[] times : List.of(new long[]{end + 1, end + 30_000}, new long[]{end - 1, end + 1})) {
            newBucket();
            Ulid other = block(STREAM, 0, 2, 1, chunks(times));
            for (int h = 2; h < 10; h += 2) {
                block(STREAM, h, h + 2, 1);
            }
            assertThatThrownBy(() -> compact(bucket, options())).isInstanceOf(CorruptDataException.class)
                    .hasMessageContaining(other.toString())
                    .hasMessageContaining("outside the block time range");
        }
    }

    @Test
    void todoCountsWhatWillBeDone() {
        fourDays();
        Compactor c = compactor(bucket, options(), List.of(), NOW);
        Compactor.Todo todo = c.todo();
        assertThat(todo.compactions()).isEqualTo(14);
        c.iterate();
        assertThat(c.todo()).isEqualTo(new Compactor.Todo(0, 0, 0, 0));
    }

    @Test
    void chunksStayXor() throws Exception {
        block(STREAM, 0, 2, 1);
        block(STREAM, 2, 4, 1);
        block(STREAM, 8, 10, 1);
        block(STREAM, 10, 12, 1);
        compact(bucket, options());
        BlockMeta merged = metas(bucket).values().stream().filter(m -> m.compaction().level() == 2).findFirst().orElseThrow();
        Path local = dir.resolve("merged");
        new BlockDownloader(bucket, 1).download(merged.ulid(), local);
        try (BlockReader reader = BlockReader.open(local); ChunkSeriesSet all = reader.stored()) {
            ChunkSeries s = all.next();
            assertThat(s).isNotNull();
            assertThat(s.chunks()).allMatch(c -> c.encoding() == Encoding.XOR);
        }
        assertThat(Files.exists(local.resolve("meta.json"))).isTrue();
    }
}

package io.varve.storegateway;

import io.varve.chunk.Chunk;
import io.varve.chunk.ChunkAppender;
import io.varve.model.Labels;
import io.varve.model.Matcher;
import io.varve.model.XxHash64;
import io.varve.objstore.Bucket;
import io.varve.objstore.ObjectBody;
import io.varve.store.SeriesRequest;
import io.varve.store.ShardInfo;
import io.varve.store.StoreChunk;
import io.varve.testkit.TempTree;
import io.varve.tsdb.BlockMeta;
import io.varve.tsdb.BlockWriter;
import io.varve.tsdb.Ulid;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import java.util.random.RandomGenerator;
import java.util.stream.Stream;

/** Blocks made of what a test says, in a bucket and, as the slow twin, in memory. */
final class TestBlocks {
    /** A block as it is known to be. */
    record Made(BlockMeta meta, TreeMap<Labels, List<Chunk>> series) {
    }

    final List<Made> blocks = new ArrayList<>();
    private final Bucket bucket;

    TestBlocks(Bucket bucket) {
        this.bucket = bucket;
    }

    /** Writes a block into the bucket. */
    Made put(Ulid id, Labels external, long minTime, long maxTime, TreeMap<Labels, List<Chunk>> series, long segmentBytes, boolean stats) {
        return put(id, external, 0, minTime, maxTime, series, segmentBytes, stats);
    }

    /** Writes a block that says of itself that it has this resolution. */
    Made put(Ulid id, Labels external, long resolution, long minTime, long maxTime, TreeMap<Labels, List<Chunk>> series, long segmentBytes,
            boolean stats) {
        try (TempTree tmp = TempTree.create(); BlockWriter w = BlockWriter.create(tmp.root(), id, segmentBytes)) {
            series.forEach(w::add);
            BlockMeta meta = w.commit(s -> new BlockMeta(id, minTime, maxTime, s, BlockMeta.Compaction.fresh(id))
                    .withThanos(BlockMeta.Thanos.of(external, resolution, "test")
                            .withIndexStats(stats ? w.indexStats() : BlockMeta.IndexStats.UNKNOWN)));
            Path dir = tmp.resolve(id.toString());
            try (Stream<Path> files = Files.walk(dir)) {
                for (Path p : (Iterable<Path>) files.filter(Files::isRegularFile)::iterator) {
                    String name = dir.relativize(p).toString();
                    if (!name.equals("tombstones")) {
                        bucket.upload(id + "/" + name, ObjectBody.of(Files.readAllBytes(p)));
                    }
                }
            }
            Made made = new Made(meta, series);
            blocks.add(made);
            return made;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Chunks of {@code samples} floats, a step apart, from {@code start} on. */
    static List<Chunk> floats(long start, long step, int samples, int perChunk, RandomGenerator random) {
        List<Chunk> out = new ArrayList<>();
        ChunkAppender a = ChunkAppender.plain(perChunk, out::add);
        double v = random.nextInt(1000);
        for (int i = 0; i < samples; i++) {
            v += random.nextInt(3) == 0 ? random.nextGaussian() : 1;
            a.append(start + i * step, v);
        }
        a.cut();
        return out;
    }

    /** Values of labels that no matcher asks for by name: enough that a table of symbols has several parts, and letters whose orders differ. */
    private static String anyValue(RandomGenerator random) {
        return switch (random.nextInt(6)) {
            case 0 -> "\uFFFD" + random.nextInt(3);
            case 1 -> "\uD83D\uDE00" + random.nextInt(3);
            case 2 -> "ü".repeat(1 + random.nextInt(70));
            default -> "w" + random.nextInt(500);
        };
    }

    static final String[] NAMES = {"__name__", "a", "ab", "code", "instance", "job", "le", "pod", "zone", "Z", "ü"};

    /** A few blocks of a few streams with anything in them. */
    static TestBlocks random(Bucket bucket, RandomGenerator random) {
        TestBlocks out = new TestBlocks(bucket);
        int n = 1 + random.nextInt(4);
        for (int b = 0; b < n; b++) {
            long min = random.nextInt(4) * 1000_000L;
            long length = 1000_000;
            TreeMap<Labels, List<Chunk>> series = new TreeMap<>();
            int count = 1 + random.nextInt(random.nextInt(6) == 0 ? 300 : 30);
            for (int i = 0; i < count; i++) {
                Labels.Builder l = new Labels.Builder();
                for (String name : NAMES) {
                    if (random.nextInt(3) == 0 || name.equals("__name__") && random.nextInt(20) != 0) {
                        boolean any = random.nextInt(5) == 0 && !name.equals("__name__");
                        l.set(name, any ? anyValue(random) : "v" + random.nextInt(name.equals("__name__") ? 4 : 6));
                    }
                }
                int samples = 1 + random.nextInt(200);
                long step = Math.max(1, length / (samples + 1 + random.nextInt(3)));
                long start = min + random.nextInt((int) Math.max(1, length - step * samples));
                series.put(l.build(), floats(start, step, samples, 1 + random.nextInt(60), random));
            }
            Labels.Builder external = new Labels.Builder();
            boolean bare = random.nextInt(6) == 0;
            for (String name : new String[]{"cluster", "replica", "job", "aa"}) {
                if (random.nextInt(3) != 0 && !bare) {
                    external.set(name, "v" + random.nextInt(2));
                }
            }
            // A block and its like in another place hold the same series, of other times or the same, or some of them.
            TreeMap<Labels, List<Chunk>> others = out.blocks.isEmpty() ? series : out.blocks.getFirst().series;
            if (random.nextInt(3) == 0 && !out.blocks.isEmpty()) {
                min = out.blocks.getFirst().meta.minTime();
                series.clear();
                others.forEach((labels, chunks) -> {
                    if (random.nextInt(4) != 0) {
                        series.put(labels, chunks);
                    }
                });
                series.putIfAbsent(others.firstKey(), others.firstEntry().getValue());
            }
            out.put(Ulid.of(1_700_000_000_000L + b, random), external.build(), min, min + length, series,
                    random.nextBoolean() ? BlockWriter.SEGMENT_BYTES : 2000, random.nextBoolean());
        }
        return out;
    }

    static Matcher matcher(RandomGenerator random) {
        String name = random.nextInt(4) == 0
                ? new String[]{"cluster", "replica", "job", "aa", "none"}[random.nextInt(5)]
                : NAMES[random.nextInt(NAMES.length)];
        Matcher.Type type = Matcher.Type.values()[random.nextInt(4)];
        boolean regex = type == Matcher.Type.REGEX || type == Matcher.Type.NOT_REGEX;
        String[] values = regex
                ? new String[]{".*", ".+", "v[0-2]", "v1|v2", "", "v.*", "|v1", "x", "v(1|3)"}
                : new String[]{"v0", "v1", "v2", "", "x"};
        return Matcher.of(type, name, values[random.nextInt(values.length)]);
    }

    /** The answer, worked out the simple way. */
    List<TestGateway.Line> expected(SeriesRequest q) {
        TreeMap<Labels, List<StoreChunk>> all = new TreeMap<>();
        for (Made b : blocks) {
            Labels external = b.meta.externalLabels();
            if (!b.meta.overlaps(q.minTime(), q.maxTime())) {
                continue;
            }
            List<Matcher> left = q.matchers().stream().filter(m -> !external.has(m.name())).toList();
            boolean match = q.matchers().stream().filter(m -> external.has(m.name())).allMatch(m -> m.matches(external.get(m.name())));
            match &= q.blockMatchers().stream()
                    .allMatch(m -> m.matches(m.name().equals("__block_id") ? b.meta.ulid().toString() : external.get(m.name())));
            if (!match || left.isEmpty()) {
                continue;
            }
            b.series.forEach((labels, chunks) -> {
                if (!left.stream().allMatch(m -> m.matches(labels.get(m.name())))) {
                    return;
                }
                Labels answered = labels.overriddenBy(external).without(q.withoutReplicaLabels());
                if (q.shard().total() > 0 && !inShard(answered, q.shard())) {
                    return;
                }
                List<Chunk> wanted = chunks.stream().filter(c -> c.maxTime() >= q.minTime() && c.minTime() <= q.maxTime()).toList();
                if (!wanted.isEmpty()) {
                    List<StoreChunk> into = all.computeIfAbsent(answered, k -> new ArrayList<>());
                    if (!q.skipChunks()) {
                        wanted.forEach(c -> into.add(StoreChunk.raw(c)));
                    }
                }
            });
        }
        List<TestGateway.Line> out = new ArrayList<>();
        all.forEach((labels, chunks) -> out
                .add(new TestGateway.Line(labels, chunks.stream().map(TestGateway::text).distinct().sorted().toList())));
        return q.limit() > 0 && out.size() > q.limit() ? out.subList(0, (int) q.limit()) : out;
    }

    private static boolean inShard(Labels labels, ShardInfo shard) {
        ByteArrayOutputStream hashed = new ByteArrayOutputStream();
        labels.forEach((name, value) -> {
            if (shard.labels().contains(name) == shard.by()) {
                hashed.writeBytes(name.getBytes(StandardCharsets.UTF_8));
                hashed.write(0xFF);
                hashed.writeBytes(value.getBytes(StandardCharsets.UTF_8));
                hashed.write(0xFF);
            }
        });
        return Long.remainderUnsigned(XxHash64.hash(hashed.toByteArray()), shard.total()) == shard.index();
    }
}

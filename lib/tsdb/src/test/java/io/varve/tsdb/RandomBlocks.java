package io.varve.tsdb;

import io.varve.chunk.Chunk;
import io.varve.chunk.ChunkAppender;
import io.varve.model.Labels;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.random.RandomGenerator;

/** Random series as a plain model, and blocks of them. */
final class RandomBlocks {
    private static final List<String> NAMES = List.of("__name__", "job", "instance", "zone", "é", "a.b", "\uD83D\uDE00", "\uFB01x");

    private RandomBlocks() {
    }

    private static String value(RandomGenerator random) {
        return switch (random.nextInt(8)) {
            case 0 -> "x".repeat(1 + random.nextInt(200));
            case 1 -> "ü" + random.nextInt(5);
            case 2 -> "\uD83D\uDE00" + random.nextInt(3);
            case 3 -> "\uFFFD\n\"" + random.nextInt(3);
            default -> "v" + random.nextInt(50);
        };
    }

    private static double sample(RandomGenerator random) {
        return switch (random.nextInt(7)) {
            case 0 -> Double.longBitsToDouble(random.nextLong());
            case 1 -> Double.longBitsToDouble(0x7ff0000000000002L);
            case 2 -> random.nextBoolean() ? Double.NEGATIVE_INFINITY : -0.0;
            default -> random.nextInt(1000);
        };
    }

    /** Series with samples at times from {@code [min, max)}. */
    static TreeMap<Labels, TreeMap<Long, Double>> content(RandomGenerator random, int series, long min, long max) {
        TreeMap<Labels, TreeMap<Long, Double>> out = new TreeMap<>();
        for (int i = 0; i < series; i++) {
            Labels.Builder labels = new Labels.Builder().set("__name__", "m" + random.nextInt(5));
            for (int k = random.nextInt(5); k > 0; k--) {
                labels.set(NAMES.get(random.nextInt(NAMES.size())), value(random));
            }
            TreeMap<Long, Double> samples = new TreeMap<>();
            int n = 1 + (random.nextInt(5) == 0 ? random.nextInt(500) : random.nextInt(20));
            for (int s = 0; s < n; s++) {
                samples.put(random.nextLong(min, max), sample(random));
            }
            out.put(labels.build(), samples);
        }
        return out;
    }

    static List<Chunk> chunks(Map<Long, Double> samples, int perChunk) {
        List<Chunk> chunks = new ArrayList<>();
        ChunkAppender appender = ChunkAppender.plain(perChunk, chunks::add);
        samples.forEach(appender::append);
        appender.cut();
        return chunks;
    }

    static Path write(TreeMap<Labels, TreeMap<Long, Double>> content, Path parent, Ulid ulid) {
        return write(content, parent, ulid, 120, BlockWriter.SEGMENT_BYTES);
    }

    static Path write(TreeMap<Labels, TreeMap<Long, Double>> content, Path parent, Ulid ulid, int perChunk, long segmentBytes) {
        try (BlockWriter w = BlockWriter.create(parent, ulid, segmentBytes)) {
            content.forEach((labels, samples) -> w.add(labels, chunks(samples, perChunk)));
            w.commit(new BlockMeta(ulid, w.minTime(), w.maxTime() + 1, BlockMeta.Stats.EMPTY, BlockMeta.Compaction.fresh(ulid)));
        }
        return parent.resolve(ulid.toString());
    }
}

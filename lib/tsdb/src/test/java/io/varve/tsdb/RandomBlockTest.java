package io.varve.tsdb;

import static org.assertj.core.api.Assertions.assertThat;

import io.varve.model.Labels;
import io.varve.model.Matcher;
import io.varve.model.QueryContext;
import io.varve.model.SampleBuffer;
import io.varve.model.SelectHints;
import io.varve.model.Series;
import io.varve.model.SeriesSet;
import io.varve.testkit.Seeds;
import io.varve.testkit.TempTree;
import io.varve.tsdb.index.Postings;
import io.varve.tsdb.index.SeriesEntry;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

class RandomBlockTest {
    /** Bit by bit; plain loops, because there are many samples. */
    private static void assertSame(TreeMap<Labels, TreeMap<Long, Double>> got, TreeMap<Labels, TreeMap<Long, Double>> want) {
        assertThat(got.keySet()).isEqualTo(want.keySet());
        want.forEach((labels, samples) -> {
            TreeMap<Long, Double> other = got.get(labels);
            boolean same = other.size() == samples.size();
            for (var e : samples.entrySet()) {
                Double v = other.get(e.getKey());
                same &= v != null && Double.doubleToRawLongBits(v) == Double.doubleToRawLongBits(e.getValue());
            }
            if (!same) {
                assertThat(other).as(labels.toString()).isEqualTo(samples);
            }
        });
    }

    @Test
    void whatIsWrittenIsReadAndSoundAndTheSameAgain() {
        Seeds.forEach(15, random -> {
            try (TempTree tmp = TempTree.create()) {
                long min = random.nextInt(3) == 0 ? -5_000_000 : random.nextInt(3) == 0 ? Long.MIN_VALUE / 4 : 1_700_000_000_000L;
                long max = min + (random.nextInt(4) == 0 ? Long.MAX_VALUE / 8 : 7_200_000);
                var content = RandomBlocks.content(random, 1 + random.nextInt(200), min, max);
                int perChunk = 1 + random.nextInt(200);
                long segment = random.nextBoolean() ? BlockWriter.SEGMENT_BYTES : 300 + random.nextInt(5000);
                Path block = RandomBlocks.write(content, tmp.resolve("a"), new Ulid(1, 1), perChunk, segment);
                Path again = RandomBlocks.write(content, tmp.resolve("b"), new Ulid(1, 1), perChunk, segment);
                BlockVerifier.Report r = BlockVerifier.verify(block);
                assertThat(r.unusedSymbols()).isZero();
                try (BlockReader b = BlockReader.open(block)) {
                    assertSame(BlockContent.samples(b), content);
                    matchersAgree(b, content, random);
                    sameFiles(block, again);
                }
            }
        });
    }

    private static void sameFiles(Path a, Path b) throws IOException {
        for (Path f : GoldenBlocks.list(a.resolve("chunks"))) {
            assertThat(Files.readAllBytes(b.resolve("chunks").resolve(f.getFileName()))).isEqualTo(Files.readAllBytes(f));
        }
        for (String f : List.of("index", "meta.json", "tombstones")) {
            assertThat(Files.readAllBytes(b.resolve(f))).isEqualTo(Files.readAllBytes(a.resolve(f)));
        }
    }

    /** Compares postings and label queries with matching every series. */
    private static void matchersAgree(BlockReader b, TreeMap<Labels, TreeMap<Long, Double>> content, RandomGenerator random) {
        String[] values = {"", "v1", "v2", "m1", "m2", ".*", ".+", "v.*", "v1|v2|v3", "m[12]", "|v1", "(?i:V1)", "x+", "nothing", "v(1|2)?",
                "[^v].*"};
        String[] names = {"__name__", "job", "instance", "zone", "é", "missing"};
        for (int round = 0; round < 25; round++) {
            List<Matcher> matchers = new ArrayList<>();
            for (int k = random.nextInt(4); k >= 0; k--) {
                matchers.add(Matcher.of(Matcher.Type.values()[random.nextInt(4)], names[random.nextInt(names.length)],
                        values[random.nextInt(values.length)]));
            }
            List<Labels> want = content.keySet().stream().filter(l -> matchers.stream().allMatch(m -> m.matches(l.get(m.name())))).toList();
            List<Labels> got = new ArrayList<>();
            SeriesEntry e = new SeriesEntry();
            Postings p = b.index().postings(matchers);
            for (long id = p.next(); id != Postings.NO_MORE; id = p.next()) {
                b.index().series(id, e);
                got.add(b.index().labels(e));
            }
            assertThat(got).as(matchers.toString()).isEqualTo(want);
            TreeSet<String> wantNames = new TreeSet<>(io.varve.model.Utf8Order::compare);
            TreeSet<String> wantValues = new TreeSet<>(io.varve.model.Utf8Order::compare);
            String name = names[random.nextInt(names.length)];
            for (Labels l : want) {
                l.forEach((n, v) -> wantNames.add(n));
                if (l.has(name)) {
                    wantValues.add(l.get(name));
                }
            }
            assertThat(b.index().labelNames(matchers)).as(matchers.toString()).isEqualTo(List.copyOf(wantNames));
            assertThat(b.index().labelValues(name, matchers)).as(name + " " + matchers).isEqualTo(List.copyOf(wantValues));
        }
    }

    @Test
    void mergedBlocksHoldWhatTheirPartsHeld() {
        Seeds.forEach(12, random -> {
            try (TempTree tmp = TempTree.create()) {
                var all = RandomBlocks.content(random, 40, 1_000_000, 9_000_000);
                int n = 2 + random.nextInt(4);
                boolean overlapping = random.nextBoolean();
                List<BlockReader> blocks = new ArrayList<>();
                for (int i = 0; i < n; i++) {
                    var part = new TreeMap<Labels, TreeMap<Long, Double>>();
                    int block = i;
                    all.forEach((labels, samples) -> samples.forEach((t, v) -> {
                        // Every sample is in one block at least; in overlapping ones also in others, with the same value.
                        int owner = overlapping
                                ? Math.floorMod(labels.hashCode() ^ Long.hashCode(t), n)
                                : (int) ((t - 1_000_000) * n / 8_000_000);
                        if (owner == block || overlapping && (t ^ block) % 3 == 0) {
                            part.computeIfAbsent(labels, l -> new TreeMap<>()).put(t, v);
                        }
                    }));
                    if (!part.isEmpty()) {
                        blocks.add(BlockReader.open(
                                RandomBlocks.write(part, tmp.root(), new Ulid(1, i), 1 + random.nextInt(60), BlockWriter.SEGMENT_BYTES)));
                    }
                }
                BlockMeta meta = BlockMerger.merge(blocks, tmp.root(), new Ulid(2, 0), BlockMerger.Options.DEFAULT).orElseThrow();
                BlockVerifier.verify(tmp.resolve(meta.ulid().toString()));
                try (BlockReader merged = BlockReader.open(tmp.resolve(meta.ulid().toString()))) {
                    assertSame(BlockContent.samples(merged), all);
                }
                assertThat(meta.compaction().level()).isEqualTo(2);
                assertSame(queried(blocks), all);
                blocks.forEach(BlockReader::close);
            }
        });
    }

    private static TreeMap<Labels, TreeMap<Long, Double>> queried(List<BlockReader> blocks) {
        TreeMap<Labels, TreeMap<Long, Double>> out = new TreeMap<>();
        SampleBuffer b = new SampleBuffer(16);
        try (QueryContext context = QueryContext.unlimited();
                SeriesSet set = new LocalBlocks(blocks).select(context, SelectHints.of(Long.MIN_VALUE, Long.MAX_VALUE),
                        List.of(Matcher.of(Matcher.Type.REGEX, "__name__", ".+")))) {
            for (Series s = set.next(); s != null; s = set.next()) {
                b.clear();
                s.read(b);
                TreeMap<Long, Double> samples = new TreeMap<>();
                for (int i = 0; i < b.size; i++) {
                    if (i > 0 && b.timestamps[i] <= b.timestamps[i - 1]) {
                        throw new AssertionError("times do not rise at " + i);
                    }
                    samples.put(b.timestamps[i], b.values[i]);
                }
                out.put(s.labels(), samples);
            }
        }
        return out;
    }

    @Test
    void deletingAndTrimmingAgreeWithAModel() {
        Seeds.forEach(12, random -> {
            try (TempTree tmp = TempTree.create()) {
                var content = RandomBlocks.content(random, 20, 0, 10_000);
                Path path = RandomBlocks.write(content, tmp.root(), new Ulid(1, 1), 10, BlockWriter.SEGMENT_BYTES);
                var stones = new TreeMap<Long, Intervals>();
                var left = new TreeMap<Labels, TreeMap<Long, Double>>();
                long from = random.nextInt(2000);
                long to = 6000 + random.nextInt(4000);
                try (BlockReader b = BlockReader.open(path)) {
                    SeriesEntry e = new SeriesEntry();
                    Postings p = b.index().allPostings();
                    for (long id = p.next(); id != Postings.NO_MORE; id = p.next()) {
                        b.index().series(id, e);
                        Intervals deleted = Intervals.NONE;
                        for (int k = random.nextInt(4); k > 0; k--) {
                            long at = random.nextInt(10_000);
                            deleted = deleted.with(at, at + random.nextInt(3000));
                        }
                        if (deleted.size() > 0) {
                            stones.put(id, deleted);
                        }
                        Intervals d = deleted;
                        TreeMap<Long, Double> kept = new TreeMap<>(content.get(b.index().labels(e)));
                        kept.keySet().removeIf(t -> d.contains(t) || t < from || t > to);
                        if (!kept.isEmpty()) {
                            left.put(b.index().labels(e), kept);
                        }
                    }
                }
                byte[] file = Tombstones.of(stones).encode();
                assertThat(Tombstones.parse(file, "tombstones").bySeries()).isEqualTo(stones);
                Files.write(path.resolve(Tombstones.FILE), file);
                try (BlockReader b = BlockReader.open(path)) {
                    var meta = BlockMerger.write(List.of(b), tmp.root(), b.meta().withUlid(new Ulid(3, 3)).withRange(from, to + 1),
                            BlockMerger.Options.DEFAULT);
                    assertThat(meta.isPresent()).isEqualTo(!left.isEmpty());
                    if (meta.isPresent()) {
                        BlockVerifier.verify(tmp.resolve(new Ulid(3, 3).toString()));
                        try (BlockReader w = BlockReader.open(tmp.resolve(new Ulid(3, 3).toString()))) {
                            assertSame(BlockContent.samples(w), left);
                        }
                    }
                }
            }
        });
    }
}

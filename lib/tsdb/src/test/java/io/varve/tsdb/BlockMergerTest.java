package io.varve.tsdb;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.varve.chunk.Chunk;
import io.varve.chunk.ChunkDecoder;
import io.varve.chunk.ChunkSeries;
import io.varve.chunk.ChunkSeriesSet;
import io.varve.model.SampleBuffer;
import io.varve.testkit.Shared;
import io.varve.testkit.TempTree;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class BlockMergerTest {
    private static List<BlockReader> open(String... cases) {
        List<BlockReader> out = new ArrayList<>();
        for (String c : cases) {
            out.add(BlockReader.open(GoldenBlocks.get(c).directory()));
        }
        return out;
    }

    /** Says the first difference in words before bytes are compared. */
    private static void assertSame(Path got, Path want) throws IOException {
        try (BlockReader a = BlockReader.open(got);
                BlockReader b = BlockReader.open(want);
                ChunkSeriesSet x = a.stored();
                ChunkSeriesSet y = b.stored()) {
            List<String> different = new ArrayList<>();
            ChunkSeries t = y.next();
            for (ChunkSeries s = x.next(); s != null || t != null; s = x.next(), t = y.next()) {
                assertThat(s == null ? "" : s.labels().toString()).isEqualTo(t == null ? "" : t.labels().toString());
                if (s != null && t != null && !describe(s).equals(describe(t))) {
                    different.add(s.labels() + "\n   got " + describe(s) + "\n  want " + describe(t));
                }
            }
            assertThat(different).isEmpty();
            assertThat(a.meta().stats()).isEqualTo(b.meta().stats());
        }
        for (String f : List.of("index", "tombstones", "meta.json", "chunks/000001")) {
            assertThat(Files.readAllBytes(got.resolve(f))).as(f).isEqualTo(Files.readAllBytes(want.resolve(f)));
        }
    }

    private static List<String> describe(ChunkSeries s) {
        List<String> out = new ArrayList<>();
        for (Chunk c : s.chunks()) {
            SampleBuffer b = new SampleBuffer(16);
            ChunkDecoder.decode(c, b);
            long h = 0;
            for (int i = 0; i < b.size; i++) {
                h = h * 31 + b.timestamps[i];
                h = h * 31 + (b.histogram(i) == null ? Double.hashCode(b.values[i]) : 7);
            }
            out.add(c.minTime() + ".." + c.maxTime() + " " + c.encoding() + " n=" + b.size + " samples#" + Long.toHexString(h) + " bytes "
                    + c.length() + "#" + java.util.Arrays.hashCode(c.copyData()));
        }
        return out;
    }

    @Test
    void blocksThatFollowEachOtherBecomeWhatPrometheusMakesOfThem() throws IOException {
        assumeTrue(Shared.golden("blocks").isPresent());
        GoldenBlocks.Case want = GoldenBlocks.get("compact3/compacted");
        List<BlockReader> inputs = open("compact3/block-a", "compact3/block-b", "compact3/block-c");
        try (TempTree tmp = TempTree.create()) {
            BlockMeta meta = BlockMerger
                    .merge(inputs, tmp.root(), Ulid.of(want.directory().getFileName().toString()), BlockMerger.Options.DEFAULT)
                    .orElseThrow();
            assertSame(tmp.resolve(meta.ulid().toString()), want.directory());
        } finally {
            inputs.forEach(BlockReader::close);
        }
    }

    @Test
    void blocksThatOverlapBecomeWhatPrometheusMakesOfThem() throws IOException {
        assumeTrue(Shared.golden("blocks").isPresent());
        GoldenBlocks.Case want = GoldenBlocks.get("overlap/compacted");
        List<BlockReader> inputs = open("overlap/block-a", "overlap/block-b", "overlap/block-c");
        try (TempTree tmp = TempTree.create()) {
            BlockMeta meta = BlockMerger
                    .merge(inputs, tmp.root(), Ulid.of(want.directory().getFileName().toString()), BlockMerger.Options.DEFAULT)
                    .orElseThrow();
            assertSame(tmp.resolve(meta.ulid().toString()), want.directory());
        } finally {
            inputs.forEach(BlockReader::close);
        }
    }

    @Test
    void deletedSamplesAreCleanedAsPrometheusDoes() throws IOException {
        assumeTrue(Shared.golden("blocks").isPresent());
        GoldenBlocks.Case want = GoldenBlocks.get("tombstones/cleaned");
        try (TempTree tmp = TempTree.create(); BlockReader block = open("tombstones/block").getFirst()) {
            BlockMeta meta = BlockMerger
                    .clean(block, tmp.root(), Ulid.of(want.directory().getFileName().toString()), BlockMerger.Options.DEFAULT)
                    .orElseThrow();
            assertSame(tmp.resolve(meta.ulid().toString()), want.directory());
        }
    }

    @Test
    void samplesOutsideTheNewRangeAreLeftOut() {
        assumeTrue(Shared.golden("blocks").isPresent());
        try (TempTree tmp = TempTree.create(); BlockReader block = open("histograms/block").getFirst()) {
            BlockMeta old = block.meta();
            long from = old.minTime() + 1_234_567;
            long to = old.maxTime() - 1_234_567;
            BlockMeta meta = BlockMerger
                    .write(List.of(block), tmp.root(), old.withUlid(Ulid.ZERO).withRange(from, to), BlockMerger.Options.DEFAULT)
                    .orElseThrow();
            long expected = 0;
            SampleBuffer b = new SampleBuffer(100);
            try (ChunkSeriesSet set = block.stored()) {
                for (ChunkSeries s = set.next(); s != null; s = set.next()) {
                    for (Chunk c : s.chunks()) {
                        b.clear();
                        expected += ChunkDecoder.decode(c, from, to - 1, b);
                    }
                }
            }
            assertThat(meta.stats().samples()).isEqualTo(expected).isLessThan(old.stats().samples());
            assertThat(BlockMerger.write(List.of(block), tmp.root(), old.withUlid(new Ulid(0, 1)).withRange(5, 6),
                    BlockMerger.Options.DEFAULT))
                    .isEmpty();
            assertThat(GoldenBlocks.list(tmp.root())).hasSize(1);
        }
    }
}

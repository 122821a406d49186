package io.varve.tsdb;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.varve.chunk.ChunkSeriesSet;
import io.varve.model.Labels;
import io.varve.testkit.TempTree;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

class BlockWriterTest {
    /** Writes a golden block anew from its series and compares every file. */
    @Test
    void goldenBlocksAreWrittenToTheSameBytes() throws IOException {
        List<GoldenBlocks.Case> cases = GoldenBlocks.all();
        assumeTrue(!cases.isEmpty());
        int same = 0;
        for (GoldenBlocks.Case c : cases) {
            try (TempTree tmp = TempTree.create(); BlockReader block = BlockReader.open(c.directory())) {
                // The block with many segment files was cut at 64 KiB.
                long segment = block.segmentCount() > 1 ? 64 << 10 : BlockWriter.SEGMENT_BYTES;
                BlockMeta meta;
                try (BlockWriter writer = BlockWriter.create(tmp.root(), block.meta().ulid(), segment);
                        ChunkSeriesSet stored = block.stored()) {
                    block.index().symbols().forEach(writer::addSymbol);
                    writer.addAll(stored);
                    meta = writer.commit(block.meta());
                }
                Path written = tmp.resolve(meta.ulid().toString());
                if (block.index().version() == 1) {
                    assertThat(meta.stats().samples()).isEqualTo(102);
                    continue;
                }
                assertThat(meta.withStats(block.meta().stats())).isEqualTo(block.meta());
                assertThat(new BlockMeta.Stats(meta.stats().samples(), meta.stats().floatSamples(), meta.stats().histogramSamples(),
                        meta.stats().series(), meta.stats().chunks(), block.meta().stats().tombstones())).isEqualTo(block.meta().stats());
                for (Path f : GoldenBlocks.list(c.directory().resolve("chunks"))) {
                    assertThat(Files.readAllBytes(written.resolve("chunks").resolve(f.getFileName()))).as(c + " " + f.getFileName())
                            .isEqualTo(Files.readAllBytes(f));
                }
                assertThat(GoldenBlocks.list(written.resolve("chunks"))).hasSize(block.segmentCount());
                assertThat(Files.readAllBytes(written.resolve("index"))).as(c + " index")
                        .isEqualTo(Files.readAllBytes(c.directory().resolve("index")));
                assertThat(GoldenBlocks.list(written).stream().map(p -> p.getFileName().toString()))
                        .containsExactly("chunks", "index", "meta.json", "tombstones");
                assertThat(GoldenBlocks.list(tmp.root())).hasSize(1);
                same++;
            }
        }
        System.out.println("golden blocks written to the same bytes: " + same);
    }

    @Test
    void anUnfinishedBlockLeavesNothing() {
        try (TempTree tmp = TempTree.create()) {
            BlockWriter writer = BlockWriter.create(tmp.root(), Ulid.ZERO);
            writer.add(Labels.of("a", "b"), List.of());
            assertThat(GoldenBlocks.list(tmp.root())).hasSize(1);
            writer.close();
            assertThat(GoldenBlocks.list(tmp.root())).isEmpty();
        }
    }

    @Test
    void seriesOutOfOrderAreRefused() {
        try (TempTree tmp = TempTree.create(); BlockWriter writer = BlockWriter.create(tmp.root(), Ulid.ZERO)) {
            writer.add(Labels.of("a", "b"), List.of());
            assertThatThrownBy(() -> writer.add(Labels.of("a", "b"), List.of())).isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("label order");
        }
    }

    @Test
    void pairsFindTheirPlacesHoweverManySymbolsThereAre() {
        io.varve.testkit.Seeds.forEach(20, random -> {
            long[] keys = random.longs(random.nextInt(200), 0, 1 << 10).distinct().map(k -> (k >>> 5) << 32 | k & 31).toArray();
            long[] want = keys.clone();
            java.util.Arrays.sort(want);
            for (int ranks : new int[]{32, 1 << 22, Integer.MAX_VALUE}) {
                long[] sorted = new long[keys.length];
                int[] slot = IndexSpool.sort(keys, ranks, sorted);
                assertThat(sorted).isEqualTo(want);
                for (int i = 0; i < keys.length; i++) {
                    assertThat(sorted[slot[i]]).isEqualTo(keys[i]);
                }
            }
        });
    }
}

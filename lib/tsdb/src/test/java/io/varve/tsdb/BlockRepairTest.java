package io.varve.tsdb;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.varve.model.CorruptDataException;
import io.varve.model.Labels;
import io.varve.testkit.Shared;
import io.varve.testkit.TempTree;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

class BlockRepairTest {
    /** The second block of an odd bucket is the one with the fault. */
    private static Path odd(String name) {
        return GoldenBlocks.list(Shared.golden("thanos/buckets/odd/" + name + "/input").orElseThrow()).stream()
                .filter(p -> Files.exists(p.resolve("index"))).toList().get(1);
    }

    @Test
    void faultsThatThanosRepairsAreRepaired() {
        assumeTrue(Shared.golden("thanos/buckets/odd").isPresent());
        for (String name : List.of("chunks-outside", "chunks-duplicated-inside", "chunks-out-of-order", "labels-unsorted")) {
            Path broken = odd(name);
            assertThatThrownBy(() -> BlockVerifier.verify(broken)).as(name).isInstanceOf(CorruptDataException.class);
            try (TempTree tmp = TempTree.create(); BlockReader b = BlockReader.open(broken)) {
                BlockMeta meta = BlockRepair.repair(b, tmp.root(), new Ulid(7, 7), "compactor.repair").orElseThrow();
                BlockVerifier.Report r = BlockVerifier.verify(tmp.resolve(meta.ulid().toString()));
                assertThat(r.stats().series()).isPositive();
                assertThat(meta.thanosSection().orElseThrow().source()).isEqualTo("compactor.repair");
                assertThat(meta.compaction().sources()).isEqualTo(b.meta().compaction().sources());
            }
        }
    }

    @Test
    void chunksThatOverlapAndDifferAreRefused() {
        assumeTrue(Shared.golden("thanos/buckets/odd").isPresent());
        try (TempTree tmp = TempTree.create(); BlockReader b = BlockReader.open(odd("chunks-overlap-inside"))) {
            assertThat(IndexHealth.of(b).outOfOrderChunks()).isPositive();
            assertThatThrownBy(() -> BlockRepair.repair(b, tmp.root(), new Ulid(7, 7), "compactor.repair"))
                    .isInstanceOf(CorruptDataException.class).hasMessageContaining("overlap and differ");
            assertThat(GoldenBlocks.list(tmp.root())).isEmpty();
        }
    }

    @Test
    void chunksThatReachOutOfTheRangeAreRefused() {
        assumeTrue(Shared.golden("thanos/buckets/odd").isPresent());
        try (TempTree tmp = TempTree.create(); BlockReader b = BlockReader.open(odd("chunks-partly-outside"))) {
            assertThatThrownBy(() -> BlockRepair.repair(b, tmp.root(), new Ulid(7, 7), "compactor.repair"))
                    .isInstanceOf(CorruptDataException.class).hasMessageContaining("lies partly outside the block's range");
            assertThat(GoldenBlocks.list(tmp.root())).isEmpty();
        }
    }

    @Test
    void whatIsDeletedDoesNotComeBackAndOldSizesAreNotKept() throws IOException {
        try (TempTree tmp = TempTree.create()) {
            TreeMap<Labels, TreeMap<Long, Double>> content = new TreeMap<>();
            for (String name : List.of("a", "b", "c")) {
                TreeMap<Long, Double> samples = new TreeMap<>();
                for (long t = 1; t <= 10; t++) {
                    samples.put(t * 1000, (double) t);
                }
                content.put(Labels.of("__name__", name), samples);
            }
            Path block = RandomBlocks.write(content, tmp.root(), new Ulid(1, 1), 4, BlockWriter.SEGMENT_BYTES);
            try (BlockReader b = BlockReader.open(block)) {
                long[] ids = b.index().allPostings().toArray();
                Files.write(block.resolve(Tombstones.FILE),
                        Tombstones.of(Map.of(ids[0], Intervals.NONE.with(2000, 6000), ids[1], Intervals.NONE.with(0, 20_000)))
                                .encode());
                BlockMeta.Thanos section = BlockMeta.Thanos.of(Labels.of("r", "a"), 0, "sidecar").withFiles(List.of("000001"),
                        List.of(new BlockMeta.FileEntry("index", 5)));
                Files.write(block.resolve(BlockMeta.FILE), b.meta().withThanos(section).toJson());
            }
            try (BlockReader b = BlockReader.open(block)) {
                BlockMeta meta = BlockRepair.repair(b, tmp.root(), new Ulid(7, 7), "x").orElseThrow();
                BlockVerifier.verify(tmp.resolve(meta.ulid().toString()));
                assertThat(meta.stats().tombstones()).isZero();
                assertThat(meta.thanosSection().orElseThrow().files()).isEmpty();
                content.remove(Labels.of("__name__", "b"));
                content.firstEntry().getValue().keySet().removeIf(t -> t >= 2000 && t <= 6000);
                try (BlockReader repaired = BlockReader.open(tmp.resolve(meta.ulid().toString()))) {
                    assertThat(BlockContent.samples(repaired)).isEqualTo(content);
                }
            }
        }
    }

    @Test
    void healthCountsFaultsAsThanosDoes() {
        assumeTrue(Shared.golden("thanos/buckets/odd").isPresent());
        try (BlockReader outside = BlockReader.open(odd("chunks-outside"));
                BlockReader partly = BlockReader.open(odd("chunks-partly-outside"));
                BlockReader twice = BlockReader.open(odd("chunks-duplicated-inside"));
                BlockReader labels = BlockReader.open(odd("labels-unsorted"))) {
            assertThat(IndexHealth.of(outside).completeOutsideChunks()).isEqualTo(1);
            assertThat(IndexHealth.of(partly).outsideChunks()).isPositive();
            assertThat(IndexHealth.of(partly).completeOutsideChunks()).isZero();
            assertThat(IndexHealth.of(twice).duplicatedChunks()).isEqualTo(1);
            assertThat(IndexHealth.of(labels).outOfOrderLabels()).isPositive();
        }
    }
}

package io.varve.block;

import static org.assertj.core.api.Assertions.assertThat;

import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.model.Labels;
import io.varve.objstore.BucketOperation;
import io.varve.objstore.FaultyBucket;
import io.varve.objstore.MemoryBucket;
import io.varve.objstore.ObjectBody;
import io.varve.testkit.TempTree;
import io.varve.tsdb.BlockMeta;
import io.varve.tsdb.Ulid;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import org.junit.jupiter.api.Test;

class BlockSyncTest {
    private final MemoryBucket bucket = new MemoryBucket("test");
    private final FaultyBucket counted = FaultyBucket.counting(bucket);

    private BlockMeta put(int i, String labelValue) {
        Ulid id = Ulid.of(1_700_000_000_000L + i, new java.util.SplittableRandom(i));
        BlockMeta meta = new BlockMeta(id, i * 7200_000L, (i + 1) * 7200_000L, BlockMeta.Stats.EMPTY, BlockMeta.Compaction.fresh(id))
                .withThanos(BlockMeta.Thanos.of(Labels.of("cluster", labelValue), 0, "test"));
        bucket.upload(id + "/chunks/000001", ObjectBody.of(new byte[10]));
        bucket.upload(id + "/index", ObjectBody.of(new byte[20]));
        bucket.upload(id + "/meta.json", ObjectBody.of(meta.toJson()));
        return meta;
    }

    private BlockSync sync(TempTree tmp, BlockFilter... filters) {
        return new BlockSync(counted, tmp.resolve("meta-syncer"), 8, List.of(filters), Set.of(BlockMark.Kind.DELETION),
                new BlockMetrics(new PrometheusRegistry()), () -> 1_800_000_000_000L);
    }

    @Test
    void costsOneListingAndOneGetPerNewBlock() {
        try (TempTree tmp = TempTree.create()) {
            List<BlockMeta> metas = new ArrayList<>();
            for (int i = 0; i < 50; i++) {
                metas.add(put(i, "eu"));
            }
            BlockSync sync = sync(tmp);
            BlockCatalog catalog = sync.sync();
            assertThat(catalog.blocks().values().stream().map(CatalogBlock::meta).toList()).containsExactlyElementsOf(metas);
            assertThat(catalog.blocks().firstEntry().getValue().objects().indexSize()).isEqualTo(20);
            assertThat(catalog.blocks().firstEntry().getValue().objects().segmentSize(0)).isEqualTo(10);
            assertThat(counted.counts()).containsOnly(java.util.Map.entry(BucketOperation.ITER, 1L),
                    java.util.Map.entry(BucketOperation.GET, 50L));
            put(50, "eu");
            assertThat(sync.sync().blocks()).hasSize(51);
            assertThat(counted.counts()).containsEntry(BucketOperation.GET, 51L).containsEntry(BucketOperation.ITER, 2L);
            // A new process finds everything on its disk.
            assertThat(sync(tmp).sync().blocks()).hasSize(51);
            assertThat(counted.counts()).containsEntry(BucketOperation.GET, 51L).containsEntry(BucketOperation.ITER, 3L).hasSize(2);
        }
    }

    private static BlockFilter.Drop drop(BlockCatalog c, BlockMeta meta) {
        return Objects.requireNonNull(c.dropped().get(meta.ulid()));
    }

    @Test
    void leavesOutWhatIsBrokenAndSaysWhy() {
        try (TempTree tmp = TempTree.create()) {
            BlockMeta good = put(1, "eu");
            BlockMeta other = put(2, "eu");
            BlockMeta partial = put(3, "eu");
            bucket.delete(partial.ulid() + "/meta.json");
            bucket.upload(other.ulid() + "/meta.json", ObjectBody.of(good.toJson()));
            BlockMeta cut = put(4, "eu");
            bucket.upload(cut.ulid() + "/meta.json", ObjectBody.of("{\"ulid\":".getBytes(StandardCharsets.UTF_8)));
            BlockMeta future = put(5, "eu");
            bucket.upload(future.ulid() + "/meta.json", ObjectBody
                    .of(new String(future.toJson(), StandardCharsets.UTF_8).replace("\"version\": 1", "\"version\": 2")
                            .getBytes(StandardCharsets.UTF_8)));
            BlockMeta marked = put(6, "eu");
            bucket.upload(BlockMark.key(marked.ulid(), BlockMark.Kind.DELETION),
                    ObjectBody.of(new BlockMark(BlockMark.Kind.DELETION, marked.ulid(), "", 1_700_000_000L, "").toJson()));
            BlockMeta badMark = put(7, "eu");
            bucket.upload(BlockMark.key(badMark.ulid(), BlockMark.Kind.DELETION), ObjectBody.of(new byte[]{'x'}));
            bucket.upload("debug/metas/x.json", ObjectBody.of(new byte[1]));
            BlockCatalog c = sync(tmp, BlockFilters.ignoreDeletionMarks(86400_000)).sync();
            assertThat(c.blocks().keySet()).containsExactly(good.ulid(), badMark.ulid());
            assertThat(c.partial().keySet()).containsExactly(partial.ulid());
            assertThat(drop(c, partial).state()).isEqualTo(BlockState.NO_META);
            assertThat(drop(c, other).state()).isEqualTo(BlockState.CORRUPTED_META);
            assertThat(drop(c, other).detail()).contains("names block " + good.ulid());
            assertThat(drop(c, cut).state()).isEqualTo(BlockState.CORRUPTED_META);
            assertThat(drop(c, future).state()).isEqualTo(BlockState.FAILED);
            assertThat(drop(c, marked).state()).isEqualTo(BlockState.MARKED_FOR_DELETION);
            assertThat(c.incomplete()).isFalse();
            assertThat(c.counts()).containsEntry(BlockState.LOADED, 2).containsEntry(BlockState.CORRUPTED_META, 2);
        }
    }

    @Test
    void survivesAFailureOfAnyOneRead() {
        for (int i = 0; i < 5; i++) {
            put(i, "eu");
        }
        for (long n = 2; n <= 6; n++) {
            try (TempTree tmp = TempTree.create()) {
                FaultyBucket faulty = FaultyBucket.at(bucket, n, new FaultyBucket.Fault.Fail());
                BlockSync sync = new BlockSync(faulty, tmp.root(), 2, List.of(), Set.of(), new BlockMetrics(new PrometheusRegistry()),
                        () -> 0);
                BlockCatalog first = sync.sync();
                assertThat(first.blocks()).hasSize(4);
                assertThat(first.incomplete()).isTrue();
                BlockCatalog second = sync.sync();
                assertThat(second.blocks()).hasSize(5);
                assertThat(second.incomplete()).isFalse();
                assertThat(faulty.counts()).containsEntry(BucketOperation.GET, 6L);
            }
        }
    }
}

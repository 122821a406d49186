package io.varve.sidecar;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.block.BlockUploader;
import io.varve.model.InvalidRequestException;
import io.varve.model.Labels;
import io.varve.model.UnavailableException;
import io.varve.model.VarveException;
import io.varve.objstore.BucketWriter;
import io.varve.objstore.MemoryBucket;
import io.varve.objstore.ObjectBody;
import io.varve.tsdb.BlockMeta;
import io.varve.tsdb.Ulid;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ShipperTest {
    private static final Labels EXTERNAL = Labels.of("cluster", "x", "replica", "a");
    @TempDir
    Path tsdb;
    private final MemoryBucket bucket = new MemoryBucket("test");
    private final Random random = new Random(3);

    private Shipper shipper(BucketWriter to, boolean compacted, boolean outOfOrder, boolean skipCorrupted) {
        return new Shipper(
                new Shipper.Options(tsdb, "thanos.shipper.json", compacted, outOfOrder, skipCorrupted, BlockUploader.Hash.NONE, 0),
                to, () -> EXTERNAL, InstantSource.fixed(Instant.ofEpochSecond(1_800_000_000)), new PrometheusRegistry());
    }

    private Ulid block(long minTime, long maxTime, int level, long samples) throws IOException {
        Ulid id = Ulid.of(minTime + level, random);
        Path dir = tsdb.resolve(id.toString());
        Files.createDirectories(dir.resolve("chunks"));
        Files.writeString(dir.resolve("chunks/000001"), "chunks of " + id);
        Files.writeString(dir.resolve("index"), "index of " + id);
        Files.writeString(dir.resolve("tombstones"), "none");
        new BlockMeta(id, minTime, maxTime, new BlockMeta.Stats(samples, samples, 0, 1, 1, 0),
                new BlockMeta.Compaction(level, List.of(id), false, List.of(), false, List.of())).write(dir);
        return id;
    }

    private List<String> objects() {
        List<String> keys = new ArrayList<>();
        bucket.listRecursive("", o -> keys.add(o.key()));
        return keys;
    }

    private String read(String key) throws Exception {
        try (InputStream in = bucket.open(key)) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    @Test
    void shipsNewBlocksOldestFirstAndRemembersThem() throws Exception {
        Ulid second = block(7_200_000, 14_400_000, 1, 5);
        Ulid first = block(0, 7_200_000, 1, 5);
        block(14_400_000, 21_600_000, 1, 0);
        block(0, 14_400_000, 2, 5);
        Files.createDirectories(tsdb.resolve("wal"));
        Shipper shipper = shipper(bucket, false, false, false);
        assertThat(shipper.sync()).isEqualTo(2);
        assertThat(objects()).containsExactlyInAnyOrder(first + "/chunks/000001", first + "/index", first + "/meta.json",
                second + "/chunks/000001", second + "/index", second + "/meta.json");
        BlockMeta meta = BlockMeta.parse(read(first + "/meta.json").getBytes(StandardCharsets.UTF_8), "meta.json");
        assertThat(meta.externalLabels()).isEqualTo(EXTERNAL);
        assertThat(meta.thanosSection().orElseThrow().source()).isEqualTo("sidecar");
        assertThat(meta.thanosSection().orElseThrow().segmentFiles()).containsExactly("000001");
        assertThat(read(first + "/meta.json")).contains("\"index_stats\": {}").doesNotContain("\"version\": 1,\n\t\t\"labels\"");
        assertThat(Files.readString(tsdb.resolve("thanos.shipper.json")))
                .isEqualTo("{\n\t\"version\": 1,\n\t\"uploaded\": [\n\t\t\"" + first + "\",\n\t\t\"" + second + "\"\n\t]\n}\n");
        assertThat(tsdb.resolve("thanos/upload/" + first)).doesNotExist();
        assertThat(tsdb.resolve(first + "/meta.json")).content().doesNotContain("thanos");
        assertThat(shipper.sync()).isZero();
    }

    @Test
    void forgetsBlocksThatAreGoneAndFindsThoseAlreadyInTheBucket() throws Exception {
        Ulid gone = block(0, 10, 1, 5);
        Ulid stays = block(10, 20, 1, 5);
        shipper(bucket, false, false, false).sync();
        try (var files = Files.walk(tsdb.resolve(gone.toString()))) {
            for (Path p : files.sorted(java.util.Comparator.reverseOrder()).toList()) {
                Files.delete(p);
            }
        }
        Files.delete(tsdb.resolve("thanos.shipper.json"));
        assertThat(shipper(bucket, false, false, false).sync()).isZero();
        assertThat(ShipperState.read(tsdb.resolve("thanos.shipper.json"))).containsExactly(stays);
    }

    @Test
    void anUnreadableStateFileIsStartedAnew() throws Exception {
        Files.writeString(tsdb.resolve("thanos.shipper.json"), "{\"version\": 1, \"uploaded\": [\"no ulid\"");
        Ulid id = block(0, 10, 1, 5);
        assertThat(shipper(bucket, false, false, false).sync()).isEqualTo(1);
        assertThat(ShipperState.read(tsdb.resolve("thanos.shipper.json"))).containsExactly(id);
    }

    @Test
    void compactedBlocksGoOnlyWhereNothingOverlaps() throws Exception {
        Ulid level2 = block(0, 20, 2, 5);
        assertThat(shipper(bucket, true, false, false).sync()).isEqualTo(1);
        assertThat(objects()).contains(level2 + "/meta.json");
        block(5, 30, 3, 5);
        Shipper shipper = shipper(bucket, true, false, false);
        assertThatThrownBy(shipper::sync).isInstanceOf(InvalidRequestException.class).hasMessageContaining("overlap spotted: " + level2);
    }

    @Test
    void aFailureKeepsLaterBlocksBackUnlessToldOtherwise() throws Exception {
        Ulid first = block(0, 10, 1, 5);
        Ulid second = block(10, 20, 1, 5);
        BucketWriter failing = new FailingFor(bucket, first + "/index");
        assertThatThrownBy(() -> shipper(failing, false, false, false).sync()).isInstanceOf(UnavailableException.class);
        assertThat(objects()).noneMatch(k -> k.endsWith("meta.json"));
        assertThatThrownBy(() -> shipper(failing, false, true, false).sync()).isInstanceOf(UnavailableException.class)
                .hasMessageContaining("failed to sync 1 of 2 blocks");
        assertThat(objects()).contains(second + "/meta.json").doesNotContain(first + "/meta.json");
        assertThat(ShipperState.read(tsdb.resolve("thanos.shipper.json"))).containsExactly(second);
        assertThat(shipper(bucket, false, false, false).sync()).isEqualTo(1);
        assertThat(objects()).contains(first + "/meta.json");
    }

    @Test
    void aBlockThatCannotBeReadIsPassedOverOnDemand() throws Exception {
        Ulid broken = block(0, 10, 1, 5);
        Ulid good = block(10, 20, 1, 5);
        Files.writeString(tsdb.resolve(broken.toString()).resolve("meta.json"), "{");
        assertThatThrownBy(() -> shipper(bucket, false, false, false).sync()).isInstanceOf(VarveException.class);
        assertThat(shipper(bucket, false, false, true).sync()).isEqualTo(1);
        assertThat(objects()).contains(good + "/meta.json");
    }

    @Test
    void aBlockWithoutItsChunksIsNotShipped() throws Exception {
        Ulid broken = block(0, 10, 1, 5);
        Ulid good = block(10, 20, 1, 5);
        Files.delete(tsdb.resolve(broken + "/chunks/000001"));
        Files.delete(tsdb.resolve(broken + "/chunks"));
        PrometheusRegistry registry = new PrometheusRegistry();
        Shipper shipper = new Shipper(
                new Shipper.Options(tsdb, "thanos.shipper.json", false, false, false, BlockUploader.Hash.NONE, 0), bucket, () -> EXTERNAL,
                InstantSource.system(), registry);
        assertThatThrownBy(shipper::sync).isInstanceOf(UnavailableException.class).hasMessageContaining(broken.toString());
        assertThat(objects()).isEmpty();
        assertThat(registry.scrape().stream().filter(m -> m.getMetadata().getName().equals("thanos_shipper_dir_syncs")).toList().toString())
                .doesNotContain("1.0");
        assertThatThrownBy(() -> shipper(bucket, false, true, false).sync()).isInstanceOf(UnavailableException.class);
        assertThat(objects()).contains(good + "/meta.json").noneMatch(k -> k.startsWith(broken.toString()));
    }

    @Test
    void labelsThatABlockHasAlreadyStay() throws Exception {
        Ulid id = block(0, 10, 1, 5);
        Path dir = tsdb.resolve(id.toString());
        BlockMeta.read(dir).withThanos(new BlockMeta.Thanos(1, Labels.of("replica", "old", "source", "backfill"), 0, "", List.of(),
                List.of(), List.of(), BlockMeta.IndexStats.UNKNOWN, null, null)).write(dir);
        shipper(bucket, false, false, false).sync();
        BlockMeta meta = BlockMeta.parse(read(id + "/meta.json").getBytes(StandardCharsets.UTF_8), "meta.json");
        assertThat(meta.externalLabels()).isEqualTo(Labels.of("cluster", "x", "replica", "a", "source", "backfill"));
    }

    /** Fails to store one object. */
    private record FailingFor(BucketWriter bucket, String key) implements BucketWriter {
        @Override
        public void upload(String to, ObjectBody body) {
            if (to.equals(key)) {
                throw new UnavailableException("upload " + to + ": made to fail");
            }
            bucket.upload(to, body);
        }

        @Override
        public InputStream open(String k) throws io.varve.objstore.NoSuchObjectException {
            return bucket.open(k);
        }

        @Override
        public byte[] readRange(String k, long offset, int length) throws io.varve.objstore.NoSuchObjectException {
            return bucket.readRange(k, offset, length);
        }

        @Override
        public Optional<ObjectAttributes> find(String k) {
            return bucket.find(k);
        }

        @Override
        public void list(String prefix, Consumer<String> keys) {
            bucket.list(prefix, keys);
        }

        @Override
        public void listRecursive(String prefix, List<String> cuts, Consumer<ObjectAttributes> objects) {
            bucket.listRecursive(prefix, cuts, objects);
        }

        @Override
        public String name() {
            return bucket.name();
        }

        @Override
        public void close() {
        }
    }
}

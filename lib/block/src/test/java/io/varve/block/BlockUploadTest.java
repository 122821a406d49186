package io.varve.block;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.varve.model.CorruptDataException;
import io.varve.model.InvalidRequestException;
import io.varve.model.Labels;
import io.varve.model.UnavailableException;
import io.varve.objstore.FaultyBucket;
import io.varve.objstore.MemoryBucket;
import io.varve.objstore.ObjectBody;
import io.varve.tsdb.BlockMeta;
import io.varve.tsdb.Ulid;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Upload, download, marks and deletion, also killed or failing at every operation. */
class BlockUploadTest {
    private static final Ulid ID = Ulid.of("01M4BCAVJ0TAX8WW07561KGGG3");
    private static final InstantSource CLOCK = InstantSource.fixed(Instant.parse("2026-11-21T00:36:43.577361361Z"));

    @TempDir
    Path dir;
    private Path block;
    private BlockMeta meta;
    private final MemoryBucket bucket = new MemoryBucket("b");

    @BeforeEach
    void makeBlock() throws Exception {
        block = Files.createDirectories(dir.resolve("block"));
        Files.createDirectories(block.resolve("chunks"));
        Files.writeString(block.resolve("chunks/000001"), "first segment");
        Files.writeString(block.resolve("chunks/000002"), "second");
        Files.writeString(block.resolve("index"), "an index");
        Files.writeString(block.resolve("tombstones"), "never uploaded");
        meta = new BlockMeta(ID, 0, 7_200_000, BlockMeta.Stats.EMPTY, BlockMeta.Compaction.fresh(ID))
                .withThanos(BlockMeta.Thanos.of(Labels.of("cluster", "eu"), 0, "sidecar"));
        Files.write(block.resolve("meta.json"), meta.toJson());
    }

    private BlockUploader uploader(io.varve.objstore.BucketWriter to, int concurrency) {
        return new BlockUploader(to, concurrency, BlockUploader.Hash.SHA256, CLOCK);
    }

    private List<String> keys() {
        List<String> keys = new ArrayList<>();
        bucket.listRecursive("", o -> keys.add(o.key()));
        return keys;
    }

    @Test
    void metaComesLastAndNamesAllFiles() throws Exception {
        FaultyBucket counting = FaultyBucket.counting(bucket);
        BlockMeta uploaded = uploader(counting, 1).upload(block);
        assertThat(counting.events()).extracting(FaultyBucket.Event::key).containsExactly(ID + "/chunks/000001", ID + "/chunks/000002",
                ID + "/index",
                ID + "/meta.json");
        BlockMeta read = BlockMeta.parse(bucket.open(ID + "/meta.json").readAllBytes(), "meta.json");
        assertThat(read).isEqualTo(uploaded);
        BlockMeta.Thanos thanos = read.thanosSection().orElseThrow();
        assertThat(thanos.segmentFiles()).containsExactly("000001", "000002");
        assertThat(thanos.files()).extracting(BlockMeta.FileEntry::path).containsExactly("chunks/000001", "chunks/000002", "index",
                "meta.json");
        assertThat(thanos.files()).extracting(BlockMeta.FileEntry::sizeBytes).containsExactly(13L, 6L, 8L, 0L);
        assertThat(thanos.files().get(2).hash()).isEqualTo(BlockFiles.Sha256.of(block.resolve("index"))).hasSize(64);
        assertThat(thanos.uploadTime()).isEqualTo(CLOCK.instant());
    }

    @Test
    void aBlockNeedsExternalLabelsAndAnIndex() throws Exception {
        assertThatThrownBy(() -> uploader(bucket, 1).upload(block, meta.withThanos(null))).isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining("empty external labels");
        Files.delete(block.resolve("index"));
        assertThatThrownBy(() -> uploader(bucket, 1).upload(block)).isInstanceOf(CorruptDataException.class).hasMessageContaining("index");
        assertThat(keys()).isEmpty();
    }

    @Test
    void anInterruptedUploadNeverLooksComplete() {
        for (int n = 1; n <= 4; n++) {
            for (FaultyBucket.Fault fault : List.of(new FaultyBucket.Fault.Fail(), new FaultyBucket.Fault.Kill())) {
                FaultyBucket faulty = FaultyBucket.at(bucket, n, fault);
                assertThatThrownBy(() -> uploader(faulty, 1).upload(block)).as("operation %s", n)
                        .isInstanceOfAny(UnavailableException.class, FaultyBucket.Killed.class);
                assertThat(keys()).doesNotContain(ID + "/meta.json");
            }
        }
        uploader(bucket, 4).upload(block);
        assertThat(keys()).hasSize(4);
    }

    @Test
    void whatWasUploadedIsDownloaded() throws Exception {
        uploader(bucket, 1).upload(block);
        Path copy = dir.resolve("copy");
        FaultyBucket counting = FaultyBucket.counting(bucket);
        new BlockDownloader(counting, 2).download(ID, copy);
        for (String file : List.of("chunks/000001", "chunks/000002", "index")) {
            assertThat(copy.resolve(file)).hasSameBinaryContentAs(block.resolve(file));
        }
        assertThat(BlockMeta.read(copy).ulid()).isEqualTo(ID);
        // With hashes, only what differs is fetched again.
        Files.writeString(copy.resolve("index"), "damaged!");
        Files.writeString(copy.resolve("chunks/000009"), "stranger");
        FaultyBucket again = FaultyBucket.counting(bucket);
        new BlockDownloader(again, 1).download(ID, copy);
        assertThat(again.events()).extracting(FaultyBucket.Event::key).containsExactly(ID + "/meta.json", ID.toString(), ID + "/index");
        assertThat(copy.resolve("index")).hasContent("an index");
        assertThat(copy.resolve("chunks/000009")).doesNotExist();
    }

    @Test
    void aDownloadOfOtherBytesIsRefused() {
        uploader(bucket, 1).upload(block);
        bucket.upload(ID + "/chunks/000002", ObjectBody.of("sec0nd".getBytes(UTF_8)));
        assertThatThrownBy(() -> new BlockDownloader(bucket, 1).download(ID, dir.resolve("copy"))).isInstanceOf(CorruptDataException.class)
                .hasMessageContaining("chunks/000002").hasMessageContaining("SHA-256");
        bucket.upload(ID + "/chunks/000002", ObjectBody.of("longer than before".getBytes(UTF_8)));
        assertThatThrownBy(() -> new BlockDownloader(bucket, 1).download(ID, dir.resolve("copy")))
                .hasMessageContaining("has 18 bytes, meta.json says 6");
        bucket.delete(ID + "/chunks/000002");
        assertThatThrownBy(() -> new BlockDownloader(bucket, 1).download(ID, dir.resolve("copy"))).isInstanceOf(CorruptDataException.class)
                .hasMessageContaining("not in the bucket");
        bucket.delete(ID + "/meta.json");
        assertThatThrownBy(() -> new BlockDownloader(bucket, 1).download(ID, dir.resolve("copy"))).isInstanceOf(UnavailableException.class)
                .hasMessageContaining("meta.json");
        assertThat(dir.resolve("copy/meta.json")).doesNotExist();
    }

    @Test
    void deletionBeginsWithMetaAndEndsWithTheMark() {
        uploader(bucket, 1).upload(block);
        bucket.upload(ID + "/unknown", ObjectBody.of(new byte[1]));
        assertThat(BlockMarks.write(bucket, new BlockMark(BlockMark.Kind.DELETION, ID, "why", 17, ""))).isTrue();
        assertThat(BlockMarks.write(bucket, new BlockMark(BlockMark.Kind.DELETION, ID, "again", 18, ""))).isFalse();
        assertThat(BlockMarks.read(bucket, ID, BlockMark.Kind.DELETION))
                .contains(new BlockMark(BlockMark.Kind.DELETION, ID, "why", 17, ""));
        assertThat(BlockMarks.read(bucket, ID, BlockMark.Kind.NO_COMPACT)).isEmpty();
        FaultyBucket counting = FaultyBucket.counting(bucket);
        new BlockDeleter(counting).delete(ID);
        List<String> deleted = counting.events().stream().filter(e -> e.operation() == io.varve.objstore.BucketOperation.DELETE)
                .map(FaultyBucket.Event::key).toList();
        assertThat(deleted).startsWith(ID + "/meta.json").endsWith(ID + "/deletion-mark.json").hasSize(6);
        assertThat(keys()).isEmpty();
    }

    @Test
    void anInterruptedDeletionCanBeFinished() {
        for (int n = 1; n <= 6; n++) {
            uploader(bucket, 1).upload(block);
            BlockMarks.write(bucket, new BlockMark(BlockMark.Kind.DELETION, ID, "", 17, ""));
            FaultyBucket faulty = FaultyBucket.at(bucket, n, new FaultyBucket.Fault.Kill());
            assertThatThrownBy(() -> new BlockDeleter(faulty).delete(ID)).isInstanceOf(FaultyBucket.Killed.class);
            // Either nothing happened, or the block is partial and still marked.
            assertThat(keys()).contains(ID + "/deletion-mark.json");
            assertThat(keys().contains(ID + "/meta.json")).isEqualTo(n <= 2);
            new BlockDeleter(bucket).delete(ID);
            assertThat(keys()).isEmpty();
        }
    }
}

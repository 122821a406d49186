package io.varve.block;

import io.varve.model.CorruptDataException;
import io.varve.model.InvalidRequestException;
import io.varve.model.UnavailableException;
import io.varve.objstore.BucketWriter;
import io.varve.objstore.ObjectBody;
import io.varve.tsdb.BlockMeta;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Brings a block from a local directory into a bucket: chunk segments, then the index, then {@code meta.json}. A block without
 * {@code meta.json} is partial to every reader, so whatever interrupts an upload leaves nothing that looks complete; trying again replaces
 * what is there. Safe for many threads.
 */
public final class BlockUploader {
    private static final Logger LOG = LoggerFactory.getLogger(BlockUploader.class);

    /** Whether files are hashed, with the hash in {@code thanos.files}. */
    public enum Hash {
        /** Sizes only. */
        NONE,
        /** SHA-256 in hex. */
        SHA256
    }

    private final BucketWriter bucket;
    private final int concurrency;
    private final Hash hash;
    private final InstantSource clock;

    /**
     * @param bucket not closed here
     * @param concurrency segments uploaded at a time
     * @param hash what is recorded of each file
     * @param clock for {@code upload_time}
     */
    public BlockUploader(BucketWriter bucket, int concurrency, Hash hash, InstantSource clock) {
        this.bucket = bucket;
        this.concurrency = Math.max(1, concurrency);
        this.hash = hash;
        this.clock = clock;
    }

    /** Uploads the block with the {@code meta.json} that its directory holds; see {@link #upload(Path, BlockMeta)}. */
    public BlockMeta upload(Path block) {
        return upload(block, BlockMeta.read(block));
    }

    /**
     * Uploads the block.
     *
     * @param block the directory with {@code chunks/} and {@code index}; its {@code meta.json} is not looked at
     * @param meta what {@code meta.json} will say, with a Thanos section that has external labels; files, segments and time of upload are set here
     * @return what {@code meta.json} says
     * @throws InvalidRequestException where the meta has no external labels
     * @throws CorruptDataException where files of the block are missing
     * @throws UnavailableException where the bucket or the disk fails; nothing that looks complete is left
     */
    public BlockMeta upload(Path block, BlockMeta meta) {
        return upload(block, meta, false);
    }

    /**
     * As {@link #upload(Path, BlockMeta)}, for a block that was made to be uploaded: nobody writes to its files any more, they are only removed. A
     * bucket on the same file system takes the files themselves then, see {@link ObjectBody#handedOver()}.
     */
    public BlockMeta handOver(Path block, BlockMeta meta) {
        return upload(block, meta, true);
    }

    private BlockMeta upload(Path block, BlockMeta meta, boolean handOver) {
        BlockMeta.Thanos thanos = meta.thanosSection().filter(t -> !t.labels().isEmpty()).orElseThrow(() -> new InvalidRequestException(
                "upload of block " + meta.ulid() + ": empty external labels are not allowed for a block in a bucket"));
        try {
            List<BlockMeta.FileEntry> files = BlockFiles.entries(block, hash);
            List<String> segments = BlockFiles.segments(block);
            String id = meta.ulid().toString();
            List<Callable<Void>> steps = new ArrayList<>();
            for (String segment : segments) {
                steps.add(() -> {
                    put(id, BlockFiles.CHUNKS + "/" + segment, block, handOver);
                    return null;
                });
            }
            Parallel.run(concurrency, "upload of block " + id, steps);
            put(id, BlockFiles.INDEX, block, handOver);
            // Readers count a block's age from here. Thanos prints nanoseconds; more than the clock gives are not needed.
            Instant now = clock.instant();
            BlockMeta uploaded = meta.withThanos(thanos.withFiles(segments, files).withUploadTime(now));
            bucket.upload(id + "/" + BlockMeta.FILE, ObjectBody.of(uploaded.toJson()));
            return uploaded;
        } catch (IOException e) {
            throw new UnavailableException("upload of block " + meta.ulid() + " from " + block + ": " + e, e);
        }
    }

    private void put(String id, String path, Path block, boolean handOver) throws IOException {
        LOG.debug("uploading block={} file={}", id, path);
        Path file = block.resolve(path);
        bucket.upload(id + "/" + path, handOver ? ObjectBody.handOver(file) : ObjectBody.of(file));
    }
}

package io.varve.demo;

import io.varve.block.BlockUploader;
import io.varve.chunk.Chunk;
import io.varve.chunk.ChunkAppender;
import io.varve.demo.Shop.ShopSeries;
import io.varve.objstore.Bucket;
import io.varve.objstore.BucketFactory;
import io.varve.tsdb.BlockMeta;
import io.varve.tsdb.BlockWriter;
import io.varve.tsdb.Durable;
import io.varve.tsdb.Ulid;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Writes what one replica would have recorded of the {@link Shop} as real two-hour blocks: into the bucket through the uploader a sidecar
 * uses, or into a Prometheus' data directory. A scrape a minute, at the replica's own offset, with the replica's own gaps.
 */
public final class History {
    /** Length of a block in milliseconds. */
    static final long BLOCK_MILLIS = 7_200_000;
    private static final long SCRAPE_MILLIS = 60_000;

    private final List<ShopSeries> shop;
    private final Replica replica;
    private final SplittableRandom random;

    History(List<ShopSeries> shop, Replica replica) {
        this.shop = shop;
        this.replica = replica;
        this.random = new SplittableRandom(replica.name().hashCode());
    }

    /**
     * Uploads what both replicas would have recorded in {@code [from, to)}.
     *
     * @param bucketYaml the bucket's configuration
     * @param work a directory for blocks on their way
     * @param fromMillis a multiple of two hours
     * @param toMillis a multiple of two hours
     * @return how many blocks there are
     */
    public static int uploadBoth(Path bucketYaml, Path work, long fromMillis, long toMillis) throws IOException {
        int count = 0;
        for (Replica replica : List.of(Replica.A, Replica.B)) {
            count += new History(Shop.series(), replica).upload(bucketYaml, work, fromMillis, toMillis);
        }
        return count;
    }

    /** Uploads the blocks of {@code [from, to)}, both on a block's boundary; how many there are. */
    int upload(Path bucketYaml, Path work, long from, long to) throws IOException {
        int count = 0;
        try (Bucket bucket = BucketFactory.open(Files.readString(bucketYaml))) {
            BlockUploader uploader = new BlockUploader(bucket, 2, BlockUploader.Hash.NONE, InstantSource.system());
            for (long start = from; start < to; start += BLOCK_MILLIS) {
                BlockMeta meta = block(work, start, BlockMeta.Thanos.of(replica.externalLabels(), 0, "sidecar"));
                if (meta != null) {
                    Path dir = work.resolve(meta.ulid().toString());
                    uploader.upload(dir);
                    Durable.deleteTree(dir);
                    count++;
                }
            }
        }
        return count;
    }

    /** Writes the blocks of {@code [from, to)} into a directory as Prometheus itself would have cut them; how many there are. */
    int write(Path directory, long from, long to) {
        int count = 0;
        for (long start = from; start < to; start += BLOCK_MILLIS) {
            if (block(directory, start, null) != null) {
                count++;
            }
        }
        return count;
    }

    private @Nullable BlockMeta block(Path parent, long start, BlockMeta.@Nullable Thanos thanos) {
        long end = start + BLOCK_MILLIS;
        long[] times = times(start, end);
        if (times.length == 0) {
            return null;
        }
        // A block is cut an hour after its end; its id says so.
        Ulid ulid = Ulid.of(end + 3_600_000, random);
        try (BlockWriter writer = BlockWriter.create(parent, ulid)) {
            for (ShopSeries s : shop) {
                List<Chunk> chunks = new ArrayList<>();
                ChunkAppender appender = ChunkAppender.plain(ChunkAppender.USUAL_SAMPLES, chunks::add);
                Shop.FloatAt floatAt = s.floatAt();
                Shop.HistogramAt histogramAt = s.histogramAt();
                for (long t : times) {
                    if (floatAt != null) {
                        appender.append(t, floatAt.at(t / 1000.0));
                    } else if (histogramAt != null) {
                        appender.append(0, t, histogramAt.at(t / 1000.0));
                    }
                }
                appender.cut();
                writer.add(s.labels(), chunks);
            }
            return writer.commit(stats -> new BlockMeta(ulid, start, end, stats, BlockMeta.Compaction.fresh(ulid)).withThanos(thanos));
        }
    }

    private long[] times(long start, long end) {
        return Stream.iterate(start + replica.offsetMillis(), t -> t < end, t -> t + SCRAPE_MILLIS).filter(t -> !replica.missed(t))
                .mapToLong(Long::longValue).toArray();
    }
}

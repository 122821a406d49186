package io.varve.compactor;

import io.varve.block.BlockMark;
import io.varve.block.BlockMarks;
import io.varve.objstore.Bucket;
import io.varve.tsdb.Ulid;
import java.time.InstantSource;

/** Marks blocks and counts it. */
final class Marker {
    private final Bucket bucket;
    private final CompactMetrics metrics;
    private final InstantSource clock;

    Marker(Bucket bucket, CompactMetrics metrics, InstantSource clock) {
        this.bucket = bucket;
        this.metrics = metrics;
        this.clock = clock;
    }

    /** Marks a block, unless it is marked so already; whether it was not. */
    boolean mark(BlockMark.Kind kind, Ulid id, String details, String reason) {
        boolean written = BlockMarks.write(bucket, new BlockMark(kind, id, details, clock.millis() / 1000, reason));
        if (written) {
            metrics.marked.labelValues(kind.file(), reason).inc();
        }
        return written;
    }
}

package io.varve.block;

import io.varve.objstore.Bucket;
import io.varve.tsdb.BlockMeta;
import io.varve.tsdb.Ulid;
import java.util.ArrayList;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Deletes blocks: {@code meta.json} first, so that the block is partial from then on; the deletion mark last, so that whoever finds a
 * half deleted block knows what to do with it. Deleting again what was interrupted finishes it. Safe for many threads.
 */
public final class BlockDeleter {
    private static final Logger LOG = LoggerFactory.getLogger(BlockDeleter.class);

    private final Bucket bucket;

    /** For a bucket, which is not closed here. */
    public BlockDeleter(Bucket bucket) {
        this.bucket = bucket;
    }

    /** Deletes all objects of a block; nothing to do is success. */
    public void delete(Ulid id) {
        String meta = id + "/" + BlockMeta.FILE;
        String mark = BlockMark.key(id, BlockMark.Kind.DELETION);
        List<String> keys = new ArrayList<>();
        bucket.listRecursive(id.toString(), object -> keys.add(object.key()));
        boolean marked = keys.remove(mark);
        if (keys.remove(meta)) {
            bucket.delete(meta);
        }
        keys.forEach(bucket::delete);
        if (marked) {
            bucket.delete(mark);
        }
        LOG.debug("deleted block={} objects={}", id, keys.size());
    }
}

package io.varve.block;

import io.varve.model.CorruptDataException;
import io.varve.model.UnavailableException;
import io.varve.objstore.BucketReader;
import io.varve.objstore.BucketWriter;
import io.varve.objstore.NoSuchObjectException;
import io.varve.objstore.ObjectBody;
import io.varve.tsdb.Ulid;
import java.io.IOException;
import java.io.InputStream;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Reads and writes the markers of blocks. */
public final class BlockMarks {
    private static final Logger LOG = LoggerFactory.getLogger(BlockMarks.class);
    private static final int MAX_BYTES = 1 << 20;

    private BlockMarks() {
    }

    /**
     * Reads a marker, empty where there is none.
     *
     * @throws CorruptDataException where it cannot be used
     */
    public static Optional<BlockMark> read(BucketReader bucket, Ulid id, BlockMark.Kind kind) {
        String key = BlockMark.key(id, kind);
        try (InputStream in = bucket.open(key)) {
            return Optional.of(BlockMark.parse(kind, in.readNBytes(MAX_BYTES), key));
        } catch (NoSuchObjectException e) {
            return Optional.empty();
        } catch (IOException e) {
            throw new UnavailableException("read " + key + ": " + e.getMessage(), e);
        }
    }

    /** Writes a marker; one of that kind that is there already stays as it is. Returns whether it was written. */
    public static boolean write(BucketWriter bucket, BlockMark mark) {
        String key = BlockMark.key(mark.id(), mark.kind());
        if (bucket.find(key).isPresent()) {
            LOG.atWarn().addKeyValue("block", mark.id()).addKeyValue("mark", mark.kind().file())
                    .log("requested to mark a block that is marked already");
            return false;
        }
        bucket.upload(key, ObjectBody.of(mark.toJson()));
        LOG.atInfo().addKeyValue("block", mark.id()).addKeyValue("mark", mark.kind().file()).addKeyValue("details", mark.details())
                .log("block has been marked");
        return true;
    }
}

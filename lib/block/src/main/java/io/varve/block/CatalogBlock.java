package io.varve.block;

import io.varve.tsdb.BlockMeta;
import io.varve.tsdb.Ulid;

/**
 * A block of a catalog: its meta and what the listing said of its objects.
 *
 * @param meta its meta, after filters that change it
 * @param objects its objects
 */
public record CatalogBlock(BlockMeta meta, BlockObjects objects) {
    /** Its id. */
    public Ulid id() {
        return meta.ulid();
    }
}

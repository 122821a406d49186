/**
 * A block's life in a bucket: list, filter, upload, mark, delete. {@link io.varve.block.BlockSync} lists a bucket and makes a
 * {@link io.varve.block.BlockCatalog}, an immutable snapshot, through {@link io.varve.block.BlockFilters}; store gateway, compactor and tools
 * all see buckets through it.
 */
@NullMarked
package io.varve.block;

import org.jspecify.annotations.NullMarked;

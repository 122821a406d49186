/**
 * Prometheus' block format: readers, writers, merger, verifier, repair.
 *
 * <p>
 * A block is a directory named by a {@link io.varve.tsdb.Ulid}: {@code meta.json} ({@link io.varve.tsdb.BlockMeta}), {@code index} (package
 * {@link io.varve.tsdb.index}), {@code chunks/000001…} and {@code tombstones}. It never changes once it has its name. Local files are
 * mapped; each open block has one shared arena, and closing it under a reader gives the reader an exception, never a crash.
 */
@NullMarked
package io.varve.tsdb;

import org.jspecify.annotations.NullMarked;

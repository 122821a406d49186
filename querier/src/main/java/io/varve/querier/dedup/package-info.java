/**
 * Replicas of one series become one series, over decoded arrays.
 *
 * <p>
 * {@link io.varve.querier.dedup.ReplicaMerge} is varve's own way and the default; {@link io.varve.querier.dedup.Penalty} and
 * {@link io.varve.querier.dedup.Chain} answer what Thanos' functions of those names answer. All are pure functions of their
 * input.
 */
@NullMarked
package io.varve.querier.dedup;

import org.jspecify.annotations.NullMarked;

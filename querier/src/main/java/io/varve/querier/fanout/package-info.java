/**
 * Many stores as one. {@link io.varve.querier.fanout.EndpointSet} knows who is there and what each has;
 * {@link io.varve.querier.fanout.Fanout} asks those that can have an answer and merges what they send, as a stream in label order, into
 * one {@link io.varve.store.Store} for queriers above; {@link io.varve.querier.fanout.StoreSource} makes series for the PromQL engine of
 * it: replicas merged, resolutions joined, chunks decoded only when read.
 */
@NullMarked
package io.varve.querier.fanout;

import org.jspecify.annotations.NullMarked;

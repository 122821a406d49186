/**
 * The StoreAPI as Java: requests and answers as records, {@link io.varve.store.Store} on the side that answers,
 * {@link io.varve.store.StoreClient} on the side that asks. Generated protobuf types do not leave this package. Wire: Thanos
 * {@code storepb/rpc.proto}, {@code infopb/rpc.proto}.
 */
@NullMarked
package io.varve.store;

import org.jspecify.annotations.NullMarked;

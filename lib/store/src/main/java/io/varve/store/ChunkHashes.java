package io.varve.store;

import io.grpc.Metadata;

/**
 * Whether the chunks of a Series call carry their hashes. Thanos' queriers tell equal chunks by them; varve's compare bytes, and only where
 * chunks overlap, so its calls decline them: in their metadata, which peers that do not know it ignore.
 */
final class ChunkHashes {
    private static final Metadata.Key<String> DECLINED = Metadata.Key.of("varve-no-chunk-hashes", Metadata.ASCII_STRING_MARSHALLER);

    private ChunkHashes() {
    }

    /** Notes in a call's headers that no hashes are needed. */
    static void decline(Metadata headers) {
        headers.put(DECLINED, "1");
    }

    static boolean wanted(Metadata headers) {
        return !headers.containsKey(DECLINED);
    }
}

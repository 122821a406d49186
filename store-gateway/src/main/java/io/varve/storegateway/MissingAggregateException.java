package io.varve.storegateway;

import io.varve.chunk.AggregateChunk;
import java.util.Locale;

/**
 * A downsampled chunk does not have an aggregate that was asked for. The request is at fault, not the block, so it ends the call whatever the
 * strategy.
 */
final class MissingAggregateException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    MissingAggregateException(String block, AggregateChunk.Part part) {
        super("receive series from " + block + ": load chunks: populate chunk: aggregate " + part.name().toLowerCase(Locale.ROOT)
                + " does not exist");
    }
}

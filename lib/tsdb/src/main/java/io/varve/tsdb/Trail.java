package io.varve.tsdb;

import io.varve.tsdb.index.ByteRegion;
import org.jspecify.annotations.Nullable;

/**
 * Lets go of what a reader leaves behind that goes over mapped files once: else all of a block would count as memory of the process in the end. One
 * thread.
 */
final class Trail {
    private static final long STEP = 8 << 20;
    private @Nullable ByteRegion region;
    private long from;

    /** Reading goes on at a position; what lies before it is not needed any more. */
    void at(ByteRegion now, long position) {
        ByteRegion r = region;
        if (r != null && now != r) {
            r.release(from, r.size() - from);
        } else if (r != null && position - from < STEP) {
            return;
        } else if (r != null) {
            r.release(from, position - from);
        }
        region = now;
        from = position;
    }
}

package io.varve.objstore;

import java.io.FilterInputStream;
import java.io.InputStream;
import org.jspecify.annotations.Nullable;

/** An object or a range of it as a server sends it, with what the answer's head says. Closed by whoever reads it; one thread at a time. */
final class ObjectStream extends FilterInputStream {
    private final long length;
    private final @Nullable String contentRange;
    private final @Nullable String etag;
    private final Runnable abort;

    /**
     * @param length bytes that are announced
     * @param abort gives the rest up, and the connection with it
     */
    ObjectStream(InputStream in, long length, @Nullable String contentRange, @Nullable String etag, Runnable abort) {
        super(in);
        this.length = length;
        this.contentRange = contentRange;
        this.etag = etag;
        this.abort = abort;
    }

    long length() {
        return length;
    }

    @Nullable
    String contentRange() {
        return contentRange;
    }

    @Nullable
    String etag() {
        return etag;
    }

    void abort() {
        abort.run();
    }
}

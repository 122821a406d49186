package io.varve.tsdb;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import org.jspecify.annotations.Nullable;

/**
 * A file written from front to back that is to be durable in the end. The disk takes what is there while more is written: another thread makes it durable
 * in steps, so that little is left to wait for. One thread.
 */
final class SyncedFile implements AutoCloseable {
    /** A usual step. */
    static final long STEP = 16 << 20;

    private final FileChannel channel;
    private final long step;
    private long behind;
    private @Nullable Background sync;

    /** @param step bytes after which the disk is to take them, {@link Long#MAX_VALUE} where it need not */
    SyncedFile(FileChannel channel, long step) {
        this.channel = channel;
        this.step = step;
    }

    void write(ByteBuffer bytes) throws IOException {
        behind += bytes.remaining();
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
        if (behind >= step) {
            push();
        }
    }

    /** Has the disk take what is there, unless it still takes what was there before. */
    void push() throws IOException {
        Background before = sync;
        if (before == null || before.isDone()) {
            sync = null;
            if (before != null) {
                // A disk says once only that it did not take something.
                before.await();
            }
            sync = Background.start("sync", () -> channel.force(false));
            behind = 0;
        }
    }

    /** Overwrites bytes that were written before. */
    void patch(ByteBuffer bytes, long at) throws IOException {
        while (bytes.hasRemaining()) {
            channel.write(bytes, at + bytes.position());
        }
    }

    /** Makes all durable. */
    void sync() throws IOException {
        Background before = sync;
        sync = null;
        if (before != null) {
            before.await();
        }
        channel.force(true);
    }

    /** Closes the file, durable or not, when no other thread is at it any more. */
    @Override
    public void close() throws IOException {
        Background before = sync;
        sync = null;
        if (before != null) {
            // What is closed with something under way is given up: who wants it durable has asked for it before.
            before.end();
        }
        channel.close();
    }
}

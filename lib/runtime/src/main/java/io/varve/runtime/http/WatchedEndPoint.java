package io.varve.runtime.http;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.SocketChannel;
import java.util.concurrent.TimeoutException;
import org.eclipse.jetty.io.ManagedSelector;
import org.eclipse.jetty.io.SocketChannelEndPoint;
import org.eclipse.jetty.util.BufferUtil;
import org.eclipse.jetty.util.Callback;
import org.eclipse.jetty.util.thread.Invocable;
import org.eclipse.jetty.util.thread.Scheduler;
import org.jspecify.annotations.Nullable;

/**
 * A connection that is looked at while a handler is at work, as Go's server does: Jetty reads a connection again only when the answer is written, and
 * would let a query run for minutes that nobody waits for. What a client sends ahead (another request) is kept for Jetty. Safe for many
 * threads.
 */
final class WatchedEndPoint extends SocketChannelEndPoint {
    private final Object lock = new Object();
    private final ByteBuffer ahead = BufferUtil.allocate(1024);
    private boolean ended;
    /** Whether a handler is at work for the client, which waits for its answer. */
    private boolean atWork;
    /** The look that is awaited; one that comes late, when another request is at work, is none. */
    private @Nullable Look awaited;

    WatchedEndPoint(SocketChannel channel, ManagedSelector selector, SelectionKey key, Scheduler scheduler) {
        super(channel, selector, key, scheduler);
    }

    /** Runs {@code action}, on a thread of its own, when the client ends the connection before {@link #unwatch}. The request was read whole. */
    void watch(Runnable action) {
        synchronized (lock) {
            atWork = true;
            if (ended) {
                Thread.startVirtualThread(action);
            } else if (awaited == null && !ahead.hasRemaining()) {
                await(action);
            }
        }
    }

    /** Leaves reading to Jetty again. */
    void unwatch() {
        synchronized (lock) {
            atWork = false;
            if (awaited != null) {
                awaited = null;
                getFillInterest().onFail(new IOException("no longer watched"));
            }
        }
    }

    private void await(Runnable action) {
        Look look = new Look(action);
        awaited = super.tryFillInterested(look) ? look : null;
    }

    private void look(Look look) {
        synchronized (lock) {
            if (look != awaited) {
                return;
            }
            awaited = null;
            try {
                int n = super.fill(ahead);
                if (n == 0) {
                    await(look.action);
                }
                ended = n < 0;
            } catch (IOException e) {
                ended = true;
            }
            if (ended) {
                Thread.startVirtualThread(look.action);
            }
        }
    }

    /**
     * A connection is not idle while a handler is at work for it, however long that takes, and even where the server stops and has a second for idle
     * ones. Whoever does not take what is written is.
     */
    @Override
    protected void onIdleExpired(TimeoutException timeout) {
        boolean waits;
        synchronized (lock) {
            waits = atWork;
        }
        if (!waits || getWriteFlusher().isPending()) {
            super.onIdleExpired(timeout);
        }
    }

    @Override
    public int fill(ByteBuffer into) throws IOException {
        synchronized (lock) {
            if (ahead.hasRemaining()) {
                int at = BufferUtil.flipToFill(into);
                int n = BufferUtil.put(ahead, into);
                BufferUtil.flipToFlush(into, at);
                return n;
            }
            return ended ? -1 : super.fill(into);
        }
    }

    @Override
    public void fillInterested(Callback callback) {
        if (readable()) {
            Thread.startVirtualThread(callback::succeeded);
        } else {
            super.fillInterested(callback);
        }
    }

    @Override
    public boolean tryFillInterested(Callback callback) {
        if (readable()) {
            Thread.startVirtualThread(callback::succeeded);
            return true;
        }
        return super.tryFillInterested(callback);
    }

    private boolean readable() {
        synchronized (lock) {
            return ended || ahead.hasRemaining();
        }
    }

    /** Called when there is something to read, or nothing any longer. */
    private final class Look implements Callback {
        private final Runnable action;

        Look(Runnable action) {
            this.action = action;
        }

        @Override
        public void succeeded() {
            look(this);
        }

        @Override
        public void failed(Throwable x) {
            // Nobody watches any longer, or the connection was closed here.
        }

        @Override
        public Invocable.InvocationType getInvocationType() {
            return Invocable.InvocationType.NON_BLOCKING;
        }
    }
}

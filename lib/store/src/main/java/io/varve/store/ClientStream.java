package io.varve.store;

import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.varve.model.CancelledException;
import io.varve.model.Coverage;
import io.varve.model.LimitExceededException;
import io.varve.model.QueryContext;
import io.varve.model.UnavailableException;
import io.varve.model.VarveException;
import java.util.ArrayDeque;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The frames of a call, pulled by one thread. What has arrived and was not taken is bounded: messages are asked for in batches, as many as fit
 * into a few MiB at their present size, so that a slow reader slows the sender. Queued bytes are reserved from the query's budget.
 */
final class ClientStream implements AutoCloseable {
    private static final long WINDOW_BYTES = 4 << 20;
    private static final int MAX_WINDOW = 128;
    private static final int MIN_WINDOW = 2;

    private final QueryContext context;
    private final String address;
    private final ClientCall<byte[], byte[]> call;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private final ArrayDeque<byte[]> queue = new ArrayDeque<>();
    private long queuedBytes;
    private long averageBytes = 32 << 10;
    /** Messages asked for and not arrived. */
    private int outstanding;
    private @Nullable Status closed;
    private @Nullable VarveException failure;
    private boolean done;
    /** At the query's end; a stream that is closed before must not be kept until then. */
    private QueryContext.Registration atEnd = () -> {
    };

    private ClientStream(QueryContext context, String address, ClientCall<byte[], byte[]> call) {
        this.context = context;
        this.address = address;
        this.call = call;
    }

    static ClientStream open(Channel channel, String address, MethodDescriptor<byte[], byte[]> method, byte[] request,
            QueryContext context) {
        context.check();
        CallOptions options = CallOptions.DEFAULT;
        long remaining = context.remainingMillis();
        if (remaining != Long.MAX_VALUE) {
            options = options.withDeadlineAfter(remaining, TimeUnit.MILLISECONDS);
        }
        ClientStream stream = new ClientStream(context, address, channel.newCall(method, options));
        Metadata headers = new Metadata();
        headers.put(ServedCall.TENANT, ascii(context.tenant()));
        CoverageTrailer.ask(headers);
        ChunkHashes.decline(headers);
        ChunkEncodings.acceptAll(headers);
        stream.call.start(stream.new Listener(), headers);
        stream.outstanding = stream.window();
        stream.call.request(stream.outstanding);
        stream.call.sendMessage(request);
        stream.call.halfClose();
        stream.atEnd = context.onCancel(stream::interrupt);
        return stream;
    }

    private static String ascii(String s) {
        boolean plain = s.chars().allMatch(c -> c >= ' ' && c < 0x7F);
        return plain ? s : QueryContext.DEFAULT_TENANT;
    }

    /** How many messages may be on their way or queued. */
    private int window() {
        return Math.clamp(WINDOW_BYTES / Math.max(1, averageBytes), MIN_WINDOW, MAX_WINDOW);
    }

    /**
     * The next message, null at the end.
     *
     * @param timeoutMillis 0 = as long as the query lasts; an {@link UnavailableException} with a {@link TimeoutException} says that it is over
     */
    byte @Nullable [] next(long timeoutMillis) {
        long until = timeoutMillis <= 0 ? 0 : System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(timeoutMillis);
        byte[] message;
        int ask = 0;
        lock.lock();
        try {
            while (queue.isEmpty() && closed == null && failure == null && !done) {
                if (context.isCancelled()) {
                    break;
                }
                if (until == 0) {
                    // The call's end and the query's are told; a timer of its own would cost more than most waits.
                    changed.await();
                    continue;
                }
                long wait = until - System.nanoTime();
                if (wait <= 0) {
                    UnavailableException e = new UnavailableException(
                            "failed to receive any data in " + timeoutMillis + "ms from " + address, new TimeoutException());
                    failure = e;
                    throw e;
                }
                changed.awaitNanos(wait);
            }
            if (failure != null) {
                throw failure;
            }
            message = queue.poll();
            if (message == null) {
                if (done) {
                    throw new CancelledException(CancelledException.Reason.CANCELED, "stream from " + address + " was closed");
                }
                if (closed == null) {
                    context.check();
                    throw new CancelledException(CancelledException.Reason.CANCELED, "context canceled");
                }
                if (closed.isOk()) {
                    return null;
                }
                // The query's own end explains a cancelled call better than the call does.
                context.check();
                throw Statuses.failure(closed);
            }
            queuedBytes -= message.length;
            int window = window();
            int missing = window - outstanding - queue.size();
            if (closed == null && missing >= Math.max(1, window / 2)) {
                ask = missing;
                outstanding += missing;
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CancelledException(CancelledException.Reason.CANCELED, "interrupted while reading from " + address);
        } finally {
            lock.unlock();
            if (failure != null) {
                call.cancel("failed", failure);
            }
        }
        context.budget().release(message.length);
        if (ask > 0) {
            call.request(ask);
        }
        return message;
    }

    private void interrupt() {
        boolean over;
        lock.lock();
        try {
            over = closed != null;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
        cancel(over, "query is over");
    }

    /** A call that has ended is left alone: to cancel it wakes the network's thread up for nothing. */
    private void cancel(boolean over, String why) {
        if (!over) {
            call.cancel(why, null);
        }
    }

    @Override
    public void close() {
        long release;
        boolean over;
        lock.lock();
        try {
            if (done) {
                return;
            }
            done = true;
            over = closed != null;
            release = queuedBytes;
            queuedBytes = 0;
            queue.clear();
            changed.signalAll();
        } finally {
            lock.unlock();
        }
        atEnd.remove();
        if (release > 0) {
            context.budget().release(release);
        }
        cancel(over, "closed by the reader");
    }

    private final class Listener extends ClientCall.Listener<byte[]> {
        @Override
        public void onMessage(byte[] message) {
            boolean refused = false;
            lock.lock();
            try {
                outstanding--;
                if (done || failure != null) {
                    return;
                }
                averageBytes = (averageBytes * 7 + message.length) / 8;
                context.budget().reserve(message.length, "frames received from " + address);
                queue.add(message);
                queuedBytes += message.length;
                changed.signal();
            } catch (LimitExceededException e) {
                failure = e;
                refused = true;
                changed.signalAll();
            } finally {
                lock.unlock();
            }
            if (refused) {
                call.cancel("memory limit", null);
            }
        }

        @Override
        public void onClose(Status status, Metadata trailers) {
            Coverage.Report report = CoverageTrailer.read(trailers);
            if (report != null) {
                context.coverage().below(address, report);
            }
            lock.lock();
            try {
                closed = status;
                changed.signalAll();
            } finally {
                lock.unlock();
            }
        }
    }
}

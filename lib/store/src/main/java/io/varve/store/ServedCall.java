package io.varve.store;

import io.grpc.Context;
import io.grpc.Deadline;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.Status;
import io.varve.model.CancelledException;
import io.varve.model.MemoryBudget;
import io.varve.model.QueryContext;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Runs a call on a virtual thread of its own: one request in, any number of answers out. Sending blocks while the client is not ready, so a slow
 * reader slows the work and nothing piles up. The call's deadline, tenant and end become those of a {@link QueryContext}.
 */
final class ServedCall implements ServerCallHandler<byte[], Bytes.Message> {
    static final Metadata.Key<String> TENANT = Metadata.Key.of("thanos-tenant", Metadata.ASCII_STRING_MARSHALLER);

    /** So many bytes of a call may wait for its reader: a few frames, so that not each of them is waited for (gRPC's own bound is 32 KiB). */
    private static final int READY_BYTES = 256 << 10;

    /** What a call does. */
    interface Body {
        void run(QueryContext context, byte[] request, Out out);
    }

    /** Where answers go. */
    interface Out {
        /** Sends a message, which must not change afterwards. */
        void send(byte[] message);

        /** Sends what a writer holds; it may be written anew when this returns. */
        void send(ProtoWriter message);

        /** Whether sending does not wait, or not longer than so many milliseconds, which are waited for here. */
        boolean ready(long millis);

        /** Whether the caller wants chunks with their hashes. */
        boolean wantsHashes();

        /** Whether the caller reads chunks that keep start timestamps. */
        boolean readsStartTimestamps();
    }

    private final Supplier<MemoryBudget> budgets;
    private final Body body;

    ServedCall(Supplier<MemoryBudget> budgets, Body body) {
        this.budgets = budgets;
        this.body = body;
    }

    @Override
    public ServerCall.Listener<byte[]> startCall(ServerCall<byte[], Bytes.Message> call, Metadata headers) {
        Run run = new Run(call, headers);
        call.setOnReadyThreshold(READY_BYTES);
        // Two: a second request would be a fault of the client, which is to be seen.
        call.request(2);
        return run;
    }

    private final class Run extends ServerCall.Listener<byte[]> implements Out {
        private final ServerCall<byte[], Bytes.Message> call;
        private final @Nullable String tenant;
        private final boolean wantsCoverage;
        private final boolean wantsHashes;
        private final boolean readsStartTimestamps;
        private final Context grpcContext;
        private final ReentrantLock lock = new ReentrantLock();
        private final Condition changed = lock.newCondition();
        private byte @Nullable [] request;
        private @Nullable QueryContext context;
        private boolean cancelled;
        private boolean headersSent;

        Run(ServerCall<byte[], Bytes.Message> call, Metadata headers) {
            this.call = call;
            this.tenant = headers.get(TENANT);
            this.wantsCoverage = CoverageTrailer.wanted(headers);
            this.wantsHashes = ChunkHashes.wanted(headers);
            this.readsStartTimestamps = ChunkEncodings.allAccepted(headers);
            this.grpcContext = Context.current();
        }

        @Override
        public void onMessage(byte[] message) {
            if (request != null) {
                call.close(Status.INTERNAL.withDescription("more than one request in a call that takes one"), new Metadata());
                return;
            }
            request = message;
        }

        @Override
        public void onHalfClose() {
            byte[] q = request;
            if (q == null) {
                call.close(Status.INTERNAL.withDescription("no request"), new Metadata());
                return;
            }
            Thread.ofVirtual().name("grpc ", 0).start(() -> work(q));
        }

        private void work(byte[] q) {
            Deadline deadline = grpcContext.getDeadline();
            long millis = deadline == null ? 0 : Math.max(1, deadline.timeRemaining(TimeUnit.MILLISECONDS));
            Status status;
            MemoryBudget budget = budgets.get();
            Metadata trailers = new Metadata();
            try (QueryContext c = new QueryContext(millis, budget)) {
                if (tenant != null && !tenant.isEmpty()) {
                    c.tenant(tenant);
                }
                boolean late;
                lock.lock();
                try {
                    context = c;
                    late = cancelled;
                } finally {
                    lock.unlock();
                }
                if (late) {
                    return;
                }
                try {
                    body.run(c, q, this);
                } finally {
                    if (wantsCoverage) {
                        CoverageTrailer.put(trailers, c.coverage());
                    }
                }
                sendHeaders();
                status = Status.OK;
            } catch (Throwable t) {
                status = Statuses.of(t);
            } finally {
                giveBack(budget);
            }
            try {
                call.close(status, trailers);
            } catch (IllegalStateException e) {
                // The client has gone meanwhile.
            }
        }

        /** A budget that is closed gives back what a call that failed left reserved. */
        private static void giveBack(MemoryBudget budget) {
            if (budget instanceof AutoCloseable closeable) {
                try {
                    closeable.close();
                } catch (Exception e) {
                    throw new IllegalStateException("a budget cannot be closed", e);
                }
            }
        }

        @Override
        public void send(byte[] message) {
            send(new Bytes.Message(message, 0, message.length));
        }

        @Override
        public void send(ProtoWriter message) {
            Bytes.Message m = new Bytes.Message(message.array(), message.offset(), message.size());
            send(m);
            // A transport over a network has copied it by now.
            if (m.available() > 0) {
                message.giveAway();
            }
        }

        private void send(Bytes.Message message) {
            lock.lock();
            try {
                while (!cancelled && !call.isReady()) {
                    // Readiness is told by onReady; the timeout guards against one that was missed.
                    changed.awaitNanos(TimeUnit.SECONDS.toNanos(1));
                }
                if (cancelled) {
                    throw gone();
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw gone();
            } finally {
                lock.unlock();
            }
            sendHeaders();
            call.sendMessage(message);
        }

        @Override
        public boolean ready(long millis) {
            long left = TimeUnit.MILLISECONDS.toNanos(millis);
            lock.lock();
            try {
                while (!cancelled && !call.isReady() && left > 0) {
                    left = changed.awaitNanos(left);
                }
                return cancelled || call.isReady();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw gone();
            } finally {
                lock.unlock();
            }
        }

        @Override
        public boolean wantsHashes() {
            return wantsHashes;
        }

        @Override
        public boolean readsStartTimestamps() {
            return readsStartTimestamps;
        }

        private void sendHeaders() {
            if (!headersSent) {
                headersSent = true;
                call.sendHeaders(new Metadata());
            }
        }

        private static CancelledException gone() {
            return new CancelledException(CancelledException.Reason.CANCELED, "context canceled");
        }

        @Override
        public void onReady() {
            lock.lock();
            try {
                changed.signalAll();
            } finally {
                lock.unlock();
            }
        }

        @Override
        public void onCancel() {
            QueryContext c;
            lock.lock();
            try {
                cancelled = true;
                c = context;
                changed.signalAll();
            } finally {
                lock.unlock();
            }
            if (c != null) {
                c.cancel(gone());
            }
        }
    }
}

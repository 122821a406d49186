package io.varve.querier.api;

import io.varve.model.CancelledException;
import io.varve.model.QueryContext;
import java.util.ArrayDeque;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Lets so many queries run at a time; others wait, in the order of their arrival. What a query costs shows only when it reads: all begin
 * alike, and one that has read more than {@link #LARGE} bytes from stores, or has waited for them for long, is a large one from then on.
 * Large ones may have three quarters of the places; one that finds none of those gives up the place that it has and waits, its streams held
 * back, until another large one ends. So there is nearly always a place for an ordinary query, however many greedy ones there are. Safe for
 * many threads.
 */
final class QueryGate {
    /** Encoded bytes of series that a query has read when it turns out to be a large one: a tenth of a second of work. */
    static final long LARGE = 16L << 20;
    /** For how long a query that reads has its place before it is taken for a large one, whatever it has read. */
    static final long LONG_MILLIS = 5000;
    /** As many times the places may large queries wait with what they have read so far; then nobody new is let in. */
    private static final int HELD = 4;
    /** Whoever waits is woken up when it is let in, when its query is cancelled and at its deadline; and now and then all the same. */
    private static final long SLICE_MILLIS = 5000;
    /**
     * As many times the places may queries wait that have not begun, but at least {@link #LEAST_WAITING}: some minutes' worth of them. Each costs its
     * caller's connection, a virtual thread and its own text, some 20 KB, and nothing else bounds them: neither threads nor connections do.
     */
    private static final int WAITING = 100;
    private static final int LEAST_WAITING = 1000;
    /** Text of a query that counts as one waiting query. */
    private static final long TEXT_BYTES = 64 << 10;

    private final int max;
    private final int maxWaiting;
    private final int maxLarge;
    private final long longNanos;
    private final ReentrantLock lock = new ReentrantLock();
    private final ArrayDeque<Turn> arrived = new ArrayDeque<>();
    /** Large ones without a place: those that have not read much go first. */
    private final ArrayDeque<Turn> slow = new ArrayDeque<>();
    private final ArrayDeque<Turn> grown = new ArrayDeque<>();
    private int running;
    private int runningLarge;
    /** What those in {@link #arrived} count for. */
    private long waiting;
    private long refused;

    /**
     * @param max queries at a time, at least 1
     * @param longMillis {@link #LONG_MILLIS}
     */
    QueryGate(int max, long longMillis) {
        this.max = max;
        this.longNanos = TimeUnit.MILLISECONDS.toNanos(longMillis);
        this.maxLarge = max - max / 4;
        this.maxWaiting = maxWaiting(max);
    }

    /** How many queries may wait for their first place where so many run at a time. */
    static int maxWaiting(int max) {
        return Math.clamp((long) WAITING * max, LEAST_WAITING, Integer.MAX_VALUE);
    }

    /**
     * Waits for a place, at most until the query's deadline.
     *
     * @param textBytes what of the request is held while it waits
     * @param onLarge told when the query turns out to be a large one; must not block
     * @throws ApiException where too many wait already
     */
    Turn enter(QueryContext context, long textBytes, Runnable onLarge) {
        lock.lock();
        try {
            long counts = 1 + textBytes / TEXT_BYTES;
            if (!arrived.isEmpty() && counts > maxWaiting - waiting) {
                refused++;
                throw new ApiException(ApiException.Kind.UNAVAILABLE, "too many queries: " + arrived.size() + " wait already while " + max
                        + " may run at once (limit --query.max-concurrent); ask again later");
            }
            Turn turn = new Turn(context, onLarge);
            waiting += counts;
            try {
                turn.await(arrived, max + " queries were running all the time");
            } finally {
                waiting -= counts;
            }
            turn.beganNanos = System.nanoTime();
            return turn;
        } finally {
            lock.unlock();
        }
    }

    /** Queries that were refused because too many waited. */
    long refused() {
        lock.lock();
        try {
            return refused;
        } finally {
            lock.unlock();
        }
    }

    /** Queries that have a place. */
    int running() {
        lock.lock();
        try {
            return running;
        } finally {
            lock.unlock();
        }
    }

    /** Queries that wait: for their first place, or for one of the large ones'. */
    int waiting() {
        lock.lock();
        try {
            return arrived.size() + slow.size() + grown.size();
        } finally {
            lock.unlock();
        }
    }

    /** Gives away places that are free: first to those that have begun. */
    private void letIn() {
        while (running < max) {
            Turn next = runningLarge >= maxLarge ? null : slow.isEmpty() ? grown.poll() : slow.poll();
            if (next == null && slow.size() + grown.size() < HELD * max) {
                next = arrived.poll();
            }
            if (next == null) {
                return;
            }
            next.in = true;
            running++;
            runningLarge += next.large ? 1 : 0;
            next.changed.signalAll();
        }
    }

    /** A query's place, from when it is let in until it is closed. Safe for the query's threads. */
    final class Turn implements AutoCloseable {
        private final QueryContext context;
        private final Runnable onLarge;
        private final Condition changed = lock.newCondition();
        private final AtomicLong read = new AtomicLong();
        private volatile long beganNanos;
        private volatile boolean settled;
        private volatile boolean told;
        private boolean large;
        private boolean in;
        private boolean closed;
        private boolean watched;

        private Turn(QueryContext context, Runnable onLarge) {
            this.context = context;
            this.onLarge = onLarge;
        }

        /** Says that the query has read so many bytes more, or waits for some; waits where that makes it one large query too many. */
        void read(long bytes) {
            boolean much = read.addAndGet(bytes) > LARGE;
            if (much ? settled && told : settled || System.nanoTime() - beganNanos < longNanos) {
                return;
            }
            lock.lock();
            try {
                if (closed) {
                    return;
                }
                if (much && !told) {
                    told = true;
                    onLarge.run();
                }
                if (!large) {
                    large = true;
                    if (runningLarge < maxLarge) {
                        runningLarge++;
                    } else {
                        in = false;
                        running--;
                    }
                }
                if (!in) {
                    await(much ? grown : slow, "it reads much or for long, and " + maxLarge + " such queries were running all the time");
                }
                settled = true;
            } finally {
                lock.unlock();
            }
        }

        private void await(ArrayDeque<Turn> queue, String why) {
            if (!slow.contains(this) && !grown.contains(this)) {
                queue.add(this);
            }
            letIn();
            try {
                if (!in && !watched) {
                    watched = true;
                    context.onCancel(this::wake);
                }
                while (!in) {
                    if (context.remainingMillis() == 0) {
                        throw new CancelledException(CancelledException.Reason.TIMEOUT,
                                "query timed out in query queue: " + why + " (limit --query.max-concurrent)");
                    }
                    context.check();
                    changed.awaitNanos(TimeUnit.MILLISECONDS.toNanos(Math.min(SLICE_MILLIS, Math.max(1, context.remainingMillis()))));
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new CancelledException(CancelledException.Reason.CANCELED, "query was canceled in query execution");
            } finally {
                if (!in && (queue.remove(this) || slow.remove(this) || grown.remove(this))) {
                    letIn();
                }
                if (closed && in) {
                    leave();
                }
            }
        }

        private void wake() {
            lock.lock();
            try {
                changed.signalAll();
            } finally {
                lock.unlock();
            }
        }

        private void leave() {
            in = false;
            running--;
            runningLarge -= large ? 1 : 0;
            letIn();
        }

        /** Gives the place to the next. More than once does nothing. */
        @Override
        public void close() {
            lock.lock();
            try {
                closed = true;
                if (in) {
                    leave();
                }
            } finally {
                lock.unlock();
            }
        }
    }
}

package io.varve.querier.fanout;

import io.varve.chunk.Chunk;
import io.varve.model.CancelledException;
import io.varve.model.CorruptDataException;
import io.varve.model.Coverage;
import io.varve.model.Labels;
import io.varve.model.LimitExceededException;
import io.varve.model.QueryContext;
import io.varve.model.VarveException;
import io.varve.runtime.flags.Durations;
import io.varve.store.SeriesRequest;
import io.varve.store.StoreChunk;
import io.varve.store.StoreClient;
import io.varve.store.StoreSeries;
import java.net.ConnectException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongConsumer;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Merges the answers of many stores in label order while they arrive. Each stream is read by a virtual thread into a short queue of
 * batches, so that a slow reader slows the senders and memory stays bounded; a tree of losers finds the next series. One thread calls
 * {@link #next}; {@link #close} may come from any.
 */
final class SeriesMerge implements AutoCloseable {
    /** A call ends with the query's deadline, but clocks of the network tick a little before or after it. */
    private static final long OWN_END_MILLIS = 20;
    /** Batches that wait per stream. */
    private static final int QUEUED = 4;
    private static final int BATCH_SERIES = 64;
    private static final long BATCH_BYTES = 256 << 10;
    private static final Batch END = new Batch(new StoreSeries[0], null, 0, 0, true);
    /** Wakes up who waits for a batch where none has come: it looks why. */
    private static final Batch LOOK = new Batch(new StoreSeries[0], null, 0, 0, true);
    /** How long is waited between two looks, in milliseconds, where nothing wakes up; less at the query's end. */
    private static final long WAIT_MILLIS = 200;
    private static final long OVERHEAD = 200;
    /** So many further shares of one series are taken between two looks at the query's end. */
    private static final int SHARES_AT_ONCE = 64;
    /** So many warnings of a stream stand in the coverage report. */
    private static final int MAX_DETAILS = 10;

    /**
     * One stream to open.
     *
     * @param store whom to ask
     * @param request what
     * @param replica who speaks in this stream, where it is known; the values of {@code strip} say so otherwise
     * @param strip labels to remove here, which takes sorting the whole answer; empty where the store did it
     */
    record Ask(StoreRef store, SeriesRequest request, String replica, Collection<String> strip) {
    }

    /** What one replica has of a series, and whose word that is. */
    static final class Part {
        private final String replica;
        private List<StoreChunk> chunks;
        private List<StoreRef> stores;
        /** Whether the lists are of more than one share, and our own. */
        private boolean several;

        Part(String replica, List<StoreChunk> chunks, List<StoreRef> stores) {
            this.replica = replica;
            this.chunks = chunks;
            this.stores = stores;
        }

        String replica() {
            return replica;
        }

        List<StoreChunk> chunks() {
            return chunks;
        }

        /** Those that sent the chunks. */
        List<StoreRef> stores() {
            return stores;
        }

        private void add(List<StoreChunk> more, StoreRef store) {
            if (!several) {
                several = true;
                chunks = new ArrayList<>(chunks);
                stores = new ArrayList<>(stores);
            }
            chunks.addAll(more);
            if (!stores.contains(store)) {
                stores.add(store);
            }
        }
    }

    /**
     * @param replicas who speaks in each of the series; null where it is one for the whole stream
     * @param last whether the stream has ended well behind it
     */
    private record Batch(StoreSeries[] series, String @Nullable [] replicas, int size, long bytes, boolean last) {
    }

    /** A series whose labels were taken out, and what they said. */
    private record Stripped(StoreSeries series, String replica) {
    }

    /** In place of one that was sent, so that it can go. */
    private static final Stripped SENT = new Stripped(new StoreSeries(Labels.EMPTY, List.of()), "");

    private final QueryContext context;
    private final boolean partialResponse;
    private final long frameTimeoutMillis;
    private final Runnable emptyStream;
    private final LongConsumer read;
    private final Puller[] pullers;
    private int[] tree = new int[0];
    private boolean started;
    private Labels labels = Labels.EMPTY;
    private final List<Part> parts = new ArrayList<>();
    /** Further shares of the present series, and their bytes: batches are released when they are through, what is kept of them is not. */
    private int shares;
    private final AtomicLong shareBytes = new AtomicLong();
    private final QueryContext.Registration atEnd;
    private volatile boolean closed;

    /**
     * Opens all streams.
     *
     * @param emptyStream told of each stream that held no series
     * @param read told of the bytes that come to be read, on the reader's thread; may wait
     */
    SeriesMerge(QueryContext context, List<Ask> asks, boolean partialResponse, long frameTimeoutMillis, Runnable emptyStream,
            LongConsumer read) {
        this.context = context;
        this.partialResponse = partialResponse;
        this.frameTimeoutMillis = frameTimeoutMillis;
        this.emptyStream = emptyStream;
        this.read = read;
        pullers = new Puller[asks.size()];
        for (int i = 0; i < pullers.length; i++) {
            pullers[i] = new Puller(asks.get(i));
        }
        atEnd = context.onCancel(this::stop);
        for (Puller p : pullers) {
            p.thread = Thread.ofVirtual().name("select " + p.ask.store.address()).start(p);
        }
    }

    /** Moves to the next series; false at the end. */
    boolean next() {
        context.check();
        if (!started) {
            started = true;
            for (Puller p : pullers) {
                p.advance();
            }
            build();
        }
        parts.clear();
        releaseShares();
        shares = 0;
        int w = winner();
        if (w < 0 || pullers[w].current == null) {
            return false;
        }
        StoreSeries first = pullers[w].current;
        labels = first.labels();
        while (true) {
            Puller p = pullers[w];
            StoreSeries s = p.current;
            if (s == null || s != first && !s.labels().equals(labels)) {
                break;
            }
            add(p, s.chunks());
            p.advance();
            replay(w);
            w = winner();
        }
        return true;
    }

    private void add(Puller from, List<StoreChunk> chunks) {
        String replica = from.replicaOfCurrent();
        for (int i = parts.size() - 1; i >= 0; i--) {
            Part p = parts.get(i);
            if (p.replica.equals(replica)) {
                // A store may send a series in any number of frames, one that is broken without an end.
                if (++shares % SHARES_AT_ONCE == 0) {
                    context.check();
                }
                long bytes = sizeOf(chunks);
                context.budget().reserve(bytes, "chunks of one series");
                shareBytes.addAndGet(bytes);
                p.add(chunks, from.ask.store);
                return;
            }
        }
        parts.add(new Part(replica, chunks, from.itself));
    }

    Labels labels() {
        return labels;
    }

    /** The series' chunks by replica, replicas in order of their names. */
    List<Part> parts() {
        for (int i = 1; i < parts.size(); i++) {
            // Streams are opened in the order of replicas mostly.
            if (parts.get(i - 1).replica.compareTo(parts.get(i).replica) > 0) {
                parts.sort(Comparator.comparing(Part::replica));
                break;
            }
        }
        return List.copyOf(parts);
    }

    // --- the tree: inner nodes hold losers, node 0 the winner ---------------------------------------------------------------

    private int winner() {
        return pullers.length == 0 ? -1 : tree[0];
    }

    private void build() {
        int n = pullers.length;
        if (n == 0) {
            return;
        }
        tree = new int[Math.max(1, n)];
        int[] winners = new int[2 * n];
        for (int i = 0; i < n; i++) {
            winners[n + i] = i;
        }
        for (int i = n - 1; i > 0; i--) {
            int a = winners[2 * i];
            int b = winners[2 * i + 1];
            boolean aWins = before(a, b);
            winners[i] = aWins ? a : b;
            tree[i] = aWins ? b : a;
        }
        tree[0] = n == 1 ? 0 : winners[1];
    }

    private void replay(int leaf) {
        int w = leaf;
        for (int i = (leaf + pullers.length) / 2; i > 0; i /= 2) {
            if (before(tree[i], w)) {
                int x = tree[i];
                tree[i] = w;
                w = x;
            }
        }
        tree[0] = w;
    }

    private boolean before(int a, int b) {
        StoreSeries x = pullers[a].current;
        StoreSeries y = pullers[b].current;
        if (x == null || y == null) {
            return y == null && (x != null || a < b);
        }
        int c = x.labels().compareTo(y.labels());
        return c < 0 || c == 0 && a < b;
    }

    private void releaseShares() {
        long bytes = shareBytes.getAndSet(0);
        if (bytes > 0) {
            context.budget().release(bytes);
        }
    }

    @Override
    public void close() {
        atEnd.remove();
        stop();
        releaseShares();
    }

    private void stop() {
        closed = true;
        for (Puller p : pullers) {
            p.cancel();
        }
    }

    /** What Thanos says where a store does not answer a call, or stops answering. */
    private String failure(Ask ask, VarveException e, boolean opened) {
        if (e.getCause() instanceof TimeoutException) {
            return "failed to receive any data in " + Durations.formatGo(Duration.ofMillis(frameTimeoutMillis)) + " from " + ask.store
                    + ": rpc error: code = Canceled desc = context canceled";
        }
        String sets = ask.store.labelSetsText();
        return unreached(e, opened)
                ? "fetch series for " + (sets.isEmpty() ? "Store Gateway" : sets) + " " + ask.store + ": " + e.getMessage()
                : "receive series from " + ask.store + ": " + e.getMessage();
    }

    /** The query's, or this process's, wherever the memory was wanted: of no store it says anything. */
    private static boolean isOwnLimit(VarveException e) {
        return e instanceof LimitExceededException l && !l.elsewhere();
    }

    /** Streams open before there is a connection; a store that nobody answers for was never asked. */
    private static boolean unreached(VarveException e, boolean opened) {
        return !opened || e.getCause() instanceof ConnectException;
    }

    /** Reads one stream. */
    private final class Puller implements Runnable, Waits.Waiting {
        final Ask ask;
        final List<StoreRef> itself;
        private final ArrayBlockingQueue<Batch> queue = new ArrayBlockingQueue<>(QUEUED);
        private volatile @Nullable VarveException failed;
        private volatile @Nullable RuntimeException broken;
        private volatile StoreClient.@Nullable SeriesStream stream;
        volatile @Nullable Thread thread;
        @Nullable
        StoreSeries current;
        private String currentReplica = "";
        private @Nullable Batch batch;
        private int at;
        private volatile long waitsSince;
        private @Nullable Labels lastLabels;
        private final Seen seen;
        private final AnswerCheck check;
        /** Whether the coverage report knows how it went. */
        private final AtomicBoolean told = new AtomicBoolean();

        Puller(Ask ask) {
            this.ask = ask;
            itself = List.of(ask.store);
            seen = new Seen(ask);
            check = new AnswerCheck(ask.store, ask.request);
        }

        String replicaOfCurrent() {
            return currentReplica;
        }

        // --- the merging thread

        void advance() {
            while (true) {
                Batch b = batch;
                if (b != null && at < b.size) {
                    current = b.series[at];
                    currentReplica = b.replicas == null ? ask.replica : b.replicas[at];
                    at++;
                    return;
                }
                if (b != null && b.bytes > 0) {
                    context.budget().release(b.bytes);
                }
                if (b != null && b.last) {
                    current = null;
                    batch = END;
                    at = 0;
                    return;
                }
                batch = null;
                Batch next = poll();
                batch = next;
                at = 0;
                read.accept(next.bytes);
                if (batch == END) {
                    RuntimeException bug = broken;
                    if (bug != null) {
                        throw bug;
                    }
                    VarveException f = failed;
                    if (f != null) {
                        throw f;
                    }
                    current = null;
                    return;
                }
            }
        }

        private Batch poll() {
            try {
                while (true) {
                    Batch b = queue.poll();
                    if (b == null) {
                        b = await();
                    }
                    if (b == END) {
                        return b; // a failure says more of the query's end than the query does
                    }
                    if (b != LOOK) {
                        // A stream that is never waited for may never end.
                        if (context.isOver()) {
                            context.budget().release(b.bytes);
                            checkTime();
                        }
                        return b;
                    }
                    read.accept(0);
                    checkTime();
                    if (closed) {
                        throw new CancelledException(CancelledException.Reason.CANCELED, "select was closed");
                    }
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new CancelledException(CancelledException.Reason.CANCELED, "interrupted while waiting for " + ask.store.address());
            }
        }

        /** The next batch, or {@link #LOOK} after a while. */
        private Batch await() throws InterruptedException {
            waitsSince = System.nanoTime();
            Waits.begin(this);
            try {
                return queue.take();
            } finally {
                Waits.end(this);
            }
        }

        /** Nobody else wakes the merging thread up at the deadline. */
        @Override
        public void round() {
            if (context.isOver() || System.nanoTime() - waitsSince >= TimeUnit.MILLISECONDS.toNanos(WAIT_MILLIS)) {
                queue.offer(LOOK);
            }
        }

        /** Where the query's time is over here, of all places, the error says which store was read. */
        private void checkTime() {
            try {
                context.check();
            } catch (CancelledException e) {
                throw e.reason() == CancelledException.Reason.TIMEOUT ? timedOut("read from") : e;
            }
        }

        private CancelledException timedOut(String doing) {
            return new CancelledException(CancelledException.Reason.TIMEOUT,
                    "query timed out in expression evaluation: its time was over while it " + doing + " " + ask.store.address());
        }

        // --- the reading thread

        @Override
        public void run() {
            long[] count = new long[1];
            Set<String> warned = new LinkedHashSet<>();
            boolean opened = false;
            boolean ended = false;
            // Before the error is anywhere: where the time is over while others are read or evaluated, this store is still to be seen.
            QueryContext.Registration atEnd = context.onCancel(() -> {
                if (context.isTimedOut()) {
                    late(0, List.of(), List.of());
                }
            });
            try {
                StoreClient.SeriesStream s = ask.store.client().series(context, ask.request);
                stream = s;
                opened = true;
                if (closed) {
                    s.close();
                }
                Batch rest = pull(s, count, warned);
                if (count[0] == 0) {
                    emptyStream.run();
                }
                tell(warned.isEmpty() ? Coverage.Outcome.ANSWERED : Coverage.Outcome.PARTIAL, count[0], details(warned));
                if (rest != null) {
                    offer(rest);
                    ended = true;
                }
            } catch (VarveException e) {
                if (!closed || context.isCancelled()) {
                    fail(e, opened, count[0]);
                } else {
                    cutOff(count[0]);
                }
            } catch (InterruptedException e) {
                cutOff(count[0]); // closed: nobody reads on
            } catch (Throwable t) {
                // An error of the JVM too: the stream has not ended well.
                broken = t instanceof RuntimeException e ? e : new IllegalStateException("internal error: " + t, t);
            } finally {
                atEnd.remove();
                StoreClient.SeriesStream s = stream;
                if (s != null) {
                    s.close();
                }
                if (!ended) {
                    end();
                }
            }
        }

        private void end() {
            while (!closed) {
                try {
                    if (queue.offer(END, WAIT_MILLIS, TimeUnit.MILLISECONDS)) {
                        return;
                    }
                } catch (InterruptedException e) {
                    // Closed, or soon to be; the flag decides.
                }
            }
        }

        /** Says once how it went; the first word counts. */
        private void tell(Coverage.Outcome outcome, long series, String detail) {
            tell(outcome, series, detail, seen.replicas(), seen.resolutions());
        }

        private void tell(Coverage.Outcome outcome, long series, String detail, Collection<String> replicas, Collection<Long> resolutions) {
            if (told.compareAndSet(false, true)) {
                context.coverage().add(new Coverage.Part(ask.store.address(), outcome, ask.store.minTime(), ask.store.maxTime(), series,
                        detail, replicas, resolutions));
            }
        }

        /** The reader had enough: nothing is missing of what it took. */
        private void cutOff(long series) {
            tell(Coverage.Outcome.ANSWERED, series, "not read to its end");
        }

        private void late(long series, Collection<String> replicas, Collection<Long> resolutions) {
            tell(Coverage.Outcome.FAILED, series, "had not answered in full when the query's time was over", replicas, resolutions);
        }

        private void fail(VarveException e, boolean opened, long series) {
            if (isOwnLimit(e) || context.isCancelled()) {
                failed = e; // the query's fault, not the store's
                return;
            }
            if (e instanceof CancelledException c && c.reason() == CancelledException.Reason.TIMEOUT
                    && context.remainingMillis() <= OWN_END_MILLIS) {
                late(series, seen.replicas(), seen.resolutions());
                failed = timedOut("waited for");
                return;
            }
            String text = e.getCause() instanceof StoreFailedException ? e.getMessage() : failure(ask, e, opened);
            tell(Coverage.Outcome.FAILED, series, text);
            if (partialResponse) {
                context.warn(text);
            } else {
                failed = unreached(e, opened) ? StoreFailedException.of(text, e) : StoreFailedException.aborted(text);
            }
        }

        /**
         * Reads the stream to its end. What was not sent yet, its memory reserved; null where that is nothing. Where the stream breaks off
         * and a part of it is wanted, what came before goes out first.
         */
        private @Nullable Batch pull(StoreClient.SeriesStream s, long[] count, Set<String> warned) throws InterruptedException {
            Pending pending = new Pending();
            try {
                while (true) {
                    StoreClient.SeriesStream.Frame frame = s.next(frameTimeoutMillis);
                    switch (frame) {
                        case null -> {
                            return pending.last();
                        }
                        case StoreClient.SeriesStream.Frame.OfWarning w -> {
                            if (!partialResponse) {
                                throw StoreFailedException.aborted(w.text());
                            }
                            if (warned.add(w.text())) {
                                context.budget().reserve(HeapBytes.of(w.text()), "warnings");
                                context.warn(w.text());
                            }
                        }
                        case StoreClient.SeriesStream.Frame.OfSeries f -> {
                            count[0]++;
                            seen.add(f.series());
                            pending.add(f.series());
                        }
                    }
                }
            } catch (VarveException e) {
                if (partialResponse && !isOwnLimit(e) && !closed && !context.isCancelled()) {
                    Batch rest = pending.last();
                    if (rest != null) {
                        offer(new Batch(rest.series, null, rest.size, rest.bytes, false));
                    }
                }
                throw e;
            }
        }

        /** Series that were received and not sent to the merging thread yet. */
        private final class Pending {
            private StoreSeries[] series = new StoreSeries[BATCH_SERIES];
            private int n;
            private long bytes;
            /** Everything, where series have to be sorted first. */
            private final @Nullable List<Stripped> all = ask.strip.isEmpty() ? null : new ArrayList<>();
            private long allBytes;

            void add(StoreSeries one) throws InterruptedException {
                if (all != null) {
                    check.that(one);
                    StoreSeries without = new StoreSeries(one.labels().without(ask.strip), one.chunks());
                    long size = sizeOf(without);
                    context.budget().reserve(size, "series of " + ask.store.address() + " that have to be sorted");
                    allBytes += size;
                    all.add(new Stripped(without, replicaOf(one.labels(), ask.strip)));
                    return;
                }
                long size = sizeOf(one);
                if (lastLabels != null && lastLabels.compareTo(one.labels()) > 0) {
                    throw new CorruptDataException("", -1, "store " + ask.store.address() + " sent " + one.labels() + " after " + lastLabels
                            + ": series must come in label order");
                }
                lastLabels = one.labels();
                check.that(one);
                series[n++] = one;
                bytes += size;
                if (n == BATCH_SERIES || bytes >= BATCH_BYTES) {
                    send(new Batch(series, null, n, bytes, false));
                    series = new StoreSeries[BATCH_SERIES];
                    n = 0;
                    bytes = 0;
                }
            }

            /** Sends all but the last batch, which is returned with its memory reserved. */
            @Nullable
            Batch last() throws InterruptedException {
                if (all != null) {
                    sendSorted(all, allBytes);
                    return null;
                }
                if (n == 0) {
                    return null;
                }
                Batch rest = new Batch(series, null, n, bytes, true);
                n = 0;
                reserve(rest);
                return rest;
            }
        }

        /** @param reserved what the series have reserved, which goes with the batches to who reads them */
        private void sendSorted(List<Stripped> all, long reserved) throws InterruptedException {
            // Whoever sent them in order has those of one replica and series next to each other still.
            all.sort(Comparator.comparing(s -> s.series.labels()));
            long left = reserved;
            try {
                for (int i = 0; i < all.size(); i += BATCH_SERIES) {
                    int n = Math.min(BATCH_SERIES, all.size() - i);
                    StoreSeries[] batch = new StoreSeries[n];
                    String[] replicas = new String[n];
                    long bytes = 0;
                    for (int j = 0; j < n; j++) {
                        Stripped s = all.set(i + j, SENT);
                        batch[j] = s.series;
                        replicas[j] = s.replica;
                        bytes += sizeOf(s.series);
                    }
                    left -= bytes;
                    offer(new Batch(batch, replicas, n, bytes, false));
                }
            } finally {
                context.budget().release(left);
            }
        }

        private void send(Batch b) throws InterruptedException {
            reserve(b);
            offer(b);
        }

        private void reserve(Batch b) {
            if (b.bytes > 0) {
                context.budget().reserve(b.bytes, "series of " + ask.store.address());
            }
        }

        /** Hands a batch over with what it has reserved, or gives that back. */
        private void offer(Batch b) throws InterruptedException {
            try {
                while (!queue.offer(b, WAIT_MILLIS, TimeUnit.MILLISECONDS)) {
                    if (closed || context.isCancelled()) {
                        throw new InterruptedException("closed");
                    }
                }
            } catch (InterruptedException e) {
                context.budget().release(b.bytes);
                throw e;
            }
        }

        void cancel() {
            StoreClient.SeriesStream s = stream;
            if (s != null) {
                s.close();
            }
            Thread t = thread;
            if (t != null && t != Thread.currentThread()) {
                t.interrupt();
            }
            Batch b;
            while ((b = queue.poll()) != null) {
                context.budget().release(b.bytes);
            }
            queue.offer(LOOK);
        }
    }

    /** What the series of one stream were made of, for the coverage report. One thread writes. */
    private static final class Seen {
        private static final int MAX_REPLICAS = 32;
        private final Ask ask;
        private final Set<String> replicas = new TreeSet<>();
        private boolean any;
        private boolean raw;
        private boolean fine;
        private boolean coarse;

        Seen(Ask ask) {
            this.ask = ask;
        }

        void add(StoreSeries s) {
            any = true;
            for (StoreChunk c : s.chunks()) {
                if (c.raw() != null) {
                    raw = true;
                } else if (ChunkReader.isFine(c)) {
                    fine = true;
                } else {
                    coarse = true;
                }
            }
            if (!ask.strip.isEmpty() && replicas.size() < MAX_REPLICAS) {
                replicas.add(replicaOf(s.labels(), ask.strip));
            }
        }

        List<String> replicas() {
            if (any && ask.strip.isEmpty() && !ask.replica.isEmpty()) {
                return List.of(ask.replica);
            }
            replicas.remove("");
            return List.copyOf(replicas);
        }

        List<Long> resolutions() {
            List<Long> out = new ArrayList<>();
            if (raw) {
                out.add(0L);
            }
            if (fine) {
                out.add(ChunkReader.FINE);
            }
            if (coarse) {
                out.add(ChunkReader.COARSE);
            }
            return out;
        }
    }

    /** Warnings as the coverage report has them. */
    static String details(Collection<String> warned) {
        String first = warned.stream().limit(MAX_DETAILS).collect(Collectors.joining("; "));
        return warned.size() <= MAX_DETAILS ? first : first + "; and " + (warned.size() - MAX_DETAILS) + " more";
    }

    /** The values of the replica labels, which tell one replica from another. */
    static String replicaOf(Labels labels, Collection<String> replicaLabels) {
        if (replicaLabels.size() == 1) {
            return labels.get(replicaLabels.iterator().next());
        }
        StringBuilder sb = new StringBuilder();
        for (String l : replicaLabels) {
            sb.append(sb.isEmpty() ? "" : "/").append(labels.get(l));
        }
        return sb.toString();
    }

    static long sizeOf(StoreSeries s) {
        return OVERHEAD + 40L * s.labels().size() + sizeOf(s.chunks());
    }

    private static long sizeOf(List<StoreChunk> chunks) {
        long n = 0;
        for (int i = 0; i < chunks.size(); i++) {
            StoreChunk c = chunks.get(i);
            n += 64 + length(c.raw()) + length(c.count()) + length(c.sum()) + length(c.min()) + length(c.max()) + length(c.counter());
        }
        return n;
    }

    private static long length(@Nullable Chunk c) {
        return c == null ? 0 : c.length();
    }
}

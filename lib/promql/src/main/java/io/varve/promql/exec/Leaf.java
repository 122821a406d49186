package io.varve.promql.exec;

import io.varve.model.FloatHistogram;
import io.varve.model.Labels;
import io.varve.model.Matcher;
import io.varve.model.SampleBuffer;
import io.varve.model.Series;
import io.varve.model.SeriesSet;
import io.varve.promql.function.Grid;
import io.varve.promql.function.Notes;
import io.varve.promql.function.Row;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Series from the source, decoded and turned into rows in batches. Batches run on all cores; rows come out in the order of the
 * series, and what a batch holds does not depend on how many cores there are, so that answers do not either.
 */
final class Leaf extends Operator {
    /** Bytes of result rows in a batch, about. */
    private static final long BATCH_BYTES = 1 << 20;
    /** Bytes of encoded samples in a batch, at most, but for its last series: long histories are many megabytes each. */
    private static final long BATCH_ENCODED = 2 << 20;

    private final SharedFetch fetch;
    private final List<Matcher> filters;
    private final boolean statsOnly;
    private final Supplier<Kernel> kernels;
    private final int batchSize;
    private final int maxBatches;
    private final ConcurrentLinkedQueue<Scratch> scratch = new ConcurrentLinkedQueue<>();
    private final ArrayDeque<Batch> batches = new ArrayDeque<>();
    private @Nullable SeriesSet set;
    private boolean exhausted;
    private volatile boolean ended;
    private @Nullable Batch current;
    private int position;

    Leaf(QueryRun run, Grid grid, String name, String detail, SharedFetch fetch, List<Matcher> filters, boolean statsOnly,
            Supplier<Kernel> kernels) {
        super(run, grid, name, detail, List.of());
        this.fetch = fetch;
        this.filters = filters;
        fetch.expect();
        this.statsOnly = statsOnly;
        this.kernels = kernels;
        this.batchSize = (int) Math.max(4, Math.min(64, BATCH_BYTES / (8L * Math.max(1, grid.count()))));
        this.maxBatches = run.workers == null ? 1 : run.options.threads() * 2;
    }

    /** Asks the source, so that it can begin while others are read. */
    void open() {
        if (set == null) {
            set = fetch.open();
        }
    }

    /** Takes the rows of one batch, so that they need not be held. */
    interface Fold {
        /** Takes a row. Whether its values are free again; otherwise they are the fold's. */
        boolean add(Row row, Notes notes);
    }

    private @Nullable Supplier<Fold> folding;
    private boolean flat;

    /** Rows go into folds from now on, one fold per batch; to be read by {@link #nextFold} in place of {@link #next}. */
    void foldInto(Supplier<Fold> folds) {
        folding = folds;
    }

    /** Folds take rows with {@link Row#flat}: to be said before the first one is asked for. */
    void allowFlat() {
        flat = true;
    }

    /** Looks at the rows of one batch before anybody else does, on whichever thread works on it. */
    interface Sieve {
        /** Takes values out of a row that are not wanted because of those before it in the batch. Whether any are left. */
        boolean keep(Row row);

        /** Gives memory back once the batch has been read. */
        default void done() {
        }
    }

    private @Nullable Supplier<Sieve> sieving;

    /** Rows go through sieves from now on, one for each batch. */
    void sieve(Supplier<Sieve> sieves) {
        sieving = sieves;
    }

    /** The fold of the next batch, null at the end. */
    @Nullable
    Fold nextFold() {
        while (true) {
            fill();
            Batch b = batches.poll();
            if (b == null) {
                return null;
            }
            current = b;
            take(b);
            Fold f = b.fold;
            count(b.folded, b.foldedPoints);
            finish(b);
            current = null;
            if (f != null) {
                return f;
            }
        }
    }

    private final class Scratch {
        /** Histograms are reserved in steps of so much: they are many. */
        private static final long HISTOGRAM_STEP = 64 << 10;

        final SampleBuffer samples = new SampleBuffer(256);
        final Kernel kernel = kernels.get();
        long reserved;
        private long histograms;
        private long histogramsReserved;

        Scratch() {
            if (flat) {
                kernel.allowFlat();
            }
            samples.windowEnds = kernel.ends();
            samples.histogramBytes = this::histogram;
            samples.growing = capacity -> {
                run.context.check();
                account(capacity);
            };
        }

        /** Sees to it that histograms are reserved that a source had already, or made by other ways than decoding. */
        void countHistograms() {
            @Nullable
            FloatHistogram @Nullable [] all = samples.histograms;
            if (all == null) {
                return;
            }
            long bytes = 0;
            FloatHistogram last = null;
            for (int i = 0; i < samples.size; i++) {
                FloatHistogram h = all[i];
                if (h != null && h != last) {
                    bytes += h.bytes();
                    last = h;
                }
            }
            if (bytes > histograms) {
                histogram(bytes - histograms);
            }
        }

        private void histogram(long bytes) {
            histograms += bytes;
            if (histograms > histogramsReserved) {
                run.context.check();
                long more = Math.max(HISTOGRAM_STEP, histograms - histogramsReserved);
                memory.reserve(more);
                histogramsReserved += more;
            }
        }

        /** Lets go of the histograms of a series: they are not kept while the next one is decoded, nor while this waits. */
        void forgetHistograms() {
            if (samples.histograms != null) {
                samples.clear();
                kernel.forget();
            }
            if (histogramsReserved > 0) {
                memory.release(histogramsReserved);
                histogramsReserved = 0;
            }
            histograms = 0;
        }

        /** Sees to it that the arrays are reserved that a series of so many samples takes. */
        void account(int n) {
            long now = 16L * n + kernel.bytes(n);
            if (now > reserved) {
                memory.reserve(now - reserved);
                reserved = now;
            }
        }
    }

    private final class Batch implements Runnable {
        static final int WAITING = 0;
        static final int RUNNING = 1;
        static final int DONE = 2;

        final List<Series> series = new ArrayList<>(batchSize);
        final List<Row> rows = new ArrayList<>(batchSize);
        final Notes notes = new Notes();
        final SampleCount count = new SampleCount(run.totalPerStep == null ? 0 : grid.count());
        final AtomicInteger state = new AtomicInteger(WAITING);
        long encoded;
        long bytes;
        long held;
        @Nullable
        Throwable failure;
        @Nullable
        Fold fold;
        @Nullable
        Sieve sieve;
        long folded;
        long foldedPoints;

        @Override
        public void run() {
            if (state.compareAndSet(WAITING, RUNNING)) {
                work();
            }
        }

        boolean claim() {
            return state.compareAndSet(WAITING, RUNNING);
        }

        void work() {
            Scratch s = null;
            try {
                s = scratch.poll();
                if (s == null) {
                    // A row in the making, and where windows begin and end.
                    memory.reserve(24L * grid.count());
                    s = new Scratch();
                    s.account(s.samples.timestamps.length);
                }
                for (int i = 0; i < series.size() && !ended; i++) {
                    run.context.check();
                    one(series.get(i), s);
                }
                series.clear();
            } catch (Throwable t) {
                failure = t;
            } finally {
                if (s != null) {
                    scratch.add(s);
                }
                synchronized (this) {
                    state.set(DONE);
                    notifyAll();
                }
            }
        }

        private void one(Series from, Scratch s) {
            s.samples.clear();
            int size = 0;
            try {
                from.read(s.samples);
                s.countHistograms();
                if (statsOnly) {
                    HistogramStatistics.reduce(s.samples);
                }
                s.account(s.samples.timestamps.length);
                size = s.samples.size;
                Leaf.this.run.hold(size);
                Row row = s.kernel.row(from.labels(), false, s.samples, notes, count);
                Supplier<Fold> folds = folding;
                if (row != null && folds != null) {
                    Fold f = fold;
                    if (f == null) {
                        f = folds.get();
                        fold = f;
                    }
                    folded++;
                    foldedPoints += Leaf.this.run.timed ? row.points() : 0;
                    if (f.add(row, notes)) {
                        s.kernel.reuse(row.values);
                    }
                } else if (row != null && !sieved(row)) {
                    s.kernel.reuse(row.values);
                } else if (row != null) {
                    long b = row.bytes();
                    memory.reserve(b);
                    bytes += b;
                    long points = row.values.length;
                    Leaf.this.run.hold(points);
                    held += points;
                    // Here, where the values have just been made: to the thread that pulls they are another core's.
                    row.isSpan();
                    rows.add(row);
                }
            } finally {
                Leaf.this.run.drop(size);
                s.forgetHistograms();
            }
        }

        /** Whether the row has anything that is wanted. */
        private boolean sieved(Row row) {
            Supplier<Sieve> sieves = sieving;
            if (sieves == null) {
                return true;
            }
            Sieve own = sieve;
            if (own == null) {
                own = sieves.get();
                sieve = own;
            }
            boolean any = own.keep(row);
            row.changed();
            return any;
        }

        synchronized void await() {
            boolean interrupted = false;
            while (state.get() != DONE) {
                try {
                    wait();
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    @Override
    @Nullable
    Row produce() {
        while (true) {
            Batch b = current;
            if (b != null) {
                if (position < b.rows.size()) {
                    return b.rows.set(position++, SPENT);
                }
                finish(b);
                current = null;
            }
            fill();
            b = batches.poll();
            if (b == null) {
                return null;
            }
            current = b;
            position = 0;
            take(b);
        }
    }

    /** Waits for a batch and takes over what it noted and counted. */
    private void take(Batch b) {
        complete(b);
        if (b.failure != null) {
            throw rethrow(b.failure);
        }
        run.notes.addAll(b.notes);
        run.totalSamples += b.count.total;
        run.samplesRead += b.count.read;
        addPerStep(b.count);
    }

    private static final Row SPENT = new Row(Labels.EMPTY, false, new double[0]);

    private void addPerStep(SampleCount count) {
        long[] total = run.totalPerStep;
        long[] read = run.readPerStep;
        if (total == null || read == null || count.perStep == null || count.readPerStep == null) {
            return;
        }
        // Steps of a subquery or of something evaluated once count where the query's own step sees them: at its last.
        boolean same = grid.equals(run.grid);
        for (int i = 0; i < count.perStep.length; i++) {
            int step = same ? i : total.length - 1;
            total[step] += count.perStep[i];
            read[step] += count.readPerStep[i];
        }
    }

    static RuntimeException rethrow(Throwable t) {
        if (t instanceof RuntimeException e) {
            return e;
        }
        if (t instanceof Error e) {
            throw e;
        }
        return new IllegalStateException(t);
    }

    /** Keeps enough batches under way. */
    private void fill() {
        open();
        SeriesSet from = set;
        while (!exhausted && from != null && batches.size() < maxBatches) {
            Batch b = new Batch();
            while (b.series.size() < batchSize && b.encoded < BATCH_ENCODED) {
                run.context.check();
                Series s = from.next();
                if (s == null) {
                    exhausted = true;
                    break;
                }
                if (passes(s.labels())) {
                    long e = s.encodedBytes();
                    memory.reserve(e);
                    b.encoded += e;
                    b.series.add(s);
                }
            }
            if (b.series.isEmpty()) {
                break;
            }
            batches.add(b);
            Executor workers = run.workers;
            // A batch that is all there is is this thread's own, at once: waking another one up costs more than a small batch.
            if (workers != null && !(exhausted && batches.size() == 1)) {
                try {
                    workers.execute(b);
                } catch (RejectedExecutionException e) {
                    // The pool is full or closing: this thread runs it when its turn comes.
                    continue;
                }
            }
        }
    }

    private boolean passes(Labels labels) {
        for (Matcher m : filters) {
            if (!m.matches(labels.get(m.name()))) {
                return false;
            }
        }
        return true;
    }

    /** Sees to it that the batch is done, working on it or on later ones meanwhile. */
    private void complete(Batch b) {
        if (b.claim()) {
            b.work();
            return;
        }
        for (Batch later : batches) {
            if (b.state.get() == Batch.DONE) {
                return;
            }
            if (later.claim()) {
                later.work();
            }
        }
        b.await();
    }

    private void finish(Batch b) {
        memory.release(b.bytes + b.encoded);
        run.drop(b.held);
        b.bytes = 0;
        b.encoded = 0;
        b.held = 0;
        Sieve sieve = b.sieve;
        if (sieve != null) {
            b.sieve = null;
            sieve.done();
        }
        b.rows.clear();
    }

    @Override
    void release() {
        ended = true;
        try {
            SeriesSet s = set;
            if (s != null) {
                s.close();
            }
        } finally {
            for (Batch b : batches) {
                if (!b.claim()) {
                    b.await();
                }
                finish(b);
            }
            batches.clear();
            Batch b = current;
            if (b != null) {
                finish(b);
            }
        }
    }
}

package io.varve.storegateway;

import io.prometheus.metrics.core.datapoints.DistributionDataPoint;
import io.varve.block.BlockFilters;
import io.varve.model.CancelledException;
import io.varve.model.CorruptDataException;
import io.varve.model.Coverage;
import io.varve.model.InvalidRequestException;
import io.varve.model.LimitExceededException;
import io.varve.model.Matcher;
import io.varve.model.MemoryBudget;
import io.varve.model.QueryContext;
import io.varve.model.UnavailableException;
import io.varve.model.Utf8Order;
import io.varve.model.VarveException;
import io.varve.store.EncodedLabels;
import io.varve.store.LabelNamesRequest;
import io.varve.store.LabelValuesRequest;
import io.varve.store.SeriesRequest;
import io.varve.store.SeriesSink;
import io.varve.store.ShardInfo;
import io.varve.store.Store;
import io.varve.store.StoreChunk;
import io.varve.store.StoreInfo;
import io.varve.store.StoreSeries;
import io.varve.store.StringsResponse;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.PriorityQueue;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The StoreAPI over the blocks of a bucket. Safe for many threads.
 *
 * <p>
 * A block that cannot be read is left out, named in a warning with its reason, and the others are answered; where the caller wants all or
 * nothing the call ends with that reason instead.
 */
final class BucketStore implements Store {
    private static final Logger LOG = LoggerFactory.getLogger(BucketStore.class);
    /** A series with more chunk bytes than this goes out in several frames. */
    private static final long FRAME_BYTES = 4 << 20;
    /** What it costs to read a header alone, in series. */
    private static final long HEADER_COST = 100;

    /** What the store is made of and how it behaves. */
    record Parts(Supplier<Blocks> blocks, ObjectReader reader, IndexCache cache, SeriesGate gate, RequestLimits.Limits limits,
            ReadOptions options,
            StoreMetrics metrics, TimePartition partition, int blockConcurrency, QueryPattern pattern) {
    }

    /** The span that is served, which may move with the clock. */
    interface TimePartition {
        /** Everything. */
        TimePartition ALL = new TimePartition() {
            @Override
            public long min() {
                return Long.MIN_VALUE;
            }

            @Override
            public long max() {
                return Long.MAX_VALUE;
            }
        };

        /** First millisecond. */
        long min();

        /** Last millisecond. */
        long max();
    }

    /** Is told which blocks requests ask for, to have the next ones ready. */
    interface QueryPattern {
        /** Not interested. */
        QueryPattern NONE = (set, blocks, minTime, maxTime) -> {
        };

        /** A request asked for blocks of a stream. */
        void queried(BlockSet set, List<GatewayBlock> blocks, long minTime, long maxTime);
    }

    /** Heap for series that are looked for again and again. */
    private static final long MAX_FOUND_BYTES = 16 << 20;

    private final Parts parts;
    private final IndexAccess index;
    private final LabelPool pool = new LabelPool();
    private final FoundSeries.Cache found;
    /** Blocks that large calls are at, together: the next step of a small call has to wait for a turn of each. */
    private final Semaphore largeSlots;

    BucketStore(Parts parts) {
        this.parts = parts;
        this.index = new IndexAccess(parts.reader, parts.cache, parts.metrics);
        this.found = new FoundSeries.Cache(
                parts.cache.holds(IndexCache.Item.SERIES) ? Math.min(MAX_FOUND_BYTES, Runtime.getRuntime().maxMemory() / 50) : 0,
                parts.metrics);
        this.largeSlots = new Semaphore(Math.max(parts.blockConcurrency, 32), true);
    }

    @Override
    public StoreInfo info() {
        return parts.blocks.get().info(parts.partition.min(), parts.partition.max());
    }

    private record Chosen(GatewayBlock block, List<Matcher> matchers) {
    }

    /** The blocks for a request, each with the matchers that are left for its series. */
    private List<Chosen> choose(Blocks all, List<Matcher> matchers, List<Matcher> blockMatchers, long minTime, long maxTime,
            long maxResolution,
            boolean labels) {
        Predicate<GatewayBlock> wanted = b -> {
            for (Matcher m : blockMatchers) {
                String value = m.name().equals(BlockFilters.BLOCK_ID) ? b.id() : b.externalLabels().get(m.name());
                if (!m.matches(value)) {
                    return false;
                }
            }
            return true;
        };
        List<Chosen> out = new ArrayList<>();
        for (BlockSet set : all.streams()) {
            Optional<List<Matcher>> left = set.remaining(matchers);
            if (left.isPresent()) {
                List<GatewayBlock> blocks = labels
                        ? set.finest(minTime, maxTime, wanted)
                        : set.select(minTime, maxTime, maxResolution, wanted);
                blocks.forEach(b -> out.add(new Chosen(b, left.get())));
                parts.pattern.queried(set, blocks, minTime, maxTime);
            }
        }
        return out;
    }

    @Override
    public void series(QueryContext context, SeriesRequest request, SeriesSink sink) {
        parts.metrics.pendingSeries.inc();
        releaseAtEnd(context);
        try {
            long minTime = Math.max(request.minTime(), parts.partition.min());
            long maxTime = Math.min(request.maxTime(), parts.partition.max());
            Blocks known = parts.blocks.get();
            List<Chosen> chosen = chosen(known, request, minTime, maxTime);
            try (SeriesGate.Turn turn = parts.gate.enter(context, mostSeries(chosen))) {
                classify(context, turn.isLarge());
                Blocks now = parts.blocks.get();
                answer(context, request, turn.isLarge(), now == known ? chosen : chosen(now, request, minTime, maxTime), minTime, maxTime,
                        new TurnSink(sink, turn, context));
            }
        } catch (MissingAggregateException e) {
            throw new CorruptDataException("", -1, e.getMessage() == null ? "" : e.getMessage(), e);
        } catch (LimitExceededException e) {
            parts.metrics.queriesDropped.labelValues(reason(e), context.tenant()).inc();
            throw e;
        } finally {
            parts.metrics.pendingSeries.dec();
        }
    }

    /** Sends frames, and lets others have the place of a call whose reader is slow. */
    private record TurnSink(SeriesSink sink, SeriesGate.Turn turn, QueryContext context) implements SeriesSink.Before {
        /** How long a call keeps its place while its reader is slow. */
        private static final long PATIENCE_MILLIS = 50;

        @Override
        public void series(StoreSeries series) {
            if (sink.ready(PATIENCE_MILLIS)) {
                sink.series(series);
            } else {
                turn.pause(context, () -> sink.series(series));
            }
        }
    }

    /** Large calls leave some of the memory to others. */
    private static void classify(QueryContext context, boolean large) {
        if (large && context.budget() instanceof MemoryBroker.Request r) {
            r.large();
        }
    }

    /** Whatever went wrong, nothing stays reserved. */
    private static void releaseAtEnd(QueryContext context) {
        if (context.budget() instanceof MemoryBroker.Request r) {
            context.onCancel(r::close);
        }
    }

    private static String reason(LimitExceededException e) {
        return switch (e.limit()) {
            case RequestLimits.SERIES -> "series";
            case RequestLimits.SAMPLES -> "chunks";
            case RequestLimits.BYTES -> "bytes";
            case SeriesGate.LIMIT -> "concurrency";
            default -> "memory";
        };
    }

    private List<Chosen> chosen(Blocks all, SeriesRequest request, long minTime, long maxTime) {
        return choose(all, request.matchers(), request.blockMatchers(), minTime, maxTime, request.maxResolutionMillis(), false);
    }

    /** How many series a call may have to look at. */
    private static long mostSeries(List<Chosen> chosen) {
        long sum = 0;
        for (Chosen c : chosen) {
            sum += c.matchers.isEmpty() ? HEADER_COST : c.block.mostSeries(c.matchers);
        }
        return sum;
    }

    private void answer(QueryContext context, SeriesRequest request, boolean large, List<Chosen> chosen, long minTime, long maxTime,
            SeriesSink sink) {
        if (request.maxResolutionMillis() < 0) {
            // As Thanos, whose stores stumble over it: said where there is something to answer, with nothing beside it.
            if (minTime <= maxTime && parts.blocks.get().streams().stream().anyMatch(s -> s.remaining(request.matchers()).isPresent())) {
                sink.warning("max_resolution_window " + request.maxResolutionMillis() + " is negative: nothing is answered");
            }
            return;
        }
        ReadStats stats = new ReadStats();
        RequestLimits limits = new RequestLimits(parts.limits);
        SeriesQuery query = new SeriesQuery(context, context.budget(), minTime, maxTime, request.spans(), request.aggregates(),
                request.skipChunks(), request.withoutReplicaLabels(), request.shard(), limits, stats, parts.options, chosen.size(),
                request.skipChunks() ? request.limit() : 0);
        long start = System.nanoTime();
        Faults faults = new Faults(request.partialResponse(), false, sink::warning);
        List<BlockCursor> cursors = prepare(query, large, chosen, faults);
        String tenant = context.tenant();
        parts.metrics.getAllSeconds.labelValues(tenant).observe((System.nanoTime() - start) / 1e9);
        parts.metrics.blocksQueried.labelValues(tenant).observe(chosen.size());
        long merging = System.nanoTime();
        long sent = 0;
        try {
            chosen.forEach(c -> context.coverage().block(new Coverage.Block(c.block.id(), c.block.meta().resolutionMillis())));
            sink.queriedBlocks(chosen.stream().map(c -> c.block.id()).toList());
            sent = merge(context, cursors, request.limit(), sink, faults, tenant);
        } finally {
            cursors.forEach(BlockCursor::close);
            parts.metrics.mergeSeconds.labelValues(tenant).observe((System.nanoTime() - merging) / 1e9);
            parts.metrics.resultSeries.labelValues(tenant).observe(sent);
            parts.metrics.requestedSeries.observe(sent);
            parts.metrics.requestedChunks.observe(limits.chunkCount());
            parts.metrics.observe(stats, tenant);
            parts.metrics.postingsSeconds.labelValues(tenant).observe(stats.nanos(ReadStats.Kind.POSTINGS) / 1e9);
            parts.metrics.seriesSeconds.labelValues(tenant).observe(stats.nanos(ReadStats.Kind.SERIES) / 1e9);
            parts.metrics.seriesSecondsSum.labelValues(tenant).observe(stats.nanos(ReadStats.Kind.SERIES) / 1e9);
            parts.metrics.chunksSeconds.labelValues(tenant).observe(stats.nanos(ReadStats.Kind.CHUNKS) / 1e9);
            parts.metrics.chunksSecondsSum.labelValues(tenant).observe(stats.nanos(ReadStats.Kind.CHUNKS) / 1e9);
            LOG.atDebug().addKeyValue("blocks", chosen.size()).addKeyValue("series", sent)
                    .addKeyValue("requests", stats.fetches(ReadStats.Kind.POSTINGS) + stats.fetches(ReadStats.Kind.SERIES)
                            + stats.fetches(ReadStats.Kind.CHUNKS) + stats.fetches(ReadStats.Kind.HEADER))
                    .addKeyValue("millis", (System.nanoTime() - start) / 1_000_000).log("series");
        }
    }

    /** What goes wrong with single blocks. */
    private final class Faults {
        private final boolean partial;
        private final boolean strings;
        private final java.util.function.Consumer<String> warn;

        /** @param strings whether names or values are looked for, and not series */
        Faults(boolean partial, boolean strings, java.util.function.Consumer<String> warn) {
            this.partial = partial;
            this.strings = strings;
            this.warn = warn;
        }

        /** Too many series, chunks or bytes, in Thanos' words; which of several blocks is named depends on which came last. */
        private LimitExceededException told(GatewayBlock block, LimitExceededException e) {
            String status = "rpc error: code = ResourceExhausted desc = " + e.getMessage();
            return switch (e.limit()) {
                case RequestLimits.SERIES -> new LimitExceededException(e.limit(),
                        (strings ? "" : "fetch postings for block " + block.id() + ": ") + status);
                case RequestLimits.SAMPLES -> new LimitExceededException(e.limit(), "receive series from " + block.id() + ": " + status);
                case RequestLimits.BYTES -> new LimitExceededException(e.limit(),
                        (strings ? "iterate series for block " : "receive series from ") + block.id() + ": " + status);
                default -> e;
            };
        }

        /** Leaves the block out with a warning, or ends the call. */
        void block(GatewayBlock block, VarveException e) {
            String text = "receive series from " + block.id() + ": " + e.getMessage();
            switch (e) {
                case CorruptDataException x -> {
                    parts.metrics.blockFaults.labelValues("damaged").inc();
                    LOG.atWarn().addKeyValue("block", block.id()).addKeyValue("err", e.getMessage()).log("block cannot be read");
                    if (!partial) {
                        throw new CorruptDataException("", -1, text, x);
                    }
                    warn.accept(text);
                }
                case UnavailableException x -> {
                    parts.metrics.blockFaults.labelValues("unavailable").inc();
                    LOG.atWarn().addKeyValue("block", block.id()).addKeyValue("err", e.getMessage()).log("block cannot be read");
                    if (!partial) {
                        throw new UnavailableException(text, x);
                    }
                    warn.accept(text);
                }
                case LimitExceededException x -> throw told(block, x);
                case InvalidRequestException x -> throw x;
                case CancelledException x -> throw x;
            }
        }
    }

    private interface BlockWork<T> {
        T run(Chosen chosen);
    }

    /**
     * Runs work for all blocks side by side, so many at a time; results in the order of the blocks, null for those that failed. The caller
     * takes its share: most calls ask one or two blocks, and a thread costs what they cost.
     */
    private <T> List<@Nullable T> forAll(QueryContext context, boolean large, List<Chosen> chosen, Faults faults, BlockWork<T> work) {
        List<CompletableFuture<T>> all = Stream.generate(CompletableFuture<T>::new).limit(chosen.size()).toList();
        AtomicInteger next = new AtomicInteger();
        Runnable share = () -> {
            for (int i = next.getAndIncrement(); i < all.size(); i = next.getAndIncrement()) {
                CompletableFuture<T> f = all.get(i);
                try {
                    if (large) {
                        largeSlots.acquire();
                    }
                    try {
                        context.check();
                        f.complete(work.run(chosen.get(i)));
                    } finally {
                        if (large) {
                            largeSlots.release();
                        }
                    }
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt(); // the next ones shall not wait either
                    f.completeExceptionally(e);
                } catch (Throwable t) {
                    f.completeExceptionally(t);
                }
            }
        };
        for (int i = 1; i < Math.min(chosen.size(), parts.blockConcurrency); i++) {
            Thread.ofVirtual().name("block ", i).start(share);
        }
        share.run();
        List<@Nullable T> out = new ArrayList<>(chosen.size());
        RuntimeException failed = null;
        for (int i = 0; i < all.size(); i++) {
            try {
                out.add(all.get(i).get());
            } catch (ExecutionException e) {
                out.add(null);
                try {
                    switch (e.getCause()) {
                        case VarveException v -> faults.block(chosen.get(i).block, v);
                        case RuntimeException r -> throw r;
                        case InterruptedException x -> {
                            // The caller's own part.
                            Thread.currentThread().interrupt();
                            throw new CancelledException(CancelledException.Reason.CANCELED, "context canceled");
                        }
                        case null, default -> throw new IllegalStateException(e.getCause());
                    }
                } catch (RuntimeException r) {
                    // All threads are waited for, so that what they hold can be given back.
                    failed = failed == null ? r : failed;
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                out.add(null);
                failed = new CancelledException(CancelledException.Reason.CANCELED, "context canceled");
            }
        }
        if (failed != null) {
            out.forEach(t -> {
                if (t instanceof BlockCursor c) {
                    c.close();
                }
            });
            throw failed;
        }
        return out;
    }

    /** Plans all blocks, side by side; then, with every limit passed, loads the first batch of each. */
    private List<BlockCursor> prepare(SeriesQuery query, boolean large, List<Chosen> chosen, Faults faults) {
        List<@Nullable BlockCursor> planned = forAll(query.context(), large, chosen, faults, c -> {
            BlockCursor cursor = new BlockCursor(c.block, query, c.matchers, parts.reader, index, pool, found);
            try {
                cursor.prepare();
                return cursor;
            } catch (RuntimeException | Error e) {
                cursor.close();
                throw e;
            }
        });
        List<BlockCursor> cursors = new ArrayList<>();
        for (BlockCursor c : planned) {
            if (c != null) {
                cursors.add(c);
            }
        }
        try {
            List<Chosen> open = cursors.stream().map(c -> new Chosen(c.block(), List.of())).toList();
            Map<GatewayBlock, BlockCursor> byBlock = new IdentityHashMap<>();
            cursors.forEach(c -> byBlock.put(c.block(), c));
            List<@Nullable Boolean> started = forAll(query.context(), large, open, faults, c -> {
                BlockCursor cursor = byBlock.get(c.block);
                return cursor != null && cursor.next();
            });
            List<BlockCursor> out = new ArrayList<>();
            for (int i = 0; i < started.size(); i++) {
                if (Boolean.TRUE.equals(started.get(i))) {
                    out.add(cursors.get(i));
                } else {
                    cursors.get(i).close();
                }
            }
            return out;
        } catch (RuntimeException e) {
            cursors.forEach(BlockCursor::close);
            throw e;
        }
    }

    private long merge(QueryContext context, List<BlockCursor> cursors, long limit, SeriesSink sink, Faults faults, String tenant) {
        PriorityQueue<BlockCursor> heap = new PriorityQueue<>(Math.max(1, cursors.size()), BlockCursor::inOrder);
        List<List<StoreChunk>> ofSeries = new ArrayList<>();
        DistributionDataPoint sentBytes = parts.metrics.sentChunkBytes.labelValues(tenant);
        heap.addAll(cursors);
        long sent = 0;
        while (!heap.isEmpty() && (limit <= 0 || sent < limit)) {
            if ((sent & 63) == 0) {
                context.check();
            }
            BlockCursor first = heap.remove();
            EncodedLabels labels = first.labels();
            ofSeries.add(first.chunks());
            advance(first, heap, faults);
            while (true) {
                BlockCursor other = heap.peek();
                if (other == null || !other.labels().equals(labels)) {
                    break;
                }
                heap.remove();
                ofSeries.add(other.chunks());
                advance(other, heap, faults);
            }
            List<StoreChunk> chunks = unique(ofSeries.size() == 1 ? ofSeries.getFirst() : joined(ofSeries));
            ofSeries.clear();
            sent++;
            send(labels, chunks, sink, sentBytes);
        }
        return sent;
    }

    private void advance(BlockCursor cursor, PriorityQueue<BlockCursor> heap, Faults faults) {
        try {
            if (cursor.next()) {
                heap.add(cursor);
            }
        } catch (VarveException e) {
            cursor.close();
            faults.block(cursor.block(), e);
        }
    }

    private static List<StoreChunk> joined(List<List<StoreChunk>> lists) {
        int n = 0;
        for (List<StoreChunk> l : lists) {
            n += l.size();
        }
        List<StoreChunk> out = new ArrayList<>(n);
        lists.forEach(out::addAll);
        return out;
    }

    /** Whether chunks follow each other in time, as they do where blocks do not overlap. */
    private static boolean inTurn(List<StoreChunk> chunks) {
        for (int i = 1; i < chunks.size(); i++) {
            if (chunks.get(i - 1).minTime() >= chunks.get(i).minTime()) {
                return false;
            }
        }
        return true;
    }

    /** In the order of time, without those that are there twice: two blocks may hold the same chunk, and so may one. */
    private static List<StoreChunk> unique(List<StoreChunk> given) {
        if (inTurn(given)) {
            return given;
        }
        List<StoreChunk> chunks = new ArrayList<>(given);
        chunks.sort(BlockCursor::byTime);
        List<StoreChunk> out = new ArrayList<>(chunks.size());
        for (StoreChunk c : chunks) {
            boolean known = false;
            for (int i = out.size() - 1; i >= 0 && !known; i--) {
                StoreChunk o = out.get(i);
                if (o.minTime() != c.minTime() || o.maxTime() != c.maxTime()) {
                    break;
                }
                known = same(o.raw(), c.raw()) && same(o.count(), c.count()) && same(o.sum(), c.sum()) && same(o.min(), c.min())
                        && same(o.max(), c.max()) && same(o.counter(), c.counter());
            }
            if (!known) {
                out.add(c);
            }
        }
        return out;
    }

    private static boolean same(io.varve.chunk.@Nullable Chunk a, io.varve.chunk.@Nullable Chunk b) {
        return a == null ? b == null : b != null && a.sameContent(b);
    }

    private static void send(EncodedLabels labels, List<StoreChunk> chunks, SeriesSink sink, DistributionDataPoint sentBytes) {
        long bytes = 0;
        int from = 0;
        for (int i = 0; i < chunks.size(); i++) {
            bytes += chunks.get(i).bytes();
            if (bytes > FRAME_BYTES && i + 1 < chunks.size()) {
                sink.series(new StoreSeries(labels, chunks.subList(from, i + 1)));
                sentBytes.observe(bytes);
                from = i + 1;
                bytes = 0;
            }
        }
        sink.series(new StoreSeries(labels, from == 0 ? chunks : chunks.subList(from, chunks.size())));
        sentBytes.observe(bytes);
    }

    /** What one block has, each text once; in any order. */
    private record Found(Collection<String> values) {
    }

    @Override
    public StringsResponse labelNames(QueryContext context, LabelNamesRequest request) {
        List<Chosen> chosen = choose(parts.blocks.get(), request.matchers(), request.blockMatchers(),
                Math.max(request.minTime(), parts.partition.min()),
                Math.min(request.maxTime(), parts.partition.max()), 0, true);
        return strings(context, chosen, request.partialResponse(), request.limit(), request.withoutReplicaLabels(), request.minTime(),
                request.maxTime(), (query, c) -> {
                    Set<String> names = new HashSet<>();
                    // Matchers on external labels alone select whole blocks: the header has the answer.
                    if (c.matchers.isEmpty()) {
                        try (GatewayBlock.Lease lease = c.block.acquire(query.stats())) {
                            names.addAll(lease.header().postings().names());
                        }
                        c.block.externalLabels().forEach((name, value) -> names.add(name));
                    } else {
                        try (BlockCursor cursor = new BlockCursor(c.block, query, c.matchers, parts.reader, index, pool, found)) {
                            cursor.names().ifPresent(inBlock -> {
                                names.addAll(inBlock);
                                c.block.externalLabels().forEach((name, value) -> names.add(name));
                            });
                        }
                    }
                    names.removeAll(request.withoutReplicaLabels());
                    return new Found(names);
                });
    }

    @Override
    public StringsResponse labelValues(QueryContext context, LabelValuesRequest request) {
        String label = request.label();
        if (request.withoutReplicaLabels().contains(label)) {
            return new StringsResponse(List.of(), List.of(), List.of());
        }
        List<Chosen> chosen = choose(parts.blocks.get(), request.matchers(), request.blockMatchers(),
                Math.max(request.minTime(), parts.partition.min()),
                Math.min(request.maxTime(), parts.partition.max()), 0, true);
        return strings(context, chosen, request.partialResponse(), request.limit(), request.withoutReplicaLabels(), request.minTime(),
                request.maxTime(), (query, c) -> {
                    String own = c.block.externalLabels().get(label);
                    // Matchers on external labels alone select whole blocks: the header has the answer.
                    if (c.matchers.isEmpty()) {
                        // The list of all series has an empty name and value in every index.
                        if (!own.isEmpty() || label.isEmpty()) {
                            return new Found(Set.of(own));
                        }
                        try (GatewayBlock.Lease lease = c.block.acquire(query.stats())) {
                            return new Found(lease.header().postings().values(label));
                        }
                    }
                    List<Matcher> narrowed = new ArrayList<>(c.matchers);
                    if (own.isEmpty()) {
                        narrowed.add(Matcher.of(Matcher.Type.NOT_EQUAL, label, ""));
                    }
                    try (BlockCursor cursor = new BlockCursor(c.block, query, narrowed, parts.reader, index, pool, found)) {
                        Optional<Set<String>> inBlock = cursor.values(label);
                        if (inBlock.isPresent() && !own.isEmpty()) {
                            return new Found(Set.of(own));
                        }
                        Set<String> values = new HashSet<>(inBlock.orElse(Set.of()));
                        values.remove("");
                        return new Found(values);
                    }
                });
    }

    private interface StringsOf {
        Found of(SeriesQuery query, Chosen chosen);
    }

    private StringsResponse strings(QueryContext context, List<Chosen> chosen, boolean partial, long limit, List<String> drop, long minTime,
            long maxTime, StringsOf work) {
        releaseAtEnd(context);
        try (SeriesGate.Turn turn = parts.gate.enter(context, mostSeries(chosen))) {
            classify(context, turn.isLarge());
            ReadStats stats = new ReadStats();
            MemoryBudget budget = context.budget();
            SeriesQuery query = new SeriesQuery(context, budget, minTime, maxTime, SeriesRequest.Spans.ALL, Set.of(), true, drop,
                    ShardInfo.NONE,
                    new RequestLimits(parts.limits), stats, parts.options, chosen.size(), 0);
            Set<String> warnings = new LinkedHashSet<>();
            Faults faults = new Faults(partial, true, warnings::add);
            // Blocks mostly have the same: what is looked up by hash and sorted once is compared a few times, not a few times per block.
            Set<String> values = new HashSet<>();
            for (Found f : forAll(context, turn.isLarge(), chosen, faults, c -> work.of(query, c))) {
                if (f != null) {
                    values.addAll(f.values);
                }
            }
            List<String> out = values.stream().sorted(Utf8Order::compare).limit(limit <= 0 ? Long.MAX_VALUE : limit).toList();
            return new StringsResponse(out, List.copyOf(warnings), chosen.stream().map(c -> c.block.id()).toList());
        } catch (LimitExceededException e) {
            parts.metrics.queriesDropped.labelValues(reason(e), context.tenant()).inc();
            throw e;
        }
    }
}

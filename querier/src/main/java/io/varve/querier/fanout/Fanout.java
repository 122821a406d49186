package io.varve.querier.fanout;

import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.chunk.Chunk;
import io.varve.model.CancelledException;
import io.varve.model.Coverage;
import io.varve.model.InvalidRequestException;
import io.varve.model.Labels;
import io.varve.model.LimitExceededException;
import io.varve.model.Matcher;
import io.varve.model.QueryContext;
import io.varve.model.UnavailableException;
import io.varve.model.Utf8Order;
import io.varve.model.VarveException;
import io.varve.model.XxHash64;
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
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.LongConsumer;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/** All stores as one {@link Store}: what a querier above sees, and what the engine's source is made of. Safe for many threads. */
public final class Fanout implements Store {
    /** Which blocks to read is told to a store gateway itself; a querier does not pass it on, as in Thanos. */
    private static final List<Matcher> NO_BLOCK_MATCHERS = List.of();
    private static final Comparator<StoreChunk> BY_TIME = Comparator.comparingLong(StoreChunk::minTime)
            .thenComparingLong(StoreChunk::maxTime).thenComparing(Fanout::compareContents);

    /** What a place in a set takes of the heap, in bytes. */
    private static final long PLACE = 40;

    private final EndpointSet endpoints;
    private final List<Labels> selectorLabels;
    private final long frameTimeoutMillis;
    private final Counter emptyStreams;

    /**
     * @param selectorLabels label sets that this querier adds to those of its stores, or announces where it has none
     * @param frameTimeoutMillis how long a store may be silent, 0 = as long as the query lasts
     */
    public Fanout(EndpointSet endpoints, List<Labels> selectorLabels, long frameTimeoutMillis, PrometheusRegistry registry) {
        this.endpoints = endpoints;
        this.selectorLabels = List.copyOf(selectorLabels);
        this.frameTimeoutMillis = frameTimeoutMillis;
        emptyStreams = Counter.builder().name("thanos_proxy_store_empty_stream_responses_total")
                .help("Total number of empty responses received.").register(registry);
    }

    EndpointSet endpoints() {
        return endpoints;
    }

    @Override
    public StoreInfo info() {
        Set<Labels> sets = new TreeSet<>();
        long min = Long.MAX_VALUE;
        long max = Long.MIN_VALUE;
        List<StoreInfo.TsdbInfo> tsdbs = new ArrayList<>();
        for (StoreRef s : endpoints.now().stores()) {
            if (!s.hasStore()) {
                continue;
            }
            sets.addAll(s.labelSets());
            min = Math.min(min, s.minTime());
            max = Math.max(max, s.maxTime());
            // A querier above that hands queries on decides by these which of us has what, and from when on.
            tsdbs.addAll(s.tsdbs());
            if (s.tsdbs().isEmpty()) {
                s.labelSets().forEach(l -> tsdbs.add(new StoreInfo.TsdbInfo(l, s.minTime(), s.maxTime())));
            }
        }
        if (min > max) {
            min = Long.MIN_VALUE;
            max = Long.MAX_VALUE;
        }
        List<Labels> all = new ArrayList<>(sets);
        for (Labels l : selectorLabels) {
            all = all.isEmpty() ? List.of(l) : all.stream().map(x -> x.overriddenBy(l)).toList();
        }
        return new StoreInfo("query", all, new StoreInfo.StoreSpan(min, max, true, true, tsdbs),
                Set.of(StoreInfo.Service.values()));
    }

    /** Which stores can have what is asked; those that should be there and are not become warnings, coverage and, with ABORT, the end. */
    List<StoreRef> matching(QueryContext context, long minTime, long maxTime, List<Matcher> matchers, StoreFilter filter,
            boolean partialResponse) {
        List<StoreRef> out = new ArrayList<>();
        EndpointSet.Snapshot now = endpoints.now();
        for (StoreRef s : now.stores()) {
            if (s.hasStore() && s.minTime() <= maxTime && s.maxTime() >= minTime && filter.accepts(s.address()) && s.canMatch(matchers)) {
                out.add(s);
            }
        }
        reportMissing(context, now, filter, partialResponse, minTime, maxTime, matchers);
        return out;
    }

    /** Those who announce a service and pass the test; says which endpoints should be there and are not. */
    List<StoreRef> serving(QueryContext context, StoreInfo.Service service, boolean partialResponse, Predicate<StoreRef> test) {
        EndpointSet.Snapshot now = endpoints.now();
        reportMissing(context, now, StoreFilter.ALL, partialResponse, Long.MIN_VALUE, Long.MAX_VALUE, List.of());
        return now.stores().stream().filter(s -> s.services().contains(service) && test.test(s)).toList();
    }

    private static void reportMissing(QueryContext context, EndpointSet.Snapshot now, StoreFilter filter, boolean partialResponse,
            long minTime, long maxTime, List<Matcher> matchers) {
        for (EndpointSet.Missing m : now.missing()) {
            if (!filter.accepts(m.address()) || !m.canMatter(minTime, maxTime, matchers)) {
                continue;
            }
            String text = "endpoint " + m.address() + " is expected and does not answer: " + m.error();
            context.coverage().add(new Coverage.Part(m.address(), Coverage.Outcome.MISSING, m.minTime(), m.maxTime(), 0, text));
            if (!partialResponse) {
                throw new UnavailableException(text);
            }
            context.warn(text);
        }
    }

    /** Opens the streams of {@code asks} and merges them; {@code read} is told of the bytes that come to be read. */
    SeriesMerge merge(QueryContext context, List<SeriesMerge.Ask> asks, boolean partialResponse, LongConsumer read) {
        return new SeriesMerge(context, asks, partialResponse, frameTimeoutMillis, emptyStreams::inc, read);
    }

    /** The request as it goes to one store, and what is left to do here. */
    SeriesMerge.Ask ask(StoreRef store, SeriesRequest r, String replica) {
        boolean strip = !r.withoutReplicaLabels().isEmpty() && !store.replicaLabels();
        SeriesRequest sent = with(r, narrowed(store, r.matchers()), strip ? List.of() : r.withoutReplicaLabels(), limit(store, r));
        return new SeriesMerge.Ask(store, sent, replica, strip ? r.withoutReplicaLabels() : List.of());
    }

    /** How many series are enough of a store: as many as are wanted, where it counts what is counted here; else all. */
    private static long limit(StoreRef store, SeriesRequest r) {
        boolean shards = r.shard().total() < 1 || store.sharding();
        // Replicas within the series of a store may be counted there one by one.
        boolean counts = r.withoutReplicaLabels().isEmpty() || store.replicaLabels() && !store.labelSets().isEmpty()
                && r.withoutReplicaLabels().stream().allMatch(n -> store.labelSets().stream().allMatch(l -> l.has(n)));
        return shards && counts ? r.limit() : 0;
    }

    static SeriesRequest with(SeriesRequest r, List<Matcher> matchers, List<String> withoutReplicaLabels, long limit) {
        return new SeriesRequest(r.minTime(), r.maxTime(), matchers, r.maxResolutionMillis(), r.aggregates(), r.partialResponse(),
                r.skipChunks(), r.blockMatchers(), withoutReplicaLabels, r.shard(), limit, r.batchSize(), r.spans());
    }

    @Override
    public void series(QueryContext context, SeriesRequest request, SeriesSink sink) {
        List<Matcher> matchers = withoutSelectorLabels(request.matchers());
        if (matchers == null) {
            return;
        }
        if (matchers.isEmpty()) {
            throw new InvalidRequestException("no matchers specified (excluding selector labels)");
        }
        if (endpoints.now().isEmpty()) {
            if (!request.partialResponse()) {
                throw new UnavailableException("No StoreAPIs available");
            }
            return;
        }
        SeriesRequest r = new SeriesRequest(request.minTime(), request.maxTime(), matchers, request.maxResolutionMillis(),
                request.aggregates(), request.partialResponse(), request.skipChunks(), NO_BLOCK_MATCHERS,
                request.withoutReplicaLabels(), request.shard(), request.limit(), 64, request.spans());
        List<SeriesMerge.Ask> asks = new ArrayList<>();
        for (StoreRef s : matching(context, r.minTime(), r.maxTime(), matchers, StoreFilter.ALL, r.partialResponse())) {
            asks.add(ask(s, r, ""));
        }
        Set<String> told = new HashSet<>();
        long n = 0;
        try (SeriesMerge merge = merge(context, asks, r.partialResponse(), bytes -> {
        })) {
            while (merge.next()) {
                if (!inShard(merge.labels(), r.shard())) {
                    continue;
                }
                n++;
                List<StoreChunk> all = merged(merge.parts());
                tell(context, told, sink);
                sink.series(new StoreSeries(merge.labels(), all));
                if (r.limit() > 0 && n >= r.limit()) {
                    break;
                }
            }
        }
        tell(context, told, sink);
    }

    private static void tell(QueryContext context, Set<String> told, SeriesSink sink) {
        for (String w : context.warnings()) {
            if (told.add(w)) {
                sink.warning(w);
            }
        }
    }

    /** Takes out what this querier's own labels satisfy; null where they contradict. */
    @Nullable
    List<Matcher> withoutSelectorLabels(List<Matcher> matchers) {
        if (selectorLabels.isEmpty()) {
            return matchers;
        }
        List<Matcher> left = new ArrayList<>();
        for (Matcher m : matchers) {
            boolean own = false;
            boolean satisfied = false;
            for (Labels l : selectorLabels) {
                int i = l.indexOf(m.name());
                if (i >= 0) {
                    own = true;
                    satisfied |= m.matches(l.value(i));
                }
            }
            if (own && !satisfied) {
                return null;
            }
            if (!own) {
                left.add(m);
            }
        }
        return left;
    }

    /** All chunks of a series in order, each content once. */
    static List<StoreChunk> merged(List<SeriesMerge.Part> parts) {
        if (parts.size() == 1) {
            return distinct(parts.getFirst().chunks());
        }
        List<StoreChunk> all = new ArrayList<>();
        for (SeriesMerge.Part p : parts) {
            all.addAll(p.chunks());
        }
        return distinct(all);
    }

    /** Sorted by time, equal contents once: as soon as one part of a chunk is new, the whole chunk is kept. */
    static List<StoreChunk> distinct(List<StoreChunk> chunks) {
        boolean sorted = true;
        boolean apart = true;
        for (int i = 1; i < chunks.size(); i++) {
            StoreChunk a = chunks.get(i - 1);
            StoreChunk b = chunks.get(i);
            sorted &= BY_TIME.compare(a, b) <= 0;
            apart &= a.maxTime() < b.minTime();
        }
        if (apart) {
            return chunks;
        }
        List<StoreChunk> out = new ArrayList<>(chunks);
        if (!sorted) {
            out.sort(BY_TIME);
        }
        Set<Long> seen = new HashSet<>();
        out.removeIf(c -> !(isNew(c.raw(), seen) || isNew(c.count(), seen) || isNew(c.max(), seen) || isNew(c.min(), seen)
                || isNew(c.sum(), seen) || isNew(c.counter(), seen)));
        return out;
    }

    /** Chunks of the same time, as Thanos orders them: the kind that comes first in its protocol, then the larger bytes. */
    private static int compareContents(StoreChunk a, StoreChunk b) {
        int c = compare(a.raw(), b.raw());
        c = c != 0 ? c : compare(a.count(), b.count());
        c = c != 0 ? c : compare(a.sum(), b.sum());
        c = c != 0 ? c : compare(a.min(), b.min());
        c = c != 0 ? c : compare(a.max(), b.max());
        return c != 0 ? c : compare(a.counter(), b.counter());
    }

    private static int compare(@Nullable Chunk a, @Nullable Chunk b) {
        if (a == null || b == null) {
            return a == b ? 0 : a == null ? 1 : -1;
        }
        int c = a.encoding().compareTo(b.encoding());
        return c != 0
                ? c
                : Arrays.compareUnsigned(b.data(), b.offset(), b.offset() + b.length(), a.data(), a.offset(), a.offset() + a.length());
    }

    private static boolean isNew(@Nullable Chunk c, Set<Long> seen) {
        return c != null && seen.add(XxHash64.hash(c.data(), c.offset(), c.length()));
    }

    static boolean inShard(Labels labels, ShardInfo shard) {
        if (shard.total() < 1) {
            return true;
        }
        byte[] buffer = new byte[256];
        int n = 0;
        for (int i = 0; i < labels.size(); i++) {
            if (shard.labels().contains(labels.name(i)) != shard.by()) {
                continue;
            }
            for (String s : List.of(labels.name(i), labels.value(i))) {
                byte[] b = s.getBytes(StandardCharsets.UTF_8);
                if (n + b.length + 1 > buffer.length) {
                    buffer = java.util.Arrays.copyOf(buffer, (n + b.length + 1) * 2);
                }
                System.arraycopy(b, 0, buffer, n, b.length);
                n += b.length;
                buffer[n++] = (byte) 0xFF;
            }
        }
        return Long.remainderUnsigned(XxHash64.hash(buffer, 0, n), shard.total()) == shard.index();
    }

    // --- names and values ---------------------------------------------------------------------------------------------------

    @Override
    public StringsResponse labelNames(QueryContext context, LabelNamesRequest r) {
        return labelNames(context, r, StoreFilter.ALL);
    }

    /** Label names of the stores that the filter accepts. */
    public StringsResponse labelNames(QueryContext context, LabelNamesRequest r, StoreFilter filter) {
        List<Matcher> matchers = withoutSelectorLabels(r.matchers());
        if (matchers == null) {
            return new StringsResponse(List.of(), List.of(), List.of());
        }
        List<StoreRef> stores = matching(context, r.minTime(), r.maxTime(), matchers, filter, r.partialResponse());
        StringsResponse all = gather(context, stores, r.partialResponse(), "fetch label names from store ",
                s -> s.client().labelNames(context, new LabelNamesRequest(r.minTime(), r.maxTime(), narrowed(s, matchers),
                        r.partialResponse(), NO_BLOCK_MATCHERS, r.withoutReplicaLabels(), 0)));
        return limited(all, r.limit());
    }

    @Override
    public StringsResponse labelValues(QueryContext context, LabelValuesRequest r) {
        return labelValues(context, r, StoreFilter.ALL);
    }

    /** Label values of the stores that the filter accepts. */
    public StringsResponse labelValues(QueryContext context, LabelValuesRequest r, StoreFilter filter) {
        if (r.label().isEmpty()) {
            throw new InvalidRequestException("label name parameter cannot be empty");
        }
        if (r.withoutReplicaLabels().contains(r.label())) {
            return new StringsResponse(List.of(), List.of(), List.of());
        }
        List<Matcher> matchers = withoutSelectorLabels(r.matchers());
        if (matchers == null) {
            return new StringsResponse(List.of(), List.of(), List.of());
        }
        List<StoreRef> stores = matching(context, r.minTime(), r.maxTime(), matchers, filter, r.partialResponse());
        StringsResponse all = gather(context, stores, r.partialResponse(), "fetch label values from store ",
                s -> s.client().labelValues(context, new LabelValuesRequest(r.label(), r.minTime(), r.maxTime(), narrowed(s, matchers),
                        r.partialResponse(), NO_BLOCK_MATCHERS, r.withoutReplicaLabels(), r.limit())));
        return limited(all, r.limit());
    }

    private static List<Matcher> narrowed(StoreRef s, List<Matcher> matchers) {
        if (s.narrowed().isEmpty()) {
            return matchers;
        }
        List<Matcher> more = new ArrayList<>(matchers);
        more.addAll(s.narrowed());
        return more;
    }

    private static StringsResponse limited(StringsResponse r, long limit) {
        return limit > 0 && r.values().size() > limit
                ? new StringsResponse(r.values().subList(0, (int) limit), r.warnings(), r.queriedBlocks())
                : r;
    }

    /** What several stores have is reserved once, until the query is over. */
    private StringsResponse gather(QueryContext context, List<StoreRef> stores, boolean partialResponse, String what,
            Function<StoreRef, StringsResponse> call) {
        // Stores mostly have the same, or are one: sorted once.
        Set<String> values = new HashSet<>();
        Set<String> blocks = new HashSet<>();
        forAll(context, stores, partialResponse, what, call, s -> {
        }, StringsResponse::warnings, answer -> {
            context.budget().reserve(answer.values().stream().mapToLong(Fanout::heapBytes).sum(), "names and values of labels");
            long twice = 0;
            synchronized (values) {
                for (String v : answer.values()) {
                    twice += values.add(v) ? 0 : heapBytes(v);
                }
                blocks.addAll(answer.queriedBlocks());
            }
            context.budget().release(twice);
            answer.warnings().forEach(context::warn);
        });
        return new StringsResponse(values.stream().sorted(Utf8Order::compare).toList(), context.warnings(),
                blocks.stream().sorted().toList());
    }

    /** What a text of an answer takes with its place in a set and in lists. */
    private static long heapBytes(String text) {
        return PLACE + HeapBytes.of(text);
    }

    /**
     * Calls all stores side by side; a store that fails is a warning or, without partial response, the end. Waits no longer than the
     * query's deadline and, where one is set, the store timeout. What the query itself may not do, such as to take so much memory, is no
     * store's failure and ends it at once, as does whatever {@code answer} and {@code broken} throw.
     *
     * @param broken hears of a store that failed where that is a warning, in time for what it answered before
     * @param warnings those of an answer, which is not whole then
     */
    <T> void forAll(QueryContext context, Collection<StoreRef> stores, boolean partialResponse, String what,
            Function<StoreRef, T> call, Consumer<StoreRef> broken, Function<T, List<String>> warnings, Consumer<T> answer) {
        CountDownLatch left = new CountDownLatch(stores.size());
        List<VarveException> failures = new ArrayList<>();
        AtomicReference<@Nullable Throwable> ended = new AtomicReference<>();
        // Whoever takes a store out of these speaks for it, and counts it down when that is done.
        Set<StoreRef> waiting = java.util.concurrent.ConcurrentHashMap.newKeySet();
        waiting.addAll(stores);
        for (StoreRef s : stores) {
            Thread.ofVirtual().name("ask " + s.address()).start(() -> {
                boolean ours = false;
                try {
                    @Nullable
                    T got = null;
                    VarveException failure = null;
                    try {
                        got = call.apply(s);
                    } catch (VarveException e) {
                        if (e instanceof LimitExceededException l && !l.elsewhere()) {
                            throw e;
                        }
                        failure = e;
                    }
                    // From here on it is told of, or was given up.
                    ours = waiting.remove(s);
                    if (!ours) {
                        return;
                    }
                    if (got != null) {
                        List<String> warned = warnings.apply(got);
                        context.coverage().add(new Coverage.Part(s.address(),
                                warned.isEmpty() ? Coverage.Outcome.ANSWERED : Coverage.Outcome.PARTIAL, s.minTime(), s.maxTime(), 0,
                                SeriesMerge.details(warned)));
                        answer.accept(got);
                    } else if (failure != null) {
                        if (partialResponse) {
                            broken.accept(s);
                        }
                        synchronized (failures) {
                            failures.add(failed(context, s, what, failure));
                        }
                    }
                } catch (Throwable t) {
                    ended.compareAndSet(null, t);
                    while (left.getCount() > 0) {
                        left.countDown();
                    }
                } finally {
                    if (ours) {
                        left.countDown();
                    }
                }
            });
        }
        await(context, left, wait -> {
            for (StoreRef s : stores) {
                if (waiting.remove(s)) {
                    synchronized (failures) {
                        failures.add(failed(context, s, what,
                                new UnavailableException("failed to receive any data in " + wait + "ms from " + s)));
                    }
                    left.countDown();
                }
            }
        });
        Throwable end = ended.get();
        if (end != null) {
            context.check();
            throw end instanceof RuntimeException e ? e : new IllegalStateException("internal error: " + end, end);
        }
        synchronized (failures) {
            if (!failures.isEmpty()) {
                context.check();
                if (!partialResponse) {
                    throw failures.getFirst();
                }
                failures.forEach(f -> context.warn(f.getMessage()));
            }
        }
    }

    /** Waits for all; {@code late} counts those down that have not answered in time. What others have answered is taken in full. */
    private void await(QueryContext context, CountDownLatch left, LongConsumer late) {
        try {
            long wait = Math.min(context.remainingMillis(), frameTimeoutMillis > 0 ? frameTimeoutMillis : Long.MAX_VALUE);
            if (left.await(wait, TimeUnit.MILLISECONDS)) {
                return;
            }
            context.check();
            late.accept(wait);
            while (!left.await(Math.max(1, context.remainingMillis()), TimeUnit.MILLISECONDS)) {
                context.check();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CancelledException(CancelledException.Reason.CANCELED, "interrupted while waiting for stores");
        }
    }

    private static VarveException failed(QueryContext context, StoreRef s, String what, VarveException e) {
        String text = what + s + ": " + e.getMessage();
        context.coverage().add(new Coverage.Part(s.address(), Coverage.Outcome.FAILED, s.minTime(), s.maxTime(), 0, text));
        return StoreFailedException.of(text, e);
    }
}

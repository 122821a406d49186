package io.varve.querier.fanout;

import io.varve.model.CorruptDataException;
import io.varve.model.Coverage;
import io.varve.model.InvalidRequestException;
import io.varve.model.LabelRegex;
import io.varve.model.Labels;
import io.varve.model.LimitExceededException;
import io.varve.model.Matcher;
import io.varve.model.QueryContext;
import io.varve.model.SampleBuffer;
import io.varve.model.SelectHints;
import io.varve.model.Series;
import io.varve.model.SeriesSet;
import io.varve.model.SeriesSource;
import io.varve.model.TimeRange;
import io.varve.model.UnavailableException;
import io.varve.querier.dedup.Chain;
import io.varve.querier.dedup.DedupFunction;
import io.varve.querier.dedup.GainMerge;
import io.varve.querier.dedup.Penalty;
import io.varve.querier.dedup.Replica;
import io.varve.querier.dedup.ReplicaMerge;
import io.varve.querier.dedup.Samples;
import io.varve.querier.dedup.Trace;
import io.varve.store.Aggregate;
import io.varve.store.SeriesRequest;
import io.varve.store.ShardInfo;
import io.varve.store.StoreChunk;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.LongPredicate;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * The stores as the PromQL engine sees them: series in label order, replicas merged, each with the finest data that was asked for.
 *
 * <p>
 * With {@code penalty} and {@code chain} everything goes Thanos' way: stores take replica labels out, replicas share one label set, chunks
 * that overlap make virtual replicas. Varve's own merge has to know whose a chunk is. Each store is therefore asked once per replica it
 * announces, with the replica's values as matchers; the store takes the labels out and sorts, the stream says who speaks, and everything
 * still arrives in label order. Only what no announced replica covers (replica labels inside series) is asked for as it is and sorted here.
 */
public final class StoreSource implements SeriesSource {
    /** How far around a select replicas are looked at, so that an instant's value does not depend on where the select begins or ends. */
    static final long MARGIN_BEFORE_MILLIS = 300_000;
    static final long MARGIN_AFTER_MILLIS = 120_000;
    private static final long MINUTE_MILLIS = 60_000;
    /** How far around a window histograms are set densely, so that a merge sees in what intervals they come. */
    private static final long SEEN_AROUND_MILLIS = 300_000;
    /** Steps that are nearer to each other have everything between them read where downsampled data is. */
    private static final long LEAST_STEP_DOWNSAMPLED = 6 * 3_600_000L;
    private static final int MAX_REPLICAS_PER_STORE = 16;
    private static final int MAX_TRACES = 100;
    private static final int SAMPLES_PER_CHUNK = 120;
    /** So many damaged chunks are named. */
    private static final int MAX_DAMAGE = 10;

    private final Fanout fanout;
    private final ResolutionProbe probe;
    private final SourceOptions options;
    private final @Nullable SelectGate gate;
    private final Observer observer;
    private final ConcurrentLinkedQueue<SeriesTrace> traces = new ConcurrentLinkedQueue<>();
    private final AtomicInteger damage = new AtomicInteger();
    /** Stores of which more chunks were damaged than are named. */
    private final Set<String> unnamedDamage = ConcurrentHashMap.newKeySet();
    /** As many as there were threads that merged at a time. */
    private final ConcurrentLinkedQueue<ReplicaMerge.Workspace> workspaces = new ConcurrentLinkedQueue<>();

    /** What a select cost, told once it is over. */
    public interface Observer {
        /** Nobody listens. */
        Observer NONE = new Observer() {
            @Override
            public void selectStarted(long waitedNanos) {
            }

            @Override
            public void read(long bytes) {
            }

            @Override
            public void selectEnded(long nanos, long series, long samples) {
            }
        };

        /** A select begins, after it has waited for its turn. */
        void selectStarted(long waitedNanos);

        /** So many bytes more were received and are about to be read; 0 where a stream is waited for. May wait, which holds the streams back. */
        void read(long bytes);

        /** A select is over. */
        void selectEnded(long nanos, long series, long samples);
    }

    /** Which replica gave what of a series. */
    public record SeriesTrace(Labels labels, List<Trace.Part> parts) {
    }

    /**
     * @param gate lets in as many selects of this query as may run at once, null for no bound
     */
    public StoreSource(Fanout fanout, ResolutionProbe probe, SourceOptions options, @Nullable SelectGate gate, Observer observer) {
        this.fanout = fanout;
        this.probe = probe;
        this.options = options;
        this.gate = gate;
        this.observer = observer;
    }

    /** Which replica gave what, for the first series that were read; empty unless asked for. */
    public List<SeriesTrace> traces() {
        return List.copyOf(traces);
    }

    @Override
    public SeriesSet select(QueryContext context, SelectHints hints, List<Matcher> matchers) {
        List<Matcher> wanted = fanout.withoutSelectorLabels(matchers);
        if (wanted == null) {
            return SeriesSet.empty();
        }
        if (wanted.isEmpty()) {
            throw new InvalidRequestException(InvalidRequestException.Kind.EXECUTION,
                    "proxy Series(): rpc error: code = InvalidArgument desc = no matchers specified (excluding selector labels)");
        }
        if (fanout.endpoints().now().isEmpty()) {
            if (!options.partialResponse()) {
                throw new UnavailableException("No StoreAPIs available");
            }
            return SeriesSet.empty();
        }
        TimeRange range = hints.range();
        boolean own = options.function() == DedupFunction.VARVE;
        boolean replicas = options.dedupEnabled() && own && !hints.labelsOnly();
        List<StoreRef> stores = fanout.matching(context, range.min(), range.max(), wanted, options.filter(), options.partialResponse());
        boolean several = replicas && severalReplicas(stores);
        List<Long> resolutions = resolutions(context, hints, stores, wanted, range);
        long coarsest = hints.labelsOnly() ? 0 : Math.min(ChunkReader.COARSE, resolutions.getLast());
        // A downsampled point stands for the time before it, and a counter's line leads to it from the one before: either may lie in another chunk.
        long reach = several || own && options.maxResolutionMillis() == SourceOptions.FINEST ? 2 * coarsest : 0;
        long before = Math.max(several ? MARGIN_BEFORE_MILLIS : 0, reach);
        long after = Math.max(several ? MARGIN_AFTER_MILLIS : 0, reach);
        long min = own ? saturated(range.min(), -before) : thanosFrom(hints);
        // Beyond now nothing is missing yet: a replica that has not answered there has no gap.
        long max = after > 0 ? Math.max(range.max(), Math.min(saturated(range.max(), after), System.currentTimeMillis())) : range.max();
        // Thanos' ways need every sample: what they say at an instant depends on all before it.
        // And downsampled chunks are long: where each has several windows in it, it would be read once for each.
        Spans spans = own && (reach == 0 || hints.step() >= LEAST_STEP_DOWNSAMPLED) ? Spans.of(hints, before, after) : Spans.ALL;
        Set<Aggregate> aggregates = ChunkReader.aggregates(hints.function());
        List<SeriesMerge.Ask> asks = new ArrayList<>();
        for (long resolution : resolutions) {
            SeriesRequest r = new SeriesRequest(min, max, wanted, resolution, aggregates, options.partialResponse(), hints.labelsOnly(),
                    List.of(), options.dedupEnabled() ? options.replicaLabels() : List.of(), options.shard(),
                    hints.labelsOnly() && hints.limit() > 0 ? hints.limit() : 0, 64, spans.request());
            for (StoreRef s : stores) {
                if (replicas) {
                    asks.addAll(asksPerReplica(s, r));
                } else {
                    asks.add(fanout.ask(s, r, ""));
                }
            }
        }
        MergedSet set = new MergedSet(context, asks, hints, aggregates, spans, min, max, Math.max(before, after));
        set.openAhead();
        return set;
    }

    /** From where Thanos asks stores for chunks. */
    private long thanosFrom(SelectHints hints) {
        return options.fromEdge() && hints.rangeMillis() > 0 ? saturated(hints.from(), -1) : hints.from();
    }

    /** Where Thanos' merges of what these chunks hold begin: all of a query's where the earliest select does. */
    private long thanosBegin(SelectHints hints) {
        SelectHints.Earliest e = hints.earliest();
        return options.fromEdge() ? Math.min(e.any(), saturated(e.range(), -1)) : e.any();
    }

    private static long saturated(long a, long b) {
        long s = a + b;
        return ((a ^ s) & (b ^ s)) < 0 ? (b < 0 ? Long.MIN_VALUE : Long.MAX_VALUE) : s;
    }

    private List<Long> resolutions(QueryContext context, SelectHints hints, List<StoreRef> stores, List<Matcher> wanted, TimeRange range) {
        if (hints.labelsOnly()) {
            return List.of(Long.MAX_VALUE);
        }
        long window = options.maxResolutionMillis();
        if (window == SourceOptions.FINEST) {
            return probe.levels(context, stores, wanted, range.min());
        }
        if (window > 0 && hints.rangeMillis() > 0 && ChunkReader.needsTwo(hints.function())) {
            window = Math.min(window, hints.rangeMillis() / 2);
        }
        return List.of(window);
    }

    // --- who is asked for what --------------------------------------------------------------------------------------------------

    private boolean severalReplicas(List<StoreRef> stores) {
        Set<String> seen = new TreeSet<>();
        for (StoreRef s : stores) {
            if (s.labelSets().isEmpty()) {
                return true;
            }
            for (Labels l : s.labelSets()) {
                for (String name : options.replicaLabels()) {
                    if (!l.has(name)) {
                        return true; // it may lie inside series
                    }
                }
                seen.add(SeriesMerge.replicaOf(l, options.replicaLabels()));
            }
        }
        return seen.size() > 1;
    }

    private List<SeriesMerge.Ask> asksPerReplica(StoreRef store, SeriesRequest r) {
        List<String> names = options.replicaLabels();
        Set<List<String>> tuples = new LinkedHashSet<>();
        for (Labels l : store.labelSets()) {
            List<String> tuple = new ArrayList<>();
            names.forEach(n -> tuple.add(l.get(n)));
            tuples.add(tuple);
        }
        List<SeriesMerge.Ask> out = new ArrayList<>();
        if (tuples.isEmpty() || tuples.size() > MAX_REPLICAS_PER_STORE) {
            out.add(unsorted(store, r, r.matchers()));
            return out;
        }
        branch(store, r, names, 0, new ArrayList<>(tuples), r.matchers(), out);
        return out;
    }

    /** Splits what a store has by the values of replica labels: one ask per announced replica, one for what none of them covers. */
    private void branch(StoreRef store, SeriesRequest r, List<String> names, int depth, List<List<String>> tuples, List<Matcher> matchers,
            List<SeriesMerge.Ask> out) {
        if (!store.canMatch(matchers)) {
            return;
        }
        if (depth == names.size()) {
            List<String> tuple = tuples.getFirst();
            out.add(fanout.ask(store, Fanout.with(r, matchers, r.withoutReplicaLabels(), r.limit()), String.join("/", tuple)));
            return;
        }
        String name = names.get(depth);
        Map<String, List<List<String>>> byValue = new LinkedHashMap<>();
        for (List<String> t : tuples) {
            byValue.computeIfAbsent(t.get(depth), k -> new ArrayList<>()).add(t);
        }
        boolean always = store.labelSets().stream().allMatch(l -> l.has(name));
        boolean needed = byValue.size() > 1 || !always;
        byValue.forEach((value, group) -> branch(store, r, names, depth + 1, group,
                needed ? plus(matchers, Matcher.equal(name, value)) : matchers, out));
        if (!always) {
            List<Matcher> rest = plus(matchers, byValue.size() == 1
                    ? Matcher.of(Matcher.Type.NOT_EQUAL, name, byValue.keySet().iterator().next())
                    : Matcher.of(Matcher.Type.NOT_REGEX, name, LabelRegex.anyOf(byValue.keySet())));
            if (store.canMatch(rest)) {
                out.add(unsorted(store, r, rest));
            }
        }
    }

    private SeriesMerge.Ask unsorted(StoreRef store, SeriesRequest r, List<Matcher> matchers) {
        SeriesMerge.Ask plain = fanout.ask(store, Fanout.with(r, matchers, List.of(), r.limit()), "");
        return new SeriesMerge.Ask(store, plain.request(), "", options.replicaLabels());
    }

    private static List<Matcher> plus(List<Matcher> matchers, Matcher m) {
        List<Matcher> out = new ArrayList<>(matchers.size() + 1);
        out.addAll(matchers);
        out.add(m);
        return out;
    }

    // --- what the windows see ---------------------------------------------------------------------------------------------------

    /** The spans of a select that its windows see, where they are far enough apart to be told to stores and read one by one. */
    record Spans(SeriesRequest.Spans request, long first, long step, long window) {
        static final Spans ALL = new Spans(SeriesRequest.Spans.ALL, 0, 0, 0);

        /** @param before how far around a window what it shows depends on what is there */
        static Spans of(SelectHints h, long before, long after) {
            long wide = h.window() + before + after;
            if (h.window() <= 0 || h.step() <= 0 || wide + MINUTE_MILLIS >= h.step() / 2) {
                return ALL;
            }
            long first = h.range().min() - 1 + h.window();
            return new Spans(new SeriesRequest.Spans(first + after, h.step(), wide), first, h.step(), h.window());
        }

        boolean all() {
            return step == 0;
        }
    }

    // --- series -----------------------------------------------------------------------------------------------------------------

    private final class MergedSet implements SeriesSet {
        private final QueryContext context;
        private final List<SeriesMerge.Ask> asks;
        private final SelectHints hints;
        private final Set<Aggregate> aggregates;
        private final Spans spans;
        private final long min;
        private final long max;
        private final long reach;
        private final boolean ownShard = options.shard() != ShardInfo.NONE;
        private @Nullable SeriesMerge merge;
        private SelectGate.@Nullable Turn turn;
        private final long createdNanos = System.nanoTime();
        private long startNanos;
        private long series;
        private long chunks;
        private boolean closed;

        MergedSet(QueryContext context, List<SeriesMerge.Ask> asks, SelectHints hints, Set<Aggregate> aggregates, Spans spans, long min,
                long max, long reach) {
            this.context = context;
            this.asks = asks;
            this.hints = hints;
            this.aggregates = aggregates;
            this.spans = spans;
            this.min = min;
            this.max = max;
            this.reach = reach;
        }

        /** Opens the streams if there is a turn to spare, so that stores begin while others are read. */
        synchronized void openAhead() {
            if (gate == null) {
                open();
                return;
            }
            turn = gate.ahead();
            if (turn != null) {
                open();
            }
        }

        private SeriesMerge open() {
            startNanos = System.nanoTime();
            observer.selectStarted(startNanos - createdNanos);
            SeriesMerge m = fanout.merge(context, asks, options.partialResponse(), observer::read);
            merge = m;
            return m;
        }

        private synchronized @Nullable SeriesMerge opened() {
            if (closed) {
                return null;
            }
            SeriesMerge m = merge;
            if (m != null) {
                return m;
            }
            if (gate != null) {
                turn = gate.now();
            }
            return open();
        }

        @Override
        public @Nullable Series next() {
            SeriesMerge merge = opened();
            while (merge != null && merge.next()) {
                if (ownShard && !Fanout.inShard(merge.labels(), options.shard())) {
                    continue;
                }
                series++;
                if (options.maxSeries() > 0 && series > options.maxSeries()) {
                    throw new LimitExceededException("query.max-series", "query matches more than " + options.maxSeries()
                            + " series in one selector (limit --query.max-series); narrow the selector or raise the limit");
                }
                List<SeriesMerge.Part> parts = led(merge.parts());
                for (SeriesMerge.Part p : parts) {
                    chunks += p.chunks().size();
                }
                return new OneSeries(context, merge.labels(), parts, hints, aggregates, spans, min, max, reach);
            }
            close();
            return null;
        }

        private List<SeriesMerge.Part> led(List<SeriesMerge.Part> parts) {
            if (options.leader().isEmpty() || parts.size() == 1) {
                return parts;
            }
            List<SeriesMerge.Part> out = new ArrayList<>(parts);
            out.sort(Comparator.comparing(p -> !p.replica().equals(options.leader()))); // keeps the order of the others
            return out;
        }

        @Override
        public synchronized void close() {
            if (closed) {
                return;
            }
            closed = true;
            SeriesMerge m = merge;
            if (m == null) {
                return;
            }
            m.close();
            if (turn != null) {
                turn.release();
            }
            observer.selectEnded(System.nanoTime() - startNanos, series, chunks * SAMPLES_PER_CHUNK);
        }
    }

    private final class OneSeries implements Series {
        private final QueryContext context;
        private final Labels labels;
        private List<SeriesMerge.Part> parts;
        private final SelectHints hints;
        private final Set<Aggregate> aggregates;
        private final Spans spans;
        private final long min;
        private final long max;
        /** How far around a window what it shows may depend on what is there. */
        private final long reach;

        OneSeries(QueryContext context, Labels labels, List<SeriesMerge.Part> parts, SelectHints hints, Set<Aggregate> aggregates,
                Spans spans, long min, long max, long reach) {
            this.context = context;
            this.labels = labels;
            this.parts = parts;
            this.hints = hints;
            this.aggregates = aggregates;
            this.spans = spans;
            this.min = min;
            this.max = max;
            this.reach = reach;
        }

        @Override
        public Labels labels() {
            return labels;
        }

        @Override
        public long encodedBytes() {
            long n = 0;
            for (SeriesMerge.Part p : parts) {
                n += SeriesMerge.sizeOf(new io.varve.store.StoreSeries(labels, p.chunks()));
            }
            return n;
        }

        @Override
        public void read(SampleBuffer into) {
            int start = into.size;
            try {
                readAll(into);
            } catch (CorruptDataException e) {
                if (options.function() != DedupFunction.VARVE) {
                    throw e;
                }
                into.size = start;
                if (options.partialResponse() && leaveOutDamaged()) {
                    readAll(into);
                    return;
                }
                throw new CorruptDataException("", -1, "series " + labels + " of " + senders(parts) + ": " + e.getMessage(), e);
            }
        }

        private static String senders(List<SeriesMerge.Part> parts) {
            return parts.stream().flatMap(p -> p.stores().stream()).map(StoreRef::address).distinct().collect(Collectors.joining(", "));
        }

        /** Keeps chunks that can be read, and says which cannot; false where none of them alone is to blame. */
        private boolean leaveOutDamaged() {
            List<SeriesMerge.Part> kept = new ArrayList<>(parts.size());
            boolean any = false;
            for (SeriesMerge.Part p : parts) {
                List<StoreChunk> sound = new ArrayList<>(p.chunks().size());
                for (StoreChunk c : p.chunks()) {
                    try {
                        ChunkReader.readMixed(List.of(c), aggregates, Long.MIN_VALUE, Long.MAX_VALUE, 0, t -> false, List.of(),
                                new SampleBuffer(128));
                        sound.add(c);
                    } catch (CorruptDataException e) {
                        any = true;
                        damaged(p.stores(), c, e);
                    }
                }
                kept.add(new SeriesMerge.Part(p.replica(), sound, p.stores()));
            }
            parts = kept;
            return any;
        }

        private void damaged(List<StoreRef> stores, StoreChunk chunk, CorruptDataException e) {
            boolean named = damage.incrementAndGet() <= MAX_DAMAGE;
            String text = named
                    ? "series " + labels + " of " + senders(parts) + ": chunk of " + chunk.minTime() + " to " + chunk.maxTime()
                            + " is damaged and was left out: " + e.getMessage()
                    : "more damaged chunks were left out";
            context.warn(text);
            for (StoreRef s : stores) {
                // However many there are, the report holds the rest of a store's once.
                if (named || unnamedDamage.add(s.address())) {
                    context.coverage().add(new Coverage.Part(s.address(), Coverage.Outcome.PARTIAL, s.minTime(), s.maxTime(), 0, text));
                }
            }
        }

        private void readAll(SampleBuffer into) {
            if (options.function() == DedupFunction.VARVE) {
                readOwn(into);
            } else {
                readAsThanos(into);
            }
        }

        private void readAsThanos(SampleBuffer into) {
            List<StoreChunk> chunks = Fanout.merged(parts);
            if (chunks.isEmpty()) {
                throw new CorruptDataException("", -1, "got empty chunks");
            }
            long from = hints.range().min();
            long to = hints.range().max();
            long begin = hints.labelsOnly() ? from : thanosBegin(hints);
            int start = into.size;
            List<List<StoreChunk>> virtual = options.dedupEnabled() ? overlapSplit(chunks) : List.of(chunks);
            if (virtual.size() == 1) {
                ChunkReader.readAsThanos(virtual.getFirst(), aggregates, begin, to, into);
                Samples.cut(into, start, from, to);
                return;
            }
            List<SampleBuffer> replicas = new ArrayList<>(virtual.size());
            for (List<StoreChunk> v : virtual) {
                SampleBuffer b = new SampleBuffer(128 * v.size());
                ChunkReader.readAsThanos(v, aggregates, begin, to, b);
                replicas.add(b);
            }
            if (options.function() == DedupFunction.CHAIN) {
                if (hints.window() > 0) {
                    // A range selector's window is open to the left, but its reader jumps to where it begins.
                    long before = hints.rangeMillis() > 0 ? hints.window() : hints.window() - 1;
                    Chain.merge(replicas, new Chain.Steps(from - 1 + hints.window(), hints.step(), before), into);
                } else {
                    Chain.merge(replicas, into);
                }
            } else {
                Penalty.merge(replicas, DedupFunction.isCounterFunction(hints.function()), into);
            }
            Samples.cut(into, start, from, to);
        }

        private void readOwn(SampleBuffer into) {
            boolean raw = true;
            for (SeriesMerge.Part p : parts) {
                raw &= ChunkReader.allRaw(p.chunks());
            }
            long from = hints.range().min();
            long to = hints.range().max();
            if (!raw) {
                readDownsampled(into, from, to);
                return;
            }
            if (parts.size() == 1) {
                List<StoreChunk> chunks = Fanout.distinct(parts.getFirst().chunks());
                if (spans.all()) {
                    ChunkReader.readRaw(chunks, from, to, into);
                } else {
                    for (long t = spans.first(); saturated(t, -spans.window()) < to; t += spans.step()) {
                        ChunkReader.readRaw(chunks, Math.max(from, t - spans.window() + 1), Math.min(to, t), into);
                    }
                }
                return;
            }
            List<ChunkReplica> replicas = new ArrayList<>(parts.size());
            for (SeriesMerge.Part p : parts) {
                replicas.add(new ChunkReplica(p.replica(), Fanout.distinct(p.chunks())));
            }
            Trace trace = options.debug() && traces.size() < MAX_TRACES ? new Trace() : null;
            boolean counter = aggregates.contains(Aggregate.COUNTER);
            if (spans.all()) {
                merge(replicas, counter, min, max, from, to, into, trace);
            } else {
                for (long t = spans.first(); saturated(t, -spans.window()) < to; t += spans.step()) {
                    merge(replicas, counter, t - spans.window() + 1 - MARGIN_BEFORE_MILLIS, Math.min(max, t + MARGIN_AFTER_MILLIS),
                            Math.max(from, t - spans.window() + 1), Math.min(to, t), into, trace);
                }
            }
            if (trace != null) {
                traces.add(new SeriesTrace(labels, trace.parts()));
            }
        }

        private void merge(List<ChunkReplica> replicas, boolean counter, long lo, long hi, long from, long to, SampleBuffer into,
                @Nullable Trace trace) {
            int start = into.size;
            ReplicaMerge.Workspace workspace = workspaces.poll();
            if (workspace == null) {
                workspace = new ReplicaMerge.Workspace();
            }
            ReplicaMerge.merge(replicas, counter, lo, hi, to, into, trace, workspace);
            if (!workspace.isLarge()) {
                workspaces.add(workspace);
            }
            Samples.cut(into, start, from, to);
        }

        private void readDownsampled(SampleBuffer into, long from, long to) {
            boolean counter = aggregates.contains(Aggregate.COUNTER);
            boolean histograms = false;
            List<List<StoreChunk>> chunks = new ArrayList<>(parts.size());
            for (SeriesMerge.Part p : parts) {
                chunks.add(Fanout.distinct(p.chunks()));
                histograms |= counter && ChunkReader.anyHistogram(p.chunks());
            }
            if (spans.all()) {
                readDownsampled(chunks, counter, histograms, into, min, max, from, to);
                return;
            }
            // Between the windows chunks are missing here and there, which is no gap that anybody has.
            for (long t = spans.first(); saturated(t, -spans.window()) < to; t += spans.step()) {
                readDownsampled(chunks, counter, histograms, into, Math.max(min, t - spans.window() + 1 - reach), Math.min(max, t + reach),
                        Math.max(from, t - spans.window() + 1), Math.min(to, t));
            }
        }

        /** Reads {@code lo} to {@code hi} and keeps {@code from} to {@code to}. */
        private void readDownsampled(List<List<StoreChunk>> chunks, boolean counter, boolean histograms, SampleBuffer into, long lo,
                long hi, long from, long to) {
            // Who names a resolution gets its points as they are; who gets what exists gets an answer from it.
            long window = options.maxResolutionMillis() == SourceOptions.FINEST ? hints.window() : 0;
            int start = into.size;
            if (chunks.size() == 1) {
                ChunkReader.readMixed(chunks.getFirst(), aggregates, lo, hi, window, seen(0), List.of(), into);
                Samples.cut(into, start, from, to);
                return;
            }
            List<String> names = new ArrayList<>(parts.size());
            List<SampleBuffer> buffers = new ArrayList<>(parts.size());
            for (int i = 0; i < chunks.size(); i++) {
                SampleBuffer b = new SampleBuffer(128);
                b.histogramBytes = into.histogramBytes;
                // Histograms have no totals to be laid on each other: raw ones and downsampled ones do not follow one another.
                ChunkReader.readMixed(chunks.get(i), aggregates, lo, hi, window, seen(SEEN_AROUND_MILLIS),
                        histograms ? others(chunks, i) : List.of(), b);
                names.add(parts.get(i).replica());
                buffers.add(b);
            }
            if (counter && !histograms) {
                GainMerge.merge(names, buffers, lo, hi, into);
            } else {
                List<Replica> replicas = new ArrayList<>(buffers.size());
                for (int i = 0; i < buffers.size(); i++) {
                    replicas.add(new ArrayReplica(names.get(i), buffers.get(i)));
                }
                // Histograms still have their resets: they are merged as raw ones are.
                ReplicaMerge.merge(replicas, counter, lo, hi, into, null);
            }
            Samples.cut(into, start, from, to);
        }

        private static List<StoreChunk> others(List<List<StoreChunk>> chunks, int own) {
            List<StoreChunk> out = new ArrayList<>();
            for (int i = 0; i < chunks.size(); i++) {
                if (i != own) {
                    out.addAll(chunks.get(i));
                }
            }
            return out;
        }

        /** Whether a time lies in one of the reader's windows, or {@code around} one. */
        private LongPredicate seen(long around) {
            long window = hints.window();
            long step = hints.step();
            if (step <= window + 2 * around) {
                return t -> true;
            }
            long first = hints.range().min() - 1 + window;
            return t -> {
                long next = first + Math.max(0, Math.ceilDiv(t - first, step)) * step;
                return t > next - window - around || t <= next - step + around;
            };
        }
    }

    /** Greedy, first fit: a chunk goes to the first virtual replica that has ended before it. */
    static List<List<StoreChunk>> overlapSplit(List<StoreChunk> chunks) {
        List<List<StoreChunk>> out = new ArrayList<>();
        for (StoreChunk c : chunks) {
            List<StoreChunk> to = null;
            for (List<StoreChunk> v : out) {
                if (v.getLast().maxTime() < c.minTime()) {
                    to = v;
                    break;
                }
            }
            if (to == null) {
                to = new ArrayList<>();
                out.add(to);
            }
            to.add(c);
        }
        return out;
    }

    private record ChunkReplica(String name, List<StoreChunk> chunks) implements Replica {
        @Override
        public void read(long min, long max, SampleBuffer into) {
            ChunkReader.readRaw(chunks, min, max, into);
        }

        @Override
        public long roughIntervalMillis() {
            return chunks.isEmpty() ? 0 : ChunkReader.spacing(chunks.getFirst());
        }
    }

    private record ArrayReplica(String name, SampleBuffer samples) implements Replica {
        @Override
        public void read(long min, long max, SampleBuffer into) {
            int from = Samples.lowerBound(samples, 0, min);
            int to = max == Long.MAX_VALUE ? samples.size : Samples.lowerBound(samples, from, max + 1);
            Samples.append(samples, from, to, into);
        }

        @Override
        public long roughIntervalMillis() {
            return samples.size < 2 ? 0 : (samples.timestamps[samples.size - 1] - samples.timestamps[0]) / (samples.size - 1);
        }
    }
}

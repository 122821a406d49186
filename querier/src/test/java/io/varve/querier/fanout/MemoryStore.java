package io.varve.querier.fanout;

import io.varve.chunk.AggregateChunk;
import io.varve.chunk.Chunk;
import io.varve.chunk.ChunkAppender;
import io.varve.chunk.Downsampler;
import io.varve.model.Coverage;
import io.varve.model.FloatHistogram;
import io.varve.model.Labels;
import io.varve.model.Matcher;
import io.varve.model.QueryContext;
import io.varve.model.SampleBuffer;
import io.varve.model.UnavailableException;
import io.varve.store.LabelNamesRequest;
import io.varve.store.LabelValuesRequest;
import io.varve.store.SeriesRequest;
import io.varve.store.SeriesSink;
import io.varve.store.Store;
import io.varve.store.StoreChunk;
import io.varve.store.StoreClient;
import io.varve.store.StoreInfo;
import io.varve.store.StoreSeries;
import io.varve.store.StringsResponse;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/** A store over samples in memory that keeps the StoreAPI's contract, and can be told to break it. */
public final class MemoryStore implements Store {
    /** What goes wrong. */
    public enum Fault {
        /** Nothing. */
        NONE,
        /** The call fails at once. */
        REFUSES,
        /** The stream breaks after half of the series. */
        BREAKS,
        /** The stream ends early with a warning. */
        WARNS,
        /** The stream says nothing more after half of the series. */
        HANGS,
        /** Series come out of order. */
        UNSORTED,
        /** Series that were not asked for are among the others. */
        WRONG_LABELS,
        /** Half of the series come twice, chunks and all, which the contract allows. */
        TWICE,
        /** The end of a chunk is missing. */
        CUT_CHUNK,
        /** Everything comes, but late. */
        SLOW
    }

    private final Labels external;
    private final Map<Labels, SampleBuffer> series = new TreeMap<>();
    private final Map<Labels, List<StoreChunk>> readyMade = new TreeMap<>();
    private final AtomicLong calls = new AtomicLong();
    private volatile Fault fault = Fault.NONE;
    private volatile int chunkSamples = 120;
    private final boolean removesReplicaLabels;
    private final Set<String> tenants = ConcurrentHashMap.newKeySet();
    private volatile Coverage.@Nullable Block block;

    /** A store whose series have these external labels. */
    public MemoryStore(Labels external, boolean removesReplicaLabels) {
        this.external = external;
        this.removesReplicaLabels = removesReplicaLabels;
    }

    /** Cuts raw chunks after so many samples, as histograms' often are. */
    public MemoryStore chunkSamples(int n) {
        chunkSamples = n;
        return this;
    }

    /** Adds a series; labels without the external ones. */
    public MemoryStore add(Labels labels, SampleBuffer samples) {
        series.put(labels.overriddenBy(external), samples);
        return this;
    }

    /**
     * Adds a series of which raw samples are kept from {@code rawFrom} on, windows of 5 minutes from {@code fineFrom} up to there, and
     * windows of an hour before.
     */
    public MemoryStore downsampled(Labels labels, SampleBuffer samples, long fineFrom, long rawFrom) {
        Downsampler downsampler = new Downsampler();
        List<StoreChunk> out = new ArrayList<>();
        List<Chunk> old = downsampler.raw(within(samples, Long.MIN_VALUE, fineFrom - 1), 300_000);
        downsampler.aggregated(old, 300_000, 3_600_000).forEach(c -> out.add(aggregated(c)));
        downsampler.raw(within(samples, fineFrom, rawFrom - 1), 300_000).forEach(c -> out.add(aggregated(c)));
        within(samples, rawFrom, Long.MAX_VALUE).forEach(c -> out.add(StoreChunk.raw(c)));
        readyMade.put(labels.overriddenBy(external), out);
        series.put(labels.overriddenBy(external), samples);
        return this;
    }

    private static List<Chunk> within(SampleBuffer b, long from, long to) {
        SampleBuffer part = new SampleBuffer(b.size);
        for (int i = 0; i < b.size; i++) {
            FloatHistogram h = b.histogram(i);
            if (b.timestamps[i] < from || b.timestamps[i] > to) {
                continue;
            }
            if (h == null) {
                part.add(b.timestamps[i], b.values[i]);
            } else {
                part.add(b.timestamps[i], h);
            }
        }
        List<Chunk> out = new ArrayList<>();
        chunks(part, 120, Long.MIN_VALUE, Long.MAX_VALUE).forEach(c -> out.add(c.raw()));
        return out;
    }

    private static StoreChunk aggregated(Chunk c) {
        AggregateChunk a = AggregateChunk.parse(c);
        return new StoreChunk(c.minTime(), c.maxTime(), null, timed(c, a.part(AggregateChunk.Part.COUNT)),
                timed(c, a.part(AggregateChunk.Part.SUM)), timed(c, a.part(AggregateChunk.Part.MIN)),
                timed(c, a.part(AggregateChunk.Part.MAX)), timed(c, a.part(AggregateChunk.Part.COUNTER)));
    }

    private static @Nullable Chunk timed(Chunk whole, @Nullable Chunk part) {
        return part == null
                ? null
                : new Chunk(whole.minTime(), whole.maxTime(), part.encoding(), part.data(), part.offset(), part.length());
    }

    /** Lets it say that it reads a block of this name. */
    public MemoryStore block(String id, long resolutionMillis) {
        block = new Coverage.Block(id, resolutionMillis);
        return this;
    }

    /** On whose behalf it was asked. */
    public Set<String> tenants() {
        return Set.copyOf(tenants);
    }

    /** Forgets who asked so far. */
    public void forgetTenants() {
        tenants.clear();
    }

    /** Breaks it, or mends it. */
    public void fault(Fault f) {
        fault = f;
    }

    /** Series calls so far. */
    public long calls() {
        return calls.get();
    }

    @Override
    public StoreInfo info() {
        return new StoreInfo("store", List.of(external), new StoreInfo.StoreSpan(Long.MIN_VALUE, Long.MAX_VALUE, true, removesReplicaLabels,
                List.of()), Set.of());
    }

    @Override
    public void series(QueryContext context, SeriesRequest request, SeriesSink sink) {
        tenants.add(context.tenant());
        while (fault == Fault.HANGS) {
            context.check();
            LockSupport.parkNanos(1_000_000);
        }
        failIfBroken();
        Coverage.Block b = block;
        if (b != null) {
            context.coverage().block(b);
        }
        for (StoreSeries s : answer(request)) {
            sink.series(s);
        }
    }

    private List<StoreSeries> answer(SeriesRequest r) {
        calls.incrementAndGet();
        List<StoreSeries> out = new ArrayList<>();
        series.forEach((labels, samples) -> {
            if (!r.matchers().stream().allMatch(m -> m.matches(labels.get(m.name())))) {
                return;
            }
            List<StoreChunk> ready = readyMade.get(labels);
            List<StoreChunk> chunks = ready == null
                    ? chunks(samples, chunkSamples, r.minTime(), r.maxTime())
                    : ready.stream().filter(c -> c.minTime() <= r.maxTime() && c.maxTime() >= r.minTime()
                            && (c.raw() != null || r.maxResolutionMillis() >= (ChunkReader.isFine(c) ? 300_000 : 3_600_000))).toList();
            chunks = chunks.stream().filter(c -> isSeen(c, r)).toList();
            if (chunks.isEmpty()) {
                return;
            }
            if (r.limit() > 0 && out.size() >= r.limit()) {
                return; // counted before replica labels go, as Thanos' stores may
            }
            Labels shown = removesReplicaLabels ? labels.without(r.withoutReplicaLabels()) : labels;
            out.add(new StoreSeries(shown, r.skipChunks() ? List.of() : chunks));
        });
        out.sort((a, b) -> a.labels().compareTo(b.labels()));
        return out;
    }

    /** Leaves out whatever the contract allows to be left out. */
    private static boolean isSeen(StoreChunk c, SeriesRequest r) {
        SeriesRequest.Spans s = r.spans();
        if (s.window() <= 0) {
            return true;
        }
        for (long t = s.first(); t - s.window() < c.maxTime(); t += s.step()) {
            if (t >= c.minTime()) {
                return true;
            }
        }
        return false;
    }

    private static List<StoreChunk> chunks(SampleBuffer b, int samples, long min, long max) {
        List<Chunk> all = new ArrayList<>();
        ChunkAppender a = ChunkAppender.plain(samples, all::add);
        for (int i = 0; i < b.size; i++) {
            FloatHistogram h = b.histogram(i);
            if (h == null) {
                a.append(b.timestamps[i], b.values[i]);
            } else {
                a.append(0, b.timestamps[i], h);
            }
        }
        a.cut();
        List<StoreChunk> out = new ArrayList<>();
        for (Chunk c : all) {
            if (c.minTime() <= max && c.maxTime() >= min) {
                out.add(StoreChunk.raw(c));
            }
        }
        return out;
    }

    @Override
    public StringsResponse labelNames(QueryContext context, LabelNamesRequest request) {
        tenants.add(context.tenant());
        failIfBroken();
        Set<String> out = new TreeSet<>();
        series.keySet().stream().filter(l -> matches(l, request.matchers())).forEach(l -> l.forEach((n, v) -> out.add(n)));
        if (removesReplicaLabels) {
            out.removeAll(request.withoutReplicaLabels());
        }
        return new StringsResponse(List.copyOf(out), List.of(), List.of());
    }

    @Override
    public StringsResponse labelValues(QueryContext context, LabelValuesRequest request) {
        tenants.add(context.tenant());
        failIfBroken();
        Set<String> out = new TreeSet<>();
        if (removesReplicaLabels && request.withoutReplicaLabels().contains(request.label())) {
            return new StringsResponse(List.of(), List.of(), List.of());
        }
        series.keySet().stream().filter(l -> matches(l, request.matchers()) && l.has(request.label()))
                .forEach(l -> out.add(l.get(request.label())));
        return new StringsResponse(List.copyOf(out), List.of(), List.of());
    }

    private static boolean matches(Labels l, List<Matcher> matchers) {
        return matchers.stream().allMatch(m -> m.matches(l.get(m.name())));
    }

    private void failIfBroken() {
        if (fault == Fault.SLOW) {
            LockSupport.parkNanos(20_000_000);
        } else if (fault != Fault.NONE) {
            throw new UnavailableException("rpc error: code = Unavailable desc = told to refuse");
        }
    }

    private List<StoreSeries> spoilt(List<StoreSeries> all) {
        return switch (fault) {
            case NONE, REFUSES, BREAKS, WARNS, HANGS, SLOW -> all;
            case UNSORTED -> all.reversed();
            case WRONG_LABELS -> {
                List<StoreSeries> out = new ArrayList<>(all);
                if (!all.isEmpty()) {
                    StoreSeries last = all.getLast();
                    out.add(new StoreSeries(last.labels().overriddenBy(Labels.of("__name__", "zz")), last.chunks()));
                }
                yield out;
            }
            case TWICE -> {
                List<StoreSeries> out = new ArrayList<>();
                for (int i = 0; i < all.size(); i++) {
                    out.add(all.get(i));
                    if (i % 2 == 0) {
                        out.add(all.get(i));
                    }
                }
                yield out;
            }
            case CUT_CHUNK -> {
                List<StoreSeries> out = new ArrayList<>(all);
                for (int i = 0; i < out.size(); i++) {
                    StoreSeries s = out.get(i);
                    if (!s.chunks().isEmpty() && s.chunks().getFirst().raw() != null) {
                        Chunk c = s.chunks().getFirst().raw();
                        List<StoreChunk> chunks = new ArrayList<>(s.chunks());
                        chunks.set(0,
                                StoreChunk.raw(new Chunk(c.minTime(), c.maxTime(), c.encoding(), c.data(), c.offset(), c.length() / 2)));
                        out.set(i, new StoreSeries(s.labels(), chunks));
                    }
                }
                yield out;
            }
        };
    }

    private static boolean breaksTheStream(Fault f) {
        return switch (f) {
            case REFUSES, BREAKS, WARNS, HANGS -> true;
            case NONE, UNSORTED, WRONG_LABELS, TWICE, CUT_CHUNK, SLOW -> false;
        };
    }

    /** The same as seen by a client, faults included. */
    public StoreClient client(String address) {
        return new StoreClient() {
            @Override
            public StoreInfo info(QueryContext context) {
                return MemoryStore.this.info();
            }

            @Override
            public SeriesStream series(QueryContext context, SeriesRequest request) {
                if (fault == Fault.REFUSES) {
                    throw new UnavailableException("rpc error: code = Unavailable desc = told to refuse");
                }
                List<StoreSeries> all = answer(request);
                return new Stream(spoilt(all), fault);
            }

            @Override
            public StringsResponse labelNames(QueryContext context, LabelNamesRequest request) {
                return MemoryStore.this.labelNames(context, request);
            }

            @Override
            public StringsResponse labelValues(QueryContext context, LabelValuesRequest request) {
                return MemoryStore.this.labelValues(context, request);
            }

            @Override
            public void close() {
            }
        };
    }

    private static final class Stream implements StoreClient.SeriesStream {
        private final Iterator<StoreSeries> left;
        private final Fault fault;
        private int until;
        private volatile boolean closed;

        Stream(List<StoreSeries> all, Fault fault) {
            this.left = all.iterator();
            this.fault = fault;
            this.until = all.size() / 2;
        }

        @Override
        public @Nullable Frame next(long timeoutMillis) {
            if (fault == Fault.SLOW) {
                LockSupport.parkNanos(500_000);
            }
            if (breaksTheStream(fault) && until-- == 0) {
                switch (fault) {
                    case BREAKS -> throw new UnavailableException("rpc error: code = Unavailable desc = told to break");
                    case WARNS -> {
                        while (left.hasNext()) {
                            left.next();
                        }
                        return new Frame.OfWarning("told to warn");
                    }
                    case HANGS -> {
                        long end = System.nanoTime() + (timeoutMillis == 0 ? 60_000 : timeoutMillis) * 1_000_000;
                        while (!closed && System.nanoTime() < end) {
                            Thread.onSpinWait();
                            Thread.yield();
                        }
                        throw new UnavailableException("failed to receive any data in " + timeoutMillis + "ms");
                    }
                    default -> throw new IllegalStateException(fault.name());
                }
            }
            return left.hasNext() ? new Frame.OfSeries(left.next()) : null;
        }

        @Override
        public void close() {
            closed = true;
        }
    }
}

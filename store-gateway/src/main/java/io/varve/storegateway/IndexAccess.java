package io.varve.storegateway;

import io.varve.model.CorruptDataException;
import io.varve.model.Matcher;
import io.varve.tsdb.BlockMeta;
import io.varve.tsdb.index.IndexHeader;
import io.varve.tsdb.index.Postings;
import io.varve.tsdb.index.PostingsList;
import io.varve.tsdb.index.PostingsPlan;
import io.varve.tsdb.index.PostingsRange;
import io.varve.tsdb.index.SeriesEntry;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** Reads postings and series entries of blocks: local copy, caches, bucket, in that order. Safe for many threads. */
final class IndexAccess {
    /** Bytes read beyond the last entry of a range, to see where the next series' first chunk lies. */
    private static final int PEEK = 512;
    private static final int MAX_ENTRY = 64 << 20;

    private final ObjectReader reader;
    private final IndexCache cache;
    private final StoreMetrics metrics;

    IndexAccess(ObjectReader reader, IndexCache cache, StoreMetrics metrics) {
        this.reader = reader;
        this.cache = cache;
        this.metrics = metrics;
    }

    /** The series that matchers select. */
    Selection select(GatewayBlock block, IndexHeader header, List<Matcher> matchers, SeriesQuery query) {
        if (matchers.isEmpty()) {
            return Selection.NONE;
        }
        long start = System.nanoTime();
        int scale = header.indexVersion() == 1 ? 1 : 16;
        String key = matchers.stream().map(Matcher::toString).sorted().collect(Collectors.joining(";"));
        long[] known = cache.expandedPostings(block.id(), key, query.context().tenant());
        if (known != null) {
            countExpanded(known.length, query);
            return new Selection(known, known.length, scale, List.of());
        }
        PostingsPlan plan = PostingsPlan.of(header.postings(), matchers);
        if (plan.isEmpty()) {
            metrics.emptyPostings.labelValues(query.context().tenant()).inc();
            return Selection.NONE;
        }
        Choice choice = choose(block, header, plan, matchers, query);
        long bytes = choice.include.stream().mapToLong(PostingsPlan.Group::bytes).sum()
                + choice.exclude.stream().mapToLong(PostingsPlan.Group::bytes).sum();
        query.limits().bytes(bytes, "postings");
        query.budget().reserve(bytes, "reading postings of block " + block.id());
        long[] ids;
        try {
            ids = evaluate(block, header, choice, query);
        } finally {
            query.budget().release(bytes);
        }
        if (choice.lazy.isEmpty()) {
            cache.putExpandedPostings(block.id(), key, ids);
        }
        query.stats().nanos(ReadStats.Kind.POSTINGS, System.nanoTime() - start);
        return new Selection(ids, ids.length, scale, choice.lazy);
    }

    /** Counts so many series ids that are known from a request before. */
    void countExpanded(int ids, SeriesQuery query) {
        query.stats().touched(ReadStats.Kind.POSTINGS, 1, ids * 8L);
        query.limits().bytes(ids * 8L, "expanded matching posting");
    }

    private record Choice(List<PostingsPlan.Group> include, List<PostingsPlan.Group> exclude, List<Matcher> lazy) {
    }

    /** Which groups are read, and which matchers are looked at on the series instead because that reads less. */
    private Choice choose(GatewayBlock block, IndexHeader header, PostingsPlan plan, List<Matcher> matchers, SeriesQuery query) {
        int groups = plan.include().size() + plan.exclude().size();
        boolean all = plan.include().size() == 1 && plan.include().getFirst().name().isEmpty();
        if (!query.options().lazyPostings() || groups < 2 || all || isLocal(block, plan)) {
            return new Choice(plan.include(), plan.exclude(), List.of());
        }
        List<PostingsPlan.Group> byCost = new ArrayList<>(plan.include());
        byCost.addAll(plan.exclude());
        byCost.sort(Comparator.comparingLong(PostingsPlan.Group::maxIds));
        Set<PostingsPlan.Group> positive = new HashSet<>(plan.include());
        long entry = entryBytes(block, header, query);
        double matched = 0;
        boolean found = false;
        boolean restLazy = false;
        double lessened = 0;
        List<PostingsPlan.Group> include = new ArrayList<>();
        List<PostingsPlan.Group> exclude = new ArrayList<>();
        Set<String> lazyNames = new TreeSet<>();
        for (PostingsPlan.Group g : byCost) {
            boolean isPositive = positive.contains(g);
            if (!found) {
                if (isPositive) {
                    found = true;
                    matched = Math.max(0, g.maxIds() - lessened);
                    include.add(g);
                } else {
                    lessened += g.maxIds() * 0.5;
                    exclude.add(g);
                }
                continue;
            }
            String reason = null;
            double ratio = query.options().keySeriesRatio();
            if (restLazy) {
                reason = "postings_size";
            } else if (ratio > 0 && g.size() / Math.max(1, matched) > ratio) {
                reason = "keys_limit";
            } else {
                double saved = isPositive ? entry * matched * 0.5 : entry * Math.min(g.maxIds(), matched) * 0.5;
                if (g.maxIds() * 4.0 > saved) {
                    restLazy = true;
                    reason = "postings_size";
                } else {
                    matched = isPositive ? matched * 0.5 : matched - Math.min(g.maxIds(), matched) * 0.5;
                }
            }
            if (reason == null) {
                (isPositive ? include : exclude).add(g);
            } else {
                lazyNames.add(g.name());
                metrics.lazyGroups.labelValues(reason).inc();
                metrics.lazyBytes.inc(g.bytes());
            }
        }
        if (lazyNames.isEmpty()) {
            return new Choice(plan.include(), plan.exclude(), List.of());
        }
        metrics.lazyPostings.inc();
        return new Choice(include, exclude, matchers.stream().filter(m -> lazyNames.contains(m.name())).toList());
    }

    /** Whether all lists are on the local disk, so that none costs a request. */
    private boolean isLocal(GatewayBlock block, PostingsPlan plan) {
        return Stream.concat(plan.include().stream(), plan.exclude().stream()).allMatch(g -> {
            for (int i = 0; i < g.size(); i++) {
                if (!reader.isLocal(block.indexKey(), g.range(i).start() - 4, g.range(i).end() + 4)) {
                    return false;
                }
            }
            return true;
        });
    }

    private long[] evaluate(GatewayBlock block, IndexHeader header, Choice choice, SeriesQuery query) {
        Ranges wanted = new Ranges();
        List<PostingsRange> lists = new ArrayList<>();
        for (List<PostingsPlan.Group> groups : List.of(choice.include, choice.exclude)) {
            for (PostingsPlan.Group g : groups) {
                for (int i = 0; i < g.size(); i++) {
                    lists.add(g.range(i));
                }
            }
        }
        query.stats().touched(ReadStats.Kind.POSTINGS, lists.size(), lists.stream().mapToLong(PostingsRange::length).sum());
        String key = block.indexKey();
        // What lies on the local disk is read there; the shared cache is for what does not.
        Map<Long, byte[]> cached = new HashMap<>();
        List<PostingsRange> remote = new ArrayList<>();
        if (cache.holds(IndexCache.Item.POSTINGS)) {
            for (PostingsRange r : lists) {
                if (!reader.isLocal(key, r.start() - 4, r.end() + 4)) {
                    remote.add(r);
                }
            }
            if (!remote.isEmpty()) {
                long[] starts = remote.stream().mapToLong(PostingsRange::start).distinct().toArray();
                cached.putAll(cache.postings(block.id(), starts, query.context().tenant()));
            }
        }
        for (PostingsRange r : lists) {
            if (!cached.containsKey(r.start())) {
                wanted.add(r.start() - 4, r.end() + 4);
            }
        }
        if (!reader.missing(key, wanted).isEmpty()) {
            // One request for all lists serves later queries too.
            Ranges whole = new Ranges();
            if (block.addPostings(header.toc(), whole)) {
                reader.fetchAll(key, reader.plan(key, whole, header.indexSize()), query.stats(), ReadStats.Kind.POSTINGS);
            } else {
                block.indexFetched(reader.missing(key, wanted).bytes());
            }
        }
        List<ObjectReader.Slice> slices = wanted.isEmpty()
                ? List.of()
                : reader.readAll(key, wanted, block.catalogBlock().objects().indexSize(), query.stats(), ReadStats.Kind.POSTINGS);
        for (PostingsRange r : remote) {
            if (!cached.containsKey(r.start())) {
                ObjectReader.Slice s = ObjectReader.find(slices, r.start() - 4);
                if (s != null && s.end() >= r.end() + 4) {
                    int at = s.at(r.start() - 4);
                    byte[] list = java.util.Arrays.copyOfRange(s.data(), at, s.at(r.end() + 4));
                    metrics.cachedPostingsBytes.labelValues(query.context().tenant()).inc(list.length);
                    metrics.cachedPostingsStoredBytes.labelValues(query.context().tenant()).inc(list.length);
                    cache.putPostings(block.id(), r.start(), list);
                }
            }
        }
        PostingsPlan.Fetch fetch = range -> {
            byte[] bytes = cached.get(range.start());
            try {
                if (bytes != null) {
                    return PostingsList.decodeChecked(bytes, 0, bytes.length);
                }
                ObjectReader.Slice s = ObjectReader.find(slices, range.start() - 4);
                if (s == null || s.end() < range.end() + 4) {
                    throw new CorruptDataException("", -1, "postings list lies outside the index");
                }
                return PostingsList.decodeChecked(s.data(), s.at(range.start() - 4), s.at(range.end() + 4));
            } catch (CorruptDataException e) {
                throw new CorruptDataException(key, range.start() - 4, e.rule(), e);
            }
        };
        List<Postings> in = new ArrayList<>();
        for (PostingsPlan.Group g : choice.include) {
            in.add(unite(g, fetch));
        }
        Postings p = Postings.intersect(in);
        for (PostingsPlan.Group g : choice.exclude) {
            p = Postings.subtract(p, unite(g, fetch));
        }
        long most = Math.min(p.cost(), Integer.MAX_VALUE - 16) * 8;
        query.budget().reserve(most, "selecting series of block " + block.id());
        try {
            return p.toArray();
        } finally {
            query.budget().release(most);
        }
    }

    private static Postings unite(PostingsPlan.Group g, PostingsPlan.Fetch fetch) {
        List<Postings> any = new ArrayList<>(g.size());
        for (int i = 0; i < g.size(); i++) {
            any.add(fetch.list(g.range(i)));
        }
        return Postings.union(any);
    }

    /** How long an entry is taken to be: what the block says, else what its mean suggests, at most what the flag says. */
    private static long entryBytes(GatewayBlock block, IndexHeader header, SeriesQuery query) {
        BlockMeta.Thanos thanos = block.meta().thanos();
        long stated = thanos == null ? 0 : thanos.indexStats().seriesMaxSize();
        long estimated = query.options().estimatedSeriesBytes();
        if (stated > 0) {
            return Math.min(stated, estimated);
        }
        long series = block.meta().stats().series();
        if (series <= 0) {
            return estimated;
        }
        long mean = (header.toc().seriesEnd() - header.toc().series()) / series;
        return Math.min(estimated, Math.max(512, mean * 4));
    }

    private Ranges ranges(GatewayBlock block, IndexHeader header, Selection selection, int from, int to, SeriesQuery query) {
        long size = entryBytes(block, header, query);
        long end = header.toc().seriesEnd();
        Ranges r = new Ranges();
        for (int i = from; i < to; i++) {
            long at = selection.offset(i);
            if (at < header.toc().series() || at >= end) {
                throw new CorruptDataException(block.indexKey(), at, "postings name a series outside the section of series");
            }
            r.add(at, Math.min(end, at + size + PEEK));
        }
        return r;
    }

    /** Reads entries that will be looked at in one round, where they stay at hand. What counts against the limit of bytes. */
    long readAhead(GatewayBlock block, IndexHeader header, Selection selection, int from, int to, SeriesQuery query) {
        Ranges r = ranges(block, header, selection, from, to, query).joined(0);
        query.limits().bytes(r.bytes(), "series");
        if (reader.caches()) {
            Ranges parts = reader.plan(block.indexKey(), r, header.indexSize(), query.blocks());
            if (!parts.isEmpty() && parts.bytes() <= reader.readAheadBytes()) {
                reader.fetchAll(block.indexKey(), parts, query.stats(), ReadStats.Kind.SERIES);
                block.indexFetched(parts.bytes());
            }
        }
        return r.bytes();
    }

    /** How far from {@code from} on entries fill a window of so many bytes. */
    int windowEnd(GatewayBlock block, IndexHeader header, Selection selection, int from, int window, SeriesQuery query) {
        long size = entryBytes(block, header, query);
        long bytes = 0;
        long last = Long.MIN_VALUE;
        int i = from;
        for (; i < selection.size() && i - from < query.options().seriesBatch(); i++) {
            long at = selection.offset(i);
            bytes += Math.min(size, Math.max(0, at - last));
            last = at;
            if (bytes > window && i > from) {
                break;
            }
        }
        return i;
    }

    /** The bytes that entries of a window lie in. */
    List<ObjectReader.Slice> entries(GatewayBlock block, IndexHeader header, Selection selection, int from, int to, SeriesQuery query) {
        long start = System.nanoTime();
        Ranges r = ranges(block, header, selection, from, to, query);
        String key = block.indexKey();
        List<ObjectReader.Slice> out;
        if (cache.holds(IndexCache.Item.SERIES) && !isLocal(key, r)) {
            out = cachedEntries(block, header, selection, from, to, query, r);
        } else {
            out = reader.readAll(key, r, header.indexSize(), query.stats(), ReadStats.Kind.SERIES);
        }
        query.stats().nanos(ReadStats.Kind.SERIES, System.nanoTime() - start);
        return out;
    }

    private boolean isLocal(String key, Ranges r) {
        return reader.missing(key, r).isEmpty();
    }

    /** Entries from the cache where it has them; the others are read and put there. */
    private List<ObjectReader.Slice> cachedEntries(GatewayBlock block, IndexHeader header, Selection selection, int from, int to,
            SeriesQuery query, Ranges all) {
        long[] wanted = new long[to - from];
        for (int i = from; i < to; i++) {
            wanted[i - from] = selection.offset(i);
        }
        Map<Long, byte[]> known = cache.series(block.id(), wanted, query.context().tenant());
        if (known.isEmpty()) {
            List<ObjectReader.Slice> out = reader.readAll(block.indexKey(), all, header.indexSize(), query.stats(), ReadStats.Kind.SERIES);
            keepEntries(block, wanted, known, out);
            return out;
        }
        long size = entryBytes(block, header, query);
        Ranges missing = new Ranges();
        List<ObjectReader.Slice> out = new ArrayList<>();
        for (long at : wanted) {
            byte[] bytes = known.get(at);
            if (bytes == null) {
                missing.add(at, Math.min(header.toc().seriesEnd(), at + size + PEEK));
            }
        }
        if (!missing.isEmpty()) {
            List<ObjectReader.Slice> read = reader.readAll(block.indexKey(), missing, header.indexSize(), query.stats(),
                    ReadStats.Kind.SERIES);
            keepEntries(block, wanted, known, read);
            out.addAll(read);
        }
        for (long at : wanted) {
            byte[] bytes = known.get(at);
            if (bytes != null && ObjectReader.find(out, at) == null) {
                insert(out, new ObjectReader.Slice(at, bytes));
            }
        }
        return out;
    }

    private static void insert(List<ObjectReader.Slice> sorted, ObjectReader.Slice s) {
        int i = sorted.size();
        while (i > 0 && sorted.get(i - 1).offset() > s.offset()) {
            i--;
        }
        sorted.add(i, s);
    }

    private void keepEntries(GatewayBlock block, long[] wanted, Map<Long, byte[]> known, List<ObjectReader.Slice> read) {
        for (long at : wanted) {
            if (known.containsKey(at)) {
                continue;
            }
            ObjectReader.Slice s = ObjectReader.find(read, at);
            if (s == null) {
                continue;
            }
            int p = s.at(at);
            long total;
            try {
                total = SeriesEntry.totalLength(s.data(), p, s.data().length);
            } catch (CorruptDataException e) {
                continue;
            }
            if (total > 0 && total <= s.data().length - p) {
                cache.putSeries(block.id(), at, java.util.Arrays.copyOfRange(s.data(), p, p + (int) total));
            }
        }
    }

    /** Decodes an entry; one that is longer than was thought is read again, exactly. Its bytes. */
    long decode(GatewayBlock block, List<ObjectReader.Slice> slices, long offset, SeriesEntry into, SeriesQuery query) {
        ObjectReader.Slice s = ObjectReader.find(slices, offset);
        try {
            if (s == null) {
                throw new CorruptDataException("", -1, "series entry lies outside the index");
            }
            int p = s.at(offset);
            long total = SeriesEntry.totalLength(s.data(), p, s.data().length);
            if (total < 0 || total > s.data().length - p) {
                byte[] exact = exactly(block, offset, total, query);
                total = into.decode(exact, 0, exact.length);
            } else {
                into.decode(s.data(), p, s.data().length);
            }
            query.stats().touched(ReadStats.Kind.SERIES, 1, total);
            return total;
        } catch (CorruptDataException e) {
            throw new CorruptDataException(block.indexKey(), offset, e.rule(), e);
        }
    }

    private byte[] exactly(GatewayBlock block, long offset, long total, SeriesQuery query) {
        long length = total;
        long size = block.catalogBlock().objects().indexSize();
        if (length < 0) {
            int head = (int) Math.min(8, size - offset);
            length = SeriesEntry.totalLength(reader.read(block.indexKey(), offset, head, query.stats(), ReadStats.Kind.SERIES), 0, head);
        }
        if (length < 0 || length > size - offset || length > MAX_ENTRY) {
            throw new CorruptDataException("", -1, "series entry of " + length + " bytes reaches beyond the index of " + size + " bytes");
        }
        query.stats().seriesRefetches.increment();
        query.limits().bytes(length, "series");
        return reader.read(block.indexKey(), offset, (int) length, query.stats(), ReadStats.Kind.SERIES);
    }

    /** Where the entry begins that follows one of {@code total} bytes. */
    static long following(IndexHeader header, long offset, long total) {
        long next = offset + total;
        return header.indexVersion() == 1 ? next : (next + 15) / 16 * 16;
    }

    /**
     * Where the first chunk of the series at {@code offset} begins, which is where the last chunk of the series before ends:
     * {@link Selection#LAST} where there is no such series, {@link Selection#UNKNOWN} where its entry is not at hand.
     *
     * @param reader reads; what it holds stays
     */
    static long firstChunk(IndexHeader header, List<ObjectReader.Slice> slices, long offset, SeriesEntry reader) {
        if (offset >= header.toc().seriesEnd()) {
            return Selection.LAST;
        }
        ObjectReader.@Nullable Slice s = ObjectReader.find(slices, offset);
        if (s == null) {
            return Selection.UNKNOWN;
        }
        try {
            long first = reader.firstReference(s.data(), s.at(offset), s.data().length);
            return first < 0 ? Selection.UNKNOWN : first;
        } catch (CorruptDataException e) {
            // The series is not asked for.
            return Selection.UNKNOWN;
        }
    }
}

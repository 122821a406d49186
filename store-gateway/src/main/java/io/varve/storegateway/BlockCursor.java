package io.varve.storegateway;

import io.varve.chunk.AggregateChunk;
import io.varve.chunk.Chunk;
import io.varve.chunk.Encoding;
import io.varve.model.CorruptDataException;
import io.varve.model.Labels;
import io.varve.model.Matcher;
import io.varve.store.Aggregate;
import io.varve.store.EncodedLabels;
import io.varve.store.ShardFilter;
import io.varve.store.StoreChunk;
import io.varve.tsdb.index.IndexHeader;
import io.varve.tsdb.index.SeriesEntry;
import io.varve.tsdb.index.Symbols;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * One block's part of a request: its series in the order of the answered labels, with their chunks. {@link #prepare} finds the series and plans
 * all reads; {@link #next} reads, going forward and holding a batch at a time. One thread at a time.
 *
 * <p>
 * The index is gone over twice: once for what to read (chunk ranges, order, limits), once for the answer. A block that contributes few
 * series keeps what it decoded the first time, and {@link FoundSeries} for the requests that look for the same. Chunks are read in parts planned from their offsets: a chunk ends where the next one begins,
 * which the index tells, so little is read that is not sent.
 */
final class BlockCursor implements AutoCloseable {
    /** Index bytes that are looked at in one go. */
    private static final int INDEX_WINDOW = 4 << 20;
    /** The same at first, where the first series may be enough. */
    private static final int FIRST_WINDOW = 128 << 10;
    /** How far a chunk may reach where only the next series' chunk says. */
    private static final long MAX_REACH = 1 << 20;
    /** Heap that an entry of the kept or sorted series takes, beside labels and chunks. */
    private static final int ITEM_BYTES = 100;
    private static final int CHUNK_BYTES = 48;
    /** uvarint32 length, encoding, CRC-32C. */
    private static final int CHUNK_OVERHEAD = 5 + 1 + 4;
    private static final long MIN_BATCH = 64 << 10;
    private static final long MAX_BATCH = 4 << 20;

    /**
     * A series and where its chunks lie.
     *
     * @param places four numbers per chunk: first and last time, reference, where it ends at the latest
     */
    private record Item(EncodedLabels labels, long[] places) {
        int chunks() {
            return places.length / 4;
        }

        long minTime(int i) {
            return places[4 * i];
        }

        long maxTime(int i) {
            return places[4 * i + 1];
        }

        long ref(int i) {
            return places[4 * i + 2];
        }

        int segment(int i) {
            return (int) (places[4 * i + 2] >>> 32);
        }

        long bytes() {
            long sum = 0;
            for (int i = 0; i < chunks(); i++) {
                sum += places[4 * i + 3] - (ref(i) & 0xFFFFFFFFL);
            }
            return sum;
        }

        long heap() {
            return ITEM_BYTES + labels.length() + places.length * (long) Long.BYTES;
        }
    }

    private final GatewayBlock block;
    private final SeriesQuery query;
    private final List<Matcher> matchers;
    private final ObjectReader reader;
    private final IndexAccess index;
    private final LabelPool pool;
    private final FoundSeries.Cache found;
    private final String decoding;

    private GatewayBlock.@Nullable Lease lease;
    /** The block's labels without those that are dropped. */
    private final Labels external;
    /** The selected series, in the order of the answer; offsets in the index. */
    private long[] offsets = new long[0];
    private int count;
    private int position;
    private long reservedForOrder;
    private boolean kept;
    /** Whether the index was read from the bucket anew: what was found before is not to be trusted either. */
    private boolean anew;
    private final ArrayDeque<Item> decoded = new ArrayDeque<>();
    private long reservedForDecoded;
    private final ArrayDeque<Loaded> batch = new ArrayDeque<>();
    private long reservedForBatch;
    private List<Part> parts = List.of();
    private int launched;
    private long aheadBytes;
    /** For blocks with many series. */
    private @Nullable AnsweredLabels answered;
    private @Nullable SeriesEntries entries;
    private long[] places = new long[64];
    /** Of the batch that is being loaded; counted for all threads at once. */
    private long checkedChunks;
    private long checkedBytes;
    private Loaded current = new Loaded(EncodedLabels.EMPTY, List.of());

    private record Loaded(EncodedLabels labels, List<StoreChunk> chunks) {
    }

    /** A planned request for chunks. */
    private static final class Part {
        final int segment;
        final long start;
        final long end;
        @Nullable
        CompletableFuture<Integer> fetch;
        boolean done;

        Part(int segment, long start, long end) {
            this.segment = segment;
            this.start = start;
            this.end = end;
        }
    }

    BlockCursor(GatewayBlock block, SeriesQuery query, List<Matcher> matchers, ObjectReader reader, IndexAccess index, LabelPool pool,
            FoundSeries.Cache found) {
        this.block = block;
        this.query = query;
        this.matchers = matchers;
        this.reader = reader;
        this.index = index;
        this.pool = pool;
        this.found = found;
        this.external = block.externalLabels().without(query.dropLabels());
        this.decoding = "decoding series of block " + block.id();
    }

    GatewayBlock block() {
        return block;
    }

    /** The series it stands on. */
    EncodedLabels labels() {
        return current.labels;
    }

    /** Its chunks, by time. */
    List<StoreChunk> chunks() {
        return current.chunks;
    }

    /** Finds the series and plans the chunks. No chunk is read before all blocks of the request have planned. */
    void prepare() {
        fromBucketIfDamaged(() -> {
            plan();
            return block;
        });
    }

    private <T> T fromBucketIfDamaged(Supplier<T> work) {
        try {
            return work.get();
        } catch (CorruptDataException damaged) {
            // The copy on disk may be what is damaged: once more from the bucket.
            reset();
            anew = true;
            block.distrustIndex();
            return work.get();
        }
    }

    private void reset() {
        closeLease();
        release();
        offsets = new long[0];
        count = 0;
        position = 0;
        decoded.clear();
        batch.clear();
        parts = List.of();
        launched = 0;
        answered = null;
        entries = null;
    }

    /** Looks for the series; null where there is none. */
    private @Nullable Selection select() {
        GatewayBlock.Lease l = block.acquire(query.stats());
        lease = l;
        Selection selection = index.select(block, l.header(), matchers, query);
        if (selection.size() == 0) {
            closeLease();
            return null;
        }
        query.limits().series(selection.size());
        return selection;
    }

    private IndexHeader header() {
        GatewayBlock.Lease l = lease;
        if (l == null) {
            throw new IllegalStateException("block " + block.id() + " is not open");
        }
        return l.header();
    }

    private void plan() {
        FoundSeries.Key key = new FoundSeries.Key(block.id(), matchers, query.dropLabels());
        boolean all = query.first() <= 0;
        FoundSeries known = all && !anew && !matchers.isEmpty() ? found.get(key, block) : null;
        if (known != null) {
            take(known);
            return;
        }
        Selection selection = select();
        if (selection == null) {
            return;
        }
        Scan scan = new Scan(selection);
        if (all && kept && !query.skipChunks()) {
            scan.keep = found.builder(key, block, selection.size(), query.blocks());
        }
        scan.run();
        if (scan.keep != null) {
            found.put(key, scan.keep.build(scan.sorted, scan.entryBytes, scan.readBytes));
        }
        if (!query.skipChunks()) {
            planChunks(scan.ranges);
        }
        if (!scan.sorted) {
            scan.sort();
        }
        if (kept && decoded.isEmpty() || !kept && count == 0) {
            closeLease();
        } else if (!kept) {
            answered = scan.labels;
            entries = new SeriesEntries(index, block, header(), query);
        }
    }

    /** What a request before has found: the same series, counted against the same limits. */
    private void take(FoundSeries known) {
        query.limits().series(known.selected());
        index.countExpanded(known.selected(), query);
        query.limits().bytes(known.readBytes(), "series");
        query.stats().touched(ReadStats.Kind.SERIES, known.size(), known.entryBytes());
        kept = true;
        ShardFilter shard = shard();
        List<@Nullable Ranges> ranges = new ArrayList<>();
        for (int i = 0; i < known.size(); i++) {
            if ((i & 255) == 0) {
                query.context().check();
            }
            long[] wanted = wanted(known.places(i));
            EncodedLabels labels = known.labels(i);
            if (wanted.length == 0 || shard != null && !shard.takes(labels)) {
                continue;
            }
            if (query.skipChunks()) {
                keep(new Item(labels, NONE));
                continue;
            }
            query.limits().chunks(wanted.length / 4);
            addRanges(wanted, wanted.length, ranges, known.size());
            keep(new Item(labels, wanted));
        }
        if (!query.skipChunks()) {
            planChunks(ranges);
        }
        if (!known.isSorted()) {
            sortKept();
        }
    }

    /** Places of the chunks that are wanted; the same array where all are. */
    private long[] wanted(long[] all) {
        int n = 0;
        for (int i = 0; i < all.length; i += 4) {
            if (query.wants(all[i], all[i + 1])) {
                n += 4;
            }
        }
        if (n == all.length) {
            return all;
        }
        long[] out = new long[n];
        int at = 0;
        for (int i = 0; i < all.length; i += 4) {
            if (query.wants(all[i], all[i + 1])) {
                System.arraycopy(all, i, out, at, 4);
                at += 4;
            }
        }
        return out;
    }

    private @Nullable ShardFilter shard() {
        return query.isSharded() ? new ShardFilter(query.shard()) : null;
    }

    private void sortKept() {
        List<Item> all = new ArrayList<>(decoded);
        all.sort(Comparator.comparing(Item::labels));
        decoded.clear();
        decoded.addAll(all);
    }

    /** Takes symbols that a series has. */
    private interface Collector {
        void collect(SeriesEntry e, SymbolSet into);
    }

    /** Texts of symbols that the selected series have; nothing where no series is selected. */
    private Optional<Set<String>> texts(Function<Symbols, Collector> collectors) {
        return fromBucketIfDamaged(() -> {
            Selection selection = select();
            if (selection == null) {
                return Optional.empty();
            }
            Symbols symbols = header().symbols();
            SymbolSet set = new SymbolSet(symbols);
            Collector collector = collectors.apply(symbols);
            boolean[] any = new boolean[1];
            walk(selection, null, false, (at, wanted) -> {
                any[0] = true;
                collector.collect(at.entry(), set);
                return true;
            });
            return any[0] ? Optional.of(set.texts()) : Optional.empty();
        });
    }

    /** Names of the labels that the selected series have in the block; nothing where no series is selected. */
    Optional<Set<String>> names() {
        return texts(symbols -> (e, into) -> {
            for (int i = 0; i < e.labelCount; i++) {
                into.add(e.names[i]);
            }
        });
    }

    /** Values of a label that the selected series have in the block; nothing where no series is selected. */
    Optional<Set<String>> values(String name) {
        return texts(symbols -> {
            long wanted = symbols.find(name);
            return (e, into) -> {
                for (int i = 0; i < e.labelCount; i++) {
                    if ((e.names[i] & 0xFFFFFFFFL) == wanted) {
                        into.add(e.values[i]);
                    }
                }
            };
        });
    }

    /** Is shown the wanted series of a selection. */
    private interface Visitor {
        /**
         * Looks at the series that the entries stand on.
         *
         * @param wanted how many of its chunks are wanted; 1 where it is its labels that are; 0 where it is none of the answer
         * @return whether it is one of the answer
         */
        boolean series(SeriesEntries entries, int wanted);
    }

    /**
     * Goes over the entries of a selection.
     *
     * @param first tells when it is enough
     * @param all whether series of other times are shown too
     * @return what reading the entries counts against the limit of bytes; 0 with {@code first}
     */
    private long walk(Selection selection, @Nullable FirstSeries first, boolean all, Visitor visitor) {
        IndexHeader header = header();
        Predicate<SeriesEntry> accepted = selection.accepts(header.symbols());
        SeriesEntries entries = new SeriesEntries(index, block, header, query);
        int n = selection.size();
        long bytes = first == null ? index.readAhead(block, header, selection, 0, n, query) : 0;
        int window = first == null ? INDEX_WINDOW : FIRST_WINDOW;
        for (int from = 0; from < n;) {
            int to = index.windowEnd(block, header, selection, from, window, query);
            if (first != null) {
                index.readAhead(block, header, selection, from, to, query);
                window = INDEX_WINDOW;
            }
            entries.read(selection, from, to);
            while (entries.next()) {
                SeriesEntry entry = entries.entry();
                if (first != null && first.isEnough(entry)) {
                    return bytes;
                }
                int wanted = countWanted(entry);
                if ((all || wanted > 0) && accepted.test(entry) && visitor.series(entries, wanted) && first != null) {
                    first.found(entry);
                }
            }
            from = to;
        }
        return bytes;
    }

    /**
     * Knows when the first series of a block are found, so that the others need not be read. Entries lie in the order of their labels. That
     * is the order of the answer too, but for one thing: a series that has all labels of another and more after them follows it in the block
     * and may come before it with the external labels between. Such series follow one another at once.
     */
    private static final class FirstSeries {
        private final long wanted;
        private long found;
        private boolean namesInOrder = true;
        /** Of the series found so far those that the last one has all labels of, names and values by turns. */
        private final ArrayDeque<int[]> beginnings = new ArrayDeque<>();

        private FirstSeries(long wanted) {
            this.wanted = wanted;
        }

        /** Null where all series are needed, because two may become one. */
        static @Nullable FirstSeries of(SeriesQuery query, IndexHeader header, Labels external) {
            if (query.first() <= 0) {
                return null;
            }
            for (String name : header.postings().names()) {
                if (query.dropLabels().contains(name) || external.has(name)) {
                    return null;
                }
            }
            return new FirstSeries(query.first());
        }

        /** Whether the series that were found before this one are all that is needed. */
        boolean isEnough(SeriesEntry next) {
            for (int i = 1; i < next.labelCount; i++) {
                namesInOrder &= Integer.compareUnsigned(next.names[i - 1], next.names[i]) < 0;
            }
            while (!beginnings.isEmpty() && !begins(next, beginnings.peek())) {
                beginnings.pop();
            }
            return namesInOrder && found >= wanted && beginnings.isEmpty();
        }

        private static boolean begins(SeriesEntry e, int[] with) {
            int n = with.length / 2;
            boolean same = n <= e.labelCount;
            for (int i = 0; i < n && same; i++) {
                same = with[2 * i] == e.names[i] && with[2 * i + 1] == e.values[i];
            }
            return same;
        }

        void found(SeriesEntry e) {
            found++;
            int[] labels = new int[2 * e.labelCount];
            for (int i = 0; i < e.labelCount; i++) {
                labels[2 * i] = e.names[i];
                labels[2 * i + 1] = e.values[i];
            }
            beginnings.push(labels);
        }
    }

    /** The first pass over the index. */
    private final class Scan {
        private final Selection selection;
        private final AnsweredLabels labels;
        private final @Nullable ShardFilter shard;
        /** Chunk ranges by segment. */
        final List<@Nullable Ranges> ranges = new ArrayList<>();
        boolean sorted = true;
        /** Takes all series for later requests; null where they are not kept. */
        FoundSeries.@Nullable Builder keep;
        long entryBytes;
        long readBytes;
        /** What is compared; filled where the order is wrong. */
        private final List<int[]> keys = new ArrayList<>();

        Scan(Selection selection) {
            this.selection = selection;
            this.labels = new AnsweredLabels(header().symbols(), external, query.dropLabels(), selection.size());
            this.shard = shard();
            kept = selection.size() <= query.options().keptSeries();
        }

        void run() {
            if (!kept) {
                long bytes = selection.size() * (long) Long.BYTES;
                query.budget().reserve(bytes, "selecting series of block " + block.id());
                reservedForOrder = bytes;
                offsets = new long[selection.size()];
            }
            readBytes = walk(selection, FirstSeries.of(query, header(), external), keep != null, this::series);
        }

        private boolean series(SeriesEntries at, int wanted) {
            labels.load(at.entry());
            if (sorted && !labels.isInOrder()) {
                disordered();
            }
            EncodedLabels encoded = null;
            if (keep != null) {
                encoded = labels.encoded(pool);
                keepAll(at, encoded);
            }
            if (wanted == 0 || shard != null && !shard.takes(labels.encoded())) {
                return false;
            }
            int size = 0;
            if (!query.skipChunks()) {
                query.limits().chunks(wanted);
                size = findPlaces(at, false);
                addRanges(places, size, ranges, selection.size());
            }
            if (kept) {
                // With another block, labels that both have are to be one object; alone, looking for it costs more than it saves.
                if (encoded == null) {
                    encoded = query.blocks() > 1 ? labels.encoded(pool) : labels.encoded();
                }
                keep(new Item(encoded, copied(size)));
            } else {
                if (!sorted) {
                    keepKey(labels.key());
                }
                offsets[count++] = at.offset();
            }
            return true;
        }

        private void keepAll(SeriesEntries at, EncodedLabels encoded) {
            FoundSeries.Builder to = keep;
            entryBytes += at.length();
            try {
                if (to != null && !to.add(encoded, copied(findPlaces(at, true)))) {
                    keep = null;
                }
            } catch (CorruptDataException e) {
                // Not of this request, perhaps: what it wants is looked at next.
                keep = null;
            }
        }

        /** From here on all keys are needed; those so far are made again. */
        private void disordered() {
            sorted = false;
            AnsweredLabels again = new AnsweredLabels(header().symbols(), external, query.dropLabels(), count);
            SeriesEntries done = new SeriesEntries(index, block, header(), query);
            for (int from = 0; from < count;) {
                int to = Math.min(count, from + query.options().seriesBatch());
                done.read(Selection.ofOffsets(Arrays.copyOfRange(offsets, from, to)), 0, to - from);
                while (done.next()) {
                    again.load(done.entry());
                    keepKey(again.key());
                }
                from = to;
            }
        }

        private void keepKey(int[] key) {
            long bytes = AnsweredLabels.heap(key);
            query.budget().reserve(bytes, "sorting series of block " + block.id());
            reservedForOrder += bytes;
            keys.add(key);
        }

        /** Puts the series into the order of the answer. */
        void sort() {
            if (kept) {
                sortKept();
                return;
            }
            Integer[] order = new Integer[count];
            Arrays.setAll(order, i -> i);
            Arrays.sort(order, (a, b) -> AnsweredLabels.compare(keys.get(a), keys.get(b)));
            long[] out = new long[count];
            for (int i = 0; i < count; i++) {
                out[i] = offsets[order[i]];
            }
            offsets = out;
            long keysHeap = reservedForOrder - out.length * 8L;
            query.budget().release(keysHeap);
            reservedForOrder -= keysHeap;
            keys.clear();
        }
    }

    private void keep(Item item) {
        query.budget().reserve(item.heap(), decoding);
        reservedForDecoded += item.heap();
        decoded.add(item);
    }

    /** Adds where the chunks of a series lie, by segment. */
    private static void addRanges(long[] places, int size, List<@Nullable Ranges> ranges, int room) {
        for (int i = 0; i < size; i += 4) {
            int segment = (int) (places[i + 2] >>> 32);
            while (ranges.size() <= segment) {
                ranges.add(null);
            }
            Ranges r = ranges.get(segment);
            if (r == null) {
                r = new Ranges(Math.min(room, 4096));
                ranges.set(segment, r);
            }
            r.add(places[i + 2] & 0xFFFFFFFFL, places[i + 3]);
        }
    }

    private int countWanted(SeriesEntry e) {
        int n = 0;
        for (int i = 0; i < e.chunkCount; i++) {
            if (query.wants(e.minTimes[i], e.maxTimes[i])) {
                n++;
                if (query.skipChunks()) {
                    return 1;
                }
            }
        }
        return n;
    }

    /** Fills {@link #places} with those of the wanted chunks, or of all; how many numbers that are. */
    private int findPlaces(SeriesEntries at, boolean all) {
        SeriesEntry e = at.entry();
        if (places.length < 4 * e.chunkCount) {
            places = new long[8 * e.chunkCount];
        }
        int n = 0;
        for (int i = 0; i < e.chunkCount; i++) {
            if (all || query.wants(e.minTimes[i], e.maxTimes[i])) {
                places[n++] = e.minTimes[i];
                places[n++] = e.maxTimes[i];
                places[n++] = e.refs[i];
                places[n++] = chunkEnd(e.refs[i], i + 1 < e.chunkCount ? e.refs[i + 1] : at.followingChunk());
            }
        }
        return n;
    }

    private long[] copied(int size) {
        return size == 0 ? NONE : Arrays.copyOf(places, size);
    }

    private static final long[] NONE = {};

    /** Where a chunk ends at the latest, from what lies behind it. */
    private long chunkEnd(long ref, long nextRef) {
        int segment = (int) (ref >>> 32);
        long at = ref & 0xFFFFFFFFL;
        long size = block.segmentSize(segment);
        if (size < 0) {
            throw new CorruptDataException(block.segmentKey(segment), -1, "object does not exist");
        }
        if (at >= size) {
            throw new CorruptDataException(block.segmentKey(segment), at, "chunk lies outside the segment of " + size + " bytes");
        }
        long most = statedChunkMax();
        long end = most > 0 ? at + most : -1;
        if (nextRef > ref && nextRef >>> 32 == segment) {
            long next = nextRef & 0xFFFFFFFFL;
            end = end < 0 ? Math.min(next, at + MAX_REACH) : Math.min(next, end);
        } else if (nextRef == Selection.LAST || nextRef >= 0 && nextRef >>> 32 > segment) {
            // Nothing follows in this segment.
            end = end < 0 ? Math.min(size, at + MAX_REACH) : end;
        }
        if (end < 0) {
            end = at + query.options().estimatedChunkBytes();
        }
        return Math.min(end, size);
    }

    private long statedChunkMax() {
        var thanos = block.meta().thanos();
        return thanos == null ? 0 : thanos.indexStats().chunkMaxSize();
    }

    /** Requests for all chunks of the block; nothing is fetched before they passed the limits. */
    private void planChunks(List<@Nullable Ranges> ranges) {
        List<Integer> segments = new ArrayList<>();
        List<Ranges> wanted = new ArrayList<>();
        long bytes = 0;
        for (int segment = 0; segment < ranges.size(); segment++) {
            Ranges r = ranges.get(segment);
            if (r != null) {
                segments.add(segment);
                wanted.add(r.joined(0));
                bytes += wanted.getLast().bytes();
            }
        }
        query.limits().bytes(bytes, "chunks");
        if (!reader.caches()) {
            return;
        }
        List<Part> out = new ArrayList<>();
        List<Ranges> requests = reader.plan(segments.stream().map(block::segmentKey).toList(), wanted,
                segments.stream().mapToLong(block::segmentSize).toArray(), query.blocks());
        for (int s = 0; s < requests.size(); s++) {
            Ranges r = requests.get(s);
            for (int i = 0; i < r.size(); i++) {
                out.add(new Part(segments.get(s), r.start(i), r.end(i)));
            }
        }
        parts = out;
    }

    /** Starts requests for the chunks that come next, as far as the cache has room. */
    private void readAhead() {
        long room = Math.max(ObjectReader.MAX_PART, reader.readAheadBytes() / Math.max(1, query.blocks()));
        while (launched < parts.size() && (aheadBytes == 0 || aheadBytes + parts.get(launched).end - parts.get(launched).start <= room)) {
            launch(parts.get(launched++));
        }
    }

    private void launch(Part p) {
        if (p.fetch == null) {
            p.fetch = reader.fetchToDisk(block.segmentKey(p.segment), p.start, p.end, query.stats(), ReadStats.Kind.CHUNKS);
            aheadBytes += p.end - p.start;
        }
    }

    /** Waits for the planned requests that cover ranges of a segment. */
    private void awaitParts(int segment, Ranges wanted) {
        for (Part p : parts) {
            if (p.done || p.segment != segment || p.end <= wanted.start(0) || p.start >= wanted.end(wanted.size() - 1)) {
                continue;
            }
            boolean needed = false;
            for (int i = 0; i < wanted.size() && !needed; i++) {
                needed = wanted.start(i) < p.end && wanted.end(i) > p.start;
            }
            if (needed) {
                launch(p);
                CompletableFuture<Integer> fetch = p.fetch;
                if (fetch != null) {
                    ObjectReader.await(fetch, block.segmentKey(segment));
                }
                // The bytes lie in the page cache now.
                p.fetch = null;
                p.done = true;
                aheadBytes -= p.end - p.start;
            }
        }
        readAhead();
    }

    /** Moves to the next series; false at the end. */
    boolean next() {
        if (batch.isEmpty()) {
            readAhead();
            load();
        }
        Loaded l = batch.poll();
        if (l == null) {
            close();
            return false;
        }
        current = l;
        return true;
    }

    /** The next batch: as many series as its bytes allow, one at least. */
    private void load() {
        query.budget().release(reservedForBatch);
        reservedForBatch = 0;
        long target = batchBytes();
        List<Item> items = new ArrayList<>();
        long bytes = 0;
        long heap = 0;
        while (items.size() < query.options().seriesBatch()) {
            if (decoded.isEmpty() && !kept) {
                decodeMore();
            }
            Item next = decoded.peek();
            if (next == null || !items.isEmpty() && bytes + next.bytes() > target) {
                break;
            }
            items.add(next);
            decoded.poll();
            bytes += next.bytes();
            heap += ITEM_BYTES + next.chunks() * (long) CHUNK_BYTES;
        }
        if (items.isEmpty()) {
            return;
        }
        if (query.skipChunks()) {
            items.forEach(i -> batch.add(new Loaded(i.labels, List.of())));
            return;
        }
        query.budget().reserve(bytes + heap, "loading chunks of block " + block.id());
        reservedForBatch = bytes + heap;
        try {
            loadChunks(items);
        } catch (CorruptDataException damaged) {
            // The copy on disk may be what is damaged: once more from the bucket.
            items.forEach(i -> {
                for (int c = 0; c < i.chunks(); c++) {
                    reader.drop(block.segmentKey(i.segment(c)));
                }
            });
            batch.clear();
            loadChunks(items);
        }
    }

    private long batchBytes() {
        long share = query.options().batchShare() / Math.max(1, query.blocks());
        return reader.caches() ? Math.clamp(share / 4, MIN_BATCH, MAX_BATCH / 4) : Math.clamp(share / 2, MIN_BATCH, MAX_BATCH);
    }

    /** Decodes some more of the selected series; for blocks with many. */
    private void decodeMore() {
        SeriesEntries at = entries;
        AnsweredLabels labels = answered;
        if (position >= count || at == null || labels == null) {
            return;
        }
        query.budget().release(reservedForDecoded);
        reservedForDecoded = 0;
        int to = Math.min(count, position + DECODE_AHEAD);
        at.read(Selection.ofOffsets(Arrays.copyOfRange(offsets, position, to)), 0, to - position);
        while (at.next()) {
            labels.load(at.entry());
            keep(new Item(labels.encoded(), copied(query.skipChunks() ? 0 : findPlaces(at, false))));
        }
        position = to;
    }

    private static final int DECODE_AHEAD = 256;

    private void loadChunks(List<Item> items) {
        long start = System.nanoTime();
        List<@Nullable Ranges> ranges = new ArrayList<>();
        for (Item item : items) {
            addRanges(item.places, item.places.length, ranges, items.size());
        }
        List<List<ObjectReader.Slice>> slices = new ArrayList<>();
        for (int segment = 0; segment < ranges.size(); segment++) {
            Ranges r = ranges.get(segment);
            if (r == null) {
                slices.add(List.of());
                continue;
            }
            Ranges wanted = r.joined(0);
            if (reader.caches()) {
                awaitParts(segment, wanted);
            }
            slices.add(reader.readAll(block.segmentKey(segment), wanted, block.segmentSize(segment), query.stats(), ReadStats.Kind.CHUNKS));
        }
        CRC32C crc = new CRC32C();
        try {
            for (Item item : items) {
                List<StoreChunk> out = new ArrayList<>(item.chunks());
                boolean inOrder = true;
                for (int i = 0; i < item.chunks(); i++) {
                    inOrder &= i == 0 || item.minTime(i - 1) <= item.minTime(i);
                    out.add(chunk(item.ref(i), item.minTime(i), item.maxTime(i), slices.get(item.segment(i)), crc));
                }
                if (!inOrder) {
                    out.sort(BlockCursor::byTime);
                }
                batch.add(new Loaded(item.labels, out));
            }
        } finally {
            query.stats().touched(ReadStats.Kind.CHUNKS, checkedChunks, checkedBytes);
            checkedChunks = 0;
            checkedBytes = 0;
        }
        query.stats().nanos(ReadStats.Kind.CHUNKS, System.nanoTime() - start);
    }

    /** The order in which cursors are merged: by labels, then by the block's time. */
    static int inOrder(BlockCursor a, BlockCursor b) {
        EncodedLabels x = a.current.labels;
        EncodedLabels y = b.current.labels;
        int c = x == y ? 0 : x.compareTo(y);
        return c != 0 ? c : Long.compare(a.block.meta().minTime(), b.block.meta().minTime());
    }

    /** The order of chunks in a frame. */
    static int byTime(StoreChunk a, StoreChunk b) {
        int c = Long.compare(a.minTime(), b.minTime());
        return c != 0 ? c : Long.compare(a.maxTime(), b.maxTime());
    }

    private StoreChunk chunk(long ref, long minTime, long maxTime, List<ObjectReader.Slice> slices, CRC32C crc) {
        int segment = (int) (ref >>> 32);
        long at = ref & 0xFFFFFFFFL;
        ObjectReader.Slice s = ObjectReader.find(slices, at);
        if (s == null) {
            throw new CorruptDataException(block.segmentKey(segment), at,
                    "chunk lies outside the segment of " + block.segmentSize(segment) + " bytes");
        }
        byte[] data = s.data();
        int p = s.at(at);
        long length = 0;
        int shift = 0;
        int q = p;
        while (true) {
            if (q >= data.length || shift > 28) {
                if (shift <= 28 && s.end() < block.segmentSize(segment)) {
                    return refetched(ref, minTime, maxTime, at + CHUNK_OVERHEAD + 64, crc);
                }
                throw new CorruptDataException(block.segmentKey(segment), at, "chunk's length is cut off or too long");
            }
            byte b = data[q++];
            length |= (long) (b & 0x7F) << shift;
            shift += 7;
            if (b >= 0) {
                break;
            }
        }
        long end = q + 1 + length + 4;
        if (end > data.length) {
            long objectEnd = s.offset() + end;
            if (objectEnd <= block.segmentSize(segment) && length <= MAX_CHUNK) {
                return refetched(ref, minTime, maxTime, objectEnd, crc);
            }
            throw new CorruptDataException(block.segmentKey(segment), at, "chunk of " + length + " bytes reaches beyond the segment of "
                    + block.segmentSize(segment) + " bytes");
        }
        int n = (int) length;
        crc.reset();
        crc.update(data, q, n + 1);
        int c = q + 1 + n;
        int stored = (data[c] & 0xFF) << 24 | (data[c + 1] & 0xFF) << 16 | (data[c + 2] & 0xFF) << 8 | data[c + 3] & 0xFF;
        if (stored != (int) crc.getValue()) {
            throw new CorruptDataException(block.segmentKey(segment), at,
                    String.format("chunk's checksum is %08x, stored %08x", (int) crc.getValue(), stored));
        }
        checkedChunks++;
        checkedBytes += end - p;
        Encoding encoding;
        try {
            encoding = Encoding.ofCode(data[q]);
        } catch (CorruptDataException e) {
            throw e.in(block.segmentKey(segment), at);
        }
        Chunk raw = new Chunk(minTime, maxTime, encoding, data, q + 1, n);
        return encoding == Encoding.AGGREGATE ? aggregates(raw, segment, at) : StoreChunk.raw(raw);
    }

    private static final long MAX_CHUNK = 1 << 28;

    /** A chunk that turned out longer than planned: read again, this time exactly. */
    private StoreChunk refetched(long ref, long minTime, long maxTime, long end, CRC32C crc) {
        int segment = (int) (ref >>> 32);
        long at = ref & 0xFFFFFFFFL;
        long stop = Math.min(end, block.segmentSize(segment));
        query.stats().chunkRefetches.increment();
        query.limits().bytes(stop - at, "chunks");
        query.budget().reserve(stop - at, "loading chunks of block " + block.id());
        reservedForBatch += stop - at;
        byte[] bytes = reader.read(block.segmentKey(segment), at, Math.toIntExact(stop - at), query.stats(), ReadStats.Kind.CHUNKS);
        return chunk(ref, minTime, maxTime, List.of(new ObjectReader.Slice(at, bytes)), crc);
    }

    private StoreChunk aggregates(Chunk chunk, int segment, long at) {
        AggregateChunk a;
        try {
            a = AggregateChunk.parse(chunk);
        } catch (CorruptDataException e) {
            throw e.in(block.segmentKey(segment), at);
        }
        return new StoreChunk(chunk.minTime(), chunk.maxTime(), null, part(a, Aggregate.COUNT, AggregateChunk.Part.COUNT),
                part(a, Aggregate.SUM, AggregateChunk.Part.SUM), part(a, Aggregate.MIN, AggregateChunk.Part.MIN),
                part(a, Aggregate.MAX, AggregateChunk.Part.MAX), part(a, Aggregate.COUNTER, AggregateChunk.Part.COUNTER));
    }

    private @Nullable Chunk part(AggregateChunk a, Aggregate asked, AggregateChunk.Part part) {
        if (!query.aggregates().contains(asked)) {
            return null;
        }
        Chunk c = a.part(part);
        if (c == null) {
            throw new MissingAggregateException(block.id(), part);
        }
        return c;
    }

    private void closeLease() {
        GatewayBlock.Lease l = lease;
        if (l != null) {
            lease = null;
            l.close();
        }
    }

    private void release() {
        query.budget().release(reservedForBatch + reservedForDecoded + reservedForOrder);
        reservedForBatch = 0;
        reservedForDecoded = 0;
        reservedForOrder = 0;
    }

    @Override
    public void close() {
        closeLease();
        release();
        batch.clear();
        decoded.clear();
        count = 0;
        position = 0;
        parts = List.of();
        answered = null;
        entries = null;
    }
}

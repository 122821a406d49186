package io.varve.storegateway;

import io.varve.chunk.AggregateChunk;
import io.varve.chunk.Chunk;
import io.varve.chunk.Encoding;
import io.varve.model.CorruptDataException;
import io.varve.model.Labels;
import io.varve.model.Matcher;
import io.varve.store.Aggregate;
import io.varve.store.StoreChunk;
import io.varve.tsdb.index.IndexHeader;
import io.varve.tsdb.index.SeriesEntry;
import io.varve.tsdb.index.Symbols;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * One block's part of a request: its series in the order of the answered labels, with their chunks. {@link #prepare} finds the series and plans
 * all reads; {@link #next} reads, going forward and holding a batch at a time. One thread at a time.
 *
 * <p>
 * The index is gone over twice: once for what to read (chunk ranges, order, limits), once for the answer. A block that contributes few
 * series keeps what it decoded the first time. Chunks are read in parts planned from their offsets: a chunk ends where the next one begins,
 * which the index tells, so little is read that is not sent.
 */
final class BlockCursor implements AutoCloseable {
    /** Blocks with so few series keep them decoded. */
    private static final int KEPT = 2048;
    /** Index bytes that are looked at in one go. */
    private static final int INDEX_WINDOW = 4 << 20;
    /** The same at first, where the first series may be enough. */
    private static final int FIRST_WINDOW = 128 << 10;
    /** How far a chunk may reach where only the next series' chunk says. */
    private static final long MAX_REACH = 1 << 20;
    /** Heap that an entry of the kept or sorted series takes, beside labels and chunks. */
    private static final int ITEM_BYTES = 200;
    private static final int CHUNK_BYTES = 48;
    /** uvarint32 length, encoding, CRC-32C. */
    private static final int CHUNK_OVERHEAD = 5 + 1 + 4;
    /** Symbols whose texts are at hand; a power of two. */
    private static final int TEXTS = 256;
    private static final long MIN_BATCH = 64 << 10;
    private static final long MAX_BATCH = 4 << 20;

    /**
     * A series and where its chunks lie.
     *
     * @param places four numbers per chunk: first and last time, reference, where it ends at the latest
     */
    private record Item(Labels labels, long[] places) {
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

        long start(int i) {
            return places[4 * i + 2] & 0xFFFFFFFFL;
        }

        long end(int i) {
            return places[4 * i + 3];
        }

        long bytes() {
            long sum = 0;
            for (int i = 0; i < chunks(); i++) {
                sum += end(i) - start(i);
            }
            return sum;
        }

        long heap() {
            return ITEM_BYTES + places.length * (long) Long.BYTES;
        }
    }

    private final GatewayBlock block;
    private final SeriesQuery query;
    private final List<Matcher> matchers;
    private final ObjectReader reader;
    private final IndexAccess index;
    private final LabelPool pool;
    private final String decoding;
    /** Texts of the symbols that were looked up last, by their numbers. */
    private final long[] textNumbers = new long[TEXTS];
    private final String[] texts = new String[TEXTS];

    private GatewayBlock.@Nullable Lease lease;
    /** The block's labels without those that are dropped. */
    private final Labels external;
    /** The selected series, in the order of the answer; offsets in the index. */
    private long[] offsets = new long[0];
    private int count;
    private int position;
    private long reservedForOrder;
    private boolean kept;
    private boolean sortByTexts;
    private final ArrayDeque<Item> decoded = new ArrayDeque<>();
    private long reservedForDecoded;
    private final ArrayDeque<Loaded> batch = new ArrayDeque<>();
    private long reservedForBatch;
    private List<Part> parts = List.of();
    private int launched;
    private long aheadBytes;
    private Labels labels = Labels.EMPTY;
    private List<StoreChunk> chunks = List.of();

    private record Loaded(Labels labels, List<StoreChunk> chunks) {
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

    BlockCursor(GatewayBlock block, SeriesQuery query, List<Matcher> matchers, ObjectReader reader, IndexAccess index, LabelPool pool) {
        this.block = block;
        this.query = query;
        this.matchers = matchers;
        this.reader = reader;
        this.index = index;
        this.pool = pool;
        this.external = block.externalLabels().without(query.dropLabels());
        this.decoding = "decoding series of block " + block.id();
    }

    GatewayBlock block() {
        return block;
    }

    /** The series it stands on. */
    Labels labels() {
        return labels;
    }

    /** Its chunks, by time. */
    List<StoreChunk> chunks() {
        return chunks;
    }

    /** Finds the series and plans the chunks. No chunk is read before all blocks of the request have planned. */
    void prepare() {
        try {
            plan();
        } catch (SortKeys.UnsortedNamesException e) {
            reset();
            sortByTexts = true;
            plan();
        } catch (CorruptDataException damaged) {
            // The copy on disk may be what is damaged: once more from the bucket.
            reset();
            block.distrustIndex();
            plan();
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
    }

    private void plan() {
        GatewayBlock.Lease l = block.acquire(query.stats());
        lease = l;
        IndexHeader header = l.header();
        Selection selection = index.select(block, header, matchers, query);
        if (selection.size() == 0) {
            closeLease();
            return;
        }
        query.limits().series(selection.size());
        Scan scan = new Scan(header, selection);
        scan.run();
        if (!query.skipChunks()) {
            planChunks(scan.ranges);
        }
        if (kept) {
            if (!scan.sorted) {
                List<Item> all = new ArrayList<>(decoded);
                all.sort(Comparator.comparing(Item::labels));
                decoded.clear();
                decoded.addAll(all);
            }
        } else if (!scan.sorted) {
            scan.sort();
        }
        if (kept && decoded.isEmpty() || !kept && count == 0) {
            closeLease();
        }
    }

    /**
     * Knows when the first series of a block are found, so that the others need not be read. Entries lie in the order of their labels. That
     * is the order of the answer too, but for one thing: a series that has all labels of another and more after them follows it in the block
     * and may come before it with the external labels between. Such series follow one another at once.
     */
    private static final class FirstSeries {
        private final long wanted;
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
        boolean isEnough(SeriesEntry next, long found) {
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
        private final IndexHeader header;
        private final Selection selection;
        private final SeriesEntry entry = new SeriesEntry();
        /** Chunk ranges by segment. */
        final List<@Nullable Ranges> ranges = new ArrayList<>();
        boolean sorted = true;
        /** What is compared; filled where the order is wrong. */
        private final SortKeys keys;
        private final List<Object> allKeys = new ArrayList<>();
        private final boolean collect;

        Scan(IndexHeader header, Selection selection) {
            this.header = header;
            this.selection = selection;
            kept = selection.size() <= KEPT;
            this.collect = !kept;
            this.keys = new SortKeys(header, external, query.dropLabels(), sortByTexts || kept);
        }

        void run() {
            int n = selection.size();
            Object previous = null;
            FirstSeries first = FirstSeries.of(query, header, external);
            if (first == null) {
                index.readAhead(block, header, selection, 0, n, query);
            }
            if (collect) {
                query.budget().reserve(n * 8L, "selecting series of block " + block.id());
                reservedForOrder = n * 8L;
                offsets = new long[n];
            }
            int window = first == null ? INDEX_WINDOW : FIRST_WINDOW;
            for (int from = 0; from < n;) {
                int to = index.windowEnd(block, header, selection, from, window, query);
                if (first != null) {
                    index.readAhead(block, header, selection, from, to, query);
                    window = INDEX_WINDOW;
                }
                List<ObjectReader.Slice> slices = index.entries(block, header, selection, from, to, query);
                for (int i = from; i < to; i++) {
                    if ((i & 255) == 0) {
                        query.context().check();
                    }
                    long offset = selection.offset(i);
                    decode(slices, offset, entry);
                    if (first != null && first.isEnough(entry, kept ? decoded.size() : count)) {
                        return;
                    }
                    int wanted = countWanted(entry);
                    if (wanted == 0) {
                        continue;
                    }
                    Labels texts = null;
                    if (kept || query.isSharded() || !selection.lazy().isEmpty()) {
                        Labels inBlock = entryLabels(entry);
                        if (!selection.accepts(inBlock)) {
                            continue;
                        }
                        texts = pool.pooled(query.answered(inBlock, external));
                        if (!query.inShard(texts)) {
                            continue;
                        }
                    }
                    if (!query.skipChunks()) {
                        query.limits().chunks(wanted);
                    }
                    if (first != null) {
                        first.found(entry);
                    }
                    if (kept) {
                        Item item = item(slices, offset, texts == null ? Labels.EMPTY : texts, wanted);
                        query.budget().reserve(item.heap(), decoding);
                        reservedForDecoded += item.heap();
                        Item last = decoded.peekLast();
                        sorted &= last == null || last.labels.compareTo(item.labels) <= 0;
                        decoded.add(item);
                        if (!query.skipChunks()) {
                            addRanges(item);
                        }
                    } else {
                        Object key = keys.of(entry, () -> query.answered(entryLabels(entry), external));
                        if (sorted && previous != null && keys.compare(previous, key) > 0) {
                            disordered(slices);
                        }
                        previous = key;
                        if (!sorted) {
                            keep(key);
                        }
                        offsets[count++] = offset;
                        if (!query.skipChunks()) {
                            addRanges(item(slices, offset, Labels.EMPTY, wanted));
                        }
                    }
                }
                from = to;
            }
        }

        private void keep(Object key) {
            long bytes = keys.heap(key);
            query.budget().reserve(bytes, "sorting series of block " + block.id());
            reservedForOrder += bytes;
            allKeys.add(key);
        }

        /** From here on all keys are needed; those so far are made again. */
        private void disordered(List<ObjectReader.Slice> slices) {
            sorted = false;
            SeriesEntry again = new SeriesEntry();
            long[] done = Arrays.copyOf(offsets, count);
            for (int from = 0; from < done.length;) {
                int to = Math.min(done.length, from + query.options().seriesBatch());
                Selection part = Selection.ofOffsets(Arrays.copyOfRange(done, from, to));
                List<ObjectReader.Slice> s = index.entries(block, header, part, 0, part.size(), query);
                for (int i = from; i < to; i++) {
                    decode(s, done[i], again);
                    keep(keys.of(again, () -> query.answered(entryLabels(again), external)));
                }
                from = to;
            }
        }

        /** Puts the series into the order of the answer. */
        void sort() {
            Integer[] order = new Integer[count];
            Arrays.setAll(order, i -> i);
            Arrays.sort(order, (a, b) -> keys.compare(allKeys.get(a), allKeys.get(b)));
            long[] out = new long[count];
            for (int i = 0; i < count; i++) {
                out[i] = offsets[order[i]];
            }
            offsets = out;
            long keysHeap = reservedForOrder - out.length * 8L;
            query.budget().release(keysHeap);
            reservedForOrder -= keysHeap;
            allKeys.clear();
        }

        private Item item(List<ObjectReader.Slice> slices, long offset, Labels texts, int wanted) {
            return BlockCursor.this.item(entry, texts, wanted, nextReference(header, slices, offset, entry));
        }

        private void addRanges(Item item) {
            BlockCursor.addRanges(item, ranges, selection.size());
        }
    }

    /** Adds where the chunks of a series lie, by segment. */
    private static void addRanges(Item item, List<@Nullable Ranges> ranges, int room) {
        for (int i = 0; i < item.chunks(); i++) {
            int segment = item.segment(i);
            while (ranges.size() <= segment) {
                ranges.add(null);
            }
            Ranges r = ranges.get(segment);
            if (r == null) {
                r = new Ranges(Math.min(room, 4096));
                ranges.set(segment, r);
            }
            r.add(item.start(i), item.end(i));
        }
    }

    private Labels entryLabels(SeriesEntry e) {
        GatewayBlock.Lease l = lease;
        if (l == null) {
            throw new IllegalStateException("block " + block.id() + " is not open");
        }
        Symbols symbols = l.header().symbols();
        return e.labels(number -> text(symbols, number));
    }

    private String text(Symbols symbols, long number) {
        int slot = (int) number & TEXTS - 1;
        String known = texts[slot];
        if (known == null || textNumbers[slot] != number) {
            known = pool.pooled(symbols.text(number));
            texts[slot] = known;
            textNumbers[slot] = number;
        }
        return known;
    }

    private void decode(List<ObjectReader.Slice> slices, long offset, SeriesEntry into) {
        index.decode(block, slices, offset, into, query);
    }

    /** What lies behind a series' last chunk, where that chunk is wanted. */
    private long nextReference(IndexHeader header, List<ObjectReader.Slice> slices, long offset, SeriesEntry e) {
        int last = e.chunkCount - 1;
        return query.skipChunks() || last < 0 || !query.wants(e.minTimes[last], e.maxTimes[last])
                ? Selection.UNKNOWN
                : index.followingChunk(header, slices, offset, e);
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

    private Item item(SeriesEntry e, Labels texts, int wanted, long nextRef) {
        if (query.skipChunks()) {
            return new Item(texts, NONE);
        }
        long[] places = new long[4 * wanted];
        int n = 0;
        for (int i = 0; i < e.chunkCount; i++) {
            if (query.wants(e.minTimes[i], e.maxTimes[i])) {
                places[n++] = e.minTimes[i];
                places[n++] = e.maxTimes[i];
                places[n++] = e.refs[i];
                places[n++] = chunkEnd(e.refs[i], i + 1 < e.chunkCount ? e.refs[i + 1] : nextRef);
            }
        }
        return new Item(texts, places);
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
        labels = l.labels;
        chunks = l.chunks;
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
        GatewayBlock.Lease l = lease;
        if (position >= count || l == null) {
            return;
        }
        query.context().check();
        query.budget().release(reservedForDecoded);
        reservedForDecoded = 0;
        IndexHeader header = l.header();
        int to = Math.min(count, position + DECODE_AHEAD);
        Selection part = Selection.ofOffsets(Arrays.copyOfRange(offsets, position, to));
        List<ObjectReader.Slice> slices = index.entries(block, header, part, 0, part.size(), query);
        SeriesEntry entry = new SeriesEntry();
        for (int i = 0; i < part.size(); i++) {
            decode(slices, part.offset(i), entry);
            long nextRef = nextReference(header, slices, part.offset(i), entry);
            Item item = item(entry, pool.pooled(query.answered(entryLabels(entry), external)), countWanted(entry), nextRef);
            query.budget().reserve(item.heap(), decoding);
            reservedForDecoded += item.heap();
            decoded.add(item);
        }
        position = to;
    }

    private static final int DECODE_AHEAD = 256;

    private void loadChunks(List<Item> items) {
        long start = System.nanoTime();
        List<@Nullable Ranges> ranges = new ArrayList<>();
        for (Item item : items) {
            addRanges(item, ranges, items.size());
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
        query.stats().nanos(ReadStats.Kind.CHUNKS, System.nanoTime() - start);
    }

    /** The order in which cursors are merged: by labels, then by the block's time. */
    static int inOrder(BlockCursor a, BlockCursor b) {
        int c = a.labels == b.labels ? 0 : a.labels.compareTo(b.labels);
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
        query.stats().touched(ReadStats.Kind.CHUNKS, 1, end - p);
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
    }
}

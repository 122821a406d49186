package io.varve.tsdb;

import io.varve.chunk.Chunk;
import io.varve.chunk.ChunkSeries;
import io.varve.chunk.ChunkSeriesSet;
import io.varve.chunk.Encoding;
import io.varve.model.CorruptDataException;
import io.varve.model.Labels;
import io.varve.model.Matcher;
import io.varve.model.UnavailableException;
import io.varve.tsdb.index.ByteRegion;
import io.varve.tsdb.index.IndexReader;
import io.varve.tsdb.index.Postings;
import io.varve.tsdb.index.SeriesEntry;
import io.varve.tsdb.index.SymbolUnion;
import io.varve.tsdb.index.Symbols;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * An open block: its files mapped, nothing of its series in memory. Opening checks what is cheap to check (headers, table of
 * contents, symbols, offsets, tombstones); everything else is checked when it is read. Safe for many threads.
 *
 * <p>
 * Closing it under a reader makes the reader fail with {@link UnavailableException}. Chunks that were returned stay valid.
 */
public final class BlockReader implements AutoCloseable {
    /** The index's file name. */
    public static final String INDEX = "index";

    private final Path directory;
    private final BlockMeta meta;
    private final Arena arena;
    private final IndexReader index;
    private final ChunkSegments segments;
    private final Tombstones tombstones;

    private BlockReader(Path directory, BlockMeta meta, Arena arena, IndexReader index, ChunkSegments segments, Tombstones tombstones) {
        this.directory = directory;
        this.meta = meta;
        this.arena = arena;
        this.index = index;
        this.segments = segments;
        this.tombstones = tombstones;
    }

    /**
     * Opens a block's directory.
     *
     * @throws CorruptDataException where a file breaks a rule that opening checks
     * @throws UnavailableException where a file is missing or cannot be read
     */
    public static BlockReader open(Path directory) {
        BlockMeta meta = BlockMeta.read(directory);
        Arena arena = Arena.ofShared();
        try {
            ChunkSegments segments = ChunkSegments.open(directory, arena);
            Path file = directory.resolve(INDEX);
            IndexReader index = IndexReader.open(ByteRegion.map(file, file.toString(), arena));
            return new BlockReader(directory, meta, arena, index, segments, Tombstones.read(directory));
        } catch (RuntimeException e) {
            arena.close();
            throw e;
        }
    }

    /** Where it lies. */
    public Path directory() {
        return directory;
    }

    /** What {@code meta.json} says. */
    public BlockMeta meta() {
        return meta;
    }

    /** Its index. */
    public IndexReader index() {
        return index;
    }

    /** What is deleted of it. */
    public Tombstones tombstones() {
        return tombstones;
    }

    ChunkSegments segments() {
        return segments;
    }

    /** How many segment files it has. */
    public int segmentCount() {
        return segments.count();
    }

    /**
     * One chunk, its checksum checked.
     *
     * @param ref as the index has it
     * @param minTime as the index has it
     * @param maxTime as the index has it
     */
    public Chunk chunk(long ref, long minTime, long maxTime) {
        return segments.chunk(ref, minTime, maxTime);
    }

    /** How a chunk is encoded, without reading the rest of it or checking its checksum. */
    public Encoding encoding(long ref) {
        return segments.encoding(ref);
    }

    /** Bytes that the chunks of a decoded entry take in the segment files, with lengths and checksums. */
    public long chunkBytes(SeriesEntry entry) {
        long sum = 0;
        for (int i = 0; i < entry.chunkCount; i++) {
            sum += segments.entryLength(entry.refs[i]);
        }
        return sum;
    }

    /** The chunks of a decoded entry, as they are stored. */
    public List<Chunk> chunks(SeriesEntry entry) {
        return segments.chunks(entry.refs, entry.minTimes, entry.maxTimes, 0, entry.chunkCount);
    }

    /** All series with all chunks as they are stored; nothing deleted is left out. */
    public ChunkSeriesSet stored() {
        return new Set(index.allPostings(), Long.MIN_VALUE, Long.MAX_VALUE, false, false, Symbols.Texts.NONE, true, false);
    }

    /**
     * All series with samples left in the range, cut to it and without deleted samples, with labels made of given text objects. Chunks that are left
     * whole are {@link StoredChunks}, which are read when they are asked for: the block must stay open as long as the series are in use.
     */
    ChunkSeriesSet select(long minTime, long maxTime, Symbols.Texts texts) {
        return new Set(index.allPostings(), minTime, maxTime, true, true, index.version() == 1 ? Symbols.Texts.NONE : texts, true, true);
    }

    /**
     * The series that satisfy all matchers and have samples left in the range, without deleted samples.
     *
     * @param matchers none for all series
     * @param minTime first millisecond wanted
     * @param maxTime last millisecond wanted
     * @param trim whether chunks that stick out of the range are cut to it; else they are left whole
     */
    public ChunkSeriesSet select(List<Matcher> matchers, long minTime, long maxTime, boolean trim) {
        Postings p = matchers.isEmpty() ? index.allPostings() : index.postings(matchers);
        return new Set(p, minTime, maxTime, true, trim, Symbols.Texts.NONE, false, false);
    }

    /**
     * What {@link #select(long, long, Symbols.Texts)} gives, by numbers of symbols.
     *
     * @param symbols those of this block's index and perhaps of others
     * @param numbers the number there of each of this index' symbols
     */
    Entries entries(long minTime, long maxTime, SymbolUnion symbols, int[] numbers) {
        return new Entries(new Set(index.allPostings(), minTime, maxTime, true, true, Symbols.Texts.NONE, true, true), symbols, numbers);
    }

    /** Series of which labels are numbers of symbols, in the order of which labels compare; stands on one. One thread. */
    final class Entries implements Comparable<Entries>, AutoCloseable {
        private final Set set;
        private final SymbolUnion symbols;
        private final int[] numbers;
        private final StoredChunks.Pass pass = new StoredChunks.Pass(segments);
        /** Of the series and of the one before, name, value, name, value, …. */
        private int[] labels = new int[32];
        private int[] labelsBefore = new int[32];
        private int size;

        private Entries(Set set, SymbolUnion symbols, int[] numbers) {
            this.set = set;
            this.symbols = symbols;
            this.numbers = numbers;
        }

        /** Goes on to the next series, false at the end. */
        boolean next() {
            boolean isFirst = set.id < 0;
            if (!set.advance()) {
                return false;
            }
            int[] before = labels;
            int sizeBefore = size;
            labels = labelsBefore;
            labelsBefore = before;
            read(set.entry);
            if (!isFirst && compare(labels, size, before, sizeBefore) <= 0) {
                throw set.outOfOrder(texts(labels, size), texts(before, sizeBefore));
            }
            return true;
        }

        private void read(SeriesEntry entry) {
            int n = entry.labelCount;
            if (labels.length < 2 * n) {
                labels = new int[4 * n];
            }
            int[] to = labels;
            int[] of = numbers;
            int[] names = entry.names;
            int[] values = entry.values;
            int last = -1;
            for (int i = 0; i < n; i++) {
                int name = names[i];
                int value = values[i];
                if (name <= last || name >= of.length || value < 0 || value >= of.length) {
                    readUnordered(entry);
                    return;
                }
                last = name;
                to[2 * i] = of[name];
                to[2 * i + 1] = of[value];
            }
            size = 2 * n;
        }

        /** An entry of which names are out of order, or that has symbols that do not exist. */
        private void readUnordered(SeriesEntry entry) {
            Labels texts = index.labels(entry);
            size = 0;
            for (int i = 0; i < texts.size(); i++) {
                for (String text : List.of(texts.name(i), texts.value(i))) {
                    long ordinal = index.symbols().find(text);
                    if (ordinal < 0) {
                        throw index.region().corrupt(index.seriesOffset(set.id), "series " + texts + " has a symbol that is no text");
                    }
                    labels[size++] = numbers[(int) ordinal];
                }
            }
        }

        private Labels texts(int[] of, int length) {
            return EntryMerge.texts(Arrays.copyOf(of, length), symbols);
        }

        @Override
        public int compareTo(Entries other) {
            return compare(labels, size, other.labels, other.size);
        }

        private static int compare(int[] a, int aSize, int[] b, int bSize) {
            int n = Math.min(aSize, bSize);
            for (int i = 0; i < n; i++) {
                if (a[i] != b[i]) {
                    return a[i] < b[i] ? -1 : 1;
                }
            }
            return aSize - bSize;
        }

        /** Numbers of the labels' symbols, of the caller. */
        int[] labels() {
            return Arrays.copyOf(labels, size);
        }

        /** How many chunks there are, or were before they were cut. */
        int chunkCount() {
            return set.left;
        }

        /** Adds all chunks; false where they do not follow those before or are not as they are stored, and only some were added. */
        boolean addTo(StoredChunks.Builder whole) {
            return set.made == null && whole.add(pass, set.entry, set.left);
        }

        /** The chunks, read. */
        List<Chunk> chunks() {
            List<Chunk> made = set.made;
            return made != null ? made : set.read(set.left);
        }

        @Override
        public void close() {
            set.close();
        }
    }

    /** Streams series by their postings. */
    private final class Set implements ChunkSeriesSet {
        private final Postings postings;
        private final long minTime;
        private final long maxTime;
        private final boolean applyTombstones;
        private final boolean trim;
        /** Texts of symbols, none to ask the index. */
        private final Symbols.Texts texts;
        private SeriesEntry entry = new SeriesEntry();
        /** Of the series before. */
        private SeriesEntry entryBefore = new SeriesEntry();
        /** Of chunks and of series entries, where all of the block is read in its order. */
        private final @Nullable Trail chunkTrail;
        private final @Nullable Trail indexTrail;
        /** Of chunks that are read later, where they may be. */
        private final StoredChunks.@Nullable Pass later;
        private @Nullable Labels previous;
        /** Of the series that the entry is of, −1 before the first. */
        private long id = -1;
        /** How many chunks of the entry are left. */
        private int left;
        /** What was made of them where they are not left whole. */
        private @Nullable List<Chunk> made;
        private volatile boolean closed;

        Set(Postings postings, long minTime, long maxTime, boolean applyTombstones, boolean trim, Symbols.Texts texts, boolean once,
                boolean mayReadLater) {
            this.texts = texts;
            this.chunkTrail = once ? new Trail() : null;
            this.indexTrail = once ? new Trail() : null;
            this.later = mayReadLater ? new StoredChunks.Pass(segments) : null;
            this.postings = postings;
            this.minTime = minTime;
            this.maxTime = maxTime;
            this.applyTombstones = applyTombstones;
            this.trim = trim;
        }

        /** Goes on to the next entry of which something is left, false at the end. */
        private boolean advance() {
            while (!closed) {
                long next = postings.current() == Postings.NO_MORE ? Postings.NO_MORE : postings.next();
                if (next == Postings.NO_MORE) {
                    return false;
                }
                id = next;
                index.series(id, entry);
                left = selectChunks();
                if (left == 0 && (applyTombstones || entry.chunkCount > 0)) {
                    continue;
                }
                if (indexTrail != null) {
                    indexTrail.at(index.region(), index.seriesOffset(id));
                }
                Intervals stones = applyTombstones ? tombstones.of(id) : Intervals.NONE;
                made = null;
                if (isTouched(left, stones)) {
                    List<Chunk> cut = cut(read(left), stones);
                    if (cut.isEmpty()) {
                        continue;
                    }
                    made = cut;
                }
                return true;
            }
            return false;
        }

        @Override
        public @Nullable ChunkSeries next() {
            if (!advance()) {
                return null;
            }
            List<Chunk> chunks = made;
            if (chunks == null) {
                chunks = later != null ? StoredChunks.of(later, entry, left) : read(left);
            }
            Labels labels = texts.byOrdinal().length == 0 ? index.labels(entry) : entry.labels(index.symbols(), texts.byOrdinal());
            if (previous != null && !(texts.inOrder() && entry.follows(entryBefore)) && previous.compareTo(labels) >= 0) {
                throw outOfOrder(labels, previous);
            }
            previous = labels;
            SeriesEntry free = entryBefore;
            entryBefore = entry;
            entry = free;
            return new ChunkSeries(labels, chunks);
        }

        private CorruptDataException outOfOrder(Labels labels, Labels before) {
            return index.region().corrupt(index.seriesOffset(id), "series " + labels + " comes after " + before);
        }

        /** Moves the chunks of the range to the front of the entry, in order of their times. */
        private int selectChunks() {
            int n = 0;
            boolean ordered = true;
            for (int i = 0; i < entry.chunkCount; i++) {
                if (entry.maxTimes[i] >= minTime && entry.minTimes[i] <= maxTime) {
                    entry.minTimes[n] = entry.minTimes[i];
                    entry.maxTimes[n] = entry.maxTimes[i];
                    entry.refs[n] = entry.refs[i];
                    ordered &= n == 0 || entry.minTimes[n - 1] <= entry.minTimes[n];
                    n++;
                }
            }
            if (!ordered) {
                // Damaged by old bugs, but readable: the contract of a chunk series is the order of time.
                int[] order = IntStream.range(0, n).boxed().sorted((a, b) -> {
                    int c = Long.compare(entry.minTimes[a], entry.minTimes[b]);
                    return c != 0 ? c : Long.compare(entry.maxTimes[a], entry.maxTimes[b]);
                }).mapToInt(Integer::intValue).toArray();
                long[] mins = Arrays.stream(order).mapToLong(i -> entry.minTimes[i]).toArray();
                long[] maxs = Arrays.stream(order).mapToLong(i -> entry.maxTimes[i]).toArray();
                long[] refs = Arrays.stream(order).mapToLong(i -> entry.refs[i]).toArray();
                System.arraycopy(mins, 0, entry.minTimes, 0, n);
                System.arraycopy(maxs, 0, entry.maxTimes, 0, n);
                System.arraycopy(refs, 0, entry.refs, 0, n);
            }
            return n;
        }

        private List<Chunk> read(int count) {
            if (chunkTrail != null && count > 0) {
                chunkTrail.at(segments.segment(ChunkEntry.segment(entry.refs[0])), ChunkEntry.offset(entry.refs[0]));
            }
            return segments.chunks(entry.refs, entry.minTimes, entry.maxTimes, 0, count);
        }

        /** Whether something of the entry's first chunks is to be left out. */
        private boolean isTouched(int count, Intervals stones) {
            for (int i = 0; i < count; i++) {
                long from = entry.minTimes[i];
                long to = entry.maxTimes[i];
                if (trim && (from < minTime || to > maxTime) || stones.overlaps(from, to)) {
                    return true;
                }
            }
            return false;
        }

        private List<Chunk> cut(List<Chunk> chunks, Intervals stones) {
            Intervals deleted = stones;
            if (trim) {
                if (minTime > Long.MIN_VALUE) {
                    deleted = deleted.with(Long.MIN_VALUE, minTime - 1);
                }
                if (maxTime < Long.MAX_VALUE) {
                    deleted = deleted.with(maxTime + 1, Long.MAX_VALUE);
                }
            }
            List<Chunk> out = new ArrayList<>(chunks.size());
            for (Chunk c : chunks) {
                out.addAll(ChunkCut.without(c, deleted));
            }
            return out;
        }

        @Override
        public void close() {
            closed = true;
        }
    }

    /** Unmaps all files. */
    @Override
    public void close() {
        if (arena.scope().isAlive()) {
            arena.close();
        }
    }
}

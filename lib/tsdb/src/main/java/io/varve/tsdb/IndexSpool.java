package io.varve.tsdb;

import io.varve.chunk.Chunk;
import io.varve.model.Labels;
import io.varve.model.LimitExceededException;
import io.varve.model.MemoryBudget;
import io.varve.model.Utf8Order;
import io.varve.tsdb.index.SymbolUnion;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import java.util.function.LongFunction;
import java.util.function.Supplier;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * Builds an index in two passes. While series arrive, pairs of name and value get numbers, and those of each series are spooled to a temporary file;
 * symbols, pairs and the number of series of each pair are all that stays in memory. Then the size and place of every postings list is known before the
 * first is written: in the second pass each series puts its id straight into its lists, in a temporary file that is mapped (a small one in memory).
 *
 * <p>
 * The symbols come first in the file. Who knows all of them before the first series says so with {@link #sealSymbols}, and entries are written as series
 * arrive; else they wait in the spool, too, and are written in the second pass. Bytes are those of Prometheus' writer. One thread.
 */
final class IndexSpool implements AutoCloseable {
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
    private static final int MAGIC = 0xBAAAD700;
    private static final int VERSION = 2;
    private static final int ALIGN_SERIES = 16;
    private static final int ALIGN_POSTINGS = 4;
    /** Postings up to this size are put together in memory. */
    private static final long IN_MEMORY = 16 << 20;
    private static final long RESERVE_STEP = 256 << 10;

    /**
     * How large an index may be; refusals are in Prometheus' words, for whoever looks them up.
     *
     * @param fileBytes ids of series are their offsets divided by 16, in 32 bits
     * @param sectionBytes lengths of symbol table, postings lists and offset table have 32 bits
     */
    record Limits(long fileBytes, long sectionBytes) {
        static final Limits FORMAT = new Limits(16 * 0xFFFFFFFFL, 0xFFFFFFFFL);

        LimitExceededException symbols(long bytes) {
            return exceeded("symbol table size exceeds " + sectionBytes + " bytes: " + bytes);
        }

        LimitExceededException list(long bytes) {
            return exceeded("posting size exceeds 4 bytes: " + bytes);
        }

        LimitExceededException table(long bytes) {
            return exceeded("postings offset table length/crc32 write error: length size exceeds 4 bytes: " + bytes);
        }

        void check(Path file, long bytes) {
            if (bytes > fileBytes) {
                throw exceeded("\"" + file + "\" exceeding max size of 64GiB");
            }
        }

        private static LimitExceededException exceeded(String message) {
            return new LimitExceededException("index format", message);
        }
    }

    /** The sealed symbols by number. */
    private interface Table {
        int size();

        /** Length and UTF-8. */
        void write(int number, ByteWriter into);
    }

    private record Texts(String[] texts) implements Table {
        @Override
        public int size() {
            return texts.length;
        }

        @Override
        public void write(int number, ByteWriter into) {
            into.text(texts[number]);
        }
    }

    private record United(SymbolUnion symbols) implements Table {
        @Override
        public int size() {
            return symbols.size();
        }

        @Override
        public void write(int number, ByteWriter into) {
            int length = symbols.length(number);
            into.uvarint(length);
            int at = into.room(length);
            symbols.copy(number, into.array(), at);
        }
    }

    private final Path file;
    private final Path spoolFile;
    private final Path postingsFile;
    private final FileSink spool;
    private final ByteWriter record = new ByteWriter(1024);
    private final ByteWriter chunkPart = new ByteWriter(1024);
    private final ByteWriter body = new ByteWriter(1024);
    private final ByteWriter head = new ByteWriter(16);
    private final CRC32C crc = new CRC32C();
    private final SymbolIds symbols = new SymbolIds();
    private final PairIds pairs = new PairIds();
    private Labels previous = Labels.EMPTY;
    private int[] previousPairs = new int[16];
    private int[] previousNames = new int[16];
    private int[] previousValues = new int[16];
    /** Labels of the series before, where they came as numbers. */
    private int previousSize;
    private long series;
    private long maxEntry;
    private final MemoryBudget memory;
    private final Limits limits;
    private long reserved;
    private long unionBytes;
    /** The index, once the symbols are written. */
    private @Nullable FileSink out;
    private Table table = new Texts(new String[0]);
    private long seriesAt;
    private int id;

    /**
     * @param file the index; temporary files lie beside it
     * @param memory where symbols and tables are reserved until it is closed
     */
    IndexSpool(Path file, MemoryBudget memory) throws IOException {
        this(file, memory, Limits.FORMAT);
    }

    IndexSpool(Path file, MemoryBudget memory, Limits limits) throws IOException {
        this.file = file;
        this.limits = limits;
        this.memory = memory;
        spoolFile = file.resolveSibling("series.spool");
        postingsFile = file.resolveSibling("postings.spool");
        spool = new FileSink(spoolFile, false);
    }

    long series() {
        return series;
    }

    /** The largest series entry with padding, after {@link #write}. */
    long maxEntryBytes() {
        return maxEntry;
    }

    /** Adds a symbol that series need not use; gives the text object that stands for it. */
    String symbol(String text) {
        int id = symbols.id(text);
        reserve(symbols.heapBytes() + pairs.heapBytes());
        return symbols.text(id);
    }

    /** Reserves up to a total, in steps that make asking cheap. */
    private void reserve(long total) {
        if (total > reserved) {
            long more = total - reserved + RESERVE_STEP;
            memory.reserve(more, "symbols and label pairs of a new index");
            reserved += more;
        }
    }

    /** Adds a series by the numbers of its labels' symbols, name, value, name, value, …, once symbols are sealed as a union. */
    void add(int[] labels, SymbolUnion symbols, List<Chunk> chunks, long[] refs) throws IOException {
        FileSink sealed = out;
        if (sealed == null) {
            throw new IllegalStateException("symbols have no numbers yet");
        }
        int n = labels.length / 2;
        makeRoom(n);
        int[] ids = previousPairs;
        int order = series == 0 ? -1 : 0;
        record.clear();
        record.uvarint(n);
        for (int i = 0; i < n; i++) {
            int name = labels[2 * i];
            int value = labels[2 * i + 1];
            if (i >= previousSize || previousNames[i] != name || previousValues[i] != value) {
                if (order == 0) {
                    order = i >= previousSize || previousNames[i] < name || previousNames[i] == name && previousValues[i] < value ? -1 : 1;
                }
                previousNames[i] = name;
                previousValues[i] = value;
                ids[i] = pairs.id(name, value);
            }
            pairs.count(ids[i]);
            record.uvarint(ids[i]);
        }
        previousSize = n;
        if (order >= 0) {
            throw new IllegalArgumentException("series must be added in label order, got " + EntryMerge.texts(labels, symbols));
        }
        encodeChunks(() -> EntryMerge.texts(labels, symbols), chunks, refs);
        spoolEntry(sealed, ids, n);
    }

    private void makeRoom(int n) {
        if (previousPairs.length < n) {
            previousPairs = Arrays.copyOf(previousPairs, n * 2);
            previousNames = Arrays.copyOf(previousNames, n * 2);
            previousValues = Arrays.copyOf(previousValues, n * 2);
        }
    }

    void add(Labels labels, List<Chunk> chunks, long[] refs) throws IOException {
        if (table instanceof United) {
            throw new IllegalStateException("series come by numbers of symbols, not as " + labels);
        }
        int n = labels.size();
        // Once symbols are sealed their numbers are in order, too: texts are not looked at.
        int order = series == 0 ? -1 : out == null ? previous.compareTo(labels) : 0;
        makeRoom(n);
        int[] ids = previousPairs;
        record.clear();
        record.uvarint(n);
        for (int i = 0; i < n; i++) {
            String name = labels.name(i);
            String value = labels.value(i);
            // Neighbours share most labels, and readers of one block give the same objects for the same texts.
            boolean hadOne = i < previous.size() && series > 0;
            @SuppressWarnings("ReferenceEquality")
            boolean sameName = hadOne && previous.name(i) == name;
            @SuppressWarnings("ReferenceEquality")
            boolean same = sameName && previous.value(i) == value;
            if (!sameName) {
                int id = symbols.id(name, previousNames[i]);
                order = order == 0 && hadOne ? Integer.compare(previousNames[i], id) : order;
                previousNames[i] = id;
            }
            if (!same) {
                // Series come in the order of their values, and the first block's symbols did too.
                int id = symbols.id(value, previousValues[i] + 1);
                order = order == 0 && hadOne ? Integer.compare(previousValues[i], id) : order;
                previousValues[i] = id;
                ids[i] = pairs.id(previousNames[i], id);
            }
            pairs.count(ids[i]);
            record.uvarint(ids[i]);
        }
        if (order > 0 || order == 0 && n <= previous.size()) {
            throw new IllegalArgumentException("series must be added in label order, got " + labels + " after " + previous);
        }
        encodeChunks(() -> labels, chunks, refs);
        FileSink sealed = out;
        if (sealed != null && symbols.size() > table.size()) {
            throw new IllegalStateException("series " + labels + " has a symbol that the sealed table lacks");
        }
        spoolEntry(sealed, ids, n);
        previous = labels;
    }

    /** Spools pairs, and the encoded chunks or, where entries are written already, how far the next is. */
    private void spoolEntry(@Nullable FileSink sealed, int[] ids, int n) throws IOException {
        if (sealed == null) {
            record.uvarint(chunkPart.size());
            record.bytes(chunkPart.array(), 0, chunkPart.size());
        } else {
            int before = id;
            writeEntry(sealed, ids, n);
            record.uvarint(id - before & 0xFFFFFFFFL);
        }
        spool.write(record);
        reserve(heapBytes());
        series++;
    }

    private long heapBytes() {
        return unionBytes + symbols.heapBytes() + pairs.heapBytes();
    }

    private void encodeChunks(Supplier<Labels> labels, List<Chunk> chunks, long[] refs) {
        chunkPart.clear();
        chunkPart.uvarint(chunks.size());
        long end = 0;
        for (int i = 0; i < chunks.size(); i++) {
            long min = StoredChunks.minTime(chunks, i);
            long max = StoredChunks.maxTime(chunks, i);
            if (max < min || i > 0 && min <= end) {
                throw new IllegalArgumentException("chunks of " + labels.get() + " must be in order and apart, got " + min + ".." + max
                        + (i > 0 ? " after " + end : ""));
            }
            if (i == 0) {
                chunkPart.varint(min);
            } else {
                chunkPart.uvarint(min - end);
            }
            chunkPart.uvarint(max - min);
            if (i == 0) {
                chunkPart.uvarint(refs[0]);
            } else {
                chunkPart.varint(refs[i] - refs[i - 1]);
            }
            end = max;
        }
    }

    /** Says that all symbols have come, before the first series: entries are written from now on as series are added. */
    void sealSymbols() throws IOException {
        if (series > 0 || out != null) {
            throw new IllegalStateException("symbols are sealed before the first series");
        }
        begin();
    }

    /** Says that these are all symbols, by number, before the first series, which are added by numbers from now on. */
    void sealSymbols(SymbolUnion union) throws IOException {
        if (series > 0 || out != null || symbols.size() > 0) {
            throw new IllegalStateException("symbols are sealed before the first series");
        }
        unionBytes = union.heapBytes();
        reserve(heapBytes());
        table = new United(union);
        beginFile();
    }

    /** Begins the file: from now on numbers of symbols are their ranks. */
    private FileSink begin() throws IOException {
        reserve(heapBytes() + 12L * symbols.size());
        pairs.renumber(symbols.sort());
        table = new Texts(symbols.toArray());
        return beginFile();
    }

    private FileSink beginFile() throws IOException {
        FileSink sink = new FileSink(file, true);
        out = sink;
        writeHeaderAndSymbols(sink);
        seriesAt = sink.position();
        return sink;
    }

    /** Writes the index file, or what is left of it, synced. */
    void write() throws IOException {
        int n = pairs.size();
        int[] perPair = new int[n];
        long most = series;
        for (int i = 0; i < n; i++) {
            perPair[i] = pairs.series(i);
            most = Math.max(most, perPair[i] & 0xFFFFFFFFL);
        }
        if (4 + 4 * most > limits.sectionBytes) {
            throw limits.list(4 + 4 * most);
        }
        // Texts and their order; keys twice, slots, counts twice, places and ends of all pairs.
        reserve(heapBytes() + 12L * symbols.size() + 44L * n);
        FileSink begun = out;
        FileSink sink = begun == null ? begin() : begun;
        sink.push();
        long[] keys = new long[n];
        for (int i = 0; i < n; i++) {
            keys[i] = (long) pairs.name(i) << 32 | pairs.value(i);
        }
        long[] sorted = new long[n];
        int[] slot = sort(keys, table.size(), sorted);
        int[] counts = new int[n];
        for (int i = 0; i < n; i++) {
            counts[slot[i]] = perPair[i];
        }
        // Places of the lists relative to the first: that of all series, then one for each pair.
        long[] places = new long[n + 1];
        long size = listBytes(series);
        for (int i = 0; i < n; i++) {
            places[i + 1] = size;
            size += listBytes(counts[i] & 0xFFFFFFFFL);
        }
        try (Arena arena = Arena.ofConfined()) {
            Lists lists = new Lists(size, postingsFile, arena);
            readSpool(begun == null ? sink : null, lists, places, slot);
            long seriesEnd = sink.position();
            sink.align(ALIGN_POSTINGS);
            long first = sink.position();
            // Nothing of all that is written in vain.
            limits.check(file, first + size);
            writePostings(sink, lists, size, counts);
            long tableAt = sink.position();
            writeTable(sink, sorted, places, first);
            writeToc(sink, seriesAt, seriesEnd, tableAt);
            limits.check(file, sink.position());
            sink.sync();
        }
    }

    /**
     * Sorts distinct pairs of ranks into an array; gives the place of each.
     *
     * @param ranks how many ranks there are
     */
    static int[] sort(long[] keys, int ranks, long[] sorted) {
        int n = keys.length;
        int[] slot = new int[n];
        int rankBits = Integer.SIZE - Integer.numberOfLeadingZeros(ranks);
        int indexBits = Integer.SIZE - Integer.numberOfLeadingZeros(n);
        if (2 * rankBits + indexBits < Long.SIZE) {
            // The index goes along in the bits that the pair leaves: nothing has to be looked up afterwards.
            for (int i = 0; i < n; i++) {
                sorted[i] = ((keys[i] >>> 32) << rankBits | keys[i] & 0xFFFFFFFFL) << indexBits | i;
            }
            Arrays.sort(sorted);
            for (int p = 0; p < n; p++) {
                int i = (int) (sorted[p] & (1L << indexBits) - 1);
                slot[i] = p;
                sorted[p] = keys[i];
            }
        } else {
            System.arraycopy(keys, 0, sorted, 0, n);
            Arrays.sort(sorted);
            for (int i = 0; i < n; i++) {
                slot[i] = Arrays.binarySearch(sorted, keys[i]);
            }
        }
        return slot;
    }

    private static long listBytes(long ids) {
        return 4 + 4 + 4 * ids + 4;
    }

    /** The bytes of all postings lists: in an array where they are few, else in a mapped file. */
    private static final class Lists {
        private static final VarHandle IN_ARRAY = MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.BIG_ENDIAN);
        private final byte @Nullable [] few;
        private final @Nullable MemorySegment many;

        Lists(long size, Path file, Arena arena) throws IOException {
            if (size <= IN_MEMORY) {
                few = new byte[(int) size];
                many = null;
                return;
            }
            few = null;
            try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING,
                    StandardOpenOption.READ, StandardOpenOption.WRITE)) {
                many = channel.map(FileChannel.MapMode.READ_WRITE, 0, size, arena);
            }
        }

        void put(long at, int value) {
            byte[] array = few;
            if (array != null) {
                IN_ARRAY.set(array, (int) at, value);
            } else if (many != null) {
                many.set(INT, at, value);
            }
        }

        void copy(long at, byte[] into, int length) {
            byte[] array = few;
            if (array != null) {
                System.arraycopy(array, (int) at, into, 0, length);
            } else if (many != null) {
                MemorySegment.copy(many, ValueLayout.JAVA_BYTE, at, into, 0, length);
            }
        }
    }

    /** Reads what was spooled. A stream of the JDK takes a lock for every byte. */
    private static final class SpoolReader implements AutoCloseable {
        private final InputStream in;
        private final byte[] buffer = new byte[1 << 18];
        private int position;
        private int limit;

        SpoolReader(Path file) throws IOException {
            in = Files.newInputStream(file);
        }

        private void fill() throws IOException {
            position = 0;
            limit = in.read(buffer);
            if (limit <= 0) {
                throw new EOFException("spooled series are cut off");
            }
        }

        long uvarint() throws IOException {
            long value = 0;
            for (int shift = 0;; shift += 7) {
                if (position == limit) {
                    fill();
                }
                byte b = buffer[position++];
                value |= (long) (b & 0x7F) << shift;
                if (b >= 0) {
                    return value;
                }
            }
        }

        void read(ByteWriter into, int length) throws IOException {
            for (int left = length; left > 0;) {
                if (position == limit) {
                    fill();
                }
                int n = Math.min(left, limit - position);
                into.bytes(buffer, position, n);
                position += n;
                left -= n;
            }
        }

        @Override
        public void close() throws IOException {
            in.close();
        }
    }

    private void writeHeaderAndSymbols(FileSink out) throws IOException {
        ByteWriter w = new ByteWriter(1 << 16);
        w.i32(MAGIC);
        w.u8(VERSION);
        out.write(w);
        long at = out.position();
        out.i32(0);
        out.startCrc();
        out.i32(table.size());
        w.clear();
        for (int i = 0; i < table.size(); i++) {
            table.write(i, w);
            if (w.size() > 1 << 16) {
                out.write(w);
                w.clear();
            }
        }
        out.write(w);
        finishSection(out, at, limits::symbols);
    }

    /** Checksum at the end, length at the front. */
    private void finishSection(FileSink out, long at, LongFunction<LimitExceededException> tooLong) throws IOException {
        long length = out.position() - at - 4;
        if (length > limits.sectionBytes) {
            throw tooLong.apply(length);
        }
        out.i32(out.crc());
        out.patch(at, (int) length);
    }

    /** Writes the entry of a series with the chunks encoded last, and remembers its id. */
    private void writeEntry(FileSink sink, int[] ids, int n) throws IOException {
        sink.align(ALIGN_SERIES);
        long at = sink.position();
        limits.check(file, at);
        id = (int) (at / ALIGN_SERIES);
        body.clear();
        body.uvarint(n);
        for (int i = 0; i < n; i++) {
            body.uvarint(pairs.name(ids[i]));
            body.uvarint(pairs.value(ids[i]));
        }
        body.bytes(chunkPart.array(), 0, chunkPart.size());
        head.clear();
        head.uvarint(body.size());
        crc.reset();
        crc.update(body.array(), 0, body.size());
        sink.write(head);
        sink.write(body);
        sink.i32((int) crc.getValue());
        maxEntry = Math.max(maxEntry, sink.position() - at + ALIGN_SERIES - 1 & -ALIGN_SERIES);
    }

    /**
     * Puts the ids of all series into their lists.
     *
     * @param entries where the entries of series go that wait in the spool, null where they are written
     */
    private void readSpool(@Nullable FileSink entries, Lists lists, long[] places, int[] slot) throws IOException {
        long[] next = new long[places.length];
        for (int i = 0; i < next.length; i++) {
            // Behind length and count, which are filled in when a list is complete.
            next[i] = places[i] + 8;
        }
        // No series had more labels than these have room for.
        int[] ids = previousPairs;
        spool.flush();
        id = 0;
        try (SpoolReader in = new SpoolReader(spoolFile)) {
            for (long s = 0; s < series; s++) {
                int n = (int) in.uvarint();
                for (int i = 0; i < n; i++) {
                    ids[i] = (int) in.uvarint();
                }
                if (entries == null) {
                    id += (int) in.uvarint();
                } else {
                    chunkPart.clear();
                    in.read(chunkPart, (int) in.uvarint());
                    writeEntry(entries, ids, n);
                }
                lists.put(next[0], id);
                next[0] += 4;
                for (int i = 0; i < n; i++) {
                    int list = slot[ids[i]] + 1;
                    lists.put(next[list], id);
                    next[list] += 4;
                }
            }
        }
    }

    private void writePostings(FileSink out, Lists lists, long size, int[] counts) throws IOException {
        byte[] slab = new byte[1 << 16];
        long at = 0;
        for (int list = 0; at < size; list++) {
            long ids = list == 0 ? series : counts[list - 1] & 0xFFFFFFFFL;
            long length = 4 + 4 * ids;
            lists.put(at, (int) length);
            lists.put(at + 4, (int) ids);
            crc.reset();
            for (long done = 0; done < length + 4;) {
                int n = (int) Math.min(slab.length, length + 4 - done);
                lists.copy(at + done, slab, n);
                int skip = done == 0 ? 4 : 0;
                crc.update(slab, skip, n - skip);
                out.write(slab, 0, n);
                done += n;
            }
            out.i32((int) crc.getValue());
            at += listBytes(ids);
        }
    }

    private void writeTable(FileSink out, long[] sorted, long[] places, long first) throws IOException {
        long at = out.position();
        out.i32(0);
        out.startCrc();
        out.i32(places.length);
        ByteWriter w = new ByteWriter(1 << 16);
        for (int i = 0; i < places.length; i++) {
            w.uvarint(2);
            if (i == 0) {
                w.text("");
                w.text("");
            } else {
                table.write((int) (sorted[i - 1] >>> 32), w);
                table.write((int) sorted[i - 1], w);
            }
            w.uvarint(first + places[i]);
            if (w.size() > 1 << 16) {
                out.write(w);
                w.clear();
            }
        }
        out.write(w);
        finishSection(out, at, limits::table);
    }

    private void writeToc(FileSink out, long seriesAt, long seriesEnd, long tableAt) throws IOException {
        ByteWriter w = new ByteWriter(64);
        w.i64(5);
        w.i64(seriesAt);
        // Label indices are not written any more: their place is the end of the series, their table's that of the postings.
        w.i64(seriesEnd);
        w.i64(tableAt);
        w.i64(seriesEnd);
        w.i64(tableAt);
        crc.reset();
        crc.update(w.array(), 0, w.size());
        w.i32((int) crc.getValue());
        out.write(w);
    }

    /** Removes the temporary files. */
    @Override
    public void close() throws IOException {
        memory.release(reserved);
        reserved = 0;
        FileSink sink = out;
        if (sink != null) {
            sink.close();
        }
        spool.close();
        Files.deleteIfExists(spoolFile);
        Files.deleteIfExists(postingsFile);
    }
}

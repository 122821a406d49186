package io.varve.tsdb;

import io.varve.chunk.Chunk;
import io.varve.model.Labels;
import io.varve.model.LimitExceededException;
import io.varve.model.MemoryBudget;
import io.varve.model.Utf8Order;
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
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * Builds an index in two passes, because the symbols come first in the file and are known last. While series arrive, their
 * entries are spooled to a temporary file with provisional numbers for pairs of name and value; symbols, pairs and the number of
 * series of each pair are all that stays in memory. Then the size and place of every postings list is known before the first is
 * written: in the second pass each series puts its id straight into its lists, in a temporary file that is mapped (a small one in
 * memory). Bytes are those of Prometheus' writer. One thread.
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

    private final Path spoolFile;
    private final Path postingsFile;
    private final FileSink spool;
    private final ByteWriter record = new ByteWriter(1024);
    private final ByteWriter chunkPart = new ByteWriter(1024);
    private final SymbolIds symbols = new SymbolIds();
    private final PairIds pairs = new PairIds();
    private Labels previous = Labels.EMPTY;
    private int[] previousPairs = new int[16];
    private int[] previousNames = new int[16];
    private int[] previousValues = new int[16];
    private long series;
    private long maxEntry;
    private final MemoryBudget memory;
    private final Limits limits;
    private long reserved;

    /** @param memory where symbols and tables are reserved until it is closed */
    IndexSpool(Path directory, MemoryBudget memory) throws IOException {
        this(directory, memory, Limits.FORMAT);
    }

    IndexSpool(Path directory, MemoryBudget memory, Limits limits) throws IOException {
        this.limits = limits;
        this.memory = memory;
        spoolFile = directory.resolve("series.spool");
        postingsFile = directory.resolve("postings.spool");
        spool = new FileSink(spoolFile);
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

    void add(Labels labels, List<Chunk> chunks, long[] refs) throws IOException {
        if (series > 0 && previous.compareTo(labels) >= 0) {
            throw new IllegalArgumentException("series must be added in label order, got " + labels + " after " + previous);
        }
        int n = labels.size();
        if (previousPairs.length < n) {
            previousPairs = Arrays.copyOf(previousPairs, n * 2);
            previousNames = Arrays.copyOf(previousNames, n * 2);
            previousValues = Arrays.copyOf(previousValues, n * 2);
        }
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
                previousNames[i] = symbols.id(name, previousNames[i]);
            }
            if (!same) {
                // Series come in the order of their values, and the first block's symbols did too.
                previousValues[i] = symbols.id(value, previousValues[i] + 1);
                ids[i] = pairs.id(previousNames[i], previousValues[i]);
            }
            pairs.count(ids[i]);
            record.uvarint(ids[i]);
        }
        encodeChunks(labels, chunks, refs);
        record.uvarint(chunkPart.size());
        record.bytes(chunkPart.array(), 0, chunkPart.size());
        spool.write(record);
        reserve(symbols.heapBytes() + pairs.heapBytes());
        previous = labels;
        series++;
    }

    private void encodeChunks(Labels labels, List<Chunk> chunks, long[] refs) {
        chunkPart.clear();
        chunkPart.uvarint(chunks.size());
        for (int i = 0; i < chunks.size(); i++) {
            Chunk c = chunks.get(i);
            if (c.maxTime() < c.minTime() || i > 0 && c.minTime() <= chunks.get(i - 1).maxTime()) {
                throw new IllegalArgumentException("chunks of " + labels + " must be in order and apart, got " + c.minTime() + ".."
                        + c.maxTime() + (i > 0 ? " after " + chunks.get(i - 1).maxTime() : ""));
            }
            if (i == 0) {
                chunkPart.varint(c.minTime());
            } else {
                chunkPart.uvarint(c.minTime() - chunks.get(i - 1).maxTime());
            }
            chunkPart.uvarint(c.maxTime() - c.minTime());
            if (i == 0) {
                chunkPart.uvarint(refs[0]);
            } else {
                chunkPart.varint(refs[i] - refs[i - 1]);
            }
        }
    }

    /** Writes the index file, synced. */
    void write(Path file) throws IOException {
        spool.flush();
        // Texts and their order; keys twice, slots, counts, places and ends of all pairs.
        reserve(symbols.heapBytes() + pairs.heapBytes() + 12L * symbols.size() + 40L * pairs.size());
        String[] texts = symbols.toArray();
        Arrays.sort(texts, Utf8Order::compare);
        int[] rank = new int[texts.length];
        for (int i = 0; i < texts.length; i++) {
            rank[symbols.id(texts[i])] = i;
        }
        int n = pairs.size();
        long[] keys = new long[n];
        for (int i = 0; i < n; i++) {
            keys[i] = (long) rank[pairs.name(i)] << 32 | rank[pairs.value(i)];
        }
        long[] sorted = new long[n];
        int[] slot = sort(keys, texts.length, sorted);
        int[] counts = new int[n];
        for (int i = 0; i < n; i++) {
            counts[slot[i]] = pairs.series(i);
        }
        // Places of the lists relative to the first: that of all series, then one for each pair.
        long[] places = new long[n + 1];
        long size = listBytes(series);
        for (int i = 0; i < n; i++) {
            places[i + 1] = size;
            size += listBytes(counts[i] & 0xFFFFFFFFL);
        }
        long longest = 4 + 4 * Math.max(series, Arrays.stream(counts).mapToLong(c -> c & 0xFFFFFFFFL).max().orElse(0));
        if (longest > limits.sectionBytes) {
            throw limits.list(longest);
        }
        try (FileSink out = new FileSink(file); Arena arena = Arena.ofConfined()) {
            writeHeaderAndSymbols(out, texts);
            long seriesAt = out.position();
            Lists lists = new Lists(size, postingsFile, arena);
            writeSeries(file, out, lists, places, slot, keys);
            long seriesEnd = out.position();
            out.align(ALIGN_POSTINGS);
            long first = out.position();
            // Nothing of all that is written in vain.
            limits.check(file, first + size);
            writePostings(out, lists, size, counts);
            long tableAt = out.position();
            writeTable(out, texts, sorted, places, first);
            writeToc(out, seriesAt, seriesEnd, tableAt);
            limits.check(file, out.position());
            out.sync();
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

    private void writeHeaderAndSymbols(FileSink out, String[] texts) throws IOException {
        ByteWriter w = new ByteWriter(1 << 16);
        w.i32(MAGIC);
        w.u8(VERSION);
        out.write(w);
        long at = out.position();
        out.i32(0);
        out.startCrc();
        out.i32(texts.length);
        w.clear();
        for (String t : texts) {
            w.text(t);
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

    private void writeSeries(Path file, FileSink out, Lists lists, long[] places, int[] slot, long[] keys) throws IOException {
        int n = slot.length;
        long[] next = new long[n + 1];
        for (int i = 0; i <= n; i++) {
            // Behind length and count, which are filled in when a list is complete.
            next[i] = places[i] + 8;
        }
        ByteWriter body = new ByteWriter(1024);
        ByteWriter head = new ByteWriter(16);
        CRC32C crc = new CRC32C();
        try (SpoolReader in = new SpoolReader(spoolFile)) {
            for (long s = 0; s < series; s++) {
                out.align(ALIGN_SERIES);
                long at = out.position();
                limits.check(file, at);
                int id = (int) (at / ALIGN_SERIES);
                lists.put(next[0], id);
                next[0] += 4;
                int labels = (int) in.uvarint();
                body.clear();
                body.uvarint(labels);
                for (int i = 0; i < labels; i++) {
                    int pair = (int) in.uvarint();
                    body.uvarint(keys[pair] >>> 32);
                    body.uvarint(keys[pair] & 0xFFFFFFFFL);
                    int list = slot[pair] + 1;
                    lists.put(next[list], id);
                    next[list] += 4;
                }
                in.read(body, (int) in.uvarint());
                head.clear();
                head.uvarint(body.size());
                crc.reset();
                crc.update(body.array(), 0, body.size());
                out.write(head);
                out.write(body);
                out.i32((int) crc.getValue());
                maxEntry = Math.max(maxEntry, out.position() - at + ALIGN_SERIES - 1 & -ALIGN_SERIES);
            }
        }
    }

    private void writePostings(FileSink out, Lists lists, long size, int[] counts) throws IOException {
        CRC32C crc = new CRC32C();
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

    private void writeTable(FileSink out, String[] texts, long[] sorted, long[] places, long first) throws IOException {
        long at = out.position();
        out.i32(0);
        out.startCrc();
        out.i32(places.length);
        ByteWriter w = new ByteWriter(1 << 16);
        for (int i = 0; i < places.length; i++) {
            w.uvarint(2);
            w.text(i == 0 ? "" : texts[(int) (sorted[i - 1] >>> 32)]);
            w.text(i == 0 ? "" : texts[(int) sorted[i - 1]]);
            w.uvarint(first + places[i]);
            if (w.size() > 1 << 16) {
                out.write(w);
                w.clear();
            }
        }
        out.write(w);
        finishSection(out, at, limits::table);
    }

    private static void writeToc(FileSink out, long seriesAt, long seriesEnd, long tableAt) throws IOException {
        ByteWriter w = new ByteWriter(64);
        w.i64(5);
        w.i64(seriesAt);
        // Label indices are not written any more: their place is the end of the series, their table's that of the postings.
        w.i64(seriesEnd);
        w.i64(tableAt);
        w.i64(seriesEnd);
        w.i64(tableAt);
        CRC32C crc = new CRC32C();
        crc.update(w.array(), 0, w.size());
        w.i32((int) crc.getValue());
        out.write(w);
    }

    /** Removes the temporary files. */
    @Override
    public void close() throws IOException {
        memory.release(reserved);
        reserved = 0;
        spool.close();
        Files.deleteIfExists(spoolFile);
        Files.deleteIfExists(postingsFile);
    }
}

package io.varve.tsdb;

import io.varve.chunk.AggregateChunk;
import io.varve.chunk.Chunk;
import io.varve.chunk.ChunkDecoder;
import io.varve.chunk.Encoding;
import io.varve.model.CorruptDataException;
import io.varve.model.GoQuote;
import io.varve.model.Labels;
import io.varve.model.SampleBuffer;
import io.varve.model.UnavailableException;
import io.varve.tsdb.index.ByteRegion;
import io.varve.tsdb.index.IndexReader;
import io.varve.tsdb.index.Postings;
import io.varve.tsdb.index.PostingsRange;
import io.varve.tsdb.index.SeriesEntry;
import io.varve.tsdb.index.Symbols;
import io.varve.tsdb.index.Toc;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;

/**
 * Reads all of a block once and checks every rule of the format: checksums, orders, references, ranges, that postings are complete,
 * that texts are UTF-8, that {@code meta.json} counts right and its Thanos section lists the files as they are. The first broken rule is thrown, with file and offset. Memory is bounded by symbols and by pairs of
 * label name and value.
 *
 * <p>
 * Symbols that no series uses are legal, as compaction unites the tables of its inputs; they are counted.
 */
public final class BlockVerifier {
    private static final int PROGRESS_EVERY = 1024;

    /**
     * What was found in a sound block.
     *
     * @param stats counted, not as in the meta
     * @param minTime first sample's time, {@link Long#MAX_VALUE} without samples
     * @param maxTime last sample's time, {@link Long#MIN_VALUE} without samples
     * @param unusedSymbols symbols other than "" that no series uses
     * @param indexStats greatest sizes, exact
     */
    public record Report(BlockMeta.Stats stats, long minTime, long maxTime, long unusedSymbols, BlockMeta.IndexStats indexStats) {
    }

    private final BlockReader block;
    private final IndexReader index;
    private final ByteRegion region;
    private final LongConsumer progress;
    private final SeriesEntry entry = new SeriesEntry();
    private final SampleBuffer samples = new SampleBuffer(256);
    private final PairIds pairs = new PairIds();
    /** Sum of the mixed ids of each pair's series: equal sums and counts of rising lists mean equal lists. */
    private long[] pairSums = new long[1024];
    private final BitSet usedSymbols = new BitSet();
    private final long[] symbolRefs;
    private long allSum;
    private long series;
    private long chunks;
    private long sampleCount;
    private long floats;
    private long histograms;
    private long minTime = Long.MAX_VALUE;
    private long maxTime = Long.MIN_VALUE;
    private long maxSeriesEntry;
    private long maxChunkEntry;
    private long lastRefEnd;
    private long lastSeriesEnd;
    private long firstList = Long.MAX_VALUE;
    private long lastListEnd;

    private BlockVerifier(BlockReader block, LongConsumer progress) {
        this.block = block;
        this.index = block.index();
        this.region = index.region();
        this.progress = progress;
        this.symbolRefs = new long[index.symbols().size()];
    }

    /** Verifies a block's directory. */
    public static Report verify(Path directory) {
        return verify(directory, series -> {
        });
    }

    /**
     * Verifies a block's directory.
     *
     * @param progress called from time to time with the number of series read
     * @throws CorruptDataException naming the first broken rule
     * @throws UnavailableException where a file is missing or cannot be read
     */
    public static Report verify(Path directory, LongConsumer progress) {
        if (!Files.isRegularFile(directory.resolve(BlockReader.INDEX)) && Files.isRegularFile(directory.resolve(BlockMeta.FILE))) {
            throw new CorruptDataException(directory.resolve(BlockReader.INDEX).toString(), 0, "block has no index");
        }
        try (BlockReader block = BlockReader.open(directory)) {
            return new BlockVerifier(block, progress).run();
        }
    }

    private Report run() {
        verifyMeta();
        verifySymbols();
        verifySeries();
        verifyPostings();
        verifyTombstones();
        verifyStats();
        verifyFiles();
        long unused = 0;
        for (int i = 0; i < symbolRefs.length; i++) {
            if (!usedSymbols.get(i) && !(i == 0 && index.symbols().text(symbolRefs[0]).isEmpty())) {
                unused++;
            }
        }
        return new Report(new BlockMeta.Stats(sampleCount, floats, histograms, series, chunks, block.tombstones().intervals()), minTime,
                maxTime,
                unused, new BlockMeta.IndexStats(maxSeriesEntry, maxChunkEntry));
    }

    private CorruptDataException meta(String field, String rule) {
        Path file = block.directory().resolve(BlockMeta.FILE);
        return new CorruptDataException(file.toString(), BlockMetaJson.offsetOf(bytes(file), field), rule);
    }

    /** A file that was read before, nothing where it is gone. */
    private static byte[] bytes(Path file) {
        try {
            return Files.readAllBytes(file);
        } catch (IOException e) {
            return new byte[0];
        }
    }

    private void verifyMeta() {
        BlockMeta m = block.meta();
        Path name = block.directory().toAbsolutePath().normalize().getFileName();
        Ulid directory = name == null ? null : Ulid.parse(name.toString()).orElse(null);
        if (directory != null && !directory.equals(m.ulid())) {
            throw meta("ulid", "ulid is " + m.ulid() + " in directory " + directory);
        }
        if (m.maxTime() < m.minTime()) {
            throw meta("maxTime", "range ends at " + m.maxTime() + " before it begins at " + m.minTime());
        }
        if (m.compaction().level() < 1) {
            throw meta("level", "compaction level is " + m.compaction().level());
        }
    }

    private void verifySymbols() {
        Symbols symbols = index.symbols();
        byte[] previous = null;
        CharsetDecoder decoder = StandardCharsets.UTF_8.newDecoder();
        long at = index.toc().symbols() + 8;
        for (int i = 0; i < symbolRefs.length; i++) {
            symbolRefs[i] = index.version() == 1 ? at : i;
            int length = 0;
            int shift = 0;
            int b;
            do {
                b = region.u8(at++);
                length |= (b & 0x7F) << shift;
                shift += 7;
            } while (b >= 0x80);
            byte[] text = region.copy(at, length);
            try {
                decoder.decode(ByteBuffer.wrap(text));
            } catch (CharacterCodingException e) {
                // Prometheus takes in no such labels, and readers may take two of them for one.
                throw region.corrupt(at, "symbol table: \"" + symbols.text(symbolRefs[i]) + "\" is not UTF-8");
            }
            if (previous != null && Arrays.compareUnsigned(previous, text) >= 0) {
                throw region.corrupt(at, "symbol table: \"" + symbols.text(symbolRefs[i]) + "\" does not sort after the symbol before");
            }
            previous = text;
            at += length;
        }
        long end = index.toc().symbols() + 4 + region.u32(index.toc().symbols());
        if (at != end) {
            throw region.corrupt(at, "symbol table: " + (end - at) + " bytes after the last symbol");
        }
        if (index.toc().series() != 0 && end + 4 > index.toc().series()) {
            throw region.corrupt(region.size() - Toc.SIZE, "table of contents: series begin at " + index.toc().series()
                    + " inside the symbol table, which ends at " + (end + 4));
        }
    }

    private int symbolIndex(int ref, long at) {
        long r = ref & 0xFFFFFFFFL;
        int i = index.version() == 1 ? Arrays.binarySearch(symbolRefs, r) : r < symbolRefs.length ? (int) r : -1;
        if (i < 0) {
            throw region.corrupt(at, "series: unknown symbol " + r);
        }
        usedSymbols.set(i);
        return i;
    }

    private void verifySeries() {
        long at = index.toc().series();
        long end = Math.min(index.toc().seriesEnd(), region.size());
        int align = index.version() == 1 ? 1 : 16;
        Labels previous = null;
        byte[] buffer = new byte[4096];
        while (at < end) {
            long start = at + (-at & align - 1);
            for (long p = at; p < Math.min(start, end); p++) {
                if (region.u8(p) != 0) {
                    throw region.corrupt(p, "series: padding is not zero");
                }
            }
            if (start >= end) {
                break;
            }
            int available = (int) Math.min(buffer.length, end - start);
            region.copy(start, buffer, 0, available);
            int total;
            try {
                long needed = SeriesEntry.totalLength(buffer, 0, available);
                if (needed > available && needed <= end - start) {
                    buffer = new byte[(int) needed * 2];
                    available = (int) Math.min(buffer.length, end - start);
                    region.copy(start, buffer, 0, available);
                }
                total = entry.decode(buffer, 0, available);
            } catch (CorruptDataException e) {
                throw e.in(region.file(), start);
            }
            long id = start / align;
            Labels labels = verifyLabels(id, start);
            if (previous != null && previous.compareTo(labels) >= 0) {
                throw region.corrupt(start, "series: " + labels + " does not sort after " + previous);
            }
            previous = labels;
            verifyChunks(labels, start);
            series++;
            allSum += mix(id);
            maxSeriesEntry = Math.max(maxSeriesEntry, total + align - 1 & -align);
            if (series % PROGRESS_EVERY == 0) {
                progress.accept(series);
            }
            at = start + total;
        }
        lastSeriesEnd = at;
    }

    private static long mix(long id) {
        long h = (id + 1) * 0x9E3779B97F4A7C15L;
        h = (h ^ h >>> 30) * 0xBF58476D1CE4E5B9L;
        h = (h ^ h >>> 27) * 0x94D049BB133111EBL;
        return h ^ h >>> 31;
    }

    private Labels verifyLabels(long id, long at) {
        if (entry.labelCount == 0) {
            throw region.corrupt(at, "series: no labels");
        }
        int before = -1;
        for (int i = 0; i < entry.labelCount; i++) {
            int name = symbolIndex(entry.names[i], at);
            int value = symbolIndex(entry.values[i], at);
            if (name <= before) {
                throw region.corrupt(at, "series: label names are not in order");
            }
            before = name;
            int pair = pairs.id(name, value);
            pairs.count(pair);
            if (pair >= pairSums.length) {
                pairSums = Arrays.copyOf(pairSums, pairSums.length * 2);
            }
            pairSums[pair] += mix(id);
        }
        Labels labels = index.labels(entry);
        for (int i = 0; i < labels.size(); i++) {
            if (labels.name(i).isEmpty() || labels.value(i).isEmpty()) {
                throw region.corrupt(at, "series: label with an empty name or value in " + labels);
            }
        }
        return labels;
    }

    private void verifyChunks(Labels labels, long at) {
        if (entry.chunkCount == 0) {
            throw region.corrupt(at, "series: " + labels + " has no chunks");
        }
        BlockMeta m = block.meta();
        for (int i = 0; i < entry.chunkCount; i++) {
            long min = entry.minTimes[i];
            long max = entry.maxTimes[i];
            long ref = entry.refs[i];
            if (max < min) {
                throw region.corrupt(at, "series: chunk " + i + " of " + labels + " ends at " + max + " before it begins at " + min);
            }
            if (i > 0 && min <= entry.maxTimes[i - 1]) {
                throw region.corrupt(at, "series: chunk " + i + " of " + labels + " begins at " + min + ", the one before ends at "
                        + entry.maxTimes[i - 1]);
            }
            if (min < m.minTime() || max >= m.maxTime()) {
                throw region.corrupt(at, "series: chunk " + min + ".." + max + " of " + labels + " lies outside the block's range "
                        + m.minTime() + ".." + (m.maxTime() - 1));
            }
            if (ref < lastRefEnd) {
                throw region.corrupt(at, "series: chunk reference " + Long.toUnsignedString(ref) + " of " + labels
                        + " is not behind the chunk before, which ends at " + lastRefEnd);
            }
            try {
                long length = block.segments().entryLength(ref);
                lastRefEnd = ref + length;
                maxChunkEntry = Math.max(maxChunkEntry, length);
                verifyChunk(block.chunk(ref, min, max), ref, labels);
            } catch (CorruptDataException e) {
                // Either file may be the damaged one: the reference or what it leads to.
                throw new CorruptDataException(e.file(), e.offset(), e.rule() + "; it is chunk " + i + " of " + labels
                        + ", whose entry is in the index at offset " + at, e);
            }
            chunks++;
            minTime = Math.min(minTime, min);
            maxTime = Math.max(maxTime, max);
        }
    }

    private void verifyChunk(Chunk c, long ref, Labels labels) {
        ByteRegion segment = block.segments().segment(ChunkEntry.segment(ref));
        long at = ChunkEntry.offset(ref);
        try {
            if (c.encoding() == Encoding.AGGREGATE) {
                verifyAggregate(c);
                return;
            }
            int n = samples(c, true);
            sampleCount += n;
            if (samples.histograms == null) {
                floats += n;
            } else {
                histograms += n;
            }
            if (samples.timestamps[0] != c.minTime() || samples.timestamps[n - 1] != c.maxTime()) {
                throw new CorruptDataException("", 0, "chunk of " + labels + " has samples from " + samples.timestamps[0] + " to "
                        + samples.timestamps[n - 1] + ", the index says " + c.minTime() + " to " + c.maxTime());
            }
        } catch (CorruptDataException e) {
            throw e.in(segment.file(), at);
        }
    }

    /** Decodes into {@link #samples} and checks that times rise. */
    private int samples(Chunk c, boolean strictly) {
        samples.clear();
        int n = ChunkDecoder.decode(c, samples);
        if (n == 0 || n != ChunkDecoder.sampleCount(c)) {
            throw new CorruptDataException("", 0, "chunk has " + n + " samples");
        }
        for (int i = 1; i < n; i++) {
            if (samples.timestamps[i] < samples.timestamps[i - 1] || strictly && samples.timestamps[i] == samples.timestamps[i - 1]) {
                throw new CorruptDataException("", 0,
                        "chunk: sample " + i + " at " + samples.timestamps[i] + " after one at " + samples.timestamps[i - 1]);
            }
        }
        return n;
    }

    private void verifyAggregate(Chunk c) {
        AggregateChunk parts = AggregateChunk.parse(c);
        int n = 0;
        for (AggregateChunk.Part part : AggregateChunk.Part.values()) {
            Chunk p = parts.part(part);
            if (p == null) {
                continue;
            }
            // A counter repeats its last time, with the last raw value; and begins with the first raw sample, before the first window ends.
            boolean counter = part == AggregateChunk.Part.COUNTER;
            int size = samples(p, !counter);
            if (part == AggregateChunk.Part.COUNT) {
                n = size;
            }
            if (samples.timestamps[size - 1] > c.maxTime() || !counter && samples.timestamps[0] < c.minTime()) {
                throw new CorruptDataException("", 0, "aggregate " + part + " has samples from " + samples.timestamps[0] + " to "
                        + samples.timestamps[size - 1] + ", the index says " + c.minTime() + " to " + c.maxTime());
            }
        }
        sampleCount += n;
    }

    private void verifyPostings() {
        PostingsRange all = index.table().allPostings();
        if (all == null) {
            if (series > 0) {
                throw region.corrupt(index.toc().postingsTable(), "postings offset table: no list of all series");
            }
        } else {
            verifyList(all, series, allSum, "of all series");
        }
        // The table and the pairs that were seen, both in the order of the texts, must name the same.
        int n = pairs.size();
        long[] keys = new long[n];
        for (int i = 0; i < n; i++) {
            keys[i] = (long) pairs.name(i) << 32 | pairs.value(i);
        }
        Arrays.sort(keys);
        Table t = new Table(keys);
        for (String name : index.labelNames()) {
            t.name = name;
            t.previous = null;
            index.table().visit(name, "", t::value);
        }
        if (t.next < n) {
            throw region.corrupt(index.toc().postingsTable(), "postings offset table: no list for " + t.describe(keys[t.next]));
        }
        verifyTableEnd();
        verifySections();
    }

    /** Nothing stands behind the entries that the table counts. */
    private void verifyTableEnd() {
        long unread = index.table().unreadBytes();
        if (unread > 0) {
            long table = index.toc().postingsTable();
            throw region.corrupt(table + 4 + region.u32(table) - unread,
                    "postings offset table: " + unread + " bytes after the last entry");
        }
    }

    /** The offsets that readers of today have no need of, for those who go by them. */
    private void verifySections() {
        Toc toc = index.toc();
        long at = region.size() - Toc.SIZE;
        if (toc.labelIndices() != 0 && toc.labelIndices() < lastSeriesEnd) {
            throw section(at + 16, "label indices", toc.labelIndices(), "inside the series, which end at " + lastSeriesEnd);
        }
        if (toc.postings() < lastSeriesEnd && lastListEnd > 0) {
            throw section(at + 32, "postings lists", toc.postings(), "before the series end at " + lastSeriesEnd);
        }
        if (toc.postings() > firstList) {
            throw section(at + 32, "postings lists", toc.postings(), "behind the first list at " + firstList);
        }
        if (toc.labelIndices() > toc.postings() && toc.postings() != 0) {
            throw section(at + 16, "label indices", toc.labelIndices(), "behind the postings lists, which begin at " + toc.postings());
        }
        long table = toc.labelIndicesTable();
        if (table != 0 && (table < lastListEnd || table > toc.postingsTable())) {
            throw section(at + 24, "the table of label indices", table,
                    "not between the postings lists and their table, " + lastListEnd + " to " + toc.postingsTable());
        }
    }

    private CorruptDataException section(long at, String what, long offset, String why) {
        return region.corrupt(at, "table of contents: " + what + " begin at " + offset + ", " + why);
    }

    /** Walks the table beside the pairs. */
    private final class Table {
        private final long[] keys;
        private int next;
        private String name = "";
        private @Nullable String previous;

        Table(long[] keys) {
            this.keys = keys;
        }

        String describe(long key) {
            return index.symbols().text(symbolRefs[(int) (key >>> 32)]) + "=\"" + index.symbols().text(symbolRefs[(int) key]) + "\"";
        }

        boolean value(String value, long start, long end) {
            String what = name + "=\"" + value + "\"";
            if (previous != null && io.varve.model.Utf8Order.compare(previous, value) >= 0) {
                throw region.corrupt(index.toc().postingsTable(),
                        "postings offset table: " + what + " does not sort after the value before");
            }
            previous = value;
            if (next == keys.length || !describe(keys[next]).equals(what)) {
                String missing = next == keys.length ? "" : ", and none for " + describe(keys[next]);
                throw region.corrupt(index.toc().postingsTable(),
                        "postings offset table: list for " + what + " that no series has" + missing);
            }
            int pair = pairs.id((int) (keys[next] >>> 32), (int) keys[next]);
            next++;
            verifyList(new PostingsRange(start, end), pairs.series(pair), pairSums[pair], "for " + what);
            return true;
        }
    }

    private void verifyList(PostingsRange range, long count, long sum, String what) {
        firstList = Math.min(firstList, range.start() - 4);
        Postings p = index.postings(range);
        long n = 0;
        long got = 0;
        long before = -1;
        for (long id = p.next(); id != Postings.NO_MORE; id = p.next()) {
            if (id <= before) {
                throw region.corrupt(range.start() - 4, "postings list " + what + ": id " + id + " after " + before);
            }
            before = id;
            n++;
            got += mix(id);
        }
        // A count before the ids and a checksum behind them.
        lastListEnd = Math.max(lastListEnd, range.start() + 4 * n + 8);
        if (n != count || got != sum) {
            throw region.corrupt(range.start() - 4, "postings list " + what + ": has " + n + " ids, and not those of the " + count
                    + " series that it should name");
        }
    }

    private void verifyTombstones() {
        List<Long> ids = new ArrayList<>(block.tombstones().bySeries().keySet());
        ids.sort(null);
        if (ids.isEmpty()) {
            return;
        }
        Path file = block.directory().resolve(Tombstones.FILE);
        Postings all = index.allPostings();
        for (long id : ids) {
            // No entry lies so far that its id were negative or the end of all lists.
            if (id < 0 || id == Postings.NO_MORE || all.advance(id) != id) {
                throw new CorruptDataException(file.toString(), Tombstones.offsetOf(bytes(file), file.toString(), id),
                        "tombstones: no series has the id " + Long.toUnsignedString(id));
            }
        }
    }

    private void verifyStats() {
        BlockMeta.Stats s = block.meta().stats();
        equal("numSeries", s.series(), series);
        equal("numChunks", s.chunks(), chunks);
        equal("numSamples", s.samples(), sampleCount);
        // Old writers do not count kinds, and downsampling leaves the counts of the raw block.
        if (block.meta().resolutionMillis() == 0 && s.floatSamples() + s.histogramSamples() > 0) {
            equal("numFloatSamples", s.floatSamples(), floats);
            equal("numHistogramSamples", s.histogramSamples(), histograms);
        }
        // Thanos does not upload the file, and the count stays.
        if (Files.exists(block.directory().resolve(Tombstones.FILE))) {
            equal("numTombstones", s.tombstones(), block.tombstones().intervals());
        }
    }

    /** What Thanos' section says of files that the block's content does not say itself. */
    private void verifyFiles() {
        BlockMeta.Thanos thanos = block.meta().thanos();
        if (thanos == null) {
            return;
        }
        for (BlockMeta.FileEntry f : thanos.files()) {
            long size = fileSize("files", f.path());
            if (f.sizeBytes() != 0 && f.sizeBytes() != size) {
                throw new CorruptDataException(block.directory().resolve(f.path()).toString(), -1,
                        "has " + size + " bytes, meta.json says " + f.sizeBytes() + " under thanos.files");
            }
        }
        for (String segment : thanos.segmentFiles()) {
            fileSize("segment_files", ChunkSegments.DIRECTORY + "/" + segment);
        }
    }

    /** Of a file that the meta names in a list of its Thanos section. Nothing outside of the block is looked at. */
    private long fileSize(String list, String path) {
        String broken = brokenRule(path);
        if (broken != null) {
            throw meta(list,
                    "thanos." + list + " names " + GoQuote.quote(path) + ", which " + broken + " and is no path of a file in the block");
        }
        try {
            Path file = block.directory().resolve(path);
            if (Files.isRegularFile(file)) {
                return Files.size(file);
            }
        } catch (IOException e) {
            throw new UnavailableException("read size of " + path + " of " + block.directory() + ": " + e, e);
        } catch (InvalidPathException e) {
            // No name of a file here: there is none.
        }
        throw new CorruptDataException(block.directory() + "/" + path, -1, "is missing, meta.json names it in its thanos section");
    }

    /** What keeps a path from being one of a file in a block, on whichever system; null where nothing does. */
    private static @Nullable String brokenRule(String path) {
        if (path.startsWith("/")) {
            return "is absolute";
        }
        if (path.indexOf('\\') >= 0) {
            return "has a backslash";
        }
        if (path.indexOf('\0') >= 0) {
            return "has a NUL";
        }
        for (String name : path.split("/", -1)) {
            if (name.isEmpty()) {
                return "has an empty element";
            }
            if (name.equals(".") || name.equals("..")) {
                return "has the element " + name;
            }
        }
        return null;
    }

    private void equal(String field, long stated, long counted) {
        if (stated != counted) {
            throw meta(field, field + " is " + stated + ", the block has " + counted);
        }
    }
}

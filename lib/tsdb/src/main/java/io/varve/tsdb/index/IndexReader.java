package io.varve.tsdb.index;

import io.varve.model.CorruptDataException;
import io.varve.model.Labels;
import io.varve.model.Matcher;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.TreeSet;

/**
 * A whole index at hand, mapped or in memory. Reads versions 1 and 2 (and 3, which is written like 2). Opening checks header,
 * table of contents, symbols and postings offset table; postings and series are checked when they are read. Safe for many threads;
 * the mapping belongs to whoever made the region.
 */
public final class IndexReader {
    private static final int MAGIC = 0xBAAAD700;
    private static final int HEADER = 5;
    private static final int SYMBOL_CACHE = 1 << 14;
    /** Up to so many selected series per value, values are taken from the series and not found by postings. */
    private static final int SERIES_PER_VALUE = 4;

    private final ByteRegion region;
    private final int version;
    private final Toc toc;
    private final Symbols symbols;
    private final PostingsOffsetTable table;

    private IndexReader(ByteRegion region, int version, Toc toc, Symbols symbols, PostingsOffsetTable table) {
        this.region = region;
        this.version = version;
        this.toc = toc;
        this.symbols = symbols;
        this.table = table;
    }

    /** Opens a whole index file; position 0 of the region is its first byte. */
    public static IndexReader open(ByteRegion region) {
        int version = version(region);
        Toc toc = Toc.read(region, region.size());
        if (toc.symbols() < HEADER || toc.postingsTable() == 0) {
            throw region.corrupt(region.size() - Toc.SIZE, "table of contents lacks symbols or postings offset table: " + toc);
        }
        int format = Math.min(version, 2);
        Symbols symbols = Symbols.open(region.slice(toc.symbols(), region.size() - toc.symbols()), format, SYMBOL_CACHE);
        PostingsOffsetTable table = PostingsOffsetTable.open(region.slice(toc.postingsTable(), region.size() - toc.postingsTable()), format,
                toc.postingsTable());
        return new IndexReader(region, version, toc, symbols, table);
    }

    static int version(ByteRegion region) {
        if (region.size() < HEADER) {
            throw region.corrupt(0, "index header: file has " + region.size() + " bytes");
        }
        if (region.i32(0) != MAGIC) {
            throw region.corrupt(0, "index header: invalid magic number " + Integer.toHexString(region.i32(0)));
        }
        int version = region.u8(4);
        if (version < 1 || version > 3) {
            throw region.corrupt(4, "index header: unknown version " + version);
        }
        return version;
    }

    /** 1, 2 or 3. */
    public int version() {
        return version;
    }

    /** Bytes of the file. */
    public long size() {
        return region.size();
    }

    /** The table of contents. */
    public Toc toc() {
        return toc;
    }

    /** Label names and values by reference. */
    public Symbols symbols() {
        return symbols;
    }

    /** Places of postings lists. */
    public PostingsOffsetTable table() {
        return table;
    }

    /** The bytes. */
    public ByteRegion region() {
        return region;
    }

    /** Offset of the series entry of an id in postings. */
    public long seriesOffset(long id) {
        return version == 1 ? id : id * 16;
    }

    /** The list at a place, its checksum checked. */
    public Postings postings(PostingsRange range) {
        long start = range.start() - 4;
        long length = region.u32(start);
        region.check(start, length + 8, "postings list");
        if (length > Integer.MAX_VALUE - 16) {
            throw region.corrupt(start, "postings list of " + length + " bytes is larger than can be read");
        }
        byte[] bytes = region.copy(start, (int) length + 8);
        try {
            return PostingsList.decodeChecked(bytes, 0, bytes.length);
        } catch (CorruptDataException e) {
            throw e.in(region.file(), region.base() + start);
        }
    }

    /** All series. */
    public Postings allPostings() {
        PostingsRange all = table.allPostings();
        return all == null ? Postings.empty() : postings(all);
    }

    /** The series with one value of a label; none where there is no such value. */
    public Postings postings(String name, String value) {
        PostingsRange r = table.find(name, value);
        return r == null ? Postings.empty() : postings(r);
    }

    /** The series that satisfy all matchers, by Prometheus' rules; see {@link PostingsPlan}. */
    public Postings postings(List<Matcher> matchers) {
        return PostingsPlan.of(table, matchers).evaluate(this::postings);
    }

    /**
     * Decodes the entry of an id.
     *
     * @throws CorruptDataException where there is none or it is damaged
     */
    public void series(long id, SeriesEntry into) {
        long at = seriesOffset(id);
        long end = Math.min(toc.seriesEnd(), region.size());
        if (at < toc.series() || at >= end) {
            throw region.corrupt(Math.max(0, Math.min(at, region.size())),
                    "no series with id " + id + ": entries lie from " + toc.series() + " to " + end);
        }
        // Most entries are short: one small copy, and another where that was not enough.
        int guess = (int) Math.min(512, end - at);
        byte[] bytes = into.scratch(guess);
        region.copy(at, bytes, 0, guess);
        try {
            long total = SeriesEntry.totalLength(bytes, 0, guess);
            if (total < 0 || total > end - at) {
                throw new CorruptDataException("", 0, "series entry ends outside the series section");
            }
            if (total > guess) {
                bytes = into.scratch((int) total);
                region.copy(at, bytes, 0, (int) total);
            }
            into.decode(bytes, 0, (int) total);
        } catch (CorruptDataException e) {
            throw e.in(region.file(), region.base() + at);
        }
    }

    /** The labels of a decoded entry. */
    public Labels labels(SeriesEntry entry) {
        return entry.labels(symbols);
    }

    /** All label names, in order. */
    public List<String> labelNames() {
        return table.names();
    }

    /** Label names of the series that satisfy all matchers, in order. */
    public List<String> labelNames(List<Matcher> matchers) {
        if (matchers.isEmpty()) {
            return labelNames();
        }
        Postings p = postings(matchers);
        SeriesEntry entry = new SeriesEntry();
        boolean[] seen = new boolean[table.names.length];
        Collection<String> other = new TreeSet<>();
        long[] last = new long[0];
        for (long id = p.next(); id != Postings.NO_MORE; id = p.next()) {
            series(id, entry);
            // Neighbours mostly have the same names: nothing to look up then.
            boolean same = last.length == entry.labelCount;
            for (int i = 0; same && i < last.length; i++) {
                same = last[i] == entry.names[i];
            }
            if (same) {
                continue;
            }
            last = new long[entry.labelCount];
            for (int i = 0; i < entry.labelCount; i++) {
                last[i] = entry.names[i];
                String name = symbols.text(entry.names[i] & 0xFFFFFFFFL);
                int k = table.nameIndex(name);
                if (k >= 0) {
                    seen[k] = true;
                } else {
                    other.add(name);
                }
            }
        }
        List<String> out = new ArrayList<>();
        for (int k = 0; k < seen.length; k++) {
            if (seen[k]) {
                out.add(table.names[k]);
            }
        }
        out.addAll(other);
        return out;
    }

    /** All values of a label, in order. */
    public List<String> labelValues(String name) {
        return table.values(name);
    }

    /** Values of a label among the series that satisfy all matchers, in order. */
    public List<String> labelValues(String name, List<Matcher> matchers) {
        if (matchers.isEmpty()) {
            return labelValues(name);
        }
        // Matchers on the label itself say which values may be in the answer; the postings say which are.
        List<Matcher> own = matchers.stream().filter(m -> m.name().equals(name)).toList();
        List<String> candidates = new ArrayList<>();
        List<PostingsRange> ranges = new ArrayList<>();
        String prefix = own.stream().filter(m -> m.type() == Matcher.Type.REGEX).map(m -> m.regex().prefix()).findFirst().orElse("");
        table.visit(name, prefix, (value, start, end) -> {
            for (Matcher m : own) {
                if (!m.matches(value)) {
                    return true;
                }
            }
            candidates.add(value);
            ranges.add(new PostingsRange(start, end));
            return true;
        });
        if (candidates.isEmpty()) {
            return List.of();
        }
        if (own.size() == matchers.size()) {
            return List.copyOf(candidates);
        }
        long[] ids = postings(matchers).toArray();
        if (ids.length <= (long) candidates.size() * SERIES_PER_VALUE) {
            return valuesOf(name, ids);
        }
        List<String> out = new ArrayList<>();
        for (int i = 0; i < candidates.size(); i++) {
            Postings p = Postings.intersect(List.of(Postings.of(ids), postings(ranges.get(i))));
            if (p.next() != Postings.NO_MORE) {
                out.add(candidates.get(i));
            }
        }
        return out;
    }

    private List<String> valuesOf(String name, long[] ids) {
        long nameRef = symbols.find(name);
        SeriesEntry entry = new SeriesEntry();
        long[] refs = new long[ids.length];
        int n = 0;
        for (long id : ids) {
            series(id, entry);
            for (int i = 0; i < entry.labelCount; i++) {
                if ((entry.names[i] & 0xFFFFFFFFL) == nameRef) {
                    refs[n++] = entry.values[i] & 0xFFFFFFFFL;
                }
            }
        }
        Arrays.sort(refs, 0, n);
        // References are in the order of the texts.
        List<String> out = new ArrayList<>();
        for (int i = 0; i < n; i++) {
            if (i == 0 || refs[i] != refs[i - 1]) {
                out.add(symbols.text(refs[i]));
            }
        }
        return out;
    }

    /** Heap that tables of places take, in bytes; an estimate. */
    public long heapBytes() {
        return symbols.heapBytes() + table.heapBytes();
    }
}

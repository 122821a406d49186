package io.varve.tsdb.index;

import io.varve.model.CorruptDataException;
import io.varve.model.Utf8Order;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * The postings offset table: for every label name and value the place of its postings list. In index version 2 it is sorted by
 * name, then value; 1 place in {@value #SAMPLING} is kept in memory and texts are compared where they lie. Version 1 is not sorted,
 * so that all of it is loaded. Safe for many threads.
 *
 * <p>
 * Section: {@code length BE32 | count BE32 | count × (uvarint 2, uvarint length, name, uvarint length, value, uvarint offset) |
 * CRC-32C}. The first entry, of the empty name and value, is the list of all series.
 */
public abstract sealed class PostingsOffsetTable {
    /** One place in so many is kept. */
    static final int SAMPLING = 32;

    final String[] names;
    final @Nullable PostingsRange all;
    private final long unread;

    private PostingsOffsetTable(Scan scan, String[] names, @Nullable PostingsRange all) {
        this.names = names;
        this.all = all;
        this.unread = scan.cursor.remaining();
    }

    /** Receives values in order. */
    @FunctionalInterface
    public interface ValueVisitor {
        /**
         * @param value the label's value
         * @param start as {@link PostingsRange#start}
         * @param end as {@link PostingsRange#end}
         * @return whether to go on
         */
        boolean visit(String value, long start, long end);
    }

    /**
     * Opens the table, checking its checksum, its lengths and, in version 2, the order of the names.
     *
     * @param region begins with the section
     * @param sectionOffset where the section begins in the index file: where the last postings list must end
     */
    public static PostingsOffsetTable open(ByteRegion region, int indexVersion, long sectionOffset) {
        long length = region.u32(0);
        region.check(4, length + 4, "postings offset table");
        if (length < 4) {
            throw region.corrupt(0, "postings offset table of " + length + " bytes has no count");
        }
        int want = region.i32(4 + length);
        int got = region.crc(4, length);
        if (want != got) {
            throw region.corrupt(0, "postings offset table: checksum is " + Toc.hex(got) + ", stored " + Toc.hex(want));
        }
        long count = region.u32(4);
        if (count > (length - 4) / 4) {
            throw region.corrupt(4, "postings offset table: " + count + " entries in " + length + " bytes");
        }
        Scan scan = new Scan(region, 4 + length, count, sectionOffset);
        return indexVersion == 1 ? Loaded.load(scan) : Sampled.load(scan);
    }

    /** Label names in order, without the empty one. */
    public List<String> names() {
        return List.of(names);
    }

    /** Index of a name in {@link #names}, negative where there is none. */
    int nameIndex(String name) {
        int lo = 0;
        int hi = names.length - 1;
        while (lo <= hi) {
            int mid = (lo + hi) >>> 1;
            int c = Utf8Order.compare(names[mid], name);
            if (c == 0) {
                return mid;
            }
            if (c < 0) {
                lo = mid + 1;
            } else {
                hi = mid - 1;
            }
        }
        return -1;
    }

    /** The list of all series, null where the table has none. */
    public @Nullable PostingsRange allPostings() {
        return all;
    }

    /** How many values a name has, 0 for a name that is not there. */
    public abstract int valueCount(String name);

    /** The list of one value, null where there is none. The empty name and value are all series. */
    public abstract @Nullable PostingsRange find(String name, String value);

    /** The lists of many values, in their order; null where there is none. Fast where the values are sorted. */
    public abstract @Nullable PostingsRange[] findAll(String name, List<String> values);

    /** Visits the values of a name that begin with {@code prefix}, in order; only those are read. */
    public abstract void visit(String name, String prefix, ValueVisitor visitor);

    /** The values of a name, in order. */
    public List<String> values(String name) {
        List<String> out = new ArrayList<>(valueCount(name));
        visit(name, "", (value, start, end) -> out.add(value));
        return out;
    }

    /** Bytes of the section behind the last entry; 0 in a sound table. */
    public long unreadBytes() {
        return unread;
    }

    /** Bytes of heap this table holds; an estimate. */
    public abstract long heapBytes();

    /** Goes over the entries of the section. */
    private static final class Scan {
        final ByteRegion region;
        final RegionCursor cursor;
        final long count;
        final long sectionOffset;
        long entry;
        long nameAt;
        int nameLength;
        long valueAt;
        int valueLength;
        long offset;

        Scan(ByteRegion region, long limit, long count, long sectionOffset) {
            this.region = region;
            this.cursor = new RegionCursor(region, 8, limit);
            this.count = count;
            this.sectionOffset = sectionOffset;
        }

        void next() {
            entry = cursor.position;
            if (cursor.uvarint() != 2) {
                throw region.corrupt(entry, "postings offset table: entry does not have 2 keys");
            }
            nameLength = cursor.length();
            nameAt = cursor.position;
            cursor.position += nameLength;
            valueLength = cursor.length();
            valueAt = cursor.position;
            cursor.position += valueLength;
            offset = cursor.uvarint();
            if (offset < 0 || offset > sectionOffset) {
                throw region.corrupt(entry, "postings offset table: list at " + Long.toUnsignedString(offset) + " is not before the table");
            }
        }

        CorruptDataException corrupt(String rule) {
            return region.corrupt(entry, "postings offset table: " + rule);
        }
    }

    private static PostingsRange range(Scan scan, long offset, long next) {
        return range(scan.region, scan.entry, offset, next);
    }

    private static PostingsRange range(ByteRegion region, long entry, long offset, long next) {
        if (next - 4 < offset + 4) {
            throw region.corrupt(entry, "postings offset table: list at " + offset + " ends at " + next);
        }
        return new PostingsRange(offset + 4, next - 4);
    }

    /** Sorted: version 2. */
    private static final class Sampled extends PostingsOffsetTable {
        private final ByteRegion region;
        private final long limit;
        private final long sectionOffset;
        /** Positions of every 32nd entry of each name, unsigned. */
        private final int[] samples;
        /** Index of the first sample of each name; one more at the end. */
        private final int[] firstSample;
        private final int[] counts;
        /** Bytes before the length of the value, of every entry of a name. */
        private final int[] prefixLengths;

        private Sampled(Scan scan, String[] names, @Nullable PostingsRange all, int[] samples, int[] firstSample, int[] counts,
                int[] prefixLengths) {
            super(scan, names, all);
            this.region = scan.region;
            this.limit = scan.cursor.position;
            this.sectionOffset = scan.sectionOffset;
            this.samples = samples;
            this.firstSample = firstSample;
            this.counts = counts;
            this.prefixLengths = prefixLengths;
        }

        static Sampled load(Scan scan) {
            List<String> names = new ArrayList<>();
            int[] samples = new int[64];
            int sampleCount = 0;
            int[] firstSample = new int[17];
            int[] counts = new int[16];
            int[] prefixLengths = new int[16];
            PostingsRange all = null;
            long allOffset = -1;
            long previousNameAt = -1;
            int previousNameLength = -1;
            int n = 0;
            for (long i = 0; i < scan.count; i++) {
                scan.next();
                if (allOffset >= 0) {
                    all = range(scan, allOffset, scan.offset);
                    allOffset = -1;
                }
                boolean sameName = scan.nameLength == previousNameLength
                        && scan.region.same(previousNameAt, scan.nameAt, scan.nameLength);
                previousNameAt = scan.nameAt;
                previousNameLength = scan.nameLength;
                if (scan.nameLength == 0) {
                    if (i > 0 || scan.valueLength != 0) {
                        throw scan.corrupt("empty label name that is not the first entry");
                    }
                    allOffset = scan.offset;
                    continue;
                }
                if (!sameName) {
                    String name = scan.region.text(scan.nameAt, scan.nameLength);
                    if (!names.isEmpty() && Utf8Order.compare(names.getLast(), name) >= 0) {
                        throw scan.corrupt("label name \"" + name + "\" after \"" + names.getLast() + "\"");
                    }
                    names.add(name);
                    if (n == counts.length) {
                        firstSample = Arrays.copyOf(firstSample, n * 2 + 1);
                        counts = Arrays.copyOf(counts, n * 2);
                        prefixLengths = Arrays.copyOf(prefixLengths, n * 2);
                    }
                    firstSample[n] = sampleCount;
                    prefixLengths[n] = (int) (scan.nameAt - scan.entry) + scan.nameLength;
                    n++;
                } else if ((int) (scan.nameAt - scan.entry) + scan.nameLength != prefixLengths[n - 1]) {
                    throw scan.corrupt("length of the label name is not written in its shortest form");
                }
                if (counts[n - 1]++ % SAMPLING == 0) {
                    if (sampleCount == samples.length) {
                        samples = Arrays.copyOf(samples, samples.length * 2);
                    }
                    samples[sampleCount++] = (int) scan.entry;
                }
            }
            if (allOffset >= 0) {
                all = range(scan, allOffset, scan.sectionOffset);
            }
            firstSample[n] = sampleCount;
            return new Sampled(scan, names.toArray(String[]::new), all, Arrays.copyOf(samples, sampleCount),
                    Arrays.copyOf(firstSample, n + 1),
                    Arrays.copyOf(counts, n), Arrays.copyOf(prefixLengths, n));
        }

        @Override
        public int valueCount(String name) {
            int i = nameIndex(name);
            return i < 0 ? 0 : counts[i];
        }

        /** Stands on one entry of a name. */
        private final class Entry {
            final int name;
            long at;
            int index;
            long valueAt;
            int valueLength;
            long offset;
            long nextAt;

            Entry(int name) {
                this.name = name;
            }

            void sample(int k) {
                index = k * SAMPLING;
                parse(samples[firstSample[name] + k] & 0xFFFFFFFFL);
            }

            void parse(long position) {
                at = position;
                RegionCursor c = new RegionCursor(region, position + prefixLengths[name], limit);
                valueLength = c.length();
                valueAt = c.position;
                c.position += valueLength;
                offset = c.uvarint();
                nextAt = c.position;
            }

            boolean next() {
                if (++index >= counts[name]) {
                    return false;
                }
                parse(nextAt);
                return true;
            }

            int compare(byte[] value) {
                return region.compare(valueAt, valueLength, value);
            }

            /** The offset of the list that follows in the table, whatever its name. */
            long followingOffset() {
                if (nextAt >= limit) {
                    return sectionOffset;
                }
                RegionCursor c = new RegionCursor(region, nextAt + 1, limit);
                int nameLength = c.length();
                c.position += nameLength;
                int otherLength = c.length();
                c.position += otherLength;
                return c.uvarint();
            }

            PostingsRange range() {
                return PostingsOffsetTable.range(region, at, offset, followingOffset());
            }
        }

        /** The last sample from {@code from} on whose value is at or before {@code value}; {@code from} where none is. */
        private int sampleBefore(Entry e, int from, byte[] value) {
            int lo = from;
            int hi = firstSample[e.name + 1] - firstSample[e.name] - 1;
            while (lo < hi) {
                int mid = (lo + hi + 1) >>> 1;
                e.sample(mid);
                if (e.compare(value) <= 0) {
                    lo = mid;
                } else {
                    hi = mid - 1;
                }
            }
            return lo;
        }

        /** Moves to the first value at or after {@code value}; false where there is none. */
        private boolean seek(Entry e, int fromSample, byte[] value) {
            e.sample(sampleBefore(e, fromSample, value));
            while (e.compare(value) < 0) {
                if (!e.next()) {
                    return false;
                }
            }
            return true;
        }

        @Override
        public @Nullable PostingsRange find(String name, String value) {
            if (name.isEmpty()) {
                return value.isEmpty() ? all : null;
            }
            int i = nameIndex(name);
            if (i < 0) {
                return null;
            }
            Entry e = new Entry(i);
            byte[] utf8 = value.getBytes(StandardCharsets.UTF_8);
            return seek(e, 0, utf8) && e.compare(utf8) == 0 ? e.range() : null;
        }

        @Override
        public @Nullable PostingsRange[] findAll(String name, List<String> values) {
            @Nullable
            PostingsRange[] out = new PostingsRange[values.size()];
            int i = nameIndex(name);
            if (i < 0) {
                return out;
            }
            Entry e = new Entry(i);
            int k = 0;
            byte[] previous = new byte[0];
            for (int v = 0; v < out.length; v++) {
                byte[] utf8 = values.get(v).getBytes(StandardCharsets.UTF_8);
                // Sorted values need no look at what lies before the last one; others start over.
                int from = v > 0 && Arrays.compareUnsigned(previous, utf8) <= 0 ? k : 0;
                previous = utf8;
                if (seek(e, from, utf8) && e.compare(utf8) == 0) {
                    out[v] = e.range();
                }
                k = Math.min(e.index, counts[i] - 1) / SAMPLING;
            }
            return out;
        }

        @Override
        public void visit(String name, String prefix, ValueVisitor visitor) {
            int i = nameIndex(name);
            if (i < 0) {
                return;
            }
            byte[] utf8 = prefix.getBytes(StandardCharsets.UTF_8);
            Entry e = new Entry(i);
            if (!seek(e, 0, utf8)) {
                return;
            }
            do {
                if (e.valueLength < utf8.length || region.compare(e.valueAt, utf8.length, utf8) != 0) {
                    return;
                }
                PostingsRange r = e.range();
                if (!visitor.visit(region.text(e.valueAt, e.valueLength), r.start(), r.end())) {
                    return;
                }
            } while (e.next());
        }

        @Override
        public long heapBytes() {
            return 128 + 4L * samples.length + 12L * counts.length + 80L * names.length;
        }
    }

    /** All in memory: version 1. */
    private static final class Loaded extends PostingsOffsetTable {
        /** Per name: values in order, and their lists. */
        private record Values(String[] values, PostingsRange[] ranges) {
            int indexOf(String value) {
                int lo = 0;
                int hi = values.length - 1;
                while (lo <= hi) {
                    int mid = (lo + hi) >>> 1;
                    int c = Utf8Order.compare(values[mid], value);
                    if (c == 0) {
                        return mid;
                    }
                    if (c < 0) {
                        lo = mid + 1;
                    } else {
                        hi = mid - 1;
                    }
                }
                return -lo - 1;
            }
        }

        private final Values[] byName;
        private final long heap;

        private Loaded(Scan scan, String[] names, @Nullable PostingsRange all, Values[] byName) {
            super(scan, names, all);
            this.byName = byName;
            this.heap = scan.count * 120;
        }

        static Loaded load(Scan scan) {
            Map<String, TreeMap<String, PostingsRange>> map = new TreeMap<>(Utf8Order::compare);
            String name = null;
            String value = "";
            long offset = 0;
            long entry = 0;
            for (long i = 0; i < scan.count; i++) {
                scan.next();
                if (name != null) {
                    map.computeIfAbsent(name, k -> new TreeMap<>(Utf8Order::compare)).put(value,
                            range(scan.region, entry, offset, scan.offset));
                }
                name = scan.region.text(scan.nameAt, scan.nameLength);
                value = scan.region.text(scan.valueAt, scan.valueLength);
                offset = scan.offset;
                entry = scan.entry;
            }
            if (name != null) {
                map.computeIfAbsent(name, k -> new TreeMap<>(Utf8Order::compare)).put(value,
                        range(scan.region, entry, offset, scan.sectionOffset));
            }
            TreeMap<String, PostingsRange> empty = map.remove("");
            List<Values> byName = new ArrayList<>();
            map.forEach((k, v) -> byName.add(new Values(v.keySet().toArray(String[]::new), v.values().toArray(PostingsRange[]::new))));
            return new Loaded(scan, map.keySet().toArray(String[]::new), empty == null ? null : empty.get(""),
                    byName.toArray(Values[]::new));
        }

        @Override
        public int valueCount(String name) {
            int i = nameIndex(name);
            return i < 0 ? 0 : byName[i].values.length;
        }

        @Override
        public @Nullable PostingsRange find(String name, String value) {
            if (name.isEmpty()) {
                return value.isEmpty() ? all : null;
            }
            int i = nameIndex(name);
            int v = i < 0 ? -1 : byName[i].indexOf(value);
            return v < 0 ? null : byName[i].ranges[v];
        }

        @Override
        public @Nullable PostingsRange[] findAll(String name, List<String> values) {
            @Nullable
            PostingsRange[] out = new PostingsRange[values.size()];
            for (int i = 0; i < out.length; i++) {
                out[i] = find(name, values.get(i));
            }
            return out;
        }

        @Override
        public void visit(String name, String prefix, ValueVisitor visitor) {
            int i = nameIndex(name);
            if (i < 0) {
                return;
            }
            Values v = byName[i];
            int from = v.indexOf(prefix);
            for (int k = from < 0 ? -from - 1 : from; k < v.values.length && v.values[k].startsWith(prefix); k++) {
                if (!visitor.visit(v.values[k], v.ranges[k].start(), v.ranges[k].end())) {
                    return;
                }
            }
        }

        @Override
        public long heapBytes() {
            return heap;
        }
    }
}

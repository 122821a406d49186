package io.varve.tsdb.index;

import io.varve.model.CorruptDataException;
import java.nio.charset.StandardCharsets;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * The symbol table: every label name and value, once, in byte order. Of the table's places 1 in {@value #SAMPLING} is kept in
 * memory. Safe for many threads.
 *
 * <p>
 * Section: {@code length BE32 | count BE32 | count × (uvarint length, bytes) | CRC-32C}. In index version 2 a reference is the
 * ordinal, in version 1 the offset of the entry in the index file.
 */
public final class Symbols {
    /** One place in so many is kept. */
    static final int SAMPLING = 32;

    /** A table without symbols. */
    public static final Symbols NONE = new Symbols(ByteRegion.of(new byte[8], "", 0), false, 0, 8, new int[0], 1);

    private final ByteRegion region;
    private final boolean byOffset;
    private final int count;
    private final long end;
    /** Positions of every 32nd entry, unsigned. */
    private final int[] sampled;
    private final @Nullable Cached[] cache;

    /** Both in one object, so that racing threads never see a reference with another's text. */
    private record Cached(long ref, String text) {
    }

    private Symbols(ByteRegion region, boolean byOffset, int count, long end, int[] sampled, int cacheSize) {
        this.region = region;
        this.byOffset = byOffset;
        this.count = count;
        this.end = end;
        this.sampled = sampled;
        this.cache = new Cached[Integer.highestOneBit(Math.max(1, cacheSize))];
    }

    /**
     * Opens the table, checking its checksum and every length.
     *
     * @param region begins with the section; its {@link ByteRegion#base} must be the section's offset in the index file
     * @param indexVersion 1 or more
     * @param cacheSize how many texts to keep, a power of two
     */
    public static Symbols open(ByteRegion region, int indexVersion, int cacheSize) {
        long length = region.u32(0);
        region.check(4, length + 4, "symbol table");
        if (length < 4) {
            throw region.corrupt(0, "symbol table of " + length + " bytes has no count");
        }
        int want = region.i32(4 + length);
        int got = region.crc(4, length);
        if (want != got) {
            throw region.corrupt(0, "symbol table: checksum is " + Toc.hex(got) + ", stored " + Toc.hex(want));
        }
        long count = region.u32(4);
        long end = 4 + length;
        if (count > length - 4) {
            throw region.corrupt(4, "symbol table: " + count + " symbols in " + length + " bytes");
        }
        int[] sampled = new int[(int) ((count + SAMPLING - 1) / SAMPLING)];
        RegionCursor cursor = new RegionCursor(region, 8, end);
        for (long i = 0; i < count; i++) {
            if (i % SAMPLING == 0) {
                sampled[(int) (i / SAMPLING)] = (int) cursor.position;
            }
            int n = cursor.length();
            cursor.position += n;
        }
        return new Symbols(region, indexVersion == 1, (int) count, cursor.position, sampled, cacheSize);
    }

    /** How many symbols there are. */
    public int size() {
        return count;
    }

    ByteRegion region() {
        return region;
    }

    boolean isByOffset() {
        return byOffset;
    }

    /** A reader of all entries, from the first. */
    RegionCursor cursor() {
        return new RegionCursor(region, 8, end);
    }

    /** Whether another table has the same bytes. */
    boolean isSame(Symbols other) {
        return count == other.count && end == other.end && region.same(8, other.region, 8, end - 8);
    }

    /** What every reference is below. */
    public long limit() {
        return reference(count, end);
    }

    /**
     * The text of a reference.
     *
     * @throws CorruptDataException where there is no such symbol; the offset is that of the table
     */
    public String text(long ref) {
        int slot = (int) (ref & cache.length - 1);
        Cached hit = cache[slot];
        if (hit != null && hit.ref == ref) {
            return hit.text;
        }
        String text = read(ref);
        cache[slot] = new Cached(ref, text);
        return text;
    }

    private String read(long ref) {
        RegionCursor cursor = at(ref);
        int n = cursor.length();
        return region.text(cursor.position, n);
    }

    /**
     * The bytes of a reference's text.
     *
     * @throws CorruptDataException where there is no such symbol; the offset is that of the table
     */
    public byte[] utf8(long ref) {
        RegionCursor cursor = at(ref);
        int n = cursor.length();
        return region.copy(cursor.position, n);
    }

    private RegionCursor at(long ref) {
        if (byOffset) {
            long position = ref - region.base();
            if (position < 8 || position >= end) {
                throw region.corrupt(0, "unknown symbol offset " + ref);
            }
            return new RegionCursor(region, position, end);
        }
        if (ref < 0 || ref >= count) {
            throw region.corrupt(0, "unknown symbol " + ref + " of " + count);
        }
        RegionCursor cursor = new RegionCursor(region, sampled[(int) (ref / SAMPLING)] & 0xFFFFFFFFL, end);
        for (int skip = (int) (ref % SAMPLING); skip > 0; skip--) {
            int n = cursor.length();
            cursor.position += n;
        }
        return cursor;
    }

    /** The reference of a text, −1 where the table does not have it. Compares in place. */
    public long find(String text) {
        long place = place(text);
        return (place & 1) == 0 ? -1 : place >>> 1;
    }

    /**
     * Where a text belongs among the references: {@code 2r + 1} where it is the symbol of reference {@code r}, {@code 2r} where it lies between that
     * symbol and the one before. Compares in place.
     */
    public long place(String text) {
        byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
        int lo = 0;
        int hi = sampled.length - 1;
        while (lo < hi) {
            int mid = (lo + hi + 1) >>> 1;
            RegionCursor c = new RegionCursor(region, sampled[mid] & 0xFFFFFFFFL, end);
            int n = c.length();
            if (region.compare(c.position, n, utf8) <= 0) {
                lo = mid;
            } else {
                hi = mid - 1;
            }
        }
        RegionCursor c = new RegionCursor(region, sampled.length == 0 ? end : sampled[lo] & 0xFFFFFFFFL, end);
        // Beyond the run of the last place that is not above the text every symbol is.
        int last = Math.min(count, (lo + 1) * SAMPLING);
        int i = lo * SAMPLING;
        for (; i < last; i++) {
            long at = c.position;
            int n = c.length();
            int order = region.compare(c.position, n, utf8);
            if (order >= 0) {
                return 2 * reference(i, at) + (order == 0 ? 1 : 0);
            }
            c.position += n;
        }
        return 2 * reference(i, c.position);
    }

    private long reference(int ordinal, long position) {
        return byOffset ? region.base() + position : ordinal;
    }

    /** Calls {@code each} with every symbol, in order. */
    public void forEach(Consumer<String> each) {
        RegionCursor c = new RegionCursor(region, 8, end);
        for (int i = 0; i < count; i++) {
            int n = c.length();
            each.accept(region.text(c.position, n));
            c.position += n;
        }
    }

    /**
     * The texts of all symbols by ordinal. Those that another table has too, which likely are most, are compared in place and taken from there; only
     * for others an object is made.
     *
     * @param other a table in byte order, as this one is
     * @param otherTexts its texts
     * @param unknown gives the object to keep for a text that the other does not have
     */
    public Texts texts(Symbols other, Texts otherTexts, UnaryOperator<String> unknown) {
        String[] texts = new String[count];
        RegionCursor mine = new RegionCursor(region, 8, end);
        RegionCursor theirs = new RegionCursor(other.region, 8, other.end);
        long before = 0;
        int beforeLength = -1;
        boolean inOrder = true;
        int k = 0;
        int theirLength = other.count > 0 ? theirs.length() : 0;
        for (int i = 0; i < count; i++) {
            int length = mine.length();
            inOrder &= region.compare(before, beforeLength, mine.position, length) < 0;
            before = mine.position;
            beforeLength = length;
            int order = -1;
            while (k < other.count) {
                order = region.compare(mine.position, length, other.region, theirs.position, theirLength);
                if (order <= 0) {
                    break;
                }
                theirs.position += theirLength;
                if (++k < other.count) {
                    theirLength = theirs.length();
                }
            }
            texts[i] = k < other.count && order == 0 ? otherTexts.byOrdinal[k] : unknown.apply(region.text(mine.position, length));
            mine.position += length;
        }
        return new Texts(texts, inOrder);
    }

    /** Texts of symbols by ordinal, and whether they are in byte order, so that ordinals compare as their texts do. */
    public record Texts(String[] byOrdinal, boolean inOrder) {
        /** None. */
        public static final Texts NONE = new Texts(new String[0], false);
    }

    /** Whether every symbol sorts after the one before, so that references compare as their texts do. Reads the whole table, comparing in place. */
    public boolean isSorted() {
        RegionCursor c = new RegionCursor(region, 8, end);
        long before = 0;
        int beforeLength = -1;
        for (int i = 0; i < count; i++) {
            int n = c.length();
            if (beforeLength >= 0 && region.compare(before, beforeLength, c.position, n) >= 0) {
                return false;
            }
            before = c.position;
            beforeLength = n;
            c.position += n;
        }
        return true;
    }

    /** Bytes of heap this table holds, without the cached texts; an estimate. */
    public long heapBytes() {
        return 64 + 4L * sampled.length + 4L * cache.length;
    }
}

package io.varve.tsdb.index;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The symbols of several tables as one in byte order, each once, without an object for any: they stay where they lie, and each table's ordinals
 * are told by their numbers in the whole. The regions of the tables must stay readable. Safe for many threads.
 */
public final class SymbolUnion {
    /** Bits of a place that are the position; those above are the number of the table. */
    private static final int POSITION_BITS = 40;

    private final List<Symbols> tables;
    private final long[] places;
    private final int size;
    /** Of each table, the numbers of its ordinals; tables that are equal share them. */
    private final int[][] numbers;

    private SymbolUnion(List<Symbols> tables, long[] places, int size, int[][] numbers) {
        this.tables = tables;
        this.places = places;
        this.size = size;
        this.numbers = numbers;
    }

    /** A reader of a table, standing on an entry. */
    private static final class Head {
        private final long table;
        private final ByteRegion region;
        private final RegionCursor cursor;
        private final int[] numbers;
        /** Where the entry, its length field, begins; its text is at the cursor. */
        private long entry;
        private int length;
        private int ordinal;

        Head(int table, Symbols symbols) {
            this.table = (long) table << POSITION_BITS;
            region = symbols.region();
            cursor = symbols.cursor();
            numbers = new int[symbols.size()];
            read();
        }

        private void read() {
            if (!isAtEnd()) {
                entry = cursor.position;
                length = cursor.length();
            }
        }

        boolean isAtEnd() {
            return ordinal == numbers.length;
        }

        long place() {
            return table | entry;
        }

        /** Gives the entry its number and goes on. */
        void take(int number) {
            numbers[ordinal++] = number;
            cursor.position += length;
            read();
        }
    }

    /**
     * Unites tables.
     *
     * @return null where a table is not in byte order, has a symbol twice, or is referred to by offsets
     */
    public static @Nullable SymbolUnion of(List<Symbols> tables) {
        int[][] numbers = new int[tables.size()][];
        List<Head> heads = new ArrayList<>();
        int most = 0;
        for (int t = 0; t < numbers.length; t++) {
            Symbols s = tables.get(t);
            if (s.isByOffset()) {
                return null;
            }
            for (int u = 0; u < t && numbers[t] == null; u++) {
                if (s.isSame(tables.get(u))) {
                    numbers[t] = numbers[u];
                }
            }
            if (numbers[t] == null) {
                Head h = new Head(t, s);
                numbers[t] = h.numbers;
                heads.add(h);
                most = Math.max(most, s.size());
            }
        }
        long[] places = new long[most];
        int n = 0;
        Head[] all = heads.toArray(Head[]::new);
        boolean[] isMember = new boolean[all.length];
        ByteRegion lastRegion = null;
        long last = 0;
        int lastLength = 0;
        while (true) {
            Head least = null;
            for (int i = 0; i < all.length; i++) {
                Head h = all[i];
                int order;
                if (h.isAtEnd()) {
                    order = 1;
                } else if (least == null) {
                    order = -1;
                } else {
                    order = h.region.compare(h.cursor.position, h.length, least.region, least.cursor.position, least.length);
                }
                if (order < 0) {
                    least = h;
                    Arrays.fill(isMember, 0, i, false);
                }
                isMember[i] = order <= 0;
            }
            if (least == null) {
                return new SymbolUnion(List.copyOf(tables), places, n, numbers);
            }
            // A table that goes down gives a symbol here that is not above the last.
            if (lastRegion != null && lastRegion.compare(last, lastLength, least.region, least.cursor.position, least.length) >= 0) {
                return null;
            }
            if (n == places.length) {
                places = Arrays.copyOf(places, 2 * n);
            }
            places[n] = least.place();
            lastRegion = least.region;
            last = least.cursor.position;
            lastLength = least.length;
            for (int i = 0; i < all.length; i++) {
                if (isMember[i]) {
                    all[i].take(n);
                }
            }
            n++;
        }
    }

    /** How many symbols there are. */
    public int size() {
        return size;
    }

    /** The number of each ordinal of a table; not to be changed. */
    public int[] numbers(int table) {
        return numbers[table];
    }

    /** The text of a number. */
    public String text(int number) {
        RegionCursor c = at(number);
        int n = c.length();
        return region(number).text(c.position, n);
    }

    /** Bytes of a number's text. */
    public int length(int number) {
        return at(number).length();
    }

    /** Copies the text of a number, {@link #length} bytes of UTF-8. */
    public void copy(int number, byte[] into, int offset) {
        RegionCursor c = at(number);
        int n = c.length();
        region(number).copy(c.position, into, offset, n);
    }

    private ByteRegion region(int number) {
        return tables.get((int) (places[number] >>> POSITION_BITS)).region();
    }

    private RegionCursor at(int number) {
        ByteRegion region = region(number);
        return new RegionCursor(region, places[number] & (1L << POSITION_BITS) - 1, region.size());
    }

    /** Heap that this takes; an estimate. */
    public long heapBytes() {
        long sum = 8L * places.length;
        for (int i = 0; i < numbers.length; i++) {
            boolean shared = false;
            for (int k = 0; k < i; k++) {
                shared |= numbers[k] == numbers[i];
            }
            sum += shared ? 0 : 4L * numbers[i].length;
        }
        return sum;
    }
}

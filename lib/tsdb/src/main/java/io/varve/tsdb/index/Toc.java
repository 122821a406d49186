package io.varve.tsdb.index;

import io.varve.model.CorruptDataException;

/**
 * The table of contents: the last {@link #SIZE} bytes of an index file. Offsets from the start of the file, 0 = section absent.
 *
 * @param symbols the symbol table
 * @param series the first series, or padding before it
 * @param labelIndices the end of the series section; label indices themselves are not used any more
 * @param labelIndicesTable not used any more
 * @param postings the first postings list, or padding before it
 * @param postingsTable the postings offset table
 */
public record Toc(long symbols, long series, long labelIndices, long labelIndicesTable, long postings, long postingsTable) {
    /** Bytes of the table with its checksum. */
    public static final int SIZE = 6 * 8 + 4;

    /**
     * Reads the last {@link #SIZE} bytes of a region whose positions are file offsets or, for a copy of the tail, of the copy.
     *
     * @param fileSize size of the whole index file; no offset may lie beyond it
     * @throws CorruptDataException where checksum or order is wrong
     */
    public static Toc read(ByteRegion region, long fileSize) {
        long at = region.size() - SIZE;
        if (at < 0) {
            throw region.corrupt(0, "table of contents: file has " + region.size() + " bytes, " + SIZE + " needed");
        }
        int want = region.i32(at + SIZE - 4);
        int got = region.crc(at, SIZE - 4);
        if (want != got) {
            throw region.corrupt(at, "table of contents: checksum is " + hex(got) + ", stored " + hex(want));
        }
        Toc toc = new Toc(region.i64(at), region.i64(at + 8), region.i64(at + 16), region.i64(at + 24), region.i64(at + 32),
                region.i64(at + 40));
        long end = fileSize - SIZE;
        toc.inside(toc.symbols, end, region, at);
        toc.inside(toc.series, end, region, at + 8);
        toc.inside(toc.labelIndices, end, region, at + 16);
        toc.inside(toc.labelIndicesTable, end, region, at + 24);
        toc.inside(toc.postings, end, region, at + 32);
        toc.inside(toc.postingsTable, end, region, at + 40);
        if (toc.series != 0 && toc.series < toc.symbols || toc.postingsTable != 0 && toc.postingsTable < toc.series) {
            throw region.corrupt(at, "table of contents: sections are out of order: " + toc);
        }
        return toc;
    }

    private void inside(long offset, long end, ByteRegion region, long at) {
        if (offset < 0 || offset > end) {
            throw region.corrupt(at, "table of contents: offset " + Long.toUnsignedString(offset) + " lies outside the file");
        }
    }

    /** Where the series section ends: the first byte that belongs to a later section, which is where it begins in a block without series. */
    public long seriesEnd() {
        return labelIndices != 0 && labelIndices >= series ? labelIndices : postings != 0 && postings >= series ? postings : postingsTable;
    }

    static String hex(int crc) {
        return String.format("%08x", crc);
    }
}

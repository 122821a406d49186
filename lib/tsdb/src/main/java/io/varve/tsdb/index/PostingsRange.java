package io.varve.tsdb.index;

/**
 * Where a postings list lies in the index file: from its count to the byte before its checksum, so that its length prefix
 * begins at {@code start − 4} and its checksum at or before {@code end}.
 *
 * @param start offset of the count
 * @param end offset after the last id; where lists are padded, a few bytes after
 */
public record PostingsRange(long start, long end) {
    /** Bytes. */
    public long length() {
        return end - start;
    }
}

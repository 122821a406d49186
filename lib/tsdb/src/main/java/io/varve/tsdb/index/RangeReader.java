package io.varve.tsdb.index;

/** Reads ranges of one object or file. Safe for many threads. */
public interface RangeReader {
    /**
     * Exactly {@code length} bytes from {@code offset}.
     *
     * @throws io.varve.model.VarveException where they cannot be had
     */
    byte[] read(long offset, int length);

    /** Bytes of the whole. */
    long size();
}

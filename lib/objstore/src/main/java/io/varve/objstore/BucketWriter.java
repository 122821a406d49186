package io.varve.objstore;

/** Reads and writes a bucket, but cannot delete. */
public interface BucketWriter extends BucketReader {
    /** Stores a whole object or nothing; replaces what was there. The body may be opened again for a retry. */
    void upload(String key, ObjectBody body);
}

package io.varve.objstore;

/** Everything that can be done with a bucket. Only the compactor and tools hold one; the others hold narrower types. */
public interface Bucket extends BucketWriter {
    /** Deletes an object; deleting what is missing succeeds. */
    void delete(String key);
}

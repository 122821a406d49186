package io.varve.objstore;

/** The contract in memory. */
class MemoryBucketTest extends BucketContract {
    @Override
    Bucket empty() {
        return new MemoryBucket("memory");
    }
}

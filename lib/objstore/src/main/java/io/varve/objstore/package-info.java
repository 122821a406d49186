/**
 * Object storage: narrow interfaces by what a process may do (read, write, delete), and the providers behind them.
 *
 * <p>
 * Start at {@link io.varve.objstore.BucketReader}, {@link io.varve.objstore.BucketWriter} and {@link io.varve.objstore.Bucket}.
 * {@link io.varve.objstore.BucketFactory} opens what Thanos' YAML describes: a directory or an S3 bucket, perhaps below a prefix, perhaps
 * with hedged reads. {@link io.varve.objstore.InstrumentedBucket} adds metrics; {@code MemoryBucket} and {@code FaultyBucket}, which stand
 * beside the tests, are for whatever is tested with a bucket. Another provider is one more class behind {@code Bucket} and one more line in
 * the factory.
 */
@NullMarked
package io.varve.objstore;

import org.jspecify.annotations.NullMarked;

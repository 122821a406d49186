package io.varve.objstore;

import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.Gauge;
import io.prometheus.metrics.core.metrics.Histogram;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;

/**
 * Counts and times what is done with a bucket, under the names that Thanos' dashboards and alerts use
 * ({@code thanos_objstore_bucket_*}, labels {@code bucket} and {@code operation}). That an object is not there is an answer, not a
 * failure. The time of a get runs until its stream is closed.
 */
public final class InstrumentedBucket implements Bucket {
    /** The metrics of all buckets of a process: one per registry. */
    public static final class Metrics {
        private final Counter operations;
        private final Counter failures;
        private final Histogram duration;
        private final Counter fetchedBytes;
        private final Histogram transferredBytes;
        private final Gauge lastUpload;

        /** Registers them. */
        public Metrics(PrometheusRegistry registry) {
            operations = Counter.builder().name("thanos_objstore_bucket_operations_total")
                    .help("Total number of all attempted operations against a bucket.").labelNames("bucket", "operation")
                    .register(registry);
            failures = Counter.builder().name("thanos_objstore_bucket_operation_failures_total")
                    .help("Total number of operations against a bucket that failed, but were not expected to fail in certain way.")
                    .labelNames("bucket", "operation").register(registry);
            duration = Histogram.builder().name("thanos_objstore_bucket_operation_duration_seconds").classicOnly()
                    .help("Duration of successful operations against the bucket per operation.").labelNames("bucket", "operation")
                    .classicUpperBounds(0.001, 0.01, 0.1, 0.3, 0.6, 1, 3, 6, 9, 20, 30, 60, 90, 120).register(registry);
            fetchedBytes = Counter.builder().name("thanos_objstore_bucket_operation_fetched_bytes_total")
                    .help("Total number of bytes fetched from bucket, per operation.").labelNames("bucket", "operation").register(registry);
            transferredBytes = Histogram.builder().name("thanos_objstore_bucket_operation_transferred_bytes").classicOnly()
                    .help("Number of bytes transferred from/to bucket per operation.").labelNames("bucket", "operation")
                    .classicUpperBounds(exponential(1 << 15, 16)).register(registry);
            lastUpload = Gauge.builder().name("thanos_objstore_bucket_last_successful_upload_time")
                    .help("Second timestamp of the last successful upload to the bucket.").labelNames("bucket").register(registry);
        }

        private static double[] exponential(double start, int count) {
            double[] bounds = new double[count];
            double bound = start;
            for (int i = 0; i < count; i++) {
                bounds[i] = bound;
                bound *= 2;
            }
            return bounds;
        }
    }

    @FunctionalInterface
    private interface Call<T> {
        T run() throws NoSuchObjectException;
    }

    private final Bucket bucket;
    private final Metrics metrics;
    private final String name;

    /** {@code bucket} with its operations in {@code metrics}; all series exist at once, so that alerts can divide by them. */
    public InstrumentedBucket(Bucket bucket, Metrics metrics) {
        this.bucket = bucket;
        this.metrics = metrics;
        this.name = bucket.name();
        for (BucketOperation operation : BucketOperation.values()) {
            metrics.operations.initLabelValues(name, operation.label());
            metrics.failures.initLabelValues(name, operation.label());
            metrics.duration.initLabelValues(name, operation.label());
        }
        metrics.fetchedBytes.initLabelValues(name, BucketOperation.GET.label());
        metrics.fetchedBytes.initLabelValues(name, BucketOperation.GET_RANGE.label());
        for (BucketOperation operation : new BucketOperation[]{BucketOperation.GET, BucketOperation.GET_RANGE, BucketOperation.UPLOAD}) {
            metrics.transferredBytes.initLabelValues(name, operation.label());
        }
        metrics.lastUpload.initLabelValues(name);
    }

    private <T> T timed(BucketOperation operation, Call<T> call) throws NoSuchObjectException {
        metrics.operations.labelValues(name, operation.label()).inc();
        long start = System.nanoTime();
        boolean answered = false;
        try {
            T result = call.run();
            answered = true;
            return result;
        } catch (NoSuchObjectException absent) {
            answered = true;
            throw absent;
        } finally {
            ended(operation, answered, start);
        }
    }

    private void timed(BucketOperation operation, Runnable call) {
        try {
            timed(operation, () -> {
                call.run();
                return operation;
            });
        } catch (NoSuchObjectException e) {
            throw new IllegalStateException(e);
        }
    }

    private void ended(BucketOperation operation, boolean answered, long startNanos) {
        if (answered) {
            metrics.duration.labelValues(name, operation.label()).observe((System.nanoTime() - startNanos) / 1e9);
        } else {
            metrics.failures.labelValues(name, operation.label()).inc();
        }
    }

    private void transferred(BucketOperation operation, long bytes, boolean fetched) {
        metrics.transferredBytes.labelValues(name, operation.label()).observe(bytes);
        if (fetched) {
            metrics.fetchedBytes.labelValues(name, operation.label()).inc(bytes);
        }
    }

    @Override
    public InputStream open(String key) throws NoSuchObjectException {
        metrics.operations.labelValues(name, BucketOperation.GET.label()).inc();
        long start = System.nanoTime();
        try {
            return new TimedStream(bucket.open(key), start);
        } catch (NoSuchObjectException absent) {
            ended(BucketOperation.GET, true, start);
            throw absent;
        } catch (RuntimeException e) {
            ended(BucketOperation.GET, false, start);
            throw e;
        }
    }

    @Override
    public byte[] readRange(String key, long offset, int length) throws NoSuchObjectException {
        byte[] bytes = timed(BucketOperation.GET_RANGE, () -> bucket.readRange(key, offset, length));
        transferred(BucketOperation.GET_RANGE, bytes.length, true);
        return bytes;
    }

    @Override
    public Optional<ObjectAttributes> find(String key) {
        try {
            return timed(BucketOperation.ATTRIBUTES, () -> bucket.find(key));
        } catch (NoSuchObjectException e) {
            throw new IllegalStateException(e);
        }
    }

    @Override
    public void list(String prefix, Consumer<String> keys) {
        timed(BucketOperation.ITER, () -> bucket.list(prefix, keys));
    }

    @Override
    public void listRecursive(String prefix, List<String> cuts, Consumer<ObjectAttributes> objects) {
        timed(BucketOperation.ITER, () -> bucket.listRecursive(prefix, cuts, objects));
    }

    @Override
    public void upload(String key, ObjectBody body) {
        timed(BucketOperation.UPLOAD, () -> bucket.upload(key, body));
        transferred(BucketOperation.UPLOAD, body.size(), false);
        metrics.lastUpload.labelValues(name).set(System.currentTimeMillis() / 1000.0);
    }

    @Override
    public void delete(String key) {
        timed(BucketOperation.DELETE, () -> bucket.delete(key));
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public void close() {
        bucket.close();
    }

    /** Ends the operation when it is closed; what was read and whether reading failed is known only then. */
    private final class TimedStream extends FilterInputStream {
        private final long startNanos;
        private final AtomicBoolean closed = new AtomicBoolean();
        private long bytes;
        private boolean failed;

        TimedStream(InputStream in, long startNanos) {
            super(in);
            this.startNanos = startNanos;
        }

        @Override
        public int read() throws IOException {
            try {
                int b = super.read();
                bytes += b < 0 ? 0 : 1;
                return b;
            } catch (IOException | RuntimeException e) {
                failed = true;
                throw e;
            }
        }

        @Override
        public int read(byte[] b, int off, int len) throws IOException {
            try {
                int n = super.read(b, off, len);
                bytes += Math.max(n, 0);
                return n;
            } catch (IOException | RuntimeException e) {
                failed = true;
                throw e;
            }
        }

        /** Handed on whole: from file to file the bytes need not come into this process. */
        @Override
        public long transferTo(OutputStream out) throws IOException {
            try {
                long n = in.transferTo(out);
                bytes += n;
                return n;
            } catch (IOException | RuntimeException e) {
                failed = true;
                throw e;
            }
        }

        @Override
        public void close() throws IOException {
            if (closed.compareAndSet(false, true)) {
                ended(BucketOperation.GET, !failed, startNanos);
                transferred(BucketOperation.GET, bytes, true);
            }
            super.close();
        }
    }
}

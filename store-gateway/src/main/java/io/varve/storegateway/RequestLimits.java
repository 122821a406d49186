package io.varve.storegateway;

import io.varve.model.LimitExceededException;
import java.util.concurrent.atomic.AtomicLong;

/** One request's counts against the limits of the process, in Thanos' words. Safe for many threads. */
final class RequestLimits {
    static final String SERIES = "store.limits.request-series";
    static final String SAMPLES = "store.limits.request-samples";
    static final String BYTES = "store.grpc.downloaded-bytes-limit";
    /** Samples that a chunk counts as. */
    static final long SAMPLES_PER_CHUNK = 120;

    /**
     * The limits, 0 for none.
     *
     * @param series series per request, counted in each block
     * @param samples samples per request
     * @param bytes bytes of postings, series and chunks per request
     */
    record Limits(long series, long samples, long bytes) {
    }

    private final Limits limits;
    private final long chunkLimit;
    private final AtomicLong series = new AtomicLong();
    private final AtomicLong chunks = new AtomicLong();
    private final AtomicLong bytes = new AtomicLong();

    RequestLimits(Limits limits) {
        this.limits = limits;
        this.chunkLimit = limits.samples == 0 ? 0 : Math.max(1, limits.samples / SAMPLES_PER_CHUNK);
    }

    /** Counts series. */
    void series(long n) {
        long now = series.addAndGet(n);
        if (limits.series > 0 && now > limits.series) {
            throw new LimitExceededException(SERIES,
                    "exceeded series limit: limit " + limits.series + " violated (got " + now + ")");
        }
    }

    /** Counts chunks. */
    void chunks(long n) {
        long now = chunks.addAndGet(n);
        if (chunkLimit > 0 && now > chunkLimit) {
            throw new LimitExceededException(SAMPLES,
                    "exceeded chunks limit: limit " + chunkLimit + " violated (got " + now + ")");
        }
    }

    /** Counts bytes that are about to be read. */
    void bytes(long n, String what) {
        long now = bytes.addAndGet(n);
        if (limits.bytes > 0 && now > limits.bytes) {
            throw new LimitExceededException(BYTES,
                    "exceeded bytes limit while fetching " + what + ": limit " + limits.bytes + " violated (got " + now + ")");
        }
    }

    long chunkCount() {
        return chunks.get();
    }
}

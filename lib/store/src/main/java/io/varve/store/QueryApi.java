package io.varve.store;

import io.varve.model.Labels;
import io.varve.model.Matcher;
import io.varve.model.QueryContext;
import io.varve.model.SampleBuffer;
import java.util.List;

/** Whole queries ({@code thanos.Query}); the same interface for both sides. Safe for many threads. All times of requests are seconds. */
public interface QueryApi {
    /** Evaluates at one instant: a sample or histogram per series; a scalar is one series without labels. */
    void query(QueryContext context, Instant request, Results results);

    /** Evaluates over a range. */
    void queryRange(QueryContext context, Range request, Results results);

    /** Which engine is asked for. In the order of the wire. */
    enum Engine {
        /** The server's default. */
        DEFAULT,
        /** Prometheus'. */
        PROMETHEUS,
        /** Thanos'. */
        THANOS
    }

    /** What both kinds of request have. */
    sealed interface Request {
        /** The query's text. */
        String query();

        /** What is the same for both kinds. */
        Options options();
    }

    /**
     * What is the same for both kinds of request.
     *
     * @param timeoutSeconds 0 for the server's default
     * @param maxResolutionSeconds coarsest resolution allowed, 0 for the server's default
     * @param replicaLabels labels that tell replicas apart, none for the server's
     * @param storeMatchers sets of matchers on stores' labels; any set admits a store; empty for all
     * @param lookbackDeltaSeconds 0 for the server's default
     * @param batchSize series per frame, 0 or 1 = one
     */
    record Options(long timeoutSeconds, long maxResolutionSeconds, List<String> replicaLabels, List<List<Matcher>> storeMatchers,
            boolean dedup, boolean partialResponse, boolean skipChunks, ShardInfo shard, long lookbackDeltaSeconds, Engine engine,
            long batchSize) {
    }

    /** An instant query; 0 seconds are now. */
    record Instant(String query, long timeSeconds, Options options) implements Request {
    }

    /** A range query; one of a single instant may have the interval 0. */
    record Range(String query, long startSeconds, long endSeconds, long intervalSeconds, Options options) implements Request {
    }

    /** Where results go. One thread. Calls block while the receiver is slow. */
    interface Results {
        /** A series; the samples may be reused by the caller after the call. */
        void series(Labels labels, SampleBuffer samples);

        /** A warning. */
        void warning(String text);

        /** Statistics; last. */
        void stats(long samplesTotal, long peakSamples);
    }
}

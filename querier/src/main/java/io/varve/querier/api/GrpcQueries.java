package io.varve.querier.api;

import io.grpc.Status;
import io.varve.model.CancelledException;
import io.varve.model.FloatHistogram;
import io.varve.model.InvalidRequestException;
import io.varve.model.Labels;
import io.varve.model.QueryContext;
import io.varve.model.SampleBuffer;
import io.varve.model.UnavailableException;
import io.varve.model.VarveException;
import io.varve.promql.QueryValue;
import io.varve.querier.dedup.DedupFunction;
import io.varve.querier.fanout.SourceOptions;
import io.varve.querier.fanout.StoreFilter;
import io.varve.store.QueryApi;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.concurrent.atomic.AtomicReference;

/** {@code thanos.Query}: whole queries over gRPC, as query-frontends and queriers above ask. Safe for many threads. */
public final class GrpcQueries implements QueryApi {
    private final QueryService queries;
    private final DedupFunction dedup;
    private final long maxSelectSeries;

    /** @param maxSelectSeries series at most that one selector may match, 0 = all */
    public GrpcQueries(QueryService queries, DedupFunction dedup, long maxSelectSeries) {
        this.queries = queries;
        this.dedup = dedup;
        this.maxSelectSeries = maxSelectSeries;
    }

    @Override
    public void query(QueryContext context, Instant request, Results results) {
        long t = millis(request.timeSeconds());
        withThanosCodes(() -> run(context, request, t, t, 0, results));
    }

    @Override
    public void queryRange(QueryContext context, Range request, Results results) {
        if (request.intervalSeconds() <= 0 || request.endSeconds() < request.startSeconds()) {
            throw new InvalidRequestException(
                    "a range query needs a positive interval and an end that is not before its start");
        }
        withThanosCodes(() -> run(context, request, millis(request.startSeconds()), millis(request.endSeconds()),
                millis(request.intervalSeconds()), results));
    }

    /** As far as the API's times go. */
    private static long millis(long seconds) {
        return Math.clamp(seconds, Params.MIN_TIME / 1000, Params.MAX_TIME / 1000) * 1000;
    }

    /** Queries that cannot be parsed have the code Unknown, as in Thanos. */
    public static void withThanosCodes(Runnable call) {
        try {
            call.run();
        } catch (InvalidRequestException e) {
            throw Status.UNKNOWN.withDescription(e.getMessage()).withCause(e).asRuntimeException();
        }
    }

    private void run(QueryContext context, Request request, long start, long end, long step, Results results) {
        Options o = request.options();
        SourceOptions source = new SourceOptions(o.dedup(), o.replicaLabels(), dedup, o.partialResponse(),
                Math.max(0, millis(o.maxResolutionSeconds())), new StoreFilter(o.storeMatchers()), o.shard(), maxSelectSeries, false,
                o.engine() == Engine.THANOS, "");
        long timeout = Math.min(context.remainingMillis(), o.timeoutSeconds() > 0 ? millis(o.timeoutSeconds()) : Long.MAX_VALUE);
        QuerySpec spec = new QuerySpec(request.query(), start, end, step, timeout == Long.MAX_VALUE ? 0 : Math.max(1, timeout),
                millis(o.lookbackDeltaSeconds()), source, false, false, "prometheus", context.tenant(), "grpc");
        AtomicReference<QueryContext> own = new AtomicReference<>();
        try {
            queries.run(spec, c -> {
                own.set(c);
                context.onCancel(() -> c.cancel(new CancelledException(CancelledException.Reason.CANCELED, "query was canceled")));
            }, outcome -> send(outcome, results));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (CancelledException e) {
            throw e;
        } catch (VarveException e) {
            // An instant query that fails is a warning where part of an answer is wanted, as in Thanos.
            if (step == 0 && o.partialResponse() && e instanceof UnavailableException) {
                results.warning(e.getMessage());
                return;
            }
            throw e;
        } finally {
            QueryContext c = own.get();
            if (c != null) {
                context.coverage().addAll(c.coverage());
            }
        }
    }

    private static void send(QueryService.Outcome outcome, Results results) {
        for (String w : outcome.call().context().warnings()) {
            results.warning(w);
        }
        outcome.result().warnings(0).forEach(results::warning);
        outcome.result().infos(0).forEach(results::warning);
        SampleBuffer b = new SampleBuffer(64);
        switch (outcome.result().value()) {
            case QueryValue.Scalar s -> {
                b.add(s.timestampMillis(), s.value());
                results.series(Labels.EMPTY, b);
            }
            case QueryValue.Text t -> {
                // The protocol has no place for a string.
            }
            case QueryValue.Vector v -> {
                for (QueryValue.Sample s : v.samples()) {
                    b.clear();
                    FloatHistogram h = s.histogram();
                    if (h == null) {
                        b.add(s.timestampMillis(), s.value());
                    } else {
                        b.add(s.timestampMillis(), h);
                    }
                    results.series(s.labels(), b);
                }
            }
            case QueryValue.Matrix m -> {
                for (QueryValue.Row r : m.rows()) {
                    b.clear();
                    int i = 0;
                    int j = 0;
                    while (i < r.floats().length || j < r.histograms().length) {
                        if (j >= r.histograms().length || i < r.floats().length && r.floatTimes()[i] < r.histogramTimes()[j]) {
                            b.add(r.floatTimes()[i], r.floats()[i]);
                            i++;
                        } else {
                            b.add(r.histogramTimes()[j], r.histograms()[j]);
                            j++;
                        }
                    }
                    results.series(r.labels(), b);
                }
            }
        }
        results.stats(outcome.result().stats().totalSamples(), outcome.result().stats().peakSamples());
    }
}

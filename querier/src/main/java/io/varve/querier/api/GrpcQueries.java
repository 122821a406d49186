package io.varve.querier.api;

import io.grpc.Status;
import io.varve.model.CancelledException;
import io.varve.model.CorruptDataException;
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
import io.varve.querier.fanout.StoreFailedException;
import io.varve.querier.fanout.StoreFilter;
import io.varve.store.QueryApi;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicReference;
import java.util.regex.Pattern;

/** {@code thanos.Query}: whole queries over gRPC, as query-frontends and queriers above ask. Safe for many threads. */
public final class GrpcQueries implements QueryApi {
    private final QueryService queries;
    /** Where a note of the engine stands in the query; texts over gRPC are without it. */
    private static final Pattern POSITION = Pattern.compile(" \\(\\d+:\\d+\\)$");
    private final DedupFunction dedup;
    private final Defaults defaults;
    private final long maxSelectSeries;

    /**
     * What holds where a request says nothing.
     *
     * @param replicaLabels the labels that tell replicas apart
     * @param maxResolutionMillis coarsest data allowed
     */
    public record Defaults(List<String> replicaLabels, long maxResolutionMillis) {
        /** Copies the list. */
        public Defaults {
            replicaLabels = List.copyOf(replicaLabels);
        }
    }

    /** @param maxSelectSeries series at most that one selector may match, 0 = all */
    public GrpcQueries(QueryService queries, DedupFunction dedup, Defaults defaults, long maxSelectSeries) {
        this.queries = queries;
        this.dedup = dedup;
        this.defaults = defaults;
        this.maxSelectSeries = maxSelectSeries;
    }

    @Override
    public void query(QueryContext context, Instant request, Results results) {
        long t = request.timeSeconds() == 0 ? System.currentTimeMillis() : millis(request.timeSeconds());
        withThanosCodes(() -> run(context, request, t, t, 0, results));
    }

    @Override
    public void queryRange(QueryContext context, Range request, Results results) {
        // One instant needs no interval: it is evaluated as an instant query then, as in Prometheus' engine.
        boolean instant = request.intervalSeconds() == 0 && request.endSeconds() == request.startSeconds();
        if (!instant && (request.intervalSeconds() <= 0 || request.endSeconds() < request.startSeconds())) {
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
    public static void unknownWhereUnparsable(Runnable call) {
        try {
            call.run();
        } catch (InvalidRequestException e) {
            if (e.kind() == InvalidRequestException.Kind.EXECUTION) {
                throw e;
            }
            throw Status.UNKNOWN.withDescription(e.getMessage()).withCause(e).asRuntimeException();
        }
    }

    /** Those that fail later have the code Aborted. */
    private static void withThanosCodes(Runnable call) {
        try {
            unknownWhereUnparsable(call);
        } catch (InvalidRequestException | UnavailableException | CorruptDataException e) {
            String text = StoreFailedException.is(e) ? "expanding series: proxy Series(): " + StoreFailedException.text(e) : e.getMessage();
            throw Status.ABORTED.withDescription(text).withCause(e).asRuntimeException();
        }
    }

    /** Only the address is known of a store here; other labels select nothing and drop nothing, as at HTTP. */
    private static StoreFilter stores(Options o) {
        return new StoreFilter(o.storeMatchers().stream()
                .map(set -> set.stream().filter(m -> m.name().equals(StoreFilter.ADDRESS)).toList()).toList());
    }

    private void run(QueryContext context, Request request, long start, long end, long step, Results results) {
        Options o = request.options();
        long resolution = o.maxResolutionSeconds() == 0 ? defaults.maxResolutionMillis() : Math.max(0, millis(o.maxResolutionSeconds()));
        SourceOptions source = new SourceOptions(o.dedup(), o.replicaLabels().isEmpty() ? defaults.replicaLabels() : o.replicaLabels(),
                dedup, o.partialResponse(), resolution, stores(o), o.shard(), maxSelectSeries, false, o.engine() == Engine.THANOS, "");
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
        } catch (ApiException e) {
            throw Status.UNAVAILABLE.withDescription(e.getMessage()).withCause(e).asRuntimeException();
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
        Set<String> warnings = new LinkedHashSet<>(outcome.call().context().warnings());
        outcome.result().warnings().forEach(w -> warnings.add(POSITION.matcher(w).replaceFirst("")));
        outcome.result().infos().forEach(w -> warnings.add(POSITION.matcher(w).replaceFirst("")));
        if (!warnings.isEmpty()) {
            results.warning(String.join(", ", warnings));
        }
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

package io.varve.querier.fanout;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.model.Labels;
import io.varve.model.LimitExceededException;
import io.varve.model.Matcher;
import io.varve.model.QueryContext;
import io.varve.runtime.Dns;
import io.varve.store.LabelNamesRequest;
import io.varve.store.LabelValuesRequest;
import io.varve.store.SeriesRequest;
import io.varve.store.SeriesSink;
import io.varve.store.ShardInfo;
import io.varve.store.StoreClient;
import io.varve.store.StoreInfo;
import io.varve.store.StoreSeries;
import io.varve.store.StringsResponse;
import java.util.List;
import java.util.Set;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A stream that ends in the middle has not ended well, even where part of an answer is wanted and the store is not to blame. */
@Timeout(60)
class StreamFailureTest {
    /** Sends one series, then fails as told. */
    private record Failing(Supplier<Throwable> why) implements StoreClient {
        @Override
        public StoreInfo info(QueryContext context) {
            return new StoreInfo("store", List.of(), new StoreInfo.StoreSpan(Long.MIN_VALUE, Long.MAX_VALUE, true, true, List.of()),
                    Set.of());
        }

        @Override
        public SeriesStream series(QueryContext context, SeriesRequest request) {
            return new SeriesStream() {
                private int n;

                @Override
                public Frame next(long timeoutMillis) {
                    if (n++ == 0) {
                        return new Frame.OfSeries(new StoreSeries(Labels.of("__name__", "m"), List.of()));
                    }
                    Throwable t = why.get();
                    if (t instanceof Error e) {
                        throw e;
                    }
                    throw (RuntimeException) t;
                }

                @Override
                public void close() {
                }
            };
        }

        @Override
        public StringsResponse labelNames(QueryContext context, LabelNamesRequest request) {
            throw new IllegalStateException("not asked");
        }

        @Override
        public StringsResponse labelValues(QueryContext context, LabelValuesRequest request) {
            throw new IllegalStateException("not asked");
        }

        @Override
        public void close() {
        }
    }

    private static void ask(Throwable why) throws Exception {
        try (EndpointSet set = new EndpointSet(List.of(new EndpointSet.Spec("a:1", false, false)),
                new EndpointSet.Config(5000, 5000, 30_000, 300_000, 120_000, List.of("store_type")), Dns.SYSTEM,
                x -> Peer.of(new Failing(() -> why)), l -> l, new PrometheusRegistry()); QueryContext c = QueryContext.unlimited()) {
            set.awaitFirst(10_000);
            Fanout fanout = new Fanout(set, List.of(), 0, new PrometheusRegistry());
            fanout.series(c, new SeriesRequest(0, 1, List.of(Matcher.equal("__name__", "m")), 0, Set.of(), true, true, List.of(), List.of(),
                    ShardInfo.NONE, 0, 64, SeriesRequest.Spans.ALL), new SeriesSink() {
                        @Override
                        public void series(StoreSeries series) {
                        }

                        @Override
                        public void warning(String text) {
                        }

                        @Override
                        public void queriedBlocks(List<String> ids) {
                        }
                    });
        }
    }

    @Test
    void anErrorOfTheJvm() {
        assertThatThrownBy(() -> ask(new StackOverflowError("too deep"))).isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("too deep");
    }

    @Test
    void theQuerysMemoryWhereverItWasWanted() {
        LimitExceededException own = new LimitExceededException("query.max-memory", "no memory left for frames");
        assertThatThrownBy(() -> ask(own)).isSameAs(own);
    }
}

package io.varve.querier.fanout;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.chunk.Chunk;
import io.varve.chunk.Encoding;
import io.varve.model.CancelledException;
import io.varve.model.Labels;
import io.varve.model.LimitExceededException;
import io.varve.model.Matcher;
import io.varve.model.MemoryBudget;
import io.varve.model.QueryContext;
import io.varve.querier.api.Budgets;
import io.varve.runtime.Dns;
import io.varve.store.LabelNamesRequest;
import io.varve.store.LabelValuesRequest;
import io.varve.store.SeriesRequest;
import io.varve.store.SeriesSink;
import io.varve.store.ShardInfo;
import io.varve.store.StoreChunk;
import io.varve.store.StoreClient;
import io.varve.store.StoreInfo;
import io.varve.store.StoreSeries;
import io.varve.store.StringsResponse;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A stream that ends in the middle has not ended well, even where part of an answer is wanted and the store is not to blame. */
@Timeout(60)
class StreamFailureTest {
    /** Sends frames as told, which may fail. */
    private record Scripted(IntFunction<SeriesStream.Frame> frames) implements StoreClient {
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
                public @Nullable Frame next(long timeoutMillis) {
                    context.check();
                    return frames.apply(n++);
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

    private static StoreClient.SeriesStream.Frame series(StoreChunk... chunks) {
        return new StoreClient.SeriesStream.Frame.OfSeries(new StoreSeries(Labels.of("__name__", "m"), List.of(chunks)));
    }

    private static StoreChunk chunk(long from, long to) {
        Chunk c = Chunk.of(from, to, Encoding.XOR, new byte[1000]);
        return new StoreChunk(from, to, c, null, null, null, null, null);
    }

    /** One series, then that. */
    private static void ask(Throwable why) throws Exception {
        ask(QueryContext.unlimited(), n -> {
            if (n == 0) {
                return series();
            }
            if (why instanceof Error e) {
                throw e;
            }
            throw (RuntimeException) why;
        });
    }

    private static List<StoreSeries> ask(QueryContext context, IntFunction<StoreClient.SeriesStream.Frame> frames) throws Exception {
        List<StoreSeries> got = new ArrayList<>();
        try (EndpointSet set = new EndpointSet(List.of(new EndpointSet.Spec("a:1", false, false)),
                new EndpointSet.Config(5000, 5000, 30_000, 300_000, 120_000, List.of("store_type")), Dns.SYSTEM,
                x -> Peer.of(new Scripted(frames)), l -> l, new PrometheusRegistry()); QueryContext c = context) {
            set.awaitFirst(10_000);
            Fanout fanout = new Fanout(set, List.of(), 0, new PrometheusRegistry());
            fanout.series(c, new SeriesRequest(0, 1, List.of(Matcher.equal("__name__", "m")), 0, Set.of(), true, true, List.of(), List.of(),
                    ShardInfo.NONE, 0, 64, SeriesRequest.Spans.ALL), new SeriesSink() {
                        @Override
                        public void series(StoreSeries series) {
                            got.add(series);
                        }

                        @Override
                        public void warning(String text) {
                        }

                        @Override
                        public void queriedBlocks(List<String> ids) {
                        }
                    });
        }
        return got;
    }

    @Test
    void aSeriesWithoutEndIsBoundByTheQuerysMemoryAndTime() {
        QueryContext small = new QueryContext(0, new Budgets(10 << 20, 0, 1).open());
        assertThatThrownBy(() -> ask(small, n -> series(chunk(n, n)))).isInstanceOf(LimitExceededException.class);
        QueryContext large = new QueryContext(500, MemoryBudget.UNLIMITED);
        StoreChunk same = chunk(0, 1);
        assertThatThrownBy(() -> ask(large, n -> series(same))).isInstanceOf(CancelledException.class);
    }

    @Test
    void warningsWithoutEndAreBoundByTheQuerysMemoryAndTheSameOneIsToldOnce() throws Exception {
        QueryContext small = new QueryContext(0, new Budgets(10 << 20, 0, 1).open());
        assertThatThrownBy(() -> ask(small, n -> new StoreClient.SeriesStream.Frame.OfWarning("warning " + n)))
                .isInstanceOf(LimitExceededException.class);
        QueryContext c = QueryContext.unlimited();
        ask(c, n -> n < 100_000 ? new StoreClient.SeriesStream.Frame.OfWarning("w" + n % 20) : null);
        assertThat(c.warnings()).hasSize(20);
        assertThat(c.coverage().parts()).singleElement().satisfies(p -> assertThat(p.detail()).endsWith("; w9; and 10 more"));
    }

    @Test
    void aChunkThatEndsBeforeItBeginsIsItsStoresFailure() throws Exception {
        QueryContext c = QueryContext.unlimited();
        assertThat(ask(c, n -> n == 0 ? series(chunk(2, 1)) : null)).isEmpty();
        assertThat(c.warnings()).singleElement().asString()
                .contains("store a:1 sent {__name__=\"m\"} with a chunk that begins at 2 and ends at 1");
        assertThat(c.coverage().complete()).isFalse();
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

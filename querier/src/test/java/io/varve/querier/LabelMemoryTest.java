package io.varve.querier;

import static org.assertj.core.api.Assertions.assertThat;

import io.varve.model.Labels;
import io.varve.model.QueryContext;
import io.varve.runtime.grpc.GrpcServer;
import io.varve.store.LabelNamesRequest;
import io.varve.store.LabelValuesRequest;
import io.varve.store.SeriesRequest;
import io.varve.store.SeriesSink;
import io.varve.store.Store;
import io.varve.store.StoreInfo;
import io.varve.store.StringsResponse;
import java.net.http.HttpResponse;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Names and values of labels take memory of the query that asks for them. */
class LabelMemoryTest {
    private static final int VALUES = 10_000;

    /** Many values, the same in each of its kind. */
    private record Wide(String replica) implements Store {
        @Override
        public StoreInfo info() {
            return new StoreInfo("store", List.of(Labels.of("replica", replica)),
                    new StoreInfo.StoreSpan(Long.MIN_VALUE, Long.MAX_VALUE, true, true, List.of()), Set.of());
        }

        @Override
        public void series(QueryContext context, SeriesRequest request, SeriesSink sink) {
            throw new IllegalStateException("labels alone are asked for");
        }

        @Override
        public StringsResponse labelNames(QueryContext context, LabelNamesRequest request) {
            return texts();
        }

        @Override
        public StringsResponse labelValues(QueryContext context, LabelValuesRequest request) {
            return texts();
        }

        private static StringsResponse texts() {
            return new StringsResponse(IntStream.range(0, VALUES).mapToObj(i -> String.format("value_%06d", i)).toList(), List.of(),
                    List.of());
        }
    }

    private static HttpResponse<String> ask(TestQuerier querier, String path) throws Exception {
        while (true) {
            HttpResponse<String> r = querier.get(path);
            if (r.statusCode() != 200 || TestQuerier.coverage(r).startsWith("complete=true")) {
                return r;
            }
        }
    }

    private static TestQuerier querier(GrpcServer a, GrpcServer b, String limit) throws Exception {
        return new TestQuerier("--query.replica-label=replica", "--endpoint=" + a.address(), "--endpoint=" + b.address(),
                "--query.max-memory-per-query=" + limit);
    }

    @Test
    void whatDoesNotFitIsRefusedByTheLimitsName() throws Exception {
        try (GrpcServer a = TestQuerier.serve(new Wide("a")); GrpcServer b = TestQuerier.serve(new Wide("b"))) {
            try (TestQuerier small = querier(a, b, "500KiB")) {
                for (String path : List.of("/api/v1/labels", "/api/v1/label/x/values")) {
                    HttpResponse<String> r = ask(small, path);
                    assertThat(r.statusCode()).as(r.body()).isEqualTo(422);
                    assertThat(r.body()).contains("names and values of labels", "--query.max-memory-per-query");
                }
            }
            try (TestQuerier enough = querier(a, b, "8MiB")) {
                assertThat(TestQuerier.data(ask(enough, "/api/v1/label/x/values"))).hasSize(VALUES);
                assertThat(enough.get("/metrics").body()).contains("\nvarve_query_memory_used_bytes 0");
            }
        }
    }
}

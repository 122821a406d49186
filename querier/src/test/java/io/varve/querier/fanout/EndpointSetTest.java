package io.varve.querier.fanout;

import static org.assertj.core.api.Assertions.assertThat;

import io.prometheus.metrics.expositionformats.PrometheusTextFormatWriter;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.model.Labels;
import io.varve.model.QueryContext;
import io.varve.model.UnavailableException;
import io.varve.runtime.Dns;
import io.varve.store.LabelNamesRequest;
import io.varve.store.LabelValuesRequest;
import io.varve.store.SeriesRequest;
import io.varve.store.StoreClient;
import io.varve.store.StoreInfo;
import io.varve.store.StringsResponse;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import java.util.function.Function;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Endpoints that come, go, hang and change, and names behind which they are. */
class EndpointSetTest {
    private final PrometheusRegistry registry = new PrometheusRegistry();
    private final Map<String, Fake> fakes = new ConcurrentHashMap<>();
    private final Map<String, Function<String, List<String>>> names = new ConcurrentHashMap<>();
    private final CountDownLatch over = new CountDownLatch(1);
    private final List<EndpointSet> sets = new ArrayList<>();

    /** An endpoint that says what it is told to say. */
    private static final class Fake implements StoreClient {
        volatile Function<QueryContext, StoreInfo> answer;
        volatile boolean closed;
        final AtomicInteger reconnects = new AtomicInteger();

        Fake(Function<QueryContext, StoreInfo> answer) {
            this.answer = answer;
        }

        @Override
        public StoreInfo info(QueryContext context) {
            return answer.apply(context);
        }

        @Override
        public SeriesStream series(QueryContext context, SeriesRequest request) {
            throw new UnsupportedOperationException();
        }

        @Override
        public StringsResponse labelNames(QueryContext context, LabelNamesRequest request) {
            throw new UnsupportedOperationException();
        }

        @Override
        public StringsResponse labelValues(QueryContext context, LabelValuesRequest request) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void reconnect(long millis) {
            reconnects.incrementAndGet();
        }

        @Override
        public void close() {
            closed = true;
        }
    }

    private final Dns dns = new Dns() {
        @Override
        public List<String> addresses(String host) {
            Function<String, List<String>> f = names.get(host);
            if (f == null) {
                throw new UnavailableException("lookup IP addresses \"" + host + "\": no such host");
            }
            return f.apply(host);
        }

        @Override
        public List<String> services(String name) {
            return List.of();
        }
    };

    private static StoreInfo info(String component, Labels... sets) {
        return new StoreInfo(component, List.of(sets), new StoreInfo.StoreSpan(1, 2, true, true, List.of()), Set.of());
    }

    private void fake(String address, Function<QueryContext, StoreInfo> answer) {
        fakes.put(address, new Fake(answer));
    }

    private Fake fake(String address) {
        return java.util.Objects.requireNonNull(fakes.get(address));
    }

    private EndpointSet set(long closeMillis, EndpointSet.Spec... specs) {
        EndpointSet set = new EndpointSet(List.of(specs),
                new EndpointSet.Config(500, 50, 50, 60_000, closeMillis, List.of("external_labels", "store_type")), dns,
                a -> Peer.of(fakes.computeIfAbsent(a, k -> new Fake(c -> info("store")))), l -> l, registry);
        sets.add(set);
        return set;
    }

    private static EndpointSet.Spec spec(String address) {
        return new EndpointSet.Spec(address, false, false);
    }

    private static void until(BooleanSupplier so) throws InterruptedException {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        while (!so.getAsBoolean()) {
            assertThat(System.nanoTime()).isLessThan(end);
            Thread.sleep(5);
        }
    }

    private static EndpointSet.Status status(EndpointSet set, String address) {
        return set.now().statuses().stream().filter(s -> s.address().equals(address)).findFirst().orElseThrow();
    }

    private String metrics() throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        PrometheusTextFormatWriter.create().write(out, registry.scrape());
        return out.toString(StandardCharsets.UTF_8);
    }

    @AfterEach
    void close() {
        over.countDown();
        sets.forEach(EndpointSet::close);
    }

    @Test
    void aNameServerThatHangsKeepsNobodyElseWaiting() throws Exception {
        names.put("silent", h -> {
            try {
                over.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            return List.of();
        });
        names.put("known", h -> List.of("10.0.0.1"));
        EndpointSet set = set(60_000, spec("dns+silent:1"), spec("here:1"), spec("dns+known:1"));
        until(() -> set.now().stores().size() == 2);
        fake("here:1").answer = c -> {
            throw new UnavailableException("gone");
        };
        until(() -> set.now().stores().size() == 1);
        assertThat(set.now().missing()).extracting(EndpointSet.Missing::address).containsExactlyInAnyOrder("dns+silent:1", "here:1");
        names.put("known", h -> List.of("10.0.0.1", "10.0.0.2"));
        until(() -> set.now().stores().size() == 2);
        assertThat(metrics()).contains("thanos_query_endpoints_dns_provider_results{addr=\"dns+known:1\"} 2.0");
    }

    @Test
    void everyNameIsLookedUpBeforeTheFirstRoundIsOver() throws Exception {
        names.put("known", h -> {
            try {
                Thread.sleep(200);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            return List.of("10.0.0.1");
        });
        EndpointSet set = set(60_000, spec("here:1"), spec("dns+known:1"));
        set.awaitFirst(20_000);
        assertThat(set.now().stores()).hasSize(2);
        assertThat(set.now().missing()).isEmpty();
    }

    @Test
    void whoHangsFailsByTheDeadlineAndItsLastCheckIsTheLastThatSucceeded() throws Exception {
        fake("a:1", c -> info("sidecar", Labels.of("x", "y")));
        fake("never:1", c -> {
            throw new UnavailableException("not there");
        });
        EndpointSet set = set(60_000, spec("a:1"), new EndpointSet.Spec("never:1", true, false));
        set.awaitFirst(20_000);
        fake("a:1").answer = c -> {
            try {
                Thread.sleep(c.remainingMillis() + 1);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            c.check();
            return info("sidecar");
        };
        until(() -> status(set, "a:1").lastError() != null);
        EndpointSet.Status first = status(set, "a:1");
        assertThat(first.lastError()).isEqualTo("rpc error: code = DeadlineExceeded desc = context deadline exceeded");
        until(() -> fake("a:1").reconnects.get() > 1);
        assertThat(status(set, "a:1").lastCheckMillis()).isEqualTo(first.lastCheckMillis());
        assertThat(status(set, "a:1").labelSets()).containsExactly(Labels.of("x", "y"));
        assertThat(status(set, "never:1").lastCheckMillis()).isEqualTo(Long.MIN_VALUE);
        assertThat(status(set, "never:1").component()).isEqualTo("unknown-store-api");
        fake("a:1").answer = c -> info("sidecar");
        until(() -> status(set, "a:1").lastError() == null);
        assertThat(status(set, "a:1").lastCheckMillis()).isGreaterThan(first.lastCheckMillis());
    }

    @Test
    void oddAnswersAreShownAndCountedAsThanosDoes() throws Exception {
        fake("bare:1", c -> info("store"));
        fake("empty:1", c -> info("sidecar", Labels.of("x", "y"), Labels.EMPTY));
        fake("odd:1", c -> info("nonsense", Labels.of("n", "é".repeat(2000))));
        EndpointSet set = set(60_000, spec("bare:1"), spec("empty:1"), spec("odd:1"));
        set.awaitFirst(20_000);
        assertThat(status(set, "empty:1").labelSets()).containsExactly(Labels.of("x", "y"));
        assertThat(status(set, "odd:1").component()).isEqualTo("unknown-store-api");
        assertThat(metrics())
                .contains("thanos_store_nodes_grpc_connections{external_labels=\"no_external_labels\",store_type=\"store\"} 1.0")
                .contains("thanos_store_nodes_grpc_connections{external_labels=\"{x=\\\"y\\\"}\",store_type=\"sidecar\"} 1.0")
                .containsPattern(
                        "thanos_store_nodes_grpc_connections\\{external_labels=\"\\{n=\\\\\"é{900,999}}\",store_type=\"unknown-store-api\"} 1.0");
    }

    @Test
    void whatIsConfiguredTwiceIsOneEndpointAndStrictIfEitherIs() throws Exception {
        names.put("known", h -> List.of("10.0.0.1"));
        fake("10.0.0.1:1", c -> {
            throw new UnavailableException("down");
        });
        EndpointSet set = set(60_000, spec("10.0.0.1:1"), spec("10.0.0.1:1"), spec("dns+known:1"), spec("dns+known:1"),
                new EndpointSet.Spec("10.0.0.1:1", true, false));
        set.awaitFirst(20_000);
        assertThat(set.now().stores()).singleElement().satisfies(s -> assertThat(s.strict()).isTrue());
        assertThat(metrics()).doesNotContain("thanos_query_duplicated_endpoint_addresses_total 0.0");
    }

    @Test
    void callsToAnEndpointThatIsTakenAwayMayEnd() throws Exception {
        names.put("known", h -> List.of("10.0.0.1"));
        fake("10.0.0.1:1", c -> info("store"));
        EndpointSet set = set(600, spec("dns+known:1"));
        set.awaitFirst(20_000);
        names.put("known", h -> List.of("10.0.0.2"));
        until(() -> set.now().stores().stream().anyMatch(s -> s.address().equals("10.0.0.2:1")));
        assertThat(set.now().stores()).hasSize(1);
        assertThat(fake("10.0.0.1:1").closed).isFalse();
        until(() -> fake("10.0.0.1:1").closed);
    }

    @Test
    void aQuerierAnnouncesWhatEachStreamHasAndFromWhenOn() throws Exception {
        StoreInfo.TsdbInfo old = new StoreInfo.TsdbInfo(Labels.of("x", "old"), 1, 50);
        StoreInfo.TsdbInfo young = new StoreInfo.TsdbInfo(Labels.of("x", "young"), 40, 90);
        fake("many:1", c -> new StoreInfo("store", List.of(old.labels(), young.labels()),
                new StoreInfo.StoreSpan(1, 90, true, true, List.of(old, young)), Set.of()));
        fake("plain:1", c -> info("sidecar", Labels.of("x", "plain")));
        EndpointSet set = set(60_000, spec("many:1"), spec("plain:1"));
        set.awaitFirst(20_000);
        StoreInfo.StoreSpan span = new Fanout(set, List.of(), 0, new PrometheusRegistry()).info().store();
        assertThat(span).isNotNull();
        assertThat(span.tsdbs()).containsExactly(old, young, new StoreInfo.TsdbInfo(Labels.of("x", "plain"), 1, 2));
    }
}

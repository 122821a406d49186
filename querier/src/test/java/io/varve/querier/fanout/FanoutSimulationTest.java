package io.varve.querier.fanout;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.model.Coverage;
import io.varve.model.Labels;
import io.varve.model.Matcher;
import io.varve.model.MemoryBudget;
import io.varve.model.QueryContext;
import io.varve.model.SampleBuffer;
import io.varve.model.SelectHints;
import io.varve.model.Series;
import io.varve.model.SeriesSet;
import io.varve.model.TimeRange;
import io.varve.model.VarveException;
import io.varve.querier.dedup.DedupFunction;
import io.varve.runtime.Dns;
import io.varve.store.ShardInfo;
import io.varve.testkit.Seeds;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

/** Many stores, some of them broken: an answer without warnings is whole and right, and every fault is in the coverage report. */
class FanoutSimulationTest {
    private static final long T0 = 1_780_000_200_000L;

    private record World(Map<String, MemoryStore> stores, Fanout fanout, EndpointSet endpoints) implements AutoCloseable {
        @Override
        public void close() {
            endpoints.close();
        }
    }

    private static World world(Map<String, MemoryStore> stores, long frameTimeoutMillis) throws InterruptedException {
        List<EndpointSet.Spec> specs = new ArrayList<>();
        stores.keySet().forEach(a -> specs.add(new EndpointSet.Spec(a, false, false)));
        EndpointSet set = new EndpointSet(specs, new EndpointSet.Config(5000, 5000, 30_000, 300_000, 120_000, List.of("store_type")),
                Dns.SYSTEM,
                a -> Peer.of(Objects.requireNonNull(stores.get(a)).client(a)), l -> l, new PrometheusRegistry());
        set.awaitFirst(10_000);
        long end = System.nanoTime() + 5_000_000_000L;
        while (set.now().stores().size() < stores.size() && System.nanoTime() < end) {
            Thread.onSpinWait();
        }
        return new World(stores, new Fanout(set, List.of(), frameTimeoutMillis, new PrometheusRegistry()), set);
    }

    private static SampleBuffer samples(long from, int n, double base) {
        SampleBuffer b = new SampleBuffer(n);
        for (int i = 0; i < n; i++) {
            b.add(from + i * 15_000L, base + i);
        }
        return b;
    }

    private static SourceOptions options(boolean partial, DedupFunction f) {
        return new SourceOptions(true, List.of("replica"), f, partial, 0, StoreFilter.ALL, ShardInfo.NONE, 0, false, false, "");
    }

    private static Map<Labels, List<Double>> read(World w, QueryContext c, SourceOptions o, long min, long max, Matcher... matchers) {
        Map<Labels, List<Double>> out = new TreeMap<>();
        Labels last = null;
        try (SeriesSet set = new StoreSource(w.fanout, new ResolutionProbe(), o, null, StoreSource.Observer.NONE).select(c,
                SelectHints.of(min, max), List.of(matchers))) {
            Series s;
            while ((s = set.next()) != null) {
                if (last != null) {
                    assertThat(s.labels()).isGreaterThan(last);
                }
                last = s.labels();
                SampleBuffer b = new SampleBuffer(16);
                s.read(b);
                List<Double> values = new ArrayList<>();
                for (int i = 0; i < b.size; i++) {
                    values.add((double) b.timestamps[i]);
                    values.add(b.values[i]);
                }
                out.put(s.labels(), values);
            }
        }
        return out;
    }

    private static Map<String, MemoryStore> stores(RandomGenerator rng, Map<Labels, SampleBuffer> truth) {
        Map<String, MemoryStore> out = new HashMap<>();
        int clusters = 1 + rng.nextInt(3);
        for (int c = 0; c < clusters; c++) {
            int series = rng.nextInt(200);
            for (int r = 0; r < 1 + rng.nextInt(3); r++) {
                MemoryStore s = new MemoryStore(Labels.of("cluster", "c" + c, "replica", "r" + r), rng.nextInt(4) > 0);
                for (int i = 0; i < series; i++) {
                    // Names that sort before and after "replica", some missing: the order changes when the label goes.
                    Labels l = Labels.of("__name__", "m", "a", i % 3 == 0 ? "" : "x" + i % 7, "z", i % 5 == 0 ? "" : "y" + i, "i", "" + i);
                    SampleBuffer b = samples(T0, 20 + i % 300, i);
                    s.add(l, b);
                    truth.put(l.overriddenBy(Labels.of("cluster", "c" + c)), b);
                }
                out.put("store-" + c + "-" + r + ":1", s);
            }
        }
        return out;
    }

    private static Map<Labels, List<Double>> expected(Map<Labels, SampleBuffer> truth) {
        Map<Labels, List<Double>> out = new TreeMap<>();
        truth.forEach((l, b) -> {
            List<Double> values = new ArrayList<>();
            for (int i = 0; i < b.size; i++) {
                values.add((double) b.timestamps[i]);
                values.add(b.values[i]);
            }
            out.put(l, values);
        });
        return out;
    }

    private static Map<Labels, List<Double>> of(String cluster, Map<Labels, List<Double>> all) {
        Map<Labels, List<Double>> out = new TreeMap<>(all);
        out.keySet().removeIf(l -> !l.get("cluster").equals(cluster));
        return out;
    }

    @Test
    void anAnswerWithoutWarningsIsWholeAndRightAndEveryFaultIsSeen() {
        Seeds.forEach(60, rng -> {
            Map<Labels, SampleBuffer> truth = new TreeMap<>();
            Map<String, MemoryStore> stores = stores(rng, truth);
            try (World w = world(stores, 500)) {
                boolean partial = rng.nextBoolean();
                DedupFunction f = DedupFunction.values()[rng.nextInt(3)];
                List<String> broken = new ArrayList<>();
                AtomicBoolean cut = new AtomicBoolean();
                stores.forEach((address, s) -> {
                    MemoryStore.Fault fault = rng.nextInt(3) > 0
                            ? MemoryStore.Fault.NONE
                            : MemoryStore.Fault.values()[1 + rng.nextInt(MemoryStore.Fault.values().length - 1)];
                    s.fault(fault);
                    if (fault != MemoryStore.Fault.NONE && fault != MemoryStore.Fault.TWICE && fault != MemoryStore.Fault.SLOW) {
                        broken.add(address);
                    }
                    cut.compareAndSet(false, fault == MemoryStore.Fault.CUT_CHUNK);
                });
                try (QueryContext c = new QueryContext(20_000, MemoryBudget.UNLIMITED)) {
                    Map<Labels, List<Double>> got;
                    try {
                        got = read(w, c, options(partial, f), T0, T0 + 86_400_000, Matcher.equal("__name__", "m"));
                    } catch (VarveException e) {
                        // Half a chunk is found out when it is decoded: with Thanos' merges the end of the query, as there.
                        assertThat(partial).isEqualTo(partial && cut.get() && f != DedupFunction.VARVE);
                        assertThat(broken).isNotEmpty();
                        return;
                    }
                    if (c.warnings().isEmpty()) {
                        assertThat(c.coverage().complete()).isTrue();
                        assertThat(got).isEqualTo(expected(truth));
                    } else {
                        assertThat(partial).isTrue();
                        assertThat(c.coverage().complete()).isFalse();
                        for (Coverage.Part p : c.coverage().parts()) {
                            if (p.outcome() != Coverage.Outcome.ANSWERED) {
                                assertThat(broken).contains(p.store());
                            }
                        }
                        got.forEach((l, v) -> assertThat(expected(truth)).containsKey(l));
                    }
                    for (String b : broken) {
                        boolean seen = c.coverage().parts().stream()
                                .anyMatch(p -> p.store().equals(b) && p.outcome() != Coverage.Outcome.ANSWERED);
                        // A store that has fewer than two series cannot send them in a wrong order, nor cut a chunk where it has none.
                        String cluster = "c" + b.split("-")[1];
                        assertThat(seen || of(cluster, got).equals(of(cluster, expected(truth))))
                                .as("fault of %s is not in the coverage report", b).isTrue();
                    }
                }
            }
        });
    }

    @Test
    void replicasBecomeOneWhereverTheirLabelStands() throws Exception {
        // The replica label inside series, as with remote write, and no external one.
        MemoryStore s = new MemoryStore(Labels.of("receive", "0"), true);
        for (String r : List.of("a", "b")) {
            for (int i = 0; i < 50; i++) {
                s.add(Labels.of("__name__", "m", "i", "" + i, "replica", r), samples(T0 + (r.equals("a") ? 0 : 5000), 200, i));
            }
        }
        try (World w = world(Map.of("receive:1", s), 0); QueryContext c = QueryContext.unlimited()) {
            Map<Labels, List<Double>> got = read(w, c, options(true, DedupFunction.VARVE), T0, T0 + 86_400_000,
                    Matcher.equal("__name__", "m"));
            assertThat(got).hasSize(50);
            // One replica leads alone where it has no gap; at its end the other, which goes on for five seconds more, stands in for its last sample.
            List<Double> leader = Objects.requireNonNull(expected(Map.of(Labels.EMPTY, samples(T0, 200, 7))).get(Labels.EMPTY));
            List<Double> one = Objects.requireNonNull(got.get(Labels.of("__name__", "m", "i", "7", "receive", "0")));
            assertThat(one).hasSize(400);
            assertThat(one.subList(0, 398)).isEqualTo(leader.subList(0, 398));
            assertThat(one.get(398)).isEqualTo(leader.get(398) + 5000);
        }
    }

    @Test
    void aLimitCountsSeriesAndNotTheirReplicas() throws Exception {
        for (boolean removes : List.of(true, false)) {
            MemoryStore s = new MemoryStore(Labels.of("receive", "0"), removes);
            for (String r : List.of("a", "b", "c", "d")) {
                for (int i = 0; i < 5; i++) {
                    s.add(Labels.of("__name__", "m", "i", "" + i, "replica", r), samples(T0, 20, i));
                }
            }
            try (World w = world(Map.of("receive:1", s), 0); QueryContext c = QueryContext.unlimited()) {
                SelectHints three = new SelectHints(new TimeRange(T0, T0 + 86_400_000), 0, 0, 0, "series", false, List.of(), 3, true);
                Set<Labels> got = new TreeSet<>();
                try (SeriesSet set = new StoreSource(w.fanout, new ResolutionProbe(), options(true, DedupFunction.VARVE), null,
                        StoreSource.Observer.NONE).select(c, three, List.of(Matcher.equal("__name__", "m")))) {
                    Series one;
                    while (got.size() < 3 && (one = set.next()) != null) {
                        got.add(one.labels());
                    }
                }
                assertThat(got).hasSize(3);
            }
        }
    }

    @Test
    void storesThatCannotMatchAreNotAsked() throws Exception {
        MemoryStore a = new MemoryStore(Labels.of("cluster", "a", "replica", "0"), true).add(Labels.of("__name__", "m"),
                samples(T0, 10, 0));
        MemoryStore b = new MemoryStore(Labels.of("cluster", "b", "replica", "0"), true).add(Labels.of("__name__", "m"),
                samples(T0, 10, 0));
        try (World w = world(Map.of("a:1", a, "b:1", b), 0); QueryContext c = QueryContext.unlimited()) {
            Map<Labels, List<Double>> got = read(w, c, options(true, DedupFunction.VARVE), T0, T0 + 1_000_000,
                    Matcher.equal("__name__", "m"),
                    Matcher.equal("cluster", "a"));
            assertThat(got).hasSize(1);
            assertThat(a.calls()).isEqualTo(1);
            assertThat(b.calls()).isZero();
        }
    }

    /** Series that are sorted here are all in memory: their bytes are reserved until they were read, or nobody reads on. */
    @Test
    void whatIsSortedHereStaysReservedUntilItWasRead() throws Exception {
        MemoryStore s = new MemoryStore(Labels.of("receive", "0"), false);
        for (int i = 0; i < 2_000; i++) {
            s.add(Labels.of("__name__", "m", "i", "" + i, "replica", "ab".substring(i % 2, i % 2 + 1)), samples(T0, 20, i));
        }
        SelectHints labels = new SelectHints(new TimeRange(T0, T0 + 86_400_000), 0, 0, 0, "series", false, List.of(), 0, true);
        for (int wanted : List.of(1, 700, 3_000)) {
            AtomicLong reserved = new AtomicLong();
            MemoryBudget budget = new MemoryBudget() {
                @Override
                public void reserve(long bytes, String what) {
                    reserved.addAndGet(bytes);
                }

                @Override
                public void release(long bytes) {
                    reserved.addAndGet(-bytes);
                }

                @Override
                public long reserved() {
                    return reserved.get();
                }
            };
            try (World w = world(Map.of("receive:1", s), 0); QueryContext c = new QueryContext(10_000, budget)) {
                int n = 0;
                try (SeriesSet set = new StoreSource(w.fanout, new ResolutionProbe(), options(true, DedupFunction.VARVE), null,
                        StoreSource.Observer.NONE).select(c, labels, List.of(Matcher.equal("__name__", "m")))) {
                    while (n < wanted && set.next() != null) {
                        n++;
                    }
                    assertThat(reserved.get()).as("after %d series", n).isGreaterThanOrEqualTo((2_000 - n) * 200L);
                }
                assertThat(n).isEqualTo(Math.min(wanted, 2_000));
                // A batch that was being read goes with the query.
                for (int wait = 0; wait < 500 && reserved.get() > 64 * 1_000; wait++) {
                    Thread.sleep(10);
                }
                assertThat(reserved.get()).as("after the select").isBetween(0L, 64 * 1_000L);
            }
        }
    }

    @Test
    void aBudgetThatIsUsedUpEndsTheQueryWithTheLimitsName() throws Exception {
        MemoryStore a = new MemoryStore(Labels.of("cluster", "a", "replica", "0"), true);
        for (int i = 0; i < 1000; i++) {
            a.add(Labels.of("__name__", "m", "i", "" + i), samples(T0, 200, i));
        }
        MemoryBudget small = new MemoryBudget() {
            @Override
            public void reserve(long bytes, String what) {
                throw new io.varve.model.LimitExceededException("query.max-memory", "limit --query.max-memory for " + what);
            }

            @Override
            public void release(long bytes) {
            }

            @Override
            public long reserved() {
                return 0;
            }
        };
        try (World w = world(Map.of("a:1", a), 0); QueryContext c = new QueryContext(10_000, small)) {
            assertThatThrownBy(() -> read(w, c, options(true, DedupFunction.VARVE), T0, T0 + 1_000_000, Matcher.equal("__name__", "m")))
                    .hasMessageContaining("--query.max-memory");
        }
    }
}

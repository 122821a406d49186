package io.varve.querier.fanout;

import static org.assertj.core.api.Assertions.assertThat;

import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.varve.model.LabelProjection;
import io.varve.model.Labels;
import io.varve.model.Matcher;
import io.varve.model.QueryContext;
import io.varve.model.SampleBuffer;
import io.varve.model.SelectHints;
import io.varve.model.Series;
import io.varve.model.SeriesSet;
import io.varve.model.TimeRange;
import io.varve.querier.dedup.DedupFunction;
import io.varve.runtime.Dns;
import io.varve.store.ShardInfo;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;

/** What the penalty merge says depends on where it begins: where Thanos' selects begin, whatever of it is then wanted. */
class MergeBeginTest {
    private static final long T0 = 1_780_000_200_000L;

    private static List<Long> times(long from, long min, boolean fromEdge, DedupFunction function) throws Exception {
        return times(from, min, fromEdge, function, SelectHints.Earliest.NONE.and(T0 + from, 600_000));
    }

    private static List<Long> times(long from, long min, boolean fromEdge, DedupFunction function, SelectHints.Earliest earliest)
            throws Exception {
        MemoryStore a = new MemoryStore(Labels.of("replica", "a"), true);
        MemoryStore b = new MemoryStore(Labels.of("replica", "b"), true);
        for (MemoryStore s : List.of(a, b)) {
            SampleBuffer samples = new SampleBuffer(100);
            for (int i = 0; i < 100; i++) {
                samples.add(T0 + i * 60_000L + (s == a ? 0 : 30_000), i);
            }
            s.add(Labels.of("__name__", "m"), samples);
        }
        Map<String, MemoryStore> stores = Map.of("a:1", a, "b:1", b);
        List<EndpointSet.Spec> specs = List.of(new EndpointSet.Spec("a:1", false, false), new EndpointSet.Spec("b:1", false, false));
        try (EndpointSet set = new EndpointSet(specs, new EndpointSet.Config(5000, 5000, 30_000, 300_000, 120_000, List.of("store_type")),
                Dns.SYSTEM,
                x -> Peer.of(Objects.requireNonNull(stores.get(x)).client(x)), l -> l, new PrometheusRegistry());
                QueryContext c = QueryContext.unlimited()) {
            set.awaitFirst(10_000);
            SourceOptions options = new SourceOptions(true, List.of("replica"), function, false, 0, StoreFilter.ALL, ShardInfo.NONE, 0,
                    false, fromEdge, "");
            StoreSource source = new StoreSource(new Fanout(set, List.of(), 0, new PrometheusRegistry()), new ResolutionProbe(), options,
                    null,
                    StoreSource.Observer.NONE);
            SelectHints hints = new SelectHints(new TimeRange(T0 + min, T0 + 1_200_000), 0, 600_000, 600_000, "avg_over_time", false,
                    List.of(), 0, false, T0 + from, earliest, LabelProjection.ALL);
            List<Long> out = new ArrayList<>();
            try (SeriesSet found = source.select(c, hints, List.of(Matcher.equal("__name__", "m")))) {
                Series s = Objects.requireNonNull(found.next());
                SampleBuffer into = new SampleBuffer(8);
                s.read(into);
                for (int i = 0; i < into.size; i++) {
                    out.add(into.timestamps[i] - T0);
                }
            }
            return out;
        }
    }

    @Test
    void aSubqueryBeginsWhereItsRangeDoesAndYieldsOnlyItsSteps() throws Exception {
        // Begun before 600 s the first speaks, then at 630 s the second, which keeps the word; begun later it is the other way round.
        assertThat(times(601_000, 700_000, false, DedupFunction.PENALTY)).startsWith(720_000L, 780_000L);
        assertThat(times(599_000, 700_000, false, DedupFunction.PENALTY)).startsWith(750_000L, 810_000L);
        assertThat(times(599_000, 700_000, false, DedupFunction.VARVE)).startsWith(720_000L, 780_000L);
    }

    @Test
    void allSelectsOfAQueryBeginWhereTheEarliestDoes() throws Exception {
        SelectHints.Earliest own = SelectHints.Earliest.NONE.and(T0 + 610_000, 600_000);
        for (boolean fromEdge : new boolean[]{false, true}) {
            // Begun at 610 s the second speaks first, at 630 s, then the first at 660 s, which keeps the word.
            assertThat(times(610_000, 700_000, fromEdge, DedupFunction.PENALTY)).startsWith(720_000L, 780_000L);
            assertThat(times(610_000, 700_000, fromEdge, DedupFunction.PENALTY, own.and(T0 + 599_000, 0))).startsWith(750_000L, 810_000L);
            assertThat(times(610_000, 700_000, fromEdge, DedupFunction.PENALTY, own.and(T0 + 599_000, 60_000))).startsWith(750_000L,
                    810_000L);
        }
        // The left edge is that of windows alone.
        assertThat(times(610_000, 700_000, true, DedupFunction.PENALTY, own.and(T0 + 600_001, 0))).startsWith(720_000L);
        assertThat(times(610_000, 700_000, true, DedupFunction.PENALTY, own.and(T0 + 600_001, 60_000))).startsWith(750_000L);
    }

    @Test
    void thanosOwnEngineSeesTheLeftEdge() throws Exception {
        assertThat(times(600_001, 600_001, false, DedupFunction.PENALTY)).startsWith(630_000L, 660_000L, 720_000L);
        assertThat(times(600_001, 600_001, true, DedupFunction.PENALTY)).startsWith(630_000L, 690_000L, 750_000L);
    }
}

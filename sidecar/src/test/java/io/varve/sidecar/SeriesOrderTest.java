package io.varve.sidecar;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.varve.model.Labels;
import io.varve.model.MemoryBudget;
import io.varve.model.UnavailableException;
import io.varve.store.SeriesSink;
import io.varve.store.StoreSeries;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

class SeriesOrderTest {
    private final List<Labels> passed = new ArrayList<>();
    private final SeriesSink sink = new SeriesSink() {
        @Override
        public void series(StoreSeries series) {
            passed.add(series.labels());
        }

        @Override
        public void warning(String text) {
        }

        @Override
        public void queriedBlocks(List<String> ids) {
        }
    };

    private List<Labels> run(List<Labels> series, Labels external, List<String> without, boolean streaming, long limit) {
        passed.clear();
        SeriesOrder order = new SeriesOrder(external, without, streaming, sink, MemoryBudget.UNLIMITED, limit);
        for (Labels l : series) {
            order.add(l, new StoreSeries(order.finalLabels(l), List.of()));
        }
        order.finish();
        order.close();
        return List.copyOf(passed);
    }

    @Test
    void streamingGivesTheSameOrderAsSortingEverything() {
        Random random = new Random(5);
        for (int round = 0; round < 500; round++) {
            TreeSet<Labels> all = new TreeSet<>();
            for (int i = 0; i < 30; i++) {
                Labels.Builder b = new Labels.Builder();
                for (String name : new String[]{"__name__", "a", "c", "e", "g"}) {
                    if (random.nextInt(3) > 0) {
                        b.set(name, "" + random.nextInt(2));
                    }
                }
                all.add(b.build());
            }
            // Series of several frames come several times in a row.
            List<Labels> series = new ArrayList<>();
            all.forEach(l -> {
                for (int i = random.nextInt(3); i >= 0; i--) {
                    series.add(l);
                }
            });
            Labels external = Labels.of("b", "x", "d", "y", "h", "z");
            List<String> without = List.of("d");
            List<Labels> want = series.stream().map(l -> l.overriddenBy(external.without(without))).sorted(Comparator.naturalOrder())
                    .toList();
            assertThat(run(series, external, without, true, 0)).isEqualTo(want);
            assertThat(run(series, external, without, false, 0)).isEqualTo(want);
        }
    }

    @Test
    void labelsOfTheSeriesGoOutAndExternalOnesWin() {
        List<Labels> series = List.of(Labels.of("a", "1", "replica", "r1"), Labels.of("a", "2", "replica", "r0"),
                Labels.of("a", "3", "x", "own"));
        assertThat(run(series, Labels.of("replica", "r9", "x", "ext"), List.of("replica"), false, 0)).containsExactly(
                Labels.of("a", "1", "x", "ext"), Labels.of("a", "2", "x", "ext"), Labels.of("a", "3", "x", "ext"));
    }

    @Test
    void limitCountsLabelSets() {
        List<Labels> series = List.of(Labels.of("a", "1"), Labels.of("a", "1"), Labels.of("a", "2"), Labels.of("a", "3"));
        assertThat(run(series, Labels.of("x", "y"), List.of(), true, 2)).containsExactly(Labels.of("a", "1", "x", "y"),
                Labels.of("a", "1", "x", "y"), Labels.of("a", "2", "x", "y"));
    }

    @Test
    void whatWasSentIsNeverContradicted() {
        SeriesOrder order = new SeriesOrder(Labels.of("b", "m"), List.of(), true, sink, MemoryBudget.UNLIMITED, 0);
        assertThatThrownBy(() -> {
            for (Labels l : List.of(Labels.of("b", "z", "c", "1"), Labels.of("c", "0"), Labels.of("c", "2"))) {
                order.add(l, new StoreSeries(order.finalLabels(l), List.of()));
            }
            order.finish();
        }).isInstanceOf(UnavailableException.class).hasMessageContaining("ask again");
    }
}

package io.varve.promql;

import static org.assertj.core.api.Assertions.assertThat;

import io.varve.model.QueryContext;
import io.varve.model.SelectHints;
import io.varve.model.SeriesSet;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** What a source is told of the query around a select. */
class SelectHintsTest {
    private static final long T = MemorySource.START;
    private static final long MINUTE = 60_000;

    /** Where the selects of an instant query begin, and the one thing that they are all told of it. */
    private static Set<SelectHints.Earliest> told(String query, Long... begins) {
        Set<Long> from = new HashSet<>();
        Set<SelectHints.Earliest> earliest = new HashSet<>();
        try (Engine engine = new Engine(EngineOptions.DEFAULT);
                QueryResult result = engine.execute(QueryContext.unlimited(), (context, hints, matchers) -> {
                    from.add(hints.from() - T);
                    earliest.add(hints.earliest());
                    return SeriesSet.empty();
                }, QueryRequest.instant(query, T))) {
            assertThat(result.value()).isInstanceOf(QueryValue.Vector.class);
        }
        assertThat(from).as(query).isEqualTo(Set.copyOf(List.of(begins)));
        return earliest;
    }

    @Test
    void everySelectIsToldWhereTheEarliestBegins() {
        assertThat(told("a", -5 * MINUTE + 1)).containsExactly(new SelectHints.Earliest(T - 5 * MINUTE + 1, Long.MAX_VALUE));
        assertThat(told("rate(a[10m])", -10 * MINUTE + 1))
                .containsExactly(new SelectHints.Earliest(T - 10 * MINUTE + 1, T - 10 * MINUTE + 1));
        assertThat(told("a offset 8m + on () rate(b[10m])", -13 * MINUTE + 1, -10 * MINUTE + 1))
                .containsExactly(new SelectHints.Earliest(T - 13 * MINUTE + 1, T - 10 * MINUTE + 1));
        assertThat(told("sum(a) / sum(b @ 0)", -5 * MINUTE + 1, -T - 5 * MINUTE + 1))
                .containsExactly(new SelectHints.Earliest(-5 * MINUTE + 1, Long.MAX_VALUE));
    }
}

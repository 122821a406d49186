package io.varve.promql;

import static org.assertj.core.api.Assertions.assertThat;

import io.varve.model.Labels;
import io.varve.model.QueryContext;
import io.varve.model.SampleBuffer;
import java.util.EnumSet;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Where names go at once, labels that are set behind that stay: only names that are to go at the end take them along. */
class DroppedNamesTest {
    @Test
    void metadataSetAfterwardsStays() {
        assertThat(labels(false, "label_replace(rate(m_total[1m]), \"__unit__\", \"s\", \"\", \"\")"))
                .containsExactly("{__unit__=\"s\", job=\"a\"}");
        assertThat(labels(true, "label_replace(rate(m_total[1m]), \"__unit__\", \"s\", \"\", \"\")")).containsExactly("{job=\"a\"}");
    }

    @Test
    void aNameGroupedInStays() {
        String query = "m_total >= bool on (job) group_right (__name__) m_total";
        assertThat(labels(false, query)).containsExactly("{__name__=\"m_total\", job=\"a\"}");
        assertThat(labels(true, query)).containsExactly("{job=\"a\"}");
    }

    private static List<String> labels(boolean delayed, String query) {
        EnumSet<Feature> features = EnumSet.noneOf(Feature.class);
        if (delayed) {
            features.add(Feature.DELAYED_NAME_REMOVAL);
        }
        MemorySource source = new MemorySource();
        SampleBuffer b = new SampleBuffer(9);
        for (int i = 0; i < 9; i++) {
            b.add(MemorySource.START + i * MemorySource.INTERVAL, i);
        }
        source.put(b, "__name__", "m_total", "job", "a");
        try (Engine engine = new Engine(EngineOptions.DEFAULT.withThreads(1).withFeatures(features));
                QueryResult result = engine.execute(QueryContext.unlimited(), source,
                        QueryRequest.instant(query, MemorySource.START + 8 * MemorySource.INTERVAL))) {
            return ((QueryValue.Vector) result.value()).samples().stream().map(QueryValue.Sample::labels).map(Labels::toString).toList();
        }
    }
}

package io.varve.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.varve.model.Labels;
import io.varve.testkit.Shared;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class ShardFilterTest {
    @Test
    void shardsAreThoseOfThanos() {
        Path file = Shared.golden("thanos/shardinfo.jsonl.gz").orElse(null);
        assumeTrue(file != null);
        int n = 0;
        try (Stream<JsonNode> lines = Shared.jsonLines(file)) {
            for (JsonNode line : (Iterable<JsonNode>) lines::iterator) {
                List<String> pairs = new ArrayList<>();
                line.get("labels").forEach(p -> p.forEach(text -> pairs.add(Shared.text(text))));
                EncodedLabels labels = EncodedLabels.of(Labels.ofSorted(pairs.toArray(String[]::new)));
                for (JsonNode query : line.get("queries")) {
                    List<String> names = new ArrayList<>();
                    query.get("labels").forEach(name -> names.add(name.textValue()));
                    boolean by = query.get("by").booleanValue();
                    for (Map.Entry<String, JsonNode> e : query.get("total_to_index").properties()) {
                        long total = Long.parseLong(e.getKey());
                        long index = e.getValue().longValue();
                        assertThat(new ShardFilter(new ShardInfo(index, total, by, names)).takes(labels))
                                .as("%s %s %s", labels, query, total)
                                .isTrue();
                        assertThat(new ShardFilter(new ShardInfo(index + 1, total, by, names)).takes(labels)).isFalse();
                        n++;
                    }
                }
            }
        }
        assertThat(n).isPositive();
    }

    @Test
    void withoutShardsAllAreTaken() {
        assertThat(new ShardFilter(ShardInfo.NONE).takes(EncodedLabels.of(Labels.of("a", "b")))).isTrue();
    }

    @Test
    void longLabelsAreHashedWhole() {
        EncodedLabels labels = EncodedLabels.of(Labels.of("a", "x".repeat(1000), "b", "y".repeat(300)));
        int taken = 0;
        for (int i = 0; i < 5; i++) {
            taken += new ShardFilter(new ShardInfo(i, 5, false, List.of())).takes(labels) ? 1 : 0;
        }
        assertThat(taken).isEqualTo(1);
    }
}

package io.varve.promql.exec;

import io.varve.model.Labels;
import io.varve.promql.parser.VectorMatching;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** Which series of two vectors belong together. */
final class MatchKey {
    private final boolean on;
    private final Set<String> names;

    MatchKey(VectorMatching matching) {
        this.on = matching.on();
        Set<String> set = new HashSet<>(matching.labels());
        if (!on) {
            set.add(Labels.METRIC_NAME);
        }
        this.names = set;
    }

    Labels of(Labels labels) {
        if (on) {
            return names.isEmpty() ? Labels.EMPTY : labels.only(names);
        }
        return labels.without(names);
    }

    static String describe(VectorMatching m) {
        StringBuilder sb = new StringBuilder();
        if (m.on() || !m.labels().isEmpty()) {
            sb.append(m.on() ? " on (" : " ignoring (").append(String.join(", ", List.copyOf(m.labels()))).append(')');
        }
        switch (m.cardinality()) {
            case MANY_TO_ONE -> sb.append(" group_left (").append(String.join(", ", m.include())).append(')');
            case ONE_TO_MANY -> sb.append(" group_right (").append(String.join(", ", m.include())).append(')');
            case ONE_TO_ONE, MANY_TO_MANY -> {
            }
        }
        return sb.toString();
    }
}

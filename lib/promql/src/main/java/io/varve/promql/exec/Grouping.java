package io.varve.promql.exec;

import io.varve.model.Labels;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** Which labels make a group. */
final class Grouping {
    private final boolean without;
    private final Set<String> names;

    Grouping(List<String> labels, boolean without) {
        this.without = without;
        Set<String> set = new HashSet<>(labels);
        if (without) {
            set.add(Labels.METRIC_NAME);
        }
        this.names = set;
    }

    Labels key(Labels labels) {
        if (without) {
            return labels.without(names);
        }
        return names.isEmpty() ? Labels.EMPTY : labels.only(names);
    }

    static String describe(List<String> labels, boolean without) {
        return labels.isEmpty() && !without ? "" : (without ? "without (" : "by (") + String.join(", ", new ArrayList<>(labels)) + ")";
    }
}

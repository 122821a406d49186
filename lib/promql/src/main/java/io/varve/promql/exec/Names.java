package io.varve.promql.exec;

import io.varve.model.Labels;
import java.util.Set;

/** The labels that are metadata of a metric and go when its values become something else. */
final class Names {
    static final Set<String> METADATA = Set.of(Labels.METRIC_NAME, "__type__", "__unit__");

    private Names() {
    }

    /** The labels without metadata. */
    static Labels drop(Labels labels) {
        if (labels.isEmpty() || !labels.name(0).startsWith("__") && !labels.has(Labels.METRIC_NAME)) {
            return hasMetadata(labels) ? labels.without(METADATA) : labels;
        }
        return labels.without(METADATA);
    }

    private static boolean hasMetadata(Labels labels) {
        return labels.has("__type__") || labels.has("__unit__") || labels.has(Labels.METRIC_NAME);
    }
}

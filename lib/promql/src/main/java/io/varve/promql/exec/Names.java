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
        return labels.without(METADATA);
    }
}

package io.varve.store;

import io.varve.model.Matcher;
import java.util.List;

/** A LabelValues call; times in milliseconds, both ends included; limit 0 = all. */
public record LabelValuesRequest(String label, long minTime, long maxTime, List<Matcher> matchers, boolean partialResponse,
        List<Matcher> blockMatchers, List<String> withoutReplicaLabels, long limit) {
}

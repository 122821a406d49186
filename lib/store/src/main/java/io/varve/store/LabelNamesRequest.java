package io.varve.store;

import io.varve.model.Matcher;
import java.util.List;

/** A LabelNames call; times in milliseconds, both ends included; limit 0 = all. */
public record LabelNamesRequest(long minTime, long maxTime, List<Matcher> matchers, boolean partialResponse, List<Matcher> blockMatchers,
        List<String> withoutReplicaLabels, long limit) {
}

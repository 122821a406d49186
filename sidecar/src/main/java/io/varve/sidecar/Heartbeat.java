package io.varve.sidecar;

import io.varve.model.Labels;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What the heartbeat last learned of Prometheus. Immutable.
 *
 * @param external its external labels
 * @param minTime its earliest sample in milliseconds, or what {@code --min-time} says where that is later; {@link Long#MIN_VALUE} where it has none
 * @param utf8Names whether it takes names other than legacy ones, as Prometheus does since 3.0
 * @param labelNames all label names of its data, null where they are not known
 */
record Heartbeat(Labels external, long minTime, boolean utf8Names, @Nullable Set<String> labelNames) {
    static final Heartbeat NONE = new Heartbeat(Labels.EMPTY, Long.MIN_VALUE, true, null);
}

package io.varve.querier.fanout;

import io.varve.model.CorruptDataException;
import io.varve.model.Labels;
import io.varve.model.Matcher;
import io.varve.store.SeriesRequest;
import io.varve.store.StoreChunk;
import io.varve.store.StoreSeries;
import java.util.List;

/**
 * Looks whether a store sends what it was asked for: series that do not satisfy the matchers would make an answer wrong without a word. A
 * value that was looked at for the series before is not looked at again. One thread.
 */
final class AnswerCheck {
    private final StoreRef store;
    private final List<Matcher> matchers;
    /** The last value that satisfied each matcher. */
    private final String[] good;

    AnswerCheck(StoreRef store, SeriesRequest request) {
        this.store = store;
        // What was taken out of the series cannot be looked at.
        matchers = request.matchers().stream().filter(m -> !request.withoutReplicaLabels().contains(m.name())).toList();
        good = new String[matchers.size()];
    }

    /** @throws CorruptDataException where a series was not asked for, or what it has cannot be */
    void that(StoreSeries series) {
        that(series.labels());
        for (StoreChunk c : series.chunks()) {
            if (c.minTime() > c.maxTime()) {
                throw new CorruptDataException("", -1,
                        "store " + store.address() + " sent " + series.labels() + " with a chunk that begins at "
                                + c.minTime() + " and ends at " + c.maxTime());
            }
        }
    }

    private void that(Labels labels) {
        for (int i = 0; i < good.length; i++) {
            Matcher m = matchers.get(i);
            String value = labels.get(m.name());
            if (value.equals(good[i])) {
                continue;
            }
            if (!m.matches(value) && !(value.isEmpty() && announced(m.name()))) {
                throw new CorruptDataException("", -1, "store " + store.address() + " sent " + labels + ", which does not satisfy " + m);
            }
            good[i] = value;
        }
    }

    /** A label that a querier below announces as its own does not stand in its series. */
    private boolean announced(String name) {
        return store.labelSets().stream().anyMatch(l -> l.has(name));
    }
}

package io.varve.promql.test;

import io.varve.model.Labels;
import io.varve.model.Matcher;
import io.varve.model.QueryContext;
import io.varve.model.SelectHints;
import io.varve.model.SeriesSet;
import io.varve.model.SeriesSource;
import java.util.List;

/** The storage of scripts for tests of other packages. */
public final class TestSeries implements SeriesSource {
    private final TestStorage storage = new TestStorage();

    /** Adds a float. */
    public void add(Labels labels, long timeMillis, double value) {
        storage.add(labels, timeMillis, Value.of(value), 0);
    }

    @Override
    public SeriesSet select(QueryContext context, SelectHints hints, List<Matcher> matchers) {
        return storage.select(context, hints, matchers);
    }
}

package io.varve.model;

import java.util.List;

/** Where series come from: a fan-out over stores, a test's storage. Hints may be ignored, matchers and range may not. */
public interface SeriesSource {
    /**
     * Opens a select; returns at once or after first answers, never after all of them. The caller closes the set. Warnings go to
     * the context.
     *
     * @param matchers all must match; at least one
     */
    SeriesSet select(QueryContext context, SelectHints hints, List<Matcher> matchers);
}

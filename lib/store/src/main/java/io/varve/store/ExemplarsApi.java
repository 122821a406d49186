package io.varve.store;

import io.varve.model.Labels;
import io.varve.model.QueryContext;
import java.util.List;

/** Exemplars ({@code thanos.Exemplars}); the same interface for both sides. Safe for many threads. */
public interface ExemplarsApi {
    /** Sends exemplars series by series. */
    void exemplars(QueryContext context, Request request, Answers<ExemplarSeries> answers);

    /** What is asked: a query whose selectors count, and a span in milliseconds, both ends included. */
    record Request(String query, long start, long end, boolean partialResponse) {
    }

    /** A series and its exemplars. */
    record ExemplarSeries(Labels series, List<Exemplar> exemplars) {
    }

    /** One exemplar; the time in milliseconds. */
    record Exemplar(Labels labels, double value, long timestamp) {
    }
}

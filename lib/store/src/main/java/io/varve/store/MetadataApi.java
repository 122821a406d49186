package io.varve.store;

import io.varve.model.QueryContext;
import java.util.List;
import java.util.Map;

/** Metadata of metrics ({@code thanos.Metadata}); the same interface for both sides. Safe for many threads. */
public interface MetadataApi {
    /** Sends metadata by metric name; several answers are to be joined. */
    void metadata(QueryContext context, Request request, Answers<Map<String, List<Meta>>> answers);

    /**
     * What is asked.
     *
     * @param metric one metric, "" for all
     * @param limit metrics at most, −1 for all
     */
    record Request(String metric, int limit, boolean partialResponse) {
    }

    /** What is known of a metric. */
    record Meta(String type, String help, String unit) {
    }
}

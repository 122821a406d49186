package io.varve.store;

import io.varve.model.Matcher;
import io.varve.model.QueryContext;
import java.util.List;
import java.util.Map;

/** Statistics of a TSDB's head ({@code thanos.Status}); the same interface for both sides. Safe for many threads. */
public interface StatusApi {
    /** Sends statistics by tenant ("" where there are no tenants). */
    void tsdbStatistics(QueryContext context, Request request, Answers<Map<String, TsdbStatistics>> answers);

    /**
     * What is asked.
     *
     * @param limit entries per list at most, 0 for the source's own default
     * @param matchers on external labels
     */
    record Request(String tenant, int limit, boolean partialResponse, List<Matcher> matchers) {
    }

    /** Statistics of one TSDB. */
    record TsdbStatistics(Head head, List<Statistic> seriesCountByMetricName, List<Statistic> labelValueCountByLabelName,
            List<Statistic> memoryInBytesByLabelName, List<Statistic> seriesCountByLabelValuePair) {
    }

    /** Numbers of the head; times in milliseconds. */
    record Head(long numSeries, long numLabelPairs, long chunkCount, long minTime, long maxTime) {
    }

    /** A name and a count. */
    record Statistic(String name, long value) {
    }
}

package io.varve.store;

import io.varve.model.Labels;
import io.varve.model.QueryContext;
import java.time.Instant;
import java.util.List;

/** Scrape targets ({@code thanos.Targets}); the same interface for both sides. Safe for many threads. */
public interface TargetsApi {
    /** Sends targets; several answers are to be joined. */
    void targets(QueryContext context, Request request, Answers<Discovery> answers);

    /** Which targets. */
    enum Kind {
        /** All. */
        ANY,
        /** Those that are scraped. */
        ACTIVE,
        /** Those that relabelling dropped. */
        DROPPED
    }

    /** How a target is. In the order of the wire. */
    enum Health {
        /** The last scrape failed. */
        DOWN,
        /** The last scrape succeeded. */
        UP,
        /** Not scraped yet. */
        UNKNOWN
    }

    /** What is asked. */
    record Request(Kind kind, boolean partialResponse) {
    }

    /** Targets of one source. */
    record Discovery(List<Active> active, List<Dropped> dropped) {
    }

    /** A target that is scraped. */
    record Active(Labels discoveredLabels, Labels labels, String scrapePool, String scrapeUrl, String globalUrl, String lastError,
            Instant lastScrape, double lastScrapeSeconds, Health health) {
    }

    /** A target that was dropped. */
    record Dropped(Labels discoveredLabels) {
    }
}

package io.varve.querier.api;

import io.varve.querier.fanout.SourceOptions;

/**
 * One query as a caller asked for it. Times in milliseconds.
 *
 * @param text PromQL
 * @param stepMillis 0 for an instant query
 * @param timeoutMillis what the caller allows, 0 for the default
 * @param lookbackMillis 0 for the default
 * @param source how its series are read
 * @param analyze whether operators are timed
 * @param perStepStats whether samples are counted per step
 * @param engine the engine's name, for metrics: {@code prometheus} or {@code thanos}
 * @param tenant who asks
 * @param origin where it came from, for logs
 */
record QuerySpec(String text, long startMillis, long endMillis, long stepMillis, long timeoutMillis, long lookbackMillis,
        SourceOptions source,
        boolean analyze, boolean perStepStats, String engine, String tenant, String origin) {
}

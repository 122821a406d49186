package io.varve.promql;

import java.util.Set;

/**
 * How an {@link Engine} behaves.
 *
 * @param lookbackMillis how far an instant selector looks back where the query does not say
 * @param subqueryStepMillis the step of subqueries that name none
 * @param features what is switched on
 * @param maxSamples samples that a query may hold at once, 0 or less for no bound; counted as Prometheus does: a float is one, a
 *        histogram by its size
 * @param threads threads that decode and compute; results do not depend on it
 */
public record EngineOptions(long lookbackMillis, long subqueryStepMillis, Set<Feature> features, long maxSamples, int threads) {
    /** Prometheus' defaults, all cores. */
    public static final EngineOptions DEFAULT = new EngineOptions(300_000, 60_000, Set.of(), 50_000_000,
            Runtime.getRuntime().availableProcessors());

    /** Checks and copies. */
    public EngineOptions {
        if (lookbackMillis <= 0 || subqueryStepMillis <= 0 || threads <= 0) {
            throw new IllegalArgumentException("lookback, subquery step and threads must be positive, got " + lookbackMillis + ", "
                    + subqueryStepMillis + ", " + threads);
        }
        features = Set.copyOf(features);
    }

    /** Whether a feature is on. */
    public boolean has(Feature feature) {
        return features.contains(feature);
    }

    /** These options with other features. */
    public EngineOptions withFeatures(Set<Feature> on) {
        return new EngineOptions(lookbackMillis, subqueryStepMillis, on, maxSamples, threads);
    }

    /** These options with another bound on samples. */
    public EngineOptions withMaxSamples(long max) {
        return new EngineOptions(lookbackMillis, subqueryStepMillis, features, max, threads);
    }

    /** These options with another number of threads. */
    public EngineOptions withThreads(int count) {
        return new EngineOptions(lookbackMillis, subqueryStepMillis, features, maxSamples, count);
    }
}
